"""The bodies of records: frames without `seq`, as the log keeps them and browsers get them.

A body is the JSON of a frame with our `id`. Its number is added when it is sent (protocols/guest_session/relay.py).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import TypeAlias

import msgspec

from guestwire.gateway.log import NewRecord
from guestwire.model.content import ContentItem, parse_content
from guestwire.model.events import ConversationUpdated, Fate, Message, epoch_ms
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.times import format_time
from guestwire.protocols.guest_session.wire import (
    BotMessageFrame,
    ConversationUpdateFrame,
    GuestMessageFrame,
    MessageFrame,
    ReceiptFrame,
    encode,
)

__all__ = [
    "Shown",
    "accepted_receipt",
    "as_it_came",
    "conversation_record",
    "guest_message",
    "in_reply_to",
    "is_volatile",
    "masked_content",
    "message_id",
    "message_record",
    "new_id",
    "order_key",
    "outgoing_body",
    "provider_mark",
    "queue_place",
    "read_outgoing",
    "receipt",
]


Shown: TypeAlias = Callable[[Sequence[ContentItem]], list[dict[str, object]]]
"""Makes of a message's content what browsers get of it (`AttachmentLinks.rewritten`)."""


def as_it_came(content: Sequence[ContentItem]) -> list[dict[str, object]]:
    """Change nothing."""
    return [item.raw for item in content]


# No secrets, so it need not be the operating system's source, which costs as much as the rest of a record.
_random = Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """Return a new id for a record, 128 random bits in hex."""
    return f"{_random.getrandbits(128):032x}"


@lru_cache(maxsize=4096)  # its record, the answer, and a moment later its receipt
def message_id(sid: SessionId, client_id: ClientId) -> str:
    """Return our id of a guest's message: the same each time it is asked for, 128 bits in hex."""
    return hashlib.sha256(f"{sid}\n{client_id}".encode()).hexdigest()[:32]


def outgoing_body(text: str, content: tuple[ContentItem, ...], in_reply_to: str | None = None) -> bytes:
    """Return what the outbox keeps: the frame for the provider. Equal messages have equal bodies."""
    raw = [item.raw for item in content] or None
    return encode(GuestMessageFrame(text=text, content=raw, in_reply_to=in_reply_to)).encode()


def read_outgoing(body: bytes) -> tuple[str, tuple[ContentItem, ...]]:
    """Return text and content of what `outgoing_body` made."""
    frame = msgspec.json.decode(body, type=GuestMessageFrame)
    return frame.text or "", parse_content(frame.content)


def in_reply_to(body: bytes) -> str | None:
    """Return the provider's id of what the message in `outgoing_body` answers."""
    return msgspec.json.decode(body, type=GuestMessageFrame).in_reply_to


def masked_content(content: tuple[ContentItem, ...], mask: Callable[[str], str]) -> tuple[ContentItem, ...]:
    """Return what a guest answered with the words and numbers in it masked, whatever member they are in.

    That goes for `payload` too: a form's answers are typed. What names a kind or an id stays what it was.
    """
    return parse_content([_masked(item.raw, mask) for item in content])


def guest_message(
    sid: SessionId,
    client_id: ClientId,
    text: str,
    content: tuple[ContentItem, ...],
    at: datetime,
    *,
    in_reply_to: str | None = None,
    shown: Shown = as_it_came,
) -> NewRecord:
    """Return the record of what the guest said; see `message_record` for `shown`."""
    frame = MessageFrame(
        sender="guest",
        text=text,
        content=shown(content) or None,
        timestamp=format_time(at),
        id=message_id(sid, client_id),
        client_id=client_id,
        in_reply_to=in_reply_to,
    )
    return _record("message", frame)


def provider_mark(provider_session_id: str) -> str:
    """Return what tells one guest's provider sessions apart, 48 bits in hex; the session's id can't be read from it."""
    return hashlib.sha256(provider_session_id.encode()).hexdigest()[:12]


def order_key(sent_at: datetime, provider_id: str | None) -> str:
    """Return a message's place in the provider's order, by its time and then its id; keys compare as texts."""
    return f"{max(0, epoch_ms(sent_at)):015}:{provider_id or ''}"


