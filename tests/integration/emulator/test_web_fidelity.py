"""Single rows of the fidelity table (docs/topics/fidelity.md) that no script of a client shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.emulator.messenger import (
    DEPLOYMENT,
    Messenger,
    agent_with,
    change,
    configured,
    conversation,
    file,
    join,
    joined,
    messenger,
    presence,
)
from tests.integration.emulator.world import World, running

pytestmark = pytest.mark.anyio

HISTORY = "/api/v2/webmessaging/messages"
TYPING = {"type": "Event", "events": [{"eventType": "Typing", "typing": {"type": "On"}}]}


async def health(guest: Messenger) -> dict[str, Any]:
    """Ask how the session is; return the answer's metadata."""
    answer = await guest.ask("echo", message={"type": "Text", "text": "ping"})
    metadata: dict[str, Any] = answer["body"]["metadata"]
    return metadata


async def key(guest: Messenger) -> str:
    return str((await guest.ask("getJwt"))["body"]["jwt"])


async def test_the_history_is_what_was_said_live(world: World) -> None:
    """Whole: ids, times, metadata, what was offered and not taken; no tracing ids (§1.4, §8 row 15)."""
    guest = await joined(world)
    await guest.say("everything", metadata={"id": "m1"})
    for _ in range(9):
        await guest.bot()
    live = [
        frame["body"] for frame in guest.seen if (frame["class"], frame["type"]) == ("StructuredMessage", "message")
    ]
    assert len(live) == 12
    page = await guest.history()
    assert page["entities"][::-1] == live


@pytest.mark.parametrize("scheme", ["bearer", "Bearer", "BEARER"])
async def test_pages_without_parameters(world: World, scheme: str) -> None:
    """The first one, of 25; the key in any spelling of its scheme (§1.4)."""
    guest = await joined(world)
    session_id = (await conversation(world, guest))["sessionId"]
    for number in range(30):
        said = {"from": "agent", "text": f"Line {number}"}
        await world.call("POST", f"/emulator/sessions/{session_id}/messages", said)
    answer = await world.call("GET", HISTORY, headers={"authorization": f"{scheme} {await key(guest)}"})
    page = answer.json
    assert (page["pageNumber"], page["pageSize"], page["total"], page["pageCount"]) == (1, 25, 32, 2)
    assert [one["text"] for one in page["entities"]] == [f"Line {number}" for number in range(29, 4, -1)]


