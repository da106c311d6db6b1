"""The relay over real sockets: what browsers get, whatever happens to them and to the gateway."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guestwire.client import connect
from guestwire.errors import ConfigError, RateLimited, SessionRefused
from guestwire.gateway.log import SqliteSessionLog
from guestwire.model.events import ConversationStatus, ConversationUpdated, Fate, Message, Receipt
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.testing import FakeClock, eventually
from tests.integration.gateway.relay_world import SESSIONS, Guest, Tab, World, relay_world

KEY = "0f6a1c1e-7a43-4a4e-9d55-7a4d8f1b2c3d"


async def send(tab: Tab, text: str, client_id: str) -> dict[str, Any]:
    await tab.say(type="message", text=text, clientId=client_id)
    return await tab.until("receipt", clientId=client_id, status="accepted")


async def talk(guest: Guest, tab: Tab, count: int) -> None:
    """Fill the log with what the agent says, once the guest has said something."""
    if not tab.last:
        await send(tab, "Hello", "c1")
        await tab.until_seq(2)
    await guest.upstream.says(*(Message(sender="agent", text=f"a{number}") for number in range(count)))


async def test_a_message_all_the_way_and_a_reload(tmp_path: Path) -> None:
    """POST, hello, send, accepted, delivered, an answer; a reload with nothing gets all, with a position the rest."""
    async with relay_world(tmp_path) as world:
        guest = await world.create(b'{"name":"Ada"}')
        assert guest.answer["extensions"] == ["typing", "end", "hello", "resume", "receipts", "content"]
        assert guest.answer["webSocketUrl"] == guest.socket_url
        assert guest.answer["expiresIn"] == 86_400
        tab = await guest.open()
        assert tab.welcome["mode"] == "reset"
        assert tab.welcome["seq"] == 0
        assert tab.welcome["limits"] == {"maxTextBytes": 4096, "maxFrameBytes": 65536}
        accepted = await send(tab, "Hello", "c1")
        assert accepted["messageSeq"] == 1
        assert "seq" not in accepted
        await tab.until_seq(2)
        assert world.heard == ["Hello"]
        assert guest.upstream.session.details.name == "Ada"
        await guest.upstream.agent("Hi Ada")
        await tab.until("message", text="Hi Ada")
        assert tab.seqs == [1, 2, 3]
        assert [frame["type"] for frame in tab.records] == ["message", "receipt", "message"]
        assert [frame["id"] for frame in tab.records[:2]] == [accepted["id"]] * 2
        assert all(re.fullmatch("[0-9a-f]{32}", frame["id"]) for frame in tab.records)
        await tab.drop()
        again = await guest.open()
        assert again.welcome["mode"] == "reset"
        assert again.records == sorted(tab.records, key=lambda frame: int(frame["seq"]))
        resumed = await guest.open(again.welcome["epoch"], 2)
        assert resumed.welcome["mode"] == "resume"
        assert resumed.seqs == [3]
        assert json.dumps(resumed.frames).count("synced") == 1


async def test_restart_on_the_same_database(tmp_path: Path) -> None:
    """Everything is there after a restart: the token, the transcript, what waits; the upstream is taken up again."""
    async with relay_world(tmp_path) as world:
        world.delivers = False
        guest = await world.create()
        quiet = await world.create()
        tab = await guest.open()
        await send(tab, "Still there?", "c1")
        assert world.heard == []
        await world.restart()
        assert await tab.rest() == 1012
        await eventually(lambda: guest.sid in world.upstreams and guest.upstream.calls == ["start"])
        assert quiet.sid not in world.upstreams
        guest.upstream.delivers = True
        guest.upstream.wake()
        back = await guest.open(tab.welcome["epoch"], 1)
        assert back.welcome["mode"] == "resume"
        await back.until_seq(2)
        assert back.records[-1]["status"] == "delivered"
        assert world.heard == ["Still there?"]
        again = await send(back, "Still there?", "c1")
        assert again["messageSeq"] == 1
        assert world.heard == ["Still there?"]


async def test_two_tabs_agree(tmp_path: Path) -> None:
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        one, two = await guest.open(tab="1"), await guest.open(tab="2")
        await send(one, "from one", "c1")
        await send(two, "from two", "c2")
        await guest.upstream.agent("to both")
        for tab in (one, two):
            await tab.until_seq(5)
        assert one.records == two.records
        assert sorted(one.seqs) == [1, 2, 3, 4, 5]
        assert [frame["clientId"] for frame in two.records if frame.get("from") == "guest"] == ["c1", "c2"]


async def test_typing_is_merged_and_never_kept(tmp_path: Path) -> None:
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock) as world:
        guest = await world.create()
        one, two = await guest.open(), await guest.open()
        await one.say(type="typing")
        await send(one, "Hello", "c1")
        assert guest.upstream.calls.count("typing") == 0  # there was nobody to show it to
        for tab in (one, two, one):
            await tab.say(type="typing")
            await tab.say(type="ping", seq=0)
            await tab.until("pong")
        assert guest.upstream.calls.count("typing") == 1
        clock.advance(3.1)
        await two.say(type="typing")
        await eventually(lambda: guest.upstream.calls.count("typing") == 2)
        await guest.upstream.types()
        for tab in (one, two):
            assert await tab.until("typing") == {"type": "typing", "from": "agent"}
        later = await guest.open()
        assert "typing" not in {frame["type"] for frame in later.frames}


async def test_the_place_in_the_queue_is_shown_and_never_kept(tmp_path: Path) -> None:
    """Every change of it, also when the status stays; who comes later gets no old one."""
    waiting = ConversationStatus.WAITING
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab, plain = await guest.open(), await guest.plain()
        await send(tab, "Hello", "c1")
        await tab.until_seq(2)
        await guest.upstream.says(ConversationUpdated(status=waiting, position=3))
        await tab.until_seq(3)
        await guest.upstream.says(ConversationUpdated(status=waiting, position=2))
        await guest.upstream.says(ConversationUpdated(position=1, estimated_wait=30.0))
        update: dict[str, Any] = {"type": "conversation-update"}
        for one in (tab, plain):
            await one.until("conversation-update", position=1)
            places = [frame for frame in one.frames if "position" in frame]
            assert places == [update | {"position": 3}, update | {"position": 2}, places[-1]]
            assert places[-1] == update | {"position": 1, "estimatedWait": 30.0}
        later = await guest.open()
        (kept,) = [frame for frame in later.frames if frame["type"] == "conversation-update"]
        assert kept == update | {"status": "waiting", "id": kept["id"], "seq": 3}


async def test_a_drop_in_the_middle_of_a_replay(tmp_path: Path) -> None:
    """A connection that breaks while 3,000 records are replayed resumes where it was: nothing twice, nothing lost."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        await talk(guest, tab, 3000)
        epoch, seen = tab.welcome["epoch"], list[int]()
        while True:
            part = await guest.knock()
            after = seen[-1] if seen else None
            await part.say(type="hello", sessionId=guest.sid, token=guest.token, epoch=epoch, after=after)
            assert (await part.next())["mode"] == ("resume" if seen else "reset")
            for _ in range(700):
                if (await part.next())["type"] == "synced":
                    break
            seen += part.seqs
            if part.frames[-1]["type"] == "synced":
                break
            await part.drop()
        assert seen == list(range(1, 3003))


