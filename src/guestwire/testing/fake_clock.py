"""A clock that a test turns."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """A `net.clock.Clock` whose time moves only when told, or by itself when nothing else can happen.

    With `auto_jump` the clock jumps to the earliest sleeper as soon as the event loop has nothing left to run. That
    counts callbacks, not sockets: with real connections use `auto_jump=False` and `advance`.
    """

    def __init__(
        self, *, start: float = 1000.0, utc: datetime = datetime(2026, 1, 1, tzinfo=UTC), auto_jump: bool = True
    ) -> None:
        """Start at `start` monotonic seconds and `utc`."""
        self._now = start
        self._start = start
        self._utc = utc
        self._auto_jump = auto_jump
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._is_armed = False

    @property
    def sleepers(self) -> int:
        """How many sleep."""
        return sum(not future.done() for _, _, future in self._sleepers)

    def now(self) -> float:
        """Return the clock's monotonic seconds."""
        return self._now

    def utc(self) -> datetime:
        """Return the clock's time of day."""
        return self._utc + timedelta(seconds=self._now - self._start)

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has moved by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, future))
        self._arm()
        await future

    def advance(self, seconds: float) -> None:
        """Move the clock and wake, in order, who is due; they run when the caller awaits."""
        until = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            self._wake_next()
        self._now = until

    def _wake_next(self) -> None:
        deadline, _, future = heapq.heappop(self._sleepers)
        if not future.done():
            self._now = max(self._now, deadline)
            future.set_result(None)

    def _arm(self) -> None:
        if self._auto_jump and not self._is_armed:
            self._is_armed = True
            asyncio.get_running_loop().call_soon(self._jump_when_idle)

    def _jump_when_idle(self) -> None:
        self._is_armed = False
        while self._sleepers and self._sleepers[0][2].done():  # cancelled
            heapq.heappop(self._sleepers)
        if not self._sleepers:
            return
        # asyncio tells nobody when it is idle; its queue of ready callbacks is empty then but for the one that runs.
        if not asyncio.get_running_loop()._ready:  # type: ignore[attr-defined]  # noqa: SLF001
            self._wake_next()
        self._arm()
