"""Frames: the vectors, the names on the wire, and what holds for any text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.events import Fate, UnknownEvent, UnknownReason, event_to_json
from guestwire.protocols.guest_session.wire import (
    AckFrame,
    AttachmentLimits,
    BadFrame,
    Bot,
    BotMessageFrame,
    ClearFrame,
    ConversationUpdateFrame,
    EndFrame,
    ErrorFrame,
    GuestMessageFrame,
    GuestTypingFrame,
    HelloFrame,
    InboundFrame,
    Limits,
    MessageFrame,
    MoveFrame,
    OutboundFrame,
    PingFrame,
    PongFrame,
    ReadFrame,
    ReceiptFrame,
    SessionFrame,
    SessionLimits,
    StartNewFrame,
    StayFrame,
    SyncedFrame,
    TypingFrame,
    WelcomeFrame,
    decode_inbound,
    decode_outbound,
    encode,
    to_event,
)

FRAMES = Path(__file__).parents[3] / "frames"
VECTORS = json.loads((FRAMES / "guest-session/frames.json").read_text("utf-8"))["vectors"]

CONTENT = [{"contentType": "QuickReply", "quickReply": {"text": "A", "payload": "a"}}]

# One of each with every member set, and its JSON spelled out: the names of guest-session §4 and §6.
OUTBOUND: list[tuple[OutboundFrame, dict[str, Any]]] = [
    (
        MessageFrame(
            sender="guest",
            text="x",
            timestamp="2023-10-27T10:00:00Z",
            name="Ada",
            content=CONTENT,
            id="m",
            seq=1,
            client_id="c",
            order_key="k",
            late=True,
            avatar="https://example.com/a.png",
            provider_id="p",
            in_reply_to="q",
        ),
        {
            "type": "message",
            "from": "guest",
            "text": "x",
            "timestamp": "2023-10-27T10:00:00Z",
            "name": "Ada",
            "content": CONTENT,
            "id": "m",
            "seq": 1,
            "clientId": "c",
            "orderKey": "k",
            "late": True,
            "avatar": "https://example.com/a.png",
            "providerId": "p",
            "inReplyTo": "q",
        },
    ),
    (
        ConversationUpdateFrame(
            status="waiting",
            agent_name="Jane",
            agent_avatar="https://example.com/a.png",
            position=1,
            estimated_wait=2.5,
            expires_at="2023-10-27T10:00:00Z",
            read_only=True,
            reason="no-agents",
            id="i",
            seq=2,
        ),
        {
            "type": "conversation-update",
            "status": "waiting",
            "agentName": "Jane",
            "agentAvatar": "https://example.com/a.png",
            "position": 1,
            "estimatedWait": 2.5,
            "expiresAt": "2023-10-27T10:00:00Z",
            "readOnly": True,
            "reason": "no-agents",
            "id": "i",
            "seq": 2,
        },
    ),
    (TypingFrame(sender="agent", duration=3000), {"type": "typing", "from": "agent", "duration": 3000}),
    (
        BotMessageFrame(
            sender="bot",
            text="x",
            timestamp="2023-10-27T10:00:00Z",
            name="Botty",
            content=CONTENT,
            id="m",
            seq=1,
            order_key="k",
            late=True,
            avatar="https://example.com/a.png",
            provider_id="p",
        ),
        {
            "type": "bot-message",
            "from": "bot",
            "text": "x",
            "timestamp": "2023-10-27T10:00:00Z",
            "name": "Botty",
            "content": CONTENT,
            "id": "m",
            "seq": 1,
            "orderKey": "k",
            "late": True,
            "avatar": "https://example.com/a.png",
            "providerId": "p",
        },
    ),
    (
        ErrorFrame(code="rate-limited", text="Slow down.", retry_after=3.0, client_id="c"),
        {"type": "error", "code": "rate-limited", "text": "Slow down.", "retryAfter": 3.0, "clientId": "c"},
    ),
    (
        WelcomeFrame(mode="resume", epoch="e", seq=17, limits=Limits(max_text_bytes=100), token="t", read=9),
        {
            "type": "welcome",
            "mode": "resume",
            "epoch": "e",
            "seq": 17,
            "limits": {"maxTextBytes": 100, "maxFrameBytes": 65536},
            "token": "t",
            "read": 9,
        },
    ),
    (
        SessionFrame(
            features=("attachments", "clear"),
            limits=SessionLimits(
                max_text_bytes=100,
                attachments=AttachmentLimits(max_bytes=1000, types=("image/*",), blocked_extensions=(".exe",)),
            ),
            expires_at="2023-10-27T10:00:00Z",
            read_only=False,
            bot=Bot(name="Otto", avatar="https://example.com/o.png"),
            colour="#22577A",
        ),
        {
            "type": "session",
            "features": ["attachments", "clear"],
            "limits": {
                "maxTextBytes": 100,
                "attachments": {"maxBytes": 1000, "types": ["image/*"], "blockedExtensions": [".exe"]},
            },
            "expiresAt": "2023-10-27T10:00:00Z",
            "readOnly": False,
            "bot": {"name": "Otto", "avatar": "https://example.com/o.png"},
            "colour": "#22577A",
        },
    ),
    (SyncedFrame(seq=17), {"type": "synced", "seq": 17}),
    (
        ReceiptFrame(
            client_id="c",
            status=Fate.WAITING,
            id="m",
            seq=9,
            message_seq=7,
            order_key="k",
            retry_after=3.0,
            code="conflict",
            text="t",
        ),
        {
            "type": "receipt",
            "clientId": "c",
            "status": "waiting",
            "id": "m",
            "seq": 9,
            "messageSeq": 7,
            "orderKey": "k",
            "retryAfter": 3.0,
            "code": "conflict",
            "text": "t",
        },
    ),
    (PongFrame(seq=17, read=9), {"type": "pong", "seq": 17, "read": 9}),
    (MoveFrame(retry_after=2.0), {"type": "move", "retryAfter": 2.0}),
]

INBOUND: list[tuple[InboundFrame, dict[str, Any]]] = [
    (
        GuestMessageFrame(text="x", content=CONTENT, client_id="c", sender="guest", in_reply_to="p"),
        {"type": "message", "text": "x", "content": CONTENT, "clientId": "c", "from": "guest", "inReplyTo": "p"},
    ),
    (GuestTypingFrame(), {"type": "typing"}),
    (EndFrame(), {"type": "end"}),
    (
        HelloFrame(session_id="s", token="t", epoch="e", after=12, tab="b"),
        {"type": "hello", "sessionId": "s", "token": "t", "epoch": "e", "after": 12, "tab": "b"},
    ),
    (PingFrame(seq=3), {"type": "ping", "seq": 3}),
    (AckFrame(seq=3), {"type": "ack", "seq": 3}),
    (ReadFrame(seq=3), {"type": "read", "seq": 3}),
    (StartNewFrame(), {"type": "start-new"}),
    (ClearFrame(), {"type": "clear"}),
    (StayFrame(), {"type": "stay"}),
]

# Members without which a frame means nothing; all others may be absent or null.
REQUIRED = {
    "type",
    ("error", "code"),
    ("welcome", "mode"),
    ("welcome", "epoch"),
    ("welcome", "seq"),
    ("session", "features"),
    ("session", "limits"),
    ("session", "readOnly"),
    ("synced", "seq"),
    ("receipt", "clientId"),
    ("receipt", "status"),
    ("pong", "seq"),
    ("hello", "sessionId"),
    ("hello", "token"),
    ("ack", "seq"),
    ("read", "seq"),
}

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
MAYBE_TEXT = st.none() | TEXTS
MAYBE_INT = st.none() | st.integers(-(2**53), 2**53)
MAYBE_NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
ITEMS = st.none() | st.lists(st.fixed_dictionaries({"contentType": TEXTS, "x": MAYBE_TEXT}), min_size=1, max_size=3)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MESSAGE = {
    "sender": MAYBE_TEXT,
    "text": st.text(st.characters(codec="utf-8"), min_size=1),
    "timestamp": MAYBE_TEXT,
    "name": MAYBE_TEXT,
    "content": ITEMS,
    "id": MAYBE_TEXT,
    "seq": MAYBE_INT,
    "order_key": MAYBE_TEXT,
    "late": st.none() | st.booleans(),
    "avatar": MAYBE_TEXT,
    "provider_id": MAYBE_TEXT,
}
ATTACHMENTS = st.builds(
    AttachmentLimits,
    max_bytes=st.integers(0, 2**53),
    types=st.lists(TEXTS).map(tuple),
    blocked_extensions=st.lists(TEXTS).map(tuple),
)
OUTBOUND_FRAMES: st.SearchStrategy[OutboundFrame] = st.one_of(
    st.builds(MessageFrame, client_id=MAYBE_TEXT, in_reply_to=MAYBE_TEXT, **MESSAGE),
    st.builds(BotMessageFrame, **MESSAGE),
    st.builds(
        ConversationUpdateFrame,
        status=MAYBE_TEXT,
        agent_name=MAYBE_TEXT,
        agent_avatar=MAYBE_TEXT,
        position=MAYBE_INT,
        estimated_wait=MAYBE_NUMBER,
        expires_at=MAYBE_TEXT,
        read_only=st.none() | st.booleans(),
        reason=MAYBE_TEXT,
        id=MAYBE_TEXT,
        seq=MAYBE_INT,
    ),
    st.builds(TypingFrame, sender=MAYBE_TEXT, duration=MAYBE_INT),
    st.builds(ErrorFrame, code=TEXTS, text=MAYBE_TEXT, retry_after=MAYBE_NUMBER, client_id=MAYBE_TEXT),
    st.builds(
        WelcomeFrame,
        mode=st.sampled_from(["resume", "reset"]),
        epoch=TEXTS,
        seq=st.integers(0, 2**53),
        limits=st.none() | st.builds(Limits, max_text_bytes=st.integers(1, 2**20)),
        token=MAYBE_TEXT,
    ),
    st.builds(
        SessionFrame,
        features=st.lists(TEXTS).map(tuple),
        limits=st.builds(SessionLimits) | st.builds(SessionLimits, attachments=ATTACHMENTS),
        expires_at=MAYBE_TEXT,
        read_only=st.booleans(),
        bot=st.none() | st.builds(Bot, name=MAYBE_TEXT, avatar=MAYBE_TEXT),
        colour=MAYBE_TEXT,
    ),
    st.builds(SyncedFrame, seq=st.integers(0, 2**53)),
    st.builds(
        ReceiptFrame,
        client_id=TEXTS,
        status=st.sampled_from(Fate),
        id=MAYBE_TEXT,
        seq=MAYBE_INT,
        message_seq=MAYBE_INT,
        retry_after=MAYBE_NUMBER,
        code=MAYBE_TEXT,
        text=MAYBE_TEXT,
    ),
    st.builds(PongFrame, seq=st.integers(0, 2**53)),
    st.builds(MoveFrame, retry_after=MAYBE_NUMBER),
)
INBOUND_FRAMES: st.SearchStrategy[InboundFrame] = st.one_of(
    st.builds(
        GuestMessageFrame,
        text=MAYBE_TEXT,
        content=ITEMS,
        client_id=MAYBE_TEXT,
        sender=MAYBE_TEXT,
        in_reply_to=MAYBE_TEXT,
    ),
    st.builds(GuestTypingFrame),
    st.builds(EndFrame),
    st.builds(HelloFrame, session_id=TEXTS, token=TEXTS, epoch=MAYBE_TEXT, after=MAYBE_INT, tab=MAYBE_TEXT),
    st.builds(PingFrame, seq=MAYBE_INT),
    st.builds(AckFrame, seq=st.integers(0, 2**53)),
    st.builds(ReadFrame, seq=st.integers(0, 2**53)),
    st.builds(StartNewFrame),
    st.builds(ClearFrame),
    st.builds(StayFrame),
)


def kind_name(value: object) -> str:
    return type(value).__name__ if isinstance(value, msgspec.Struct) else ""


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    """The frame decodes to the event of the vector, or to none."""
    event = to_event(decode_outbound(vector["text"]))
    assert (None if event is None else event_to_json(event)) == vector["event"]


@pytest.mark.parametrize("frame, form", OUTBOUND, ids=kind_name)
def test_wire_names_of_the_provider(frame: OutboundFrame, form: dict[str, Any]) -> None:
    """Written and read they are those of the protocol's page."""
    assert json.loads(encode(frame)) == form
    assert decode_outbound(json.dumps(form)) == frame


