"""Bodies of records: what the log keeps and browsers get."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.gateway.log import NewRecord
from guestwire.gateway.masking import Masker
from guestwire.gateway.relay import bodies
from guestwire.model.content import parse_content, quick_reply
from guestwire.model.events import ConversationStatus, ConversationUpdated, Fate, Message, epoch_ms
from guestwire.model.ids import ClientId, SessionId
from guestwire.protocols.guest_session.wire import decode_outbound, encode, to_event

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SID, CLIENT = SessionId("s"), ClientId("c")


@given(st.text(max_size=50), st.booleans())
def test_what_the_outbox_keeps_is_read_back(text: str, with_content: bool) -> None:
    """Equal messages have equal bodies, and nothing of one is lost."""
    content = (quick_reply("A", "a"),) if with_content else ()
    body = bodies.outgoing_body(text, content)
    assert body == bodies.outgoing_body(text, parse_content([item.raw for item in content]))
    assert bodies.read_outgoing(body) == (text, content)
    assert json.loads(body)["type"] == "message"


def test_an_answer_says_what_it_answers() -> None:
    """In the outbox and in the record; another answer is another message."""
    body = bodies.outgoing_body("Yes", (), "p-1")
    assert (bodies.in_reply_to(body), bodies.read_outgoing(body)) == ("p-1", ("Yes", ()))
    assert bodies.in_reply_to(bodies.outgoing_body("Yes", ())) is None
    assert body != bodies.outgoing_body("Yes", (), "p-2")
    assert json.loads(bodies.guest_message(SID, CLIENT, "Yes", (), NOW, in_reply_to="p-1").body)["inReplyTo"] == "p-1"


@pytest.mark.parametrize("sender", ["agent", "bot"])
def test_who_said_it_and_what_the_provider_calls_it(sender: str) -> None:
    """Name, picture and the provider's own id go to browsers; content as the caller wants it shown."""
    event = Message(
        sender=sender,
        text="x",
        name="Mia",
        avatar="https://a/b",
        id="mark:p-1",
        provider_id="p-1",
        content=(quick_reply("A"),),
    )
    shown = [{"contentType": "QuickReply"}]
    record = json.loads(bodies.message_record(event, "i", NOW, shown=lambda _: [dict(shown[0])]).body)
    assert (record["name"], record["avatar"], record["providerId"]) == ("Mia", "https://a/b", "p-1")
    assert record["content"] == shown


def test_a_messages_id_is_the_same_everywhere() -> None:
    """In its record, its receipts and the repeated answer; other sessions and client ids have others."""
    own = json.loads(bodies.guest_message(SID, CLIENT, "Hi", (), NOW).body)
    late = json.loads(bodies.receipt(SID, CLIENT, 7, Fate.FAILED, code="conversation-ended").body)
    direct = bodies.accepted_receipt(SID, CLIENT, 7)
    assert own["id"] == late["id"] == direct.id == bodies.message_id(SID, CLIENT)
    assert len(own["id"]) == 32
    assert len({bodies.message_id(SessionId(s), ClientId(c)) for s in "ab" for c in "cd"}) == 4
    assert own == {
        "type": "message", "from": "guest", "text": "Hi", "timestamp": "2026-01-02T03:04:05.000Z",
        "id": own["id"], "clientId": "c",
    }  # fmt: skip
    assert late["messageSeq"] == direct.message_seq == 7


@pytest.mark.parametrize(
    "sender, kind, shown",
    [
        ("agent", "message", "agent"),
        ("bot", "bot-message", "bot"),
        ("guest", "message", "guest"),
        ("x", "message", "agent"),
    ],
)
def test_senders(sender: str, kind: str, shown: str) -> None:
    """The tutorial's page draws every name but `agent` as the guest: bots have their own kind, strangers are agents."""
    record = bodies.message_record(Message(sender=sender, text="Hi", id="p1"), "i", NOW)
    assert (record.kind, record.dedup_key, record.order_key, record.late) == (kind, "p:p1", None, False)
    event = to_event(decode_outbound(record.body.decode()))
    assert isinstance(event, Message)
    assert (event.sender, event.id, event.sent_at) == (shown, "i", NOW)
    assert bodies.message_record(Message(sender=sender, text="Hi"), "i", NOW).dedup_key is None