def message_record(
    event: Message, new_id: str, now: datetime, *, newest_order_key: str | None = None, shown: Shown = as_it_came
) -> NewRecord:
    """Return the record of what a participant said, through the provider.

    Args:
        event: Its id must be unique in the whole session of ours, see `provider_mark`.
        new_id: Our id of it.
        now: Its time, where the provider gave none.
        newest_order_key: Of the session's records so far; what lies below it comes late.
        shown: Makes of content what browsers get of it.
    """
    key = None if event.sent_at is None else order_key(event.sent_at, event.id)
    is_late = key is not None and newest_order_key is not None and key < newest_order_key
    content = shown(event.content) or None
    timestamp = format_time(event.sent_at or now)
    dedup_key = None if event.id is None else f"p:{event.id}"
    if event.sender == "bot":
        bot = BotMessageFrame(
            text=event.text,
            timestamp=timestamp,
            name=event.name,
            avatar=event.avatar,
            content=content,
            id=new_id,
            provider_id=event.provider_id,
        )
        return _record("bot-message", bot, dedup_key=dedup_key, order_key=key, late=is_late)
    frame = MessageFrame(
        # The tutorial's page draws every other name as the guest's own words (guest-session §4.1).
        sender="guest" if event.sender == "guest" else "agent",
        text=event.text,
        timestamp=timestamp,
        name=event.name,
        avatar=event.avatar,
        content=content,
        id=new_id,
        provider_id=event.provider_id,
        in_reply_to=event.in_reply_to,
    )
    return _record("message", frame, dedup_key=dedup_key, order_key=key, late=is_late)


def is_volatile(event: ConversationUpdated) -> bool:
    """Return whether an update tells nothing but the place in the queue, which is not kept (guest-session §6.2)."""
    return (
        event.status is None
        and event.agent_name is None
        and event.agent_avatar is None
        and event.read_only is None
        and event.reason is None
    )


def queue_place(event: ConversationUpdated) -> ConversationUpdateFrame | None:
    """Return the place in the queue that an update tells, to be shown and not kept; None when it tells none."""
    if event.position is None and event.estimated_wait is None:
        return None
    return ConversationUpdateFrame(position=event.position, estimated_wait=event.estimated_wait)


def conversation_record(event: ConversationUpdated, new_id: str) -> NewRecord:
    """Return the record of a change of the conversation; without the place in the queue: it would be stale."""
    frame = ConversationUpdateFrame(
        status=None if event.status is None else event.status.value,
        agent_name=event.agent_name,
        agent_avatar=event.agent_avatar,
        expires_at=None if event.expires_at is None else format_time(event.expires_at),
        read_only=event.read_only,
        reason=event.reason,
        id=new_id,
    )
    dedup_key = None if event.id is None else f"p:{event.id}"
    return NewRecord(kind="conversation-update", body=encode(frame).encode(), dedup_key=dedup_key)


def receipt(
    sid: SessionId,
    client_id: ClientId,
    message_seq: int,
    status: Fate,
    *,
    retry_after: float | None = None,
    code: str | None = None,
    text: str | None = None,
    order_key: str | None = None,
) -> NewRecord:
    """Return the record of a change of a message's fate; its `id` is the message's. Pure: any thread may call it.

    Args:
        status: Anything but `accepted`, which is no record.
        retry_after: Seconds, with `waiting`.
        code: Why it failed, a key of `ERRORS`.
        text: The same in words.
        order_key: Of the message, with `delivered`, where the provider told its time.
    """
    frame = ReceiptFrame(
        client_id=client_id,
        id=message_id(sid, client_id),
        message_seq=message_seq,
        status=status,
        retry_after=retry_after,
        code=code,
        text=text,
    )
    return NewRecord(kind="receipt", body=encode(frame).encode(), order_key=order_key)


def accepted_receipt(sid: SessionId, client_id: ClientId, message_seq: int) -> ReceiptFrame:
    """Return the direct answer to a message that is durable."""
    return ReceiptFrame(
        client_id=client_id, id=message_id(sid, client_id), message_seq=message_seq, status=Fate.ACCEPTED
    )


# What kinds, ids and types of files are called: no guest typed these.
_NOT_TYPED = frozenset({"contentType", "id", "mediaType", "mime", "originatingMessageId", "type"})


def _masked(value: object, mask: Callable[[str], str]) -> object:
    match value:
        case str():
            return mask(value)
        case dict():
            return {name: inner if name in _NOT_TYPED else _masked(inner, mask) for name, inner in value.items()}
        case list():
            return [_masked(inner, mask) for inner in value]
        case int() | float() if not isinstance(value, bool):
            digits = str(value)
            masked = mask(digits)
            return value if masked == digits else masked
        case _:
            return value


def _record(
    kind: str,
    frame: MessageFrame | BotMessageFrame,
    *,
    dedup_key: str | None = None,
    order_key: str | None = None,
    late: bool = False,
) -> NewRecord:
    return NewRecord(kind=kind, body=encode(frame).encode(), dedup_key=dedup_key, order_key=order_key, late=late)
