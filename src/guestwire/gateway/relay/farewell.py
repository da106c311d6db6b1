"""Taking leave of the provider when the guest has had its session erased.

The erasure here comes first and is durable; this is best effort. What could not be told within `FAREWELL_S`, or was not
told because the gateway stopped, ends by the provider's own rules: nothing here knows of it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from guestwire.gateway.relay.upstream import Upstreams
from guestwire.model.ids import SessionId
from guestwire.net.logs import get_logger

__all__ = ["FAREWELL_S", "Farewell", "SayFarewell"]

FAREWELL_S = 10.0
"""A provider that does not take the end in this time is not asked any longer."""

SayFarewell: TypeAlias = Callable[[SessionId, bytes], Coroutine[Any, Any, None]]
"""Gets our id of an erased session and its `provider_ref`; returns when the provider was told, or can't be."""

_log = get_logger("guestwire.gateway")


class Farewell:
    """A `SayFarewell` for every kind of provider."""

    def __init__(self, shared: Upstreams) -> None:
        """Take what the upstreams share."""
        self._shared = shared

    async def __call__(self, sid: SessionId, provider_ref: bytes) -> None:
        """End what there is at the provider, within `FAREWELL_S`."""
        shared = self._shared
        kept = shared.seal.open(sid, provider_ref)
        if kept is None:
            return  # there is no way to tell
        ending = asyncio.ensure_future(shared.say_farewell(sid, kept))
        limit = asyncio.ensure_future(shared.clock.sleep(FAREWELL_S))
        try:
            await asyncio.wait({ending, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                _log.warning("the provider could not be told of an erasure", code="timed-out")
        finally:
            limit.cancel()
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