async def test_a_page_of_another_origin_reads_the_history(world: World) -> None:
    """Its browser asks first, for the key's header (§7.2 rule 13)."""
    preflight = {
        "origin": "https://shop.example.test",
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    answer = await world.call("OPTIONS", HISTORY, headers=preflight)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


async def test_an_echo_keeps_what_an_answer_names(world: World) -> None:
    """Content, both ids of what is answered, and nothing of the custom attributes (§4.4, §8 rows 13, 14, 16)."""
    guest = await joined(world)
    picked = {
        "type": "DatePicker",
        "text": "Monday",
        "payload": "2026-05-11T08:00:00.000Z",
        "originatingMessageId": "q",
    }
    entry = {"contentType": "ButtonResponse", "buttonResponse": {"type": "Form", "text": "Ada", "payload": "Ada"}}
    form = {
        "originatingMessageId": "q",
        "cannedResponseId": "c",
        "response": [{"id": "name", "component": entry}],
    }
    for item in (
        {"contentType": "ButtonResponse", "buttonResponse": picked},
        {"contentType": "Form", "form": form},
    ):
        channel = {"metadata": {"customAttributes": {"plan": "gold"}}}
        said = {"type": "Structured", "content": [item], "metadata": {"parentMessageId": "q"}, "channel": channel}
        echo = (await guest.ask("onMessage", message=said))["body"]
        assert (echo["type"], echo["content"], echo["metadata"]["parentMessageId"]) == ("Structured", [item], "q")
        assert "text" not in echo
        assert "gold" not in str(echo)


async def test_several_files_in_one_message(world: World) -> None:
    """All come back in full (§3.5, §8 row 25); a file alone, without words or type, as Text without text (§4.4)."""
    guest = await joined(world)
    alone = (await guest.ask("onMessage", message={"content": file(await guest.upload("c.png"))}))["body"]
    assert (alone["type"], "text" in alone, alone["content"][0]["attachment"]["filename"]) == ("Text", False, "c.png")
    ids = [await guest.upload(name) for name in ("a.png", "b.png")]
    echo = await guest.say("Both", content=[*file(ids[0]), *file(ids[1])])
    assert [item["attachment"]["filename"] for item in echo["body"]["content"]] == ["a.png", "b.png"]


async def test_answers_keep_the_order_of_the_requests(world: World) -> None:
    """The mobile SDK knows a failed message by its place only; a bot's answer stands behind the echo (§4.4, §4.7)."""
    guest = await joined(world)
    wanted = [await guest.send("onMessage", message={"type": "Text", "text": text}) for text in ("a", "", "b", "c")]
    seen: list[str] = []
    while len(seen) < len(wanted):
        frame = await guest.frame()
        if "tracingId" in frame:
            seen.append(frame["tracingId"])
    assert seen == wanted
    await change(world, botGreets=False)
    other = await configured(world)
    await other.send("onMessage", message={"type": "Text", "text": "Opening hours"})
    assert [(await other.frame())["body"]["direction"] for _ in range(2)] == ["Inbound", "Outbound"]


async def test_what_clients_add_is_ignored(world: World) -> None:
    """Unknown members, keys in any order, a journey without its session, a version with a decimal (§3.0, §3.1)."""
    guest = await messenger(world)
    journey = {
        "customer": {"id": "1", "idType": "app"},
        "triggeringAction": {"id": "2", "actionMap": {"id": "3", "version": 1.0}},
    }
    frame = {"future": {"a": [1]}, "journeyContext": journey, "resumeToken": "x", "deploymentId": DEPLOYMENT}
    await guest.socket.send_json({**frame, "token": guest.token, "tracingId": "t", "action": "configureSession"})
    assert (await guest.frame())["body"]["newSession"] is True
    message = {"type": "Text", "text": "Hi", "id": "own", "status": "Sent", "future": 1}
    echo = await guest.ask("onMessage", message=message, time="2026-05-04T09:12:30.118Z")
    assert (echo["body"]["text"], echo["body"]["id"] == "own") == ("Hi", False)


async def test_typing_leaves_no_trace(world: World) -> None:
    """No echo and no answer, on no connection, and no line in the history; as often as it comes (§3.6, §8 row 10)."""
    guest = await joined(world)
    other = await configured(world, token=guest.token)
    total = (await guest.history())["total"]
    for _ in range(2):
        await guest.send("onMessage", message=TYPING)
    for one in (guest, other):
        asked = await one.send("echo")
        assert (await one.frame())["tracingId"] == asked
    assert (await guest.history())["total"] == total


async def test_each_message_moves_the_expiry(world: World) -> None:
    """The guest's, and the other side's; a health check does not (§2.7)."""
    guest = await joined(world)
    session_id = (await conversation(world, guest))["sessionId"]
    before = int((await health(guest))["expirationDate"])
    await world.call("POST", "/emulator/clock", {"advanceS": 100})
    assert int((await health(guest))["expirationDate"]) <= before + 1
    await guest.say("Hello")
    await world.call("POST", "/emulator/clock", {"advanceS": 100})
    moved = int((await health(guest))["expirationDate"])
    assert before + 100 <= moved < before + 200
    await world.call("POST", f"/emulator/sessions/{session_id}/messages", {"text": "Still there?"})
    other = await configured(world, token=guest.token)
    assert other.seen[-1]["body"]["expirationDate"] >= before + 200


async def test_a_client_that_never_joined(world: World) -> None:
    """After a reload its session is no new one, so that nothing begins by itself: the trap of §2.4."""
    guest = await configured(world)
    await guest.socket.close()
    back = await configured(world, token=guest.token)
    assert back.seen[-1]["body"]["newSession"] is False
    assert (await back.history())["total"] == 0
    assert (await back.ask("onMessage", message=presence("Clear")))["class"] == "StructuredMessage"
    assert await back.closed() == 1000
    assert (await configured(world, token=guest.token)).seen[-1]["body"]["newSession"] is True


async def test_a_refused_sign_in_has_the_words_that_clients_look_for(world: World) -> None:
    """The mobile SDK asks its app to sign in again only when a 403 begins so (§2.10)."""
    guest = await messenger(world)
    await world.switch("refuse-sessions", code=403)
    assert (await guest.configure())["body"].startswith("Session authentication failed")


async def test_a_refresh_token_stays_in_use(world: World) -> None:
    """Each refresh gives a JWT that is good; there is no other refresh token in the answer (§1.5)."""
    redirect = "https://shop.example.test/"
    code = (await world.call("POST", "/identity/codes", {"user": "nora", "redirectUri": redirect})).json["code"]
    asked = {"deploymentId": DEPLOYMENT, "oauth": {"code": code, "redirectUri": redirect}}
    tokens = (await world.call("POST", "/api/v2/webdeployments/token/oauthcodegrantjwtexchange", asked)).json
    for _ in range(2):
        again = {"refreshToken": tokens["refreshToken"]}
        answer = await world.call("POST", "/api/v2/webdeployments/token/refresh", again)
        assert set(answer.json) == {"jwt"}
        guest = await messenger(world)
        data = {"code": answer.json["jwt"]}
        session = await guest.ask("configureAuthenticatedSession", deploymentId=DEPLOYMENT, data=data)
        assert session["body"]["connected"] is True


async def test_the_desk_can_offer_choices_as_button_responses(world: World) -> None:
    """The documentation's other way of chips (§4.5)."""
    guest = await joined(world)
    await guest.say("Talk to a person")
    conversation_id, agent_id = await agent_with(world, guest)
    offered = {"type": "QuickReply", "text": "Blue", "payload": "blue"}
    content = [{"contentType": "ButtonResponse", "buttonResponse": offered}]
    sent = await world.command(conversation_id, "messages", agent_id, text="Which colour?", content=content)
    assert sent.status == 201
    while (body := await guest.bot())["text"] != "Which colour?":
        pass
    assert (body["type"], body["content"]) == ("Structured", content)


async def test_limits_that_are_not_held(world: World) -> None:
    """Sessions of a second, more than twelve typing agents a minute; what was said stays with its session (§5)."""
    await change(world, sessionDurationS=1)
    await change(world, sessionDurationS=30 * 86_400)
    guest = await joined(world)
    await guest.say("Talk to a person")
    conversation_id, agent_id = await agent_with(world, guest)
    for _ in range(13):
        await world.command(conversation_id, "typing", agent_id)
    for _ in range(13):
        await guest.event("On", "Typing")
    total = (await guest.history())["total"]
    await world.call("POST", "/emulator/clock", {"advanceS": 16 * 86_400})
    assert (await guest.history())["total"] == total


async def test_what_the_configuration_leaves_out(world: World) -> None:
    """Parts of the platform that are not here (§1.3.2)."""
    answer = await world.call("GET", f"/webdeployments/v1/deployments/{DEPLOYMENT}/config.json")
    assert not {"cobrowse", "video", "supportCenter", "customI18nLabels"} & set(answer.json)
    assert answer.json["messenger"]["apps"]["conversations"]["notifications"]["enabled"] is False
    assert answer.json["journeyEvents"]["enabled"] is False


async def test_starting_anew_keeps_the_history(world: World) -> None:
    """Under the same token, but without the attributes of the conversation before (§2.5)."""
    guest = await joined(world)
    channel = {"metadata": {"customAttributes": {"plan": "gold"}}}
    await guest.say("Talk to a person", channel=channel)
    conversation_id, agent_id = await agent_with(world, guest)
    await world.command(conversation_id, "end", agent_id)
    await guest.event("Disconnect")
    total = (await guest.history())["total"]
    await guest.ask("closeSession", closeAllConnections=True)
    await guest.configure(startNew=True)
    assert (await guest.history())["total"] == total
    await guest.ask("onMessage", message=join())
    again = await conversation(world, guest)
    assert (again["id"] == conversation_id, again["guest"].get("attributes", {})) == (False, {})


async def test_a_stopping_emulator_says_so() -> None:
    """Open sockets are closed with 1012, so that clients come again (§2.11)."""
    async with running() as world:
        guest = await configured(world)
        await world.emulator.__aexit__(None, None, None)
        assert await guest.closed() == 1012
