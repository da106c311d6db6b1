"""The provider's frames, held to what the official clients cannot do without."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from guestwire.model.content import (
    Attachment,
    Card,
    CardAction,
    Carousel,
    ContentItem,
    DatePicker,
    ListPicker,
    attachment,
    card,
    carousel,
    date_picker,
    list_picker,
    parse_content,
    quick_reply,
)
from guestwire.protocols.web_messaging import answers
from guestwire.protocols.web_messaging.wire import (
    GetConfigurationResponse,
    MessageBody,
    OutboundFrame,
    PresignedUrlResponse,
    SessionResponse,
    encode_outbound,
)

AT = datetime(2026, 5, 4, 9, 12, 30, 118_000, tzinfo=UTC)

# web-messaging §7.3: object → what the mobile SDK fails without.
REQUIRED: dict[str, set[str]] = {
    "SessionResponse": {"connected"},
    "StructuredMessage": {"id", "type", "direction"},
    "PresignedUrlResponse": {"attachmentId", "headers", "url"},
    "UploadSuccessEvent": {"attachmentId", "downloadUrl", "timestamp"},
    "UploadFailureEvent": {"attachmentId", "errorCode", "errorMessage", "timestamp"},
    "GenerateUrlError": {"attachmentId", "errorCode", "errorMessage"},
    "TooManyRequestsErrorMessage": {"retryAfter", "errorCode", "errorMessage"},
    "AttachmentDeletedResponse": {"attachmentId"},
    "JwtResponse": {"jwt", "exp"},
    "GetConfigurationResponse": {"allowedMedia", "maxCustomDataBytes", "messageRoutingEnabled"},
    "ConnectionClosedEvent": set(),
    "SessionExpiredEvent": set(),
    "SessionClearedEvent": set(),
    "LogoutEvent": set(),
    "string": set(),
}
ITEM_REQUIRED: dict[str, tuple[str, set[str]]] = {
    "Attachment": ("attachment", {"id", "url", "filename", "mediaType"}),
    "QuickReply": ("quickReply", {"text", "payload"}),
    "Card": ("card", {"title", "description", "actions"}),
    "DatePicker": ("datePicker", {"title"}),
}

TEXT = answers.outbound_message(message_id="m", at=AT, text="x", is_bot=True, name="Otto", correlation_id="c")
FRAMES: list[tuple[str, OutboundFrame]] = [
    ("response", answers.session_answer(SessionResponse(connected=True), tracing_id="t")),
    (
        "response",
        answers.configuration(
            GetConfigurationResponse(
                allowed_media=answers.allowed_media(["*/*"], 10240),
                max_custom_data_bytes=2048,
                message_routing_enabled=True,
            ),
            tracing_id="t",
        ),
    ),
    ("response", answers.jwt_answer("j", 5, tracing_id="t")),
    ("response", answers.health_answer("ping", message_id="m", duration_s=5, expires=9, tracing_id="t")),
    ("message", answers.message_frame(TEXT, tracing_id="t")),
    ("message", answers.message_frame(answers.typing_event(message_id="m", at=AT))),
    ("message", answers.message_frame(answers.presence_event("Disconnect", message_id="m", at=AT, read_only=True))),
    ("message", answers.message_frame(answers.presence_event("SignIn", message_id="m", at=AT, first_name="Ada"))),
    ("response", answers.refusal(4011, "too long", tracing_id="t")),
    ("response", answers.too_many(0, tracing_id="t")),
    ("response", answers.url_refusal(4001, "no", attachment_id="a", tracing_id="t")),
    (
        "response",
        answers.upload_url(PresignedUrlResponse(attachment_id="a", url="u", headers={"x": "y"}), tracing_id="t"),
    ),
    ("response", answers.download_url("a", "u", file_size=5, tracing_id="t")),
    ("message", answers.upload_succeeded("a", "u", AT)),
    ("message", answers.upload_failed("a", 4003, "no", AT)),
    ("message", answers.attachment_deleted("a", tracing_id="t")),
    ("message", answers.closed("signedIn")),
    ("message", answers.cleared()),
    ("message", answers.logged_out()),
    ("message", answers.expired(answers=False)),
    ("response", answers.expired(answers=True, tracing_id="t")),
]


def written(frame: OutboundFrame) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(encode_outbound(frame))
    return value


@pytest.mark.parametrize("kind, frame", FRAMES, ids=lambda value: value if isinstance(value, str) else None)
def test_every_frame_is_one_that_all_clients_take(kind: str, frame: OutboundFrame) -> None:
    """Rules 2, 4, 6, 7 and 8 of §7.2, and the required members of §7.3."""
    value = written(frame)
    assert set(value) >= {"type", "class", "code", "body"}
    assert value["type"] == kind
    body = value["body"]
    if value["class"] != "string":
        assert set(body) >= REQUIRED[value["class"]]
    if value["class"] == "StructuredMessage":
        assert all(isinstance(one, str) for one in body.get("metadata", {}).values())
    if value["class"] == "StructuredMessage" and kind == "message":
        assert body["channel"]["time"] == "2026-05-04T09:12:30.118Z"
        assert ("events" in body) == (body["type"] == "Event")
    assert all(isinstance(one, int) for one in _numbers(body))


def _numbers(value: object) -> list[float]:
    found = value.values() if isinstance(value, dict) else []
    return [one for one in found if isinstance(one, int | float)]


def test_every_kind_of_frame_is_tried() -> None:
    """A new one needs its row above."""
    assert {written(frame)["class"] for _, frame in FRAMES} == set(REQUIRED)


def test_errors_have_their_numbers() -> None:
    """In the envelope, and in the body of those that have one (§4.7)."""
    assert written(answers.refusal(4011, "x"))["code"] == 4011
    slow = written(answers.too_many(3))
    assert (slow["code"], slow["body"]["errorCode"], slow["body"]["retryAfter"]) == (429, 4029, 3)
    assert written(answers.too_many(0))["body"]["retryAfter"] == 1
    assert written(answers.url_refusal(4002, "x", attachment_id="a"))["code"] == 400
    closed = written(answers.closed("signedIn"))["body"]
    assert closed == {"reason": "signedIn", "reasonCode": "signedIn"}


def test_health_tells_of_the_session_in_strings() -> None:
    """Nothing where sessions do not end (§3.9)."""
    body = written(answers.health_answer("ping", message_id="m", duration_s=5, expires=9, tracing_id=None))["body"]
    assert body["metadata"] == {"durationSeconds": "5", "expirationDate": "9"}
    bare = written(answers.health_answer("ping", message_id="m", duration_s=None, expires=None, tracing_id=None))
    assert "metadata" not in bare["body"]


def outbound(*content: ContentItem) -> MessageBody:
    return answers.outbound_message(message_id="m", at=AT, text=None, content=content)


def test_plain_text_is_never_structured() -> None:
    """One client drops a structured message it does not know, text and all (§4.5)."""
    assert outbound().type == "Text"
    assert outbound(attachment(Attachment(id="a"))).type == "Text"
    assert outbound(quick_reply("A")).type == "Structured"
    assert outbound(list_picker(ListPicker(sections=()))).type == "Structured"
    assert outbound().originating_entity == "Human"
    assert TEXT.originating_entity == "Bot"


@pytest.mark.parametrize(
    "item",
    [
        attachment(Attachment(id="a")),
        quick_reply("A"),
        card(
            Card(
                title="T", actions=(CardAction(type="Link", url="u"),), default_action=CardAction(type="Link", url="u")
            )
        ),
        carousel(Carousel(cards=(Card(title="T"),))),
        date_picker(DatePicker()),
        *parse_content([{"contentType": "Card"}, {"contentType": "Carousel", "carousel": 5}, {"contentType": "Story"}]),
    ],
    ids=lambda item: item.kind,
)
def test_rich_content_is_completed(item: ContentItem) -> None:
    """Without these members a client drops the whole frame (§7.3)."""
    (raw,) = answers.complete_content([item])
    cards: list[Any] = []
    if item.kind in ITEM_REQUIRED:
        member, required = ITEM_REQUIRED[item.kind]
        value: Any = raw[member]
        assert set(value) >= required
        cards = [value] if item.kind == "Card" else []
    elif item.kind == "Carousel":
        whole: Any = raw["carousel"]
        cards = whole["cards"]
    else:
        assert raw == item.raw
    for one in cards:
        assert set(one) >= ITEM_REQUIRED["Card"][1]
        actions = [*one["actions"], *([one["defaultAction"]] if "defaultAction" in one else [])]
        assert all("text" in action for action in actions)


def test_pickers_and_forms_are_completed() -> None:
    """With what the schema requires; an answered form gets no pages."""
    section = {"items": [{"id": "a", "title": "A"}]}
    picker = {"sections": [section, 5]}
    component = {"formComponentType": "Input", "input": {"id": "name"}}
    nested = {"formComponentType": "ListPicker", "listPicker": {}}
    items = parse_content(
        [
            {"contentType": "ListPicker", "listPicker": picker},
            {"contentType": "Form", "form": {"formPages": [{"pageComponents": [component, nested]}, {}]}},
            {"contentType": "Form", "form": {"cannedResponseId": "c"}},
        ]
    )
    first, second, third = answers.complete_content(items)
    whole = {"title": "", "multipleSelection": False, "items": []}
    expected = {"receivedMessage": {}, "replyMessage": {}, "sections": [{**whole, **section}, whole]}
    assert first["listPicker"] == expected
    form: Any = second["form"]
    page = form["formPages"][0]
    assert (form["cannedResponseId"], page["title"], page["subtitle"]) == ("", "", "")
    assert page["pageComponents"][0]["input"] == {"id": "name", "isRequired": False, "isMultipleLine": False}
    assert page["pageComponents"][1]["listPicker"]["sections"] == []
    assert form["formPages"][1]["pageComponents"] == []
    assert third["form"] == {"cannedResponseId": "c"}
