"""The relay's way to Web Messaging: what is delivered, what is caught up, how it ends and begins anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guestwire.emulator.changes import GarbageSent, SocketsDropped
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from guestwire.gateway.log import SqliteSessionLog
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.sealed import KEY_BYTES, Seal
from guestwire.gateway.relay.tokens import now_ms
from guestwire.gateway.relay.web_ref import unpack_ref
from guestwire.model.ids import ClientId
from guestwire.net.http import HttpClient
from guestwire.testing.fault_proxy import Direction
from tests.integration.gateway.upstream_world import SID, World, provider_ref, world

ECHO, HISTORY = FaultName.ECHO, FaultName.HISTORY


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, api="web-messaging") as made:
        yield made


async def begin(w: World) -> None:
    await w.send("one")
    await w.settled(one="delivered")


async def updates(w: World) -> list[tuple[str, str | None]]:
    return [(frame["status"], frame.get("reason")) for frame in await w.frames("conversation-update")]


def end(w: World) -> None:
    """Let the agent end the conversation."""
    w.org.move(list(w.org.conversations.values())[-1], Stage.ENDED, ended_by="agent")


async def in_flight(w: World, text: str, *, arrives: bool) -> None:
    """Leave a message as a gateway leaves it that is killed while it writes."""
    async with SqliteSessionLog(w.path) as w.log:
        record = bodies.guest_message(SID, ClientId(text), text, (), w.clock.utc())
        accepted = await w.log.accept(SID, ClientId(text), bodies.outgoing_body(text, ()), record)
        await w.log.mark_sending(SID, accepted.oseq, now_ms(w.clock))
        token = await kept_token(w)
    if arrives:
        await speak(w, token, text, client_id=text)


async def kept_token(w: World) -> str:
    kept = Seal([b"k" * KEY_BYTES]).open(SID, await provider_ref(w))
    assert kept is not None
    ref = unpack_ref(kept.session)
    assert ref is not None
    return ref.token


async def speak(w: World, token: str, text: str, *, client_id: str) -> None:
    """Say something with the guest's token, as the gateway does, on a connection of its own."""
    own = {"token": token, "tracingId": client_id}
    async with HttpClient() as client:
        socket = await client.open_socket(f"{w.emulator.messaging_url}/v1?deploymentId={w.emulator.deployment_id}")
        for frame in (
            {"action": "configureSession", "deploymentId": w.emulator.deployment_id, **own},
            {"action": "onMessage", "message": {"type": "Text", "text": text, "metadata": {"id": client_id}}, **own},
        ):
            await socket.send_text(json.dumps(frame))
        await w.until(lambda: text in w.got())
        await socket.aclose()


# --- the outbox -------------------------------------------------------------------------------------------------------


async def test_delivered_in_order_each_with_its_place(w: World) -> None:
    texts = ["one", "two", "three", "four", "five", "six"]
    async with w.gateway():
        for text in texts:
            await w.send(text)
        await w.settled(**dict.fromkeys(texts, "delivered"))
        page = await w.log.read(SID, 0, limit=100)
        assert page is not None
    assert all(record.order_key for record in page.records if record.kind == "receipt")
    assert w.got() == texts
    assert w.foreign == 0


async def test_a_lost_echo_is_found_in_the_history(w: World) -> None:
    w.switch(ECHO, lossPercent=100)
    w.switch(HISTORY, lagMs=300)
    async with w.gateway():
        for text in ("one", "two"):
            await w.send(text)
        await w.settled(one="delivered", two="delivered")
    assert w.got() == ["one", "two"]


async def test_doubled_echoes_and_frames_double_nothing(w: World) -> None:
    w.switch(ECHO, duplicatePercent=100)
    w.switch(FaultName.DUPLICATE_FRAMES, percent=100)
    async with w.gateway():
        await begin(w)
        w.agent_says("a")
        w.agent_says("b")
        await w.heard("a", "b")
        frames = await w.frames("message")
    assert [frame["text"] for frame in frames] == ["one", "a", "b"]
    assert w.foreign == 0


@pytest.mark.parametrize("point", ["before-mark", "after-mark", "after-write"])
async def test_a_drop_leaves_no_doubt(w: World, point: str) -> None:
    """Sent again only when the history shows that it never arrived."""
    async with w.gateway():
        await begin(w)
        w.fail[point] = w.proxy.reset
        await w.send("two")
        await w.send("three")
        await w.settled(two="delivered", three="delivered")
    assert w.got() == ["one", "two", "three"]


async def test_a_way_back_that_is_dead_leaves_no_doubt(w: World) -> None:
    async with w.gateway():
        await begin(w)
        with w.proxy.one_way(Direction.TO_CLIENT):
            await w.send("two")
            await w.until(lambda: "two" in w.got())
            w.proxy.reset()
        await w.settled(two="delivered")
    assert w.got() == ["one", "two"]