async def test_readers_in_a_storm(tmp_path: Path) -> None:
    """Eight records a batch while tabs come and go: each sees 1, 2, 3 … without a hole, whenever it came."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        await send(tab, "Hello", "c1")

        async def read(number: int) -> list[int]:
            seen = [0]
            while seen[-1] < 402:
                part = await guest.open(tab.welcome["epoch"], seen[-1], tab=str(number))
                while part.last < min(402, seen[-1] + 60 + number):
                    await part.next()
                seen += part.seqs
                await part.drop()
            return seen

        async def speak() -> None:
            for batch in range(50):
                await guest.upstream.says(*(Message(sender="agent", text=f"{batch}.{n}") for n in range(8)))

        speaking = asyncio.create_task(speak())
        views = await asyncio.gather(*(read(number) for number in range(4)))
        await speaking
        for view in views:
            assert view == list(range(view[-1] + 1))
            assert view[-1] >= 402


@pytest.mark.parametrize(
    "epoch, after, mode",
    [(True, 3, "resume"), (True, 0, "resume"), (True, 99, "reset"), (True, -3, "reset"), (False, 3, "reset")],
)
async def test_positions(tmp_path: Path, epoch: bool, after: int, mode: str) -> None:
    """From the future, from another log, garbage: a reset with everything; else what follows."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        await talk(guest, tab, 3)
        back = await guest.open(tab.welcome["epoch"] if epoch else "f" * 32, after)
        assert back.welcome["mode"] == mode
        assert back.seqs == list(range(after + 1 if mode == "resume" else 1, 6))


