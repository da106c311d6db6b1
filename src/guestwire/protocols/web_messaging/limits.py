"""What the provider allows, and a window that counts against it.

Source: web-messaging §5. A client stays a little below: frames that left in order may arrive closer together.
"""

from __future__ import annotations

__all__ = [
    "CONFIGURES_PER_MIN",
    "CONNECTIONS_PER_SESSION",
    "ECHOES_PER_MIN",
    "HISTORY_READS_PER_MIN",
    "MAX_ATTRIBUTE_BYTES",
    "MAX_FILE_NAME_CHARS",
    "MESSAGES_PER_S",
    "REQUESTS_PER_MIN",
    "TYPING_EVERY_S",
    "Window",
]

MESSAGES_PER_S = 5
REQUESTS_PER_MIN = 60
ECHOES_PER_MIN = 2
HISTORY_READS_PER_MIN = 10
CONFIGURES_PER_MIN = 60
CONNECTIONS_PER_SESSION = 3
MAX_ATTRIBUTE_BYTES = 2048
"""UTF-8 bytes of all keys and values of one message's attributes, unless the session says otherwise."""

MAX_FILE_NAME_CHARS = 1024
TYPING_EVERY_S = 5.0

# Rounding: who comes back exactly when told must get in, or a clock that only jumps to deadlines stands still.
_SLACK_S = 1e-6


class Window:
    """Allow `limit` in any `window_s` seconds; it has no clock, every call passes monotonic seconds.

    A list, because a chat has a handful of them and an empty deque takes 760 bytes; none holds more than 60.
    """

    __slots__ = ("_limit", "_taken", "_window_s")

    def __init__(self, limit: int, window_s: float) -> None:
        """Start empty."""
        self._limit = limit
        self._window_s = window_s
        self._taken: list[float] = []

    def wait_s(self, now: float) -> float:
        """Return the seconds until one more is allowed; 0.0 for now. Takes nothing."""
        while self._taken and now - self._taken[0] >= self._window_s - _SLACK_S:
            del self._taken[0]
        if len(self._taken) < self._limit:
            return 0.0
        return self._taken[0] + self._window_s - now

    def take(self, now: float) -> float:
        """Take one, unless that must wait; return the seconds to wait, 0.0 when it was taken."""
        wait_s = self.wait_s(now)
        if wait_s == 0.0:
            self._taken.append(now)
        return wait_s
