"""The fold of events into what people read: the vectors, and what holds for any events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from guestwire.model.content import ButtonResponse, ListPicker, button_response, list_picker, parse_content
from guestwire.model.events import (
    AttachmentStatus,
    AttachmentUpdated,
    ConnectionStatus,
    ConversationStatus,
    ConversationUpdated,
    Event,
    Fate,
    HistoryRead,
    Message,
    ProviderError,
    Receipt,
    SessionUpdated,
    StatusChanged,
    Typing,
    UnknownEvent,
    UnknownReason,
    epoch_ms,
)
from guestwire.model.transcript import MessageRow, Notice, NoticeRow, Row, Transcript

VECTORS = json.loads((Path(__file__).parents[2] / "frames/guest-session/transcripts.json").read_text("utf-8"))[
    "vectors"
]

ENDED = ConversationStatus.ENDED


KINDS: tuple[type[Event], ...] = get_args(Event)
STATUSES: dict[str, type[StrEnum]] = {
    "conversation-update": ConversationStatus,
    "receipt": Fate,
    "status": ConnectionStatus,
}


def event_of(form: dict[str, Any]) -> Event:
    """Read the JSON form of an event, as `event_to_json` writes it."""
    kind = next(kind for kind in KINDS if kind.__struct_config__.tag == form["type"])
    members = {field.name: form[field.encode_name] for field in fields(kind) if field.encode_name in form}
    for name in {"sent_at", "expires_at"} & set(members):
        members[name] = datetime.fromtimestamp(members[name] / 1000, UTC)
    if "status" in members:
        members["status"] = STATUSES[form["type"]](members["status"])
    if "content" in members:
        members["content"] = parse_content(members["content"])
    return kind(**members)


def apply_input(transcript: Transcript, form: dict[str, Any]) -> None:
    if form["type"] == "typing-expired":
        transcript.stop_typing(form["from"])
    else:
        transcript.apply(event_of(form))


def row_to_json(row: Row) -> dict[str, object]:
    members: dict[str, object | None]
    match row:
        case NoticeRow():
            members = {"kind": "notice", "notice": row.notice, "name": row.name}
        case MessageRow():
            members = {
                "kind": "message",
                "from": row.sender,
                "text": row.text,
                "sentAt": row.sent_at and epoch_ms(row.sent_at),
                "name": row.name,
                "content": [item.raw for item in row.content] or None,
                "id": row.id,
                "seq": row.seq,
                "clientId": row.client_id,
                "state": row.state,
                "code": row.code,
                "late": row.late or None,
            }
    return {name: value for name, value in members.items() if value is not None}


def transcript_to_json(transcript: Transcript) -> dict[str, object]:
    members = {
        "rows": [row_to_json(row) for row in transcript.rows],
        "status": transcript.status,
        "agentName": transcript.agent_name,
        "typing": transcript.typing,
        "reason": transcript.reason,
    }
    return {name: value for name, value in members.items() if value is not None}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    """The inputs of the vector fold into its transcript."""
    transcript = Transcript()
    for form in vector["inputs"]:
        apply_input(transcript, form)
    assert transcript_to_json(transcript) == vector["transcript"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector_with_everything_that_has_an_identity_twice(vector: dict[str, Any]) -> None:
    """What has an id, a client id or a seq may come twice; updates say what is, so they may too."""
    transcript = Transcript()
    for form in vector["inputs"]:
        apply_input(transcript, form)
        if form["type"] != "message" or {"id", "clientId"} & set(form):
            apply_input(transcript, form)
    assert transcript_to_json(transcript) == vector["transcript"]


SENDERS = st.sampled_from(["agent", "bot", "guest"])
CLIENT_IDS = st.sampled_from(["c1", "c2", "c3"])
NAMES = st.none() | st.sampled_from(["Jane", "Ben"])
SEQS = st.integers(min_value=1, max_value=30)


@st.composite
def identified_messages(draw: st.DrawFn) -> Message:
    """A message with an id or a client id, or both; `seq` never comes without an id (guest-session §6.2)."""
    sender = draw(SENDERS)
    client_id = draw(CLIENT_IDS) if sender == "guest" else None
    has_id = client_id is None or draw(st.booleans())
    return Message(
        sender=sender,
        text=draw(st.text(min_size=1, max_size=5)),
        name=draw(NAMES),
        client_id=client_id,
        id=f"m-{client_id}" if client_id and has_id else draw(st.sampled_from("abcdef")) if has_id else None,
        seq=draw(SEQS) if has_id and draw(st.booleans()) else None,
        late=draw(st.booleans()),
    )


RECEIPTS = st.builds(
    Receipt,
    client_id=CLIENT_IDS,
    status=st.sampled_from(Fate),
    message_seq=st.none() | SEQS,
    code=st.none() | st.just("conflict"),
)
UPDATES = st.builds(
    ConversationUpdated,
    status=st.none() | st.sampled_from(ConversationStatus),
    agent_name=NAMES,
    reason=st.none() | st.just("no-agents"),
)
OTHERS = st.sampled_from(
    [
        Typing(sender="agent"),
        Typing(sender="bot"),
        ProviderError(code="odd"),
        StatusChanged(status=ConnectionStatus.CONNECTED),
        UnknownEvent(reason=UnknownReason.NOT_JSON, raw="x"),
    ]
)
IDENTIFIED = identified_messages() | RECEIPTS | UPDATES | OTHERS
ANONYMOUS = st.builds(Message, sender=SENDERS, text=st.text(min_size=1, max_size=5))


def fold(events: list[Event]) -> Transcript:
    transcript = Transcript()
    for event in events:
        transcript.apply(event)
    return transcript


@given(st.lists(IDENTIFIED | ANONYMOUS, max_size=30), st.data())
def test_a_transcript_is_the_same_whether_events_come_once_or_twice(events: list[Event], data: st.DataObject) -> None:
    """Doubling any events that have an identity changes no row."""
    doubled: list[Event] = []
    for event in events:
        is_anonymous = isinstance(event, Message) and not event.id and not event.client_id
        doubled += [event] if is_anonymous or not data.draw(st.booleans()) else [event, event]
    assert transcript_to_json(fold(doubled)) == transcript_to_json(fold(events))


@given(st.lists(identified_messages(), max_size=20, unique_by=lambda message: message.id or message.client_id))
def test_messages_may_all_come_again_later(messages: list[Message]) -> None:
    """A replay of what is there adds no row and moves none."""
    once: list[Event] = list(messages)
    assert transcript_to_json(fold([*once, *once])) == transcript_to_json(fold(once))


@given(st.lists(IDENTIFIED | ANONYMOUS, max_size=40))
def test_rows_never_shrink_and_never_change_places(events: list[Event]) -> None:
    """A row stays where it was drawn; a fate only moves up; whoever types is listed once."""
    transcript = Transcript()
    for event in events:
        before = list(transcript.rows)
        transcript.apply(event)
        assert all(one is other for one, other in zip(before, transcript.rows, strict=False))
        assert len(before) <= len(transcript.rows) <= len(before) + 1
        assert len(set(transcript.typing)) == len(transcript.typing)
        assert transcript.status is not ENDED or not transcript.typing


@given(st.lists(IDENTIFIED | ANONYMOUS, max_size=40))
def test_one_row_for_each_client_id(events: list[Event]) -> None:
    """However often a message and its receipts come."""
    rows = [row for row in fold(events).rows if isinstance(row, MessageRow) and row.client_id]
    assert len({row.client_id for row in rows}) == len(rows)


def test_stop_typing_of_somebody_who_does_not_type() -> None:
    """It changes nothing."""
    transcript = Transcript(typing=["bot"])
    transcript.stop_typing("agent")
    assert transcript.typing == ["bot"]


def test_a_receipt_for_somebody_elses_message_changes_nothing() -> None:
    """Only the guest's own messages have a fate."""
    transcript = fold([Message(sender="agent", text="x", client_id="c1")])
    transcript.apply(Receipt(client_id="c1", status=Fate.FAILED))
    assert row_to_json(transcript.rows[0]) == {"kind": "message", "from": "agent", "text": "x", "clientId": "c1"}


