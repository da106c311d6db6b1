"""Wire types of the token endpoint (guest-session §2; RFC 6749 §4.4, §5)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["GUEST_SCOPE", "OAuthErrorBody", "OAuthErrorCode", "TokenAnswer"]

GUEST_SCOPE = "chat:guest:create"
"""The scope without which no guest session is created [T]."""


class OAuthErrorCode(StrEnum):
    """Codes of RFC 6749 §5.2 that client credentials can meet."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_SCOPE = "invalid_scope"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNAUTHORIZED_CLIENT = "unauthorized_client"


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A successful answer; `expires_in` is in seconds. The tutorial reads `access_token` only."""

    access_token: str
    # A factory, so that it is written although it is the default: RFC 6749 §5.1 requires it.
    token_type: str = msgspec.field(default_factory=lambda: "bearer")
    expires_in: float | None = None
    scope: str | None = None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"TokenAnswer(expires_in={self.expires_in!r}, scope={self.scope!r})"


class OAuthErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal."""

    error: str
    error_description: str | None = None
