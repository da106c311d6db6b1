"""The guest's WebSocket from outside (guest-session §4)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.integration.emulator.world import World, nothing_more


async def test_opening_tells_waiting_then_greets(world: World) -> None:
    """First the status, then the bot's greeting by name with replies to choose from."""
    guest = await world.open(await world.session(name="Tom"))
    assert await guest.frame() == {"type": "conversation-update", "status": "waiting"}
    greeting = await guest.frame()
    assert greeting["type"] == "bot-message"
    assert "Tom" in greeting["text"]
    assert [item["quickReply"]["text"] for item in greeting["content"]] == [
        "Opening hours",
        "Track an order",
        "Talk to a person",
    ]
    await nothing_more(guest)


async def test_offered_reply_is_answered_by_the_bot(world: World) -> None:
    """An offered reply, as text or as button, is answered and the replies are offered again; nothing is handed over."""
    guest = await world.guest()
    await guest.say("opening hours")
    answer = await guest.frame()
    assert "Monday" in answer["text"]
    assert len(answer["content"]) == 3
    response = {"type": "QuickReply", "text": "Track …", "payload": "Track an order"}
    await guest.say("Track …", content=[{"contentType": "ButtonResponse", "buttonResponse": response}])
    assert "warehouse" in (await guest.frame())["text"]
    assert (await world.conversation(guest))["stage"] == "bot"


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "message", "text": "Talk to a person"},
        {"type": "message", "text": "Where is my parcel?", "from": "guest"},
        {
            "type": "message",
            "text": "A human, please",
            "content": [
                {
                    "contentType": "ButtonResponse",
                    "buttonResponse": {"type": "QuickReply", "text": "…", "payload": "Talk to a person"},
                }
            ],
        },
    ],
)
async def test_anything_else_hands_over(world: World, frame: dict[str, object]) -> None:
    """The bot says that it hands over; the status stays waiting, so no update is sent."""
    guest = await world.guest()
    await guest.send(frame)
    assert "hand you over" in (await guest.frame())["text"]
    await nothing_more(guest)
    conversation = await world.conversation(guest)
    assert (conversation["status"], conversation["stage"]) == ("waiting", "queue")
    await guest.say("And another thing")
    await nothing_more(guest)


async def test_agent_frames_have_the_tutorials_shape(world: World) -> None:
    """Update to connected with agentName, typing, and message with from, text and an ISO time in UTC; nothing else."""
    guest = await world.guest_in_queue()
    agent_id = await world.agent("Ada")
    conversation_id = (await world.conversation(guest))["id"]
    await world.command(conversation_id, "accept", agent_id)
    assert await guest.frame() == {"type": "conversation-update", "status": "connected", "agentName": "Ada"}
    await world.command(conversation_id, "typing", agent_id)
    assert await guest.frame() == {"type": "typing", "from": "agent"}
    await world.command(conversation_id, "messages", agent_id, text="Hello")
    message = await guest.frame()
    moment = datetime.fromisoformat(message.pop("timestamp"))
    assert moment.utcoffset() == timedelta(0)
    assert message == {"type": "message", "from": "agent", "text": "Hello"}
    await world.command(conversation_id, "end", agent_id)
    assert await guest.frame() == {"type": "conversation-update", "status": "ended"}
    assert await guest.close_code() == 1000


async def test_bad_pairs_are_refused_with_403(world: World) -> None:
    """Another session's token, the access token, a broken one, an expired one, or none: HTTP 403 on the upgrade."""
    session, other = await world.session(), await world.session()
    access_token = await world.access_token()
    good = {"sessionId": session["sessionId"], "token": session["token"]}
    for query in (
        {**good, "token": other["token"]},
        {**good, "token": access_token},
        {**good, "token": session["token"] + "x"},
        {**good, "sessionId": other["sessionId"]},
        {**good, "sessionId": "no-such-session"},
        {"sessionId": session["sessionId"]},
        {"token": session["token"]},
        {},
    ):
        assert await world.refused_upgrade(query) == 403
    await world.call("POST", "/emulator/clock", {"advanceS": 86_401})
    assert await world.refused_upgrade(good) == 403


async def test_refusal_has_the_platforms_shape(world: World) -> None:
    """The refused upgrade is an ordinary error body, which quotes nothing."""
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    answer = await world.call("GET", "/ws?sessionId=one&token=secret-two", headers=headers)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert "secret-two" not in answer.text


async def test_parameters_in_any_order_and_others_ignored(world: World) -> None:
    """Servers accept any order and ignore what they don't know [D]."""
    session = await world.session()
    url = f"{session['webSocketUrl']}?utm=1&token={session['token']}&sessionId={session['sessionId']}"
    async with world.http.ws_connect(url) as socket:
        assert (await socket.receive_json(timeout=5))["status"] == "waiting"