async def test_a_trimmed_log_and_a_changed_epoch(tmp_path: Path) -> None:
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        await talk(guest, tab, 5)
        await tab.until_seq(7)
        log = guest.upstream.session.log
        await log.trim(guest.sid, 5)
        below = await guest.open(tab.welcome["epoch"], 3)
        assert (below.welcome["mode"], below.seqs) == ("reset", [5, 6, 7])
        at = await guest.open(tab.welcome["epoch"], 4)
        assert (at.welcome["mode"], at.seqs) == ("resume", [5, 6, 7])
        await log.bump_epochs(guest.sid)
        assert await tab.rest() == 4410
        reset = await guest.open(tab.welcome["epoch"], 7)
        assert (reset.welcome["mode"], reset.seqs) == ("reset", [5, 6, 7])


async def test_the_same_client_id(tmp_path: Path) -> None:
    """Racing from several tabs it is one record; with other words it is a conflict."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tabs = [await guest.open(tab=str(number)) for number in range(5)]
        answers = await asyncio.gather(*(send(tab, "once", "c1") for tab in tabs))
        assert {(answer["messageSeq"], answer["id"]) for answer in answers} == {(1, answers[0]["id"])}
        await tabs[0].say(type="message", text="other words", clientId="c1")
        error = await tabs[0].until("error")
        assert (error["code"], error["clientId"]) == ("conflict", "c1")
        await tabs[1].until_seq(2)
        await tabs[1].drop()
        assert (await guest.open()).seqs == [1, 2]
        assert world.heard == ["once"]


async def test_the_guest_ends(tmp_path: Path) -> None:
    """All tabs get `ended`, plain ones a close with 1000, the others ten minutes later; who comes later gets all."""
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock) as world:
        guest = await world.create()
        one, two = await guest.open(), await guest.open()
        await send(one, "Bye", "c1")
        await one.until_seq(2)
        await one.say(type="start-new")
        assert (await one.until("error"))["code"] == "local-protocol"
        plain = await guest.plain()
        await one.say(type="end")
        assert await plain.rest() == 1000
        assert [frame["status"] for frame in plain.frames] == ["ended"]
        late = await guest.open()
        assert late.seqs == [1, 2, 3]
        done = await guest.open(late.welcome["epoch"], 3)
        for tab in (one, two):
            await tab.until("conversation-update", status="ended")
        await one.say(type="message", text="too late", clientId="c2")
        error = await one.until("error")
        assert (error["code"], error["clientId"]) == ("conversation-ended", "c2")
        assert await (await guest.plain()).rest() == 1000
        clock.advance(600)
        for tab in (one, two, late, done):
            assert await tab.rest() == 1000
        await eventually(lambda: "aclose" in guest.upstream.calls)
        await world.restart()
        assert (await guest.open()).seqs == [1, 2, 3]
        assert "start" not in guest.upstream.calls


async def test_starting_anew(tmp_path: Path) -> None:
    """After an end: the same session, token and log, in every tab; a new upstream that knows no provider's session."""
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock) as world:
        guest = await world.create()
        one, two = await guest.open(tab="1"), await guest.open(tab="2")
        await send(one, "First", "c1")
        await one.until_seq(2)
        before = guest.upstream
        await before.session.log.set_provider(guest.sid, b"ref")
        await one.say(type="end")
        await two.until("conversation-update", status="ended")
        await asyncio.gather(one.say(type="start-new"), two.say(type="start-new"))
        for tab in (one, two):
            waiting = await tab.until("conversation-update", status="waiting")
            assert waiting["seq"] == 4
        assert before.calls[-1] == "aclose"
        assert guest.upstream is not before
        assert guest.upstream.calls == []
        assert guest.upstream.session.provider_ref == b""
        await send(two, "Second", "c2")
        await guest.upstream.agent("Hi again")
        await one.until("message", text="Hi again")
        assert world.heard == ["First", "Second"]
        await one.say(type="start-new")
        assert (await one.until("error"))["code"] == "local-protocol"
        clock.advance(700)  # the end is forgotten
        await one.say(type="ping")
        await one.until("pong")
        await one.until_seq(7)
        assert one.seqs == list(range(1, 8))
        await world.restart()
        assert (await guest.open()).seqs == list(range(1, 8))
        await eventually(lambda: guest.sid in world.upstreams)