@pytest.mark.parametrize("lag_ms", [0, 300, 4500])
@pytest.mark.parametrize("arrived", [True, False])
async def test_what_a_kill_left_in_flight_arrives_once(w: World, lag_ms: int, *, arrived: bool) -> None:
    w.switch(HISTORY, lagMs=lag_ms)
    async with w.gateway():
        await begin(w)
    await in_flight(w, "two", arrives=arrived)
    async with w.gateway():
        await w.send("three")
        await w.settled(two="delivered", three="delivered")
    assert w.got() == ["one", "two", "three"]
    assert w.foreign == 0


@pytest.mark.parametrize(("number", "code"), [(4011, "message-too-long"), (400, "bad-request")])
async def test_a_message_that_is_refused_has_failed_with_the_reason(w: World, number: int, code: str) -> None:
    async with w.gateway():
        await begin(w)
        w.switch(FaultName.REFUSE_MESSAGES, code=number)
        await w.send("two")
        await w.settled(two="failed")
        w.switch(FaultName.REFUSE_MESSAGES, on=False)
        await w.send("three")
        await w.settled(three="delivered")
        (receipt,) = [frame for frame in await w.frames("receipt") if frame["status"] == "failed"]
    assert (receipt["clientId"], receipt["code"]) == ("two", code)
    assert w.got() == ["one", "three"]


async def test_a_session_that_takes_no_message_any_more_has_ended(w: World) -> None:
    """The provider says so by refusing a message only; the guest can begin anew, and nothing hangs."""
    async with w.gateway():
        await begin(w)
        w.switch(FaultName.REFUSE_MESSAGES, code=409)
        await w.send("two")
        await w.send("three")
        await w.settled(two="failed", three="failed")
        await w.until(lambda: w.session.has_ended)
        (end,) = [frame for frame in await w.frames("conversation-update") if frame["status"] == "ended"]
        assert end["readOnly"] is True
        w.switch(FaultName.REFUSE_MESSAGES, on=False)
        await w.session.starts_new()
        await w.send("four")
        await w.settled(four="delivered")
    assert w.got() == ["one", "four"]


async def test_told_to_wait_the_guest_is_told_and_nothing_fails(w: World) -> None:
    async with w.gateway():
        await begin(w)
        w.switch(FaultName.REFUSE_MESSAGES, code=4029, retryAfterS=7)
        await w.send("two")
        await w.settled(two="waiting")
        w.switch(FaultName.REFUSE_MESSAGES, on=False)
        await w.send("three")
        await w.settled(two="delivered", three="delivered")
        (receipt,) = [frame for frame in await w.frames("receipt") if frame["status"] == "waiting"]
    assert receipt["retryAfter"] == 7
    assert w.got() == ["one", "two", "three"]


async def test_a_provider_that_fails_on_a_message_is_asked_again_and_not_for_ever(w: World) -> None:
    async with w.gateway():
        await begin(w)
        w.switch(FaultName.REFUSE_MESSAGES, code=5000)
        await w.send("two")
        await w.settled(two="waiting")
        w.switch(FaultName.REFUSE_MESSAGES, on=False)
        await w.settled(two="delivered")
        w.switch(FaultName.REFUSE_MESSAGES, code=5000)
        await w.send("three")
        await w.send("four")
        await w.settled(three="failed", four="failed")
    assert w.got() == ["one", "two"]


# --- what is caught up ------------------------------------------------------------------------------------------------


async def test_what_was_said_while_nobody_listened_is_caught_up(w: World) -> None:
    """From several pages, newest first, in order, each once; what is live comes after it."""
    missed = [f"missed {number}" for number in range(230)]
    async with w.gateway():
        await begin(w)
        w.agent_says("before")
        await w.heard("before")
        with w.proxy.refusing():
            w.proxy.reset()
            for text in missed:
                w.agent_says(text)
        await w.heard("before", *missed)
        w.agent_says("after")
        await w.heard("before", *missed, "after")
    async with w.gateway():
        w.agent_says("later")
        await w.heard("before", *missed, "after", "later")
    assert w.foreign == 0


async def test_an_agent_who_came_while_nobody_listened_is_there(w: World) -> None:
    """And a guest who is served already is not told to wait by the first word after a restart."""
    async with w.gateway():
        await begin(w)
        with w.proxy.refusing():
            w.proxy.reset()
            w.org.add_entry(next(iter(w.org.conversations.values())), "agent", "hi", name="Mia")
        await w.heard("hi")
    async with w.gateway():
        await w.send("two")
        await w.settled(two="delivered")
        frames = await w.frames("conversation-update")
    assert [(frame["status"], frame.get("agentName")) for frame in frames] == [("waiting", None), ("connected", "Mia")]


@pytest.mark.parametrize("fault", [FaultName.REFUSE_HISTORY, FaultName.REFUSE_JWT])
async def test_a_history_that_cannot_be_read_blocks_nobody(w: World, fault: FaultName) -> None:
    """The agent is heard, what was in flight is in doubt in the end, and the next message has its turn."""
    async with w.gateway():
        await begin(w)
        w.switch(fault)
        w.switch(ECHO, lossPercent=100)
        w.org.publish(SocketsDropped())
        await w.send("two")
        await w.settled(two="unconfirmed")
        w.agent_says("b")
        await w.heard("b")
        w.switch(fault, on=False)
        w.switch(ECHO, lossPercent=0)
        await w.send("three")
        await w.settled(two="delivered", three="delivered")
    assert w.got() == ["one", "two", "three"]
    assert w.foreign == 0


