"""Ending a conversation at the provider when the guest has had its session erased.

The erasure here comes first and is durable; this is best effort. What could not be told within `FAREWELL_S`, or was not
told because the gateway stopped, ends by the provider's own rules: nothing here knows of it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from guestwire.client import connect
from guestwire.errors import SessionExpired
from guestwire.gateway.relay.upstream import GuestSessionUpstreams
from guestwire.model.events import ConnectionStatus, StatusChanged
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.logs import get_logger
from guestwire.protocols.guest_session.session import GuestSession

__all__ = ["FAREWELL_S", "Farewell", "SayFarewell"]

FAREWELL_S = 10.0
"""A provider that does not take the end in this time is not asked any longer."""

SayFarewell: TypeAlias = Callable[[SessionId, bytes], Coroutine[Any, Any, None]]
"""Gets our id of an erased session and its `provider_ref`; returns when the provider was told, or can't be."""

_log = get_logger("guestwire.gateway")


class Farewell:
    """A `SayFarewell` for providers that speak guest-session."""

    def __init__(self, shared: GuestSessionUpstreams) -> None:
        """Take what the upstreams share."""
        self._shared = shared

    async def __call__(self, sid: SessionId, provider_ref: bytes) -> None:
        """End the conversation, within `FAREWELL_S`."""
        shared = self._shared
        session = shared.seal.open(sid, provider_ref)
        if session is None or "end" not in session.extensions:
            return  # there is no way to tell
        ending = asyncio.ensure_future(self._end(session))
        limit = asyncio.ensure_future(shared.clock.sleep(FAREWELL_S))
        try:
            await asyncio.wait({ending, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                _log.warning("the provider could not be told of an erasure", code="timed-out")
        finally:
            limit.cancel()
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _end(self, session: GuestSession) -> None:
        shared = self._shared
        chat = connect(
            shared.provider,
            session=session,
            tokens=_NoTokens(),
            keeps_transcript=False,
            transport=shared.transport,
            clock=shared.clock,
        )
        async with chat:
            async for event in chat:
                if isinstance(event, StatusChanged) and event.status is ConnectionStatus.CONNECTED:
                    await chat.end()


class _NoTokens:
    """A `TokenSource` that has none: a session that the provider does not know any more must not be made anew."""

    async def access_token(self) -> Secret:
        raise SessionExpired

    def invalidate(self, token: Secret) -> None:
        pass
