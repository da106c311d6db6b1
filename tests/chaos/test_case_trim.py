"""R-08: trimming while readers lag (reliability.md §5.2), over real sockets and a real log on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from guestwire.model.events import Message
from guestwire.testing import FakeClock, eventually
from tests.chaos.case_browser import Browser
from tests.chaos.case_world import browser_of, is_delivered
from tests.integration.gateway.relay_world import Guest, World, relay_world

SHORT, LONG = 8, 200
ROUNDS = 5
READERS = 5


class Chat:
    """One session that is trimmed, and readers that come back with old positions."""

    def __init__(self, world: World, guest: Guest, rng: Random, counts: Counter[str]) -> None:
        self.world = world
        self.guest = guest
        self.rng = rng
        self.counts = counts
        self.readers = [browser_of(guest, f"r{number}") for number in range(READERS)]
        self.floor = 0
        self.said: list[Message] = []
        self.own: dict[str, tuple[str, int]] = {}

    async def head(self) -> int:
        return (await self.guest.upstream.session.log.head(self.guest.sid)).head

    async def play(self) -> None:
        for reader in self.readers:
            await reader.connect()
        for number in range(ROUNDS):
            await self.talk()
            for reader in self.readers:
                if self.rng.random() < 0.6:
                    await reader.drop()  # it lags from now on
            await self.talk()
            await self.trim()
            if number == ROUNDS // 2 and self.rng.random() < 0.5:
                await self.restart()
            await self.repeat_the_past()
            for reader in self.readers:
                await self.come_back(reader)
        for reader in self.readers:
            assert reader.problems == []
            assert reader.last == self.readers[0].last
            await reader.drop()

    async def talk(self) -> None:
        speaker = self.rng.choice(self.readers)
        if speaker.is_closed:
            await self.come_back(speaker)
        for _ in range(self.rng.randrange(1, 4)):
            client_id = f"c{len(self.own)}"
            text = f"words {len(self.own)}"
            await speaker.send(text, client_id)
            await speaker.until(lambda: not speaker.unacknowledged)
            place = next(
                f["messageSeq"] for f in speaker.frames if f.get("clientId") == client_id and "messageSeq" in f
            )
            self.own[client_id] = (text, place)
        new = [Message(sender="agent", text=f"a{len(self.said) + n}", id=f"p{len(self.said) + n}") for n in range(12)]
        new = new[: self.rng.randrange(1, 12)]
        self.said += new
        await self.guest.upstream.says(*new)
        await eventually(partial(is_delivered, self.guest))
        head = await self.head()
        for reader in self.readers:
            if not reader.is_closed:
                await reader.until_seq(head)

    async def trim(self) -> None:
        head = await self.head()
        # Around the readers' own positions, where one record makes the difference.
        wanted = self.rng.choice([reader.last or 0 for reader in self.readers]) + self.rng.randrange(-1, 3)
        self.floor = max(self.floor, min(wanted, head))
        assert await self.guest.upstream.session.log.trim(self.guest.sid, wanted + 1) == self.floor

    async def restart(self) -> None:
        await self.world.restart()
        self.counts["restarts"] += 1
        for reader in self.readers:
            if not reader.is_closed:
                await reader.until(lambda reader=reader: reader.is_closed)  # type: ignore[misc]
        await self.readers[0].drop()
        await self.come_back(self.readers[0])

    async def repeat_the_past(self) -> None:
        """A late page of history and a resend of what was trimmed long ago add nothing."""
        before = await self.head()
        page = self.rng.sample(self.said, len(self.said))
        await self.guest.upstream.says(*page)
        assert await self.head() == before
        self.counts["blocked"] += len(page)
        speaker = next((reader for reader in self.readers if not reader.is_closed), None)
        if speaker is None:
            return
        client_id, (text, place) = self.rng.choice(list(self.own.items()))
        speaker.frames.clear()
        await speaker.send(text, client_id)
        await speaker.until(lambda: not speaker.unacknowledged)
        assert [frame["messageSeq"] for frame in speaker.frames if frame.get("status") == "accepted"] == [place]
        assert await self.head() == before
        self.counts["blocked_below_floor" if place <= self.floor else "blocked_above_floor"] += 1

    async def come_back(self, reader: Browser) -> None:
        """It resumes if all that it lacks is kept, else it is reset, exactly."""
        if not reader.is_closed:
            return
        epoch, last, floor = reader.epoch, reader.last or 0, self.floor
        before = len(reader.view)
        await reader.connect()
        head = await self.head()
        await reader.until_seq(head)
        assert reader.mode == ("resume" if epoch is not None and last >= floor else "reset")
        if reader.mode == "reset":
            assert reader.seqs == list(range(floor + 1, head + 1))
            self.counts["resets"] += 1
        else:
            assert reader.seqs[before:] == list(range(last + 1, head + 1))
            self.counts["resumes"] += 1
            self.counts["resumes_at_the_floor"] += last == floor


@pytest.mark.slow
async def test_a_reader_below_the_floor_is_reset_and_nothing_old_comes_back(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """R-08: a reset exactly when below the floor; dedup keys of trimmed records still block old history."""
    counts: Counter[str] = Counter()
    schedules = LONG if chaos_long else SHORT
    async with relay_world(tmp_path) as world:
        for number in range(schedules):
            chat = Chat(world, await world.create(), Random(f"{chaos_seed}.{number}"), counts)
            await chat.play()
    figures("R-08", schedules=schedules, **counts)


async def test_a_trim_under_a_connected_reader_closes_it(tmp_path: Path) -> None:
    """A reader that lags below what is kept is told so (4410) and takes a reset; it is never shown a hole."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        lagging = await guest.open()
        await lagging.say(type="message", text="Hello", clientId="c")
        await lagging.until_seq(2)
        # What it does not read fills the way to it; then the trim takes what it was to get.
        for batch in range(8):
            await guest.upstream.says(*(Message(sender="agent", text=f"{batch}.{n} " + "x" * 4000) for n in range(200)))
        log = guest.upstream.session.log
        head = (await log.head(guest.sid)).head
        await log.trim(guest.sid, head)
        code = await lagging.rest()
        assert code == 4410
        assert lagging.seqs == list(range(1, lagging.last + 1))
        assert lagging.last < head - 1
        back = await guest.open(lagging.welcome["epoch"], lagging.last)
        assert (back.welcome["mode"], back.seqs) == ("reset", [head])


