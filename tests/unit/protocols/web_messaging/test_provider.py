"""Provider half, all sessions: the life of a session as the server decides it (web-messaging §2, §7.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from guestwire.model.content import Attachment, attachment, quick_reply
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.provider import (
    Cleared,
    CloseConnection,
    Ended,
    EndReason,
    FileState,
    GuestSaid,
    GuestTyped,
    Host,
    Joined,
    Offered,
    ServedDeployment,
    ServedFile,
    ServedSession,
    SignedIn,
    StartedNew,
    WebMessagingProvider,
    WriteFrame,
)

T0 = 1_777_600_000.0
TOKEN = "7b1d0c1e"
OTHER = "8c2e1d2f"
OPEN = ServedDeployment(deployment_id="d1", allows_step_up=True)


class Org:
    """A provider with one deployment, and what its connections were told."""

    def __init__(self, deployment: ServedDeployment = OPEN) -> None:
        self.deployments = {"d1": deployment, "d2": replace(deployment, deployment_id="d2")}
        self.number = 0
        self.now = T0
        self.is_too_late = False
        self.provider = WebMessagingProvider(
            Host(
                deployment=self.deployments.get,
                new_id=self.new_id,
                history_key=lambda token, now: (f"key-{token.reveal()}", int(now) + 60),
                user_of=lambda jwt: None if jwt.reveal() == "bad" else (jwt.reveal(), "Ada", "L."),
                upload_url=self.upload_url,
                download_url=lambda _token, file: (
                    None if self.is_too_late else f"https://files.test/get/{file.stored_as}"
                ),
            )
        )
        self.frames: dict[str, list[dict[str, Any]]] = {}
        self.closed: list[tuple[str, int]] = []

    def new_id(self, _kind: str) -> str:
        self.number += 1
        return f"id{self.number}"

    def upload_url(self, _token: Secret, file: ServedFile) -> tuple[str, Mapping[str, str]]:
        return f"https://files.test/{file.attachment_id}", {"x-amz-tagging": "demo"}

    def session(self, token: str = TOKEN) -> ServedSession:
        session = self.provider.session(Secret(token))
        assert session is not None
        return session

    def collect(self) -> None:
        for effect in self.provider.effects():
            match effect:
                case WriteFrame(connection, text):
                    self.frames.setdefault(connection, []).append(json.loads(text))
                case CloseConnection(connection, code):
                    self.closed.append((connection, code))

    def told(self, connection: str = "c1") -> list[dict[str, Any]]:
        """Return and forget what a connection was told."""
        self.collect()
        return self.frames.pop(connection, [])

    def ask(
        self, connection: str, action: str, *, token: str | None = TOKEN, **members: object
    ) -> list[dict[str, Any]]:
        frame = {"action": action, "token": token, "tracingId": "t1", **members}
        self.provider.frame_received(connection, json.dumps(frame), self.now)
        return self.told(connection)

    def configure(self, connection: str = "c1", *, token: str = TOKEN, **members: Any) -> dict[str, Any]:
        """Open a connection, configure it, and return the answer."""
        self.provider.opened(connection)
        return self.again(connection, token=token, **members)

    def again(
        self, connection: str = "c1", *, token: str = TOKEN, jwt: str | None = None, **members: Any
    ) -> dict[str, Any]:
        given = {"deploymentId": "d1", **members}
        if jwt is None:
            return self.ask(connection, "configureSession", token=token, **given)[-1]
        return self.ask(connection, "configureAuthenticatedSession", token=token, data={"code": jwt}, **given)[-1]

    def say(self, text: str | None = "x", *, connection: str = "c1", **message: object) -> list[dict[str, Any]]:
        return self.ask(connection, "onMessage", message={"type": "Text", "text": text, **message})

    def presence(self, kind: str, **message: object) -> list[dict[str, Any]]:
        events = [{"eventType": "Presence", "presence": {"type": kind}}]
        return self.ask("c1", "onMessage", message={"type": "Event", "events": events, **message})


def configured(deployment: ServedDeployment = OPEN) -> Org:
    org = Org(deployment)
    assert org.configure()["code"] == 200
    return org


def attributes(size: int) -> dict[str, object]:
    return {"metadata": {"customAttributes": {"a": "x" * (size - 1)}}}


# --- configure (§2.2) --------------------------------------------------------------------------------------------


def test_an_unknown_token_is_a_new_session_and_a_known_one_goes_on() -> None:
    """With the rules of the deployment, in whole numbers."""
    org = Org()
    first = org.configure()
    assert first == {
        "type": "response",
        "class": "SessionResponse",
        "code": 200,
        "tracingId": "t1",
        "body": {
            "connected": True,
            "newSession": True,
            "readOnly": False,
            "clearedExistingSession": False,
            "maxCustomDataBytes": 2048,
            "allowedMedia": {"inbound": {"fileTypes": [{"type": "*/*"}], "maxFileSizeKB": 10240}},
            "blockedExtensions": [".bat", ".exe", ".js"],
            "durationSeconds": 259200,
            "expirationDate": int(T0) + 259200,
        },
    }
    assert org.configure("c2")["body"]["newSession"] is False
    assert org.again(startNew=True)["body"] | {"newSession": False} == org.again()["body"]
    assert org.session().connections == ["c1", "c2"]


@pytest.mark.parametrize(
    "members, code",
    [
        ({"deploymentId": "nobody"}, 400),
        ({"deploymentId": "d2"}, 400),
        ({"jwt": "bad"}, 401),
    ],
)
def test_what_is_not_configured(members: dict[str, str], code: int) -> None:
    """An unknown deployment, another one, a bad JWT."""
    org = configured()
    answer = org.configure("c2", **members)
    assert (answer["class"], answer["code"], answer["tracingId"]) == ("string", code, "t1")


def test_an_inactive_deployment_takes_nobody() -> None:
    """As if there were none; its rules are not told either."""
    org = Org(replace(OPEN, is_active=False))
    assert org.configure()["code"] == 400
    assert org.ask("c1", "getConfiguration", deploymentId="d1")[0]["code"] == 400


def test_configuring_is_limited() -> None:
    """Sixty times a minute for a session (§5), over however many connections."""
    org = configured()
    for number in range(60):
        assert org.configure(f"x{number}")["code"] == 200
    answer = org.configure("last")
    assert (answer["class"], answer["body"]["retryAfter"]) == ("TooManyRequestsErrorMessage", 60)


def test_a_fourth_connection_replaces_the_oldest() -> None:
    """Which is told, and closed a moment later (§2.6); a closed one makes room."""
    org = configured()
    for connection in ("c2", "c3", "c4"):
        org.configure(connection)
    assert [frame["class"] for frame in org.told("c1")] == ["ConnectionClosedEvent"]
    assert org.closed == [("c1", 1000)]
    assert org.ask("c1", "getJwt")[0]["code"] == 4007
    org.provider.closed("c2")
    org.configure("c5")
    assert org.session().connections == ["c3", "c4", "c5"]
    org.provider.closed("nobody")
    org.provider.frame_received("nobody", "{}", T0)
    assert org.told("nobody") == []


def test_a_connection_may_change_its_session() -> None:
    """It leaves the one before (§7.4 step 3)."""
    org = configured()
    assert org.again(token=OTHER)["body"]["newSession"] is True
    assert (org.session().connections, org.session(OTHER).connections) == ([], ["c1"])


def test_the_rules_may_be_asked_for() -> None:
    """Without a session (§3.3)."""
    org = Org()
    org.provider.opened("c1")
    (answer,) = org.ask("c1", "getConfiguration", deploymentId="d1")
    assert answer["class"] == "GetConfigurationResponse"
    assert answer["body"]["messageRoutingEnabled"] is True


# --- messages (§3.4, §4.4) ---------------------------------------------------------------------------------------


def test_a_message_is_said_back_on_every_connection() -> None:
    """As it came, with ids of its own, a time, and the tracing id in the envelope."""
    org = configured()
    org.configure("c2")
    (echo,) = org.say("Hi", metadata={"id": "m1", "n": 5}, channel=attributes(2))
    assert org.told("c2") == [echo]
    body = echo["body"]
    assert (echo["type"], echo["tracingId"], body["direction"], body["text"]) == ("message", "t1", "Inbound", "Hi")
    assert body["channel"]["time"] == "2026-05-01T01:46:40.000Z"
    assert body["channel"]["messageId"] != body["id"]
    assert set(body["metadata"]) == {"id", "correlationId"}
    (said,) = org.provider.happenings()
    assert isinstance(said, GuestSaid)
    assert said.attributes == org.session().attributes == {"a": "x"}
    assert "authenticated" not in body["metadata"]


def test_times_never_repeat() -> None:
    """Clients know messages by them (§7.2 rule 5)."""
    org = configured()
    times = [org.say(str(number))[0]["body"]["channel"]["time"] for number in range(5)]
    assert times == sorted(set(times))
    assert org.say("one too many")[0]["body"]["retryAfter"] == 1


@pytest.mark.parametrize(
    "message, channel, code",
    [
        ({"text": "é" * 2049}, {}, 4011),
        ({"text": "x", "channel": attributes(2049)}, {}, 4013),
        ({"text": "x"}, attributes(2049), 4013),
        ({"text": ""}, {}, 400),
        ({"type": "Receipt", "text": "x"}, {}, 400),
        ({"content": [{"contentType": "Attachment", "attachment": {"id": "a1"}}]}, {}, 4009),
    ],
)
def test_what_is_no_message(message: dict[str, object], channel: dict[str, object], code: int) -> None:
    """Too long, too many attributes in either place, nothing at all, a file that is not there."""
    org = configured()
    (answer,) = org.ask("c1", "onMessage", message={"type": "Text", **message}, channel=channel)
    assert (answer["class"], answer["code"], answer["tracingId"]) == ("string", code, "t1")
    assert org.session().messages == []


def test_typing_is_shown_and_not_kept() -> None:
    """It keeps the session alive; where the deployment forbids it, it is 403 (§3.6)."""
    events = [{"eventType": "Typing", "typing": {"type": "On", "duration": 4000}}]
    org = configured()
    org.now += 1000
    assert org.ask("c1", "onMessage", message={"type": "Event", "events": events}) == []
    assert org.provider.happenings() == [GuestTyped(Secret(TOKEN), 4000)]
    assert org.session().messages == []
    assert org.session().expires_at == org.now + OPEN.duration_s
    org = configured(replace(OPEN, takes_typing=False))
    assert org.ask("c1", "onMessage", message={"type": "Event", "events": events})[0]["code"] == 403


def test_join_begins_and_other_presences_pass() -> None:
    """With attributes that may be too large (§2.4)."""
    org = configured()
    (echo,) = org.presence("Join", channel=attributes(2))
    assert (echo["body"]["type"], echo["body"]["direction"]) == ("Event", "Inbound")
    assert "content" not in echo["body"]
    assert org.provider.happenings() == [Joined(Secret(TOKEN), {"a": "x"})]
    assert org.presence("Join", channel=attributes(2049))[0]["code"] == 4013
    assert org.presence("SignIn")[0]["class"] == "StructuredMessage"
    assert org.provider.happenings() == []
    offer = [{"eventType": "Video", "video": {"type": "OfferingAccepted"}}]
    assert org.ask("c1", "onMessage", message={"type": "Event", "events": offer}) == []
    (offered,) = org.provider.happenings()
    assert isinstance(offered, Offered)


def test_health_and_the_key_to_the_history() -> None:
    """The first on this connection only (§3.9), the second for a minute (§3.8)."""
    org = configured()
    org.configure("c2")
    (health,) = org.ask("c1", "echo", message={"type": "Text", "text": "ping"})
    assert (health["type"], health["body"]["text"]) == ("response", "ping")
    assert health["body"]["metadata"]["expirationDate"] == str(int(T0) + 259200)
    assert org.told("c2") == []
    (key,) = org.ask("c1", "getJwt")
    assert key["body"] == {"jwt": f"key-{TOKEN}", "exp": int(T0) + 60}


# --- agents ------------------------------------------------------------------------------------------------------


def test_agents_and_bots_speak() -> None:
    """With names only where the deployment humanizes; typing is not kept."""
    org = configured()
    token = Secret(TOKEN)
    org.provider.say(token, T0, text="Hi", name="Mia", image="https://cdn.test/m.png")
    org.provider.say(token, T0, text="Which?", content=(quick_reply("A"),), is_bot=True)
    org.provider.show_typing(token, T0, is_bot=True)
    first, second, typing = org.told()
    assert first["body"]["channel"]["from"] == {"nickname": "Mia", "image": "https://cdn.test/m.png"}
    assert (first["body"]["originatingEntity"], second["body"]["originatingEntity"]) == ("Human", "Bot")
    assert second["body"]["type"] == "Structured"
    assert typing["body"]["events"][0]["typing"] == {"type": "On", "duration": 5000}
    assert len(org.session().messages) == 2
    bare = configured(replace(OPEN, humanize=False))
    bare.provider.say(token, T0, text="Hi", name="Mia")
    assert bare.told()[0]["body"]["channel"]["from"] == {}


def test_nobody_is_told_without_a_session() -> None:
    """The guest is gone."""
    org = Org()
    nobody = Secret("nobody")
    assert org.provider.say(nobody, T0, text="x") is None
    org.provider.show_typing(nobody, T0)
    org.provider.disconnect(nobody, T0)
    org.provider.expire(nobody)
    org.provider.uploaded(nobody, "a1", T0)
    org.provider.log_out("nobody")
    assert org.provider.effects() == []


def test_an_end_that_bars_and_starting_anew() -> None:
    """In the exact order of §2.5: other connections are let go, this one is told `connected:false`, and goes on."""
    org = configured()
    org.configure("c2")
    org.provider.disconnect(Secret(TOKEN), T0)
    (ended,) = org.told()
    assert ended["body"]["metadata"] == {"readOnly": "true"}
    assert org.say()[0]["code"] == org.presence("Join")[0]["code"] == 409
    typing = [{"eventType": "Typing", "typing": {"type": "On"}}]
    assert org.ask("c1", "onMessage", message={"type": "Event", "events": typing})[0]["code"] == 409
    assert org.again()["body"]["readOnly"] is True
    assert org.again(startNew=True)["body"]["newSession"] is False
    org.told("c2")
    (closed,) = org.ask("c1", "closeSession", closeAllConnections=True)
    assert (closed["body"]["connected"], closed["body"]["readOnly"]) == (False, True)
    assert [frame["class"] for frame in org.told("c2")] == ["ConnectionClosedEvent"]
    assert org.closed == [("c2", 1000)]
    started = org.again(startNew=True)["body"]
    assert (started["connected"], started["newSession"], started["readOnly"]) == (True, True, False)
    assert org.provider.happenings() == [StartedNew(Secret(TOKEN))]
    assert org.say()[0]["class"] == "StructuredMessage"


def test_an_end_after_which_guests_may_write() -> None:
    """Type `Send`; or nothing is told at all (§2.5)."""
    org = configured(replace(OPEN, read_only_after_end=False))
    org.provider.disconnect(Secret(TOKEN), T0)
    assert org.told()[0]["body"]["metadata"] == {"readOnly": "false"}
    assert org.say()[0]["class"] == "StructuredMessage"
    silent = configured(replace(OPEN, tells_disconnect=False))
    silent.provider.disconnect(Secret(TOKEN), T0)
    assert silent.told() == []


def test_closing_one_connection() -> None:
    """The session stays, also for the others (§3.11)."""
    org = configured()
    org.configure("c2")
    (closed,) = org.ask("c1", "closeSession", closeAllConnections=False)
    assert (closed["body"]["connected"], closed["body"]["readOnly"]) == (False, False)
    assert org.session().connections == ["c2"]
    assert org.told("c2") == []
    org.provider.expire(Secret(TOKEN))
    assert org.ask("c1", "getJwt")[0]["code"] == 4007


def test_clearing_forgets_everything() -> None:
    """Echo, cleared, closed, in this order, to all (§2.9); also when read-only."""
    org = configured()
    org.configure("c2")
    org.provider.disconnect(Secret(TOKEN), T0)
    org.told()
    org.told("c2")
    classes = ["StructuredMessage", "SessionClearedEvent", "ConnectionClosedEvent"]
    assert [frame["class"] for frame in org.presence("Clear")] == classes
    assert [frame["class"] for frame in org.told("c2")] == classes
    assert org.closed == [("c1", 1000), ("c2", 1000)]
    assert org.provider.session(Secret(TOKEN)) is None
    assert org.provider.happenings() == [Cleared(Secret(TOKEN))]
    assert org.configure("c3")["body"]["newSession"] is True
    (refused,) = configured(replace(OPEN, allows_clear=False)).presence("Clear")
    assert (refused["code"], "Conversation Clear" in refused["body"]) == (403, True)


# --- the end of a session (§2.7) ---------------------------------------------------------------------------------


def test_a_session_expires_at_the_next_request() -> None:
    """Then the token is refused once, and new after that (§8 row 5)."""
    org = configured()
    org.now += 100
    org.say()
    org.now += OPEN.duration_s - 1
    assert org.ask("c1", "getJwt")[0]["class"] == "JwtResponse"
    org.now += 1
    (expired,) = org.ask("c1", "getJwt")
    assert (expired["class"], expired["type"]) == ("SessionExpiredEvent", "response")
    assert Ended(Secret(TOKEN)) in org.provider.happenings()
    assert org.ask("c1", "getJwt")[0]["code"] == 4007
    assert org.configure("c2")["code"] == 4006
    assert org.again("c2")["body"]["newSession"] is True


def test_a_session_expires_at_a_configure_or_unasked() -> None:
    """The one who configures is told 4006; the other is pushed the event."""
    org = configured()
    org.now += OPEN.duration_s
    assert org.configure("c2")["code"] == 4006
    org = configured()
    org.provider.expire(Secret(TOKEN))
    assert [(frame["class"], frame["type"]) for frame in org.told()] == [("SessionExpiredEvent", "message")]
    assert org.again()["code"] == 4006


def test_agents_keep_a_session_alive() -> None:
    """Any message does, in either direction."""
    org = configured()
    org.provider.say(Secret(TOKEN), T0 + 50, text="x")
    assert org.session().expires_at == T0 + 50 + OPEN.duration_s


# --- signed-in guests (§2.10) ------------------------------------------------------------------------------------


def test_a_signed_in_guest() -> None:
    """Their echoes say so; there is no way back, and no other user's."""
    org = Org()
    assert org.configure(jwt="user-1")["body"]["newSession"] is True
    assert org.say()[0]["body"]["metadata"]["authenticated"] == "true"
    assert org.again()["code"] == 4017
    assert org.again(jwt="user-2")["code"] == 401
    assert org.again(jwt="user-1")["body"]["newSession"] is False


