"""Events between connection and app: all of them, in order, bounded by waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from guestwire.client.event_queue import EventQueue
from guestwire.model.events import Event, Typing


def typing(number: int) -> Typing:
    return Typing(sender=str(number))


async def test_events_come_in_order_and_end_after_close() -> None:
    queue = EventQueue()
    getting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.put(typing(1))
    queue.put(typing(2))
    queue.close()
    assert [await getting, await queue.get(), await queue.get()] == [typing(1), typing(2), None]


async def test_room_waits_until_something_was_taken_and_done_with() -> None:
    queue = EventQueue(room=2)
    await queue.room()
    queue.put(typing(1))
    queue.put(typing(2))
    waiting = asyncio.ensure_future(queue.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.get()
    await asyncio.sleep(0)
    assert not waiting.done()  # the app is still busy with it
    await queue.get()
    await waiting
    assert len(queue) == 0


async def test_unbound_frees_who_waits() -> None:
    queue = EventQueue(room=1)
    queue.put(typing(1))
    waiting = asyncio.ensure_future(queue.room())
    await asyncio.sleep(0)
    queue.unbound()
    await waiting


class Taker:
    """An app that has events handed to it; it holds each until `gate` is set."""

    def __init__(self) -> None:
        self.queue = EventQueue(room=1, take=self.take)
        self.taken: list[Event] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def take(self, events: Sequence[Event]) -> None:
        self.taken += events
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure

    def pass_on(self, number: int) -> asyncio.Future[None]:
        self.queue.put(typing(number), wakes=False)
        return asyncio.ensure_future(self.queue.pass_on())


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_passed_on_while_the_app_waits_is_handed_to_it_and_nothing_overtakes() -> None:
    app = Taker()
    getting = asyncio.ensure_future(app.queue.get())
    await turns()
    passing = app.pass_on(1)
    await turns()
    app.queue.put(typing(2))
    app.queue.close()
    await turns()
    assert app.taken == [typing(1)]
    assert app.queue.is_taking
    assert not getting.done()
    assert not passing.done()
    app.gate.set()
    assert await getting == typing(2)
    assert await app.queue.get() is None
    await passing


async def test_an_app_that_is_busy_gets_it_when_it_asks() -> None:
    app = Taker()
    app.queue.put(typing(1))
    await app.queue.get()
    passing = app.pass_on(2)
    await turns()
    assert app.taken == []
    assert not passing.done()
    assert await app.queue.get() == typing(2)
    asking = asyncio.ensure_future(app.queue.get())
    await passing
    asking.cancel()


async def test_what_taking_raises_the_iteration_raises() -> None:
    app = Taker()
    app.failure = ValueError("a bug")
    app.gate.set()
    getting = asyncio.ensure_future(app.queue.get())
    await turns()
    passing = app.pass_on(1)
    with pytest.raises(ValueError, match="a bug"):
        await getting
    assert not passing.done()  # nothing more is read for an app that has failed
    app.queue.unbound()
    await passing


async def test_a_hand_over_that_is_cut_off_blocks_nobody() -> None:
    app = Taker()
    getting = asyncio.ensure_future(app.queue.get())
    await turns()
    passing = app.pass_on(1)
    await turns()
    passing.cancel()
    await turns()
    await app.queue.room()
    app.queue.put(typing(2))
    assert await getting == typing(2)
