"""Provider half, one connection: what a guest's frames become, and what is refused at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.requests import GuestMessage
from guestwire.protocols.web_messaging.server import (
    AnswerOffer,
    AskConfiguration,
    AskDownload,
    AskJwt,
    AskUpload,
    CheckHealth,
    Configure,
    DeleteFile,
    EndSession,
    SendMessage,
    SendPresence,
    ShowTyping,
    WebMessagingServer,
)
from guestwire.protocols.web_messaging.wire import EventBody

FRAMES = json.loads((Path(__file__).parents[3] / "frames/web-messaging/frames.json").read_text("utf-8"))
REQUESTS = {vector["name"]: vector["frame"] for vector in FRAMES["requests"]}
TOKEN = "7b1d0c1e-3f55-4f3a-9a42-2d9d5f1b6c77"
DEPLOYMENT = "5f0c2a9e-6d1b-4f0e-9a77-0c1f2f3a4b5c"


def configured() -> WebMessagingServer:
    server = WebMessagingServer()
    server.configured(Secret(TOKEN))
    return server


def tell(server: WebMessagingServer, frame: object, now: float = 0.0) -> list[dict[str, Any]]:
    """Feed one frame and return the answers."""
    server.frame_received(frame if isinstance(frame, str) else json.dumps(frame), now)
    return [json.loads(text) for text in server.effects()]


def message(name: str) -> GuestMessage:
    server = configured()
    tell(server, REQUESTS[name])
    (command,) = server.commands()
    assert isinstance(command, SendMessage | SendPresence)
    return command.message


# name of the vector → its commands, written by hand; the message itself is as it came.
COMMANDS: dict[str, Any] = {
    "configure, mobile form": Configure(tracing_id="3c1f", token=Secret(TOKEN), deployment_id=DEPLOYMENT),
    "configure, smallest": Configure(token=Secret(TOKEN), deployment_id=DEPLOYMENT),
    "configure a signed-in guest": Configure(
        tracing_id="a4a0", token=Secret(TOKEN), deployment_id=DEPLOYMENT, jwt=Secret("eyJ.example.jwt")
    ),
    "rules": AskConfiguration(deployment_id=DEPLOYMENT),
    "text with attributes inside": {"plan": "gold", "locale": "en"},
    "text with attributes beside": {"plan": "gold"},
    "text with files": ("a1",),
    "a file alone, browser form: no type": ("a1",),
    "files in the old way": ("a1",),
    "typing": ShowTyping(),
    "join with attributes": ("Join", {"page": "/pricing"}),
    "clear": ("Clear", {}),
    "a chip, browser form": (),
    "a form": (),
    "an answer to an offer": AnswerOffer(
        event=EventBody(event_type="CoBrowse", co_browse={"type": "OfferingAccepted", "sessionId": "s"})
    ),
    "key to the history": AskJwt(tracing_id="8d9e"),
    "health, mobile form": CheckHealth(tracing_id="SGVhbHRoQ2hlY2tNZXNzYWdlSWQ=", text="ping"),
    "health without a token": CheckHealth(text="ping"),
    "upload, mobile form": AskUpload(
        tracing_id="7c8d", attachment_id="4d5e", name="door.png", file_type="image/png", size=48213
    ),
    "upload, browser form: no id": AskUpload(attachment_id=None, name="door.png", file_type="image/png", size=48213),
    "download again": AskDownload(attachment_id="4d5e"),
    "delete a file": DeleteFile(attachment_id="4d5e"),
    "close all": EndSession(tracing_id="t9", all_connections=True),
    "close this one": EndSession(all_connections=False),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_frame_asks_for(name: str) -> None:
    """Each is one command, with the tracing id for its answer; nothing is answered yet."""
    server = configured()
    assert tell(server, REQUESTS[name]) == []
    (command,) = server.commands()
    assert server.commands() == []
    expected = COMMANDS[name]
    match command:
        case SendMessage():
            assert command.message == message(name)
            assert command.tracing_id == REQUESTS[name].get("tracingId")
            assert expected in (command.attributes, command.attachment_ids)
        case SendPresence():
            assert (command.kind, command.attributes) == expected
        case _:
            assert command == expected


def test_every_vector_is_tried() -> None:
    """But those that are refused, which follow."""
    assert set(COMMANDS) | {"resume token", "disconnect"} == set(REQUESTS)


@pytest.mark.parametrize("name", ["resume token", "disconnect"])
def test_actions_that_nobody_sends_are_refused(name: str) -> None:
    """They are in the vendor's schema only (§3.0)."""
    server = configured()
    (answer,) = tell(server, REQUESTS[name])
    assert (answer["class"], answer["code"], answer["type"]) == ("string", 400, "response")
    assert server.commands() == []


