"""The clock that a test turns."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from guestwire.testing import FakeClock


async def test_jumps_to_the_earliest_sleeper_when_idle() -> None:
    clock = FakeClock()
    began, utc = clock.now(), clock.utc()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now() - began))

    await asyncio.gather(sleeper("late", 3600), sleeper("early", 1), sleeper("middle", 60))
    assert woken == [("early", 1), ("middle", 60), ("late", 3600)]
    assert clock.utc() - utc == timedelta(seconds=3600)


async def test_does_not_jump_while_something_runs() -> None:
    clock = FakeClock()
    began = clock.now()
    sleeping = asyncio.ensure_future(clock.sleep(10))
    for _ in range(100):
        await asyncio.sleep(0)
    assert clock.now() == began
    await sleeping
    assert clock.now() == began + 10


async def test_moves_only_when_told_without_auto_jump() -> None:
    clock = FakeClock(auto_jump=False)
    sleeping = asyncio.ensure_future(clock.sleep(10))
    await asyncio.sleep(0)
    assert clock.sleepers == 1
    clock.advance(9.9)
    await asyncio.sleep(0)
    assert not sleeping.done()
    clock.advance(0.2)
    await sleeping
    assert clock.sleepers == 0


async def test_a_cancelled_sleeper_does_not_move_the_clock() -> None:
    clock = FakeClock()
    began = clock.now()
    sleeping = asyncio.ensure_future(clock.sleep(10))
    await asyncio.sleep(0)
    sleeping.cancel()
    await clock.sleep(1)
    assert clock.now() == began + 1
