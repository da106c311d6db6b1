"""What is kept of a guest's content, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from guestwire.protocols.guest_session.guest_content import clean_mime, content_size, parse_guest_content


def button(kind: str = "QuickReply", **members: Any) -> dict[str, Any]:
    return {"contentType": "ButtonResponse", "buttonResponse": {"type": kind, "text": "t", "payload": "p"} | members}


def raws(*items: object, takes_files: bool = True) -> list[dict[str, Any]]:
    return [item.raw for item in parse_guest_content(list(items), takes_files=takes_files)]


@pytest.mark.parametrize("kind", ["Button", "QuickReply", "DatePicker", "ListPicker"])
def test_answers_are_kept(kind: str) -> None:
    """All kinds of them, with the message that they answer, and nothing that does not belong to an answer."""
    item = button(kind, originatingMessageId="m1")
    assert raws(item | {"x": 1}) == [item]
    assert raws(button(kind, html="<b>", originatingMessageId="m1")) == [item]


@pytest.mark.parametrize(
    "item",
    [
        button("Form"),
        button("Hologram"),
        button(text=1),
        button(originatingMessageId=""),
        button(originatingMessageId="x" * 129),
        button(originatingMessageId="a\nb"),
        {"contentType": "Card", "card": {"title": "t"}},
        {"contentType": "QuickReply", "quickReply": {"text": "t", "payload": "p"}},
        {"contentType": "Text", "text": {"body": "x"}},
        {"contentType": "Form", "form": {}},
        {"contentType": "Form", "form": {"response": [{"id": "a", "component": button("Button")}]}},
        {"contentType": "Attachment", "attachment": {"url": "https://evil.example/x"}},
        {"contentType": "Attachment", "attachment": {"id": "a\r\nb"}},
        {"contentType": "Attachment", "attachment": {"id": 7}},
        "text",
        None,
    ],
)
def test_the_rest_is_left_out(item: object) -> None:
    """What only a provider may say, and what has another shape."""
    assert raws(item) == []


def test_a_form_is_its_answers_only() -> None:
    """Pages, words and components of other kinds go."""
    answer = {"id": "name", "component": button("Form", text="Ada", payload="Ada")}
    form = {
        "originatingMessageId": "m1",
        "cannedResponseId": "c1",
        "response": [answer, {"id": "bad", "component": {"contentType": "Card", "card": {"title": "t"}}}],
        "formPages": [{"title": "evil"}],
    }
    kept = {"response": [answer], "originatingMessageId": "m1", "cannedResponseId": "c1"}
    assert raws({"contentType": "Form", "form": form}) == [{"contentType": "Form", "form": kept}]


def test_a_file_is_what_the_upload_told() -> None:
    """Its address is never the guest's, its name has no tricks, its type is one."""
    file = {
        "id": "f1",
        "filename": "../..\\a/in\u202egnp.exe\r\n",
        "mime": "Image/PNG; charset=x",
        "mediaType": "Script",
        "fileSize": 12,
        "url": "https://evil.example/x",
        "text": "caption",
        "sha256": "00",
    }
    kept = {"id": "f1", "mediaType": "Image", "filename": "ingnp.exe", "fileSize": 12, "mime": "image/png"}
    assert raws({"contentType": "Attachment", "attachment": file}) == [
        {"contentType": "Attachment", "attachment": kept}
    ]
    bare = {"id": "f1", "filename": "..", "mime": "nonsense", "fileSize": -1}
    assert raws({"contentType": "Attachment", "attachment": bare}) == [
        {"contentType": "Attachment", "attachment": {"id": "f1", "mediaType": "File"}}
    ]


def test_files_only_where_they_are_taken() -> None:
    """A provider of the tutorial has none."""
    assert raws({"contentType": "Attachment", "attachment": {"id": "f1"}}, button(), takes_files=False) == [button()]


def test_size() -> None:
    """It is that of what is kept."""
    assert content_size(()) == 0
    assert content_size(parse_guest_content([button()])) == len(
        '[{"contentType":"ButtonResponse","buttonResponse":{"type":"QuickReply","text":"t","payload":"p"}}]'
    )


@pytest.mark.parametrize(
    "value, mime",
    [
        ("text/plain", "text/plain"),
        (" Image/SVG+XML ; q=1", "image/svg+xml"),
        ("*/*", None),
        ("text", None),
        ("text/", None),
        ("text/html\r\nx: y", None),
        ("text/ht ml", None),
        ("", None),
    ],
)
def test_mime(value: str, mime: str | None) -> None:
    """Lower case, no parameters, and no more than a media type."""
    assert clean_mime(value) == mime
