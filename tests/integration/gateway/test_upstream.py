"""The relay's way to the provider over real sockets: emulator behind a fault proxy, log on disk, session of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from guestwire.client.tokens import TokenBroker
from guestwire.emulator import Emulator
from guestwire.emulator.changes import GarbageSent, SocketsDropped
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from guestwire.errors import LogUnavailable
from guestwire.gateway.log import NewRecord, SessionRow, SqliteSessionLog
from guestwire.gateway.relay.sealed import KEY_BYTES, Seal
from guestwire.gateway.relay.session import RelaySession
from guestwire.gateway.relay.tokens import now_ms
from guestwire.gateway.relay.upstream import GuestSessionUpstreams
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from guestwire.settings import EmulatorSettings, ProviderSettings
from guestwire.testing import FakeClock, eventually
from guestwire.testing.fault_proxy import Direction, FaultProxy

SID = SessionId("a" * 32)


class World:
    """One session's gateway, and the provider it talks to through `proxy`."""

    def __init__(self, emulator: Emulator, proxy: FaultProxy, path: Path) -> None:
        self.emulator = emulator
        self.org = emulator.org
        self.proxy = proxy
        self.path = path
        self.clock = FakeClock(auto_jump=False)
        self.fail: dict[str, Callable[[], object]] = {}
        self.session: RelaySession
        self.log: SqliteSessionLog

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[None]:
        provider = ProviderSettings(
            base_url=f"http://127.0.0.1:{self.proxy.port}",
            client_id=self.emulator.client_id,
            client_secret=Secret("demo-secret"),
        )
        async with SqliteSessionLog(self.path) as log, HttpClient() as transport:
            self.log = log
            row = await log.get(SID)
            if row is None:
                row = SessionRow(sid=SID, epoch="e", created_ms=0)
                await log.create(row)
            upstreams = GuestSessionUpstreams(
                provider,
                transport=transport,
                tokens=TokenBroker(transport, provider, clock=self.clock),
                seal=Seal([b"k" * KEY_BYTES], now_ms=lambda: now_ms(self.clock)),
                clock=self.clock,
                rng=Random(1),
                fail_point=self.fail_point,
            )
            self.session = RelaySession(row, log, upstreams, clock=self.clock, retention_s=3600)
            await self.session.find_state()
            self.session.take_up()
            try:
                yield
            finally:
                closing = asyncio.ensure_future(self.session.aclose())
                await self.until(closing.done)
                await closing
            assert not left_tasks()

    def fail_point(self, name: str) -> None:
        if name in self.fail:
            self.fail.pop(name)()

    async def until(self, condition: Callable[[], object], *, within_s: float = 15.0) -> None:
        """Wait while time flies."""

        def look() -> object:
            self.clock.advance(0.25)
            return condition()

        await eventually(look, within_s=within_s)

    async def until_async(self, condition: Callable[[], Awaitable[object]]) -> None:
        async def look() -> object:
            self.clock.advance(0.25)
            return await condition()

        await eventually(look, within_s=15.0)

    async def send(self, text: str) -> None:
        await self.session.accept(ClientId(text), text)

    async def frames(self, kind: str) -> list[dict[str, Any]]:
        page = await self.log.read(SID, 0, limit=1000)
        assert page is not None
        return [msgspec.json.decode(record.body) for record in page.records if record.kind == kind]

    async def fates(self) -> dict[str, str]:
        return {frame["clientId"]: frame["status"] for frame in await self.frames("receipt")}

    async def settled(self, **fates: str) -> None:
        async def are() -> bool:
            found = await self.fates()
            return all(found.get(name) == fate for name, fate in fates.items())

        try:
            await self.until_async(are)
        except AssertionError:
            raise AssertionError(f"Expected {fates}, got {await self.fates()}.") from None

    async def heard(self, *texts: str) -> None:
        async def has() -> bool:
            return [frame["text"] for frame in await self.frames("message") if frame["from"] == "agent"] == list(texts)

        await self.until_async(has)

    def got(self) -> list[str]:
        return [
            entry.text
            for conversation in self.org.conversations.values()
            for entry in conversation.entries
            if entry.sender == "guest"
        ]

    def agent_says(self, text: str) -> None:
        self.org.add_entry(list(self.org.conversations.values())[-1], "agent", text)


