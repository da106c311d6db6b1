"""Faults that refuse what a guest asks, before the provider sees it: every error of web-messaging §4.7 at will."""

from __future__ import annotations

from guestwire.emulator.faults import FaultName
from guestwire.emulator.org import Org
from guestwire.protocols.web_messaging.answers import refusal, too_many, url_refusal
from guestwire.protocols.web_messaging.requests import (
    BadRequest,
    ConfigureAuthenticatedSession,
    ConfigureSession,
    DeleteAttachment,
    GetAttachment,
    GetJwt,
    OnAttachment,
    OnMessage,
    decode_request,
)
from guestwire.protocols.web_messaging.wire import OutboundFrame

__all__ = ["refusal_of"]

_TOO_MANY = frozenset({429, 4029})

_WORDS = {
    401: "not authorised",
    403: "Session authentication failed",
    409: "the session is read-only",
    4006: "session expired",
    4007: "session not found",
    4011: "the message is too long",
    4013: "custom attributes are too large",
    4017: "an authenticated session can't become an unauthenticated one",
}


def refusal_of(org: Org, text: str) -> OutboundFrame | None:
    """Return the error that the faults answer a frame with; None when it is let through."""
    faults = org.faults
    if not any(faults.is_on(name) for name in _SWITCHES):
        return None
    request = decode_request(text)
    if isinstance(request, BadRequest):
        return None
    tracing_id = request.tracing_id
    match request:
        case ConfigureSession() | ConfigureAuthenticatedSession() if faults.is_on(FaultName.REFUSE_SESSIONS):
            return _error(org, FaultName.REFUSE_SESSIONS, tracing_id)
        case OnMessage() if faults.is_on(FaultName.REFUSE_MESSAGES):
            return _error(org, FaultName.REFUSE_MESSAGES, tracing_id)
        case GetJwt() if faults.is_on(FaultName.REFUSE_JWT):
            return _error(org, FaultName.REFUSE_JWT, tracing_id)
        case OnAttachment() | GetAttachment() | DeleteAttachment() if faults.is_on(FaultName.REFUSE_ATTACHMENTS):
            code = faults.value(FaultName.REFUSE_ATTACHMENTS, "code")
            attachment_id = request.attachment_id or org.ids.new_id("web-messaging attachment")
            words = "refused by a fault"
            if isinstance(request, DeleteAttachment):
                return refusal(code, words, tracing_id=tracing_id)
            return url_refusal(code, words, attachment_id=attachment_id, tracing_id=tracing_id)
        case _:
            return None


_SWITCHES = (
    FaultName.REFUSE_SESSIONS,
    FaultName.REFUSE_MESSAGES,
    FaultName.REFUSE_JWT,
    FaultName.REFUSE_ATTACHMENTS,
)


def _error(org: Org, name: FaultName, tracing_id: str | None) -> OutboundFrame:
    code = org.faults.value(name, "code")
    if code in _TOO_MANY:
        return too_many(org.faults.params(name)["retryAfterS"], tracing_id=tracing_id)
    return refusal(code, _WORDS.get(code, "refused by a fault"), tracing_id=tracing_id)
