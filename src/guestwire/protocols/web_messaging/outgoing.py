"""What a guest says, as the message of an `onMessage` frame.

Source: web-messaging §3.4 to §3.7.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from guestwire.errors import MessageRejected
from guestwire.model.content import ButtonResponse, ContentItem, Form
from guestwire.model.wire_text import well_formed
from guestwire.protocols.web_messaging.requests import GuestMessage
from guestwire.protocols.web_messaging.wire import MAX_TEXT_BYTES, Channel, ChannelMetadata, EventBody, PresenceBody

__all__ = ["event_message", "guest_message", "presence", "with_attributes"]


def guest_message(
    text: str, content: tuple[ContentItem, ...], client_id: str, in_reply_to: str | None = None
) -> GuestMessage:
    """Build a message; its client id goes into the metadata too, by which the history tells of it [D].

    Answers to rich content make it `Structured`, as the vendor's browser SDK does.

    Raises:
        MessageRejected: It is blank, or longer than 4,096 UTF-8 bytes.
    """
    text = well_formed(text)
    if not text.strip() and not content:
        raise MessageRejected(client_id, code="message-blank")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise MessageRejected(client_id, code="message-too-long")
    is_answer = any(isinstance(item.value, ButtonResponse | Form) for item in content)
    metadata: dict[str, object] = {"id": client_id}
    if in_reply_to is not None:
        metadata["parentMessageId"] = in_reply_to
    return GuestMessage(
        type="Structured" if is_answer else "Text",
        text=text,
        content=[item.raw for item in content] or None,
        metadata=metadata,
    )


def event_message(event: EventBody) -> GuestMessage:
    """Build the message that carries one event."""
    return GuestMessage(type="Event", events=(event,))


def presence(kind: str) -> EventBody:
    """Build a presence event: `Join` or `Clear`."""
    return EventBody(event_type="Presence", presence=PresenceBody(type=kind))


def with_attributes(message: GuestMessage, attributes: Mapping[str, str]) -> GuestMessage:
    """Return the message with custom attributes, where there are any."""
    if not attributes:
        return message
    channel = Channel(metadata=ChannelMetadata(custom_attributes=dict(attributes)))
    return structs.replace(message, channel=channel)
