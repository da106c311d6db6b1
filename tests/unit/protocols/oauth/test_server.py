"""Provider half of client credentials, joined with the client half."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.secret import Secret
from guestwire.protocols.oauth.client import CredentialsIn, token_request
from guestwire.protocols.oauth.server import OAuthRequestError, TokenRequest, parse_token_request

FORM = "application/x-www-form-urlencoded"
GOOD = b"grant_type=client_credentials&client_id=id&client_secret=s3cr3t&scope=chat%3Aguest%3Acreate"
TEXTS = st.text(st.characters(codec="utf-8"))


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


@given(TEXTS, TEXTS, st.sampled_from(CredentialsIn))
def test_a_request_is_read_as_it_was_built(client_id: str, secret: str, place: CredentialsIn) -> None:
    """Odd characters and all, in both places."""
    request = token_request("https://x/", client_id, Secret(secret), credentials_in=place)
    headers = request.headers
    assert parse_token_request(headers["content-type"], headers.get("authorization"), request.body) == TokenRequest(
        client_id, Secret(secret), frozenset({"chat:guest:create"}), is_basic=place is CredentialsIn.BASIC
    )


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", f" {FORM.upper()} "])
def test_the_content_type_may_have_parameters(content_type: str) -> None:
    """And any case."""
    assert parse_token_request(content_type, None, GOOD).client_id == "id"


def test_without_a_scope_none_is_asked_for() -> None:
    """What that means is the provider's to decide; several are separated by spaces."""
    body = b"grant_type=client_credentials&client_id=id&client_secret=x"
    assert parse_token_request(FORM, None, body).scopes == frozenset()
    assert parse_token_request(FORM, None, body + b"&scope=a+b").scopes == {"a", "b"}


@pytest.mark.parametrize(
    "content_type, authorization, body, error, is_basic",
    [
        ("application/json", None, GOOD, "invalid_request", False),
        ("", None, GOOD, "invalid_request", False),
        (FORM, None, b"", "invalid_request", False),
        (FORM, None, b"nonsense", "invalid_request", False),
        (FORM, None, b"\xff=\xff", "invalid_request", False),
        (FORM, None, GOOD + b"&scope=x", "invalid_request", False),
        (FORM, None, b"&".join(b"a%d=1" % number for number in range(21)), "invalid_request", False),
        (FORM, None, b"client_id=id&client_secret=x", "invalid_request", False),
        (FORM, None, b"grant_type=password", "unsupported_grant_type", False),
        (FORM, None, b"grant_type=client_credentials", "invalid_client", False),
        (FORM, None, b"grant_type=client_credentials&client_id=id", "invalid_client", False),
        (FORM, "Bearer x", GOOD, "invalid_client", True),
        (FORM, "Basic", GOOD, "invalid_client", True),
        (FORM, "Basic !", GOOD, "invalid_client", True),
        (FORM, "Basic é", GOOD, "invalid_client", True),
        (FORM, basic(b"no colon"), GOOD, "invalid_client", True),
        (FORM, basic(b"\xff:\xff"), GOOD, "invalid_client", True),
    ],
)
def test_a_malformed_request_is_refused(
    content_type: str, authorization: str | None, body: bytes, error: str, is_basic: bool
) -> None:
    """With the code of RFC 6749 §5.2: 401 for the client, 400 for the rest."""
    with pytest.raises(OAuthRequestError) as caught:
        parse_token_request(content_type, authorization, body)
    assert caught.value.body.error == error
    assert caught.value.status == (401 if error == "invalid_client" else 400)
    assert caught.value.is_basic is is_basic
    assert caught.value.body.error_description == str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@given(TEXTS, st.none() | TEXTS, st.binary())
def test_any_request_is_read_or_refused(content_type: str, authorization: str | None, body: bytes) -> None:
    """Never another exception."""
    for kind in (content_type, FORM):
        for form in (body, b"grant_type=client_credentials&x=" + body):
            with contextlib.suppress(OAuthRequestError):
                parse_token_request(kind, authorization, form)


def test_no_secret_in_a_repr() -> None:
    """A request may be logged."""
    assert "s3cr3t" not in repr(parse_token_request(FORM, None, GOOD))