def test_a_row_found_by_the_id_that_a_receipt_brought() -> None:
    """The provider's echo without a client id is then no second row."""
    transcript = fold(
        [
            Message(sender="guest", text="x", client_id="c1"),
            Receipt(client_id="c1", status=Fate.ACCEPTED, id="m1"),
            Message(sender="guest", text="x", id="m1", seq=4),
        ]
    )
    assert len(transcript.rows) == 1
    assert transcript.rows[0] == MessageRow("guest", "x", id="m1", seq=4, client_id="c1", state=Fate.ACCEPTED)


def test_a_notice_says_who() -> None:
    """Joined and left carry the agent's name, ended nobody's."""
    transcript = fold(
        [
            ConversationUpdated(status=ConversationStatus.CONNECTED, agent_name="Jane"),
            ConversationUpdated(status=ConversationStatus.WAITING),
            ConversationUpdated(status=ENDED),
        ]
    )
    assert transcript.rows == [
        NoticeRow(Notice.JOINED, "Jane"),
        NoticeRow(Notice.LEFT, "Jane"),
        NoticeRow(Notice.ENDED),
    ]


# --- what only Web Messaging tells --------------------------------------------------------------------------------


def said(number: int, *, late: bool = False, **members: Any) -> Message:
    """Return an agent's message of a time."""
    at = datetime.fromtimestamp(1000 + number, UTC)
    return Message(sender="agent", text=str(number), id=f"m{number}", sent_at=at, late=late, **members)


