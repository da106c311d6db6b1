"""The provider's frames, built as the official clients parse them.

The vendor's mobile SDK drops a whole frame when a member that it wants is missing or of another type, so what is
optional to us is written all the same; `complete_content` does that for rich content.

Source: web-messaging §4, §7.2, §7.3; §8 where sources disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from guestwire.model.content import ContentItem
from guestwire.model.times import format_time
from guestwire.protocols.web_messaging.wire import (
    AllowedMedia,
    AttachmentDeletedResponse,
    Channel,
    ConnectionClosedEvent,
    Direction,
    ErrorText,
    EventBody,
    FileType,
    GenerateUrlError,
    GetConfigurationResponse,
    InboundMedia,
    JwtResponse,
    LogoutEvent,
    MessageBody,
    MessageKind,
    OutboundFrame,
    Participant,
    PresenceBody,
    PresignedUrlResponse,
    SessionClearedEvent,
    SessionExpiredEvent,
    SessionResponse,
    TooManyRequests,
    TypingBody,
    UploadFailureEvent,
    UploadSuccessEvent,
)

__all__ = [
    "allowed_media",
    "attachment_deleted",
    "cleared",
    "closed",
    "complete_content",
    "configuration",
    "download_url",
    "expired",
    "health_answer",
    "jwt_answer",
    "logged_out",
    "message_frame",
    "outbound_message",
    "presence_event",
    "refusal",
    "session_answer",
    "too_many",
    "typing_event",
    "upload_failed",
    "upload_succeeded",
    "upload_url",
    "url_refusal",
]


def allowed_media(file_types: Sequence[str], max_file_size_kb: int) -> AllowedMedia:
    """Build the rules of uploads; `*/*` and `image/*` are possible types."""
    types = tuple(FileType(type=one) for one in file_types)
    return AllowedMedia(inbound=InboundMedia(file_types=types, max_file_size_kb=max_file_size_kb))


def session_answer(body: SessionResponse, *, tracing_id: str | None) -> OutboundFrame:
    """Answer a configure or close."""
    return OutboundFrame(kind="response", body=body, tracing_id=tracing_id)


def configuration(body: GetConfigurationResponse, *, tracing_id: str | None) -> OutboundFrame:
    """Answer `getConfiguration`."""
    return OutboundFrame(kind="response", body=body, tracing_id=tracing_id)


def jwt_answer(jwt: str, exp: int, *, tracing_id: str | None) -> OutboundFrame:
    """Answer `getJwt`; `exp` in Unix seconds."""
    return OutboundFrame(kind="response", body=JwtResponse(jwt=jwt, exp=exp), tracing_id=tracing_id)


def health_answer(
    text: str, *, message_id: str, duration_s: int | None, expires: int | None, tracing_id: str | None
) -> OutboundFrame:
    """Answer `echo`, with the seconds of the session's life as strings (§3.9)."""
    told = {"durationSeconds": duration_s, "expirationDate": expires}
    metadata: dict[str, object] = {key: str(value) for key, value in told.items() if value is not None}
    body = MessageBody(
        id=message_id, type=MessageKind.TEXT, direction=Direction.INBOUND, text=text, metadata=metadata or None
    )
    return OutboundFrame(kind="response", body=body, tracing_id=tracing_id)


def message_frame(body: MessageBody, *, tracing_id: str | None = None) -> OutboundFrame:
    """Say a message on a connection; an inbound echo carries the tracing id of its request."""
    return OutboundFrame(kind="message", body=body, tracing_id=tracing_id)


def outbound_message(
    *,
    message_id: str,
    at: datetime,
    text: str | None,
    content: Sequence[ContentItem] = (),
    is_bot: bool = False,
    name: str | None = None,
    image: str | None = None,
    correlation_id: str | None = None,
) -> MessageBody:
    """Build what an agent or a bot says.

    Plain text, also with files, is `Text`; anything else to choose from is `Structured`, because one client drops a
    structured message whose content it does not know (§4.5).
    """
    is_structured = any(item.kind not in {"Attachment", "Text"} for item in content)
    return MessageBody(
        id=message_id,
        type=MessageKind.STRUCTURED if is_structured else MessageKind.TEXT,
        direction=Direction.OUTBOUND,
        text=text or "",
        content=complete_content(content),
        channel=_channel(at, name, image),
        originating_entity="Bot" if is_bot else "Human",
        metadata={"correlationId": correlation_id} if correlation_id else {},
    )


