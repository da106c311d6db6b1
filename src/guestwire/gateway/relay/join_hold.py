"""What a new connection says is held back for a moment, so that the history, which is older, comes before it."""

from __future__ import annotations

from guestwire.model.events import Event, Message, epoch_ms

__all__ = ["HOLD_S", "MOST_HELD", "JoinHold"]

HOLD_S = 0.5
MOST_HELD = 200
"""Nothing is held for longer, nor more of it (reliability 2.6)."""


class JoinHold:
    """Holds events while one read of the history goes on."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held: list[Event] | None = None

    @property
    def is_on(self) -> bool:
        """Whether events are to be put here."""
        return self._held is not None

    def begin(self) -> None:
        """Hold from now on."""
        self._held = []

    def put(self, event: Event) -> bool:
        """Hold an event; return whether it was the last for which there is room."""
        if self._held is None:
            raise AssertionError("Expected a hold that has begun.")
        self._held.append(event)
        return len(self._held) >= MOST_HELD

    def release(self) -> list[Event]:
        """Return what was held, and hold no more.

        Messages come in the provider's order, as far as they tell time and id; whatever else there is keeps its place.
        """
        held, self._held = self._held or [], None
        ordered = iter(sorted((event for event in held if _has_place(event)), key=_place))
        return [next(ordered) if _has_place(event) else event for event in held]


def _has_place(event: Event) -> bool:
    return isinstance(event, Message) and event.sent_at is not None and event.id is not None


def _place(event: Event) -> tuple[int, str]:
    if not isinstance(event, Message) or event.sent_at is None or event.id is None:
        raise AssertionError("Expected a message with time and id.")
    return epoch_ms(event.sent_at), event.id
