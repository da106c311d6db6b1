"""The provider's frames: the vectors, the names on the wire, and what holds for any text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestwire.model.events import UnknownEvent, UnknownReason, event_to_json
from guestwire.protocols.web_messaging.translate import to_events
from guestwire.protocols.web_messaging.wire import (
    CLASSES,
    Channel,
    ErrorBody,
    ErrorText,
    EventBody,
    LogoutEvent,
    MessageBody,
    OutboundBody,
    OutboundFrame,
    Participant,
    PresenceBody,
    PresignedUrlResponse,
    SessionResponse,
    TooManyRequests,
    TypingBody,
    UploadFailureEvent,
    decode_outbound,
    encode_outbound,
    metadata_text,
)

FRAMES = json.loads((Path(__file__).parents[3] / "frames/web-messaging/frames.json").read_text("utf-8"))
CLASS_FRAMES: list[dict[str, Any]] = [vector["frame"] for vector in FRAMES["classes"]]

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
MAYBE_TEXT = st.none() | TEXTS
MAYBE_INT = st.none() | st.integers(0, 2**53)
MAYBE_BOOL = st.none() | st.booleans()
METADATA = st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3)
EVENTS = st.builds(
    EventBody,
    event_type=TEXTS,
    presence=st.none() | st.builds(PresenceBody, type=TEXTS),
    typing=st.none() | st.builds(TypingBody, type=TEXTS, duration=MAYBE_INT, duration_ms=MAYBE_INT),
    video=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
)
CHANNELS = st.builds(
    Channel,
    time=MAYBE_TEXT,
    message_id=MAYBE_TEXT,
    sender=st.none() | st.builds(Participant, nickname=MAYBE_TEXT, image=MAYBE_TEXT, first_name=MAYBE_TEXT),
)
MESSAGES = st.builds(
    MessageBody,
    id=MAYBE_TEXT,
    type=MAYBE_TEXT,
    direction=MAYBE_TEXT,
    text=MAYBE_TEXT,
    content=st.none() | st.lists(st.fixed_dictionaries({"contentType": TEXTS}), max_size=2),
    events=st.none() | st.lists(EVENTS, max_size=2).map(tuple),
    channel=st.none() | CHANNELS,
    metadata=METADATA,
    originating_entity=MAYBE_TEXT,
)
BODIES: st.SearchStrategy[OutboundBody] = st.one_of(
    MESSAGES,
    st.builds(
        SessionResponse,
        connected=st.booleans(),
        new_session=MAYBE_BOOL,
        read_only=MAYBE_BOOL,
        max_custom_data_bytes=MAYBE_INT,
        duration_seconds=MAYBE_INT,
    ),
    st.builds(
        PresignedUrlResponse,
        attachment_id=TEXTS,
        url=TEXTS,
        headers=st.dictionaries(TEXTS, TEXTS, max_size=2),
        file_size=MAYBE_INT,
    ),
    st.builds(UploadFailureEvent, attachment_id=TEXTS, error_code=MAYBE_INT, error_message=MAYBE_TEXT),
    st.builds(TooManyRequests, retry_after=MAYBE_INT, error_code=MAYBE_INT),
    st.builds(ErrorText, text=TEXTS),
)
OUTBOUND = st.builds(OutboundFrame, body=BODIES, kind=TEXTS, code=st.integers(-1, 9999), tracing_id=MAYBE_TEXT)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("vector", FRAMES["messages"], ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    """The frame decodes to the events of the vector."""
    frame = decode_outbound(vector["text"])
    if isinstance(frame, UnknownEvent):
        seen = [event_to_json(frame)]
    else:
        assert isinstance(frame.body, MessageBody)
        seen = [event_to_json(event) for event in to_events(frame.body, tracing_id=frame.tracing_id)]
    assert seen == vector["events"]


@pytest.mark.parametrize("vector", FRAMES["classes"], ids=lambda vector: vector["name"])
def test_every_class_is_read_and_written_unchanged(vector: dict[str, Any]) -> None:
    """Down to the members; also under the name that only some pages have."""
    frame = decode_outbound(json.dumps(vector["frame"]))
    assert isinstance(frame, OutboundFrame)
    assert json.loads(encode_outbound(frame)) == vector["frame"]
    assert encode_outbound(frame).startswith('{"type":')


def test_every_class_has_a_vector() -> None:
    """And every body a class (§4.2)."""
    assert {frame["class"] for frame in CLASS_FRAMES} == set(CLASSES)
    assert set(CLASSES.values()) == set(get_args(OutboundBody))


def test_errors_have_another_name_in_some_pages() -> None:
    """`ErrorMessage` is `Error` (§8 row 4)."""
    frame = decode_outbound('{"type":"response","class":"ErrorMessage","code":400,"body":{"message":"no"}}')
    assert isinstance(frame, OutboundFrame)
    assert frame.body == ErrorBody(message="no")


def test_a_sloppy_envelope_is_completed() -> None:
    """Only the class is needed; numbers may have a decimal point."""
    frame = decode_outbound('{"class":"SessionResponse","code":200.0,"body":{"connected":true,"durationSeconds":5.0}}')
    assert isinstance(frame, OutboundFrame)
    assert (frame.kind, frame.code, frame.tracing_id) == ("message", 200, None)
    assert decode_outbound('{"class":"LogoutEvent"}') == OutboundFrame(body=LogoutEvent())


@pytest.mark.parametrize("frame", CLASS_FRAMES, ids=lambda frame: frame["class"])
def test_unknown_members_are_ignored_and_null_is_absent(frame: dict[str, Any]) -> None:
    """Everywhere in the body."""
    if not isinstance(frame["body"], dict):
        return
    expected = decode_outbound(json.dumps(frame))
    assert decode_outbound(json.dumps(frame | {"body": frame["body"] | {"mood": "good"}, "mood": 1})) == expected
    for member in frame["body"]:
        with_null = decode_outbound(json.dumps(frame | {"body": frame["body"] | {member: None}}))
        rest = {name: value for name, value in frame["body"].items() if name != member}
        without = decode_outbound(json.dumps(frame | {"body": rest}))
        if isinstance(without, UnknownEvent) or (frame["class"], member) == ("PresignedUrlResponse", "headers"):
            assert isinstance(with_null, UnknownEvent)
        else:
            assert with_null == without


def test_what_must_be_written_though_empty() -> None:
    """Clients tell a download from an upload by empty headers (§3.10)."""
    text = encode_outbound(OutboundFrame(body=PresignedUrlResponse(attachment_id="a", url="u")))
    assert json.loads(text)["body"]["headers"] == {}


def test_metadata_holds_strings() -> None:
    """Other values are none (§4.4)."""
    assert metadata_text({"a": "x", "b": 5}, "a") == "x"
    assert metadata_text({"a": "x", "b": 5}, "b") is None
    assert metadata_text(None, "a") is None


def test_no_key_in_a_repr() -> None:
    """It opens the history."""
    assert "s3cr3t" not in repr(decode_outbound('{"class":"JwtResponse","body":{"jwt":"s3cr3t","exp":5}}'))


@settings(max_examples=40)
@given(OUTBOUND)
def test_what_is_encoded_is_decoded_the_same(frame: OutboundFrame) -> None:
    """Encode, then decode: identity."""
    text = encode_outbound(frame)
    assert set(json.loads(text)) >= {"type", "class", "code", "body"}
    assert decode_outbound(text) == frame


@settings(max_examples=40)
@given(st.text() | ANY_JSON.map(json.dumps) | OUTBOUND.map(encode_outbound).flatmap(lambda text: st.just(text[:-2])))
def test_any_text_is_a_frame_or_says_why_not(text: str) -> None:
    """Never an exception; also of frames that are cut off."""
    frame = decode_outbound(text)
    if isinstance(frame, UnknownEvent):
        assert frame.raw == text
    elif isinstance(frame.body, MessageBody):
        for event in to_events(frame.body):
            event_to_json(event)


@settings(max_examples=40)
@given(st.sampled_from(sorted(CLASSES)), ANY_JSON)
def test_any_body_is_decoded_or_malformed(name: str, body: object) -> None:
    """Whatever stands where the body belongs."""
    frame = decode_outbound(json.dumps({"type": "message", "class": name, "code": 200, "body": body}))
    if isinstance(frame, UnknownEvent):
        assert frame.reason in {UnknownReason.MALFORMED, UnknownReason.NOT_JSON}
    else:
        msgspec.json.encode(encode_outbound(frame))
