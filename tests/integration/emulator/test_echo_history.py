"""What a provider may do beyond the tutorial: say a guest's messages back, and show earlier ones over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from guestwire.emulator.records import Entry
from guestwire.model.ids import ConversationId, SessionId
from tests.integration.emulator.world import Answer, Guest, World, nothing_more, running


async def read(world: World, session: dict[str, Any], **query: object) -> Answer:
    path = f"/api/v2/chat/guestsessions/{session['sessionId']}/messages"
    headers = {"authorization": f"Bearer {session['token']}"}
    return await world.call("GET", path, headers=headers, params={name: str(value) for name, value in query.items()})


def truth(world: World, guest: Guest) -> tuple[Entry, ...]:
    return world.emulator.org.transcript(SessionId(guest.session["sessionId"]))


async def test_sessions_announce_what_was_on_when_they_were_created(world: World) -> None:
    """In `extensions`; it holds for the session, whatever is switched later."""
    assert (await world.session())["extensions"] == ["typing", "end"]
    await world.switch("echo")
    with_echo = await world.session()
    assert with_echo["extensions"] == ["typing", "end", "echo"]
    await world.switch("history")
    assert (await world.session())["extensions"] == ["typing", "end", "echo", "history"]
    await world.call("DELETE", "/emulator/faults")
    guest = await world.open(with_echo)
    await guest.until("bot-message")
    await guest.say("Hi", clientId="c1")
    assert (await guest.until("message"))["clientId"] == "c1"


async def test_an_emulator_may_start_with_them() -> None:
    """`guestwire emulate --echo --history`; turning all faults off, or a reset, leaves them on."""
    async with running(echo=True, history=True) as world:
        await world.switch("no-agents")
        for method, path in (("DELETE", "/emulator/faults"), ("POST", "/emulator/reset")):
            assert (await world.session())["extensions"][2:] == ["echo", "history"]
            await world.call(method, path, {})
        assert (await world.session())["extensions"][2:] == ["echo", "history"]
        await world.switch("history", on=False)
        assert (await world.session())["extensions"][2:] == ["echo"]


async def test_echo(world: World) -> None:
    """What the guest says comes back before any answer, with the provider's id and time, on every socket."""
    await world.switch("echo")
    guest = await world.guest()
    other = await world.open(guest.session)
    await other.frame()
    await guest.say("Opening hours", clientId="c1")
    echo = await guest.frame()
    said = truth(world, guest)[1]
    assert datetime.fromisoformat(echo.pop("timestamp")) == said.at.replace(
        microsecond=said.at.microsecond // 1000 * 1000
    )
    assert echo == {"type": "message", "from": "guest", "text": "Opening hours", "id": said.id, "clientId": "c1"}
    answer = await guest.frame()
    assert (answer["type"], answer["id"]) == ("bot-message", truth(world, guest)[2].id)
    assert (await other.frame())["clientId"] == "c1"
    assert (await other.frame())["id"] == answer["id"]


async def test_a_message_without_client_id_is_not_said_back(world: World) -> None:
    """A client of the tutorial draws what it sends by itself."""
    await world.switch("echo")
    guest = await world.guest()
    await guest.say("Opening hours")
    assert (await guest.frame())["type"] == "bot-message"
    await nothing_more(guest)


@pytest.mark.parametrize("client_id", ["", "x" * 65, "a\nb"])
async def test_client_ids_are_bounded(world: World, client_id: str) -> None:
    """They are kept and said back; without echo they are a member like any unknown one."""
    plain = await world.guest()
    await plain.say("Opening hours", clientId=client_id)
    assert (await plain.frame())["type"] == "bot-message"
    await world.switch("echo")
    guest = await world.guest()
    await guest.say("Opening hours", clientId=client_id)
    assert (await guest.frame())["code"] == "bad-frame"
    assert len(truth(world, guest)) == 1


async def test_without_either_frames_have_no_ids(world: World) -> None:
    """And a client id is not kept."""
    guest = await world.guest()
    await guest.say("Opening hours", clientId="c1")
    assert set(await guest.frame()) == {"type", "text", "timestamp", "content"}
    assert truth(world, guest)[1].client_id is None


async def test_history_alone_gives_frames_ids(world: World) -> None:
    """But echoes nothing."""
    await world.switch("history")
    guest = await world.guest()
    other = await world.open(guest.session)
    await other.frame()
    await guest.say("Opening hours", clientId="c1")
    assert (await guest.frame())["id"] == truth(world, guest)[2].id
    seen = await other.frame()
    assert (seen["from"], seen["id"], seen.get("clientId")) == ("guest", truth(world, guest)[1].id, None)