def test_stepping_up() -> None:
    """The other device is told, then all see who signed in, then comes the answer."""
    org = Org()
    org.configure("old", token=OTHER, jwt="user-1")
    org.configure()
    frames = org.ask("c1", "configureAuthenticatedSession", deploymentId="d1", data={"code": "user-1"})
    assert [frame["class"] for frame in frames] == ["StructuredMessage", "SessionResponse"]
    assert frames[0]["body"]["channel"]["from"] == {"firstName": "Ada", "lastName": "L."}
    assert (frames[0]["body"]["direction"], frames[1]["body"]["clearedExistingSession"]) == ("Inbound", True)
    (closed,) = org.told("old")
    assert closed["body"] == {"reason": "signedIn", "reasonCode": "signedIn"}
    assert org.closed == [("old", 1000)]
    assert org.provider.happenings() == [
        Ended(Secret(OTHER), EndReason.SIGNED_IN_ELSEWHERE),
        SignedIn(Secret(TOKEN), "user-1"),
    ]
    org.configure("c9", token="fresh")
    assert org.again("c9", token="fresh", jwt="user-9")["body"]["clearedExistingSession"] is False


def test_stepping_up_may_be_forbidden() -> None:
    """403; the session stays what it was."""
    org = configured(replace(OPEN, allows_step_up=False))
    assert org.again(jwt="user-1")["code"] == 403
    assert org.session().user is None


