"""Requests of the client's on their way, by tracing id: what an answer or an error is about.

Source: web-messaging §3.0, §4.1 (`tracingId`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Asked", "Kind", "Questions"]

MOST_ASKED = 200
"""Requests whose answers are awaited; what is older was never going to be answered."""


class Kind(StrEnum):
    """What a request asked for."""

    CONFIGURE = "configure"
    CLOSE_SESSION = "close-session"
    MESSAGE = "message"
    JOIN = "join"
    TYPING = "typing"
    CLEAR = "clear"
    HEALTH = "health"
    JWT = "jwt"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `about` is a client id or an attachment id, `limit_at` when its answer is overdue."""

    kind: Kind
    about: str = ""
    limit_at: float | None = None


class Questions:
    """All of a connection's."""

    def __init__(self) -> None:
        """Start with none."""
        self._asked: dict[str, Asked] = {}

    def __len__(self) -> int:
        """Return how many wait for an answer."""
        return len(self._asked)

    def ask(self, tracing_id: str, asked: Asked) -> None:
        """Take note of a request."""
        self._asked[tracing_id] = asked
        if len(self._asked) > MOST_ASKED:
            del self._asked[next(iter(self._asked))]

    def get(self, tracing_id: str | None) -> Asked | None:
        """Return what was asked under a tracing id."""
        return None if tracing_id is None else self._asked.get(tracing_id)

    def answered(self, tracing_id: str | None) -> Asked | None:
        """Return what was asked under a tracing id, and forget it."""
        return None if tracing_id is None else self._asked.pop(tracing_id, None)

    def last(self, kind: Kind) -> str | None:
        """Return the tracing id of the last question of this kind that waits for an answer."""
        return next((key for key, asked in reversed(self._asked.items()) if asked.kind is kind), None)

    def next_deadline(self) -> float | None:
        """Return when the first answer is overdue."""
        return min((asked.limit_at for asked in self._asked.values() if asked.limit_at is not None), default=None)

    def overdue(self, now: float) -> set[Kind]:
        """Return what was asked for and should have been answered, and forget it."""
        late = {key: one for key, one in self._asked.items() if one.limit_at is not None and one.limit_at <= now}
        for key in late:
            del self._asked[key]
        return {one.kind for one in late.values()}

    def clear(self) -> None:
        """Forget them all."""
        self._asked.clear()
