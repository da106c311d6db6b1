"""Rich content of a message: typed where we know the kind, kept as it came where we don't.

The vocabulary and the member names are those of Web Messaging (web-messaging §4.5), for both protocols
(guest-session §5 [D]): `{"contentType": "QuickReply", "quickReply": {…}}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

__all__ = [
    "ButtonResponse",
    "Card",
    "CardAction",
    "Carousel",
    "ContentItem",
    "QuickReply",
    "button_response",
    "card",
    "parse_content",
    "quick_reply",
]


class _Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of the typed values."""


class QuickReply(_Value, frozen=True, kw_only=True):
    """One chip that answers with `payload`; a message carries one item per chip."""

    text: str
    payload: str
    action: str | None = None
    image: str | None = None


class CardAction(_Value, frozen=True, kw_only=True):
    """A button of a card: `Link` opens `url` and sends nothing, `Postback` answers with `payload`."""

    type: str
    text: str = ""
    url: str | None = None
    payload: str | None = None


class Card(_Value, frozen=True, kw_only=True):
    """A card with a title, perhaps a picture, and its buttons."""

    title: str
    actions: tuple[CardAction, ...] = ()
    description: str | None = None
    image: str | None = None
    default_action: CardAction | None = None


class Carousel(_Value, frozen=True, kw_only=True):
    """Several cards side by side."""

    cards: tuple[Card, ...]


class ButtonResponse(_Value, frozen=True, kw_only=True):
    """A guest's answer to something that offered a choice."""

    type: str
    text: str
    payload: str
    originating_message_id: str | None = None


MAX_CONTENT_DEPTH = 32
"""A carousel is 6 deep. What is nested so deep that writing it again could fail (RecursionError) is left out."""

ContentValue: TypeAlias = QuickReply | Card | Carousel | ButtonResponse

# contentType → the member that holds the value, and its type.
_KINDS: dict[str, tuple[str, type[ContentValue]]] = {
    "QuickReply": ("quickReply", QuickReply),
    "Card": ("card", Card),
    "Carousel": ("carousel", Carousel),
    "ButtonResponse": ("buttonResponse", ButtonResponse),
}


class ContentItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a message's `content`.

    Attributes:
        kind: The `contentType`.
        value: The typed value; None for a kind we don't know or a value that doesn't fit, which is then shown as the
            message's `text`.
        raw: The item as it came, unknown members included; this is what is passed on.
    """

    kind: str
    value: ContentValue | None
    raw: dict[str, object]


def parse_content(items: object) -> tuple[ContentItem, ...]:
    """Parse the `content` member of a message.

    Anything that is not a list is no content; an element that is not an object with a string `contentType` is left
    out, and so is one nested deeper than `MAX_CONTENT_DEPTH`. None is worth losing the message's text for.
    """
    if not isinstance(items, Sequence) or isinstance(items, str):
        return ()
    return tuple(
        ContentItem(kind=kind, value=_parse_value(kind, item), raw=item)
        for item in items
        if isinstance(item, dict)
        and isinstance(kind := item.get("contentType"), str)
        and _fits(item, MAX_CONTENT_DEPTH)
    )


def quick_reply(text: str, payload: str | None = None) -> ContentItem:
    """Make one quick-reply chip; its payload defaults to its text."""
    return _item("QuickReply", QuickReply(text=text, payload=payload or text, action="Message"))


def card(value: Card) -> ContentItem:
    """Make a card item."""
    return _item("Card", value)


def button_response(value: ButtonResponse) -> ContentItem:
    """Make the item with which a guest answers a choice."""
    return _item("ButtonResponse", value)


def _item(kind: str, value: ContentValue) -> ContentItem:
    member, _ = _KINDS[kind]
    # Through JSON, so that `raw` holds lists where `value` holds tuples, like an item that came.
    raw = {"contentType": kind, member: msgspec.json.decode(msgspec.json.encode(value))}
    return ContentItem(kind=kind, value=value, raw=raw)


def _fits(value: object, depth: int) -> bool:
    """Return whether a decoded JSON value nests at most `depth` objects and lists."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_fits(entry, depth - 1) for entry in inner)


def _parse_value(kind: str, item: dict[str, object]) -> ContentValue | None:
    if kind not in _KINDS:
        return None
    member, value_type = _KINDS[kind]
    try:
        return msgspec.convert(item.get(member), value_type)
    except msgspec.ValidationError:
        return None
