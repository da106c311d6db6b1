"""The emulator's one clock: everything that expires asks it, and the control API can advance it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from guestwire.net.clock import Clock, SystemClock

__all__ = ["SEEDED_START", "EmulatorClock"]

LAST_TIME = datetime(9000, 1, 1, tzinfo=UTC)
"""The calendar ends with the year 9999, and tokens live beyond the clock's own time."""

SEEDED_START = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
"""Where a seeded clock starts; far enough ahead that nobody takes it for the real time."""

MAX_ADVANCE_S = 10 * 365 * 86_400.0
"""Ten years at once: more would leave the range of dates after a few calls."""


class EmulatorClock:
    """Ticks with the computer's clock, from a fixed instant when seeded, plus what it was advanced by."""

    def __init__(self, source: Clock | None = None, *, is_seeded: bool = False) -> None:
        """Start to tick."""
        self._source = source or SystemClock()
        self.restart(is_seeded=is_seeded)

    def restart(self, *, is_seeded: bool) -> None:
        """Begin again: at `SEEDED_START` when seeded, else at the time of day; nothing is advanced any more."""
        self._is_seeded = is_seeded
        self._began_at = self._source.now()
        self._start = SEEDED_START if is_seeded else self._source.utc()
        self._advanced_s = 0.0

    @property
    def is_seeded(self) -> bool:
        """Whether it started at the fixed instant."""
        return self._is_seeded

    @property
    def advanced_s(self) -> float:
        """Seconds it was advanced by, since it started."""
        return self._advanced_s

    def now(self) -> float:
        """Return monotonic seconds, advances included; only differences mean anything."""
        return self._source.now() + self._advanced_s

    def utc(self) -> datetime:
        """Return the emulated time of day."""
        return self._start + timedelta(seconds=self.now() - self._began_at)

    def advance(self, seconds: float) -> None:
        """Let time pass at once.

        Raises:
            ValueError: Negative, not a number, or more than ten years.
        """
        if not 0.0 <= seconds <= MAX_ADVANCE_S:
            raise ValueError(f"Expected 0 to {MAX_ADVANCE_S:.0f} seconds, got {seconds}.")
        if self.utc() > LAST_TIME - timedelta(seconds=seconds):
            raise ValueError("The clock can't go beyond the year 9000: reset the emulator.")
        self._advanced_s += seconds
