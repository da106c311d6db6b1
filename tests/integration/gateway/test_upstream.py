"""The relay's way to the provider over real sockets: emulator behind a fault proxy, log on disk, session of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from guestwire.client.runner import PONG_LIMIT_S
from guestwire.emulator.changes import GarbageSent, SocketsDropped
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from guestwire.errors import LogUnavailable, RemoteProtocolError
from guestwire.gateway.log import NewRecord, SqliteSessionLog
from guestwire.model.events import ConversationStatus, ConversationUpdated
from guestwire.model.ids import SessionId
from guestwire.model.token_bucket import TokenBucket
from guestwire.net.http import HttpClient
from guestwire.net.transport import ClientSocket
from guestwire.protocols.guest_session.relay import VolatileFrame
from guestwire.protocols.guest_session.wire import ErrorFrame
from guestwire.testing import eventually
from guestwire.testing.fault_proxy import Direction
from tests.integration.gateway.upstream_world import SID, World, provider_ref, world


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


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
            await w.until(lambda: "two" in w.got())
            began_at = w.clock.now()
            await w.until(lambda: w.clock.now() > began_at + PONG_LIMIT_S + 1)
            w.proxy.reset()  # or the close that we have begun would be waited for in real time
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


@contextmanager
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let the provider's edge answer every upgrade with 404, which the client library takes for final."""
    attempts: list[float] = []

    async def refuse(_self: HttpClient, _url: str, **_options: object) -> ClientSocket:
        attempts.append(0.0)
        raise RemoteProtocolError("expected a WebSocket, got status 404")

    with monkeypatch.context() as patch:
        patch.setattr(HttpClient, "open_socket", refuse)
        yield attempts


