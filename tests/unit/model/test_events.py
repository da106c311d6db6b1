"""Events and their JSON form, which is what the browser core decodes frames to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from guestwire.model.content import quick_reply
from guestwire.model.events import (
    AttachmentStatus,
    AttachmentUpdated,
    ConnectionStatus,
    ConversationStatus,
    ConversationUpdated,
    Event,
    Fate,
    HistoryRead,
    Message,
    Presence,
    ProviderError,
    Receipt,
    SessionUpdated,
    StatusChanged,
    StatusError,
    Typing,
    UnknownEvent,
    UnknownReason,
    epoch_ms,
    event_to_json,
)

AT = datetime(2023, 10, 27, 10, 0, 0, 1000, tzinfo=UTC)
AT_MS = 1_698_400_800_001


@pytest.mark.parametrize(
    "event, form",
    [
        (Message(sender="agent", text="x"), {"type": "message", "from": "agent", "text": "x"}),
        (
            Message(
                sender="guest",
                text="x",
                sent_at=AT,
                name="Ada",
                content=(quick_reply("A", "a"),),
                id="m",
                seq=1,
                client_id="c",
                order_key="k",
                late=True,
                avatar="https://example.com/a.png",
                in_reply_to="q",
            ),
            {
                "type": "message",
                "from": "guest",
                "text": "x",
                "sentAt": AT_MS,
                "name": "Ada",
                "content": [
                    {"contentType": "QuickReply", "quickReply": {"text": "A", "payload": "a", "action": "Message"}}
                ],
                "id": "m",
                "seq": 1,
                "clientId": "c",
                "orderKey": "k",
                "late": True,
                "avatar": "https://example.com/a.png",
                "inReplyTo": "q",
            },
        ),
        (ConversationUpdated(), {"type": "conversation-update"}),
        (
            ConversationUpdated(
                status=ConversationStatus.WAITING,
                agent_name="J",
                agent_avatar="u",
                position=1,
                estimated_wait=2.5,
                expires_at=AT,
                read_only=False,
                reason="no-agents",
                id="i",
                seq=2,
            ),
            {
                "type": "conversation-update",
                "status": "waiting",
                "agentName": "J",
                "agentAvatar": "u",
                "position": 1,
                "estimatedWait": 2.5,
                "expiresAt": AT_MS,
                "readOnly": False,
                "reason": "no-agents",
                "id": "i",
                "seq": 2,
            },
        ),
        (Typing(sender="bot", duration=3000), {"type": "typing", "from": "bot", "duration": 3000}),
        (
            Receipt(
                client_id="c",
                status=Fate.FAILED,
                id="m",
                seq=9,
                message_seq=7,
                retry_after=3.0,
                code="conflict",
                text="t",
            ),
            {
                "type": "receipt",
                "clientId": "c",
                "status": "failed",
                "id": "m",
                "seq": 9,
                "messageSeq": 7,
                "retryAfter": 3.0,
                "code": "conflict",
                "text": "t",
            },
        ),
        (
            ProviderError(code="odd", text="t", retry_after=1.0, client_id="c"),
            {"type": "error", "code": "odd", "text": "t", "retryAfter": 1.0, "clientId": "c"},
        ),
        (
            StatusChanged(
                status=ConnectionStatus.RECONNECTING,
                error=StatusError(code="moved", text="t", hint="h", retry_after=1.0),
                retry_in=2.0,
            ),
            {
                "type": "status",
                "status": "reconnecting",
                "error": {"code": "moved", "text": "t", "hint": "h", "retryAfter": 1.0},
                "retryIn": 2.0,
            },
        ),
        (
            Presence(sender="guest", kind="sign-in", name="Ada"),
            {"type": "presence", "from": "guest", "kind": "sign-in", "name": "Ada"},
        ),
        (SessionUpdated(), {"type": "session-update"}),
        (
            SessionUpdated(
                is_new=True,
                read_only=True,
                expires_at=AT,
                duration_s=60,
                max_attribute_bytes=2048,
                replaced_session=True,
            ),
            {
                "type": "session-update",
                "isNew": True,
                "readOnly": True,
                "expiresAt": AT_MS,
                "durationS": 60,
                "maxAttributeBytes": 2048,
                "replacedSession": True,
            },
        ),
        (
            AttachmentUpdated(
                attachment_id="a", status=AttachmentStatus.FAILED, url="u", code="attachment-type", text="t"
            ),
            {
                "type": "attachment-update",
                "attachmentId": "a",
                "status": "failed",
                "url": "u",
                "code": "attachment-type",
                "text": "t",
            },
        ),
        (HistoryRead(page=1, has_more=False), {"type": "history-read", "page": 1, "hasMore": False}),
        (
            UnknownEvent(reason=UnknownReason.NO_TYPE, raw="{}"),
            {"type": "unknown", "reason": "no-type", "raw": "{}"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_json_form(event: Event, form: dict[str, object]) -> None:
    """CamelCase, defaults left out, times as epoch milliseconds, content as it came."""
    assert event_to_json(event) == form


def test_epoch_milliseconds_do_not_depend_on_the_zone() -> None:
    """The moment counts."""
    assert epoch_ms(AT) == epoch_ms(AT.astimezone(timezone(timedelta(hours=5, minutes=30)))) == AT_MS
    assert epoch_ms(datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)) == -1
