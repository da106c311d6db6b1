"""Web Messaging on real sockets: what each of the vendor's clients does, in its order, and what it waits for."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.integration.emulator.messenger import (
    DEPLOYMENT,
    agent_with,
    ask_history,
    change,
    configured,
    conversation,
    file,
    join,
    joined,
    messenger,
    presence,
)
from tests.integration.emulator.strictness import check_frame
from tests.integration.emulator.world import World

pytestmark = pytest.mark.anyio

HEALTH = "SGVhbHRoQ2hlY2tNZXNzYWdlSWQ="


async def test_in_the_order_of_the_java_sdk(world: World) -> None:
    """Upgrade with its headers, configure, speak, attach, and read the history until an empty page (§7.1)."""
    guest = await messenger(
        world,
        headers={"origin": "webmessaging.example.test", "deploymentId": DEPLOYMENT},
        application="web-messaging-sdk-18.1.0",
    )
    session = await guest.configure()
    assert session["body"]["allowedMedia"]["inbound"]["fileTypes"] == [{"type": "*/*"}]
    assert session["body"]["newSession"] is True
    rules = await guest.ask("getConfiguration", deploymentId=DEPLOYMENT)
    assert rules["body"]["maxCustomDataBytes"] == 2048
    attributes = {"metadata": {"customAttributes": {"plan": "gold"}}}
    echo = await guest.ask("onMessage", message={"type": "Text", "text": "Hello"}, channel=attributes)
    assert (echo["class"], echo["type"], echo["body"]["direction"]) == ("StructuredMessage", "message", "Inbound")
    health = await guest.ask("echo", message={"type": "Text", "text": "ping"})
    assert (health["type"], health["body"]["text"]) == ("response", "ping")
    attachment_id = await guest.upload()
    content = file(attachment_id)
    await guest.ask("onMessage", message={"content": content})
    assert (await guest.ask("getAttachment", attachmentId=attachment_id))["body"]["headers"] == {}
    jwt = (await guest.ask("getJwt"))["body"]["jwt"]
    pages: list[list[dict[str, Any]]] = []
    while not pages or pages[-1]:
        answer = await ask_history(world, jwt, pageNumber=len(pages) + 1, pageSize=100)
        assert answer.status == 200
        pages.append(answer.json["entities"])
    assert len(pages) == 2
    assert (await conversation(world, guest))["guest"]["attributes"] == {"plan": "gold"}


async def test_in_the_order_of_the_mobile_sdk(world: World) -> None:
    """Configuration, join, text, history, file, health check, end, start anew, clear (§7.1)."""
    config = await world.call("GET", f"/webdeployments/v1/deployments/{DEPLOYMENT}/config.json")
    assert config.json["messenger"]["apps"]["conversations"]["autoStart"]["enabled"] is True
    guest = await messenger(
        world, headers={"origin": "127.0.0.1", "user-agent": "Android 34"}, application="TransportSDK-2.14.0"
    )
    journey = {
        "customer": {"id": guest.token, "idType": "cookie"},
        "customerSession": {"id": "", "type": "web"},
    }
    assert (await guest.configure(startNew=False, journeyContext=journey))["body"]["newSession"] is True
    echo = await guest.ask("onMessage", message=join())
    assert echo["body"]["events"] == [{"eventType": "Presence", "presence": {"type": "Join"}}]
    assert echo["body"]["direction"] == "Inbound"
    greeting = await guest.bot()
    assert {item["contentType"] for item in greeting["content"]} == {"QuickReply"}
    await guest.say("Where is my order?")
    page = await guest.history(pageNumber=1, pageSize=25)
    assert [one["direction"] for one in page["entities"]] == ["Outbound", "Inbound", "Outbound", "Inbound"]
    chosen = "4d5e6f70-8192-4a3b-8c4d-5e6f70819203"
    assert await guest.upload(attachmentId=chosen, errorsAsJson=True) == chosen
    with_file = await guest.say("See", content=file(chosen))
    (item,) = with_file["body"]["content"]
    assert item["attachment"]["id"] == chosen
    await guest.socket.send_json(
        {"action": "echo", "token": guest.token, "tracingId": HEALTH, "message": {"type": "Text", "text": "ping"}}
    )
    health = await guest.until("StructuredMessage", text="ping")
    assert (health["type"], health["tracingId"]) == ("response", HEALTH)
    assert health["body"]["metadata"]["durationSeconds"] == "259200"
    assert int(health["body"]["metadata"]["expirationDate"]) > 1_700_000_000

    conversation_id, agent_id = await agent_with(world, guest)
    await world.command(conversation_id, "end", agent_id)
    end = await guest.event("Disconnect")
    assert (end["body"]["direction"], end["body"]["metadata"]["readOnly"]) == ("Outbound", "true")
    assert (await guest.say("Too late"))["code"] == 409
    other = await configured(world, token=guest.token)
    assert other.seen[-1]["body"]["readOnly"] is True
    closed = await guest.ask("closeSession", closeAllConnections=True)
    assert (closed["class"], closed["body"]["connected"], closed["body"]["readOnly"]) == (
        "SessionResponse",
        False,
        True,
    )
    assert (await other.until("ConnectionClosedEvent"))["body"] == {}
    assert await other.closed() == 1000
    again = await guest.configure(startNew=True)
    assert (again["body"]["connected"], again["body"]["newSession"], again["body"]["readOnly"]) == (True, True, False)
    await guest.ask("onMessage", message=join())
    await guest.bot()

    assert (await guest.ask("onMessage", message=presence("Clear")))["class"] == "StructuredMessage"
    assert (await guest.frame())["class"] == "SessionClearedEvent"
    assert (await guest.frame())["class"] == "ConnectionClosedEvent"
    assert await guest.closed() == 1000
    anew = await messenger(world, token=guest.token)
    assert (await anew.configure())["body"]["newSession"] is True
    assert (await anew.history())["total"] == 0


async def test_in_the_order_of_the_ovotech_tester(world: World) -> None:
    """No tracing ids, no origin, attributes at the top level; the conversation ends by a Disconnect (§7.1)."""
    guest = await messenger(world)
    await guest.socket.send_json({"action": "configureSession", "deploymentId": DEPLOYMENT, "token": guest.token})
    session = await guest.frame()
    assert (session["class"], session["type"], session["code"]) == ("SessionResponse", "response", 200)
    assert "tracingId" not in session
    attributes = {"metadata": {"customAttributes": {"name": "Tom"}}}
    for text in ("Hi", "Talk to a person"):
        frame = {"action": "onMessage", "token": guest.token, "message": {"type": "Text", "text": text}}
        await guest.socket.send_json({**frame, "channel": attributes})
        echo = await guest.frame()
        assert (echo["body"]["direction"], echo["body"]["text"]) == ("Inbound", text)
        assert "tracingId" not in echo
        assert (await guest.bot())["text"]
    conversation_id, agent_id = await agent_with(world, guest)
    assert (await conversation(world, guest))["guest"]["name"] == "Tom"
    await world.command(conversation_id, "messages", agent_id, text="Goodbye")
    assert (await guest.bot())["originatingEntity"] == "Human"
    await world.command(conversation_id, "end", agent_id)
    assert (await guest.event("Disconnect"))["body"]["events"]


async def test_a_script_without_a_token_in_its_health_checks(world: World) -> None:
    """One browser client leaves it out; on a configured connection that is enough (§3.0)."""
    guest = await configured(world)
    await guest.socket.send_json({"action": "echo", "message": {"type": "Text", "text": "ping"}})
    assert (await guest.frame())["body"]["text"] == "ping"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", 400),
        ("[]", 400),
        ('{"action":"dance","tracingId":"t"}', 400),
        ('{"action":"onMessage","token":"x","message":{"type":"Text","text":"x"}}', 4007),
        ('{"action":"configureSession","token":"x","deploymentId":"nobody"}', 400),
    ],
)
async def test_what_is_not_understood_ends_nothing(world: World, text: str, code: int) -> None:
    """An error frame of class string, and the connection goes on (§4.7, §7.4)."""
    guest = await messenger(world, deployment_id="nobody")
    await guest.socket.send_str(text)
    frame = await guest.frame()
    assert (frame["class"], frame["code"]) == ("string", code)
    assert (await guest.configure())["body"]["connected"] is True


async def test_a_ping_is_answered(world: World) -> None:
    """The mobile SDK pings every 15 seconds and takes silence for a lost connection (§2.8)."""
    guest = await messenger(world)
    await guest.socket.ping(b"are you there?")
    async with aiohttp.ClientSession() as http:
        socket = await http.ws_connect(
            f"{world.emulator.messaging_url}/v1", params={"deploymentId": DEPLOYMENT}, autoping=False
        )
        await socket.ping(b"now")
        answer = await socket.receive(timeout=5)
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"now")


async def test_the_longest_text(world: World) -> None:
    """4,096 bytes of UTF-8 and not one more (§5)."""
    guest = await joined(world)
    text = "ä" * 2048
    assert (await guest.say(text))["body"]["text"] == text
    assert (await guest.say("ä" * 2049))["code"] == 4011


async def test_three_connections_and_the_oldest_goes(world: World) -> None:
    """Everything goes to all; a fourth costs the oldest, without a reason (§2.6)."""
    first = await joined(world)
    second, third = [await configured(world, token=first.token) for _ in range(2)]
    tracing_id = await first.send("onMessage", message={"type": "Text", "text": "Hello"})
    for guest in (first, second, third):
        assert (await guest.until("StructuredMessage", text="Hello"))["tracingId"] == tracing_id
    assert (await conversation(world, first))["connections"] == 3
    fourth = await configured(world, token=first.token)
    assert (await first.until("ConnectionClosedEvent"))["body"] == {}
    assert await first.closed() == 1000
    await fourth.say("Still there")
    await second.until("StructuredMessage", text="Still there")
    assert (await conversation(world, second))["connections"] == 3


async def test_the_first_message_without_a_join(world: World) -> None:
    """The bot greets, and answers only what it understands; the end is told, and another message begins anew."""
    await change(world, autoStart=False, disconnect="Send")
    guest = await configured(world)
    await guest.say("Opening hours")
    assert "virtual assistant" in (await guest.bot())["text"]
    assert "Monday" in (await guest.bot())["text"]
    await guest.say("Something else")
    assert "hand you over" in (await guest.bot())["text"]
    conversation_id, agent_id = await agent_with(world, guest)
    await world.command(conversation_id, "end", agent_id)
    assert (await guest.event("Disconnect"))["body"]["metadata"]["readOnly"] == "false"
    await guest.say("Hello again")
    assert "virtual assistant" in (await guest.bot())["text"]
    again = await conversation(world, guest)
    assert again["id"] != conversation_id
    truth = (await world.call("GET", f"/emulator/sessions/{again['sessionId']}/messages")).json["messages"]
    assert [one["text"] for one in truth if one["from"] == "guest"] == [
        "Opening hours",
        "Something else",
        "Hello again",
    ]


async def test_a_silent_bot_and_an_end_that_nobody_is_told(world: World) -> None:
    """Deployments decide whether the bot speaks first, and whether guests learn of the end (§8 row 27)."""
    await change(world, botGreets=False, disconnect="off")
    guest = await configured(world)
    await guest.ask("onMessage", message=join())
    await guest.say("Help")
    assert "hand you over" in (await guest.bot())["text"]
    conversation_id, agent_id = await agent_with(world, guest)
    await world.command(conversation_id, "end", agent_id)
    health = await guest.ask("echo", message={"type": "Text", "text": "ping"})
    assert all(frame["body"].get("type") != "Event" for frame in guest.seen[guest.seen.index(health) :])
    assert (await guest.say("Are you there?"))["class"] == "StructuredMessage"


async def test_a_session_outlives_its_connection_and_expires(world: World) -> None:
    """By the emulator's clock: told to the next request, refused once, then a new session (§2.7, §8 row 5)."""
    guest = await joined(world)
    await guest.socket.close()
    back = await configured(world, token=guest.token)
    assert back.seen[-1]["body"]["newSession"] is False
    assert (await back.history())["total"] == 2
    await world.call("POST", "/emulator/clock", {"advanceS": 259_201})
    expired = await back.ask("echo", message={"type": "Text", "text": "ping"})
    assert (expired["class"], expired["type"], expired["body"]) == ("SessionExpiredEvent", "response", {})
    assert (await back.configure())["code"] == 4006
    assert (await back.configure())["body"]["newSession"] is True
    assert (await conversation(world, back))["stage"] == "ended"