def test_signing_out_everywhere() -> None:
    """Every connection of the user learns it."""
    org = Org()
    org.configure(jwt="user-1")
    org.configure("c2", jwt="user-1")
    org.configure("c3", token=OTHER)
    org.provider.log_out("user-1")
    assert [[frame["class"] for frame in org.told(one)] for one in ("c1", "c2", "c3")] == [
        ["LogoutEvent"],
        ["LogoutEvent"],
        [],
    ]
    assert org.provider.session(Secret(TOKEN)) is None


# --- files (§3.10) -----------------------------------------------------------------------------------------------


def upload(
    org: Org, name: str = "door.png", file_type: str = "image/png", size: int = 10, **more: Any
) -> dict[str, Any]:
    (answer,) = org.ask("c1", "onAttachment", fileName=name, fileType=file_type, fileSize=size, **more)
    return answer


def test_a_file_from_its_upload_to_its_message() -> None:
    """Under the guest's id or one of ours; the echo has the file in full."""
    org = configured()
    asked = upload(org, attachmentId="a1")
    assert asked["body"]["attachmentId"] == "a1"
    assert asked["body"]["headers"] == {"x-amz-tagging": "demo"}
    content = [{"contentType": "Attachment", "attachment": {"id": "a1"}}]
    assert org.say(None, content=content)[0]["code"] == 4010
    assert org.ask("c1", "getAttachment", attachmentId="a1")[0]["body"]["errorCode"] == 4010
    org.provider.uploaded(Secret(TOKEN), "a1", T0, stored_as="f1")
    (done,) = org.told()
    assert (done["class"], done["body"]["downloadUrl"]) == ("UploadSuccessEvent", "https://files.test/get/f1")
    (again,) = org.ask("c1", "getAttachment", attachmentId="a1")
    assert (again["body"]["headers"], again["body"]["fileSize"]) == ({}, 10)
    chip = {"contentType": "ButtonResponse", "buttonResponse": {"type": "Button", "text": "A", "payload": "a"}}
    frame = {"type": "Text", "content": [*content, chip]}
    (echo,) = org.ask("c1", "onMessage", message=frame, attachmentIds=["a1"])
    assert echo["body"]["content"] == [
        chip,
        {
            "contentType": "Attachment",
            "attachment": {
                "id": "a1",
                "mediaType": "Image",
                "url": "https://files.test/get/f1",
                "filename": "door.png",
                "fileSize": 10,
                "mime": "image/png",
            },
        },
    ]
    assert org.session().files["a1"].state is FileState.SENT
    assert org.ask("c1", "deleteAttachment", attachmentId="a1")[0]["code"] == 4009
    org.is_too_late = True
    assert org.ask("c1", "getAttachment", attachmentId="a1")[0]["body"]["errorCode"] == 4008
    assert org.ask("c1", "getAttachment", attachmentId="a2")[0]["body"]["errorCode"] == 4009


