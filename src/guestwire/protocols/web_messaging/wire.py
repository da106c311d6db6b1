"""Wire types of Web Messaging that both directions share, and every class of frame the provider sends.

Wire names appear only here, in `requests` (the guest's frames) and in `deployment` and `rest` (bodies over HTTP).
Decoding is strict about the members we know and ignores the others; what can't be decoded becomes an `UnknownEvent`
that says why, and ends nothing.

Source: web-messaging §4; §3 for what the guest's frames share with it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from guestwire.model.events import UnknownEvent, UnknownReason
from guestwire.model.wire_text import repaired_json

__all__ = [
    "CLASSES",
    "MAX_TEXT_BYTES",
    "AllowedMedia",
    "AttachmentDeletedResponse",
    "Channel",
    "ChannelMetadata",
    "ConnectionClosedEvent",
    "Direction",
    "ErrorBody",
    "ErrorText",
    "EventBody",
    "FileType",
    "GenerateUrlError",
    "GetConfigurationResponse",
    "InboundMedia",
    "JwtResponse",
    "LogoutEvent",
    "MessageBody",
    "MessageKind",
    "Number",
    "OutboundBody",
    "OutboundFrame",
    "Participant",
    "PresenceBody",
    "PresignedUrlResponse",
    "ResumeTokenResponse",
    "SessionClearedEvent",
    "SessionExpiredEvent",
    "SessionResponse",
    "TooManyRequests",
    "TypingBody",
    "UploadFailureEvent",
    "UploadSuccessEvent",
    "decode_outbound",
    "encode_outbound",
    "metadata_text",
    "why_unknown",
]

MAX_TEXT_BYTES = 4096
"""UTF-8 bytes of a guest's text (web-messaging §5)."""

Number: TypeAlias = int | float
"""A number that a careless peer may write with a decimal point; ours never do (§7.2 rule 8)."""


class Direction(StrEnum):
    """Seen from the platform: inbound is guest to provider."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


class MessageKind(StrEnum):
    """`type` of a message; others survive as text."""

    TEXT = "Text"
    STRUCTURED = "Structured"
    EVENT = "Event"
    RECEIPT = "Receipt"


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all wire values; absent and null mean the same, and defaults are left out."""


# --- messages, both ways and in the history (§4.4) ---------------------------------------------------------------


class ChannelMetadata(Body, frozen=True, kw_only=True):
    """Custom attributes, in either of their two places (§3.4)."""

    custom_attributes: dict[str, str] | None = None


class Participant(Body, frozen=True, kw_only=True):
    """Who speaks: the nickname is shown, the image is the avatar; first and last name come with `SignIn`."""

    nickname: str | None = None
    image: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class Channel(Body, frozen=True, kw_only=True):
    """When, by whom and under which second id."""

    time: str | None = None
    message_id: str | None = None
    type: str | None = None
    sender: Participant | None = msgspec.field(name="from", default=None)
    to: Participant | None = None
    metadata: ChannelMetadata | None = None


class TypingBody(Body, frozen=True, kw_only=True):
    """`On`, for `duration` milliseconds; some write `durationMs` (§8 row 11)."""

    type: str = msgspec.field(default_factory=lambda: "On")
    duration: Number | None = None
    duration_ms: Number | None = None


class PresenceBody(Body, frozen=True, kw_only=True):
    """`Join`, `Disconnect`, `Clear`, `SignIn` and whatever comes."""

    type: str


class EventBody(Body, frozen=True, kw_only=True):
    """One event of a message; offers of video and co-browsing are kept as they came (§3.12)."""

    event_type: str
    presence: PresenceBody | None = None
    typing: TypingBody | None = None
    co_browse: object = None
    video: object = None
    reactions: object = None


class MessageBody(Body, frozen=True, kw_only=True):
    """A message as it travels: the wide form (§4.4), also of an inbound echo, an `echo` answer and the history."""

    id: str | None = None
    type: str | None = None
    direction: str | None = None
    text: str | None = None
    content: object = None
    events: tuple[EventBody, ...] | None = None
    channel: Channel | None = None
    metadata: dict[str, object] | None = None
    originating_entity: str | None = None
    originating_message_id: str | None = None
    status: str | None = None
    reasons: object = None


# --- answers and pushed events (§2.2, §4.3) ----------------------------------------------------------------------


class FileType(Body, frozen=True, kw_only=True):
    """A media type, perhaps with a wildcard."""

    type: str


class InboundMedia(Body, frozen=True, kw_only=True):
    """What a guest may upload."""

    file_types: tuple[FileType, ...] | None = None
    max_file_size_kb: Number | None = msgspec.field(name="maxFileSizeKB", default=None)