async def test_starting_anew_after_a_reload_and_a_restart(tmp_path: Path) -> None:
    """The end was long ago; `upstream_start=open` takes the new conversation to the provider at once."""
    async with relay_world(tmp_path, upstream_start="open") as world:
        guest = await world.create()
        tab = await guest.open()
        await tab.say(type="end")
        await tab.until("conversation-update", status="ended")
        await world.restart()
        tab = await guest.open()
        assert "start" not in guest.upstream.calls
        await tab.say(type="start-new")
        await tab.until("conversation-update", status="waiting")
        await eventually(lambda: guest.upstream.calls == ["start"])
        await guest.upstream.agent("Hello")
        await tab.until("message", text="Hello")
        await tab.say(type="end")
        await tab.until("conversation-update", status="ended")
        assert guest.upstream.calls.count("end") == 1


async def test_starting_anew_counts_as_a_new_chat(tmp_path: Path) -> None:
    """It costs the provider as much, so the limits of session creation hold for it, and it says when to come back."""
    async with relay_world(tmp_path, sessions_per_day=2) as world:
        guest = await world.create()
        tab = await guest.open()
        for _ in range(2):
            await tab.say(type="end")
            await tab.until("conversation-update", status="ended")
            await tab.say(type="start-new")
        error = await tab.until("error")
        assert error["code"] == "rate-limited"
        assert error["retryAfter"] > 0


async def test_a_wish_to_end_survives_a_restart(tmp_path: Path) -> None:
    """The provider could not be told before the gateway went; the next one tells it, after what was accepted."""
    async with relay_world(tmp_path) as world:
        world.delivers = world.ends = False
        guest = await world.create()
        tab = await guest.open()
        await send(tab, "last words", "c1")
        await tab.say(type="end")
        await tab.say(type="message", text="one more", clientId="c2")
        assert (await tab.until("error", clientId="c2"))["code"] == "conversation-ended"
        assert guest.upstream.calls == ["start", "end"]
        world.delivers = world.ends = True
        await world.restart()
        await eventually(lambda: guest.sid in world.upstreams and "end" in guest.upstream.calls)
        tab = await guest.open()
        await tab.until("conversation-update", status="ended") if "conversation-update" not in tab.kinds else None
        assert tab.texts == ["last words"]


async def test_what_comes_late_is_marked(tmp_path: Path) -> None:
    """It keeps its number in the order of delivery and carries its place in the provider's; also after a restart."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        at = datetime(2026, 1, 1, tzinfo=UTC)
        for number, minute in enumerate((5, 7, 6, 8)):
            await guest.upstream.agent(f"m{minute}", id=f"p{number}", sent_at=at + timedelta(minutes=minute))
        await guest.upstream.agent("none")
        await tab.until("message", text="none")
        await world.restart()
        tab = await guest.open()
        await guest.upstream.agent("m4", id="p9", sent_at=at + timedelta(minutes=4))
        await tab.until("message", text="m4")
        assert [(frame["text"], frame.get("late", False)) for frame in tab.records] == [
            ("m5", False), ("m7", False), ("m6", True), ("m8", False), ("none", False), ("m4", True),
        ]  # fmt: skip
        placed = sorted((f for f in tab.records if "orderKey" in f), key=lambda frame: str(frame["orderKey"]))
        assert [frame["text"] for frame in placed] == ["m4", "m5", "m6", "m7", "m8"]


async def test_ending_what_never_began(tmp_path: Path) -> None:
    """The provider never heard of the guest and need not."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        await tab.say(type="end")
        await tab.until("conversation-update", status="ended")
        assert tab.records[0]["reason"] == "guest-left"
        assert guest.upstream.calls in ([], ["aclose"])


