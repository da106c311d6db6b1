"""Session tokens: real signed JWTs (HS256) that say which session they open and until when.

Source: guest-session §3 [D]; `sub` is the session id, `jti` the one token that the session has now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

__all__ = ["SessionTokens", "TokenClaims"]

ISSUER = "guestwire-emulator"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a genuine token says; `expires_at_s` in seconds since 1970."""

    session_id: str
    token_id: str
    expires_at_s: int


class SessionTokens:
    """Signs and verifies with one key."""

    def __init__(self, key: bytes) -> None:
        """Take the key: 32 bytes that never leave the process."""
        self._key = OctKey.import_key(key)

    def sign(self, session_id: str, token_id: str, *, issued_at: datetime, expires_at: datetime) -> str:
        """Return the token of a session: `A-Z a-z 0-9 - _ .` only."""
        claims = {
            "iss": ISSUER,
            "sub": session_id,
            "jti": token_id,
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode({"alg": _ALGORITHM, "typ": "JWT"}, claims, self._key)

    def verify(self, token: str) -> TokenClaims | None:
        """Return what a token says, or None when it is not one of ours; whether it has expired is not looked at."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError):
            return None
        session_id, token_id, expires_at = claims.get("sub"), claims.get("jti"), claims.get("exp")
        if claims.get("iss") != ISSUER or not isinstance(session_id, str) or not isinstance(token_id, str):
            return None
        return TokenClaims(session_id, token_id, expires_at) if isinstance(expires_at, int) else None