async def test_a_message_written_twice_is_two(world: World) -> None:
    """The provider finds no repetitions: neither on the socket, nor in the history, nor in the truth."""
    await world.switch("echo")
    await world.switch("history", withClientId=1)
    guest = await world.guest()
    for _ in range(2):
        await guest.say("Opening hours", clientId="c1")
    echoes = [await guest.until("message", clientId="c1") for _ in range(2)]
    said = [entry for entry in truth(world, guest) if entry.sender == "guest"]
    assert [entry.client_id for entry in said] == ["c1", "c1"]
    assert [echo["id"] for echo in echoes] == [entry.id for entry in said]
    assert said[0].id != said[1].id
    shown = (await read(world, guest.session)).json["messages"]
    assert [one["id"] for one in shown if one.get("clientId") == "c1"] == [entry.id for entry in said]


async def test_echoes_get_lost_and_doubled(world: World) -> None:
    """Whatever happens to the echo, the message was said once; a double has the same id."""
    await world.switch("echo", lossPercent=100)
    guest = await world.guest()
    await guest.say("Opening hours", clientId="c1")
    assert (await guest.frame())["type"] == "bot-message"
    await world.switch("echo", lossPercent=0, duplicatePercent=100)
    await guest.say("Opening hours", clientId="c2")
    one, two = await guest.frame(), await guest.frame()
    assert one == two
    assert one["clientId"] == "c2"
    assert [entry.client_id for entry in truth(world, guest) if entry.sender == "guest"] == ["c1", "c2"]


async def test_echoes_come_late(world: World) -> None:
    """The answer overtakes them; what is late comes before the end."""
    await world.switch("echo", delayMs=60_000)
    guest = await world.guest()
    await guest.say("Opening hours", clientId="c1")
    assert (await guest.frame())["type"] == "bot-message"
    await guest.send({"type": "end"})
    assert (await guest.frame())["clientId"] == "c1"
    assert (await guest.frame())["status"] == "ended"


async def test_the_same_seed_loses_the_same(world: World) -> None:
    """Percentages are drawn from the org's seeded source."""
    runs = []
    for _ in range(2):
        await world.call("POST", "/emulator/seed", {"seed": 4})
        await world.switch("echo", lossPercent=50, duplicatePercent=30)
        guest = await world.guest()
        for number in range(20):
            await guest.say("Opening hours", clientId=f"c{number}")
        await guest.send({"type": "end"})
        frames = []
        while (frame := await guest.frame()).get("status") != "ended":
            frames.append({name: value for name, value in frame.items() if name != "timestamp"})
        runs.append(frames)
    assert runs[0] == runs[1]
    echoed = [frame["clientId"] for frame in runs[0] if "clientId" in frame]
    assert 0 < len(set(echoed)) < 20
    assert len(echoed) > len(set(echoed))


async def test_history_has_what_was_said_in_order(world: World) -> None:
    """Messages of everybody as the socket has them, with ids that sort like them; lines for the desk are left out."""
    await world.switch("history")
    guest = await world.open(await world.session())
    await guest.frame()
    greeting = await guest.frame()
    await guest.say("Where is my order?", clientId="c1")
    handed = await guest.frame()
    conversation_id = await world.accepted(guest, agent := await world.agent("Ada"))
    await world.command(conversation_id, "messages", agent, text="Let me look")
    spoken = await guest.frame()
    answer = await read(world, guest.session)
    messages = answer.json["messages"]
    assert (answer.status, answer.json["hasMore"]) == (200, False)
    assert [messages[0], messages[2], messages[3]] == [greeting, handed, spoken]
    assert {name: messages[1][name] for name in ("type", "from", "text")} == {
        "type": "message",
        "from": "guest",
        "text": "Where is my order?",
    }
    assert "clientId" not in messages[1]
    places = [(one["timestamp"], one["id"]) for one in messages]
    assert places == sorted(places)
    assert [one["id"] for one in messages] == [entry.id for entry in truth(world, guest)]


async def test_pages(world: World) -> None:
    """Page by page, behind an id: everything once, in order."""
    await world.switch("history")
    guest = await world.guest()
    for _ in range(4):
        await guest.say("Opening hours")
        await guest.frame()
    all_ids = [entry.id for entry in truth(world, guest)]
    assert len(all_ids) == 9
    got: list[str] = []
    query: dict[str, object] = {"limit": 4}
    for more in (True, True, False):
        page = (await read(world, guest.session, **query)).json
        got += [one["id"] for one in page["messages"]]
        assert page["hasMore"] is more
        query["after"] = got[-1]
    assert got == all_ids
    assert (await read(world, guest.session, after=all_ids[-1])).json == {"messages": [], "hasMore": False}


async def test_history_lags(world: World) -> None:
    """A message can be read once its lag is over, by the org's clock; the socket is not late for it."""
    await world.call("POST", "/emulator/seed", {"seed": 1})
    await world.switch("history", lagMs=60_000)
    guest = await world.guest()
    assert (await read(world, guest.session)).json["messages"] == []
    await world.call("POST", "/emulator/clock", {"advanceS": 60})
    assert len((await read(world, guest.session)).json["messages"]) == 1