@pytest.mark.parametrize(
    "frame, code",
    [
        ("no JSON", "bad-frame"),
        ("[1]", "bad-frame"),
        ('{"text": "no type"}', "bad-frame"),
        ('{"type": "dance"}', "bad-frame"),
        ('{"type": "message", "text": 1}', "bad-frame"),
        ('{"type": "hello", "sessionId": "a", "token": "b"}', "bad-frame"),
        ('{"type": "message", "text": "  "}', "message-blank"),
        (json.dumps({"type": "message", "text": "ü" * 2049}), "message-too-long"),
    ],
)
async def test_what_is_not_understood_gets_an_error(world: World, frame: str, code: str) -> None:
    """An error frame says why; the connection stays, and nothing reaches the bot."""
    guest = await world.guest()
    await guest.send(frame)
    answer = await guest.frame()
    assert (answer["type"], answer["code"]) == ("error", code)
    assert answer["text"]
    await guest.say("Opening hours")
    assert (await guest.frame())["type"] == "bot-message"


async def test_too_many_frames_are_told(world: World) -> None:
    """Over 10 frames a second for 3 s get rate-limited with the seconds to wait."""
    guest = await world.guest()
    for _ in range(40):
        await guest.send({"type": "typing"})
    answer = await guest.frame()
    assert (answer["type"], answer["code"]) == ("error", "rate-limited")
    assert answer["retryAfter"] >= 1


async def test_huge_frame_closes_with_1009(world: World) -> None:
    """A frame over 64 KiB is not read at all."""
    guest = await world.guest()
    await guest.say("x" * 70_000)
    assert await guest.close_code() == 1009


async def test_binary_frame_closes_with_1003(world: World) -> None:
    """Frames are text."""
    guest = await world.guest()
    await guest.socket.send_bytes(b"{}")
    assert await guest.close_code() == 1003


async def test_second_connection_shares_the_conversation(world: World) -> None:
    """What one connection says the others get, and it does not; the status is all that a later one gets first."""
    first = await world.guest()
    second = await world.open(first.session)
    assert await second.frame() == {"type": "conversation-update", "status": "waiting"}
    await first.say("Opening hours")
    echo = await second.frame()
    assert (echo["type"], echo["from"], echo["text"]) == ("message", "guest", "Opening hours")
    assert (await second.frame())["type"] == "bot-message"
    assert (await first.frame())["type"] == "bot-message"
    assert (await world.conversation(first))["connections"] == 2
    await first.send({"type": "typing"})
    await nothing_more(second)


async def test_reconnect_continues_the_conversation(world: World) -> None:
    """A lost connection ends nothing; who comes back is told the status, and nothing is said twice."""
    guest = await world.guest_in_queue()
    await world.accepted(guest, await world.agent("Ada"))
    await guest.socket.close()
    events = await world.desk_events()
    while (await events.next()).get("conversations", [{"connections": 0}])[0]["connections"]:
        await events.socket.close()
        events = await world.desk_events()
    again = await world.open(guest.session)
    assert await again.frame() == {"type": "conversation-update", "status": "connected", "agentName": "Ada"}
    await nothing_more(again)
    await again.say("I am back")
    texts = [entry["text"] for entry in (await world.conversation(again))["entries"]]
    assert texts.count("Where is my order?") == 1


async def test_guest_ends(world: World) -> None:
    """`end` ends it for every connection; the desk sees that the guest left."""
    guest = await world.guest_in_queue()
    other = await world.open(guest.session)
    await guest.send({"type": "end"})
    for one in (guest, other):
        await one.until("conversation-update", status="ended")
        assert await one.close_code() == 1000
    conversation = await world.conversation(guest)
    assert (conversation["stage"], conversation["endReason"]) == ("ended", "guest")
    assert "guest left" in conversation["entries"][-1]["text"]


async def test_socket_after_the_end(world: World) -> None:
    """After the end the upgrade succeeds, says so and closes with 1000."""
    guest = await world.guest()
    await guest.send({"type": "end"})
    await guest.close_code()
    again = await world.open(guest.session)
    assert await again.frame() == {"type": "conversation-update", "status": "ended"}
    assert await again.close_code() == 1000
    assert (await world.conversation(guest))["stage"] == "ended"


async def test_open_socket_closes_when_its_token_expires(world: World) -> None:
    """When the clock passes the token's end, the socket closes with 4401."""
    guest = await world.guest()
    await world.call("POST", "/emulator/clock", {"advanceS": 86_401})
    assert await guest.close_code() == 4401