@pytest.mark.parametrize("vector", FRAMES["bad"], ids=lambda vector: vector["name"])
def test_a_bad_frame_is_answered_and_the_connection_goes_on(vector: dict[str, Any]) -> None:
    """With 400, words that quote nothing, and the tracing id where it had one (§7.4 step 1)."""
    server = configured()
    (answer,) = tell(server, vector["text"])
    assert (answer["class"], answer["code"]) == ("string", 400)
    assert answer.get("tracingId") == vector.get("tracingId")
    assert tell(server, REQUESTS["key to the history"]) == []
    assert server.commands() == [AskJwt(tracing_id="8d9e")]


def test_before_configure_and_with_another_token_there_is_no_session() -> None:
    """4007; rules may be asked for at any time (§7.4 step 4, §3.3)."""
    server = WebMessagingServer()
    assert server.token is None
    for frame in (REQUESTS["typing"], REQUESTS["health without a token"]):
        (answer,) = tell(server, frame)
        assert (answer["class"], answer["code"]) == ("string", 4007)
    assert tell(server, REQUESTS["rules"]) == []
    server.configured(Secret(TOKEN))
    assert server.token == Secret(TOKEN)
    (answer,) = tell(server, REQUESTS["typing"] | {"token": "other"})
    assert answer["code"] == 4007
    (answer,) = tell(server, {key: value for key, value in REQUESTS["typing"].items() if key != "token"})
    assert answer["code"] == 4007
    server.detached()
    (answer,) = tell(server, REQUESTS["typing"])
    assert answer["code"] == 4007


@pytest.mark.parametrize("token", [None, "", "x" * 257])
def test_a_session_needs_a_token_of_reasonable_length(token: str | None) -> None:
    """Any text of up to 256 characters (§2.1)."""
    server = WebMessagingServer()
    (answer,) = tell(server, REQUESTS["configure, smallest"] | {"token": token})
    assert answer["code"] == 400
    assert tell(server, REQUESTS["configure, smallest"] | {"token": "x" * 256}) == []


def test_odd_messages() -> None:
    """No events; several; a typing that says how long; content that is no list; files that are none."""
    server = configured()
    event = {"action": "onMessage", "token": TOKEN, "message": {"type": "Event"}}
    assert tell(server, event)[0]["code"] == 400
    typing = {"eventType": "Typing", "typing": {"type": "On", "duration": 3000.0}}
    join = {"eventType": "Presence", "presence": {"type": "Join"}}
    tell(server, event | {"message": {"type": "Event", "events": [typing, join]}})
    first, second = server.commands()
    assert first == ShowTyping(duration_ms=3000)
    assert isinstance(second, SendPresence)
    odd = [5, {"attachment": 5}, {"attachment": {"id": 5}}, {"attachment": {"id": "a"}}]
    for content, ids in ((5, ()), (odd, ("a",))):
        tell(server, event | {"message": {"type": "Text", "text": "x", "content": content}})
        (command,) = server.commands()
        assert isinstance(command, SendMessage)
        assert command.attachment_ids == ids
    tell(server, {"action": "onAttachment", "token": TOKEN, "fileName": "a", "fileType": "b"})
    tell(server, {"action": "echo", "token": TOKEN})
    assert server.commands() == [
        AskUpload(attachment_id=None, name="a", file_type="b", size=None),
        CheckHealth(text="ping"),
    ]


def test_sixty_requests_and_two_health_checks_a_minute() -> None:
    """What is over is told to slow down, with the tracing id; later it is taken again (§5)."""
    server = configured()
    health = REQUESTS["health, mobile form"]
    assert tell(server, health, 0.0) == tell(server, health, 0.5) == []
    (answer,) = tell(server, health, 1.0)
    assert (answer["class"], answer["code"], answer["tracingId"]) == (
        "TooManyRequestsErrorMessage",
        429,
        "SGVhbHRoQ2hlY2tNZXNzYWdlSWQ=",
    )
    assert answer["body"]["retryAfter"] == 59
    for _ in range(57):
        assert tell(server, REQUESTS["typing"], 2.0) == []
    for frame in ("nonsense", REQUESTS["typing"]):
        (answer,) = tell(server, frame, 3.0)
        assert (answer["code"], answer["body"]["retryAfter"]) == (429, 57)
    assert tell(server, health, 60.0) == []


@settings(max_examples=40)
@given(st.lists(st.text() | st.sampled_from(list(REQUESTS.values())).map(json.dumps), max_size=20))
def test_any_text_is_answered_or_taken(texts: list[str]) -> None:
    """Never both, never neither, never an exception."""
    server = configured()
    for text in texts:
        answers = tell(server, text, 0.0)
        assert (len(answers) == 1) != bool(server.commands())