async def test_with_a_spread_a_later_message_may_show_first(world: World) -> None:
    """So a reader that goes on behind the last one misses one, unless it overlaps."""
    await world.call("POST", "/emulator/seed", {"seed": 1})
    await world.switch("history", spreadMs=60_000)
    guest = await world.guest()
    for _ in range(5):
        await guest.say("Opening hours")
        await guest.frame()
    order: list[str] = []
    for _ in range(60):
        await world.call("POST", "/emulator/clock", {"advanceS": 1})
        shown = [one["id"] for one in (await read(world, guest.session)).json["messages"]]
        assert shown == sorted(shown)
        order += [one for one in shown if one not in order]
    all_ids = [entry.id for entry in truth(world, guest)]
    assert sorted(order) == all_ids
    assert order != all_ids


async def test_history_is_refused_like_the_check(world: World) -> None:
    """401 for a bad pair, 404 without the capability, 400 for a wrong limit, 429 by the switch; any origin may ask."""
    plain = await world.session()
    await world.switch("history")
    session = await world.session()
    other = await world.session()
    for bad in ({**session, "token": other["token"]}, {**session, "token": "x"}, {**session, "sessionId": "nobody"}):
        answer = await read(world, bad)
        assert (answer.status, answer.code) == (401, "bad.credentials")
    answer = await read(world, plain)
    assert (answer.status, answer.code) == (404, "not.found")
    for query in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"after": "x" * 300}):
        answer = await read(world, session, **query)
        assert (answer.status, answer.code) == (400, "bad.request")
    answer = await read(world, session)
    assert answer.json == {"messages": [], "hasMore": False}
    assert answer.headers["access-control-allow-origin"] == "*"
    await world.switch("rate-limit", retryAfterS=3)
    answer = await read(world, session)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "too.many.requests", "3")


async def test_the_truth_over_http(world: World) -> None:
    """For harnesses in another process: who said what, when, with which ids."""
    await world.switch("echo")
    guest = await world.guest()
    await guest.say("Opening hours", clientId="c1")
    await guest.until("bot-message")
    path = f"/emulator/sessions/{guest.session['sessionId']}/messages"
    messages = (await world.call("GET", path)).json["messages"]
    assert [(one["from"], one["id"], one.get("clientId")) for one in messages] == [
        (entry.sender, entry.id, entry.client_id) for entry in truth(world, guest)
    ]
    assert messages[1]["text"] == "Opening hours"
    answer = await world.call("GET", "/emulator/sessions/nobody/messages")
    assert (answer.status, answer.code) == (404, "not-found")
    assert world.emulator.org.transcript(SessionId("nobody")) == ()


async def test_ids_that_repeat(world: World) -> None:
    """Unique and in order within a session, as promised, and the same again in the next one, as allowed."""
    await world.switch("history")
    await world.switch("repeat-ids")
    ids = []
    for _ in range(2):
        guest = await world.guest()
        await guest.say("Hi")
        await guest.say("Anybody there?")
        answer = await read(world, guest.session)
        ids.append([message["id"] for message in answer.json["messages"]])
    assert ids[0] == ids[1] == sorted(set(ids[0]))
    assert len(ids[0]) > 1


async def test_reordered_messages(world: World) -> None:
    """Within the window messages overtake each other; none is lost."""
    await world.call("POST", "/emulator/seed", {"seed": 3})
    guest = await world.guest_in_queue()
    await world.switch("reorder-frames", windowMs=200)
    org = world.emulator.org
    conversation = org.conversations[ConversationId((await world.conversation(guest))["id"])]
    for number in range(10):  # all in one tick: only the draws, far apart, decide who overtakes whom
        org.add_entry(conversation, "agent", str(number))
    texts = [(await guest.until("message"))["text"] for _ in range(10)]
    assert texts != sorted(texts)
    assert sorted(texts) == [str(number) for number in range(10)]


async def test_what_is_on_its_way_comes_before_the_end(world: World) -> None:
    """However wide the window is."""
    guest = await world.guest_in_queue()
    conversation_id = await world.accepted(guest, agent := await world.agent("Ada"))
    await world.switch("reorder-frames", windowMs=60_000)
    for number in range(3):
        await world.command(conversation_id, "messages", agent, text=str(number))
    await world.command(conversation_id, "end", agent)
    frames = [await guest.frame() for _ in range(4)]
    assert {frame.get("text") for frame in frames[:3]} == {"0", "1", "2"}
    assert frames[3]["status"] == "ended"


async def test_doubled_frames(world: World) -> None:
    """A frame comes twice, the same; what was said was said once."""
    await world.switch("history")
    guest = await world.guest()
    await world.switch("duplicate-frames", percent=100)
    await guest.say("Opening hours")
    assert await guest.frame() == await guest.frame()
    assert len(truth(world, guest)) == 3
    await world.switch("duplicate-frames", percent=0)
    await guest.say("Opening hours")
    await guest.frame()
    await nothing_more(guest)
