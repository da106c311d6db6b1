"""The desk's API from outside: commands, refusals, and the event socket."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from guestwire.emulator.records import Stage
from guestwire.protocols.guest_session.session import GuestDetails
from tests.integration.emulator.world import DeskEvents, Guest, World, running


async def test_signing_in(world: World) -> None:
    """A new name gets a seat off queue, a known one the same seat."""
    answer = await world.call("POST", "/desk/api/agents", {"name": " Ada "})
    assert answer.status == 201
    agent = answer.json
    assert agent == {"id": agent["id"], "name": "Ada", "onQueue": False, "isDemo": False, "active": 0}
    again = await world.call("POST", "/desk/api/agents", {"name": "Ada"})
    assert (again.status, again.json) == (200, agent)
    changed = await world.call("PATCH", f"/desk/api/agents/{agent['id']}", {"onQueue": True})
    assert changed.json == {**agent, "onQueue": True}
    gone = await world.call("DELETE", f"/desk/api/agents/{agent['id']}")
    assert (gone.status, gone.text) == (204, "")
    assert (await world.call("GET", "/desk/api/state")).json["agents"] == []


@pytest.mark.parametrize("name", ["", "   ", "a" * 65, "line\nbreak"])
async def test_bad_names(world: World, name: str) -> None:
    """A name is one line of up to 64 characters."""
    answer = await world.call("POST", "/desk/api/agents", {"name": name})
    assert (answer.status, answer.code) == (400, "bad-request")


async def test_demo_agents_seat_is_taken(demo_world: World) -> None:
    """A person can't sit down on the demo agent's seat."""
    answer = await demo_world.call("POST", "/desk/api/agents", {"name": "Demo Agent"})
    assert (answer.status, answer.code) == (409, "already-taken")


async def test_conversation_as_the_desk_sees_it(world: World) -> None:
    """Who the guest is, where the conversation stands, and every line, system lines among them."""
    guest = await world.guest_in_queue(name="Tom", email="tom@example.com", externalContactId="crm-1")
    conversation = await world.conversation(guest)
    entries = conversation.pop("entries")
    assert [entry["from"] for entry in entries] == ["bot", "guest", "bot", "system"]
    assert entries[1]["text"] == "Where is my order?"
    assert entries[1]["name"] == "Tom"
    assert len({entry["id"] for entry in entries}) == 4
    assert conversation == {
        "id": conversation["id"],
        "sessionId": guest.session["sessionId"],
        "status": "waiting",
        "stage": "queue",
        "guest": {"name": "Tom", "email": "tom@example.com", "externalContactId": "crm-1"},
        "startedAt": conversation["startedAt"],
        "queuedAt": conversation["queuedAt"],
        "connections": 1,
        "protocol": "guest-session",
    }
    assert isinstance(conversation["startedAt"], int)


async def test_agent_talks_with_a_guest(world: World) -> None:
    """Accept, write, send rich content, and read what the guest answers."""
    guest = await world.guest_in_queue()
    ada = await world.agent("Ada")
    conversation_id = (await world.conversation(guest))["id"]
    accepted = (await world.command(conversation_id, "accept", ada)).json
    assert (accepted["status"], accepted["stage"], accepted["agentName"]) == ("connected", "agent", "Ada")
    assert accepted["entries"][-1] == {**accepted["entries"][-1], "from": "system", "text": "Agent Ada joined."}
    assert (await world.command(conversation_id, "accept", ada)).status == 200

    card = next(one for one in (await world.call("GET", "/desk/api/templates")).json if one["name"] == "parcel")
    answer = await world.command(conversation_id, "messages", ada, text=card["text"], content=card["content"])
    assert answer.status == 201
    assert answer.json["content"] == card["content"]
    message = await guest.until("message")
    assert (message["text"], message["content"]) == (card["text"], card["content"])

    response = {"type": "Button", "text": "Deliver on another day", "payload": "Deliver on another day"}
    await guest.say(response["text"], content=[{"contentType": "ButtonResponse", "buttonResponse": response}])
    await guest.say("and thank you")
    await guest.send({"type": "no such"})
    await guest.until("error")
    entries = (await world.conversation(guest))["entries"]
    assert entries[-2]["content"][0]["buttonResponse"] == response
    assert entries[-1]["text"] == "and thank you"


async def test_templates(world: World) -> None:
    """There is one to send of every kind, and the desk sends each as it is."""
    templates = (await world.call("GET", "/desk/api/templates")).json
    kinds = {item["contentType"] for one in templates for item in one["content"]}
    assert kinds == {"QuickReply", "Card", "Carousel", "DatePicker", "ListPicker", "Form"}
    assert all(one["name"] and one["title"] and one["text"] for one in templates)
    guest = await world.guest_in_queue()
    ada = await world.agent("Ada")
    conversation_id = await world.accepted(guest, ada)
    for one in templates:
        answer = await world.command(conversation_id, "messages", ada, text=one["text"], content=one["content"])
        assert (answer.status, answer.json.get("content", [])) == (201, one["content"])
        assert (await guest.until("message")).get("content", []) == one["content"]


async def test_transfer_to_the_bot(world: World) -> None:
    """The guest waits again and the bot says so; the agent has it no more; the next text comes to the queue again."""
    guest = await world.guest_in_queue()
    ada = await world.agent("Ada")
    conversation_id = await world.accepted(guest, ada)
    answer = (await world.command(conversation_id, "transfer", ada)).json
    assert (answer["status"], answer["stage"]) == ("waiting", "bot")
    assert "agentName" not in answer
    assert await guest.frame() == {"type": "conversation-update", "status": "waiting"}
    assert "virtual assistant again" in (await guest.frame())["text"]
    assert (await world.command(conversation_id, "messages", ada, text="x")).code == "not-your-conversation"
    await guest.say("A person again, please")
    await guest.until("bot-message")
    await world.accepted(guest, ada)


async def test_ending(world: World) -> None:
    """The guest is told and the socket closes with 1000; nothing can be done with it any more."""
    guest = await world.guest_in_queue()
    ada = await world.agent("Ada")
    conversation_id = await world.accepted(guest, ada)
    ended = (await world.command(conversation_id, "end", ada)).json
    assert (ended["status"], ended["stage"], ended["endReason"]) == ("ended", "ended", "agent")
    assert ended["endedAt"] >= ended["startedAt"]
    assert (await guest.frame())["status"] == "ended"
    assert await guest.close_code() == 1000
    for command in ("accept", "typing", "transfer", "end"):
        answer = await world.command(conversation_id, command, ada)
        assert (answer.status, answer.code) == (409, "ended")
    assert (await world.command(conversation_id, "messages", ada, text="x")).code == "ended"


async def test_leaving_the_desk_keeps_the_chats(world: World) -> None:
    """Going off queue or leaving ends nothing; the same name has its chat again, and a colleague may take it over."""
    guest = await world.guest_in_queue()
    ada, bob = await world.agent("Ada"), await world.agent("Bob")
    conversation_id = await world.accepted(guest, ada)
    assert (await world.command(conversation_id, "accept", bob)).code == "already-taken"
    await world.call("PATCH", f"/desk/api/agents/{ada}", {"onQueue": False})
    assert (await world.command(conversation_id, "messages", ada, text="still here")).status == 201
    await world.call("DELETE", f"/desk/api/agents/{ada}", {})
    assert (await world.conversation(guest))["stage"] == "agent"
    assert await world.agent("Ada") == ada
    assert (await world.command(conversation_id, "messages", ada, text="back again")).status == 201
    await world.call("DELETE", f"/desk/api/agents/{ada}", {})
    assert (await world.command(conversation_id, "accept", bob)).status == 200
    assert (await guest.until("conversation-update"))["agentName"] == "Bob"


async def refusals(world: World, guest: Guest) -> list[tuple[int, str]]:
    """Return what an agent gets who does everything wrong."""
    ada = await world.agent("Ada", on_queue=False)
    with_bot = await world.guest()
    conversation_id, bot_id = (await world.conversation(guest))["id"], (await world.conversation(with_bot))["id"]
    answers = [
        await world.command("no-such", "accept", ada),
        await world.command(conversation_id, "accept", "nobody"),
        await world.command(conversation_id, "dance", ada),
        await world.command(conversation_id, "accept", ada),
        await world.command(bot_id, "accept", ada),
        await world.command(conversation_id, "messages", ada, text="x"),
        await world.command(conversation_id, "typing", ada),
        await world.call("PATCH", "/desk/api/agents/nobody", {"onQueue": True}),
        await world.call("DELETE", "/desk/api/agents/nobody", {}),
        await world.call("GET", "/desk/api/nothing"),
        await world.call("GET", "/desk/api/agents"),
        await world.call("POST", "/desk/api/agents", {}),
        await world.call("POST", "/desk/api/agents", data=b'{"name": "Eve"}', headers={"content-type": "text/plain"}),
        await world.call("POST", "/desk/api/agents", data=b"{", headers={"content-type": "application/json"}),
        await world.call("POST", "/desk/api/agents", {"name": "x" * 70_000}),
    ]
    return [(answer.status, answer.code) for answer in answers]


async def test_refusals(world: World) -> None:
    """Every refusal has a status, a code, and the one error body; nothing has changed after all of them."""
    guest = await world.guest_in_queue()
    assert await refusals(world, guest) == [
        (404, "not-found"),
        (404, "not-found"),
        (404, "not-found"),
        (409, "off-queue"),
        (409, "with-bot"),
        (403, "not-your-conversation"),
        (403, "not-your-conversation"),
        (404, "not-found"),
        (404, "not-found"),
        (404, "not-found"),
        (405, "method-not-allowed"),
        (400, "bad-request"),
        (415, "unsupported-media-type"),
        (400, "bad-request"),
        (413, "too-large"),
    ]
    assert (await world.conversation(guest))["stage"] == "queue"


@pytest.mark.parametrize("text", ["", " \n", "ü" * 2049])
async def test_bad_messages(world: World, text: str) -> None:
    """Neither a blank message nor one over 4,096 bytes is sent."""
    guest = await world.guest_in_queue()
    ada = await world.agent("Ada")
    answer = await world.command(await world.accepted(guest, ada), "messages", ada, text=text)
    assert (answer.status, answer.code) == (400, "bad-request")


# --- the event socket ------------------------------------------------------------------------------------------------


async def test_events_are_a_snapshot_and_what_changes(world: World) -> None:
    """The first frame is the state; then every step of a conversation comes as it happens, in order."""
    ada = await world.agent("Ada")
    events = await world.desk_events()
    assert await events.next() == {"type": "snapshot", **(await world.call("GET", "/desk/api/state")).json} | {
        "type": "snapshot"
    }
    guest = await world.guest(name="Tom")
    started = await events.until("conversation")
    assert started["conversation"]["connections"] == 1
    assert "entries" not in started["conversation"]
    conversation_id = started["conversation"]["id"]
    greeting = await events.next()
    assert (greeting["type"], greeting["conversationId"], greeting["entry"]["from"]) == (
        "entry",
        conversation_id,
        "bot",
    )

    await guest.send({"type": "typing"})
    assert await events.next() == {"type": "typing", "conversationId": conversation_id, "from": "guest"}
    await guest.say("Help")
    assert [(await events.until("entry"))["entry"]["from"] for _ in range(3)] == ["guest", "bot", "system"]
    assert (await events.until("conversation"))["conversation"]["stage"] == "queue"
    await world.command(conversation_id, "accept", ada)
    assert (await events.until("conversation"))["conversation"]["agentId"] == ada
    assert (await events.until("agents"))["agents"][0]["active"] == 1
    await world.command(conversation_id, "typing", ada)
    assert (await events.until("typing"))["from"] == "agent"
    await world.command(conversation_id, "messages", ada, text="Hello Tom")
    assert (await events.until("entry"))["entry"] == {
        **(await world.conversation(guest))["entries"][-1],
        "name": "Ada",
        "text": "Hello Tom",
    }
    await guest.socket.close()
    assert (await events.until("conversation"))["conversation"]["connections"] == 0
    await world.command(conversation_id, "end", ada)
    assert (await events.until("conversation"))["conversation"]["endReason"] == "agent"
    assert (await events.until("agents"))["agents"][0]["active"] == 0


async def test_snapshot_and_changes_are_a_fresh_snapshot(world: World) -> None:
    """Whoever folds the changes has the same conversations and lines as one who asks anew."""
    events = await world.desk_events()
    seen = {one["id"]: one for one in (await events.next())["conversations"]}
    ada = await world.agent("Ada")
    guest = await world.guest_in_queue()
    await world.command(await world.accepted(guest, ada), "messages", ada, text="Hello")
    await world.call("DELETE", f"/desk/api/agents/{ada}", {})
    agents: object = None
    while agents != []:
        change = await events.next()
        match change["type"]:
            case "conversation":
                known = seen.get(change["conversation"]["id"], {"entries": []})
                seen[change["conversation"]["id"]] = {**change["conversation"], "entries": known["entries"]}
            case "entry":
                seen[change["conversationId"]]["entries"].append(change["entry"])
            case "agents":
                agents = change["agents"]
    assert list(seen.values()) == (await world.call("GET", "/desk/api/state")).json["conversations"]


async def test_reset_sends_a_snapshot(world: World) -> None:
    """After a reset every desk starts from an empty snapshot."""
    events = await world.desk_events()
    await world.agent("Ada")
    await world.call("POST", "/emulator/reset", {})
    while (await events.until("snapshot"))["agents"]:
        pass


async def test_what_a_page_says_is_ignored(world: World) -> None:
    """The event socket takes no commands."""
    events = await world.desk_events()
    await events.socket.send_str('{"type": "accept"}')
    await world.agent("Ada")
    assert (await events.until("agents"))["agents"][0]["name"] == "Ada"


# --- the page --------------------------------------------------------------------------------------------------------


async def test_page_has_a_strict_policy(world: World) -> None:
    """The page is served at /desk, its files below it, under a policy that allows our own files only."""
    page = await world.call("GET", "/desk")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-cache"
    script = await world.call("GET", "/desk/core/fold.js")
    assert script.status == 200
    assert "javascript" in script.headers["content-type"]
    assert (await world.call("GET", "/")).headers["location"] == "/desk"
    for path in ("/desk/nothing.js", "/desk/../app.py", "/desk/%2e%2e/%2e%2e/settings.py"):
        assert (await world.call("GET", path)).status == 404


# --- other sites -----------------------------------------------------------------------------------------------------

FOREIGN = [
    {"origin": "https://evil.example.com"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"host": "evil.example.com"},
    {"host": "evil.example.com", "origin": "http://evil.example.com"},
]


@pytest.mark.parametrize("headers", [*FOREIGN, {"sec-fetch-site": "cross-site"}])
@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/desk/api/state"),
        ("POST", "/desk/api/agents"),
        ("GET", "/emulator/state"),
        ("POST", "/emulator/reset"),
        ("PUT", "/emulator/faults/no-cors"),
    ],
)
async def test_other_sites_are_refused(world: World, method: str, path: str, headers: dict[str, str]) -> None:
    """A page of another site reaches neither desk nor control, not even by a name that it points at this machine."""
    answer = await world.call(method, path, headers=headers)
    assert (answer.status, answer.code) == (403, "origin-not-allowed")


@pytest.mark.parametrize("headers", FOREIGN)
async def test_other_sites_get_no_events(world: World, headers: dict[str, str]) -> None:
    """The event socket is refused to them as well."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.http.ws_connect("/desk/api/events", headers=headers)
    assert refused.value.status == 403