async def test_messages_that_wait_fail_with_the_end(tmp_path: Path) -> None:
    """Five wait when the conversation ends: each fails with its reason, in order, before the end; none is sent."""
    async with relay_world(tmp_path) as world:
        world.delivers = False
        guest = await world.create()
        tab = await guest.open()
        for number in range(5):
            await send(tab, f"m{number}", f"c{number}")
        await guest.upstream.says(ConversationUpdated(status=ConversationStatus.ENDED, reason="agent-left"))
        await tab.until("conversation-update", status="ended")
        assert [(f["type"], f.get("status"), f.get("code")) for f in tab.records if f["seq"] > 5] == [
            ("receipt", "failed", "conversation-ended")
        ] * 5 + [("conversation-update", "ended", None)]
        assert world.heard == []


async def test_a_provider_that_repeats_itself_is_recorded_once(tmp_path: Path) -> None:
    """After each reconnect it tells the state again; a change is news, the same is not, also after our restart."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        await send(tab, "Hello", "c1")
        await tab.until_seq(2)
        joined = ConversationUpdated(status=ConversationStatus.CONNECTED, agent_name="Bo")
        await guest.upstream.says(joined, joined)
        await guest.upstream.says(joined, ConversationUpdated(position=2), Message(sender="bot", text="b", id="p1"))
        await guest.upstream.says(Message(sender="bot", text="b", id="p1"))
        until = msgspec.structs.replace(joined, expires_at=datetime(2026, 5, 4, 9, 12, 31, tzinfo=UTC))
        await guest.upstream.says(until, until, joined)
        await tab.until_seq(5)
        assert tab.records[-1]["expiresAt"] == "2026-05-04T09:12:31.000Z"
        await world.restart()
        back = await guest.open()
        await send(back, "Back", "c2")
        await guest.upstream.says(joined, until, Message(sender="bot", text="b", id="p1"))
        await back.until("receipt", status="delivered", clientId="c2")
        kinds = [frame["type"] for frame in sorted(back.records, key=lambda frame: int(frame["seq"]))]
        assert kinds == [
            "message", "receipt", "conversation-update", "bot-message", "conversation-update", "message", "receipt",
        ]  # fmt: skip


# --- plain connections ------------------------------------------------------------------------------------------------


async def test_the_tutorials_client_works_unchanged(tmp_path: Path) -> None:
    """Our own client in its plain form: it sends, sees the agent, and ends."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        session = GuestSession(
            session_id=guest.sid,
            token=Secret(guest.token),
            socket_base=guest.socket_url,
            extensions=frozenset({"typing", "end"}),
        )
        async with connect(world.settings.provider, session=session) as chat:
            await chat.send("Hello")
            await eventually(lambda: world.heard == ["Hello"])
            await guest.upstream.agent("Hi")
            events = []
            async for event in chat:
                events.append(event)
                if isinstance(event, Message) and event.sender == "agent":
                    break
            assert not any(isinstance(event, Receipt) and event.status is Fate.ACCEPTED for event in events)
            await chat.end()
            async for event in chat:
                events.append(event)
        assert [event.text for event in events if isinstance(event, Message) and event.sender == "agent"] == ["Hi"]
        assert any(isinstance(e, ConversationUpdated) and e.status is ConversationStatus.ENDED for e in events)


