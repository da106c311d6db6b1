"""Session creation and the session check: requests built, answers read, on both sides."""

from __future__ import annotations

import contextlib
import json
import traceback

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.errors import (
    ChatError,
    ConnectFailed,
    RateLimited,
    RemoteProtocolError,
    SessionExpired,
    SessionRefused,
)
from guestwire.model.http import HttpAnswer
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.rest import (
    BadSessionRequest,
    GatewayRequest,
    SessionAnswer,
    SessionCheck,
    check_session_request,
    create_session_request,
    parse_check_answer,
    parse_gateway_request,
    parse_session_answer,
    parse_session_request,
)
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession

BASE = "https://api.mypurecloud.com"
SESSION = GuestSession(session_id=SessionId("s/1"), token=Secret("s3cr3t"))
TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=256)
GARBAGE = [b"", b"not json", b"null", b"[]", b"\xff", b"{", b"[" * 5000, b'{"x":' + b"[" * 5000]


def answer(status: int, body: object = None, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, headers, b"" if body is None else msgspec.json.encode(body))


def all_texts_of(error: BaseException) -> str:
    """Return all that a log could show of an error, what it came from included."""
    texts = [*traceback.format_exception(error), repr(error), repr(error.args)]
    seen: BaseException | None = error.__context__
    while seen is not None:
        texts += [str(seen), repr(seen)]
        seen = seen.__context__
    return "\n".join(texts)


def test_the_request_that_creates_a_session() -> None:
    """Guest-session §3 [T]."""
    request = create_session_request(
        BASE, Secret("s3cr3t"), GuestDetails(name="Ada", email="ada@example.com", external_contact_id="x1")
    )
    assert (request.method, request.url) == ("POST", "https://api.mypurecloud.com/api/v2/chat/guestsessions")
    assert request.headers == {"authorization": "Bearer s3cr3t", "content-type": "application/json"}
    assert json.loads(request.body) == {"externalContactId": "x1", "name": "Ada", "email": "ada@example.com"}


def test_without_details_the_body_is_an_empty_object() -> None:
    """All members are optional."""
    assert create_session_request(BASE, Secret("t"), GuestDetails()).body == b"{}"


def test_the_tutorials_answer() -> None:
    """`sessionId`, `token` and perhaps `externalContactId`; any 2xx will do; other members are ignored."""
    body = {"sessionId": "s", "token": "t", "externalContactId": "x", "mood": "good"}
    for status in (200, 201, 204):
        assert parse_session_answer(answer(status, body)) == GuestSession(
            session_id=SessionId("s"), token=Secret("t"), external_contact_id="x"
        )


def test_the_answer_with_our_extensions() -> None:
    """Guest-session §6 [D]."""
    body = {
        "sessionId": "s",
        "token": "t",
        "extensions": ["typing", "end", "hello"],
        "webSocketUrl": "wss://x/ws",
        "expiresIn": 60,
    }
    assert parse_session_answer(answer(200, body)) == GuestSession(
        session_id=SessionId("s"),
        token=Secret("t"),
        socket_base="wss://x/ws",
        expires_in_s=60.0,
        extensions=frozenset({"typing", "end", "hello"}),
    )


