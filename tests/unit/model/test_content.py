"""Rich content: typed where the kind is known, kept as it came in any case."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.content import (
    MAX_CONTENT_DEPTH,
    ButtonResponse,
    Card,
    CardAction,
    Carousel,
    ContentItem,
    QuickReply,
    button_response,
    card,
    parse_content,
    quick_reply,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "raw, value",
    [
        (
            {
                "contentType": "QuickReply",
                "quickReply": {"text": "Blue", "payload": "b", "image": "i", "action": "M"},
            },
            QuickReply(text="Blue", payload="b", image="i", action="M"),
        ),
        (
            {
                "contentType": "Card",
                "card": {
                    "title": "T",
                    "description": "d",
                    "image": "i",
                    "defaultAction": {"type": "Link", "url": "https://example.com"},
                    "actions": [{"type": "Postback", "text": "Yes", "payload": "y"}],
                },
            },
            Card(
                title="T",
                description="d",
                image="i",
                default_action=CardAction(type="Link", url="https://example.com"),
                actions=(CardAction(type="Postback", text="Yes", payload="y"),),
            ),
        ),
        ({"contentType": "Carousel", "carousel": {"cards": [{"title": "T"}]}}, Carousel(cards=(Card(title="T"),))),
        (
            {
                "contentType": "ButtonResponse",
                "buttonResponse": {"type": "QuickReply", "text": "t", "payload": "p", "originatingMessageId": "m"},
            },
            ButtonResponse(type="QuickReply", text="t", payload="p", originating_message_id="m"),
        ),
    ],
)
def test_a_known_kind_is_typed(raw: dict[str, object], value: object) -> None:
    """The members have the vendor's names on the wire, ours in Python."""
    (item,) = parse_content([raw])
    assert item.kind == raw["contentType"]
    assert item.value == value
    assert item.raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        {"contentType": "Hologram", "hologram": {"x": 1}},
        {"contentType": "QuickReply"},
        {"contentType": "QuickReply", "quickReply": {"text": 5, "payload": "p"}},
        {"contentType": "Card", "card": "no"},
        {"contentType": "Carousel", "carousel": {}},
    ],
)
def test_what_does_not_fit_is_kept_untyped(raw: dict[str, object]) -> None:
    """A client shows the message's text for it and passes it on as it came."""
    (item,) = parse_content([raw])
    assert item.value is None
    assert item.raw == raw


@pytest.mark.parametrize("items", [None, "text", 5, True, {"contentType": "Card"}])
def test_what_is_no_list_is_no_content(items: object) -> None:
    """The message's text is worth more."""
    assert parse_content(items) == ()


def test_elements_that_are_no_items_are_left_out() -> None:
    """The others stay, in order."""
    items: list[object] = [1, None, "a", [], {}, {"contentType": 5}, {"contentType": "A"}, {"contentType": "B"}]
    assert [item.kind for item in parse_content(items)] == ["A", "B"]


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"x": inner}])
def test_an_item_nested_too_deep_is_left_out(wrap: object) -> None:
    """One level less is kept; nobody's frame makes us raise RecursionError when we write it again."""
    assert callable(wrap)
    value: object = "x"
    for _ in range(MAX_CONTENT_DEPTH - 1):
        value = wrap(value)
    fits = {"contentType": "X", "x": value}
    too_deep = {"contentType": "X", "x": wrap(value)}
    assert [item.raw for item in parse_content([too_deep, fits])] == [fits]


@given(JSON_VALUES)
def test_any_json_is_parsed_without_an_error(items: object) -> None:
    """Whatever the provider sends."""
    for item in parse_content(items):
        assert isinstance(item, ContentItem)


def test_a_made_quick_reply_answers_with_its_text_unless_told() -> None:
    """And sends a message when chosen."""
    assert quick_reply("Blue").raw == {
        "contentType": "QuickReply",
        "quickReply": {"text": "Blue", "payload": "Blue", "action": "Message"},
    }
    assert quick_reply("Blue", "b").value == QuickReply(text="Blue", payload="b", action="Message")


@pytest.mark.parametrize(
    "item",
    [
        quick_reply("A", "a"),
        card(Card(title="T", actions=(CardAction(type="Link", text="Go", url="https://example.com"),))),
        button_response(ButtonResponse(type="Button", text="A", payload="a", originating_message_id="m")),
    ],
)
def test_what_we_make_is_what_we_parse(item: ContentItem) -> None:
    """Made, written and parsed again it is the same."""
    assert parse_content(msgspec.json.decode(msgspec.json.encode([item.raw]))) == (item,)