@pytest.mark.parametrize("frame, form", INBOUND, ids=kind_name)
def test_wire_names_of_the_guest(frame: InboundFrame, form: dict[str, Any]) -> None:
    """Written and read they are those of the protocol's page."""
    assert json.loads(encode(frame)) == form
    assert decode_inbound(json.dumps(form)) == frame


def test_every_frame_is_spelled_out_above() -> None:
    """A new frame needs its JSON here."""
    assert {type(frame) for frame, _ in OUTBOUND} == set(get_args(OutboundFrame))
    assert {type(frame) for frame, _ in INBOUND} == set(get_args(InboundFrame))
    for frame, form in [*OUTBOUND, *INBOUND]:
        names = {field.encode_name for field in msgspec.structs.fields(type(frame))}
        assert names | {"type"} == set(form)


def members_of(rows: list[tuple[Any, dict[str, Any]]]) -> list[tuple[dict[str, Any], str]]:
    return [(form, member) for _, form in rows for member in form if member != "type"]


@pytest.mark.parametrize("form, member", members_of(OUTBOUND))
def test_null_is_absent_from_the_provider(form: dict[str, Any], member: str) -> None:
    """Whatever member is null: the frame is as good, or as bad, as without it."""
    with_null = decode_outbound(json.dumps(form | {member: None}))
    without = decode_outbound(json.dumps({name: value for name, value in form.items() if name != member}))
    if (form["type"], member) in REQUIRED:
        assert isinstance(with_null, UnknownEvent)
        assert isinstance(without, UnknownEvent)
        assert with_null.reason is without.reason is UnknownReason.MALFORMED
    else:
        assert with_null == without
        assert not isinstance(with_null, UnknownEvent)


