"""Waiting for the log: what it can't keep now is tried again until it can, and nothing goes on before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from guestwire.errors import LogUnavailable
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger

__all__ = ["until_kept"]

_log = get_logger("guestwire.gateway")

_T = TypeVar("_T")


async def until_kept(call: Callable[[], Awaitable[_T]], *, clock: Clock, delay_s: Callable[[int], float]) -> _T:
    """Repeat `call` while it raises `LogUnavailable`; whatever else it raises goes to the caller.

    Args:
        call: Must be safe to repeat.
        clock: Where the waiting comes from.
        delay_s: Seconds before attempt n of a series.
    """
    attempt = 0
    while True:
        try:
            return await call()
        except LogUnavailable as error:
            if attempt == 0:
                _log.warning("an upstream waits for the log", code=error.code)
        await clock.sleep(delay_s(attempt))
        attempt += 1
