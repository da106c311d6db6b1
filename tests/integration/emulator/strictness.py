"""What the vendor's clients can't do without in a frame: checked on every frame that a test gets.

The mobile SDK drops a frame in which a required member is missing, has another JSON type, or a closed enumeration has
an unknown value; one client crashes without a time, one reads events without asking.

Source: web-messaging §7.2, §7.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

CLASSES: dict[str, dict[str, type]] = {
    "SessionResponse": {"connected": bool},
    "StructuredMessage": {"id": str, "type": str, "direction": str},
    "PresignedUrlResponse": {"attachmentId": str, "headers": dict, "url": str},
    "UploadSuccessEvent": {"attachmentId": str, "downloadUrl": str, "timestamp": str},
    "UploadFailureEvent": {"attachmentId": str, "errorCode": int, "errorMessage": str, "timestamp": str},
    "AttachmentDeletedResponse": {"attachmentId": str},
    "GenerateUrlError": {"attachmentId": str, "errorCode": int, "errorMessage": str},
    "TooManyRequestsErrorMessage": {
        "retryAfter": int,
        "errorCode": int,
        "errorMessage": str,
        "name": str,
        "message": str,
    },
    "JwtResponse": {"jwt": str, "exp": int},
    "GetConfigurationResponse": {"allowedMedia": dict, "maxCustomDataBytes": int, "messageRoutingEnabled": bool},
    "ConnectionClosedEvent": {},
    "SessionExpiredEvent": {},
    "SessionClearedEvent": {},
    "LogoutEvent": {},
}
"""`class` → members of its body that must be there, and their JSON type."""

CONTENT: dict[str, tuple[str, dict[str, type]]] = {
    "Attachment": ("attachment", {"id": str, "url": str, "filename": str, "mediaType": str}),
    "QuickReply": ("quickReply", {"text": str, "payload": str}),
    "ButtonResponse": ("buttonResponse", {"text": str, "payload": str, "type": str}),
    "Card": ("card", {"title": str, "description": str, "actions": list}),
    "Carousel": ("carousel", {"cards": list}),
    "DatePicker": ("datePicker", {"title": str}),
    "ListPicker": ("listPicker", {"sections": list, "receivedMessage": dict, "replyMessage": dict}),
    "Form": ("form", {"cannedResponseId": str}),
}

SHOWN_TO_MOBILE = {"QuickReply", "Card", "Carousel", "DatePicker", "ButtonResponse"}

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MOBILE_TYPES = {"Text", "Event", "Structured"}
MOBILE_PRESENCES = {"Join", "Disconnect", "Clear", "SignIn"}
PUSHED = {
    "AttachmentDeletedResponse",
    "UploadSuccessEvent",
    "UploadFailureEvent",
    "ConnectionClosedEvent",
    "SessionClearedEvent",
    "LogoutEvent",
}


def check_frame(frame: dict[str, Any]) -> None:
    """Check one frame of the provider's."""
    assert {"type", "class", "code", "body"} <= set(frame) <= {"type", "class", "code", "body", "tracingId"}, frame
    assert frame["type"] in {"message", "response"}, frame
    assert type(frame["code"]) is int, frame
    _no_decimals(frame)
    kind, body = frame["class"], frame["body"]
    if kind == "string":
        assert isinstance(body, str), frame
        assert body, frame
        assert frame["type"] == "response", frame
        assert frame["code"] != 200, frame
        return
    _members(body, CLASSES[kind], frame)
    refused = {"GenerateUrlError": 400, "TooManyRequestsErrorMessage": 429}
    assert frame["code"] == refused.get(kind, 200), frame
    if kind in PUSHED:
        assert frame["type"] == "message", frame
    elif kind == "StructuredMessage":
        check_message(body, is_answer=frame["type"] == "response")
    elif kind != "SessionExpiredEvent":
        assert frame["type"] == "response", frame
    if kind == "SessionResponse":
        for one in body.get("allowedMedia", {}).get("inbound", {}).get("fileTypes", []):
            assert isinstance(one["type"], str), frame
    if kind == "UploadSuccessEvent":
        assert TIME.fullmatch(body["timestamp"]), frame


def check_message(body: dict[str, Any], *, is_answer: bool = False) -> None:
    """Check a message: of a frame, or of the history."""
    _members(body, CLASSES["StructuredMessage"], body)
    assert body["type"] in MOBILE_TYPES, body
    assert body["direction"] in {"Inbound", "Outbound"}, body
    assert all(isinstance(value, str) for value in body.get("metadata", {}).values()), body
    if is_answer:
        return
    assert TIME.fullmatch(body["channel"]["time"]), body
    content = body.get("content", [])
    for item in content:
        name, required = CONTENT[item["contentType"]]
        if item["contentType"] != "Form" or body["direction"] == "Outbound":
            _members(item[name], required, item)
        check = _CHECKS.get(item["contentType"])
        if check is not None:
            check(item[name])
    if body["type"] == "Event":
        assert body["events"], body
        for event in body["events"]:
            assert isinstance(event["eventType"], str), body
            if event["eventType"] == "Presence":
                assert event["presence"]["type"] in MOBILE_PRESENCES, body
            if event["eventType"] == "Typing":
                assert event["typing"]["type"] == "On", body
    elif body["direction"] == "Outbound":
        kinds = {item["contentType"] for item in content}
        is_plain = not kinds - {"Attachment"}
        assert (body["type"] == "Text") is is_plain, "the mobile SDK drops what it does not recognise (§4.5)"
        assert isinstance(body["text"], str), body
        assert body["originatingEntity"] in {"Human", "Bot"}, body


def check_history(page: dict[str, Any]) -> None:
    """Check a page of the history."""
    for name in ("pageSize", "pageNumber", "total", "pageCount"):
        assert type(page[name]) is int, page
    times = [one["channel"]["time"] for one in page["entities"]]
    assert times == sorted(set(times), reverse=True), times
    for one in page["entities"]:
        check_message(one)
        assert "tracingId" not in one
    _no_decimals(page)


def _check_card(card: dict[str, Any]) -> None:
    _members(card, CONTENT["Card"][1], card)
    for action in [*card["actions"], *([card["defaultAction"]] if "defaultAction" in card else [])]:
        _members(action, {"type": str, "text": str}, card)


def _check_carousel(carousel: dict[str, Any]) -> None:
    for card in carousel["cards"]:
        _check_card(card)


def _check_dates(picker: dict[str, Any]) -> None:
    for one in picker.get("availableTimes", []):
        _members(one, {"duration": int, "dateTime": str}, picker)


def _check_list(picker: dict[str, Any]) -> None:
    for section in picker["sections"]:
        _members(section, {"title": str, "multipleSelection": bool, "items": list}, picker)
        for item in section["items"]:
            _members(item, {"id": str, "title": str}, picker)


_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "Card": _check_card,
    "Carousel": _check_carousel,
    "DatePicker": _check_dates,
    "ListPicker": _check_list,
}


def _members(value: dict[str, Any], required: dict[str, type], whole: object) -> None:
    for name, kind in required.items():
        assert type(value.get(name)) is kind, (name, whole)


def _no_decimals(value: object) -> None:
    assert not isinstance(value, float), value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _no_decimals(one)
