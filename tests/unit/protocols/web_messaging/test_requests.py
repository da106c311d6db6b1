"""The guest's frames: the vectors, and what holds for any text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestwire.model.events import UnknownReason
from guestwire.protocols.web_messaging.requests import (
    BadRequest,
    CloseSession,
    ConfigureAuthenticatedSession,
    ConfigureSession,
    Echo,
    GetJwt,
    GuestMessage,
    OnAttachment,
    OnMessage,
    Request,
    SignedData,
    decode_request,
    encode_request,
)

FRAMES = json.loads((Path(__file__).parents[3] / "frames/web-messaging/frames.json").read_text("utf-8"))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
MAYBE_TEXT = st.none() | TEXTS
COMMON = {"token": MAYBE_TEXT, "tracing_id": MAYBE_TEXT}
GUEST_MESSAGES = st.builds(
    GuestMessage,
    type=MAYBE_TEXT,
    text=MAYBE_TEXT,
    content=st.none() | st.lists(st.fixed_dictionaries({"contentType": TEXTS}), max_size=2),
    metadata=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
)
REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(ConfigureSession, deployment_id=TEXTS, start_new=st.none() | st.booleans(), **COMMON),
    st.builds(ConfigureAuthenticatedSession, deployment_id=TEXTS, data=st.builds(SignedData, code=TEXTS), **COMMON),
    st.builds(OnMessage, message=GUEST_MESSAGES, **COMMON),
    st.builds(Echo, message=st.none() | GUEST_MESSAGES, **COMMON),
    st.builds(OnAttachment, file_name=TEXTS, file_type=TEXTS, file_size=st.none() | st.integers(0, 2**40), **COMMON),
    st.builds(GetJwt, **COMMON),
    st.builds(CloseSession, close_all_connections=st.booleans(), **COMMON),
)


@pytest.mark.parametrize("vector", FRAMES["requests"], ids=lambda vector: vector["name"])
def test_every_request_is_read_and_written_unchanged(vector: dict[str, Any]) -> None:
    """As the clients write them, whichever of the two forms (§3)."""
    request = decode_request(json.dumps(vector["frame"]))
    assert not isinstance(request, BadRequest)
    assert json.loads(encode_request(request)) == vector["frame"]
    assert decode_request(json.dumps(vector["frame"] | {"mood": "good"})) == request


def test_every_action_has_a_vector() -> None:
    """A new one needs its frame there."""
    actions = {str(kind.__struct_config__.tag) for kind in get_args(Request)}
    assert {vector["frame"]["action"] for vector in FRAMES["requests"]} == actions


@pytest.mark.parametrize("vector", FRAMES["bad"], ids=lambda vector: vector["name"])
def test_what_a_server_cannot_read(vector: dict[str, Any]) -> None:
    """It says why, with the tracing id for the answer."""
    bad = decode_request(vector["text"])
    assert bad == BadRequest(
        reason=UnknownReason(vector["reason"]), raw=vector["text"], tracing_id=vector.get("tracingId")
    )


def test_no_token_and_no_words_in_a_repr() -> None:
    """Neither the session's nor the guest's JWT, nor what people write."""
    secret = "s3cr3t"
    shown = repr(
        [
            OnMessage(token=secret, tracing_id="t1", message=GuestMessage(text=secret)),
            ConfigureAuthenticatedSession(token=secret, deployment_id="d", data=SignedData(code=secret)),
            SignedData(code=secret),
        ]
    )
    assert secret not in shown
    assert "t1" in shown


@settings(max_examples=40)
@given(REQUESTS)
def test_what_is_encoded_is_decoded_the_same(request: Request) -> None:
    """Encode, then decode: identity; the action comes first."""
    text = encode_request(request)
    assert text.startswith('{"action":')
    assert decode_request(text) == request


@settings(max_examples=40)
@given(st.text() | REQUESTS.map(encode_request).map(lambda text: text[:-3]))
def test_any_text_is_a_request_or_says_why_not(text: str) -> None:
    """Never an exception."""
    request = decode_request(text)
    if isinstance(request, BadRequest):
        assert request.raw == text