@pytest.mark.parametrize("form, member", members_of(INBOUND))
def test_null_is_absent_from_the_guest(form: dict[str, Any], member: str) -> None:
    """Whatever member is null: the frame is as good, or as bad, as without it."""
    with_null = decode_inbound(json.dumps(form | {member: None}))
    without = decode_inbound(json.dumps({name: value for name, value in form.items() if name != member}))
    if (form["type"], member) in REQUIRED:
        assert isinstance(with_null, BadFrame)
        assert isinstance(without, BadFrame)
    else:
        assert with_null == without
        assert not isinstance(with_null, BadFrame)


@given(OUTBOUND_FRAMES)
def test_encoded_and_decoded_a_providers_frame_is_the_same(frame: OutboundFrame) -> None:
    """And one line."""
    text = encode(frame)
    assert decode_outbound(text) == frame
    assert "\n" not in text


@given(INBOUND_FRAMES)
def test_encoded_and_decoded_a_guests_frame_is_the_same(frame: InboundFrame) -> None:
    """And one line."""
    text = encode(frame)
    assert decode_inbound(text) == frame
    assert "\n" not in text


@given(OUTBOUND_FRAMES | INBOUND_FRAMES, st.dictionaries(TEXTS.map("x-{}".format), ANY_JSON, max_size=3))
def test_unknown_members_are_ignored(frame: OutboundFrame | InboundFrame, extra: dict[str, object]) -> None:
    """Before and after those we know."""
    decode = decode_outbound if isinstance(frame, get_args(OutboundFrame)) else decode_inbound
    form = json.loads(encode(frame))
    assert decode(json.dumps(form | extra)) == frame
    assert decode(json.dumps(extra | form)) == frame


