"""The relay's way to a provider that echoes, keeps a history, or both: what is delivered, and what is caught up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from guestwire.emulator.changes import SocketsDropped
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from guestwire.errors import OutboxFull
from guestwire.gateway.log import SqliteSessionLog
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.tokens import now_ms
from guestwire.model.ids import ClientId
from guestwire.model.token_bucket import TokenBucket
from guestwire.testing import eventually
from guestwire.testing.fault_proxy import Direction
from tests.integration.gateway.upstream_world import SID, World, world

ECHO, HISTORY = FaultName.ECHO, FaultName.HISTORY
SETS = [pytest.param(names, id="+".join(names)) for names in ((ECHO,), (HISTORY,), (ECHO, HISTORY))]
WITH_HISTORY = SETS[1:]


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def offer(w: World, *names: FaultName) -> None:
    for name in names:
        w.switch(name)


async def in_flight(w: World, text: str) -> None:
    """Leave a message as a gateway leaves it that is killed while it writes."""
    async with SqliteSessionLog(w.path) as log:
        record = bodies.guest_message(SID, ClientId(text), text, (), w.clock.utc())
        accepted = await log.accept(SID, ClientId(text), bodies.outgoing_body(text, ()), record)
        await log.mark_sending(SID, accepted.oseq, now_ms(w.clock))


def provider_heard(w: World, text: str) -> None:
    w.org.add_entry(list(w.org.conversations.values())[-1], "guest", text)


@pytest.mark.parametrize("names", SETS)
async def test_delivered_in_order_each_with_its_place(w: World, names: tuple[FaultName, ...]) -> None:
    """The receipt has the message's place in the provider's order."""
    offer(w, *names)
    texts = ["one", "two", "three"]
    async with w.gateway():
        for text in texts:
            await w.send(text)
        await w.settled(**dict.fromkeys(texts, "delivered"))
        page = await w.log.read(SID, 0, limit=100)
        assert page is not None
    keys = [record.order_key for record in page.records if record.kind == "receipt"]
    (session_id,) = w.org.sessions
    mark = bodies.provider_mark(session_id)
    assert keys == [bodies.order_key(entry.at, f"{mark}:{entry.id}") for entry in w.said() if entry.sender == "guest"]
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


async def test_an_echo_that_is_lost_without_a_history_leaves_a_doubt(w: World) -> None:
    w.switch(ECHO, lossPercent=100)
    async with w.gateway():
        for text in ("one", "two"):
            await w.send(text)
        await w.settled(one="unconfirmed", two="unconfirmed")
    assert w.got() == ["one", "two"]


async def test_doubled_echoes_and_frames_double_nothing(w: World) -> None:
    w.switch(ECHO, duplicatePercent=100)
    w.switch(HISTORY)
    w.switch(FaultName.DUPLICATE_FRAMES, percent=100)
    async with w.gateway():
        for text in ("one", "two"):
            await w.send(text)
        await w.settled(one="delivered", two="delivered")
        w.agent_says("a")
        w.agent_says("b")
        await w.heard("a", "b")
        frames = await w.frames("message")
    assert [frame["text"] for frame in frames] == ["one", "two", "a", "b"]
    assert w.foreign == 0


@pytest.mark.parametrize("names", WITH_HISTORY)
@pytest.mark.parametrize("point", ["before-mark", "after-mark", "after-write"])
async def test_a_drop_leaves_no_doubt(w: World, names: tuple[FaultName, ...], point: str) -> None:
    """Sent again only when the history shows that it never arrived."""
    offer(w, *names)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.fail[point] = w.proxy.reset
        await w.send("two")
        await w.send("three")
        await w.settled(two="delivered", three="delivered")
    assert w.got() == ["one", "two", "three"]


@pytest.mark.parametrize("names", WITH_HISTORY)
async def test_a_way_back_that_is_dead_leaves_no_doubt(w: World, names: tuple[FaultName, ...]) -> None:
    offer(w, *names)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.one_way(Direction.TO_CLIENT):
            await w.send("two")
            await w.until(lambda: "two" in w.got())
            w.proxy.reset()
        await w.settled(two="delivered")
    assert w.got() == ["one", "two"]


@pytest.mark.parametrize("names", WITH_HISTORY)
@pytest.mark.parametrize("lag_ms", [0, 300, 4500])
@pytest.mark.parametrize("arrived", [True, False])
async def test_what_a_kill_left_in_flight_arrives_once(
    w: World, names: tuple[FaultName, ...], lag_ms: int, *, arrived: bool
) -> None:
    offer(w, *names)
    w.switch(HISTORY, lagMs=lag_ms)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
    await in_flight(w, "two")
    if arrived:
        provider_heard(w, "two")
    async with w.gateway():
        await w.send("three")
        await w.settled(two="delivered", three="delivered")
    assert w.got() == ["one", "two", "three"]
    assert w.foreign == 0


async def test_a_history_later_than_promised_may_double_and_says_so(w: World) -> None:
    """X1: after a kill, and only then; the second copy is recorded as what the provider has."""
    w.switch(HISTORY)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
    await in_flight(w, "two")
    provider_heard(w, "two")
    w.switch(HISTORY, lagMs=20_000)
    async with w.gateway():
        await w.settled(two="unconfirmed")
        assert w.got() == ["one", "two", "two"]
        await w.settled(two="delivered")
        await w.until(lambda: w.foreign == 1)


async def test_a_history_that_lags_doubles_nothing_while_the_connection_holds(w: World) -> None:
    """The pongs have proved that it arrived; when the history shows it at last, there is no doubt any more."""
    w.switch(HISTORY, lagMs=60_000)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="unconfirmed")
        await w.send("two")
        await w.settled(two="unconfirmed")
        w.switch(HISTORY, lagMs=0)
        await w.send("three")
        await w.settled(one="delivered", two="delivered", three="delivered")
    assert w.got() == ["one", "two", "three"]
    assert w.foreign == 0


async def test_a_doubt_is_ended_after_a_restart(w: World) -> None:
    w.switch(HISTORY, lagMs=60_000)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="unconfirmed")
    w.switch(HISTORY, lagMs=0)
    async with w.gateway():
        await w.settled(one="delivered")
    assert w.foreign == 0


@pytest.mark.parametrize("names", WITH_HISTORY)
async def test_what_was_said_while_nobody_listened_is_caught_up(w: World, names: tuple[FaultName, ...]) -> None:
    """Page by page, in order, each once; what is live comes after it."""
    offer(w, *names)
    missed = [f"missed {number}" for number in range(130)]
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
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


async def test_what_becomes_visible_late_is_caught_up(w: World) -> None:
    w.switch(HISTORY)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.switch(HISTORY, lagMs=2000)
        with w.proxy.refusing():
            w.proxy.reset()
            w.agent_says("a")
            w.agent_says("b")
        await w.heard("a", "b")


async def test_the_history_comes_before_what_is_live(w: World) -> None:
    """A new connection's first frames are held until the history has been read."""
    w.switch(HISTORY)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.refusing():
            w.proxy.reset()
            w.agent_says("missed")
        conversation = next(iter(w.org.conversations.values()))
        await w.until(lambda: conversation.connections)
        w.agent_says("live")
        await w.heard("missed", "live")
        page = await w.log.read(SID, 0)
        assert page is not None
        assert not any(record.late for record in page.records)


