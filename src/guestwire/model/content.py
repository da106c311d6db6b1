"""Rich content of a message: typed where we know the kind, kept as it came where we don't.

The vocabulary and the member names are those of Web Messaging (web-messaging §4.5), for both protocols
(guest-session §5 [D]): `{"contentType": "QuickReply", "quickReply": {…}}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

__all__ = [
    "Attachment",
    "AvailableTime",
    "ButtonResponse",
    "Card",
    "CardAction",
    "Carousel",
    "ContentItem",
    "DatePicker",
    "Form",
    "FormAnswer",
    "FormComponent",
    "FormInput",
    "FormIntroduction",
    "FormPage",
    "ListItem",
    "ListPicker",
    "ListSection",
    "PickerMessage",
    "QuickReply",
    "QuickReplyV2",
    "TextContent",
    "WheelItem",
    "WheelPicker",
    "attachment",
    "button_response",
    "card",
    "carousel",
    "content_item",
    "date_picker",
    "form",
    "list_picker",
    "misfit",
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
    summary_text: str | None = None


class QuickReplyV2(_Value, frozen=True, kw_only=True):
    """Several chips in one item, under a title."""

    title: str
    actions: tuple[QuickReply, ...]


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
    video: str | None = None
    default_action: CardAction | None = None


class Carousel(_Value, frozen=True, kw_only=True):
    """Several cards side by side."""

    cards: tuple[Card, ...]


class PickerMessage(_Value, frozen=True, kw_only=True):
    """Words around a picker or form: what is shown before (`receivedMessage`) and after the answer (`replyMessage`)."""

    title: str | None = None
    subtitle: str | None = None
    header: str | None = None
    button_label: str | None = None
    image_url: str | None = None


class AvailableTime(_Value, frozen=True, kw_only=True):
    """One slot of a date picker: its begin in ISO 8601 and its length in seconds."""

    date_time: str
    duration: int | float


class DatePicker(_Value, frozen=True, kw_only=True):
    """Slots to choose one of; in a form any day, as `date_display_format` writes it."""

    title: str | None = None
    subtitle: str | None = None
    image_url: str | None = None
    available_times: tuple[AvailableTime, ...] = ()
    date_minimum: str | None = None
    date_maximum: str | None = None
    date_display_format: str | None = None
    id: str | None = None


class ListItem(_Value, frozen=True, kw_only=True):
    """One line of a list picker; its id is the answer's payload."""

    id: str
    title: str
    subtitle: str | None = None
    image_url: str | None = None


class ListSection(_Value, frozen=True, kw_only=True):
    """Lines under a title; several may be chosen where `multiple_selection` says so."""

    title: str
    items: tuple[ListItem, ...]
    multiple_selection: bool = False


class ListPicker(_Value, frozen=True, kw_only=True):
    """Sections of lines to choose from."""

    sections: tuple[ListSection, ...]
    received_message: PickerMessage | None = None
    reply_message: PickerMessage | None = None
    id: str | None = None


class FormInput(_Value, frozen=True, kw_only=True):
    """A field to type into; `keyboard_type` and `auto_complete_type` are the provider's words."""

    id: str
    is_required: bool = False
    is_multiple_line: bool = False
    title: str | None = None
    subtitle: str | None = None
    placeholder_text: str | None = None
    keyboard_type: str | None = None
    auto_complete_type: str | None = None


class WheelItem(_Value, frozen=True, kw_only=True):
    """One choice of a wheel."""

    id: str
    title: str
    value: str | None = None


class WheelPicker(_Value, frozen=True, kw_only=True):
    """One of several choices."""

    items: tuple[WheelItem, ...]
    id: str | None = None


class FormComponent(_Value, frozen=True, kw_only=True):
    """One part of a form's page: `form_component_type` names which of the others holds it."""

    form_component_type: str
    input: FormInput | None = None
    date_picker: DatePicker | None = None
    list_picker: ListPicker | None = None
    wheel_picker: WheelPicker | None = None


class FormPage(_Value, frozen=True, kw_only=True):
    """One page of a form."""

    title: str | None = None
    subtitle: str | None = None
    page_components: tuple[FormComponent, ...] = ()


class FormIntroduction(_Value, frozen=True, kw_only=True):
    """What a form begins with."""

    title: str | None = None
    subtitle: str | None = None
    button_text: str | None = None
    image_url: str | None = None


class FormAnswer(_Value, frozen=True, kw_only=True):
    """One answered component: `component` is a content item that holds a `ButtonResponse` of type `Form`."""

    id: str
    component: dict[str, object]


