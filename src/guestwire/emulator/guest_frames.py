"""What was said, as the frames that a guest gets: the same on the socket and in the history."""

from __future__ import annotations

from typing import assert_never

from guestwire.emulator.records import Entry
from guestwire.model.times import format_time
from guestwire.protocols.guest_session.wire import BotMessageFrame, MessageFrame

__all__ = ["entry_frame"]


def entry_frame(
    entry: Entry, *, with_id: bool = False, with_client_id: bool = False
) -> MessageFrame | BotMessageFrame | None:
    """Return a line of a conversation as a frame; None for what is for the desk only.

    Args:
        entry: The line.
        with_id: For a session with echo or history; the tutorial's frames have no id.
        with_client_id: Tell the guest's own id of its message.
    """
    content = [item.raw for item in entry.content] or None
    timestamp = format_time(entry.at)
    provider_id = entry.id if with_id else None
    match entry.sender:
        case "bot":
            return BotMessageFrame(text=entry.text, timestamp=timestamp, content=content, id=provider_id)
        case "agent" | "guest":
            return MessageFrame(
                sender=entry.sender,
                text=entry.text,
                timestamp=timestamp,
                content=content,
                id=provider_id,
                client_id=entry.client_id if with_client_id else None,
            )
        case "system":
            return None
        case _:
            assert_never(entry.sender)