@pytest.mark.parametrize(
    "status, body, kind, code",
    [
        (401, {"code": "bad.credentials"}, SessionRefused, "session-refused"),
        (401, {"code": "missing.scope"}, SessionRefused, "scope-missing"),
        (401, None, SessionRefused, "session-refused"),
        (401, {"code": 5}, SessionRefused, "session-refused"),
        (429, None, RateLimited, "rate-limited"),
        (500, None, ConnectFailed, "unreachable"),
        (503, None, ConnectFailed, "unreachable"),
        (301, None, RemoteProtocolError, "redirected"),
        (307, None, RemoteProtocolError, "redirected"),
        (400, None, BadSessionRequest, "bad-request"),
        (403, None, RemoteProtocolError, "bad-answer"),
        (404, None, RemoteProtocolError, "bad-answer"),
        (200, {"sessionId": "s"}, RemoteProtocolError, "bad-answer"),
        (200, {"sessionId": "s", "token": 5}, RemoteProtocolError, "bad-answer"),
        (200, {"sessionId": "", "token": "t"}, RemoteProtocolError, "bad-answer"),
        (200, {"sessionId": "s", "token": ""}, RemoteProtocolError, "bad-answer"),
    ],
)
def test_what_else_session_creation_may_answer(status: int, body: object, kind: type[ChatError], code: str) -> None:
    """Each status has its error and its code."""
    with pytest.raises(kind) as caught:
        parse_session_answer(answer(status, body, **{"retry-after": "7"}))
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.retry_after_s == (7.0 if status in {429, 500, 503} else None)


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:12]))
def test_garbage_instead_of_a_session(body: bytes) -> None:
    """With 200 it is no session, with 401 still a refusal."""
    with pytest.raises(RemoteProtocolError):
        parse_session_answer(HttpAnswer(200, {}, body))
    with pytest.raises(SessionRefused):
        parse_session_answer(HttpAnswer(401, {}, body))


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 429, 500])
@pytest.mark.parametrize(
    "body", [b"s3cr3t", b'{"token":"s3cr3t"}', b'{"sessionId":"s","token":"s3cr3t","expiresIn":"s3cr3t"}']
)
def test_no_token_in_an_error(status: int, body: bytes) -> None:
    """Whatever the body repeats."""

    def parse_check(answer: HttpAnswer) -> SessionCheck:
        return parse_check_answer(answer, SESSION)

    for parse in (parse_session_answer, parse_check):
        shown = ""
        try:
            shown = repr(parse(HttpAnswer(status, {}, body)))
        except ChatError as error:
            shown = all_texts_of(error)
        assert "s3cr3t" not in shown


def test_no_token_in_a_repr() -> None:
    """Neither of the wire type nor of the session nor of the requests."""
    body = SessionAnswer(session_id="s", token="s3cr3t")
    shown = repr([body, SESSION, check_session_request(BASE, SESSION)])
    assert "s3cr3t" not in shown
    assert "session_id='s'" in shown


def test_the_request_that_checks_a_session() -> None:
    """The session token as Bearer, the id escaped [D]."""
    request = check_session_request(BASE, SESSION)
    assert (request.method, request.url) == ("GET", "https://api.mypurecloud.com/api/v2/chat/guestsessions/s%2F1")
    assert request.headers == {"authorization": "Bearer s3cr3t"}
    assert request.body == b""


def test_a_good_session() -> None:
    """200 says so, whatever the body is; what it says of the conversation is passed on."""
    assert parse_check_answer(HttpAnswer(200, {}, b"?"), SESSION) == SessionCheck(session_id=SESSION.session_id)
    body = b'{"sessionId":"other","status":"waiting","expiresIn":60}'
    expected = SessionCheck(session_id=SESSION.session_id, status="waiting", expires_in=60)
    assert parse_check_answer(HttpAnswer(200, {}, body), SESSION) == expected


@pytest.mark.parametrize(
    "url, is_taken",
    [
        ("wss://chat.example/ws", True),
        ("ws://127.0.0.1:8001/ws", True),
        ("ws://chat.example/ws", False),
        ("wss://chat.example/ws?x=1", False),
        ("wss://user@chat.example/ws", False),
        ("https://chat.example/ws", False),
        ("wss://[bad/ws", False),
    ],
)
def test_where_the_session_token_may_go(url: str, is_taken: bool) -> None:
    """Encrypted, or on this machine, and no query of its own: the token is put there."""
    given = answer(200, {"sessionId": "s", "token": "t", "webSocketUrl": url})
    if is_taken:
        assert parse_session_answer(given).socket_base == url
    else:
        with pytest.raises(RemoteProtocolError):
            parse_session_answer(given)


@pytest.mark.parametrize(
    "status, kind",
    [
        (401, SessionExpired),
        (404, SessionExpired),
        (429, RateLimited),
        (502, ConnectFailed),
        (302, RemoteProtocolError),
        (403, RemoteProtocolError),
    ],
)
def test_what_else_the_check_may_answer(status: int, kind: type[ChatError]) -> None:
    """401 means refused; trouble is told apart from it (guest-session §4.3 rule 5)."""
    with pytest.raises(kind) as caught:
        parse_check_answer(answer(status, {"code": "x"}), SESSION)
    assert type(caught.value) is kind


@given(
    st.builds(GuestDetails, name=TEXTS, email=st.none() | st.just("a@b"), external_contact_id=TEXTS),
)
def test_a_session_request_is_read_as_it_was_built(details: GuestDetails) -> None:
    """Client half and server half agree."""
    assert parse_session_request(create_session_request(BASE, Secret("t"), details).body) == details


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"name":null}', b'{"mood":"good"}'])
def test_an_empty_request_is_an_unknown_guest(body: bytes) -> None:
    """All members are optional, unknown ones ignored."""
    assert parse_session_request(body) == GuestDetails()