def check_any_text(text: str) -> None:
    frame = decode_outbound(text)
    event = to_event(frame)
    if isinstance(frame, UnknownEvent):
        assert event is frame
        assert frame.raw == text
    if event is not None:
        assert isinstance(event_to_json(event), dict)
    inbound = decode_inbound(text)
    if isinstance(inbound, BadFrame):
        assert inbound.raw == text


@given(OUTBOUND_FRAMES | INBOUND_FRAMES, st.data())
def test_a_frame_cut_anywhere_is_reported_and_raises_nothing(
    frame: OutboundFrame | InboundFrame, data: st.DataObject
) -> None:
    """Half a frame is never taken for a whole one."""
    text = encode(frame)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    check_any_text(cut)
    found = decode_outbound(cut)
    assert isinstance(found, UnknownEvent)
    assert found.reason is UnknownReason.NOT_JSON


@given(OUTBOUND_FRAMES | INBOUND_FRAMES, st.data())
def test_a_frame_with_a_wrong_member_raises_nothing(frame: OutboundFrame | InboundFrame, data: st.DataObject) -> None:
    """Any member may be any JSON."""
    form = json.loads(encode(frame))
    form[data.draw(st.sampled_from(sorted(form)))] = data.draw(ANY_JSON)
    check_any_text(json.dumps(form))