async def test_given_up_it_is_tried_again_while_somebody_is_here(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a minute apart once it has failed often; nobody need say or reload anything."""
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        tab = Tab()
        w.session.join(tab, most=10)
        with refusing(monkeypatch) as attempts:
            w.proxy.reset()
            began_at = w.clock.now()
            await w.until(lambda: len(attempts) >= 9)
            took_s = w.clock.now() - began_at
        # 1 + 2 + … + 32 + 60 + 60, each of it half at least; looking late adds to it.
        assert 90 < took_s < 300
        await w.until(lambda: any(conversation.connections for conversation in w.org.conversations.values()))
        w.agent_says("are you there?")
        await w.heard("are you there?")
        w.session.leave(tab)
    assert tab.shown == []
    assert len(w.org.sessions) == 1


async def test_given_up_and_nobody_here_it_waits_for_who_comes(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        with refusing(monkeypatch) as attempts:
            w.proxy.reset()
            await w.until(lambda: attempts)
            began_at = w.clock.now()
            await w.until(lambda: w.clock.now() > began_at + 200)
            assert len(attempts) == 1
        w.session.join(Tab(), most=10)
        await eventually(lambda: any(conversation.connections for conversation in w.org.conversations.values()))
        w.session.readers.clear()


async def test_a_provider_that_refuses_everybody_is_asked_for_no_new_sessions(w: World) -> None:
    """Tried again by itself, the session in hand has to do: each new one would be a conversation that nobody leads."""
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        tab = Tab()
        w.session.join(tab, most=10)
        w.switch(FaultName.REFUSE_UPGRADE)
        w.proxy.reset()
        await w.until(lambda: len(w.org.sessions) == 2)
        began_at = w.clock.now()
        await w.until(lambda: w.clock.now() > began_at + 200)
        assert len(w.org.sessions) == 2
        w.switch(FaultName.REFUSE_UPGRADE, on=False)
        await w.until(lambda: len(w.org.conversations) == 2)
        await w.send("two")
        await w.settled(two="delivered")
        w.session.leave(tab)
    assert len(w.org.sessions) == 2
    assert w.got() == ["one", "two"]


async def test_an_operator_sees_what_becomes_of_messages_and_the_provider(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open connections, failures by cause, and every message by its fate, an end's too."""
    settled = "guestwire_messages_settled_total"
    async with w.gateway():
        assert await w.metric(f'{settled}{{state="failed"}}') == 0
        await w.send("one")
        await w.settled(one="delivered")
        assert await w.metric("guestwire_upstream_connections") == 1
        w.fail["after-write"] = w.proxy.reset
        await w.send("two")
        await w.settled(two="unconfirmed")
        await w.until_async(lambda: w.metric("guestwire_upstream_connections"))  # it is back
        with refusing(monkeypatch):
            w.proxy.reset()
            await w.until_async(lambda: w.metric('guestwire_upstream_failures_total{code="bad-answer"}'))
            assert await w.metric("guestwire_upstream_connections") == 0
            await w.send("three")
            await w.settled(three="failed")
        assert await w.metric('guestwire_upstream_failures_total{code="connection-lost"}') >= 1
        await w.send("four")
        await w.settled(four="delivered")
        with w.proxy.refusing():
            w.proxy.reset()
            await w.send("five")
            await w.session.provider_said([ConversationUpdated(status=ConversationStatus.ENDED)])
            assert (await w.fates())["five"] in {"failed", "unconfirmed"}
    assert await w.metric("guestwire_upstream_connections") == 0
    fates = Counter((await final_fates(w)).values())
    assert fates.total() == 5
    for state, count in fates.items():
        assert await w.metric(f'{settled}{{state="{state}"}}') == count


def _crash() -> None:
    raise ZeroDivisionError("nobody has foreseen this")


@pytest.mark.parametrize(
    ("point", "fates"), [("before-mark", {"delivered"}), ("after-write", {"unconfirmed", "delivered"})]
)
async def test_a_bug_costs_the_chat_its_connection_but_not_its_upstream(w: World, point: str, fates: set[str]) -> None:
    """It is begun anew, like by a gateway after us: what was in flight may be in doubt, all else goes on."""
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        w.fail[point] = _crash
        await w.send("two")
        await w.until_async(lambda: w.metric("guestwire_upstream_crashes_total"))
        await w.send("three")
        await w.settled(three="delivered")
        assert (await w.fates())["two"] in fates
        w.agent_says("still there")
        await w.heard("still there")
        assert await w.metric("guestwire_upstream_crashes_total") == 1
        assert await w.metric("guestwire_upstream_connections") == 1
    assert w.got() == ["one", "two", "three"]
    assert len(w.org.conversations) == 1


async def test_a_bug_that_comes_back_is_tried_ever_more_rarely(w: World) -> None:
    """At most a minute apart; and a gateway that stops meanwhile does not wait for it."""
    crashed_at: list[float] = []

    def crash_again() -> None:
        crashed_at.append(w.clock.now())
        w.fail["before-mark"] = crash_again
        _crash()

    w.fail["before-mark"] = crash_again
    async with w.gateway():
        await w.send("one")
        await w.until(lambda: len(crashed_at) >= 9, within_s=60)
        stops_at = w.clock.now()
    assert w.clock.now() - stops_at < 1
    waits = [later - earlier for earlier, later in pairwise(crashed_at)]
    assert 0.5 <= waits[0] < 10
    assert 30 <= waits[-1] < 90


async def final_fates(w: World) -> dict[str, str]:
    async with SqliteSessionLog(w.path) as w.log:
        return await w.fates()


async def test_a_guest_who_has_said_nothing_is_told_that_it_failed(w: World) -> None:
    """With `upstream_start` open there is no message that could fail; mended, it goes on by itself."""
    w.switch(FaultName.BAD_CREDENTIALS)
    async with w.gateway(starts_at_open=True):
        tab = Tab()
        w.session.join(tab, most=10)
        await w.until(lambda: tab.shown)
        began_at = w.clock.now()
        await w.until(lambda: w.clock.now() > began_at + 100)
        (shown,) = tab.shown
        assert isinstance(shown, ErrorFrame)
        assert (shown.code, shown.client_id, shown.retry_after) == ("upstream-auth-failed", None, None)
        again = Tab()
        w.session.join(again, most=10)
        await w.until(lambda: again.shown)  # who reloads is told again
        w.switch(FaultName.BAD_CREDENTIALS, on=False)
        await w.until(lambda: w.org.conversations)
        w.agent_says("Welcome")
        await w.heard("Welcome")
        w.session.readers.clear()


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


@pytest.mark.parametrize("restarts", [False, True])
async def test_an_expired_provider_session_is_not_replaced_for_nobody(w: World, *, restarts: bool) -> None:
    """A guest who has gone needs no new conversation, which an agent would wait in; who comes back, or writes, does."""
    async with w.gateway():
        await w.send("one")
        await w.settled(one="delivered")
        if not restarts:
            await expire_and_wait(w)
            w.session.join(Tab(), most=10)
            await w.until(lambda: len(w.org.sessions) == 2)
            w.session.readers.clear()
            await w.until(lambda: len(w.org.conversations) == 2)
        await expire_and_wait(w)
    async with w.gateway():
        before = len(w.org.sessions)
        began_at = w.clock.now()
        await w.until(lambda: w.clock.now() > began_at + 100)
        assert len(w.org.sessions) == before
        await w.send("two")
        await w.settled(two="delivered")
        assert len(w.org.sessions) == before + 1


async def expire_and_wait(w: World) -> None:
    before = len(w.org.sessions)
    w.org.expire_sessions()
    w.org.publish(SocketsDropped())
    began_at = w.clock.now()
    await w.until(lambda: w.clock.now() > began_at + 100)
    assert len(w.org.sessions) == before


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


class Tab:
    """A browser's connection that only looks at what is not kept."""

    tab = None
    active_at = 0.0
    seen = 0

    def __init__(self) -> None:
        self.shown: list[VolatileFrame] = []

    def show_volatile(self, frame: VolatileFrame, after: int) -> None:
        self.shown.append(frame)

    def show_session(self, frame: str, after: int) -> None:
        raise AssertionError

    def session_ended(self, at_seq: int) -> None:
        raise AssertionError

    def session_reopened(self) -> None:
        raise AssertionError

    def close_for(self, error_code: str) -> None:
        raise AssertionError


async def test_a_refusal_that_is_slower_than_the_pongs_is_shown_at_its_message(w: World) -> None:
    """Nobody can take "delivered" back; the guest sees what the provider said, and of what."""
    async with w.gateway():
        tab = Tab()
        w.session.readers.add(tab)
        await w.send("first")
        await w.settled(first="delivered")
        w.switch(FaultName.DELAY_FRAMES, delayMs=200)
        pump = w.session.upstream._pump  # type: ignore[attr-defined]
        pump._bucket = pump._messages = TokenBucket(rate=1, burst=1000)
        text = ""
        for number in range(40):  # until the provider has had enough
            text = f"m{number}"
            await w.send(text)
            await eventually(partial(is_delivered, w, text))
            if text not in w.got():
                break
        w.clock.advance(0.5)
        await eventually(lambda: tab.shown)
        w.session.readers.discard(tab)
    (shown,) = tab.shown
    assert isinstance(shown, ErrorFrame)
    assert (shown.code, shown.client_id) == ("rate-limited", text)


async def is_delivered(w: World, text: str) -> bool:
    return (await w.fates()).get(text) == "delivered"
