"""Reading a provider's history: when, from where, how far, and what happens when it can't be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import pytest

from guestwire.client.sessions import HistoryPage
from guestwire.errors import ChatError, ConnectFailed, RateLimited, RemoteProtocolError, SessionGone
from guestwire.gateway.relay.history import OVERLAP, SAVE_EVERY, HistoryReader, Said
from guestwire.gateway.relay.provider_line import Pace
from guestwire.model.events import Message
from guestwire.testing import FakeClock, eventually


class World:
    """A provider with a history, and what was taken of it."""

    def __init__(self) -> None:
        self.clock = FakeClock(auto_jump=False)
        self.said: list[str] = []
        self.taken: list[str] = []
        self.asked: list[str | None] = []
        self.trouble: list[ChatError] = []
        self.saved: list[str] = []
        self.reads = 0
        self.gate: asyncio.Event | None = None
        self.reader = HistoryReader(
            self.read_page, self.take, clock=self.clock, rng=Random(1), save=self.save, on_read=self.count
        )

    async def read_page(self, after: str | None, limit: int) -> HistoryPage:
        self.asked.append(after)
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble.pop(0)
        begin = 0 if after is None else self.said.index(after) + 1
        page = self.said[begin : begin + limit]
        if self.gate is not None:
            await self.gate.wait()
        messages = tuple(Message(sender="agent", text=one, id=one) for one in page)
        return HistoryPage(messages, has_more=begin + limit < len(self.said))

    async def take(self, said: Sequence[Said]) -> None:
        await asyncio.sleep(0)
        self.taken += [one.text for one in said if isinstance(one, Message)]

    async def save(self, place: str) -> None:
        self.saved.append(place)

    def count(self) -> None:
        self.reads += 1

    def say(self, count: int) -> None:
        self.said += [f"{number:05}" for number in range(len(self.said), len(self.said) + count)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reader.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def read(self, times: int = 1) -> None:
        """Wait for so many reads more."""
        wanted = self.reads + times
        await eventually(lambda: self.reads >= wanted)


@pytest.fixture
def w() -> World:
    return World()


async def test_a_connection_is_a_reason_to_read_everything(w: World) -> None:
    w.say(250)
    async with w.running():
        w.reader.connected()
        await w.read()
    assert w.taken == w.said
    assert w.asked == [None, "00099", "00199"]
    assert w.reader.first_read.is_set()
    assert (w.reader.first_at, w.reader.last_at) == (1000.0, 1000.0)


async def test_the_next_read_begins_a_little_earlier_and_takes_what_is_new(w: World) -> None:
    w.say(250)
    async with w.running():
        w.reader.connected()
        await w.read()
        w.said.insert(240, "late")
        w.say(1)
        w.clock.advance(0.1)
        w.reader.ask()
        await w.read()
    assert w.asked[-1] == w.said[249 - OVERLAP]
    assert w.taken[250:] == ["late", "00251"]
    assert (w.reader.first_at, w.reader.last_at) == (1000.0, 1000.1)


async def test_a_short_history_is_read_from_its_beginning(w: World) -> None:
    w.say(OVERLAP)
    async with w.running():
        w.reader.connected()
        await w.read()
        w.reader.ask()
        await w.read()
    assert w.asked == [None, None]
    assert w.taken == w.said


async def test_it_is_read_again_for_what_becomes_visible_late(w: World) -> None:
    """For a minute: what an agent said while nobody listened must not wait for the next connection."""
    assert Pace().look_again_s[-1] == 60.0
    async with w.running():
        w.reader.connected()
        await w.read()
        for number, seconds in enumerate(Pace().look_again_s):
            await eventually(lambda: w.clock.sleepers)
            w.say(1)
            w.clock.advance(seconds - (0 if number == 0 else Pace().look_again_s[number - 1]))
            await w.read()
        await asyncio.sleep(0)
        assert w.clock.sleepers == 0
    assert w.taken == w.said


async def test_what_is_in_doubt_is_looked_for_a_few_times_more(w: World) -> None:
    async with w.running():
        w.reader.connected()
        await w.read()
        w.clock.advance(10)
        await w.read()
        w.reader.ask_later()
        await eventually(lambda: w.clock.sleepers)
        w.clock.advance(5)
        await w.read()


async def test_failures_are_tried_again_ever_more_slowly(w: World) -> None:
    w.say(1)
    w.trouble = [ConnectFailed() for _ in range(8)]
    waits: list[float] = []
    async with w.running():
        w.reader.connected()
        while w.trouble:
            left = len(w.trouble)
            await eventually(lambda: w.clock.sleepers)
            began = w.clock.now()
            assert w.reader.is_reading
            while len(w.trouble) == left:
                w.clock.advance(0.05)
                for _ in range(5):
                    await asyncio.sleep(0)
                if w.clock.now() - began > 6:
                    break
            waits.append(w.clock.now() - began)
        await eventually(lambda: w.clock.sleepers)
        w.clock.advance(5)
        await w.read()
    assert w.taken == w.said
    assert waits[0] <= 0.3
    assert 2.4 <= waits[-1] <= 5.1


async def test_a_provider_that_asks_for_patience_gets_it(w: World) -> None:
    w.trouble = [RateLimited(retry_after_s=20)]
    async with w.running():
        w.reader.connected()
        await eventually(lambda: w.clock.sleepers)
        w.clock.advance(19.9)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(w.asked) == 1
        w.clock.advance(0.2)
        await w.read()


async def test_a_new_connection_does_not_wait_for_the_old_ones_patience(w: World) -> None:
    w.trouble = [RateLimited(retry_after_s=20)]
    async with w.running():
        w.reader.connected()
        await eventually(lambda: w.clock.sleepers)
        w.reader.connected()
        await w.read()


async def test_a_place_that_is_not_known_any_more_is_given_up(w: World) -> None:
    w.say(30)
    w.reader.begin_at("00005")
    w.trouble = [RemoteProtocolError("404")]
    async with w.running():
        w.reader.connected()
        await eventually(lambda: w.clock.sleepers)
        w.clock.advance(0.3)
        await w.read()
    assert w.asked == ["00005", None]
    assert w.taken == w.said


async def test_another_gateway_goes_on_where_this_one_was(w: World) -> None:
    w.say(SAVE_EVERY + OVERLAP)
    async with w.running():
        w.reader.connected()
        await w.read()
    assert w.saved == [w.said[-OVERLAP - 1]]
    after = World()
    after.said = w.said
    after.reader.begin_at(w.saved[-1])
    async with after.running():
        after.reader.connected()
        await after.read()
    assert after.taken == w.said[-OVERLAP:]


async def test_nothing_is_read_without_a_connection(w: World) -> None:
    async with w.running():
        w.reader.ask()
        w.reader.ask_later()
        assert not w.reader.is_reading
        w.reader.connected()
        w.reader.disconnected()
        for _ in range(10):
            await asyncio.sleep(0)
    assert w.asked == []


async def test_what_was_read_before_another_session_began_is_not_taken(w: World) -> None:
    w.say(3)
    w.gate = asyncio.Event()
    async with w.running():
        w.reader.connected()
        await eventually(lambda: w.asked)
        w.reader.begin_at(None)
        w.gate.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert w.taken == []
        w.reader.connected()
        await w.read()
    assert w.taken == w.said


async def test_a_provider_that_pages_in_circles_comes_to_an_end(w: World) -> None:
    page = HistoryPage((Message(sender="agent", text="a", id="a"),), has_more=True)

    async def circle(_after: str | None, _limit: int) -> HistoryPage:
        w.asked.append(_after)
        return page

    w.reader._read_page = circle
    async with w.running():
        w.reader.connected()
        await w.read()
    assert w.taken == ["a"]
    assert len(w.asked) == 2


async def test_the_last_read_is_tried_until_it_succeeds(w: World) -> None:
    w.say(1)
    w.trouble = [ConnectFailed()]
    reading = asyncio.create_task(w.reader.read())
    await eventually(lambda: w.clock.sleepers)
    w.clock.advance(0.2)
    await reading
    assert w.taken == w.said


async def test_an_erased_session_ends_it(w: World) -> None:
    w.say(1)

    async def gone(_said: Sequence[Said]) -> None:
        raise SessionGone

    w.reader._take = gone
    w.reader.connected()
    with pytest.raises(SessionGone):
        await w.reader.run()
