"""R-07: one chat in five tabs (reliability.md §5.2), over real sockets and a real log on disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from guestwire.gateway.relay.session import RelaySession
from guestwire.model.events import Message, Typing
from guestwire.testing import FakeClock, eventually
from tests.chaos.case_browser import Browser
from tests.chaos.case_world import browser_of, is_delivered
from tests.integration.gateway.relay_world import Guest, World, relay_world

SHORT, LONG = 25, 200
STEPS = 20
TABS = 7
MOST_TABS = 5
MOST_WAITING = 20


class Schedule:
    """One session's tabs, and what a person does in them."""

    def __init__(self, world: World, guest: Guest, clock: FakeClock, rng: Random, counts: Counter[str]) -> None:
        self.guest = guest
        self.world = world
        self.clock = clock
        self.rng = rng
        self.counts = counts
        self.tabs = [browser_of(guest, f"tab{number}") for number in range(TABS)]
        self.said: dict[str, str] = {}
        self.heard_before = len(world.heard)

    async def play(self) -> None:
        await self.tabs[0].connect()
        # Who has not spoken yet has no upstream.
        await self.send(self.tabs[0])
        await self.tabs[0].until_seq(1)
        for _ in range(STEPS):
            await self.step()
            self.clock.advance(1)
            assert len(self.session.readers) <= MOST_TABS
        await self.come_to_rest()

    async def step(self) -> None:
        tab = self.rng.choice(self.tabs)
        match self.rng.choices(
            ("send", "again", "close", "resume", "reload", "agent", "type", "crowd", "flood", "ack"),
            (8, 2, 3, 8, 2, 6, 2, 1, 1, 2),
        )[0]:
            case "send" if not tab.is_closed:
                await self.send(tab)
            case "again" if not tab.is_closed and self.said:
                client_id, text = self.rng.choice(list(self.said.items()))
                await tab.send(text, client_id)
                self.counts["sent_again"] += 1
            case "close":
                await tab.drop()
                await eventually(lambda: len(self.session.readers) <= self.open_tabs)
            case "resume":
                await tab.connect(waits=self.rng.random() < 0.7)
            case "reload":
                await tab.reload()
                self.counts["reloads"] += 1
            case "agent":
                number = self.counts["agent"]
                self.counts["agent"] += 3
                await self.guest.upstream.says(
                    *(Message(sender="agent", text=f"a{number + n}", id=f"{number + n}") for n in range(3))
                )
            case "type" if not tab.is_closed:
                await tab.write(type="typing")
                await self.guest.upstream.says(Typing(sender="agent"))
            case "crowd":
                await self.crowd()
            case "flood" if not tab.is_closed:
                await self.flood(tab)
            case "ack" if tab.last:
                await tab.write(type="ack", seq=tab.last)

    async def send(self, tab: Browser) -> None:
        client_id = f"{tab.tab}-{len(self.said)}"
        self.said[client_id] = text = f"words {len(self.said)}"
        await tab.send(text, client_id)
        self.counts["sent"] += 1

    async def crowd(self) -> None:
        """Open every tab: the cap holds, and it is the idlest that go."""
        for tab in self.tabs:
            if not tab.is_closed:
                continue
            self.clock.advance(1)
            await eventually(lambda: len(self.session.readers) == self.open_tabs)
            is_full = self.open_tabs == MOST_TABS
            since = min((reader.active_at for reader in self.session.readers), default=0.0)
            idlest = {reader.tab for reader in self.session.readers if reader.active_at == since}
            await tab.connect()
            if is_full:
                await eventually(lambda: self.open_tabs == MOST_TABS)
                assert {other.tab for other in self.tabs if other.close_code == 4412} & idlest
                self.counts["idlest_closed"] += 1
            assert self.open_tabs <= MOST_TABS
        self.counts["crowds"] += 1

    @property
    def session(self) -> RelaySession:
        session = self.guest.upstream.session
        assert isinstance(session, RelaySession)
        return session

    @property
    def open_tabs(self) -> int:
        return sum(not tab.is_closed for tab in self.tabs)

    async def flood(self, tab: Browser) -> None:
        """Say more than may wait: what is too much is refused, and is sent when there is room."""
        upstream = self.guest.upstream
        await eventually(partial(is_delivered, self.guest))
        upstream.delivers = False
        before = tab.counts["error-too-many-waiting"]
        for _ in range(MOST_WAITING + 3):
            await self.send(tab)
            self.clock.advance(0.2)
        await tab.until(lambda: tab.counts["error-too-many-waiting"] >= before + 3 or tab.is_closed)
        self.counts["refused"] += tab.counts["error-too-many-waiting"] - before
        upstream.delivers = True
        upstream.wake()

    async def come_to_rest(self) -> None:
        """Everything unanswered is said again, everything is delivered; then all that is shown is compared."""
        self.guest.upstream.wake()
        log, sid = self.guest.upstream.session.log, self.guest.sid
        for tab in self.tabs:
            rounds = 0
            while tab.unacknowledged:
                await eventually(partial(is_delivered, self.guest))
                self.clock.advance(10)
                await tab.connect()
                await tab.until(lambda tab=tab: not tab.unacknowledged or self._refused(tab))  # type: ignore[misc]
                rounds += 1
                assert rounds < 10
            await tab.drop()
        await eventually(partial(is_delivered, self.guest))
        head = (await log.head(sid)).head
        for tab in self.tabs[:MOST_TABS]:
            await tab.connect()
            await tab.until_seq(head)
        fresh = browser_of(self.guest, "fresh")
        await fresh.connect()
        await fresh.until_seq(head)
        for tab in self.tabs:
            assert tab.problems == []
            self.counts.update({name.replace("-", "_"): count for name, count in tab.counts.items()})
        for tab in self.tabs[:MOST_TABS]:
            assert tab.view == fresh.view
            await tab.drop()
        await fresh.drop()
        self.counts["records"] += head
        page = await log.read(sid, 0, 10_000, 10**8)
        assert page is not None
        assert fresh.seqs == [record.seq for record in page.records] == list(range(1, head + 1))
        own = [(frame["clientId"], frame["text"]) for frame in fresh.view if "clientId" in frame and "text" in frame]
        assert dict(own) == self.said
        assert len(own) == len(self.said)
        heard = self.world.heard[self.heard_before :]
        assert heard == [text for _, text in own], "doubled, lost or reordered at the provider"

    @staticmethod
    def _refused(tab: Browser) -> bool:
        answers = [frame for frame in tab.frames if frame["type"] == "error"]
        return len(answers) >= len(tab.unacknowledged)


@pytest.mark.slow
async def test_five_tabs_show_the_same_whatever_is_done_in_them(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """R-07: after any sends, closes and reloads all tabs are equal; five tabs and twenty waiting messages at most."""
    counts: Counter[str] = Counter()
    clock = FakeClock(auto_jump=False)
    schedules = LONG if chaos_long else SHORT
    async with relay_world(tmp_path, clock=clock, max_tabs=MOST_TABS, max_connections_per_address=1000) as world:
        for number in range(schedules):
            guest = await world.create()
            clock.advance(60)  # nobody is over the rate of creation
            schedule = Schedule(world, guest, clock, Random(f"{chaos_seed}.{number}"), counts)
            try:
                await schedule.play()
            except BaseException:
                counts["failed_schedule"] = number
                raise
            finally:
                await asyncio.gather(*(tab.drop() for tab in schedule.tabs))
    wanted = (
        "sent",
        "sent_again",
        "reloads",
        "agent",
        "crowds",
        "refused",
        "resume",
        "reset",
        "records",
        "idlest_closed",
    )
    figures("R-07", schedules=schedules, **{name: counts[name] for name in wanted})
