"""What the bot shows on demand, every kind of content there is, and what it makes of the answers.

Whoever builds a chat can see all of it. The messages are the desk's templates; files are added, which agents have of
their own.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from guestwire.emulator.templates import make_templates
from guestwire.model.content import (
    Attachment,
    ButtonResponse,
    ContentItem,
    Form,
    FormAnswer,
    QuickReply,
    parse_content,
    quick_reply,
)

__all__ = ["Sample", "Shown", "show"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A file that the bot sends."""

    name: str
    mime: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """One message of the bot, perhaps with a file."""

    text: str
    content: tuple[ContentItem, ...] = ()
    file: Sample | None = None


# What a guest says → the desk's templates that show it.
_TEMPLATES = {
    "chips": ("topic",),
    "card": ("parcel",),
    "cards": ("paints",),
    "date picker": ("delivery",),
    "list picker": ("extras",),
    "pickers": ("delivery", "extras"),
    "form": ("details",),
    "formatted": ("formatted",),
}

_FILES = ("file", "picture")
_ALL = "everything"
_HELP = "show"


def show(text: str, content: Sequence[ContentItem], now: datetime) -> list[Shown]:
    """Return what the bot shows for a guest's word, or says to their answer; nothing when it is neither.

    Args:
        text: What the guest said.
        content: What came with it.
        now: The dates shown are those of the days after it.
    """
    templates = {one.name: Shown(one.text, one.content) for one in make_templates(now)}
    answered = _answer(content, _payloads(list(templates.values())))
    if answered is not None:
        return [Shown(answered)]
    word = text.strip().casefold()
    if word == _HELP:
        words = [*_TEMPLATES, *_FILES, _ALL]
        return [Shown("What shall I show you?", tuple(quick_reply(one) for one in words))]
    if word in _FILES:
        return [_file(word)]
    if word == _ALL:
        names = dict.fromkeys(name for names in _TEMPLATES.values() for name in names)
        return [*(templates[name] for name in names), *(_file(one) for one in _FILES)]
    return [templates[name] for name in _TEMPLATES.get(word, ())]


def _answer(content: Sequence[ContentItem], known: frozenset[str]) -> str | None:
    """Return what the bot says to a choice, a form or a file; None when there is none, or it is for the flow."""
    chosen, files = [], []
    for item in content:
        match item.value:
            case ButtonResponse(type="QuickReply", payload=payload) if payload not in known:
                return None
            case ButtonResponse(text=words, payload=payload):
                chosen.append(words or payload)
            case Form(response=response):
                return f"Thank you! You wrote: {_form_words(response)}."
            case Attachment(filename=name):
                files.append(name or "without a name")
            case _:
                pass
    if files:
        return f"I have got your file: {', '.join(files)}."
    return f"You chose: {', '.join(chosen)}." if chosen else None


def _form_words(response: Sequence[FormAnswer]) -> str:
    parts = []
    for one in response:
        values = [item.value for item in parse_content([one.component])]
        words = [value.text or value.payload for value in values if isinstance(value, ButtonResponse)]
        parts.append(f"{one.id} = {', '.join(filter(None, words)) or 'nothing'}")
    return "; ".join(parts) or "nothing"


def _payloads(shown: Sequence[Shown]) -> frozenset[str]:
    items = (item.value for one in shown for item in one.content)
    return frozenset(value.payload for value in items if isinstance(value, QuickReply))


def _file(word: str) -> Shown:
    if word == "picture":
        return Shown("A picture.", file=Sample("colours.png", "image/png", _picture()))
    terms = b"Terms of the emulator\n\nThis is a file that the bot sends on demand.\n"
    return Shown("A file.", file=Sample("terms.txt", "text/plain", terms))


def _picture(width: int = 160, height: int = 90) -> bytes:
    """Draw a small PNG: two colours that run into each other."""
    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 160)) for x in range(width)) for y in range(height)
    )

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