def typing_event(
    *, message_id: str, at: datetime, duration_ms: int = 5000, is_bot: bool = False, name: str | None = None
) -> MessageBody:
    """Build «somebody types»; never `Off`, which one client would show as typing (§4.6)."""
    event = EventBody(event_type="Typing", typing=TypingBody(duration=duration_ms))
    return _event(event, message_id=message_id, at=at, is_bot=is_bot, name=name)


def presence_event(
    kind: str,
    *,
    message_id: str,
    at: datetime,
    read_only: bool | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
) -> MessageBody:
    """Build `Disconnect` (outbound, with `read_only`), or `SignIn` (inbound, with the guest's names)."""
    event = EventBody(event_type="Presence", presence=PresenceBody(type=kind))
    if read_only is not None:
        metadata: dict[str, object] = {"readOnly": "true" if read_only else "false"}
        return _event(event, message_id=message_id, at=at, metadata=metadata)
    who = Participant(first_name=first_name, last_name=last_name)
    return MessageBody(
        id=message_id,
        type=MessageKind.EVENT,
        direction=Direction.INBOUND,
        events=(event,),
        channel=Channel(time=format_time(at), message_id=message_id, type="Private", sender=who),
        metadata={},
    )


def refusal(number: int, text: str, *, tracing_id: str | None = None) -> OutboundFrame:
    """Refuse a request: class `string`, the only general error that the mobile SDK handles."""
    return OutboundFrame(kind="response", code=number, body=ErrorText(text=text), tracing_id=tracing_id)


def too_many(retry_after_s: int, *, tracing_id: str | None = None) -> OutboundFrame:
    """Refuse a request because there were too many."""
    words = "slow down"
    body = TooManyRequests(
        name="TooManyRequests", message=words, retry_after=max(1, retry_after_s), error_code=4029, error_message=words
    )
    return OutboundFrame(kind="response", code=429, body=body, tracing_id=tracing_id)


def url_refusal(number: int, text: str, *, attachment_id: str, tracing_id: str | None = None) -> OutboundFrame:
    """Refuse an `onAttachment` or `getAttachment`."""
    body = GenerateUrlError(
        name="GenerateUrlError", message=text, attachment_id=attachment_id, error_code=number, error_message=text
    )
    return OutboundFrame(kind="response", code=400, body=body, tracing_id=tracing_id)


def upload_url(body: PresignedUrlResponse, *, tracing_id: str | None) -> OutboundFrame:
    """Tell where to upload; the headers may not be empty (§7.2 rule 12)."""
    return OutboundFrame(kind="response", body=body, tracing_id=tracing_id)


def download_url(attachment_id: str, url: str, *, file_size: int, tracing_id: str | None) -> OutboundFrame:
    """Tell where to download: empty headers and a size say that it is no upload."""
    body = PresignedUrlResponse(attachment_id=attachment_id, url=url, headers={}, file_size=file_size)
    return OutboundFrame(kind="response", body=body, tracing_id=tracing_id)


def upload_succeeded(attachment_id: str, url: str, at: datetime) -> OutboundFrame:
    """Tell that a file was taken."""
    return OutboundFrame(
        body=UploadSuccessEvent(attachment_id=attachment_id, download_url=url, timestamp=format_time(at))
    )


def upload_failed(attachment_id: str, number: int, text: str, at: datetime) -> OutboundFrame:
    """Tell that a file was refused after its upload."""
    body = UploadFailureEvent(
        attachment_id=attachment_id, error_code=number, error_message=text, timestamp=format_time(at)
    )
    return OutboundFrame(body=body)


def attachment_deleted(attachment_id: str, *, tracing_id: str | None) -> OutboundFrame:
    """Tell that a file is gone."""
    return OutboundFrame(body=AttachmentDeletedResponse(attachment_id=attachment_id), tracing_id=tracing_id)


