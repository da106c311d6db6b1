"""When the session ends unless something happens: what the provider told, moved by every message, and what is due.

The provider speaks of Unix seconds, our cores of monotonic ones: `epoch_s` joins them.

Source: web-messaging §2.7; the seconds are those of the vendor's mobile SDK.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from guestwire.protocols.web_messaging.translate import from_unix
from guestwire.protocols.web_messaging.wire import Number

__all__ = ["Due", "Expiry"]

NOTICE_BEFORE_S = 300.0
CHECK_BEFORE_NOTICE_S = 10.0
CHECK_AFTER_S = 2.0

_MOVED_S = 1.0
"""The provider counts whole seconds, so a smaller step is none."""


class Due(StrEnum):
    """What the time asks for."""

    CHECK = "check"
    NOTICE = "notice"


class Expiry:
    """The end of a session, and the three moments around it: a check, the notice, a check afterwards."""

    def __init__(self, *, epoch_s: float) -> None:
        """Take what the Unix clock showed when the monotonic one was at 0."""
        self._epoch_s = epoch_s
        self._duration_s: float | None = None
        self._at: float | None = None
        self._left: list[tuple[float, Due]] = []
        self._is_noticed = False

    @property
    def moment(self) -> datetime | None:
        """The end in UTC; None when the provider told none."""
        return None if self._at is None else from_unix(self._at + self._epoch_s)

    @property
    def is_noticed(self) -> bool:
        """Whether the notice was given and still holds."""
        return self._is_noticed

    def told(self, now: float, *, duration_s: Number | None, expires: Number | None) -> None:
        """Take what the provider told: both in seconds, the second Unix time; None for not told."""
        self._duration_s = float(duration_s) if duration_s is not None else self._duration_s
        if expires is not None:
            self._move(expires - self._epoch_s)
        elif self._at is None and self._duration_s is not None:
            self._move(now + self._duration_s)

    def active(self, now: float) -> bool:
        """Take note of a message, in either direction; return whether it took back a notice."""
        if self._duration_s is None:
            return False
        was_noticed = self._is_noticed
        self._move(max(self._at or 0.0, now + self._duration_s))
        return was_noticed and not self._is_noticed

    def next_deadline(self) -> float | None:
        """Return when to ask `due` again."""
        return self._left[0][0] if self._left else None

    def due(self, now: float) -> list[Due]:
        """Return what is due, in order, and forget it."""
        due: list[Due] = []
        while self._left and self._left[0][0] <= now:
            due.append(self._left.pop(0)[1])
        self._is_noticed = self._is_noticed or Due.NOTICE in due
        return due

    def forget(self) -> None:
        """The session is over."""
        self._duration_s = self._at = None
        self._left.clear()
        self._is_noticed = False

    def _move(self, at: float) -> None:
        has_moved = self._at is None or abs(at - self._at) > _MOVED_S
        self._at = at
        if has_moved:
            notice_at = at - NOTICE_BEFORE_S
            self._left = [
                (notice_at - CHECK_BEFORE_NOTICE_S, Due.CHECK),
                (notice_at, Due.NOTICE),
                (at + CHECK_AFTER_S, Due.CHECK),
            ]
            self._is_noticed = False