async def test_garbage_loses_nothing(w: World) -> None:
    async with w.gateway():
        await begin(w)
        w.org.publish(GarbageSent())
        w.agent_says("a")
        await w.heard("a")
        await w.send("two")
        await w.settled(two="delivered")


# --- how it ends, and begins anew -------------------------------------------------------------------------------------


@pytest.mark.parametrize("disconnect", ["ReadOnly", "Send"])
@pytest.mark.parametrize("missed", ["live", "away", "restart"])
async def test_an_end_is_told_however_it_is_learnt(w: World, disconnect: str, missed: str) -> None:
    """What was said before it is before it; a new conversation goes on with the same session of the provider."""
    w.org.change_deployment(w.emulator.deployment_id, disconnect=disconnect)
    async with w.gateway():
        await begin(w)
        if missed == "live":
            w.agent_says("goodbye")
            end(w)
        elif missed == "away":
            with w.proxy.refusing():
                w.proxy.reset()
                w.agent_says("goodbye")
                end(w)
        if missed != "restart":
            await w.until(lambda: w.session.has_ended)
    if missed == "restart":
        w.agent_says("goodbye")
        end(w)
    async with w.gateway():
        await w.until(lambda: w.session.has_ended)
        page = await w.log.read(SID, 0)
        assert page is not None
        assert [record.kind for record in page.records][-2:] == ["message", "conversation-update"]
        assert (await w.frames("conversation-update"))[-1]["status"] == "ended"
        assert (await w.frames("conversation-update"))[-1]["readOnly"] == (disconnect == "ReadOnly")
        await w.session.starts_new()
        await w.send("two")
        await w.settled(two="delivered")
        w.agent_says("again")
        await w.heard("goodbye", "again")
        ends = [status for status, _ in await updates(w) if status == "ended"]
    async with w.gateway():
        await w.send("three")
        await w.settled(three="delivered")
        assert not w.session.has_ended
    assert len(ends) == 1
    assert len(w.org.sessions) == 1
    assert len(w.org.conversations) == 2
    assert w.foreign == 0


async def test_a_new_start_that_a_restart_interrupts_is_made_up_for(w: World) -> None:
    async with w.gateway():
        await begin(w)
        end(w)
        await w.until(lambda: w.session.has_ended)
        with w.proxy.refusing():
            await w.session.starts_new()
            await w.send("two")
            await w.session.aclose()
    async with w.gateway():
        await w.settled(two="delivered")
    assert w.got() == ["one", "two"]
    assert len(w.org.sessions) == 1


@pytest.mark.parametrize("clear", [True, False])
async def test_the_agent_sees_that_the_guest_left_where_the_deployment_allows_it(w: World, clear: bool) -> None:
    w.org.change_deployment(w.emulator.deployment_id, clear=clear)
    async with w.gateway():
        await begin(w)
        await w.session.guest_ends()
        await w.until(lambda: w.session.has_ended)
        (conversation,) = w.org.conversations.values()
        if clear:
            await w.until(lambda: conversation.ended_by == "guest")
        assert await updates(w) == [("waiting", None), ("ended", "guest-left")]
    assert conversation.ended_by == ("guest" if clear else None)
    assert w.got() == ["one"]


async def test_the_guests_own_end_leaves_the_providers_session_behind(w: World) -> None:
    """The provider has no word for it; the next conversation is nobody's but the guest's who began it."""
    async with w.gateway():
        await begin(w)
        await w.session.guest_ends()
        await w.until(lambda: w.session.has_ended)
        await w.session.starts_new()
        await w.send("two")
        await w.settled(two="delivered")
        assert await updates(w) == [("waiting", None), ("ended", "guest-left"), ("waiting", None)]
    assert len(w.org.sessions) == 2
    heard = [[entry.text for entry in one.entries if entry.sender == "guest"] for one in w.org.conversations.values()]
    assert heard == [["one"], ["two"]]


async def test_an_expired_session_leaves_in_doubt_what_was_in_flight(w: World) -> None:
    """What waits goes to the new one, and the guest is told that nobody there knows what was said before."""
    async with w.gateway():
        await begin(w)
        w.fail["after-write"] = lambda: (w.proxy.reset(), w.org.expire_sessions())  # after it was written
        for text in ("two", "three", "four"):
            await w.send(text)
        await w.settled(two="unconfirmed", three="delivered", four="delivered")
        assert await updates(w) == [("waiting", None), ("waiting", "new-conversation")]
    assert [text for text in w.got() if text != "two"] == ["one", "three", "four"]
    assert len(w.org.conversations) == 2


async def test_an_expired_session_is_not_made_anew_for_nobody(w: World) -> None:
    async with w.gateway():
        await begin(w)
        w.org.expire_sessions()
        for _ in range(200):
            w.clock.advance(1)
            await asyncio.sleep(0)
        assert len(w.org.conversations) == 1
        await w.send("two")
        await w.settled(two="delivered")
    assert len(w.org.conversations) == 2
