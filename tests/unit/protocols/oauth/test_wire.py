"""Wire types of the token endpoint."""

from __future__ import annotations

import json

import msgspec

from guestwire.protocols.oauth.wire import OAuthErrorBody, OAuthErrorCode, TokenAnswer


def test_a_token_answer_on_the_wire() -> None:
    """The names of RFC 6749 §5.1; what is not known is left out."""
    answer = TokenAnswer(access_token="t", token_type="Bearer", expires_in=60.0, scope="chat:guest:create")
    assert json.loads(msgspec.json.encode(answer)) == {
        "access_token": "t",
        "token_type": "Bearer",
        "expires_in": 60.0,
        "scope": "chat:guest:create",
    }


def test_a_token_answer_has_its_token_type() -> None:
    """RFC 6749 §5.1 requires it, default or not."""
    assert json.loads(msgspec.json.encode(TokenAnswer(access_token="t"))) == {
        "access_token": "t",
        "token_type": "bearer",
    }


def test_a_refusal_on_the_wire() -> None:
    """The names of RFC 6749 §5.2."""
    body = OAuthErrorBody(error=OAuthErrorCode.INVALID_SCOPE, error_description="Unknown scope.")
    assert json.loads(msgspec.json.encode(body)) == {"error": "invalid_scope", "error_description": "Unknown scope."}


def test_no_token_in_a_repr() -> None:
    """Its lifetime may be shown."""
    assert repr(TokenAnswer(access_token="s3cr3t", expires_in=5.0)) == "TokenAnswer(expires_in=5.0, scope=None)"