async def test_a_history_that_cannot_be_read_blocks_nobody(w: World) -> None:
    """The agent is heard, what was in flight is in doubt in the end, and the next message has its turn."""
    w.switch(HISTORY)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.switch(FaultName.RATE_LIMIT)
        w.org.publish(SocketsDropped())
        w.agent_says("a")
        await w.send("two")
        await w.settled(two="unconfirmed")
        w.agent_says("b")

        async def is_heard() -> bool:
            return "b" in [frame["text"] for frame in await w.frames("message")]

        await w.until_async(is_heard)
        w.switch(FaultName.RATE_LIMIT, on=False)
        await w.send("three")
        await w.settled(two="delivered", three="delivered")
        await w.heard("b", "a")
    assert w.got() == ["one", "two", "three"]


async def test_a_guest_who_writes_elsewhere_is_recorded_and_counted(w: World) -> None:
    offer(w, ECHO, HISTORY)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        provider_heard(w, "from another place")
        await w.until(lambda: w.foreign == 1)
        await w.send("two")
        await w.settled(two="delivered")
    async with w.gateway():
        await w.send("three")
        await w.settled(three="delivered")
        frames = await w.frames("message")
    assert [frame["text"] for frame in frames] == ["one", "from another place", "two", "three"]
    assert [frame.get("clientId") for frame in frames] == ["one", None, "two", "three"]
    assert w.foreign == 1


async def test_what_was_said_before_the_end_is_before_it(w: World) -> None:
    w.switch(HISTORY)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        (conversation,) = w.org.conversations.values()
        with w.proxy.refusing():
            w.proxy.reset()
            w.agent_says("goodbye")
            w.org.move(conversation, Stage.ENDED, ended_by="agent")
        await w.until(lambda: w.session.has_ended)
        page = await w.log.read(SID, 0)
        assert page is not None
    assert [record.kind for record in page.records][-2:] == ["message", "conversation-update"]