async def test_typing_both_ways(world: World) -> None:
    """The desk sees the guest type, the guest sees agents; a deployment may forbid either (§4.6)."""
    guest = await joined(world)
    await guest.say("Talk to a person")
    conversation_id, agent_id = await agent_with(world, guest)
    desk = await world.desk_events()
    typing = {"type": "Event", "events": [{"eventType": "Typing", "typing": {"type": "On"}}]}
    await guest.send("onMessage", message=typing)
    assert (await desk.until("typing"))["from"] == "guest"
    await world.command(conversation_id, "typing", agent_id)
    event = await guest.event("On", "Typing")
    assert event["body"]["events"][0]["typing"] == {"type": "On", "duration": 5000}
    await change(world, guestTyping=False, agentTyping=False)
    assert (await guest.ask("onMessage", message=typing))["code"] == 403
    await world.command(conversation_id, "typing", agent_id)
    await world.command(conversation_id, "messages", agent_id, text="Done")
    seen = len(guest.seen)
    await guest.bot()
    assert [frame["body"]["type"] for frame in guest.seen[seen:]] == ["Text"]


async def test_names_and_pictures_only_where_humanized(world: World) -> None:
    """The bot's and the agent's; an empty sender where the deployment shows none (§4.4)."""
    guest = await configured(world)
    await guest.ask("onMessage", message=join())
    sender = (await guest.bot())["channel"]["from"]
    assert sender["nickname"] == "Otto"
    picture = await world.call("GET", sender["image"])
    assert (picture.status, picture.headers["content-type"]) == (200, "image/svg+xml")
    await change(world, humanize=False)
    await guest.say("Opening hours")
    assert (await guest.bot())["channel"]["from"] == {}


