"""What the log keeps of a Web Messaging session and of its guest's sign-in, before it is sealed."""

from __future__ import annotations

import msgspec

from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.rest import AuthorizedGuest
from guestwire.protocols.web_messaging.session import WebSession

__all__ = ["NOBODY", "WebRef", "pack_guest", "unpack_guest", "unpack_ref"]


class WebRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session.

    Attributes:
        token: The guest's.
        deployment_id: Whose it is.
        is_authenticated: Whether its guest signed in.
        starts_new: The conversation in it is over, and the next one is to be begun.
        has_left: The guest ended the conversation in it; the provider has not.
    """

    token: str
    deployment_id: str
    is_authenticated: bool = False
    starts_new: bool = False
    has_left: bool = False

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "WebRef()"

    @classmethod
    def of(cls, session: WebSession, *, starts_new: bool = False) -> WebRef:
        """Return what is kept of a session that goes on."""
        return cls(
            token=session.token.reveal(),
            deployment_id=session.deployment_id,
            is_authenticated=session.is_authenticated,
            starts_new=starts_new,
        )

    @property
    def session(self) -> WebSession:
        """The session itself."""
        return WebSession(Secret(self.token), self.deployment_id, self.is_authenticated)

    def pack(self) -> bytes:
        """Return what `unpack_ref` reads; to be sealed."""
        return msgspec.msgpack.encode(self)


class _Guest(msgspec.Struct, frozen=True, omit_defaults=True):
    jwt: str = ""
    refresh_token: str | None = None


NOBODY = msgspec.msgpack.encode(_Guest())
"""A guest who signed in once, and can't be told from others any more: that guest must sign in again."""


def unpack_ref(packed: bytes) -> WebRef | None:
    """Return what `WebRef.pack` packed; None for nothing, or for something else."""
    try:
        return msgspec.msgpack.decode(packed, type=WebRef)
    except (msgspec.DecodeError, UnicodeError):
        return None


def pack_guest(guest: AuthorizedGuest) -> bytes:
    """Return what `unpack_guest` reads; to be sealed."""
    refresh_token = None if guest.refresh_token is None else guest.refresh_token.reveal()
    return msgspec.msgpack.encode(_Guest(guest.jwt.reveal(), refresh_token))


def unpack_guest(packed: bytes) -> AuthorizedGuest | None:
    """Return what `pack_guest` packed; None for `NOBODY`, for nothing, or for something else."""
    try:
        inside = msgspec.msgpack.decode(packed, type=_Guest)
    except (msgspec.DecodeError, UnicodeError):
        return None
    if not inside.jwt:
        return None
    return AuthorizedGuest(Secret(inside.jwt), None if inside.refresh_token is None else Secret(inside.refresh_token))