async def test_plain_frames_are_the_tutorials(tmp_path: Path) -> None:
    """No numbers, no receipts, not its own words; a later connection gets what comes after it."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        plain, tab = await guest.plain(), await guest.open()
        await plain.say(type="message", text="mine")
        await tab.until_seq(2)
        assert tab.records[0]["from"] == "guest"
        await send(tab, "another tab", "c2")
        await guest.upstream.agent("Hi")
        await guest.upstream.types()
        await plain.until("typing")
        assert plain.texts == ["another tab", "Hi"]
        assert all("seq" not in frame for frame in plain.frames)
        assert {frame["type"] for frame in plain.frames} == {"message", "typing"}
        later = await guest.plain()
        await tab.say(type="ping")
        await tab.until("pong")
        await guest.upstream.agent("More")
        await later.until("message")
        assert later.texts == ["More"]


async def test_bad_pairs(tmp_path: Path) -> None:
    """In the query always 403, in hello 4401; a token opens its own session only, and not for ever."""
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock) as world:
        guest, other = await world.create(), await world.create()
        pairs = [
            (guest.sid, other.token),
            (guest.sid, "wrong"),
            (guest.sid, ""),
            ("nobody", guest.token),
            ("", ""),
            (guest.sid, "x" * 5000),
        ]
        for sid, token in pairs:
            with pytest.raises(SessionRefused):
                await world.client.open_socket(f"{guest.socket_url}?sessionId={sid}&token={token}")
            tab = await guest.knock()
            await tab.say(type="hello", sessionId=sid, token=token)
            assert await tab.rest() == 4401
            assert tab.frames == []
        clock.advance(86_401)
        with pytest.raises(SessionRefused):
            await guest.plain()
        answer = await world.ask("GET", f"{SESSIONS}/{guest.sid}", authorization=f"Bearer {guest.token}")
        assert answer.status == 401


async def test_a_token_lives_on_while_it_is_used(tmp_path: Path) -> None:
    """With less than half of its life left, a connection prolongs it; one that stays open, too."""
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock) as world:
        guest = await world.create()
        path, authorization = f"{SESSIONS}/{guest.sid}", f"Bearer {guest.token}"

        async def left_s() -> int:
            answer = await world.ask("GET", path, authorization=authorization)
            left: int = json.loads(answer.body)["expiresIn"]
            return left

        clock.advance(50_000)
        tab = await guest.open()
        await tab.say(type="ping")
        await tab.until("pong")
        assert await left_s() == 86_400

        async def is_prolonged() -> bool:
            clock.advance(61)  # the upkeep's pace; it may have been busy at the last tick
            return await left_s() > 80_000

        for _ in range(4):
            clock.advance(50_000)
            await eventually(is_prolonged)
        await tab.drop()
        assert (await guest.open()).welcome["mode"] == "reset"


async def test_never_hello_and_garbage_first(tmp_path: Path) -> None:
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock) as world:
        guest = await world.create()
        silent, noisy = await guest.knock(), await guest.knock()
        await noisy.socket.send_text("{")
        assert await noisy.rest() == 4400
        clock.advance(4.9)
        good = await guest.open()
        clock.advance(0.2)
        assert await silent.rest() == 4408
        clock.advance(10)
        await good.say(type="ping")
        await good.until("pong")


# --- limits -----------------------------------------------------------------------------------------------------------


async def test_the_sixth_tab_closes_the_one_that_idles_longest(tmp_path: Path) -> None:
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock) as world:
        guest = await world.create()
        tabs = []
        for number in range(5):
            tabs.append(await guest.open(tab=str(number)))
            clock.advance(1)
        await send(tabs[0], "not idle", "c1")
        clock.advance(1)
        await guest.open(tab="6")
        assert await tabs[1].rest() == 4412
        for tab in (tabs[0], *tabs[2:]):
            await tab.say(type="ping")
            await tab.until("pong")


async def test_connection_caps_and_origins(tmp_path: Path) -> None:
    async with relay_world(tmp_path, max_connections_per_address=3) as world:
        guest = await world.create()
        tabs = [await guest.knock() for _ in range(3)]
        answer = await world.ask("GET", "/metrics")
        assert b"guestwire_connections 3.0" in answer.body
        with pytest.raises(RateLimited):
            await guest.knock()
        await tabs[0].drop()

        async def has_room() -> bool:
            return b"guestwire_connections 2.0" in (await world.ask("GET", "/metrics")).body

        await eventually(has_room)
        await guest.knock()


async def test_what_waits_for_the_provider_is_counted(tmp_path: Path) -> None:
    async with relay_world(tmp_path) as world:
        world.delivers = False
        guest = await world.create()
        tab = await guest.open()
        for name in ("c1", "c2"):
            await send(tab, "Hello", name)
        assert b"guestwire_outbox_waiting 2.0" in (await world.ask("GET", "/metrics")).body
        guest.upstream.delivers = True
        guest.upstream.wake()
        await tab.until_seq(4)
        assert b"guestwire_outbox_waiting 0.0" in (await world.ask("GET", "/metrics")).body


# --- REST -------------------------------------------------------------------------------------------------------------


async def test_idempotency(tmp_path: Path) -> None:
    """The same key and details give the same session, racing or later; other details are a conflict."""
    async with relay_world(tmp_path) as world:
        guests = await asyncio.gather(*(world.create(b'{"name":"Ada"}', idempotency_key=KEY) for _ in range(6)))
        assert len({guest.sid for guest in guests}) == 1
        for guest in guests:  # every token that was given out works
            await (await guest.open()).drop()
        await world.restart()
        again = await world.create(b'{ "name": "Ada" }', idempotency_key=KEY)
        assert again.sid == guests[0].sid
        other = await world.ask("POST", SESSIONS, b'{"name":"Bo"}', idempotency_key=KEY)
        assert (other.status, json.loads(other.body)["code"]) == (409, "conflict")
        short = await world.ask("POST", SESSIONS, b"{}", idempotency_key="1")
        assert (short.status, json.loads(short.body)["code"]) == (400, "bad-request")
        assert (await world.create()).sid != (await world.create()).sid


async def test_erasing(tmp_path: Path) -> None:
    """DELETE closes every tab and leaves nothing: no token, no session, no word in any file of the database."""
    async with relay_world(tmp_path) as world:
        guest, other = await world.create(b'{"name":"Canary-Name"}'), await world.create()
        one, two = await guest.open(), await guest.plain()
        await send(one, "canary-words", "c1")
        await one.until_seq(2)
        path, bearer = f"{SESSIONS}/{guest.sid}", f"Bearer {guest.token}"
        refused = await world.ask("DELETE", path, authorization=f"Bearer {other.token}")
        assert refused.status == 401
        assert (await world.ask("DELETE", path, authorization=bearer)).status == 204
        assert [await one.rest(), await two.rest()] == [4401, 4401]
        assert "aclose" in guest.upstream.calls
        for method in ("GET", "DELETE"):
            assert (await world.ask(method, path, authorization=bearer)).status == 401
        with pytest.raises(SessionRefused):
            await guest.plain()
        assert (await other.open()).welcome["mode"] == "reset"
        for file in world.settings.log_file.parent.iterdir():
            content = file.read_bytes()
            assert b"canary-words" not in content
            assert b"Canary-Name" not in content


@pytest.mark.parametrize(
    "limits, each_s",
    [
        ({"sessions_burst": 3, "sessions_per_minute": 6.0}, 10),
        ({"sessions_per_day": 3}, None),
        ({"sessions_burst": 2, "sessions_per_minute": 0.001, "sessions_per_minute_total": 18.0}, None),
        ({"sessions_per_day_total": 3.0}, None),
    ],
    ids=["a-minute", "a-day", "a-minute-in-all", "a-day-in-all"],
)
async def test_limits_of_creation(tmp_path: Path, limits: dict[str, Any], each_s: float | None) -> None:
    """Three and no more, then one for each time that passes; the limits in all hold for everybody together."""
    clock = FakeClock(auto_jump=False)
    in_all = any(name.endswith("total") for name in limits)
    async with relay_world(tmp_path, clock=clock, trusted_proxies=("127.0.0.1",), **limits) as world:

        async def create(number: int) -> int:
            address = f"198.51.100.{number if in_all else 1}"
            answer = await world.ask("POST", SESSIONS, b"{}", x_forwarded_for=address)
            if answer.status == 429:
                assert json.loads(answer.body)["code"] == "rate-limited"
                assert int(answer.headers["retry-after"]) > 0
            return answer.status

        assert [await create(number) for number in range(4)] == [200, 200, 200, 429]
        if each_s is not None:
            clock.advance(each_s)
            assert [await create(number) for number in range(2)] == [200, 429]


async def test_limits_count_who_asks_and_not_the_proxy(tmp_path: Path) -> None:
    """An IPv6 household is one address; what a stranger claims to be is not believed; the same for WebSockets."""
    options: dict[str, Any] = {"sessions_burst": 2, "max_connections_per_address": 2}
    async with relay_world(tmp_path, trusted_proxies=("127.0.0.1",), **options) as world:

        async def create(address: str) -> int:
            return (await world.ask("POST", SESSIONS, b"{}", x_forwarded_for=address)).status

        household = [await create(f"2001:db8:1:2::{number}") for number in range(3)]
        assert household == [200, 200, 429]
        assert await create("2001:db8:1:3::1") == 200
        assert await create("1.1.1.1, 2001:db8:1:2::9") == 429  # the first is what the guest wrote
        knocks = [await upgrade(world, address) for address in ["198.51.100.1"] * 3 + ["198.51.100.2"]]
        assert [status for status, _ in knocks] == [101, 101, 429, 101]
        for _, writer in knocks:
            writer.close()
    async with relay_world(tmp_path, **options) as world:

        async def claim(number: int) -> int:
            return (await world.ask("POST", SESSIONS, b"{}", x_forwarded_for=f"198.51.100.{number}")).status

        assert [await claim(number) for number in range(3)] == [200, 200, 429]


async def upgrade(world: World, address: str) -> tuple[int, asyncio.StreamWriter]:
    host, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nX-Forwarded-For: {address}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return int((await reader.readline()).split()[1]), writer


async def test_what_is_masked_is_seen_by_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A card number reaches no file, no provider, no tab and no log; the same message again is the same message."""
    card, order = "4111 1111 1111 1111", "ORD-4711"
    words = f"My card is {card}, ann@example.com, {order}"
    answer = {"contentType": "ButtonResponse", "buttonResponse": {"type": "Button", "text": card, "payload": "p"}}
    masked = "My card is •••• 1111, •••@•••, •••"
    with caplog.at_level(logging.DEBUG):
        async with relay_world(tmp_path, mask=("card", "email"), mask_patterns=(r"ORD-\d+",)) as world:
            guest = await world.create()
            one, two, plain = await guest.open(), await guest.open(tab="2"), await guest.plain()
            for _ in range(2):
                await one.say(type="message", text=words, clientId="c1", content=[answer])
                accepted = await one.until("receipt", clientId="c1", status="accepted")
                assert accepted["messageSeq"] == 1
            for tab in (one, two, plain):
                shown = (await tab.until("message")) if tab is not one else tab.records[0]
                assert shown["text"] == masked
                assert shown["content"][0]["buttonResponse"]["text"] == "•••• 1111"
            await eventually(lambda: world.heard == [masked])
            await one.say(type="message", text="a@a.bc " * 580, clientId="c2")  # too long once it is masked
            error = await one.until("error")
            assert (error["code"], error["clientId"]) == ("message-too-long", "c2")
            for file in world.settings.log_file.parent.iterdir():
                assert not re.search(rb"4111 1111|ann@|ORD-", file.read_bytes()), file
    said = "".join(capsys.readouterr()) + caplog.text
    assert not re.search("4111 1111|ann@|ORD-", said)