async def test_attributes_merge_and_are_limited(world: World) -> None:
    """From both places, later values win; more than 2,048 bytes are refused, also of a join (§3.4, §2.4)."""
    guest = await configured(world)
    big = {"metadata": {"customAttributes": {"a": "x" * 2048}}}
    assert (await guest.ask("onMessage", message={**join(), "channel": big}))["code"] == 4013
    inner = {"metadata": {"customAttributes": {"plan": "gold", "email": "tom@example.com"}}}
    await guest.ask("onMessage", message={**join(), "channel": inner})
    outer = {"metadata": {"customAttributes": {"plan": "silver"}}}
    await guest.ask("onMessage", message={"type": "Text", "text": "Hi"}, channel=outer)
    seen = (await conversation(world, guest))["guest"]
    assert (seen["attributes"]["plan"], seen["email"]) == ("silver", "tom@example.com")


async def test_rates_are_limited(world: World) -> None:
    """Five messages a second, two health checks and ten pages of history a minute, each with a time to wait (§5)."""
    guest = await configured(world)
    for _ in range(6):
        await guest.send("onMessage", message={"type": "Text", "text": "x"})
    slow = await guest.until("TooManyRequestsErrorMessage")
    assert (slow["code"], slow["body"]["errorCode"]) == (429, 4029)
    for _ in range(2):
        await guest.ask("echo", message={"type": "Text", "text": "ping"})
    assert (await guest.ask("echo", message={"type": "Text", "text": "ping"}))["code"] == 429
    jwt = (await guest.ask("getJwt"))["body"]["jwt"]
    answers = [await ask_history(world, jwt) for _ in range(11)]
    assert [answer.status for answer in answers] == [200] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert answers[-1].code == "too.many.requests"