def closed(reason: str | None = None) -> OutboundFrame:
    """Tell that the connection is over; under both names of the reason (§8 row 1)."""
    return OutboundFrame(body=ConnectionClosedEvent(reason=reason, reason_code=reason))


def cleared() -> OutboundFrame:
    """Tell that everything was forgotten."""
    return OutboundFrame(body=SessionClearedEvent())


def logged_out() -> OutboundFrame:
    """Tell that the guest was signed out."""
    return OutboundFrame(body=LogoutEvent())


def expired(*, answers: bool, tracing_id: str | None = None) -> OutboundFrame:
    """Tell that the session is over, as an answer or unasked (§8 row 3)."""
    return OutboundFrame(kind="response" if answers else "message", body=SessionExpiredEvent(), tracing_id=tracing_id)


def complete_content(content: Sequence[ContentItem]) -> list[dict[str, object]]:
    """Return the items as they are written, with the members that the mobile SDK can't do without (§7.3)."""
    return [_complete(item) for item in content]


def _complete(item: ContentItem) -> dict[str, object]:
    raw = dict(item.raw)
    match item.kind:
        case "Card":
            raw["card"] = _card(raw.get("card"))
        case "Carousel":
            carousel = _object(raw.get("carousel"))
            raw["carousel"] = {**carousel, "cards": [_card(one) for one in _list(carousel.get("cards"))]}
        case "DatePicker":
            raw["datePicker"] = {"title": "", **_object(raw.get("datePicker"))}
        case "ListPicker":
            raw["listPicker"] = _list_picker(raw.get("listPicker"))
        case "Form":
            form = _object(raw.get("form"))
            pages = [_form_page(one) for one in _list(form.get("formPages"))]
            raw["form"] = {"cannedResponseId": "", **form, **({"formPages": pages} if "formPages" in form else {})}
        case "Attachment":
            raw["attachment"] = {"id": "", "url": "", "filename": "", "mediaType": "File"} | _object(
                raw.get("attachment")
            )
        case _:
            pass
    return raw


def _card(value: object) -> dict[str, object]:
    card: dict[str, object] = {"title": "", "description": "", **_object(value)}
    card["actions"] = [{"text": "", **_object(one)} for one in _list(card.get("actions"))]
    if "defaultAction" in card:
        card["defaultAction"] = {"text": "", **_object(card["defaultAction"])}
    return card


def _list_picker(value: object) -> dict[str, object]:
    # The schema requires these; the mobile SDK does not know the kind (§4.5).
    picker: dict[str, object] = {"receivedMessage": {}, "replyMessage": {}, **_object(value)}
    sections = [_object(one) for one in _list(picker.get("sections"))]
    return {**picker, "sections": [{"title": "", "multipleSelection": False, "items": [], **one} for one in sections]}


def _form_page(value: object) -> dict[str, object]:
    page: dict[str, object] = {"title": "", "subtitle": "", **_object(value)}
    page["pageComponents"] = [_form_component(_object(one)) for one in _list(page.get("pageComponents"))]
    return page


def _form_component(component: dict[str, object]) -> dict[str, object]:
    completed = dict(component)
    if "input" in component:
        completed["input"] = {"isRequired": False, "isMultipleLine": False, **_object(component["input"])}
    if "listPicker" in component:
        completed["listPicker"] = _list_picker(component["listPicker"])
    return completed


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _event(
    event: EventBody,
    *,
    message_id: str,
    at: datetime,
    is_bot: bool = False,
    name: str | None = None,
    metadata: dict[str, object] | None = None,
) -> MessageBody:
    return MessageBody(
        id=message_id,
        type=MessageKind.EVENT,
        direction=Direction.OUTBOUND,
        events=(event,),
        channel=_channel(at, name, None),
        originating_entity="Bot" if is_bot else "Human",
        metadata=metadata or {},
    )


def _channel(at: datetime, name: str | None, image: str | None) -> Channel:
    return Channel(time=format_time(at), type="Private", sender=Participant(nickname=name, image=image))
