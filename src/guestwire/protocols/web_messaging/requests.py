"""The guest's frames: one type an action, and how text becomes one.

Source: web-messaging §3.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from guestwire.model.events import UnknownReason
from guestwire.model.wire_text import repaired_json
from guestwire.protocols.web_messaging.wire import Channel, EventBody, Number, why_unknown

__all__ = [
    "HEALTH_TRACING_ID",
    "BadRequest",
    "CloseSession",
    "ConfigureAuthenticatedSession",
    "ConfigureSession",
    "DeleteAttachment",
    "DisconnectCustomer",
    "Echo",
    "GetAttachment",
    "GetConfiguration",
    "GetJwt",
    "GuestMessage",
    "OnAttachment",
    "OnMessage",
    "Request",
    "ResumeToken",
    "SignedData",
    "decode_request",
    "encode_request",
]

HEALTH_TRACING_ID = "SGVhbHRoQ2hlY2tNZXNzYWdlSWQ="
"""What the vendor's mobile SDK sends with every health check, and knows the answer by (§3.9)."""


class _Request(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag_field="action"):
    """Base of the actions; the session token is a secret, so the repr leaves it out."""

    token: str | None = None
    tracing_id: str | None = None

    def __repr__(self) -> str:
        """Show nothing but the kind and the tracing id."""
        return f"{type(self).__name__}(tracing_id={self.tracing_id!r})"


class ConfigureSession(_Request, frozen=True, kw_only=True, tag="configureSession"):
    """First frame of a connection (§3.1)."""

    deployment_id: str
    start_new: bool | None = None
    resume_token: str | None = None
    journey_context: object = None


class SignedData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`code` holds the guest's JWT, in spite of its name."""

    code: str

    def __repr__(self) -> str:
        """Leave the JWT out."""
        return "SignedData()"


class ConfigureAuthenticatedSession(_Request, frozen=True, kw_only=True, tag="configureAuthenticatedSession"):
    """The same for a guest who signed in, or does so now (§3.2)."""

    deployment_id: str
    data: SignedData
    start_new: bool | None = None
    journey_context: object = None


class GetConfiguration(_Request, frozen=True, kw_only=True, tag="getConfiguration"):
    """Ask for the rules without joining anything (§3.3)."""

    deployment_id: str


class GuestMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the guest says or does; `type` is missing where only a file is sent (§3.4)."""

    type: str | None = None
    text: str | None = None
    content: object = None
    events: tuple[EventBody, ...] | None = None
    metadata: dict[str, object] | None = None
    channel: Channel | None = None
    id: str | None = None
    status: str | None = None


class OnMessage(_Request, frozen=True, kw_only=True, tag="onMessage"):
    """A message or an event (§3.4 to §3.7); `channel` is the other place of custom attributes."""

    message: GuestMessage
    channel: Channel | None = None
    attachment_ids: tuple[str, ...] | None = None


class Echo(_Request, frozen=True, kw_only=True, tag="echo"):
    """Health check (§3.9)."""

    message: GuestMessage | None = None


class OnAttachment(_Request, frozen=True, kw_only=True, tag="onAttachment"):
    """Ask where to upload a file (§3.10)."""

    file_name: str
    file_type: str
    file_size: Number | None = None
    attachment_id: str | None = None
    file_md5: str | None = None
    errors_as_json: bool | None = None


class GetAttachment(_Request, frozen=True, kw_only=True, tag="getAttachment"):
    """Ask for a new download URL."""

    attachment_id: str


class DeleteAttachment(_Request, frozen=True, kw_only=True, tag="deleteAttachment"):
    """Give up a file that was not sent yet."""

    attachment_id: str


class GetJwt(_Request, frozen=True, kw_only=True, tag="getJwt"):
    """Ask for the key to the history (§3.8)."""


class CloseSession(_Request, frozen=True, kw_only=True, tag="closeSession"):
    """End the conversation, before starting anew (§3.11)."""

    close_all_connections: bool = msgspec.field(default_factory=lambda: True)


class ResumeToken(_Request, frozen=True, kw_only=True, tag="resumeToken"):
    """In the vendor's schema only; nobody sends it."""


class DisconnectCustomer(_Request, frozen=True, kw_only=True, tag="disconnectCustomer"):
    """In the vendor's schema only; nobody sends it."""


class BadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's frame that was not understood, why, and the tracing id for the answer."""

    reason: UnknownReason
    raw: str
    tracing_id: str | None = None


Request: TypeAlias = (
    ConfigureSession
    | ConfigureAuthenticatedSession
    | GetConfiguration
    | OnMessage
    | Echo
    | OnAttachment
    | GetAttachment
    | DeleteAttachment
    | GetJwt
    | CloseSession
    | ResumeToken
    | DisconnectCustomer
)

_encoder = msgspec.json.Encoder()
_request: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


class _Traced(msgspec.Struct, frozen=True, rename="camel"):
    tracing_id: str | None = None


_traced = msgspec.json.Decoder(_Traced)

_ACTIONS = frozenset(str(kind.__struct_config__.tag) for kind in Request.__args__)


def encode_request(request: Request) -> str:
    """Encode a frame as one line of JSON, `action` first, defaults left out."""
    return _encoder.encode(request).decode()


def decode_request(text: str) -> Request | BadRequest:
    """Decode a frame that the guest sent."""
    try:
        return _request.decode(repaired_json(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return BadRequest(reason=why_unknown(text, "action", _ACTIONS), raw=text, tracing_id=_tracing_id(text))


def _tracing_id(text: str) -> str | None:
    try:
        return _traced.decode(repaired_json(text)).tracing_id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
