"""R-08: what is kept of a long chat, and what a reader gets that comes from before it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from guestwire.gateway.relay import hub
from guestwire.model.events import Message
from guestwire.testing import eventually
from tests.unit.gateway.relay.hub_place import SID, Place, place, say


async def floor(here: Place) -> int:
    """Let the upkeep run once more, and return what it has trimmed."""
    here.clock.advance(61)
    return (await here.log.head(SID)).floor


async def becomes(what: Callable[[], Awaitable[int]], value: int) -> None:
    async def is_so() -> bool:
        return await what() == value

    await eventually(is_so)


async def test_a_long_chat_is_trimmed_behind_its_readers(tmp_path: Path) -> None:
    """While somebody lacks the oldest records they stay; then they go, and who comes from before is reset."""
    async with place(tmp_path, max_records=100) as here:
        connection, socket = await here.join()
        await here.fill(150)
        await eventually(lambda: len(socket.seqs) == 150)
        say(connection, type="ack", seq=20)
        await becomes(lambda: floor(here), 20)
        assert await floor(here) == 20
        say(connection, type="ack", seq=150)
        await becomes(lambda: floor(here), 50)
        _, below = await here.join("e1", 49)
        assert below.frames[0]["mode"] == "reset"
        assert below.seqs == list(range(51, 151))
        _, at = await here.join("e1", 50)
        assert at.frames[0]["mode"] == "resume"
        assert at.seqs == below.seqs


async def test_a_tab_that_left_is_waited_for(tmp_path: Path) -> None:
    """Ten minutes long; when it comes back it is the one that counts."""
    async with place(tmp_path, max_records=100) as here:
        stays, socket = await here.join()
        say(stays, type="message", text="so that the session stays in memory", clientId="c1")
        await here.fill(79)
        left, _ = await here.join(tab="left")
        say(left, type="ack", seq=30)
        left.closed(1006)
        await here.fill(100)
        await eventually(lambda: socket.last == 180)
        say(stays, type="ack", seq=180)
        await becomes(lambda: floor(here), 30)
        back, frames = await here.join("e1", 30, tab="left")
        assert frames.frames[0]["mode"] == "resume"
        assert frames.last == 180
        say(back, type="ack", seq=40)
        await becomes(lambda: floor(here), 40)
        back.closed(1006)
        here.clock.advance(480)
        assert await floor(here) == 40
        await becomes(lambda: floor(here), 80)


async def test_who_acknowledges_nothing_holds_back_as_much_again_and_no_more(tmp_path: Path) -> None:
    async with place(tmp_path, max_records=50) as here:
        lazy, socket = await here.join()
        await here.fill(20)
        await eventually(lambda: socket.last == 20)
        say(lazy, type="ack", seq=1)
        await here.fill(100)
        await eventually(lambda: socket.last == 120)
        await becomes(lambda: floor(here), 20)
        assert socket.close_code is None


async def test_bytes_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MAX_LOG_BYTES", 50_000)
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        await here.fill(20, size=9_950)
        await eventually(lambda: socket.last == 20)
        await becomes(lambda: floor(here), 16)
        connection.closed(1001)


async def test_sessions_that_are_not_in_memory_are_trimmed(tmp_path: Path) -> None:
    """One that everybody left, and one that an earlier gateway left too long; both when their tabs are given up."""
    async with place(tmp_path, max_records=30) as here:
        connection, socket = await here.join()
        await here.fill(50)
        await eventually(lambda: socket.last == 50)
        connection.closed(1001)
        assert here.hub._sessions == {}
        assert await floor(here) == 0
        here.clock.advance(480)
        assert await floor(here) == 0
        await becomes(lambda: floor(here), 20)
    async with place(tmp_path, is_new=False, max_records=10) as here:
        assert await floor(here) == 20
        here.clock.advance(550)
        await becomes(lambda: floor(here), 40)
        assert here.hub._sessions == {}


async def test_trimming_while_readers_lag(tmp_path: Path) -> None:
    """Below the floor it is a reset, else a resume without a hole; no trimmed message is taken again (R-08)."""
    rng = random.Random(8)
    trimmed = resets = resumes = refused = 0
    async with place(tmp_path, max_records=40, max_tabs=70) as here:
        keeper, socket = await here.join()
        say(keeper, type="message", text="so that the session stays in memory", clientId="c1")
        await eventually(lambda: socket.last == 1)
        head = 1
        for step in range(60):
            events = [Message(sender="agent", text="x", id=f"p{head + n}") for n in range(1, rng.randint(2, 25))]
            await here.upstream.session.provider_said(events)
            head += len(events)
            # The history comes again, from anywhere: all of it is known, trimmed or not.
            again = [Message(sender="agent", text="x", id=f"p{rng.randint(2, head)}") for _ in range(5)]
            await here.upstream.session.provider_said(again)
            refused += len(again)
            assert (await here.log.head(SID)).head == head
            await eventually(lambda: socket.last == head)  # noqa: B023 - awaited at once
            say(keeper, type="ack", seq=head)
            here.clock.advance(61)
            after = rng.randint(0, head)
            reader, frames = await here.join("e1", after, tab=f"t{step % 3}")
            if frames.close_code == 4410:  # what it resumed from was trimmed that moment: it comes back and is reset
                reader, frames = await here.join("e1", after, tab=f"t{step % 3}")
            below = (await here.log.head(SID)).floor
            mode = frames.frames[0]["mode"]
            first = after + 1 if mode == "resume" else min(frames.seqs, default=head + 1)
            assert frames.seqs == list(range(first, head + 1)), (step, mode)
            if mode == "resume":
                resumes += 1
            else:
                resets += 1
                assert after < below
            trimmed = below
            if rng.random() < 0.7:
                reader.closed(1006)
    assert trimmed > 0
    assert resets > 3
    assert resumes > 3
    assert refused == 300


# --- how long a chat is kept ------------------------------------------------------------------------------------------


async def pass_hours(here: Place, hours: int) -> None:
    """Let the upkeep see each hour."""
    for _ in range(hours):
        before = here.clock.sleepers
        here.clock.advance(3600)
        await eventually(lambda: here.clock.sleepers >= before)  # noqa: B023 - awaited at once


async def test_what_the_agent_says_prolongs_a_chat(tmp_path: Path) -> None:
    """The guest is away for days: the chat lives for 48 hours from the last record on; then its upstream goes too."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        say(connection, type="message", text="I'm off", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        connection.closed(1001)
        for day in range(3):
            await pass_hours(here, 40)
            await here.upstream.session.provider_said([Message(sender="agent", text="Hello?", id=f"p{day}")])
        await pass_hours(here, 47)
        assert await here.log.get(SID) is not None
        await pass_hours(here, 2)
        await eventually(lambda: "aclose" in here.upstream.calls)
        assert await here.log.get(SID) is None
        assert here.hub._sessions == {}


async def test_a_session_that_expires_while_somebody_reads_the_file_leaves_memory(tmp_path: Path) -> None:
    """Its words leave the file when they can; its connection to the provider must not wait for that."""
    async with place(tmp_path) as here:
        connection, socket = await here.join()
        say(connection, type="message", text="Bye", clientId="c1")
        await eventually(lambda: "receipt" in socket.kinds)
        connection.closed(1001)
        looking = apsw.Connection(str(tmp_path / "log.sqlite3"), flags=apsw.SQLITE_OPEN_READONLY)
        looking.execute("BEGIN").fetchall()
        looking.execute("SELECT count(*) FROM record").fetchall()
        await pass_hours(here, 49)
        await eventually(lambda: "aclose" in here.upstream.calls)
        assert here.hub._sessions == {}
        looking.close()