class AllowedMedia(Body, frozen=True, kw_only=True):
    """What may be uploaded, by direction."""

    inbound: InboundMedia | None = None


class SessionResponse(Body, frozen=True, kw_only=True):
    """Answer to `configureSession`, `configureAuthenticatedSession` and `closeSession`."""

    connected: bool
    new_session: bool | None = None
    read_only: bool | None = None
    cleared_existing_session: bool | None = None
    max_custom_data_bytes: Number | None = None
    allowed_media: AllowedMedia | None = None
    blocked_extensions: tuple[str, ...] | None = None
    duration_seconds: Number | None = None
    expiration_date: Number | None = None
    auto_started: bool | None = None
    tracing_id: str | None = None


class GetConfigurationResponse(Body, frozen=True, kw_only=True):
    """Answer to `getConfiguration`: rules without a session."""

    allowed_media: AllowedMedia | None = None
    blocked_extensions: tuple[str, ...] | None = None
    max_custom_data_bytes: Number | None = None
    message_routing_enabled: bool | None = None
    session_duration_seconds: Number | None = None


class JwtResponse(Body, frozen=True, kw_only=True):
    """The key to the history; `exp` in Unix seconds."""

    jwt: str
    exp: Number | None = None

    def __repr__(self) -> str:
        """Leave the JWT out."""
        return f"JwtResponse(exp={self.exp!r})"


class PresignedUrlResponse(Body, frozen=True, kw_only=True):
    """Where to upload; with empty headers and a size, where to download again (§3.10)."""

    attachment_id: str
    url: str
    # A factory of its own, so that it is written although it is empty: that is how clients know a download.
    headers: dict[str, str] = msgspec.field(default_factory=lambda: {})  # noqa: PIE807 - an empty `dict` would be left out
    file_name: str | None = None
    file_size: Number | None = None
    file_type: str | None = None


class UploadSuccessEvent(Body, frozen=True, kw_only=True):
    """The provider has the file and took it."""

    attachment_id: str
    download_url: str | None = None
    timestamp: str | None = None


class UploadFailureEvent(Body, frozen=True, kw_only=True):
    """The provider refused the file."""

    attachment_id: str
    error_code: Number | None = None
    error_message: str | None = None
    timestamp: str | None = None


class AttachmentDeletedResponse(Body, frozen=True, kw_only=True):
    """The file is gone."""

    attachment_id: str


class GenerateUrlError(Body, frozen=True, kw_only=True):
    """Refusal of `onAttachment` or `getAttachment`."""

    attachment_id: str | None = None
    error_code: Number | None = None
    error_message: str | None = None
    name: str | None = None
    message: str | None = None


class ConnectionClosedEvent(Body, frozen=True, kw_only=True):
    """This connection is over; the reason has two names (§8 row 1)."""

    reason: str | None = None
    reason_code: str | None = None


class SessionExpiredEvent(Body, frozen=True, kw_only=True):
    """The session is over."""


class SessionClearedEvent(Body, frozen=True, kw_only=True):
    """Everything under the token is forgotten; `ConnectionClosedEvent` follows."""


class LogoutEvent(Body, frozen=True, kw_only=True):
    """The authenticated guest was signed out everywhere."""


class TooManyRequests(Body, frozen=True, kw_only=True):
    """Slow down; `retry_after` in seconds."""

    retry_after: Number | None = None
    error_code: Number | None = None
    error_message: str | None = None
    name: str | None = None
    message: str | None = None


class ResumeTokenResponse(Body, frozen=True, kw_only=True):
    """In the vendor's schema only."""

    resume_token: str | None = None
    exp: Number | None = None


class ErrorBody(Body, frozen=True, kw_only=True):
    """A general error as an object: the vendor's schema has it, no client was seen to read it."""

    error_code: Number | None = None
    error_message: str | None = None
    name: str | None = None
    message: str | None = None


class ErrorText(msgspec.Struct, frozen=True, kw_only=True):
    """A general error as the provider writes it: class `string`, the body is the text itself."""

    text: str


OutboundBody: TypeAlias = (
    MessageBody
    | SessionResponse
    | GetConfigurationResponse
    | JwtResponse
    | PresignedUrlResponse
    | UploadSuccessEvent
    | UploadFailureEvent
    | AttachmentDeletedResponse
    | GenerateUrlError
    | ConnectionClosedEvent
    | SessionExpiredEvent
    | SessionClearedEvent
    | LogoutEvent
    | TooManyRequests
    | ResumeTokenResponse
    | ErrorBody
    | ErrorText
)

