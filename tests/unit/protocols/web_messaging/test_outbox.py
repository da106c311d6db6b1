"""What the guest sends, and what has become of it."""

from __future__ import annotations

import pytest

from guestwire.model.events import Event, Fate, Receipt
from guestwire.protocols.web_messaging.outbox import ECHO_LIMIT_S, Missed, Outbox
from guestwire.protocols.web_messaging.requests import GuestMessage
from guestwire.protocols.web_messaging.wire import MessageBody


def outbox(*texts: str, asks_history: bool = True) -> tuple[Outbox, list[Event]]:
    """Return one with a message of each text, whose client id is its text; the first is in flight."""
    said: list[Event] = []
    made = Outbox(asks_history=asks_history, say=said.append)
    for text in texts:
        made.put(text, GuestMessage(text=text))
    if texts:
        made.took_off(texts[0])
    return made, said


def fates(said: list[Event]) -> list[tuple[str, Fate]]:
    return [(event.client_id, event.status) for event in said if isinstance(event, Receipt)]


def test_one_is_in_flight_and_the_next_follows_its_echo() -> None:
    """In the order they were sent."""
    made, said = outbox("a", "b")
    assert (made.next(), made.overdue_at, len(made)) == (None, None, 2)
    made.written("b", 5.0)
    made.written("a", 5.0)
    assert made.overdue_at == 5.0 + ECHO_LIMIT_S
    assert made.arrived("a", MessageBody(id="p1"), is_new=True) == ("a", GuestMessage(text="a"))
    assert made.arrived("a", MessageBody(id="p1"), is_new=False) == ("a", None)
    assert made.next() == ("b", GuestMessage(text="b"))
    assert fates(said) == [("a", Fate.SENT), ("a", Fate.DELIVERED)]
    assert outbox()[0].next() is None


def test_what_is_in_doubt_is_looked_for_twice_and_sent_again() -> None:
    """Another drop begins the looking anew."""
    made, said = outbox("a")
    assert made.missed() is Missed.NOTHING
    made.doubt()
    made.written("a", 5.0)
    assert (made.is_in_doubt, made.overdue_at) == (True, None)
    assert made.missed() is Missed.LOOK_AGAIN
    made.doubt()
    assert [made.missed(), made.missed()] == [Missed.LOOK_AGAIN, Missed.SEND_AGAIN]
    made.send_again()
    assert made.next() == ("a", GuestMessage(text="a"))
    assert said == []
    assert made.missed() is Missed.NOTHING


@pytest.mark.parametrize(
    "body, client_id, is_new, is_it",
    [
        (MessageBody(text="a"), "", True, True),
        (MessageBody(text="a"), "", False, False),
        (MessageBody(text="a"), "other", True, False),
        (MessageBody(text="b"), "", True, False),
        (MessageBody(text="a", type="Event"), "", True, False),
        (MessageBody(text="b"), "a", False, True),
    ],
)
def test_what_nobody_claims_is_known_by_its_words(body: MessageBody, client_id: str, is_new: bool, is_it: bool) -> None:
    """Only what was not seen before, and only while in doubt."""
    made, said = outbox("a")
    if client_id != "a":
        made.arrived(client_id, body, is_new=is_new)
        assert said == []
    made.doubt()
    made.arrived(client_id, body, is_new=is_new)
    assert fates(said) == ([("a", Fate.DELIVERED)] if is_it else [])


def test_without_a_history_doubt_is_told_and_may_turn_out_well() -> None:
    """It is never sent twice in silence."""
    made, said = outbox("a", "b", asks_history=False)
    made.doubt()
    assert made.next() == ("b", GuestMessage(text="b"))
    made.arrived("a", MessageBody(id="p1"), is_new=True)
    assert fates(said) == [("a", Fate.UNCONFIRMED), ("a", Fate.DELIVERED)]


def test_waiting_and_failing() -> None:
    """What waits is the next again; what fails is gone."""
    made, said = outbox("a", "b", "c")
    made.wait(3.0)
    assert made.next() == ("a", GuestMessage(text="a"))
    made.took_off("a")
    made.fail_waiting("read-only")
    assert len(made) == 1
    made.fail_flight("message-too-long", "words")
    made.fail_flight("message-too-long")
    made.put("d", GuestMessage(text="d"))
    made.fail_waiting("read-only")
    made.put("e", GuestMessage(text="e"))
    made.fail_all("session-cleared")
    for nothing in (made.doubt, made.unconfirm):
        nothing()
    assert fates(said) == [
        ("a", Fate.WAITING),
        ("b", Fate.FAILED),
        ("c", Fate.FAILED),
        ("a", Fate.FAILED),
        ("d", Fate.FAILED),
        ("e", Fate.FAILED),
    ]
    assert said[3] == Receipt(client_id="a", status=Fate.FAILED, code="message-too-long", text="words")
