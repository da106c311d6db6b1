"""Client half of client credentials."""

from __future__ import annotations

import base64
import traceback
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.errors import ChatError, ConnectFailed, OAuthRefused, RateLimited, RemoteProtocolError
from guestwire.model.http import HttpAnswer
from guestwire.model.secret import Secret
from guestwire.protocols.oauth.client import (
    DEFAULT_LIFETIME_S,
    AccessToken,
    CredentialsIn,
    parse_token_answer,
    token_request,
)

URL = "https://login.mypurecloud.com/oauth/token"


def test_credentials_in_the_form() -> None:
    """The tutorial's request, member by member (guest-session §2 [T])."""
    request = token_request(URL, "id", Secret("s3cr3t"))
    assert (request.method, request.url) == ("POST", URL)
    assert request.headers == {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    assert dict(parse_qsl(request.body.decode(), strict_parsing=True)) == {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": "s3cr3t",
        "scope": "chat:guest:create",
    }


def test_credentials_as_basic() -> None:
    """The pair is in the header and nowhere else [D]."""
    request = token_request(URL, "id", Secret("s3cr3t"), credentials_in=CredentialsIn.BASIC)
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"id:s3cr3t").decode()
    assert dict(parse_qsl(request.body.decode(), strict_parsing=True)) == {
        "grant_type": "client_credentials",
        "scope": "chat:guest:create",
    }


@pytest.mark.parametrize(
    "client_id, secret, pair",
    [
        ("a:b", "c:d", "a%3Ab:c%3Ad"),
        ("a b", "c+d", "a+b:c%2Bd"),
        ("50%", "é&=", "50%25:%C3%A9%26%3D"),
        ("-._~", "/?", "-._~:%2F%3F"),
    ],
)
def test_basic_is_form_encoded_first(client_id: str, secret: str, pair: str) -> None:
    """RFC 6749 §2.3.1: so that a colon in the id splits nothing."""
    request = token_request(URL, client_id, Secret(secret), credentials_in=CredentialsIn.BASIC)
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == pair


def test_no_secret_in_the_requests_repr() -> None:
    """In neither place."""
    for place in CredentialsIn:
        assert "s3cr3t" not in repr(token_request(URL, "id", Secret("s3cr3t"), credentials_in=place))


@pytest.mark.parametrize(
    "body, token",
    [
        (
            {"access_token": "t", "token_type": "bearer", "expires_in": 60, "scope": "chat:guest:create"},
            AccessToken(Secret("t"), 60.0, "chat:guest:create"),
        ),
        ({"access_token": "t"}, AccessToken(Secret("t"), DEFAULT_LIFETIME_S)),
        ({"access_token": "t", "expires_in": None, "scope": None, "x": 1}, AccessToken(Secret("t"), 3600.0)),
    ],
)
def test_a_token(body: object, token: AccessToken) -> None:
    """The tutorial reads `access_token` only; it lives for an hour unless told."""
    assert parse_token_answer(HttpAnswer(200, {}, msgspec.json.encode(body))) == token


@pytest.mark.parametrize(
    "status, body, kind, code",
    [
        (400, {"error": "invalid_scope"}, OAuthRefused, "scope-missing"),
        (403, {"error": "invalid_scope"}, OAuthRefused, "scope-missing"),
        (400, {"error": "invalid_request"}, OAuthRefused, "oauth-refused"),
        (401, {"error": "invalid_client"}, OAuthRefused, "oauth-refused"),
        (401, {"error": "odd"}, OAuthRefused, "oauth-refused"),
        (401, None, OAuthRefused, "oauth-refused"),
        (403, {"error": 5}, OAuthRefused, "oauth-refused"),
        (429, None, RateLimited, "rate-limited"),
        (500, None, ConnectFailed, "unreachable"),
        (503, {"error": "invalid_client"}, ConnectFailed, "unreachable"),
        (302, None, RemoteProtocolError, "redirected"),
        (404, None, RemoteProtocolError, "bad-answer"),
        (200, None, RemoteProtocolError, "bad-answer"),
        (200, {"token": "x"}, RemoteProtocolError, "bad-answer"),
        (200, {"access_token": ""}, RemoteProtocolError, "bad-answer"),
        (200, {"access_token": 5}, RemoteProtocolError, "bad-answer"),
    ],
)
def test_what_else_the_endpoint_may_answer(status: int, body: object, kind: type[ChatError], code: str) -> None:
    """Each status has its error and its code."""
    headers = {"retry-after": "7"}
    with pytest.raises(kind) as caught:
        parse_token_answer(HttpAnswer(status, headers, b"" if body is None else msgspec.json.encode(body)))
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.retry_after_s == (7.0 if status in {429, 500, 503} else None)


def test_a_known_reason_is_told() -> None:
    """By its code; the endpoint's own words may hold credentials."""
    body = msgspec.json.encode({"error": "invalid_client", "error_description": "s3cr3t is wrong"})
    with pytest.raises(OAuthRefused, match=r"401 \(invalid_client\)") as caught:
        parse_token_answer(HttpAnswer(401, {}, body))
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b"[" * 5000, b'{"x":' + b"[" * 5000], ids=repr)
def test_garbage(body: bytes) -> None:
    """With 200 it is no token, with 401 still a refusal."""
    with pytest.raises(RemoteProtocolError):
        parse_token_answer(HttpAnswer(200, {}, body))
    with pytest.raises(OAuthRefused):
        parse_token_answer(HttpAnswer(401, {}, body))


@given(st.integers(100, 599), st.binary() | st.just(b'{"error":"s3cr3t","access_token":5,"scope":"s3cr3t"}'))
def test_any_answer_is_a_token_or_one_of_our_errors(status: int, body: bytes) -> None:
    """Never another exception, and never the body's words."""
    with pytest.raises(ChatError) as caught:
        parse_token_answer(HttpAnswer(status, {}, body))
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_no_token_in_a_repr() -> None:
    """An access token may be held in something that is logged."""
    assert "s3cr3t" not in repr(AccessToken(Secret("s3cr3t"), 1.0))
