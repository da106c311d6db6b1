"""What the log keeps about a guest: who it is, what the site tells about it, and what it signed in with."""

from __future__ import annotations

import msgspec

from guestwire.gateway.relay.envelope import Envelope
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import Authorization, GuestDetails

__all__ = [
    "KeptDetails",
    "pack_details",
    "sealed_authorization",
    "unpack_details",
    "unsealed_authorization",
    "with_read_mark",
]


class KeptDetails(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The details as they are kept; `authorization` is sealed, and the guest has read up to `read_seq`."""

    name: str | None = None
    email: str | None = None
    external_contact_id: str | None = None
    attributes: dict[str, str] = {}
    authorization: str | None = None
    read_seq: int = 0

    @property
    def guest(self) -> GuestDetails:
        """Who the guest is."""
        return GuestDetails(name=self.name, email=self.email, external_contact_id=self.external_contact_id)


class _Authorization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: str
    redirect_uri: str
    code_verifier: str | None = None
    nonce: str | None = None
    max_age: int | None = None


def pack_details(
    details: GuestDetails, attributes: dict[str, str] | None = None, authorization: str | None = None
) -> bytes:
    """Return what the log keeps about the guest."""
    return msgspec.json.encode(
        KeptDetails(
            name=details.name,
            email=details.email,
            external_contact_id=details.external_contact_id,
            attributes=attributes or {},
            authorization=authorization,
        )
    )


def unpack_details(packed: bytes) -> KeptDetails:
    """Return what `pack_details` packed."""
    return msgspec.json.decode(packed, type=KeptDetails) if packed else KeptDetails()


def with_read_mark(packed: bytes, read_seq: int) -> bytes:
    """Return the same details with what the guest has read."""
    return msgspec.json.encode(msgspec.structs.replace(unpack_details(packed), read_seq=read_seq))


def sealed_authorization(authorization: Authorization, envelope: Envelope) -> str:
    """Return what a guest signed in with, for `pack_details`."""
    verifier = authorization.code_verifier
    return envelope.close(
        _Authorization(
            code=authorization.code.reveal(),
            redirect_uri=authorization.redirect_uri,
            code_verifier=None if verifier is None else verifier.reveal(),
            nonce=authorization.nonce,
            max_age=authorization.max_age,
        )
    )


def unsealed_authorization(sealed: str, envelope: Envelope) -> Authorization | None:
    """Return what `sealed_authorization` was given; None when the key is lost."""
    inside = envelope.open(sealed, _Authorization)
    if inside is None:
        return None
    return Authorization(
        code=Secret(inside.code),
        redirect_uri=inside.redirect_uri,
        code_verifier=None if inside.code_verifier is None else Secret(inside.code_verifier),
        nonce=inside.nonce,
        max_age=inside.max_age,
    )