async def test_the_upkeep_trims_nothing_that_a_connected_tab_lacks(tmp_path: Path) -> None:
    """The oldest records of a long chat go, but none that a tab which is there has not acknowledged."""
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock, max_records=20) as world:
        guest = await world.create()
        slow, quick = browser_of(guest, "slow"), browser_of(guest, "quick")
        await slow.connect()
        await quick.connect()
        await slow.send("Hello", "c")
        await slow.until_seq(2)
        await guest.upstream.says(*(Message(sender="agent", text=f"a{n}", id=f"p{n}") for n in range(28)))
        await slow.until_seq(30)
        await slow.write(type="ack", seq=7)
        await quick.until_seq(30)
        await quick.write(type="ack", seq=30)
        for browser in (slow, quick):
            await browser.write(type="ping", seq=0)
            await browser.until(lambda browser=browser: browser.frames[-1]["type"] == "pong")  # type: ignore[misc]
        log = guest.upstream.session.log

        async def floor_is(wanted: int) -> bool:
            clock.advance(61)  # the upkeep's pace
            return (await log.head(guest.sid)).floor == wanted

        await eventually(lambda: floor_is(7))
        await slow.drop()
        await eventually(lambda: floor_is(10), within_s=15)
        await slow.connect()
        assert slow.mode == "resume"
        await quick.drop()
        stale = browser_of(guest, "stale")
        stale.epoch, stale.last = quick.epoch, 9
        await stale.connect()
        assert (stale.mode, stale.seqs) == ("reset", list(range(11, 31)))
        await guest.upstream.says(*(Message(sender="agent", text=f"a{n}", id=f"p{n}") for n in range(28)))
        assert (await log.head(guest.sid)).head == 30
        for browser in (slow, stale):
            assert browser.problems == []
            await browser.drop()