async def test_the_history_wants_its_key(world: World) -> None:
    """Of this minute; an error has the platform's body, and pages are counted (§1.4)."""
    guest = await joined(world)
    assert (await world.call("GET", "/api/v2/webmessaging/messages")).code == "bad.credentials"
    jwt = (await guest.ask("getJwt"))["body"]["jwt"]
    page = (await ask_history(world, jwt, pageNumber=2, pageSize=1)).json
    assert (page["total"], page["pageCount"], page["pageNumber"], page["pageSize"]) == (2, 2, 2, 1)
    past = await ask_history(world, jwt, pageNumber=9)
    assert (past.status, past.json["entities"], past.headers["access-control-allow-origin"]) == (200, [], "*")
    assert (await ask_history(world, jwt, pageSize=0)).code == "bad.request"
    await world.call("POST", "/emulator/clock", {"advanceS": 61})
    assert (await ask_history(world, jwt)).status == 401


async def test_everything_that_the_bot_can_show(world: World) -> None:
    """Each kind of content live and in the history, as the mobile SDK wants it; and the answers are understood."""
    guest = await joined(world)
    await guest.say("show")
    assert len((await guest.bot())["content"]) == 11
    await guest.say("everything")
    shown = [await guest.bot() for _ in range(9)]
    kinds = {item["contentType"] for body in shown for item in body["content"]}
    assert kinds == {"QuickReply", "Card", "Carousel", "DatePicker", "ListPicker", "Form", "Attachment"}
    picture = next(item for item in shown[-1]["content"] if item["contentType"] == "Attachment")["attachment"]
    async with world.http.get(picture["url"]) as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        assert len(await answer.read()) == picture["fileSize"]
    await guest.history()

    def of(kind: str) -> dict[str, Any]:
        return next(body for body in shown if any(item["contentType"] == kind for item in body["content"]))

    dates = of("DatePicker")
    slot = dates["content"][0]["datePicker"]["availableTimes"][0]["dateTime"]
    chosen = {"type": "DatePicker", "text": "Tomorrow", "payload": slot, "originatingMessageId": dates["id"]}
    echo = await guest.say("", content=[{"contentType": "ButtonResponse", "buttonResponse": chosen}])
    assert echo["body"]["content"][0]["buttonResponse"] == chosen
    assert (await guest.bot())["text"] == "You chose: Tomorrow."
    items = [{"type": "ListPicker", "text": text, "payload": text.lower()} for text in ("Brush", "Tape")]
    content = [{"contentType": "ButtonResponse", "buttonResponse": one} for one in items]
    await guest.say(
        "My extras", type="Structured", content=content, metadata={"parentMessageId": of("ListPicker")["id"]}
    )
    assert (await guest.bot())["text"] == "You chose: Brush, Tape."
    entry = {"contentType": "ButtonResponse", "buttonResponse": {"type": "Form", "text": "Ada", "payload": "Ada"}}
    filled = {
        "originatingMessageId": of("Form")["id"],
        "cannedResponseId": "c",
        "response": [{"id": "name", "component": entry}],
    }
    await guest.say("Thanks", type="Structured", content=[{"contentType": "Form", "form": filled}])
    assert (await guest.bot())["text"] == "Thank you! You wrote: name = Ada."
    entries = (await conversation(world, guest))["entries"]
    answered = {one["inReplyTo"] for one in entries if "inReplyTo" in one}
    assert answered == {dates["id"], of("ListPicker")["id"], of("Form")["id"]}
    await world.call("POST", "/emulator/clock", {"advanceS": 1})  # five messages a second
    attachment_id = await guest.upload("notes.txt", b"hello", "text/plain")
    await guest.say(None, content=file(attachment_id))
    assert (await guest.bot())["text"] == "I have got your file: notes.txt."