async def test_own_page_is_let_in(world: World) -> None:
    """The desk's own page has the emulator's origin, by any of this machine's names."""
    port = world.emulator.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
        assert (await world.call("POST", "/desk/api/agents", {"name": "Ada"}, headers=headers)).status in {200, 201}
        async with world.http.ws_connect("/desk/api/events", headers=headers) as socket:
            assert (await DeskEvents(socket).next())["type"] == "snapshot"


async def test_two_desks_race_for_a_guest(world: World) -> None:
    """Of two who accept at once one gets the guest, the other hears who has it."""
    guest = await world.guest_in_queue()
    conversation_id = (await world.conversation(guest))["id"]
    agents = [await world.agent(name) for name in ("Ada", "Bob")]
    answers = await asyncio.gather(*(world.command(conversation_id, "accept", agent) for agent in agents))
    assert sorted(answer.status for answer in answers) == [200, 409]
    assert {answer.code for answer in answers if answer.status == 409} == {"already-taken"}


async def test_a_seat_that_no_page_has_open_goes_off_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who closes the tab would keep guests waiting; who loads it again keeps the place, and so does a script."""
    monkeypatch.setattr("guestwire.emulator.desk_feed.SEAT_KEPT_S", 0.05)
    async with running(demo_agent=False) as world:
        page_agent, script_agent = await world.agent("Grace"), await world.agent("Script")
        first, second = await world.desk_events(), await world.desk_events()
        for events in (first, second):
            await events.socket.send_json({"type": "seat", "agentId": page_agent})
            await events.socket.send_str("not json")
        await first.socket.close()
        watcher = await world.desk_events()
        await watcher.next()
        await second.socket.close()
        agents = (await watcher.until("agents"))["agents"]
        assert {agent["id"]: agent["onQueue"] for agent in agents} == {page_agent: False, script_agent: True}


async def test_a_snapshot_stays_one_frame_that_a_page_takes() -> None:
    """Hundreds of ended chats with long lines: the latest are in it, and the socket stays open."""
    async with running(demo_agent=False) as world:
        org = world.emulator.org
        for _ in range(300):
            session, _token = org.create_session(GuestDetails(name="Ada"))
            conversation = org.open_conversation(session)
            for _ in range(10):
                org.add_entry(conversation, "guest", "x" * 1000)
            org.move(conversation, Stage.ENDED, ended_by="guest")
        events = await world.desk_events()
        frame = await events.next()
        assert len(frame["conversations"]) == 100
        await world.agent("Grace")
        assert (await events.until("agents"))["agents"]