@pytest.mark.parametrize(
    "body, word",
    [
        (b"not json", "JSON"),
        (b"\xff", "JSON"),
        (b'{"name":"\\ud800"}', "JSON"),
        (b'{"x":' + b"[" * 5000, "JSON"),
        (b"[]", "fit"),
        (b"null", "fit"),
        (b'{"name":5}', "name"),
        (b'{"email":"nobody"}', "email"),
        (b'{"name":"' + b"x" * 257 + b'"}', "name"),
        (b'{"email":"@' + b"x" * 256 + b'"}', "email"),
        (b'{"externalContactId":"' + b"x" * 257 + b'"}', "externalContactId"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_malformed_request_is_refused(body: bytes, word: str) -> None:
    """With 400 and the member's name (guest-session §3)."""
    with pytest.raises(BadSessionRequest) as caught:
        parse_session_request(body)
    assert caught.value.code == "bad-request"
    assert word in caught.value.message


@pytest.mark.parametrize("character", ["x", "é", "👩"])
def test_members_may_have_256_characters(character: str) -> None:
    """Characters, not bytes."""
    body = msgspec.json.encode({"name": character * 256})
    assert parse_session_request(body).name == character * 256


@given(st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Never another exception."""
    with contextlib.suppress(BadSessionRequest):
        parse_session_request(body)
    for status in (200, 401):
        with pytest.raises((RemoteProtocolError, SessionRefused)):
            parse_session_answer(HttpAnswer(status, {}, body))


def test_what_a_gateway_is_asked_for() -> None:
    """Everything beside who the guest is is optional; nothing is nothing."""
    assert parse_gateway_request(b"") == parse_gateway_request(b"{}") == GatewayRequest()
    asked = parse_gateway_request(
        msgspec.json.encode(
            {
                "name": "Ada",
                "customAttributes": {"plan": "gold", "größe": "ä"},
                "identity": "a.b.c",
                "authorization": {
                    "code": "c0de",
                    "redirectUri": "https://x.example/cb",
                    "codeVerifier": "v",
                    "maxAge": 5,
                },
            }
        )
    )
    assert asked.details == GuestDetails(name="Ada")
    assert asked.attributes == {"plan": "gold", "größe": "ä"}
    assert asked.identity is not None
    assert asked.identity.reveal() == "a.b.c"
    assert asked.authorization is not None
    assert (asked.authorization.code.reveal(), asked.authorization.max_age) == ("c0de", 5)
    assert "c0de" not in repr(asked)
    assert "a.b.c" not in repr(asked)


@pytest.mark.parametrize(
    "body, code",
    [
        ({"customAttributes": {"k": "x" * 2048}}, "attributes-too-large"),
        ({"customAttributes": {"k" * 2049: ""}}, "attributes-too-large"),
        ({"customAttributes": {"k": "ü" * 1024}}, "attributes-too-large"),
        ({"customAttributes": {"k": 1}}, "bad-request"),
        ({"customAttributes": ["k"]}, "bad-request"),
        ({"identity": "x" * 8193}, "bad-request"),
        ({"identity": {}}, "bad-request"),
        ({"authorization": {"code": "c"}}, "bad-request"),
        ({"authorization": {"code": "", "redirectUri": "https://x.example"}}, "bad-request"),
        ({"authorization": {"code": "c" * 2049, "redirectUri": "https://x.example"}}, "bad-request"),
        ({"authorization": {"code": "c", "redirectUri": "https://x.example", "maxAge": -1}}, "bad-request"),
        ({"email": "nobody"}, "bad-request"),
    ],
)
def test_what_a_gateway_does_not_take(body: object, code: str) -> None:
    """Too much, and other shapes; the values are not quoted."""
    with pytest.raises(BadSessionRequest) as refused:
        parse_gateway_request(msgspec.json.encode(body))
    assert refused.value.code == code
    assert "ccc" not in refused.value.message


def test_as_many_attributes_as_fit() -> None:
    """2,048 bytes of keys and values."""
    assert parse_gateway_request(b'{"customAttributes":{"k":"%s"}}' % (b"x" * 2047)).attributes == {"k": "x" * 2047}