async def test_an_agent_sends_everything(world: World) -> None:
    """What the desk sends reaches the guest, files too, under the id of the desk's own entry."""
    guest = await joined(world)
    await guest.say("Talk to a person")
    conversation_id, agent_id = await agent_with(world, guest)
    added = world.emulator.org.add_file("plan.pdf", "application/pdf", b"%PDF")
    content = [{"contentType": "Attachment", "attachment": {"id": added.id}}]
    sent = await world.command(conversation_id, "messages", agent_id, text="The plan", content=content)
    assert sent.status == 201, sent.text
    while (body := await guest.bot())["text"] != "The plan":
        pass
    assert body["id"] == sent.json["id"]
    assert body["channel"]["from"]["nickname"] == "Mia"
    (item,) = body["content"]
    expected = {"id": added.id, "filename": "plan.pdf", "fileSize": 4, "mime": "application/pdf", "mediaType": "File"}
    assert expected.items() <= item["attachment"].items()
    fresh = await guest.ask("getAttachment", attachmentId=added.id)
    assert (fresh["body"]["headers"], fresh["body"]["fileSize"]) == ({}, 4)
    download = await world.call("GET", fresh["body"]["url"])
    assert (download.status, download.text) == (200, "%PDF")
    assert download.headers["content-disposition"].startswith("attachment;")


async def test_a_reset_closes_and_forgets(world: World) -> None:
    """Sockets close with 1012; the token is a new one afterwards."""
    guest = await joined(world)
    await world.call("POST", "/emulator/reset", {})
    assert await guest.closed() == 1012
    again = await configured(world, token=guest.token)
    assert again.seen[-1]["body"]["newSession"] is True


async def test_the_same_seed_says_the_same(world: World) -> None:
    """Ids and times but for the milliseconds that pass between two frames."""

    async def talk() -> list[Any]:
        await world.call("POST", "/emulator/seed", {"seed": 7})
        guest = await configured(world, token="seeded")
        await guest.ask("onMessage", message=join())
        await guest.bot()
        await guest.say("Opening hours")
        await guest.bot()
        return [(frame["body"].get("id"), frame["body"].get("metadata")) for frame in guest.seen]

    assert await talk() == await talk()


async def test_the_frames_of_the_specification_pass_the_strictness() -> None:
    """The checks are no stricter than the page's own examples (§2.2, §4.3, §4.7)."""
    for text in (
        '{"type":"message","class":"ConnectionClosedEvent","code":200,"body":{"reason":"signedIn"}}',
        '{"type":"response","class":"string","code":4011,"body":"too long","tracingId":"t"}',
    ):
        check_frame(json.loads(text))
    with pytest.raises(AssertionError):
        check_frame({"type": "response", "class": "SessionResponse", "code": 200, "body": {"connected": 1.0}})