def test_a_file_of_another_kind_is_a_file() -> None:
    """Only pictures, films and sounds have words of their own; the id is made where there was none."""
    org = configured()
    attachment_id = upload(org, "a.pdf", "application/pdf")["body"]["attachmentId"]
    org.provider.uploaded(Secret(TOKEN), attachment_id, T0)
    org.told()
    (echo,) = org.say("See", content=[{"contentType": "Attachment", "attachment": {"id": attachment_id}}])
    assert echo["body"]["content"][0]["attachment"]["mediaType"] == "File"


def test_a_file_given_up_and_one_refused() -> None:
    """Before it was sent, or after its upload."""
    org = configured()
    upload(org, attachmentId="a1")
    assert org.ask("c1", "deleteAttachment", attachmentId="a1")[0]["class"] == "AttachmentDeletedResponse"
    upload(org, attachmentId="a2")
    org.provider.uploaded(Secret(TOKEN), "a2", T0, refusal=4003)
    (failed,) = org.told()
    assert (failed["class"], failed["body"]["errorCode"]) == ("UploadFailureEvent", 4003)
    assert org.session().files == {}
    org.provider.uploaded(Secret(TOKEN), "a2", T0)
    assert org.told() == []


@pytest.mark.parametrize(
    "members, number",
    [
        ({"name": "setup.exe"}, 4001),
        ({"size": 10_240_001}, 4002),
        ({"name": "door"}, 4004),
        ({"name": "x" * 1024 + ".png"}, 4005),
        ({"size": 0}, 4102),
        ({"size": None}, None),
    ],
)
def test_files_that_are_refused(members: dict[str, Any], number: int | None) -> None:
    """By their numbers (§4.7); one without a size is taken on trust."""
    body = upload(configured(), **members)["body"]
    assert body.get("errorCode") == number


