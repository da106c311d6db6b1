"""Which messages were seen, and which come after something newer.

The provider guarantees no order and repeats itself (live, echo, history), and one message may go by two ids. Its order
is that of `channel.time`; nothing is held back for it here, as everything would be slowed down for the few.

Source: web-messaging §4.4 "Ordering", §7.5; reliability 2.6.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime

__all__ = ["Seen"]

MOST_KEYS = 20_000
"""Ids that are remembered; a conversation that is longer is not read again from its beginning."""


class Seen:
    """Ids of the messages so far, and the newest time."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._keys: dict[str, None] = {}  # not an OrderedDict: that takes 1.3 KiB more, and there is one a chat
        self._newest: datetime | None = None

    def __bool__(self) -> bool:
        """Return whether anything was seen."""
        return bool(self._keys)

    def has(self, keys: AbstractSet[str]) -> bool:
        """Return whether a message of any of these ids was seen; one without ids never was."""
        return any(key in self._keys for key in keys)

    def note(self, keys: AbstractSet[str], sent_at: datetime | None) -> bool:
        """Remember a message; return whether something newer was seen before."""
        for key in sorted(keys):
            self._keys.pop(key, None)
            self._keys[key] = None
        while len(self._keys) > MOST_KEYS:
            del self._keys[next(iter(self._keys))]
        if sent_at is None:
            return False
        is_late = self._newest is not None and sent_at < self._newest
        self._newest = sent_at if self._newest is None else max(self._newest, sent_at)
        return is_late

    def forget(self) -> None:
        """Another session has other messages."""
        self._keys.clear()
        self._newest = None
