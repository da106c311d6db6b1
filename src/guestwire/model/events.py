"""Events: what happened in a chat, the same for every protocol.

The JSON form of an event (`event_to_json`) is also what the browser core decodes frames to, so one set of vectors
(tests/frames) holds both to the same words.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

import msgspec

from guestwire.model.content import ContentItem

__all__ = [
    "AttachmentStatus",
    "AttachmentUpdated",
    "ConnectionStatus",
    "ConversationStatus",
    "ConversationUpdated",
    "Event",
    "Fate",
    "HistoryRead",
    "Message",
    "Presence",
    "ProviderError",
    "Receipt",
    "SessionUpdated",
    "StatusChanged",
    "StatusError",
    "Typing",
    "UnknownEvent",
    "UnknownReason",
    "epoch_ms",
    "event_to_json",
]


class ConversationStatus(StrEnum):
    """State of what guest and agents share."""

    WAITING = "waiting"
    CONNECTED = "connected"
    ENDED = "ended"


class ConnectionStatus(StrEnum):
    """State of our way to the provider (guest-session §4.3, rule 3)."""

    DISCONNECTED = "disconnected"
    AUTHENTICATING = "authenticating"
    CREATING_SESSION = "creating-session"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    FAILED = "failed"


class Fate(StrEnum):
    """What has become of a guest's message.

    `queued` and `sent` are local: not yet written to a socket, and written to the socket of a provider that gives no
    receipts. The others come from a gateway (guest-session §6.3).
    """

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    WAITING = "waiting"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"


class AttachmentStatus(StrEnum):
    """What has become of a file that the guest attached."""

    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    REFRESHED = "refreshed"
    SENT = "sent"
    DELETED = "deleted"
    FAILED = "failed"


class UnknownReason(StrEnum):
    """Why a frame is not an event we know."""

    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    NO_TYPE = "no-type"
    UNKNOWN_TYPE = "unknown-type"
    MALFORMED = "malformed"


class _Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag_field="type"):
    """Base of the events; the tag is the JSON form's `type`."""


class Message(_Event, frozen=True, kw_only=True, tag="message"):
    """Something that a participant said.

    Attributes:
        sender: "agent", "bot", "guest" or whatever the provider wrote.
        text: What is shown where the content can't be drawn; empty when there is content only.
        sent_at: Aware UTC time; None when the provider gave none that can be read.
        name: The sender's name, where known.
        content: Rich content.
        id: The provider's or the gateway's id.
        seq: Position in the gateway's log; None without one.
        client_id: The guest's own id of it.
        order_key: Its place in the provider's order, when that differs from the order of arrival.
        late: Whether it arrived after something newer.
        avatar: URL of the sender's picture.
        in_reply_to: Id of the message that this one answers: its picker, form or chips are done with.
        provider_id: The provider's own id of it, from a gateway, whose `id` is another.
    """

    sender: str = msgspec.field(name="from")
    text: str
    sent_at: datetime | None = None
    name: str | None = None
    content: tuple[ContentItem, ...] = ()
    id: str | None = None
    seq: int | None = None
    client_id: str | None = None
    order_key: str | None = None
    late: bool = False
    avatar: str | None = None
    in_reply_to: str | None = None
    provider_id: str | None = None


class ConversationUpdated(_Event, frozen=True, kw_only=True, tag="conversation-update"):
    """The conversation or its participants changed.

    Attributes:
        status: None when the provider gave none, or one we don't know.
        agent_name: The agent who joined.
        agent_avatar: URL of the agent's picture.
        position: Place in the queue; 1 is next.
        estimated_wait: Seconds.
        expires_at: When the session ends unless something happens.
        read_only: Whether the guest may no longer write.
        reason: Why, e.g. "no-agents"; see guest-session §6.4.
        id: The gateway's id of the record.
        seq: Position in the gateway's log.
    """

    status: ConversationStatus | None = None
    agent_name: str | None = None
    agent_avatar: str | None = None
    position: int | None = None
    estimated_wait: float | None = None
    expires_at: datetime | None = None
    read_only: bool | None = None
    reason: str | None = None
    id: str | None = None
    seq: int | None = None


class Typing(_Event, frozen=True, kw_only=True, tag="typing"):
    """A participant is typing; `duration` is in milliseconds, None means 5,000, 0 that they stopped."""

    sender: str = msgspec.field(name="from")
    duration: int | None = None