async def test_retention(tmp_path: Path) -> None:
    """An ended chat is kept for its time and then erased; one that nobody came back to, too."""
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock, retention_h=1.0) as world:
        ended, left = await world.create(), await world.create()
        tab = await ended.open()
        await send(tab, "Bye", "c1")
        await tab.say(type="end")
        await tab.until("conversation-update", status="ended")
        clock.advance(3500)
        await (await ended.open()).drop()
        clock.advance(161)

        async def is_gone(guest: Guest) -> bool:
            clock.advance(61)  # the upkeep's pace; it may have been busy at the last tick
            answer = await world.ask("GET", f"{SESSIONS}/{guest.sid}", authorization=f"Bearer {guest.token}")
            return answer.status == 401

        await eventually(lambda: is_gone(ended))
        assert not await is_gone(left)
        clock.advance(86_400)
        assert await is_gone(left)


# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_drain(tmp_path: Path) -> None:
    """Every browser is asked to move and closed with 4409; nobody new comes in; what was said is kept."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tabs = [await guest.open(tab=str(number)) for number in range(4)]
        plain = await guest.plain()
        await send(tabs[0], "kept", "c1")
        reading = asyncio.gather(*(tab.rest() for tab in tabs), plain.rest())
        await world.stop(drains=True)
        assert await reading == [4409] * 5
        for tab in tabs:
            assert tab.frames[-1]["type"] == "move"
            assert 0 < tab.frames[-1]["retryAfter"] <= 5
        assert "move" not in {frame["type"] for frame in plain.frames}
        await world.start()
        assert (await guest.open()).texts == ["kept"]


async def test_two_gateways_on_one_database_are_refused(tmp_path: Path) -> None:
    async with relay_world(tmp_path) as world:
        with pytest.raises(ConfigError, match="in use"):
            async with SqliteSessionLog(world.settings.log_file):
                pass
