"""Runs the steps of tests/frames/guest-session/connection.json; tests/js does the same on the browser core."""

from __future__ import annotations

import json
from typing import Any

from guestwire.errors import ChatError
from guestwire.model.events import StatusChanged, event_to_json
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.client import (
    Authenticate,
    CheckSession,
    CloseSocket,
    CreateSession,
    Effect,
    GuestSessionClient,
    OpenSocket,
    SendFrame,
)
from guestwire.protocols.guest_session.session import GuestSession


def run_step(client: GuestSessionClient, step: dict[str, Any], now: float) -> dict[str, Any]:
    """Do one step and return what can be seen afterwards, in the vectors' words."""
    seen: dict[str, Any] = {}
    try:
        _do(client, step, now)
    except ChatError as error:
        seen["raises"] = error.code
    seen["state"] = client.state.value
    seen["effects"] = [_effect(effect) for effect in client.effects()]
    events = client.events()
    seen["statuses"] = [_status(event) for event in events if isinstance(event, StatusChanged)]
    seen["events"] = [event_to_json(event) for event in events if not isinstance(event, StatusChanged)]
    seen["deadline"] = client.next_deadline()
    return {name: value for name, value in seen.items() if value not in ([], None)}


def _do(client: GuestSessionClient, step: dict[str, Any], now: float) -> None:
    match step["do"]:
        case "start":
            client.start(now)
        case "authenticated":
            client.authenticated()
        case "session-created":
            client.session_created(session_of(step.get("session", {})), now)
        case "opened":
            client.opened(now)
        case "frame":
            client.frame_received(json.dumps(step["frame"], separators=(",", ":")), now)
        case "closed":
            client.closed(step["code"], now)
        case "still-valid":
            client.still_valid(now)
        case "attempt-failed":
            client.attempt_failed(ChatError(code=step["code"], retry_after_s=step.get("retryAfter")), now)
        case "timer-due":
            client.timer_due(now)
        case "retry-now":
            client.retry_now(now)
        case "send-text":
            client.send_text(step["text"] * step.get("times", 1), now, client_id=step["clientId"])
        case "sent":
            client.sent(step["clientId"])
        case "type":
            client.type(now)
        case "end":
            client.end(now)
        case "stop":
            client.stop()
        case unknown:
            raise AssertionError(f"unknown step {unknown}")


def session_of(members: dict[str, Any]) -> GuestSession:
    return GuestSession(
        session_id=SessionId(members.get("sessionId", "s1")),
        token=Secret(members.get("token", "t1")),
        expires_in_s=members.get("expiresIn"),
        extensions=frozenset(members.get("extensions", ["typing", "end"])),
    )


def _effect(effect: Effect) -> Any:
    match effect:
        case Authenticate():
            return "authenticate"
        case CreateSession():
            return "create-session"
        case OpenSocket(session):
            return {"open": session.session_id}
        case CheckSession(session):
            return {"check": session.session_id}
        case SendFrame(text, client_id):
            return {"send": json.loads(text)} | ({"clientId": client_id} if client_id else {})
        case CloseSocket(code):
            return {"close": code}


def _status(event: StatusChanged) -> dict[str, Any]:
    seen: dict[str, Any] = {"status": event.status.value}
    if event.error is not None:
        seen["code"] = event.error.code
    if event.retry_in is not None:
        seen["retryIn"] = event.retry_in
    return seen
