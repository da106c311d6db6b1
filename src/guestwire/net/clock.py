"""Time behind one small interface, so that shells can be tested without waiting."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What shells know of time. `now` never goes backwards; `utc` may, when somebody sets the computer's clock."""

    def now(self) -> float:
        """Return monotonic seconds; only differences mean anything."""

    def utc(self) -> datetime:
        """Return the time of day, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock; zero or less lets others run once."""


class SystemClock:
    """The computer's clock."""

    def now(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep in real time."""
        await asyncio.sleep(max(0.0, seconds))
