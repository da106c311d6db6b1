"""Events between connection and app: all of them, in order, bounded by waiting."""

from __future__ import annotations

import asyncio

from guestwire.client.event_queue import EventQueue
from guestwire.model.events import Typing


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