@pytest.mark.parametrize("names", [pytest.param((), id="neither"), *SETS])
async def test_an_expired_session_leaves_in_doubt_what_was_in_flight(w: World, names: tuple[FaultName, ...]) -> None:
    """What waits goes to the new one, and the guest is told that nobody there knows what was said before."""
    offer(w, *names)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.fail["after-write"] = lambda: (w.proxy.reset(), w.org.expire_sessions())  # after it was written
        for text in ("two", "three", "four"):
            await w.send(text)
        await w.settled(two="unconfirmed", three="delivered", four="delivered")
        updates = [(frame["status"], frame.get("reason")) for frame in await w.frames("conversation-update")]
    assert updates == [("waiting", None), ("waiting", "new-conversation")]
    assert [text for text in w.got() if text != "two"] == ["one", "three", "four"]
    assert len(w.org.conversations) == 2


@pytest.mark.parametrize("names", SETS)
async def test_a_second_conversation_may_number_its_messages_like_the_first(
    w: World, names: tuple[FaultName, ...]
) -> None:
    """After start-new, and after a provider session that expired; a restart in between changes nothing."""
    offer(w, *names)
    w.switch(FaultName.REPEAT_IDS)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.agent_says("a")
        await w.heard("a")
        w.org.expire_sessions()
        await w.send("two")
        await w.settled(two="delivered")
        w.agent_says("b")
        await w.heard("a", "b")
    async with w.gateway():
        await w.send("three")
        await w.settled(three="delivered")
        await w.heard("a", "b")
        (*_, conversation) = w.org.conversations.values()
        w.org.move(conversation, Stage.ENDED, ended_by="agent")
        await w.until(lambda: w.session.has_ended)
        await w.session.starts_new()
        await w.send("four")
        await w.settled(four="delivered")
        w.agent_says("c")
        await w.heard("a", "b", "c")
    assert w.got() == ["one", "two", "three", "four"]
    assert w.foreign == 0
    ids = [entry.id for entry in w.said()]
    assert len(set(ids)) < len(ids)


async def test_a_doubt_is_not_ended_by_another_provider_session(w: World) -> None:
    """The same words, said again in the next one, prove nothing about the first ones; nor after a restart."""
    w.switch(HISTORY)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.fail["after-write"] = lambda: (w.proxy.reset(), w.org.expire_sessions())
        await w.session.accept(ClientId("first"), "hello?")
        await w.settled(first="unconfirmed")
        await w.session.accept(ClientId("second"), "hello?")
        await w.settled(second="delivered")
        provider_heard(w, "hello?")
        await w.until(lambda: w.foreign == 1)
        assert (await w.fates())["first"] == "unconfirmed"
    async with w.gateway():
        provider_heard(w, "hello?")
        await w.until(lambda: w.foreign == 2)
        assert (await w.fates())["first"] == "unconfirmed"


@pytest.mark.parametrize("names", [pytest.param((), id="neither"), *SETS])
async def test_an_end_that_the_provider_never_heard_of_is_told_by_the_next_gateway(
    w: World, names: tuple[FaultName, ...]
) -> None:
    offer(w, *names)
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.refusing():
            w.proxy.reset()
            await w.session.guest_ends()
            await w.session.aclose()
        (conversation,) = w.org.conversations.values()
        assert conversation.stage is not Stage.ENDED
    async with w.gateway():
        await w.until(lambda: w.session.has_ended)
    assert conversation.ended_by == "guest"


@pytest.mark.parametrize("names", [pytest.param((), id="neither"), *SETS])
async def test_told_to_wait_nothing_fails_and_the_order_is_kept(w: World, names: tuple[FaultName, ...]) -> None:
    """O-04: not one frame before the provider's hint is over. The clock stands still but where it is moved here."""
    offer(w, *names)
    texts = [f"m{number}" for number in range(40)]
    async with w.gateway():
        pump = w.session.upstream._pump  # type: ignore[attr-defined]
        pump._bucket = pump._messages = TokenBucket(rate=1, burst=1000)
        accepting = asyncio.create_task(accept_all(w, texts))

        async def is_held() -> bool:
            return [receipt["status"] for receipt in await w.frames("receipt")][-1:] == ["waiting"]

        await eventually(is_held, within_s=20)
        (held,) = [receipt for receipt in await w.frames("receipt") if receipt["status"] == "waiting"]
        count = len(w.got())
        assert held["clientId"] == texts[count]
        w.clock.advance(held["retryAfter"] - 0.01)
        w.session.upstream.wake()
        for _ in range(20):
            await w.log.head(SID)  # so much could have happened meanwhile
        assert len(w.got()) == count
        await w.settled(**dict.fromkeys(texts, "delivered"))
        await accepting
        statuses = {receipt["status"] for receipt in await w.frames("receipt")}
    assert statuses == {"waiting", "delivered"}
    assert w.got() == texts


async def accept_all(w: World, texts: list[str]) -> None:
    async def accepted(text: str) -> bool:
        try:
            await w.send(text)
        except OutboxFull:
            return False
        return True

    for text in texts:
        await eventually(partial(accepted, text), within_s=20)
