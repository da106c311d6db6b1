"""Rich content: typed where the kind is known, kept as it came in any case."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.content import (
    MAX_CONTENT_DEPTH,
    Attachment,
    AvailableTime,
    ButtonResponse,
    Card,
    CardAction,
    Carousel,
    ContentItem,
    DatePicker,
    Form,
    FormAnswer,
    FormComponent,
    FormInput,
    FormIntroduction,
    FormPage,
    ListItem,
    ListPicker,
    ListSection,
    PickerMessage,
    QuickReply,
    QuickReplyV2,
    TextContent,
    WheelItem,
    WheelPicker,
    attachment,
    button_response,
    card,
    carousel,
    content_item,
    date_picker,
    form,
    list_picker,
    misfit,
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
        (
            {"contentType": "QuickReplyV2", "quickReplyV2": {"title": "T", "actions": [{"text": "A", "payload": "a"}]}},
            QuickReplyV2(title="T", actions=(QuickReply(text="A", payload="a"),)),
        ),
        (
            {
                "contentType": "DatePicker",
                "datePicker": {
                    "title": "Delivery",
                    "subtitle": "Next week",
                    "imageUrl": "i",
                    "dateMinimum": "a",
                    "dateMaximum": "z",
                    "availableTimes": [{"dateTime": "2026-05-11T08:00:00.000Z", "duration": 3600}],
                },
            },
            DatePicker(
                title="Delivery",
                subtitle="Next week",
                image_url="i",
                date_minimum="a",
                date_maximum="z",
                available_times=(AvailableTime(date_time="2026-05-11T08:00:00.000Z", duration=3600),),
            ),
        ),
        (
            {
                "contentType": "ListPicker",
                "listPicker": {
                    "receivedMessage": {"title": "Choose", "subtitle": "Some"},
                    "replyMessage": {"title": "Extras", "subtitle": "Mine"},
                    "sections": [
                        {
                            "title": "Tools",
                            "multipleSelection": True,
                            "items": [{"id": "b", "title": "Brush"}, {"id": "r", "title": "Roller", "subtitle": "25"}],
                        }
                    ],
                },
            },
            ListPicker(
                received_message=PickerMessage(title="Choose", subtitle="Some"),
                reply_message=PickerMessage(title="Extras", subtitle="Mine"),
                sections=(
                    ListSection(
                        title="Tools",
                        multiple_selection=True,
                        items=(ListItem(id="b", title="Brush"), ListItem(id="r", title="Roller", subtitle="25")),
                    ),
                ),
            ),
        ),
        (
            {
                "contentType": "Form",
                "form": {
                    "cannedResponseId": "f",
                    "showSummary": True,
                    "introduction": {"title": "Two questions", "buttonText": "Start"},
                    "formPages": [
                        {
                            "title": "You",
                            "subtitle": "",
                            "pageComponents": [
                                {"formComponentType": "Input", "input": {"id": "n", "isRequired": True}},
                                {"formComponentType": "DatePicker", "datePicker": {"id": "w"}},
                                {
                                    "formComponentType": "WheelPicker",
                                    "wheelPicker": {"items": [{"id": "1", "title": "One"}]},
                                },
                            ],
                        }
                    ],
                },
            },
            Form(
                canned_response_id="f",
                show_summary=True,
                introduction=FormIntroduction(title="Two questions", button_text="Start"),
                form_pages=(
                    FormPage(
                        title="You",
                        subtitle="",
                        page_components=(
                            FormComponent(form_component_type="Input", input=FormInput(id="n", is_required=True)),
                            FormComponent(form_component_type="DatePicker", date_picker=DatePicker(id="w")),
                            FormComponent(
                                form_component_type="WheelPicker",
                                wheel_picker=WheelPicker(items=(WheelItem(id="1", title="One"),)),
                            ),
                        ),
                    ),
                ),
            ),
        ),
        (
            {"contentType": "Form", "form": {"originatingMessageId": "m", "response": [{"id": "n", "component": {}}]}},
            Form(originating_message_id="m", response=(FormAnswer(id="n", component={}),)),
        ),
        (
            {
                "contentType": "Attachment",
                "attachment": {
                    "id": "a",
                    "mediaType": "Image",
                    "url": "u",
                    "filename": "f.png",
                    "fileSize": 3,
                    "mime": "i",
                },
            },
            Attachment(id="a", media_type="Image", url="u", filename="f.png", file_size=3, mime="i"),
        ),
        ({"contentType": "Attachment", "attachment": {"id": "a"}}, Attachment(id="a")),
        ({"contentType": "Text", "text": {"body": "Hi", "type": "Text"}}, TextContent(body="Hi", type="Text")),
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
        carousel(Carousel(cards=(Card(title="T"),))),
        date_picker(DatePicker(title="D", available_times=(AvailableTime(date_time="x", duration=60),))),
        list_picker(ListPicker(sections=(ListSection(title="S", items=(ListItem(id="i", title="I"),)),))),
        form(Form(canned_response_id="f", form_pages=(FormPage(title="P"),))),
        attachment(Attachment(id="a")),
    ],
)
def test_what_we_make_is_what_we_parse(item: ContentItem) -> None:
    """Made, written and parsed again it is the same; from its value alone it is made again."""
    assert parse_content(msgspec.json.decode(msgspec.json.encode([item.raw]))) == (item,)
    assert item.value is not None
    assert content_item(item.value) == item


@pytest.mark.parametrize(
    "raw, reason",
    [
        ({"contentType": "Hologram", "hologram": {"x": 1}}, None),
        ({"contentType": "Text", "text": {"body": "x"}}, None),
        ({"contentType": "QuickReply"}, "Expected `object`, got `null`"),
        ({"contentType": "Card", "card": {}}, "Object missing required field `title`"),
    ],
)
def test_what_does_not_fit_says_why(raw: dict[str, object], reason: str | None) -> None:
    """A known kind has a reason; a kind that nobody knows fits anything."""
    (item,) = parse_content([raw])
    assert misfit(item) == reason