def test_files_may_be_off() -> None:
    """Where the deployment names no type."""
    assert upload(configured(replace(OPEN, file_types=())))["body"]["errorCode"] == 4000


def test_what_an_agent_sends_has_its_file_in_full() -> None:
    """A file that was shared is completed in the message, and can be asked for again; any other item goes as it is."""
    org = configured()
    token = Secret(TOKEN)
    org.provider.share_file(token, ServedFile("f1", "plan.pdf", "application/pdf", 4, FileState.SENT, "f1"))
    org.provider.share_file(Secret("nobody"), ServedFile("f1", "x.pdf", "application/pdf", 4))
    items = [attachment(Attachment(id="f1")), attachment(Attachment(id="f2")), quick_reply("Yes")]
    body = org.provider.say(token, T0, text="See", content=items, message_id="m1")
    assert body is not None
    assert body.id == "m1"
    (frame,) = org.told()
    first, second, _ = frame["body"]["content"]
    assert (first["attachment"]["url"], first["attachment"]["filename"]) == ("https://files.test/get/f1", "plan.pdf")
    assert second["attachment"] == {"id": "f2", "url": "", "filename": "", "mediaType": "File"}
    assert org.ask("c1", "getAttachment", attachmentId="f1")[0]["body"]["fileSize"] == 4
    org.is_too_late = True
    org.provider.say(token, T0, text=None, content=items[:1])
    assert org.told()[0]["body"]["content"][0]["attachment"]["url"] == ""


