"""Wire types of the guest-session protocol: every frame, both ways, and how text becomes a frame.

Wire names appear only here. Decoding is strict about the members we know and ignores the others; what can't be
decoded becomes an `UnknownEvent` or a `BadFrame` that says why, and ends nothing.

Source: guest-session §4 [T] and §6 [D].
"""

from __future__ import annotations

from typing import Literal, TypeAlias, assert_never

import msgspec

from guestwire.model.content import parse_content
from guestwire.model.events import (
    ConversationStatus,
    ConversationUpdated,
    Event,
    Fate,
    Message,
    ProviderError,
    Receipt,
    Typing,
    UnknownEvent,
    UnknownReason,
)
from guestwire.model.times import parse_time
from guestwire.model.wire_text import repaired_json, well_formed

__all__ = [
    "MAX_FRAME_BYTES",
    "MAX_TEXT_BYTES",
    "AckFrame",
    "AttachmentLimits",
    "BadFrame",
    "Bot",
    "BotMessageFrame",
    "ClearFrame",
    "ConversationUpdateFrame",
    "EndFrame",
    "ErrorFrame",
    "GuestMessageFrame",
    "GuestTypingFrame",
    "HelloFrame",
    "InboundFrame",
    "Limits",
    "MessageFrame",
    "MoveFrame",
    "OutboundFrame",
    "PingFrame",
    "PongFrame",
    "ReadFrame",
    "ReceiptFrame",
    "SessionFrame",
    "SessionLimits",
    "StartNewFrame",
    "StayFrame",
    "SyncedFrame",
    "TypingFrame",
    "WelcomeFrame",
    "decode_inbound",
    "decode_outbound",
    "encode",
    "to_event",
    "well_formed",
]

MAX_TEXT_BYTES = 4096
"""UTF-8 bytes of a message's text (guest-session §4.2 [D], the limit of Web Messaging)."""

MAX_FRAME_BYTES = 65_536
"""Bytes of a whole frame; larger ones close the socket with 1009 before we see them."""


class _Frame(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag_field="type"):
    """Base of the frames; absent and null mean the same."""


# --- provider to guest: the tutorial's four (§4.1) ---------------------------------------------------------------


class MessageFrame(_Frame, frozen=True, kw_only=True, tag="message"):
    """Chat text; `sender` is missing only from a sloppy provider, and then means the agent."""

    sender: str | None = msgspec.field(name="from", default=None)
    text: str | None = None
    timestamp: str | None = None
    name: str | None = None
    content: object = None
    id: str | None = None
    seq: int | None = None
    client_id: str | None = None
    order_key: str | None = None
    late: bool | None = None
    avatar: str | None = None
    provider_id: str | None = None
    in_reply_to: str | None = None


class ConversationUpdateFrame(_Frame, frozen=True, kw_only=True, tag="conversation-update"):
    """State of the conversation; the members after `agent_name` are §6.4's."""

    status: str | None = None
    agent_name: str | None = None
    agent_avatar: str | None = None
    position: int | None = None
    estimated_wait: float | None = None
    expires_at: str | None = None
    read_only: bool | None = None
    reason: str | None = None
    id: str | None = None
    seq: int | None = None


class TypingFrame(_Frame, frozen=True, kw_only=True, tag="typing"):
    """Somebody is typing; `duration` in milliseconds (§6.4)."""

    sender: str | None = msgspec.field(name="from", default=None)
    duration: int | None = None


class BotMessageFrame(_Frame, frozen=True, kw_only=True, tag="bot-message"):
    """From the virtual agent; `from` and `timestamp` may be missing."""

    text: str | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    timestamp: str | None = None
    name: str | None = None
    content: object = None
    id: str | None = None
    seq: int | None = None
    order_key: str | None = None
    late: bool | None = None
    avatar: str | None = None
    provider_id: str | None = None


# --- provider to guest: ours (§4.2, §6) --------------------------------------------------------------------------


class ErrorFrame(_Frame, frozen=True, kw_only=True, tag="error"):
    """Something was refused; the connection stays."""

    code: str
    text: str | None = None
    retry_after: float | None = None
    client_id: str | None = None