def texts(transcript: Transcript) -> list[str]:
    return [row.text if isinstance(row, MessageRow) else str(row.notice) for row in transcript.rows]


@given(order=st.permutations(range(6)))
def test_messages_stand_in_the_providers_order(order: list[int]) -> None:
    """In whatever order they come, people read them in the provider's."""
    transcript = Transcript()
    for number in order:
        transcript.apply(said(number))
    assert texts(transcript) == ["0", "1", "2", "3", "4", "5"]


def test_what_comes_late_passes_only_what_has_a_place() -> None:
    """Notices and the guest's own messages stay where they were said."""
    transcript = Transcript()
    for event in (
        said(1),
        Message(sender="guest", text="mine", client_id="c1"),
        said(5),
        ConversationUpdated(status=ENDED),
        said(3, late=True),
        said(0, late=True),
    ):
        transcript.apply(event)
    assert texts(transcript) == ["0", "1", "mine", "3", "5", "ended"]


def test_an_order_key_is_the_place() -> None:
    """A gateway's records have it; without one they stand as they came, whatever their time."""
    transcript = Transcript()
    for event in (said(1, seq=1, order_key="b"), said(2, seq=2, order_key="a"), said(0, seq=3)):
        transcript.apply(event)
    assert texts(transcript) == ["2", "1", "0"]


@pytest.mark.parametrize("is_answer_first", [False, True])
def test_an_answered_picker_is_done_with(is_answer_first: bool) -> None:
    """The answer names its question, by the message or in its content; history may show them in either order."""
    question = Message(sender="bot", text="Which?", id="q1", content=(list_picker(ListPicker(sections=())),))
    other = Message(sender="bot", text="And?", id="q2", content=(list_picker(ListPicker(sections=())),))
    by_content = button_response(ButtonResponse(type="ListPicker", text="a", payload="a", originating_message_id="q1"))
    answer = Message(sender="guest", text="a", id="g1", content=(by_content,))
    reply = Message(sender="guest", text="b", id="g2", in_reply_to="q2")
    transcript = Transcript()
    for event in (answer, question, other) if is_answer_first else (question, answer, other):
        transcript.apply(event)
    rows = {row.id: row.is_answered for row in transcript.rows if isinstance(row, MessageRow)}
    assert rows == {"q1": True, "q2": False, "g1": False}
    transcript.apply(reply)
    assert [row.is_answered for row in transcript.rows if isinstance(row, MessageRow) and row.id == "q2"] == [True]


def test_files_keep_their_newest_address() -> None:
    """A later fate without an address does not take it away."""
    transcript = Transcript()
    for status, url in (
        (AttachmentStatus.UPLOADING, None),
        (AttachmentStatus.UPLOADED, "https://a"),
        (AttachmentStatus.SENT, None),
    ):
        transcript.apply(AttachmentUpdated(attachment_id="f", status=status, url=url))
    assert transcript.files == {
        "f": AttachmentUpdated(attachment_id="f", status=AttachmentStatus.SENT, url="https://a")
    }


def test_what_holds_in_the_session() -> None:
    """Read-only and the end of the session, as told first and moved later; the oldest page says if there is more."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    transcript = Transcript()
    transcript.apply(SessionUpdated(read_only=True, expires_at=at))
    assert (transcript.read_only, transcript.expires_at) == (True, at)
    transcript.apply(ConversationUpdated(read_only=False))
    assert (transcript.read_only, transcript.expires_at) == (False, at)
    for page, has_more in ((1, True), (2, False), (1, True)):
        transcript.apply(HistoryRead(page=page, has_more=has_more))
    assert not transcript.has_earlier
