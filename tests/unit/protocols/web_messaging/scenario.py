"""Runs the steps of tests/frames/web-messaging/connection.json and transcripts.json on the client half."""

from __future__ import annotations

import json
from typing import Any

from guestwire.errors import ChatError
from guestwire.model.content import parse_content
from guestwire.model.events import Event, StatusChanged, event_to_json
from guestwire.model.secret import Secret
from guestwire.model.transcript import NoticeRow, Row, Transcript
from guestwire.protocols.web_messaging.client import WebMessagingClient
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.effects import (
    Authorize,
    CloseSocket,
    Effect,
    KeepSession,
    OpenSocket,
    ReadDeployment,
    ReadHistory,
    SendFrame,
    Upload,
)
from guestwire.protocols.web_messaging.rest import HistoryPage
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.protocols.web_messaging.wire import MessageBody, OutboundFrame, decode_outbound

EPOCH = 1_777_600_000.0


class Scenario:
    """One client, stepped; ids it makes are g1, g2 and so on."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.number = 0
        delays = vector.get("delays", [1, 2, 4])
        members = dict(vector.get("client", {}))
        self.deployment = Deployment("d1", **vector.get("deployment", {}))
        session = members.pop("session", None)
        self.client = WebMessagingClient(
            "d1",
            new_id=self.new_id,
            delay_s=lambda attempt: float(delays[min(attempt, len(delays) - 1)]),
            epoch_s=EPOCH,
            session=None if session is None else WebSession(Secret(session), "d1", members.get("signs_in", False)),
            **members,
        )
        self.events: list[Event] = []

    def new_id(self) -> str:
        self.number += 1
        return f"g{self.number}"

    def run_step(self, step: dict[str, Any], now: float) -> dict[str, Any]:
        """Do one step and return what can be seen afterwards, in the vectors' words."""
        seen: dict[str, Any] = {}
        try:
            self._do(step, now)
        except ChatError as error:
            seen["raises"] = error.code
        seen["state"] = self.client.state.value
        seen["effects"] = [_effect(effect) for effect in self.client.effects()]
        events = self.client.events()
        self.events += events
        seen["statuses"] = [_status(event) for event in events if isinstance(event, StatusChanged)]
        seen["events"] = [event_to_json(event) for event in events if not isinstance(event, StatusChanged)]
        seen["deadline"] = self.client.next_deadline()
        return {name: value for name, value in seen.items() if value not in ([], None)}

    def _do(self, step: dict[str, Any], now: float) -> None:
        client = self.client
        match step["do"]:
            case "start":
                client.start()
            case "deployment-read":
                client.deployment_read(self.deployment)
            case "authorized":
                client.authorized(Secret(step.get("jwt", "jwt")), now)
            case "opened":
                client.opened(now)
            case "frame":
                client.frame_received(json.dumps(step["frame"], separators=(",", ":")), now)
            case "text":
                client.frame_received(step["text"], now)
            case "closed":
                client.closed(step["code"], now)
            case "attempt-failed":
                client.attempt_failed(ChatError(code=step["code"], retry_after_s=step.get("retryAfter")), now)
            case "history-read":
                client.history_read(_page(step), now)
            case "history-failed":
                client.history_failed(ChatError(code=step["code"], retry_after_s=step.get("retryAfter")), now)
            case "timer-due":
                client.timer_due(now)
            case "retry-now":
                client.retry_now()
            case "send-text":
                content = parse_content(step.get("content"))
                text = step["text"] * step.get("times", 1)
                client.send_text(
                    text, now, client_id=step["clientId"], content=content, in_reply_to=step.get("inReplyTo")
                )
            case "send-now":
                client.send_now(step["text"], now, client_id=step["clientId"])
            case "sent":
                client.sent(step["clientId"], now)
            case "attributes":
                client.set_attributes(step["attributes"])
            case "type":
                client.type(now)
            case "stay":
                client.stay(now)
            case "clear":
                client.clear(now)
            case "start-new":
                client.start_new(now)
            case "check-health":
                client.check_health(now)
            case "read-history":
                client.read_history(now, page=step.get("page", 1))
            case "sign-in":
                client.sign_in(Secret(step.get("jwt", "jwt")), now)
            case "attach":
                size = step.get("size", 10)
                client.attach(step["id"], now, name=step.get("name", "a.png"), file_type="image/png", size=size)
            case "upload-failed":
                client.upload_failed(step["id"], ChatError(code=step["code"]))
            case "refresh-attachment":
                client.refresh_attachment(step["id"], now)
            case "delete-attachment":
                client.delete_attachment(step["id"], now)
            case "stop":
                client.stop()
            case unknown:
                raise AssertionError(f"unknown step {unknown}")


def _page(step: dict[str, Any]) -> HistoryPage:
    bodies: list[MessageBody] = []
    for entity in step.get("entities", []):
        frame = decode_outbound(json.dumps({"class": "StructuredMessage", "body": entity}))
        assert isinstance(frame, OutboundFrame)
        assert isinstance(frame.body, MessageBody)
        bodies.append(frame.body)
    return HistoryPage(step.get("page", 1), tuple(bodies), has_more=step.get("hasMore", False))


def _effect(effect: Effect) -> Any:
    match effect:
        case ReadDeployment(deployment_id):
            return {"read": deployment_id}
        case Authorize(is_stale):
            return {"authorize": "refresh" if is_stale else "sign-in"}
        case KeepSession(session):
            return {"keep": None if session is None else _session(session)}
        case OpenSocket(session):
            return {"open": _session(session)}
        case SendFrame(text, client_id):
            return {"send": json.loads(text)} | ({"clientId": client_id} if client_id else {})
        case ReadHistory(jwt, query):
            return {"history": jwt.reveal(), "page": query.page_number}
        case Upload(attachment_id, url, headers):
            return {"upload": attachment_id, "url": url, "headers": dict(headers)}
        case CloseSocket(code):
            return {"close": code}


def _session(session: WebSession) -> str:
    return session.token.reveal() + (" signed in" if session.is_authenticated else "")


def _status(event: StatusChanged) -> dict[str, Any]:
    seen: dict[str, Any] = {"status": event.status.value}
    if event.error is not None:
        seen["code"] = event.error.code
    if event.retry_in is not None:
        seen["retryIn"] = event.retry_in
    return seen


def fold(vector: dict[str, Any]) -> dict[str, Any]:
    """Run a vector of transcripts.json and return what people read then."""
    scenario = Scenario(vector)
    for step in ({"do": "start"}, {"do": "deployment-read"}, {"do": "opened"}, *vector["steps"]):
        scenario.run_step(step, step.get("now", 0.0))
    transcript = Transcript()
    for event in scenario.events:
        transcript.apply(event)
    members = {
        "rows": [_row(row) for row in transcript.rows],
        "status": transcript.status,
        "agentName": transcript.agent_name,
        "typing": transcript.typing or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _row(row: Row) -> dict[str, Any]:
    if isinstance(row, NoticeRow):
        members: dict[str, Any] = {"notice": row.notice, "name": row.name}
    else:
        members = {
            "from": row.sender,
            "text": row.text,
            "name": row.name,
            "kinds": [item.kind for item in row.content] or None,
            "id": row.id,
            "clientId": row.client_id,
            "state": row.state,
            "code": row.code,
            "late": row.late or None,
        }
    return {name: value for name, value in members.items() if value is not None}