CLASSES: dict[str, type[OutboundBody]] = {
    "StructuredMessage": MessageBody,
    "SessionResponse": SessionResponse,
    "GetConfigurationResponse": GetConfigurationResponse,
    "JwtResponse": JwtResponse,
    "PresignedUrlResponse": PresignedUrlResponse,
    "UploadSuccessEvent": UploadSuccessEvent,
    "UploadFailureEvent": UploadFailureEvent,
    "AttachmentDeletedResponse": AttachmentDeletedResponse,
    "GenerateUrlError": GenerateUrlError,
    "ConnectionClosedEvent": ConnectionClosedEvent,
    "SessionExpiredEvent": SessionExpiredEvent,
    "SessionClearedEvent": SessionClearedEvent,
    "LogoutEvent": LogoutEvent,
    "TooManyRequestsErrorMessage": TooManyRequests,
    "ResumeTokenResponse": ResumeTokenResponse,
    "Error": ErrorBody,
    "string": ErrorText,
}
"""`class` → type of the body (§4.2)."""

_ALIASES: dict[str, type[OutboundBody]] = {"ErrorMessage": ErrorBody}
"""Other names of the same bodies, which we read and never write (§8 row 4)."""

_CLASS_OF = {kind: name for name, kind in CLASSES.items()}


class OutboundFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of the provider's.

    Attributes:
        body: What it says; its type stands for the wire's `class`.
        kind: "response" to a request on this connection, "message" for conversation messages and pushed events.
        code: 200, or an error's.
        tracing_id: Of the request that caused it.
    """

    body: OutboundBody
    kind: str = "message"
    code: int = 200
    tracing_id: str | None = None


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    # Factories, so that they are written although they are the defaults: every client wants all four (§7.2 rule 2).
    type: str = msgspec.field(default_factory=lambda: "message")
    class_name: str = msgspec.field(name="class")
    code: Number = msgspec.field(default_factory=lambda: 200)
    body: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    tracing_id: str | None = None


_encoder = msgspec.json.Encoder()
_envelope = msgspec.json.Decoder(_Envelope)
_any = msgspec.json.Decoder()
_text = msgspec.json.Decoder(str)
_bodies = {name: msgspec.json.Decoder(kind) for name, kind in {**CLASSES, **_ALIASES}.items() if kind is not ErrorText}


def encode_outbound(frame: OutboundFrame) -> str:
    """Encode a frame as one line of JSON: type, class, code, body, then the tracing id where there is one."""
    body = frame.body.text if isinstance(frame.body, ErrorText) else frame.body
    envelope = _Envelope(
        type=frame.kind,
        class_name=_CLASS_OF[type(frame.body)],
        code=frame.code,
        body=msgspec.Raw(_encoder.encode(body)),
        tracing_id=frame.tracing_id,
    )
    return _encoder.encode(envelope).decode()


def decode_outbound(text: str) -> OutboundFrame | UnknownEvent:
    """Decode a frame that the provider sent; an unknown class is a normal case."""
    try:
        envelope = _envelope.decode(repaired_json(text))
        body = _decode_body(envelope)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return UnknownEvent(reason=why_unknown(text, "class", frozenset({*CLASSES, *_ALIASES})), raw=text)
    if body is None:
        return UnknownEvent(reason=UnknownReason.UNKNOWN_TYPE, raw=text)
    return OutboundFrame(kind=envelope.type, code=int(envelope.code), body=body, tracing_id=envelope.tracing_id)


def metadata_text(metadata: dict[str, object] | None, key: str) -> str | None:
    """Return a member of a message's `metadata`, whose values are strings; None when it is absent or no string."""
    value = (metadata or {}).get(key)
    return value if isinstance(value, str) else None


def why_unknown(text: str, tag: str, known: frozenset[str]) -> UnknownReason:
    """Say why a frame did not decode; only bad frames pay for this second look."""
    try:
        value = _any.decode(repaired_json(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return UnknownReason.NOT_JSON
    if not isinstance(value, dict):
        return UnknownReason.NOT_AN_OBJECT
    kind = value.get(tag)
    if not isinstance(kind, str):
        return UnknownReason.NO_TYPE
    return UnknownReason.MALFORMED if kind in known else UnknownReason.UNKNOWN_TYPE


def _decode_body(envelope: _Envelope) -> OutboundBody | None:
    if envelope.class_name == "string":
        return ErrorText(text=_text.decode(envelope.body))
    decoder = _bodies.get(envelope.class_name)
    return None if decoder is None else decoder.decode(envelope.body)
