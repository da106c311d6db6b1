"""A guest's answers to rich content, as they go over the wire."""

from __future__ import annotations

from guestwire.model.content import (
    CardAction,
    Form,
    ListItem,
    ListPicker,
    ListSection,
    PickerMessage,
    QuickReply,
)
from guestwire.protocols.web_messaging.replies import (
    Answer,
    answer_card,
    answer_date,
    answer_form,
    answer_list,
    answer_quick_reply,
    with_files,
)


def response(kind: str, text: str, payload: str, message_id: str | None = None) -> dict[str, object]:
    value = {"type": kind, "text": text, "payload": payload}
    return {
        "contentType": "ButtonResponse",
        "buttonResponse": value | ({"originatingMessageId": message_id} if message_id else {}),
    }


def raw(answer: Answer) -> list[dict[str, object]]:
    return [item.raw for item in answer.content]


def test_a_chip() -> None:
    """Text is the label (§3.7, browser form)."""
    answer = answer_quick_reply(QuickReply(text="Blue", payload="colour:blue"), message_id="m")
    assert (answer.text, answer.in_reply_to) == ("Blue", "m")
    assert raw(answer) == [response("QuickReply", "Blue", "colour:blue", "m")]


def test_a_cards_button() -> None:
    """Without a payload its text is said."""
    assert raw(answer_card(CardAction(type="Postback", text="Order", payload="order:b"))) == [
        response("Button", "Order", "order:b")
    ]
    assert raw(answer_card(CardAction(type="Postback", text="Order"))) == [response("Button", "Order", "Order")]


def test_a_date() -> None:
    """No text; the moment as it was offered."""
    answer = answer_date("Mon 10:00", "2026-05-11T08:00:00.000Z", message_id="m")
    assert (answer.text, answer.in_reply_to) == ("", "m")
    assert raw(answer) == [response("DatePicker", "Mon 10:00", "2026-05-11T08:00:00.000Z", "m")]


def test_a_list() -> None:
    """One response a line; the text is the picker's own, or the titles."""
    items = (ListItem(id="b", title="Brush"), ListItem(id="r", title="Roller"))
    section = ListSection(title="Tools", items=items)
    answer = answer_list(
        ListPicker(sections=(section,), reply_message=PickerMessage(subtitle="My extras")), items, message_id="m"
    )
    assert answer.text == "My extras"
    assert raw(answer) == [response("ListPicker", "Brush", "b", "m"), response("ListPicker", "Roller", "r", "m")]
    for bare in (ListPicker(sections=(section,)), ListPicker(sections=(section,), reply_message=PickerMessage())):
        assert answer_list(bare, items, message_id="m").text == "Brush, Roller"


def test_a_form() -> None:
    """One entry a value, several under one id for a list (§3.7)."""
    asked = Form(canned_response_id="f", reply_message=PickerMessage(title="Thanks"))
    answer = answer_form(asked, {"name": [("Ada", "Ada")], "extras": [("Brush", "b"), ("Roller", "r")]}, message_id="m")
    assert (answer.text, answer.in_reply_to) == ("Thanks", "m")
    entries = [("name", "Ada", "Ada"), ("extras", "Brush", "b"), ("extras", "Roller", "r")]
    assert raw(answer) == [
        {
            "contentType": "Form",
            "form": {
                "cannedResponseId": "f",
                "originatingMessageId": "m",
                "response": [
                    {"id": part, "component": response("Form", text, payload)} for part, text, payload in entries
                ],
            },
        }
    ]
    assert answer_form(Form(), {}, message_id="m").text == ""


def test_files() -> None:
    """By their ids only (§3.5)."""
    assert raw(with_files("See", ["a", "b"])) == [
        {"contentType": "Attachment", "attachment": {"id": "a"}},
        {"contentType": "Attachment", "attachment": {"id": "b"}},
    ]
