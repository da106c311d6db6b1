"""Session tokens: signed, bound to a session, verified."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from guestwire.emulator.tokens import SessionTokens, TokenClaims

KEY = b"k" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = {"iss": "guestwire-emulator", "sub": "s", "jti": "t", "exp": 1}


def sign(claims: dict[str, object], key: bytes = KEY, alg: str = "HS256") -> str:
    return jwt.encode({"alg": alg}, claims, OctKey.import_key(key), algorithms=[alg])


def test_what_is_signed_is_verified() -> None:
    """A token says its session, its id and when it expires, as a JWT of three parts."""
    token = SessionTokens(KEY).sign("session-1", "token-1", issued_at=NOW, expires_at=NOW + timedelta(hours=1))
    assert SessionTokens(KEY).verify(token) == TokenClaims("session-1", "token-1", int(NOW.timestamp()) + 3600)
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == "session-1"
    assert claims["exp"] - claims["iat"] == 3600


def none_alg() -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, GOOD)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque-access-token",
        "a.b.c",
        "ü.ü.ü",
        none_alg(),
        sign(GOOD, key=b"x" * 32),
        sign(GOOD, key=b"k" * 64, alg="HS512"),
        sign({**GOOD, "iss": "somebody"}),
        sign({**GOOD, "sub": 1}),
        sign({name: value for name, value in GOOD.items() if name != "jti"}),
        sign({**GOOD, "exp": "soon"}),
    ],
)
def test_anything_else_is_none_of_ours(token: str) -> None:
    """Other keys, other algorithms, other claims and other texts are no tokens."""
    assert SessionTokens(KEY).verify(token) is None
    assert SessionTokens(KEY).verify(sign(GOOD)) is not None
