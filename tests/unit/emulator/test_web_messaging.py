"""The joint between Web Messaging and the org, without a network."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import DeploymentRecord, Stage
from guestwire.emulator.web_messaging.service import WebMessaging
from tests.unit.emulator.scene import Scene

BASE = "http://guests.test"


class Line:
    """A connection that remembers what it was told."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None

    def write(self, text: str) -> None:
        self.frames.append(json.loads(text))

    def close_soon(self, code: int) -> None:
        self.closed = code


class Site:
    """A scene with a deployment, and guests who speak Web Messaging."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.org = scene.org
        self.org.add_deployment(DeploymentRecord(id="d1"))
        self.service = WebMessaging(self.org, scene.guests)

    def send(self, connection: str, action: str, *, token: str = "t1", **members: object) -> None:
        frame = {"action": action, "token": token, **members}
        self.service.frame_received(connection, json.dumps(frame), BASE)

    def guest(self, connection: str = "c1", *, token: str = "t1") -> Line:
        line = Line()
        self.service.opened(connection, line)
        self.send(connection, "configureSession", token=token, deploymentId="d1")
        return line

    def say(self, text: str, connection: str = "c1", *, token: str = "t1") -> None:
        self.send(connection, "onMessage", token=token, message={"type": "Text", "text": text})


@pytest.fixture
def site(scene: Scene) -> Site:
    return Site(scene)


def test_a_guest_is_a_session_of_the_org(site: Site) -> None:
    """From the configure on; a conversation begins with the first word, and knows its connections."""
    site.guest()
    (session,) = site.org.sessions.values()
    assert (session.protocol, session.deployment_id, session.conversation_id) == ("web-messaging", "d1", None)
    assert (session.expires_at - site.org.clock.utc()).total_seconds() == pytest.approx(259_200, abs=1)
    site.say("Hello")
    conversation = site.org.conversation_of(session.id)
    assert conversation is not None
    assert conversation.connections == 1
    assert [entry.sender for entry in conversation.entries] == ["guest", "bot"]
    site.service.closed("c1")
    assert conversation.connections == 0
    site.guest("c2")
    assert conversation.connections == 1


def test_nobody_is_asked_with_a_token_of_another_kind(site: Site) -> None:
    """The token of Web Messaging opens no guest session."""
    site.guest()
    (session,) = site.org.sessions.values()
    assert site.org.authorise_session(session.id, "t1") is None


def test_a_session_that_the_org_forgot_begins_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The org keeps no more than so many ended conversations; the guest goes on under the same token."""
    monkeypatch.setattr("guestwire.emulator.org.MAX_ENDED", 0)
    site.org.change_deployment("d1", disconnect="Send")
    site.guest()
    site.say("Hello")
    (conversation,) = site.org.conversations.values()
    site.org.move(conversation, Stage.ENDED, ended_by="agent")
    assert (site.org.sessions, site.org.conversations) == ({}, {})
    site.say("Hello again")
    (session,) = site.org.sessions.values()
    assert site.org.transcript(session.id)[0].text == "Hello again"


