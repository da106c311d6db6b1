"""The small event wakes as `asyncio.Event` does."""

from __future__ import annotations

import asyncio

import pytest

from guestwire.net.light_event import LightEvent


@pytest.mark.parametrize("make", [asyncio.Event, LightEvent], ids=lambda make: make.__name__)
async def test_everybody_who_waits_is_woken(make: type[asyncio.Event | LightEvent]) -> None:
    """Also when it is unset again before they run, and when one of them has given up."""
    event = make()
    assert not event.is_set()
    waiting = [asyncio.ensure_future(event.wait()) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    waiting[2].cancel()
    event.set()
    event.set()
    assert event.is_set()
    event.clear()
    late = asyncio.ensure_future(event.wait())
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in done] == [False, True, True, False]
    assert not late.done()
    event.set()
    await late
    await event.wait()
