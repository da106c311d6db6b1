"""What a guest may send as `content`: answers to what was offered, and files. Strict: others will draw it.

Of each item only the members that belong to it are kept, and their values are checked; what doesn't fit is left out, as
the message's text says the same.

Source: topics/protocol.md, "Rich chats on the gateway" [D]; the shapes are those of web-messaging §3.7 and §3.5.
"""

from __future__ import annotations

import re

import msgspec

from guestwire.model import content as rich
from guestwire.model.content import Attachment, ButtonResponse, ContentItem, Form, parse_content
from guestwire.model.file_names import MAX_FILE_NAME_CHARS, clean_file_name, media_type_of

__all__ = [
    "MAX_CONTENT_BYTES",
    "MAX_PROVIDER_ID_CHARS",
    "clean_mime",
    "content_size",
    "is_provider_id",
    "parse_guest_content",
]

MAX_CONTENT_BYTES = 8192
"""JSON of a message's content; the longest list picker that a person fills in needs less."""

MAX_PROVIDER_ID_CHARS = 128
"""Of a provider's id that comes back from a guest; Genesys Cloud's have 32 to 36."""

_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_MEDIA_TYPES = frozenset({"Audio", "File", "Image", "Video"})
_MAX_FILE_BYTES = 2**40

_ANSWERS = frozenset({"Button", "DatePicker", "ListPicker", "QuickReply"})


def parse_guest_content(content: object, *, takes_files: bool = False) -> tuple[ContentItem, ...]:
    """Parse the `content` of a guest's message.

    Args:
        content: What the frame had.
        takes_files: Whether `Attachment` items may be among it.
    """
    return tuple(
        cleaned
        for item in parse_content(content)
        if (cleaned := _cleaned(item)) is not None and (takes_files or cleaned.kind != "Attachment")
    )


def content_size(content: tuple[ContentItem, ...]) -> int:
    """Return the bytes of its JSON."""
    return len(msgspec.json.encode([item.raw for item in content])) if content else 0


def is_provider_id(value: str) -> bool:
    """Return whether a text may be a provider's id."""
    return 0 < len(value) <= MAX_PROVIDER_ID_CHARS and value.isprintable()


def clean_mime(value: str) -> str | None:
    """Return a media type in lower case and without parameters; None when it is none."""
    mime = value.partition(";")[0].strip().lower()
    return mime if _MIME.fullmatch(mime) else None


def _cleaned(item: ContentItem) -> ContentItem | None:
    match item.value:
        case ButtonResponse() as answer if answer.type in _ANSWERS and _may_answer(answer.originating_message_id):
            return rich.button_response(answer)
        case Form() as form if _may_answer(form.originating_message_id):
            return _form(form)
        case Attachment() as file:
            return _attachment(file)
        case _:
            return None


def _form(form: Form) -> ContentItem | None:
    response = []
    for answer in form.response:
        component = parse_content([answer.component])
        value = component[0].value if component else None
        if isinstance(value, ButtonResponse) and value.type == "Form":
            response.append(msgspec.structs.replace(answer, component=rich.button_response(value).raw))
    if not response:
        return None
    return rich.form(
        Form(
            response=tuple(response),
            originating_message_id=form.originating_message_id,
            canned_response_id=form.canned_response_id,
        )
    )


def _attachment(file: Attachment) -> ContentItem | None:
    if file.id is None or not is_provider_id(file.id):
        return None
    mime = clean_mime(file.mime or "")
    size = file.file_size
    return rich.attachment(
        Attachment(
            id=file.id,
            filename=clean_file_name(file.filename or "")[:MAX_FILE_NAME_CHARS] or None,
            mime=mime,
            media_type=file.media_type if file.media_type in _MEDIA_TYPES else media_type_of(mime or ""),
            file_size=size if isinstance(size, int) and 0 <= size <= _MAX_FILE_BYTES else None,
        )
    )


def _may_answer(message_id: str | None) -> bool:
    return message_id is None or is_provider_id(message_id)
