"""The guest session as its creation answers it, and the address of its socket (guest-session §3, §4)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret

__all__ = ["Authorization", "GuestDetails", "GuestSession", "socket_url"]


@dataclass(frozen=True, slots=True)
class GuestDetails:
    """Who the guest is; every member is optional and at most 256 characters."""

    name: str | None = None
    email: str | None = None
    external_contact_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a guest brings from the site's sign-in (OAuth code flow), to be exchanged by the provider."""

    code: Secret
    redirect_uri: str
    code_verifier: Secret | None = None
    nonce: str | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class GuestSession:
    """A session at a provider.

    Attributes:
        session_id: The provider's id of it.
        token: The session token; authorises the WebSocket only and is not the OAuth access token [T].
        external_contact_id: As the provider returned it.
        socket_base: Where to connect, without a query; None means the address of the settings.
        expires_in_s: Seconds until the token expires, from its creation; None when not told.
        extensions: What the provider understands beyond the tutorial's frames, e.g. "typing", "end" [D].
    """

    session_id: SessionId
    token: Secret
    external_contact_id: str | None = None
    socket_base: str | None = None
    expires_in_s: float | None = None
    extensions: frozenset[str] = frozenset()


def socket_url(session: GuestSession, base: str) -> str:
    """Return the URL to open: exactly `sessionId` and `token`, in this order [T], both escaped [D].

    The result holds the session token: never log it.
    """
    token = quote(session.token.reveal(), safe="")
    return f"{base}?sessionId={quote(session.session_id, safe='')}&token={token}"
