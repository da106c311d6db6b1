"""Waiting for Ctrl-C or the service manager."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

__all__ = ["stop_signals"]


@contextlib.asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """Give an event that SIGINT or SIGTERM sets; a second signal ends the process as it always does.

    Only in the main thread. At the end the handlers that were there before are back.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def take(_number: int, _frame: object) -> None:
        restore()
        loop.call_soon_threadsafe(stop.set)  # a handler runs between any two instructions; this also wakes the loop

    for number in before:
        signal.signal(number, take)
    try:
        yield stop
    finally:
        restore()