class _Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of what is inside a frame; written in full, for clients that know no defaults."""


class Limits(_Value, frozen=True, kw_only=True):
    """What the gateway allows."""

    max_text_bytes: int = MAX_TEXT_BYTES
    max_frame_bytes: int = MAX_FRAME_BYTES


class WelcomeFrame(_Frame, frozen=True, kw_only=True, tag="welcome"):
    """Answer to `hello`; what the guest lacks follows. The guest has read up to `read`, in some tab."""

    mode: Literal["resume", "reset"]
    epoch: str
    seq: int
    limits: Limits | None = None
    token: str | None = None
    read: int | None = None


class AttachmentLimits(_Value, frozen=True, kw_only=True):
    """What files may be sent: most bytes, media types with wildcards, and extensions that win over them."""

    max_bytes: int
    types: tuple[str, ...]
    blocked_extensions: tuple[str, ...]


class SessionLimits(_Value, frozen=True, kw_only=True):
    """What the provider's session takes; `attachments` only where it takes any and has said which."""

    max_text_bytes: int = MAX_TEXT_BYTES
    attachments: AttachmentLimits | msgspec.UnsetType = msgspec.UNSET


class Bot(_Value, frozen=True, kw_only=True, omit_defaults=True):
    """What the bot is called and looks like."""

    name: str | None = None
    avatar: str | None = None


class SessionFrame(_Frame, frozen=True, kw_only=True, tag="session"):
    """What the provider's session offers now; always the whole of it, never replayed."""

    features: tuple[str, ...]
    limits: SessionLimits
    expires_at: str | None = None
    read_only: bool
    bot: Bot | None = None
    colour: str | None = None


class SyncedFrame(_Frame, frozen=True, kw_only=True, tag="synced"):
    """Everything up to `seq` was sent; from here on it is live."""

    seq: int


class ReceiptFrame(_Frame, frozen=True, kw_only=True, tag="receipt"):
    """Fate of one of the guest's messages; with `delivered`, its place in the provider's order, where that is told."""

    client_id: str
    status: Fate
    id: str | None = None
    seq: int | None = None
    message_seq: int | None = None
    order_key: str | None = None
    retry_after: float | None = None
    code: str | None = None
    text: str | None = None


class PongFrame(_Frame, frozen=True, kw_only=True, tag="pong"):
    """Answer to `ping`; `seq` is the head of the log, `read` as in `welcome`."""

    seq: int
    read: int | None = None


class MoveFrame(_Frame, frozen=True, kw_only=True, tag="move"):
    """Please reconnect in `retry_after` seconds; 4409 follows."""

    retry_after: float | None = None


# --- guest to provider (§4.2, §6) --------------------------------------------------------------------------------


class GuestMessageFrame(_Frame, frozen=True, kw_only=True, tag="message"):
    """What the guest said."""

    text: str | None = None
    content: object = None
    client_id: str | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    in_reply_to: str | None = None


class GuestTypingFrame(_Frame, frozen=True, kw_only=True, tag="typing"):
    """The guest is typing; at most one every 3 s."""


class EndFrame(_Frame, frozen=True, kw_only=True, tag="end"):
    """The guest ends the conversation."""


class HelloFrame(_Frame, frozen=True, kw_only=True, tag="hello"):
    """First frame of a connection that resumes."""

    session_id: str
    token: str
    epoch: str | None = None
    after: int | None = None
    tab: str | None = None


class PingFrame(_Frame, frozen=True, kw_only=True, tag="ping"):
    """Are you there? `seq` is what the client has."""

    seq: int | None = None


class AckFrame(_Frame, frozen=True, kw_only=True, tag="ack"):
    """This tab has seen everything up to `seq`."""

    seq: int


class ReadFrame(_Frame, frozen=True, kw_only=True, tag="read"):
    """The guest has read everything up to `seq`."""

    seq: int


class StartNewFrame(_Frame, frozen=True, kw_only=True, tag="start-new"):
    """Start a new conversation in the same session, after an end."""


class ClearFrame(_Frame, frozen=True, kw_only=True, tag="clear"):
    """Have the provider forget the conversation, for good."""


class StayFrame(_Frame, frozen=True, kw_only=True, tag="stay"):
    """Keep the provider's session from expiring."""


class BadFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's frame that was not understood, and why."""

    reason: UnknownReason
    raw: str


OutboundFrame: TypeAlias = (
    MessageFrame
    | ConversationUpdateFrame
    | TypingFrame
    | BotMessageFrame
    | ErrorFrame
    | WelcomeFrame
    | SessionFrame
    | SyncedFrame
    | ReceiptFrame
    | PongFrame
    | MoveFrame
)

