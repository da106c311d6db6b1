"""A guest's answers to rich content, as the vendor's browser SDK writes them.

Source: web-messaging §3.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guestwire.model.content import (
    Attachment,
    ButtonResponse,
    CardAction,
    ContentItem,
    Form,
    FormAnswer,
    ListItem,
    ListPicker,
    QuickReply,
    attachment,
    button_response,
    form,
)

__all__ = ["Answer", "answer_card", "answer_date", "answer_form", "answer_list", "answer_quick_reply", "with_files"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send: text, content, and the id of the message that it answers."""

    text: str
    content: tuple[ContentItem, ...]
    in_reply_to: str | None = None


def answer_quick_reply(reply: QuickReply, *, message_id: str | None = None) -> Answer:
    """Choose a chip of the message `message_id`."""
    return _choice("QuickReply", reply.text, reply.payload, reply.text, message_id)


def answer_card(action: CardAction, *, message_id: str | None = None) -> Answer:
    """Press a `Postback` button of a card; a `Link` is only opened and sends nothing."""
    return _choice("Button", action.text, action.payload or action.text, action.text, message_id)


def answer_date(shown: str, moment: str, *, message_id: str) -> Answer:
    """Choose a slot.

    Args:
        shown: As the guest saw it.
        moment: The slot's `date_time`.
        message_id: Of the picker's message.
    """
    return _choice("DatePicker", shown, moment, "", message_id)


def answer_list(picker: ListPicker, chosen: Sequence[ListItem], *, message_id: str) -> Answer:
    """Choose at least one line of a list."""
    words = picker.reply_message.subtitle if picker.reply_message else None
    items = tuple(_response("ListPicker", item.title, item.id, message_id) for item in chosen)
    return Answer(words or ", ".join(item.title for item in chosen), items, message_id)


def answer_form(asked: Form, answers: Mapping[str, Sequence[tuple[str, str]]], *, message_id: str) -> Answer:
    """Fill in a form.

    Args:
        asked: The form.
        answers: Component id → what was chosen or typed, as shown and as payload; more than one for a list. A typed
            input that was not touched is left out, an untouched picker is one pair of empty texts.
        message_id: Of the form's message.
    """
    response = tuple(
        FormAnswer(id=part, component=_response("Form", text, payload, None).raw)
        for part, given in answers.items()
        for text, payload in given
    )
    words = asked.reply_message.title if asked.reply_message else None
    value = Form(canned_response_id=asked.canned_response_id, response=response, originating_message_id=message_id)
    return Answer(words or "", (form(value),), message_id)


def with_files(text: str, attachment_ids: Sequence[str]) -> Answer:
    """Send files that were uploaded, perhaps with words."""
    return Answer(text, tuple(attachment(Attachment(id=one)) for one in attachment_ids))


def _choice(kind: str, shown: str, payload: str, text: str, message_id: str | None) -> Answer:
    return Answer(text, (_response(kind, shown, payload, message_id),), message_id)


def _response(kind: str, shown: str, payload: str, message_id: str | None) -> ContentItem:
    return button_response(ButtonResponse(type=kind, text=shown, payload=payload, originating_message_id=message_id))