def test_sessions_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest that nobody uses are forgotten on both sides."""
    monkeypatch.setattr("guestwire.emulator.org.MAX_SESSIONS", 2)
    monkeypatch.setattr("guestwire.emulator.web_messaging.roster.MAX_SESSIONS", 2)
    first = site.guest("c1", token="t1")
    for number in (2, 3, 4):
        site.guest(f"c{number}", token=f"t{number}")
    assert len(site.org.sessions) == 2
    first.frames.clear()
    site.send("c1", "getJwt")
    assert first.frames[0]["code"] == 4007


def test_an_end_is_told_once(site: Site) -> None:
    """Whatever changes about the conversation afterwards."""
    line = site.guest()
    site.say("Hello")
    (conversation,) = site.org.conversations.values()
    site.org.move(conversation, Stage.ENDED, ended_by="agent")
    site.service.closed("c1")
    again = site.guest("c2")
    ends = [frame for frame in [*line.frames, *again.frames] if frame["body"].get("metadata", {}).get("readOnly")]
    assert len(ends) == 1


def test_clearing_ends_the_conversation_by_the_guest(site: Site) -> None:
    """No Disconnect is told; the desk sees why, and the connection is closed."""
    line = site.guest()
    site.say("Hello")
    clear = {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": "Clear"}}]}
    site.send("c1", "onMessage", message=clear)
    (conversation,) = site.org.conversations.values()
    assert (conversation.stage, conversation.ended_by, conversation.connections) == (Stage.ENDED, "guest", 0)
    assert conversation.entries[-1].text == "The guest cleared the conversation."
    assert [frame["class"] for frame in line.frames[-2:]] == ["SessionClearedEvent", "ConnectionClosedEvent"]
    assert line.closed == 1000


def test_an_unpublished_flow_answers_later(site: Site) -> None:
    """Who waited is greeted and answered when the flow is published, as with guest sessions."""
    site.scene.control.switch(FaultName.UNPUBLISH_FLOW, on=True)
    line = site.guest()
    site.say("Opening hours")
    assert [frame["class"] for frame in line.frames] == ["SessionResponse", "StructuredMessage"]
    site.scene.control.switch(FaultName.UNPUBLISH_FLOW, on=False)
    said = [frame["body"]["text"] for frame in line.frames[2:]]
    assert len(said) == 2
    assert "Monday" in said[1]


def test_offers_of_video_are_nothing(site: Site) -> None:
    """An answer to one changes nothing (web-messaging §3.12)."""
    line = site.guest()
    event = {"eventType": "Video", "video": {"offeringId": "o", "type": "OfferingAccepted"}}
    site.send("c1", "onMessage", message={"type": "Event", "events": [event]})
    assert len(line.frames) == 1
    assert site.org.conversations == {}


JUNK: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x" * 5000,
    "\ud800",
    "\0",
    [],
    {},
    [[[]]],
    {"a": {}},
    "Attachment",
    "Join",
)

FRAMES: tuple[dict[str, Any], ...] = (
    {"action": "configureSession", "deploymentId": "d1", "startNew": True},
    {"action": "configureAuthenticatedSession", "deploymentId": "d1", "data": {"code": "x"}},
    {
        "action": "onMessage",
        "message": {
            "type": "Structured",
            "text": "everything",
            "content": [{"contentType": "Form", "form": {"response": [{"id": "n", "component": {}}]}}],
            "metadata": {"parentMessageId": "y"},
            "channel": {"metadata": {"customAttributes": {"name": "n"}}},
        },
    },
    {"action": "onMessage", "message": {"content": [{"contentType": "Attachment", "attachment": {"id": "a"}}]}},
    {
        "action": "onMessage",
        "message": {
            "type": "Event",
            "events": [
                {"eventType": "Presence", "presence": {"type": "Join"}},
                {"eventType": "Presence", "presence": {"type": "Clear"}},
                {"eventType": "Typing", "typing": {"type": "On", "duration": 1}},
            ],
        },
    },
    {"action": "onAttachment", "fileName": "a.png", "fileType": "image/png", "fileSize": 3, "attachmentId": "a"},
    {"action": "getAttachment", "attachmentId": "a"},
    {"action": "getJwt"},
    {"action": "closeSession", "closeAllConnections": True},
)


def spoilt(value: object, draw: Random) -> object:
    """Return a frame with parts of it missing, doubled, or something else."""
    if draw.random() < 0.06:
        return draw.choice(JUNK)
    if isinstance(value, dict):
        return {name: spoilt(part, draw) for name, part in value.items() if draw.random() > 0.03}
    if isinstance(value, list):
        return [spoilt(part, draw) for part in value] * draw.choice((1, 1, 2))
    return value


@pytest.mark.parametrize("seed", range(4))
def test_no_frame_of_a_guest_breaks_the_org(scene: Scene, seed: int) -> None:
    """Whatever it holds: it is understood, refused or nothing, and the guest goes on."""
    site, draw = Site(scene), Random(seed)
    lines = {name: site.guest(name, token=draw.choice(("t1", "t2"))) for name in "abcd"}
    for _ in range(400):
        frame = spoilt(draw.choice(FRAMES), draw)
        if isinstance(frame, dict):
            frame = {"token": draw.choice(("t1", "t2")), "tracingId": "t", **frame}
        site.service.frame_received(draw.choice("abcd"), json.dumps(frame), BASE)
        site.org.clock.advance(draw.choice((0.0, 5.0)))
    site.org.clock.advance(60)
    site.send("a", "configureSession", token="new", deploymentId="d1")
    assert lines["a"].frames[-1]["body"]["connected"] is True
