"""Waiting for something, but not for ever."""

from __future__ import annotations

import asyncio

from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent

__all__ = ["wait_for"]


async def wait_for(event: asyncio.Event | LightEvent, limit_s: float | None, clock: Clock) -> bool:
    """Return when the event is set or the time is over; None is no limit. Returns whether it is set."""
    if event.is_set() or (limit_s is not None and limit_s <= 0):
        return event.is_set()
    if limit_s is None:
        return await event.wait()
    limit = asyncio.ensure_future(clock.sleep(limit_s))
    done = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({limit, done}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        limit.cancel()
        done.cancel()
    return event.is_set()
