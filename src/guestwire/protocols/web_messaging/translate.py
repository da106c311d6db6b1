"""From wire messages to the events of the model: what a body says, without knowing what came before it.

Source: web-messaging §4.4 to §4.6, §3.7.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from guestwire.model.content import ButtonResponse, ContentItem, Form, parse_content, quick_reply
from guestwire.model.events import (
    ConversationStatus,
    ConversationUpdated,
    Event,
    Message,
    Presence,
    Typing,
    UnknownEvent,
    UnknownReason,
)
from guestwire.model.times import parse_time
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.wire import (
    Direction,
    EventBody,
    MessageBody,
    MessageKind,
    Number,
    metadata_text,
)

__all__ = ["from_unix", "guest_id", "message_id", "message_keys", "to_events"]

_encoder = msgspec.json.Encoder()

_PRESENCES = {"Join": "join", "Clear": "clear", "SignIn": "sign-in"}

LAST_YEAR_S = 253_402_300_799
"""The last second that a `datetime` can hold."""


def to_events(body: MessageBody, *, tracing_id: str | None = None, deployment: Deployment | None = None) -> list[Event]:
    """Translate a message of the socket or the history.

    Args:
        body: The message.
        tracing_id: Of its envelope; for an inbound echo it is the guest's own id of the message.
        deployment: Names the bot, where it has no name of its own.
    """
    if body.type == MessageKind.EVENT:
        if not body.events:
            return [_unknown(body, UnknownReason.MALFORMED)]
        return [event for one in body.events if (event := _event(body, one)) is not None]
    if body.type == MessageKind.RECEIPT:
        return [_unknown(body, UnknownReason.UNKNOWN_TYPE)]
    content = _content(body)
    text = body.text or (_choice_words(content) if _is_inbound(body) else "")
    if not text and not content:
        return [_unknown(body, UnknownReason.MALFORMED)]
    return [_message(body, text, content, tracing_id, deployment)]


def message_id(body: MessageBody) -> str | None:
    """Return the id of a message: the body's own, which is the same on the socket and in the history [D].

    The channel's `messageId` is a second id, which only some messages have; pickers are answered by either.
    """
    return body.id or (body.channel.message_id if body.channel else None)


def message_keys(body: MessageBody) -> frozenset[str]:
    """Return all ids that a message goes by; two bodies with one in common are the same message (§8 row 23)."""
    second = body.channel.message_id if body.channel else None
    return frozenset(key for key in (body.id, second) if key)


def guest_id(body: MessageBody) -> str | None:
    """Return the guest's own id of an inbound message, where it was put into the metadata."""
    return metadata_text(body.metadata, "id") or metadata_text(body.metadata, "customMessageId")


def from_unix(seconds: Number | None) -> datetime | None:
    """Return the moment of Unix seconds; None for none, and for what no calendar has."""
    if seconds is None or not 0 <= seconds <= LAST_YEAR_S:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _message(
    body: MessageBody,
    text: str,
    content: tuple[ContentItem, ...],
    tracing_id: str | None,
    deployment: Deployment | None,
) -> Message:
    sender, who = _sender(body), body.channel.sender if body.channel else None
    name, avatar = (who.nickname or None, who.image or None) if who else (None, None)
    if sender == "bot" and deployment is not None:
        name, avatar = name or deployment.bot_name, avatar or deployment.bot_avatar
    is_guest = sender == "guest"
    return Message(
        sender=sender,
        text=text,
        sent_at=parse_time(body.channel.time) if body.channel else None,
        name=None if is_guest else name,
        avatar=None if is_guest else avatar,
        content=content,
        id=message_id(body),
        client_id=(tracing_id or guest_id(body)) if is_guest else None,
        in_reply_to=_in_reply_to(body, content),
    )


def _event(body: MessageBody, event: EventBody) -> Event | None:
    sender = _sender(body)
    if event.typing is not None:
        # The provider ignores what guests type elsewhere; so do its own clients.
        return None if sender == "guest" else Typing(sender=sender, duration=_typing_ms(event))
    if event.presence is None:
        return _unknown(body, UnknownReason.UNKNOWN_TYPE)
    if event.presence.type == "Disconnect":
        read_only = metadata_text(body.metadata, "readOnly") == "true"
        return ConversationUpdated(status=ConversationStatus.ENDED, read_only=read_only, id=message_id(body))
    who = body.channel.sender if body.channel else None
    name = " ".join(part for part in (who.first_name, who.last_name) if part) if who else ""
    kind = event.presence.type
    return Presence(sender=sender, kind=_PRESENCES.get(kind, kind), name=name or None)


def _typing_ms(event: EventBody) -> int | None:
    typing = event.typing
    assert typing is not None, "the caller looked"  # noqa: S101
    if typing.type == "Off":
        return 0
    duration = typing.duration if typing.duration is not None else typing.duration_ms
    return None if duration is None else max(0, int(duration))


def _content(body: MessageBody) -> tuple[ContentItem, ...]:
    items = parse_content(body.content)
    if _is_inbound(body):
        return items
    # The vendor's pages also show chips as outbound `ButtonResponse` items (§4.5).
    return tuple(
        quick_reply(item.value.text, item.value.payload)
        if isinstance(item.value, ButtonResponse) and item.value.type == "QuickReply"
        else item
        for item in items
    )


def _choice_words(content: tuple[ContentItem, ...]) -> str:
    """Return what a guest chose, where the text does not say it: some clients send `text:""` (§3.7)."""
    return ", ".join(item.value.text for item in content if isinstance(item.value, ButtonResponse) and item.value.text)


def _in_reply_to(body: MessageBody, content: tuple[ContentItem, ...]) -> str | None:
    answered = (item.value.originating_message_id for item in content if isinstance(item.value, ButtonResponse | Form))
    named = metadata_text(body.metadata, "parentMessageId")
    return named or next(filter(None, answered), None) or body.originating_message_id or None


def _sender(body: MessageBody) -> str:
    if _is_inbound(body):
        return "guest"
    return {"Bot": "bot", "Human": "agent"}.get(body.originating_entity or "Human", "agent")


def _is_inbound(body: MessageBody) -> bool:
    return body.direction == Direction.INBOUND


def _unknown(body: MessageBody, reason: UnknownReason) -> UnknownEvent:
    return UnknownEvent(reason=reason, raw=_encoder.encode(body).decode())
