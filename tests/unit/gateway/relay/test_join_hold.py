"""What is held back while the history is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from guestwire.gateway.relay.join_hold import MOST_HELD, JoinHold
from guestwire.model.events import ConversationStatus, ConversationUpdated, Event, Message

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(text: str, seconds: float | None, new_id: str | None = "id") -> Message:
    at = None if seconds is None else START + timedelta(seconds=seconds)
    return Message(sender="agent", text=text, sent_at=at, id=new_id)


def held(*events: Event) -> list[Event]:
    hold = JoinHold()
    hold.begin()
    for event in events:
        assert not hold.put(event)
    return hold.release()


def test_messages_change_places_among_themselves_only() -> None:
    joined = ConversationUpdated(status=ConversationStatus.CONNECTED)
    plain = said("without a place", None)
    third, first, second = said("c", 3), said("a", 1), said("b", 2)
    assert held(third, joined, first, plain, second) == [first, joined, second, plain, third]


def test_equal_times_go_by_id() -> None:
    later, earlier = said("b", 1, "2"), said("a", 1, "1")
    assert held(later, earlier) == [earlier, later]


def test_there_is_room_for_so_many() -> None:
    hold = JoinHold()
    hold.begin()
    assert [hold.put(said(str(number), number)) for number in range(MOST_HELD)] == [False] * (MOST_HELD - 1) + [True]


def test_it_is_on_between_begin_and_release() -> None:
    hold = JoinHold()
    states = [hold.is_on]
    hold.begin()
    states.append(hold.is_on)
    assert hold.release() == []
    states.append(hold.is_on)
    assert states == [False, True, False]
    with pytest.raises(AssertionError):
        hold.put(said("a", 1))
