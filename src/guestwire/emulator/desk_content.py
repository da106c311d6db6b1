"""What agents may send beside text: content of known kinds must fit, files must be there."""

from __future__ import annotations

from collections.abc import Sequence

from guestwire.emulator.desk_refusals import DeskRefused
from guestwire.emulator.org import Org
from guestwire.emulator.records import Conversation
from guestwire.model.content import Attachment, ContentItem, attachment, misfit, parse_content
from guestwire.protocols.guest_session.wire import MAX_TEXT_BYTES

__all__ = ["check_content", "check_text"]

MAX_TEXT_CHARS = 4000
"""What an agent may write at a time, with Web Messaging (web-messaging §5)."""

MAX_ITEMS = 60


def check_text(conversation: Conversation, text: str) -> None:
    """Refuse a text that is too long for the guest's protocol."""
    if conversation.protocol == "web-messaging":
        if len(text) > MAX_TEXT_CHARS:
            raise DeskRefused("bad-request", f"The text is longer than {MAX_TEXT_CHARS} characters: send it in parts.")
    elif len(text.encode()) > MAX_TEXT_BYTES:
        raise DeskRefused("bad-request", f"The text is longer than {MAX_TEXT_BYTES} bytes: send it in parts.")


def check_content(org: Org, conversation: Conversation, items: Sequence[object]) -> tuple[ContentItem, ...]:
    """Parse what an agent wants to send; a kind that nobody knows goes as it is.

    Raises:
        DeskRefused: An item is none, does not fit its kind, or is a file that is not there or that the guest's
            protocol can't take.
    """
    if len(items) > MAX_ITEMS:
        raise DeskRefused("bad-request", f"Expected at most {MAX_ITEMS} items of content, got {len(items)}.")
    checked: list[ContentItem] = []
    for number, raw in enumerate(items, 1):
        parsed = parse_content([raw])
        if not parsed:
            raise DeskRefused("bad-request", f"Item {number} of the content has no contentType, or nests too deep.")
        reason = misfit(parsed[0])
        if reason is not None:
            raise DeskRefused("bad-request", f"Item {number} of the content is no {parsed[0].kind}: {reason}.")
        checked.append(_with_file(org, conversation, parsed[0]))
    return tuple(checked)


def _with_file(org: Org, conversation: Conversation, item: ContentItem) -> ContentItem:
    if not isinstance(item.value, Attachment):
        return item
    if conversation.protocol != "web-messaging":
        raise DeskRefused("not-possible", "This guest came by guest-session, which has no files.")
    file = org.find_file(item.value.id or "")
    if file is None:
        raise DeskRefused("not-found", "The file is not kept any more: attach it again.")
    return attachment(
        Attachment(
            id=file.id,
            media_type=file.media_type,
            filename=file.name,
            file_size=file.size,
            mime=file.mime,
            text=item.value.text,
        )
    )
