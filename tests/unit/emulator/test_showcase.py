"""What the bot shows, and what it says to the answers."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest

from guestwire.emulator.showcase import Shown, show
from guestwire.model.content import (
    Attachment,
    ButtonResponse,
    ContentItem,
    DatePicker,
    Form,
    FormAnswer,
    attachment,
    button_response,
    card,
    form,
    quick_reply,
)
from guestwire.model.content import Card as CardValue
from guestwire.model.times import parse_time

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def kinds(shown: list[Shown]) -> list[str]:
    return [item.kind for one in shown for item in one.content]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("card", ["Card"]),
        (" CARDS ", ["Carousel"]),
        ("date picker", ["DatePicker"]),
        ("list picker", ["ListPicker"]),
        ("pickers", ["DatePicker", "ListPicker"]),
        ("form", ["Form"]),
        ("chips", ["QuickReply"] * 3),
        ("formatted", []),
    ],
)
def test_each_kind_on_demand(word: str, expected: list[str]) -> None:
    """By its word alone, whatever the case."""
    shown = show(word, (), NOW)
    assert shown
    assert kinds(shown) == expected
    assert show(f"a {word.strip()} please", (), NOW) == []


def test_every_offered_word_shows_something() -> None:
    """And everything shows all of it, files too; dates are still to come."""
    (offer,) = show("show", (), NOW)
    for item in offer.content:
        assert show(item.raw["quickReply"]["payload"], (), NOW)  # type: ignore[index]
    everything = show("everything", (), NOW)
    assert len([one for one in everything if one.file]) == 2
    picker = next(item.value for one in everything for item in one.content if isinstance(item.value, DatePicker))
    assert all((parse_time(one.date_time) or NOW) > NOW for one in picker.available_times)


def test_the_picture_is_one() -> None:
    """A PNG of some size."""
    (shown,) = show("picture", (), NOW)
    assert shown.file is not None
    assert shown.file.data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", shown.file.data[16:24]) == (160, 90)


def pressed(kind: str, text: str, payload: str) -> ContentItem:
    return button_response(ButtonResponse(type=kind, text=text, payload=payload))


ADA: dict[str, object] = {
    "contentType": "ButtonResponse",
    "buttonResponse": {"type": "Form", "text": "Ada", "payload": "a"},
}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([pressed("DatePicker", "", "2030-01-02")], "You chose: 2030-01-02."),
        ([pressed("ListPicker", "A", "a"), pressed("ListPicker", "B", "b")], "You chose: A, B."),
        ([pressed("Button", "Order", "order:1")], "You chose: Order."),
        ([pressed("QuickReply", "An order", "An order")], "You chose: An order."),
        ([attachment(Attachment(id="a", filename="a.txt"))], "I have got your file: a.txt."),
        ([attachment(Attachment(id="a"))], "I have got your file: without a name."),
        (
            [form(Form(response=(FormAnswer(id="name", component=ADA), FormAnswer(id="day", component={}))))],
            "Thank you! You wrote: name = Ada; day = nothing.",
        ),
        ([form(Form())], "Thank you! You wrote: nothing."),
    ],
)
def test_answers(content: list[ContentItem], words: str) -> None:
    """Said back, so that whoever builds a chat sees what arrived."""
    (said,) = show("", content, NOW)
    assert said.text == words


def test_what_is_not_for_the_showcase() -> None:
    """Chips of the flow, content that is no answer, any other text."""
    assert show("", [pressed("QuickReply", "Prices", "prices")], NOW) == []
    assert show("hello", [card(CardValue(title="x"))], NOW) == []
    assert show("hello", [quick_reply("x")], NOW) == []