async def provider_ref(w: World) -> bytes:
    row = await w.log.get(SID)
    assert row is not None
    return row.provider_ref


def left_tasks() -> list[str]:
    """Return the tasks of ours that still run."""
    files = [str(getattr(task.get_coro(), "cr_code", None)) for task in asyncio.all_tasks()]
    return [file for file in files if "guestwire/client" in file or "gateway/relay" in file]


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        Emulator(EmulatorSettings(port=0, demo_agent=False)) as emulator,
        FaultProxy("127.0.0.1", emulator.port) as proxy,
    ):
        emulator.org.faults.switch(FaultName.UNPUBLISH_FLOW, on=True, params={})
        yield World(emulator, proxy, tmp_path / "log.db")
    assert not left_tasks()


async def test_delivers_in_order_and_records_what_is_said(w: World) -> None:
    async with w.gateway():
        for text in ("one", "two", "three"):
            await w.send(text)
        await w.settled(one="delivered", two="delivered", three="delivered")
        for text in ("a", "b"):
            w.agent_says(text)
        await w.heard("a", "b")
    assert w.got() == ["one", "two", "three"]


async def test_what_is_accepted_while_the_provider_is_away_is_sent_once(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.refusing():
            w.proxy.reset()
            await w.send("two")
            await w.send("three")
            for _ in range(20):
                w.clock.advance(1)
                await asyncio.sleep(0)
            assert await w.fates() == {"one": "delivered"}
        await w.settled(two="delivered", three="delivered")
    assert w.got() == ["one", "two", "three"]


@pytest.mark.parametrize("point", ["before-mark", "after-mark"])
@pytest.mark.parametrize("with_reset", [True, False])
async def test_dropped_before_the_write_is_sent_at_most_once(w: World, point: str, *, with_reset: bool) -> None:
    """The socket may not know yet that it is dead: then there is a doubt, but never a second copy."""
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.fail[point] = w.proxy.reset if with_reset else w.proxy.cut
        await w.send("two")
        await w.send("three")
        await w.settled(three="delivered")
        fate = (await w.fates())["two"]
    assert fate in {"delivered", "unconfirmed"}
    assert w.got() == (["one", "two", "three"] if fate == "delivered" else ["one", "three"])


async def test_dropped_after_the_write_is_in_doubt(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.fail["after-write"] = w.proxy.reset
        await w.send("two")
        await w.send("three")
        await w.settled(two="unconfirmed", three="delivered")
    assert w.got() in (["one", "three"], ["one", "two", "three"])


async def test_a_black_hole_is_noticed_and_what_it_swallowed_is_not_sent_again(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.black_hole():
            await w.send("two")
            await w.settled(two="unconfirmed")
            await w.send("three")
        # Now all of it arrives, on a connection that nobody has any more.
        await w.settled(three="delivered")
        await w.until(lambda: "two" in w.got())
        # The provider shows it to our new connection, if that was open already: then there is no doubt any longer.
        assert (await w.fates())["two"] in {"unconfirmed", "delivered"}
    assert sorted(w.got()) == ["one", "three", "two"]


async def test_a_way_back_that_is_dead_leaves_a_doubt(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.one_way(Direction.TO_CLIENT):
            await w.send("two")
            await w.settled(two="unconfirmed")
        await w.send("three")
        await w.settled(three="delivered")
    assert w.got() == ["one", "two", "three"]


async def test_a_restart_comes_back_to_the_same_provider_session(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
    async with w.gateway():
        await w.send("two")
        await w.settled(two="delivered")
        w.agent_says("a")
        await w.heard("a")
    assert len(w.org.conversations) == 1
    assert w.got() == ["one", "two"]


async def test_an_expired_provider_session_is_replaced_once_and_kept(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        before = await provider_ref(w)
        w.org.expire_sessions()
        await w.send("two")
        await w.settled(two="delivered")
        after = await provider_ref(w)
    assert before != after
    assert b"token" not in after
    async with w.gateway():
        await w.send("three")
        await w.settled(three="delivered")
    assert len(w.org.conversations) == 2
    assert w.got() == ["one", "two", "three"]


async def test_refused_twice_fails_what_waits_until_the_guest_tries_again(w: World) -> None:
    w.org.faults.switch(FaultName.REFUSE_UPGRADE, on=True, params={})
    async with w.gateway():
        await w.send("one")
        await w.settled(one="failed")
        (receipt,) = await w.frames("receipt")
        assert receipt["code"] == "upstream-auth-failed"
        assert len(w.org.sessions) == 2
        w.org.faults.switch(FaultName.REFUSE_UPGRADE, on=False, params={})
        await w.send("two")
        await w.settled(two="delivered")
    assert w.got() == ["two"]


async def test_the_end_fails_what_waits(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.refusing():
            w.proxy.reset()
            for number in range(5):
                await w.send(f"late{number}")
            (conversation,) = w.org.conversations.values()
            w.org.move(conversation, Stage.ENDED, ended_by="agent")
        await w.settled(**{f"late{number}": "failed" for number in range(5)})
        assert {frame.get("code") for frame in await w.frames("receipt")} == {None, "conversation-ended"}
        await w.until(lambda: w.session.has_ended)
    assert w.got() == ["one"]


async def test_the_guest_ends_after_what_was_said(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.send("two")
        await w.session.guest_ends()
        await w.until(lambda: w.session.has_ended)
        assert await w.fates() == {"one": "delivered", "two": "delivered"}
    (conversation,) = w.org.conversations.values()
    assert conversation.ended_by == "guest"


async def test_the_guest_can_leave_a_provider_that_is_away(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with w.proxy.refusing():
            w.proxy.reset()
            await w.session.guest_ends()
            await w.until(lambda: w.session.has_ended)
        (update,) = [frame for frame in await w.frames("conversation-update") if frame["status"] == "ended"]
        assert update["reason"] == "guest-left"


async def test_nothing_the_provider_says_is_lost_while_the_log_is_full(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        append, failing = w.log.append, 3

        async def full(sid: SessionId, records: list[NewRecord]) -> list[int | None]:
            nonlocal failing
            if failing:
                failing -= 1
                raise LogUnavailable
            return await append(sid, records)

        w.log.append = full  # type: ignore[method-assign, assignment]
        for text in ("a", "b", "c"):
            w.agent_says(text)
        await w.heard("a", "b", "c")
        assert failing == 0


async def test_garbage_and_drops_change_nothing(w: World) -> None:
    async with w.gateway():
        for number in range(4):
            await w.send(f"m{number}")
            await w.settled(**{f"m{number}": "delivered"})
            w.org.publish(GarbageSent() if number % 2 else SocketsDropped())
        updates = [frame["status"] for frame in await w.frames("conversation-update")]
    assert updates == ["waiting"]
    assert w.got() == ["m0", "m1", "m2", "m3"]


async def test_an_erased_session_lets_go_of_the_provider(w: World) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        await w.log.erase(SID)
        w.agent_says("a")
        await w.until(lambda: w.proxy.open_connections == 0 or not w.org.conversations or _has_left(w))


def _has_left(w: World) -> bool:
    return all(conversation.connections == 0 for conversation in w.org.conversations.values())


async def test_sliced_bytes_are_whole_frames(w: World) -> None:
    with w.proxy.slicing(3):
        async with w.gateway():
            await w.send("ä" * 50)
            await w.settled(**{"ä" * 50: "delivered"})
            w.agent_says("ö" * 50)
            await w.heard("ö" * 50)