def test_a_session_is_given_up_from_outside() -> None:
    """Signed in elsewhere with its reason; the oldest connection alone; forgotten without a word."""
    org = configured()
    token, nobody = Secret(TOKEN), Secret("nobody")
    for do in (org.provider.sign_in_elsewhere, org.provider.let_oldest_go, org.provider.forget):
        do(nobody)
    org.configure("c2")
    org.told("c2")
    org.provider.let_oldest_go(token)
    assert (org.told()[0]["class"], org.session().connections) == ("ConnectionClosedEvent", ["c2"])
    assert org.provider.token_of("c2") == token
    assert org.provider.token_of("c1") is None
    assert org.provider.token_of("c9") is None
    org.provider.sign_in_elsewhere(token)
    assert org.told("c2")[0]["body"]["reason"] == "signedIn"
    assert org.provider.happenings() == [Ended(token, EndReason.SIGNED_IN_ELSEWHERE)]
    org.configure("c3")
    org.provider.let_oldest_go(token)
    org.told("c3")
    org.provider.let_oldest_go(token)
    org.provider.forget(token)
    assert (org.told("c3"), org.provider.session(token), org.provider.happenings()) == ([], None, [])
    assert org.configure("c4")["body"]["newSession"] is True


def test_sessions_obey_their_deployment_as_it_is_now() -> None:
    """Of that deployment only."""
    org = configured()
    org.configure("c2", token=OTHER, deploymentId="d2")
    org.provider.change_deployment(replace(OPEN, allows_clear=False))
    assert org.presence("Clear")[0]["code"] == 403
    assert org.session(OTHER).deployment.allows_clear


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last messages of a session, and the last tokens that expired."""
    monkeypatch.setattr("guestwire.protocols.web_messaging.provider.MAX_MESSAGES", 2)
    monkeypatch.setattr("guestwire.protocols.web_messaging.provider.MAX_EXPIRED", 1)
    org = configured()
    for text in "abc":
        org.provider.say(Secret(TOKEN), T0, text=text)
    assert [body.text for body in org.session().messages] == ["b", "c"]
    org.configure("c2", token=OTHER)
    org.provider.expire(Secret(TOKEN))
    org.provider.expire(Secret(OTHER))
    assert org.configure("c3")["body"]["newSession"] is True
    assert org.configure("c4", token=OTHER)["code"] == 4006


@pytest.mark.parametrize(
    "item",
    [
        {"contentType": "ButtonResponse", "buttonResponse": {"type": "QuickReply"}},
        {"contentType": "Form"},
        {"contentType": "Attachment", "attachment": {"id": 5}},
        {"contentType": 5},
        "no object",
    ],
)
def test_content_that_does_not_fit(item: object) -> None:
    """Refused, because its echo would be lost to the mobile SDK; kinds that nobody knows are said back as they came."""
    org = configured()
    (refused,) = org.say("x", content=[item])
    assert (refused["code"], refused["class"]) == (400, "string")
    odd = {"contentType": "Story", "story": 5}
    assert org.say("x", content=[odd])[0]["body"]["content"] == [odd]


def test_presences() -> None:
    """One that the mobile SDK can't read is refused; of several events in a frame each is said back by itself."""
    org = configured()
    assert org.presence("SessionExpired")[0]["code"] == 400
    join = {"eventType": "Presence", "presence": {"type": "Join"}}
    (echo,) = org.ask("c1", "onMessage", message={"type": "Event", "events": [join, {"eventType": "Presence"}]})
    assert echo["body"]["events"] == [join]
