"""A token bucket that is told the time."""

from __future__ import annotations

__all__ = ["TokenBucket"]

# Rounding: who comes back exactly when told must get one, or a clock that only jumps to deadlines stands still.
_SLACK = 1e-3


class TokenBucket:
    """Allow `burst` at once and `rate` a second in the long run.

    It has no clock: every call passes `now` in monotonic seconds, so that cores and tests can use it.
    """

    __slots__ = ("_burst", "_level", "_rate", "_seen_at")

    def __init__(self, *, rate: float, burst: float) -> None:
        """Start full."""
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._seen_at: float | None = None

    def take(self, now: float) -> float:
        """Take one token.

        Returns:
            0.0 when it was taken, else the seconds until one will be there (nothing was taken).
        """
        self._refill(now)
        if self._level >= 1.0 - _SLACK:
            self._level -= 1.0
            return 0.0
        return (1.0 - self._level) / self._rate

    def _refill(self, now: float) -> None:
        if self._seen_at is not None:
            self._level = min(self._burst, self._level + (now - self._seen_at) * self._rate)
        self._seen_at = now
