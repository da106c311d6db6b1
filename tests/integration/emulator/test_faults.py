"""Every fault, and its effect seen from outside."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from guestwire.emulator.faults import CATALOGUE, FaultKind, FaultName
from tests.integration.emulator.world import World, nothing_more


async def test_catalogue(world: World) -> None:
    """The control API lists every fault with what the desk shows of it, switches off."""
    faults = (await world.call("GET", "/emulator/faults")).json["faults"]
    assert [fault["name"] for fault in faults] == [name.value for name in CATALOGUE]
    for fault in faults:
        assert fault["title"]
        assert fault["help"].endswith(".")
        assert fault.get("on") == (None if fault["kind"] == "action" else False)
    by_name = {fault["name"]: fault for fault in faults}
    assert by_name["delay-frames"]["params"] == {"delayMs": 2000}
    assert by_name["rate-limit"]["params"] == {"retryAfterS": 5}


@pytest.mark.parametrize("name", [name for name, info in CATALOGUE.items() if info.kind is not FaultKind.ACTION])
async def test_switches_show_at_the_desk(world: World, name: FaultName) -> None:
    """A switch is seen by the desk at once, in its events and in its snapshot; all can be turned off together."""
    events = await world.desk_events()
    await world.switch(name)
    change = await events.until("faults")
    assert {fault["name"]: fault.get("on") for fault in change["faults"]}[name] is True
    assert change["flow"] == {"published": name is not FaultName.UNPUBLISH_FLOW}
    answer = await world.call("DELETE", "/emulator/faults")
    assert not any(fault.get("on") for fault in answer.json["faults"])
    change = await events.until("faults")
    assert not any(fault.get("on") for fault in change["faults"])


@pytest.mark.parametrize(
    "method, name, body, status",
    [
        ("PUT", "no-such-fault", {"on": True}, 404),
        ("PUT", "no-cors", {}, 400),
        ("PUT", "no-cors", {"on": 1}, 400),
        ("PUT", "no-cors", {"on": True, "delayMs": 5}, 400),
        ("PUT", "delay-frames", {"on": True, "delayMs": -1}, 400),
        ("PUT", "delay-frames", {"on": True, "delayMs": 1e9}, 400),
        ("PUT", "delay-frames", {"on": True, "delayMs": "5"}, 400),
        ("PUT", "drop-sockets", {"on": True}, 400),
        ("POST", "no-cors", {}, 400),
        ("POST", "no-such-fault", {}, 404),
    ],
)
async def test_wrong_calls_change_nothing(
    world: World, method: str, name: str, body: dict[str, object], status: int
) -> None:
    """A wrong call is refused in words, and every fault is as it was."""
    before = (await world.call("GET", "/emulator/faults")).text
    answer = await world.call(method, f"/emulator/faults/{name}", body)
    assert answer.status == status
    assert answer.code == ("not-found" if status == 404 else "bad-request")
    assert (await world.call("GET", "/emulator/faults")).text == before


async def test_bad_credentials(world: World) -> None:
    """The right secret is refused like a wrong one, and a token from before is worth nothing any more."""
    token = await world.access_token()
    await world.switch("bad-credentials")
    assert (await world.ask_session(token, {})).status == 401
    answer = await world.ask_token()
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
    await world.switch("bad-credentials", on=False)
    assert (await world.ask_token()).status == 200


async def test_missing_scope(world: World) -> None:
    """A token is issued, but no session is created with it, nor with one from before."""
    earlier = await world.access_token()
    await world.switch("missing-scope")
    assert (await world.ask_session(earlier, {})).status == 401
    token = await world.access_token()
    answer = await world.ask_session(token, {})
    assert (answer.status, answer.code) == (401, "missing.scope")
    await world.switch("missing-scope", on=False)
    assert (await world.ask_session(await world.access_token(), {})).status == 200


async def test_expire_oauth_token(world: World) -> None:
    """Tokens issued before are expired, later ones are fine."""
    token = await world.access_token()
    await world.fire("expire-oauth-token")
    answer = await world.ask_session(token, {})
    assert (answer.status, answer.code) == (401, "bad.credentials")
    assert (await world.ask_session(await world.access_token(), {})).status == 200


async def test_expire_session_token(world: World) -> None:
    """Open sockets close with 4401, later upgrades are refused, the check says 401; a new session is fine."""
    guest = await world.guest()
    await world.fire("expire-session-token")
    assert await guest.close_code() == 4401
    session = guest.session
    assert await world.refused_upgrade({"sessionId": session["sessionId"], "token": session["token"]}) == 403
    assert (await world.check_session(session["sessionId"], session["token"])).status == 401
    await world.guest()


async def test_refuse_upgrade(world: World) -> None:
    """A good pair is refused with 403, and the check says 401: only from that can a browser tell why."""
    session = await world.session()
    await world.switch("refuse-upgrade")
    assert await world.refused_upgrade({"sessionId": session["sessionId"], "token": session["token"]}) == 403
    assert (await world.check_session(session["sessionId"], session["token"])).status == 401
    await world.switch("refuse-upgrade", on=False)
    assert (await world.check_session(session["sessionId"], session["token"])).status == 200
    await (await world.open(session)).until("bot-message")


async def test_rate_limit(world: World) -> None:
    """Token endpoint and session creation answer 429 with the seconds to wait."""
    token = await world.access_token()
    await world.switch("rate-limit", retryAfterS=7)
    for answer in (await world.ask_token(), await world.ask_session(token, {})):
        assert (answer.status, answer.code) == (429, "too.many.requests")
        assert answer.headers["retry-after"] == "7"
    await world.switch("rate-limit", on=False)
    assert (await world.ask_session(token, {})).status == 200


async def test_delay_frames(world: World) -> None:
    """Frames come later, in their order; what is sent when the fault is off again does not overtake them."""
    guest = await world.guest()
    loop = asyncio.get_running_loop()
    await world.switch("delay-frames", delayMs=150)
    began = loop.time()
    await guest.say("Opening hours")
    await guest.say("Track an order")
    await world.switch("delay-frames", on=False)
    await guest.say("Talk to a person")
    texts = [(await guest.frame())["text"] for _ in range(3)]
    assert loop.time() - began >= 0.14
    assert ["Monday" in texts[0], "warehouse" in texts[1], "hand you over" in texts[2]] == [True] * 3


async def test_delayed_close(world: World) -> None:
    """A delayed `ended` arrives before the close."""
    guest = await world.guest()
    await world.switch("delay-frames", delayMs=50)
    await guest.send({"type": "end"})
    assert (await guest.frame())["status"] == "ended"
    assert await guest.close_code() == 1000


async def test_drop_sockets(world: World) -> None:
    """The connection breaks without a close frame; the session is good and the conversation goes on."""
    guest = await world.guest_in_queue()
    await world.fire("drop-sockets")
    message = await guest.socket.receive(timeout=5)
    assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    assert guest.socket.close_code == 1006
    again = await world.open(guest.session)
    assert (await again.frame())["status"] == "waiting"
    assert (await world.conversation(again))["connections"] == 1


async def test_stalled_sockets(world: World) -> None:
    """Nothing is read, pings included, and nothing comes; once it is off, all of it does, in order."""
    guest = await world.guest()
    await world.switch("stall-sockets")
    await guest.say("Opening hours")
    late = await world.open(await world.session())
    answers = [asyncio.create_task(guest.frame()), asyncio.create_task(late.frame())]
    await guest.socket.ping()
    for _ in range(5):  # round trips in the loop that the emulator shares
        assert [entry["from"] for entry in (await world.conversation(guest))["entries"]] == ["bot"]
    assert not any(answer.done() for answer in answers)
    await world.switch("stall-sockets", on=False)
    assert "Monday to Friday" in (await answers[0])["text"]
    assert await answers[1] == {"type": "conversation-update", "status": "waiting"}
    assert (await late.frame())["type"] == "bot-message"
    await guest.say("Opening hours")
    assert (await guest.frame())["type"] == "bot-message"


async def test_a_reset_ends_a_stall(world: World) -> None:
    """The sockets are closed as by any reset."""
    guest = await world.guest()
    await world.switch("stall-sockets")
    await world.call("POST", "/emulator/reset", {})
    assert await guest.close_code() == 1012


async def test_stalled_sockets_can_be_dropped(world: World) -> None:
    """What was not read is lost with them."""
    guest = await world.guest()
    await world.switch("stall-sockets")
    await guest.say("Opening hours")
    await world.fire("drop-sockets")
    assert await guest.close_code() == 1006
    await world.switch("stall-sockets", on=False)
    assert [entry["from"] for entry in (await world.conversation(guest))["entries"]] == ["bot"]


async def test_garbage_frame(world: World) -> None:
    """One frame is not JSON, one has an unknown type, and the conversation goes on."""
    guest = await world.guest()
    await world.fire("garbage-frame")
    with pytest.raises(json.JSONDecodeError):
        json.loads(await guest.raw())
    assert (await guest.frame())["type"] == "emulated-nonsense"
    await guest.say("Opening hours")
    assert (await guest.frame())["type"] == "bot-message"


async def test_unpublish_flow(world: World) -> None:
    """No bot and no agent; once published again, who waits is routed."""
    events = await world.desk_events()
    await world.switch("unpublish-flow")
    talker, listener = await world.open(await world.session(name="Tom")), await world.open(await world.session())
    for guest in (talker, listener):
        assert (await guest.frame())["status"] == "waiting"
    await talker.say("Is anybody there?")
    await nothing_more(talker)
    state = (await world.call("GET", "/desk/api/state")).json
    assert state["conversations"] == []
    assert state["flow"] == {"published": False}

    await world.switch("unpublish-flow", on=False)
    assert "Tom" in (await talker.frame())["text"]
    assert "hand you over" in (await talker.frame())["text"]
    assert "virtual assistant" in (await listener.frame())["text"]
    assert (await world.conversation(talker))["stage"] == "queue"
    assert (await world.conversation(listener))["stage"] == "bot"
    while True:
        snapshot = await events.until("snapshot")
        if len(snapshot["conversations"]) == 2:
            break


async def test_unpublishing_hides_who_is_with_the_bot(world: World) -> None:
    """A conversation that sits in the flow leaves the desk when the flow does, and what is said stays unseen."""
    guest = await world.guest()
    conversation_id = (await world.conversation(guest))["id"]
    agent_id = await world.agent()
    events = await world.desk_events()
    assert len((await events.next())["conversations"]) == 1
    await world.switch("unpublish-flow")
    assert (await events.until("snapshot"))["conversations"] == []
    assert (await world.command(conversation_id, "accept", agent_id)).code == "not-found"
    await guest.say("Opening hours")
    await nothing_more(guest)


async def test_no_agents(world: World) -> None:
    """Nobody can take a conversation; it waits until they can."""
    guest = await world.guest_in_queue()
    agent_id = await world.agent()
    conversation_id = (await world.conversation(guest))["id"]
    await world.switch("no-agents")
    answer = await world.command(conversation_id, "accept", agent_id)
    assert (answer.status, answer.code) == (409, "no-agents")
    await nothing_more(guest)
    await world.switch("no-agents", on=False)
    assert (await world.command(conversation_id, "accept", agent_id)).status == 200


@pytest.mark.parametrize("fault", ["no-agents", "unpublish-flow"])
async def test_demo_agent_is_silenced(demo_world: World, fault: str) -> None:
    """The demo agent takes nobody and answers nobody while the fault is on; then it answers what it missed."""
    talking = await demo_world.guest_in_queue("Where is my order?")
    await talking.until("message")
    await demo_world.switch(fault)
    await talking.say("And my invoice?")
    await nothing_more(talking)
    waiting = await demo_world.open(await demo_world.session())
    await waiting.say("Hello?")
    await waiting.until("conversation-update", status="waiting")
    if fault == "no-agents":
        await waiting.until("bot-message")
        await waiting.until("bot-message")
    await nothing_more(waiting)
    await demo_world.switch(fault, on=False)
    assert "And my invoice?" in (await talking.until("message"))["text"]
    assert "Hello?" in (await waiting.until("message"))["text"]