@given(OUTBOUND_FRAMES | INBOUND_FRAMES, st.data())
def test_a_frame_with_a_wrong_character_raises_nothing(
    frame: OutboundFrame | InboundFrame, data: st.DataObject
) -> None:
    """One character replaced, anywhere."""
    text = encode(frame)
    at = data.draw(st.integers(0, len(text) - 1))
    check_any_text(text[:at] + data.draw(st.characters()) + text[at + 1 :])


@given(st.text() | ANY_JSON.map(json.dumps))
def test_any_text_raises_nothing(text: str) -> None:
    """Lone surrogates, control characters, any JSON."""
    check_any_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"type":"message","text":"x","content":' + "[" * 100_000,
        '{"type":"message","text":"x","content":' + "[" * 900 + "]" * 900 + "}",
        '{"type":"message","text":"x","content":[{"contentType":"X","x":' + "[" * 900 + "]" * 900 + "}]}",
        '{"type":"message","text":"x","seq":' + "9" * 10_000 + "}",
        '{"type":"message","text":"x","timestamp":"0001-01-01T00:00:00+23:59"}',
        '{"type":"error","code":"x","retryAfter":1e999}',
        '{"type":"message","text":"\\ud800"}',
        "\ud800",
        "\x00",
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_hostile_texts_raise_nothing(text: str) -> None:
    """Deep, huge, or at the edge of what a type holds."""
    check_any_text(text)


def test_what_is_deep_is_not_passed_on() -> None:
    """The text is kept, the content that nobody could write again is not."""
    deep = '{"type":"message","text":"x","content":[{"contentType":"X","x":' + "[" * 200 + "]" * 200 + "}]}"
    event = to_event(decode_outbound(deep))
    assert event is not None
    assert event_to_json(event) == {"type": "message", "from": "agent", "text": "x"}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("nonsense", UnknownReason.NOT_JSON),
        ("[1]", UnknownReason.NOT_AN_OBJECT),
        ('{"text":"x"}', UnknownReason.NO_TYPE),
        ('{"type":"welcome","mode":"reset","epoch":"e","seq":1}', UnknownReason.UNKNOWN_TYPE),
        ('{"type":"message","text":5}', UnknownReason.MALFORMED),
    ],
)
def test_why_a_guests_frame_is_bad(text: str, reason: UnknownReason) -> None:
    """A provider's frame from a guest is unknown."""
    assert decode_inbound(text) == BadFrame(reason=reason, raw=text)


def test_a_late_bot_message_keeps_its_place() -> None:
    """Guest-session §6.2: messages of everybody."""
    event = to_event(decode_outbound('{"type":"bot-message","text":"x","id":"m","seq":4,"orderKey":"k","late":true}'))
    assert event is not None
    assert event_to_json(event) == {
        "type": "message",
        "from": "bot",
        "text": "x",
        "id": "m",
        "seq": 4,
        "orderKey": "k",
        "late": True,
    }