TIMES = st.datetimes(timezones=st.just(UTC))
PLACES = st.tuples(TIMES, st.none() | st.text(max_size=3))


@given(PLACES, PLACES)
def test_the_providers_order(one: tuple[datetime, str | None], two: tuple[datetime, str | None]) -> None:
    """Keys compare as the provider orders: by time in milliseconds, then by id; years before 1970 are one time."""

    def place(sent_at: datetime, provider_id: str | None) -> tuple[int, str]:
        return max(0, epoch_ms(sent_at)), provider_id or ""

    keys = [bodies.order_key(*one), bodies.order_key(*two)]
    assert (keys[0] < keys[1]) is (place(*one) < place(*two))
    assert (keys[0] == keys[1]) is (place(*one) == place(*two))


def test_what_comes_late() -> None:
    """Below the newest in the provider's order; a message without a time has no place in it, and is never late."""

    def record(sent_at: datetime | None, newest: str | None) -> NewRecord:
        event = Message(sender="agent", text="Hi", id="p1", sent_at=sent_at, order_key="theirs", late=True)
        return bodies.message_record(event, "i", NOW, newest_order_key=newest)

    now = bodies.order_key(NOW, "p1")
    assert (record(NOW, None).order_key, record(NOW, None).late) == (now, False)
    assert not record(NOW, now).late
    assert not record(NOW, bodies.order_key(NOW, "p0")).late
    assert record(NOW, bodies.order_key(NOW, "p2")).late
    assert record(NOW - timedelta(milliseconds=1), now).late
    assert (record(None, now).order_key, record(None, now).late) == (None, False)


def test_what_a_guest_answered_is_masked_also_where_it_goes_back_to_the_bot() -> None:
    raw = {
        "contentType": "ButtonResponse",
        "buttonResponse": {
            "type": "QuickReply",
            "text": "my secret",
            "payload": "secret",
            "more": ["secret", 1, None, True],
        },
    }
    (item,) = bodies.masked_content(parse_content([raw]), lambda text: text.replace("secret", "•••"))
    assert item.raw == {
        "contentType": "ButtonResponse",
        "buttonResponse": {"type": "QuickReply", "text": "my •••", "payload": "•••", "more": ["•••", 1, None, True]},
    }
    assert item.value is not None


def test_updates() -> None:
    """A place in the queue alone is not kept; everything else is, with all it says."""
    update = ConversationUpdated(
        status=ConversationStatus.WAITING, position=2, estimated_wait=30, expires_at=NOW, reason="no-agents", id="p"
    )
    record = bodies.conversation_record(update, "i")
    assert record.dedup_key == "p:p"
    assert to_event(decode_outbound(record.body.decode())) == ConversationUpdated(
        status=ConversationStatus.WAITING, expires_at=NOW, reason="no-agents", id="i"
    )
    place = bodies.queue_place(update)
    assert place is not None
    assert json.loads(encode(place)) == {"type": "conversation-update", "position": 2, "estimatedWait": 30}
    assert bodies.queue_place(ConversationUpdated(status=ConversationStatus.CONNECTED)) is None
    assert bodies.is_volatile(ConversationUpdated(position=1, estimated_wait=5))
    for kept in (update, ConversationUpdated(read_only=True), ConversationUpdated(agent_name="Bo")):
        assert not bodies.is_volatile(kept)


def test_new_ids_are_hex_and_differ() -> None:
    ids = {bodies.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(new) == 32 and int(new, 16) >= 0 for new in ids)


def test_a_form_s_answers_are_masked_wherever_they_are() -> None:
    """Titles, nested values, and a card's number that came as a number; ids and kinds stay."""
    form = {
        "type": "Form",
        "title": "Card of Ann",
        "payload": {"card": "4111 1111 1111 1111", "digits": 4111111111111111, "id": "4111111111111111", "ok": 7},
    }
    mask = Masker(mask=("card",)).apply
    (item,) = bodies.masked_content(parse_content([{"contentType": "ButtonResponse", "buttonResponse": form}]), mask)
    answer = item.raw["buttonResponse"]
    assert isinstance(answer, dict)
    assert answer["payload"] == {
        "card": "•••• 1111",
        "digits": "•••• 1111",
        "id": "4111111111111111",
        "ok": 7,
    }
    assert answer["type"] == "Form"