class Receipt(_Event, frozen=True, kw_only=True, tag="receipt"):
    """The fate of the guest's message `client_id` changed.

    Attributes:
        client_id: Which message.
        status: Its fate now.
        id: The message's id.
        seq: Position of this receipt in the gateway's log; None for `accepted` and local ones.
        message_seq: Position of the message.
        retry_after: Seconds until it is tried again, with `waiting`.
        code: Why it failed; a key of `errors.ERRORS`.
        text: The same in words.
    """

    client_id: str
    status: Fate
    id: str | None = None
    seq: int | None = None
    message_seq: int | None = None
    retry_after: float | None = None
    code: str | None = None
    text: str | None = None


class ProviderError(_Event, frozen=True, kw_only=True, tag="error"):
    """The other side refused something; the connection stays.

    Attributes:
        code: Kebab-case code; may be one we don't know.
        text: Words for a person; untrusted.
        retry_after: Seconds to wait.
        client_id: The message it is about, where known.
    """

    code: str
    text: str = ""
    retry_after: float | None = None
    client_id: str | None = None


class Presence(_Event, frozen=True, kw_only=True, tag="presence"):
    """A participant came, went or did something that is no message.

    Attributes:
        sender: As in `Message`.
        kind: "join", "clear", "sign-in", or whatever the provider wrote.
        name: Who, with "sign-in".
    """

    sender: str = msgspec.field(name="from")
    kind: str
    name: str | None = None


class SessionUpdated(_Event, frozen=True, kw_only=True, tag="session-update"):
    """The provider took us into a session, or told what holds in it.

    Attributes:
        is_new: Whether it began just now; there is no history then.
        read_only: Whether it takes no messages until a new conversation is started.
        expires_at: When it ends unless something happens.
        duration_s: Seconds of inactivity after which it ends.
        max_attribute_bytes: Most bytes of custom attributes of one message.
        replaced_session: Whether the guest's session on another device was given up for it.
    """

    is_new: bool = False
    read_only: bool = False
    expires_at: datetime | None = None
    duration_s: int | None = None
    max_attribute_bytes: int | None = None
    replaced_session: bool = False


class AttachmentUpdated(_Event, frozen=True, kw_only=True, tag="attachment-update"):
    """The file `attachment_id` of the guest's got on, or did not.

    Attributes:
        attachment_id: Which file.
        status: What has become of it.
        url: Where to download it, with `uploaded` and `refreshed`; good for some minutes.
        code: Why it failed; a key of `errors.ERRORS`.
        text: The same in the provider's words; untrusted.
        sent_bytes: How much of it has left, with `uploading`.
        total_bytes: Of how much.
    """

    attachment_id: str
    status: AttachmentStatus
    url: str | None = None
    sent_bytes: int | None = None
    total_bytes: int | None = None
    code: str | None = None
    text: str | None = None


class HistoryRead(_Event, frozen=True, kw_only=True, tag="history-read"):
    """A page of earlier messages was read; what was new of it came as `Message` events, oldest first.

    Attributes:
        page: Which; 1 is the newest.
        has_more: Whether there are older ones.
    """

    page: int
    has_more: bool


class StatusError(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why a connection failed or is being tried again; the words of `errors.ERRORS`."""

    code: str
    text: str
    hint: str = ""
    retry_after: float | None = None


class StatusChanged(_Event, frozen=True, kw_only=True, tag="status"):
    """Our way to the provider changed its state.

    Attributes:
        status: The state now.
        error: Why, with `failed` and `reconnecting`.
        retry_in: Seconds until the next attempt, with `reconnecting`.
    """

    status: ConnectionStatus
    error: StatusError | None = None
    retry_in: float | None = None


class UnknownEvent(_Event, frozen=True, kw_only=True, tag="unknown"):
    """A frame we could not make sense of, kept as it came; it never ends a connection (guest-session §4.1 [T])."""

    reason: UnknownReason
    raw: str


Event: TypeAlias = (
    Message
    | ConversationUpdated
    | Typing
    | Receipt
    | ProviderError
    | Presence
    | SessionUpdated
    | AttachmentUpdated
    | HistoryRead
    | StatusChanged
    | UnknownEvent
)


def event_to_json(event: Event) -> dict[str, object]:
    """Return the JSON form of an event: camelCase, defaults left out, times as epoch milliseconds."""
    built = msgspec.to_builtins(event, builtin_types=(datetime,))
    for key, value in built.items():
        if isinstance(value, datetime):
            built[key] = epoch_ms(value)
    if isinstance(event, Message) and event.content:
        built["content"] = [item.raw for item in event.content]
    return dict(built)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def epoch_ms(moment: datetime) -> int:
    """Return whole milliseconds since 1970 UTC; in integers, because a float's seconds lose one now and then."""
    return (moment - _EPOCH) // _MS