class Form(_Value, frozen=True, kw_only=True):
    """Pages of questions; `response` and `originating_message_id` are a guest's answer to them."""

    canned_response_id: str | None = None
    introduction: FormIntroduction | None = None
    form_pages: tuple[FormPage, ...] = ()
    received_message: PickerMessage | None = None
    reply_message: PickerMessage | None = None
    show_summary: bool | None = None
    response: tuple[FormAnswer, ...] = ()
    originating_message_id: str | None = None


class Attachment(_Value, frozen=True, kw_only=True):
    """A file; a guest who sends one names its id only.

    Attributes:
        id: The provider's id of it.
        media_type: "Image", "Video", "Audio", "File" or "Link".
        url: Where to download it, for some minutes.
        filename: Its name.
        file_size: Bytes.
        mime: Its media type.
        sha256: Its digest.
        text: A caption.
    """

    id: str | None = None
    media_type: str | None = None
    url: str | None = None
    filename: str | None = None
    file_size: int | float | None = None
    mime: str | None = None
    sha256: str | None = None
    text: str | None = None


class TextContent(_Value, frozen=True, kw_only=True):
    """A piece of text as an item of its own."""

    body: str
    type: str | None = None


class ButtonResponse(_Value, frozen=True, kw_only=True):
    """A guest's answer to something that offered a choice."""

    type: str
    text: str
    payload: str
    originating_message_id: str | None = None


MAX_CONTENT_DEPTH = 32
"""A carousel is 6 deep. What is nested so deep that writing it again could fail (RecursionError) is left out."""

ContentValue: TypeAlias = (
    QuickReply
    | QuickReplyV2
    | Card
    | Carousel
    | ButtonResponse
    | DatePicker
    | ListPicker
    | Form
    | Attachment
    | TextContent
)

# contentType → the member that holds the value, and its type.
_KINDS: dict[str, tuple[str, type[ContentValue]]] = {
    "QuickReply": ("quickReply", QuickReply),
    "Card": ("card", Card),
    "Carousel": ("carousel", Carousel),
    "ButtonResponse": ("buttonResponse", ButtonResponse),
    "QuickReplyV2": ("quickReplyV2", QuickReplyV2),
    "DatePicker": ("datePicker", DatePicker),
    "ListPicker": ("listPicker", ListPicker),
    "Form": ("form", Form),
    "Attachment": ("attachment", Attachment),
    "Text": ("text", TextContent),
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
    if not items or not isinstance(items, Sequence) or isinstance(items, str):
        return ()
    return tuple(
        ContentItem(kind=kind, value=_parse_value(kind, item), raw=item)
        for item in items
        if isinstance(item, dict)
        and isinstance(kind := item.get("contentType"), str)
        and _fits(item, MAX_CONTENT_DEPTH)
    )


def misfit(item: ContentItem) -> str | None:
    """Say, for people, why the value of a known kind doesn't fit; None when it does, or nobody knows the kind."""
    if item.value is not None or item.kind not in _KINDS:
        return None
    member, value_type = _KINDS[item.kind]
    try:
        msgspec.convert(item.raw.get(member), value_type)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def quick_reply(text: str, payload: str | None = None) -> ContentItem:
    """Make one quick-reply chip; its payload defaults to its text."""
    return _item("QuickReply", QuickReply(text=text, payload=payload or text, action="Message"))


def card(value: Card) -> ContentItem:
    """Make a card item."""
    return _item("Card", value)


def carousel(value: Carousel) -> ContentItem:
    """Make a carousel item."""
    return _item("Carousel", value)


def date_picker(value: DatePicker) -> ContentItem:
    """Make a date-picker item."""
    return _item("DatePicker", value)


def list_picker(value: ListPicker) -> ContentItem:
    """Make a list-picker item."""
    return _item("ListPicker", value)


def form(value: Form) -> ContentItem:
    """Make a form item, or the item with which a guest answers one."""
    return _item("Form", value)


def attachment(value: Attachment) -> ContentItem:
    """Make a file's item; a guest who sends it sets the id only."""
    return _item("Attachment", value)


def button_response(value: ButtonResponse) -> ContentItem:
    """Make the item with which a guest answers a choice."""
    return _item("ButtonResponse", value)


def content_item(value: ContentValue) -> ContentItem:
    """Make the item that holds a value, whatever its kind."""
    return _item(next(kind for kind, (_, value_type) in _KINDS.items() if isinstance(value, value_type)), value)


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