InboundFrame: TypeAlias = (
    GuestMessageFrame
    | GuestTypingFrame
    | EndFrame
    | HelloFrame
    | PingFrame
    | AckFrame
    | ReadFrame
    | StartNewFrame
    | ClearFrame
    | StayFrame
)

_encoder = msgspec.json.Encoder()
_outbound: msgspec.json.Decoder[OutboundFrame] = msgspec.json.Decoder(OutboundFrame)
_inbound: msgspec.json.Decoder[InboundFrame] = msgspec.json.Decoder(InboundFrame)
_any = msgspec.json.Decoder()

_OUTBOUND_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in OutboundFrame.__args__)
_INBOUND_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in InboundFrame.__args__)


def encode(frame: OutboundFrame | InboundFrame) -> str:
    """Encode a frame as one line of JSON, `type` first, defaults left out."""
    return _encoder.encode(frame).decode()


def decode_outbound(text: str) -> OutboundFrame | UnknownEvent:
    """Decode a frame that the provider sent."""
    try:
        frame = _outbound.decode(repaired_json(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return UnknownEvent(reason=_why(text, _OUTBOUND_TYPES), raw=text)
    if isinstance(frame, MessageFrame | BotMessageFrame) and not frame.text and not parse_content(frame.content):
        return UnknownEvent(reason=UnknownReason.MALFORMED, raw=text)
    return frame


def decode_inbound(text: str) -> InboundFrame | BadFrame:
    """Decode a frame that the guest sent."""
    try:
        return _inbound.decode(repaired_json(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return BadFrame(reason=_why(text, _INBOUND_TYPES), raw=text)


def to_event(frame: OutboundFrame | UnknownEvent) -> Event | None:
    """Translate a provider's frame to the event it tells of; None for frames that only steer the connection (§6)."""
    match frame:
        case UnknownEvent():
            return frame
        case MessageFrame() | BotMessageFrame():
            return _message(frame)
        case ConversationUpdateFrame():
            return _conversation_update(frame)
        case TypingFrame():
            return Typing(sender=frame.sender or "agent", duration=frame.duration)
        case ErrorFrame():
            return ProviderError(
                code=frame.code, text=frame.text or "", retry_after=frame.retry_after, client_id=frame.client_id
            )
        case ReceiptFrame():
            return Receipt(
                client_id=frame.client_id,
                status=frame.status,
                id=frame.id,
                seq=frame.seq,
                message_seq=frame.message_seq,
                retry_after=frame.retry_after,
                code=frame.code,
                text=frame.text,
            )
        case WelcomeFrame() | SessionFrame() | SyncedFrame() | PongFrame() | MoveFrame():
            return None
        case _:
            assert_never(frame)


def _message(frame: MessageFrame | BotMessageFrame) -> Message:
    return Message(
        sender=frame.sender or ("bot" if isinstance(frame, BotMessageFrame) else "agent"),
        text=frame.text or "",
        sent_at=parse_time(frame.timestamp),
        name=frame.name,
        content=parse_content(frame.content),
        id=frame.id,
        seq=frame.seq,
        client_id=None if isinstance(frame, BotMessageFrame) else frame.client_id,
        order_key=frame.order_key,
        late=frame.late or False,
        avatar=frame.avatar,
        provider_id=frame.provider_id,
        in_reply_to=None if isinstance(frame, BotMessageFrame) else frame.in_reply_to,
    )


def _conversation_update(frame: ConversationUpdateFrame) -> ConversationUpdated:
    known = frame.status in set(ConversationStatus)
    return ConversationUpdated(
        status=ConversationStatus(frame.status) if frame.status and known else None,
        agent_name=frame.agent_name,
        agent_avatar=frame.agent_avatar,
        position=frame.position,
        estimated_wait=frame.estimated_wait,
        expires_at=parse_time(frame.expires_at),
        read_only=frame.read_only,
        reason=frame.reason,
        id=frame.id,
        seq=frame.seq,
    )


def _why(text: str, known: frozenset[str]) -> UnknownReason:
    """Say why a frame did not decode; only bad frames pay for this second look."""
    try:
        value = _any.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return UnknownReason.NOT_JSON
    if not isinstance(value, dict):
        return UnknownReason.NOT_AN_OBJECT
    kind = value.get("type")
    if not isinstance(kind, str):
        return UnknownReason.NO_TYPE
    return UnknownReason.MALFORMED if kind in known else UnknownReason.UNKNOWN_TYPE
