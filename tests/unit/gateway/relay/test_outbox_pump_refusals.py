"""The pump and a provider that shows what it has and says which message it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guestwire.errors import RateLimited
from guestwire.gateway.relay.outbox_pump import MOST_TROUBLES
from guestwire.gateway.relay.settling import AGAIN, Flight, Settlement, Surroundings
from guestwire.model.events import Message, ProviderError
from guestwire.testing import FakeClock, eventually
from tests.unit.gateway.relay.test_outbox_pump import World, world


class Later:
    """A way of settling that waits to be told; `answers` are what it then says, one after the other."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.flights: list[Flight] = []
        self.answers: list[Settlement] = []

    async def settle(self, flight: Flight, around: Surroundings) -> Settlement | None:
        self.flights.append(flight)
        while flight.is_undecided and not self.answers and not around.is_stopping:
            await around.wait(None)
        return self.answers.pop(0) if self.answers and flight.is_undecided else None

    def say(self, settlement: Settlement) -> None:
        self.answers.append(settlement)
        self.w.pump.wake()


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
def later(w: World) -> Later:
    made = Later(w)
    w.pump.use(made, shows_ids=True, names_refused=True)
    return made


async def in_flight(w: World, later: Later, count: int = 1) -> None:
    await eventually(lambda: len(later.flights) == count and w.pump._is_in_flight)


def refuse(w: World, code: str, *, client_id: str | None = "one", retry_after: float | None = None) -> bool:
    return w.pump.refused(ProviderError(code=code, client_id=client_id, retry_after=retry_after))


async def let_pass(w: World, seconds: float) -> None:
    clock = w.clock
    assert isinstance(clock, FakeClock)
    await eventually(lambda: bool(clock.sleepers))
    clock.advance(seconds)


async def show(w: World, later: Later) -> None:
    client_id = later.flights[-1].outgoing.client_id
    assert await w.pump.shown([Message(sender="guest", text="x", id="p1", client_id=client_id)]) == []


async def test_an_error_that_names_no_message_is_about_none(w: World, later: Later) -> None:
    await w.link.accept("one")
    async with w.running():
        await in_flight(w, later)
        assert not refuse(w, "message-too-long", client_id=None)
        assert not refuse(w, "message-too-long", client_id="another")
        await show(w, later)
        assert await w.fates(1) == [("one", "delivered")]


async def test_refused_for_what_was_told_with_it_a_message_goes_without(w: World, later: Later) -> None:
    await w.link.accept("one")
    async with w.running():
        await in_flight(w, later)
        assert refuse(w, "attributes-too-large")
        await in_flight(w, later, 2)
        await show(w, later)
        assert await w.fates(1) == [("one", "delivered")]
    assert w.line.got == ["one", "one"]


@pytest.mark.parametrize("code", ["provider-error", "timed-out"])
async def test_what_the_provider_failed_on_is_delivered_when_it_is_shown(w: World, later: Later, code: str) -> None:
    await w.link.accept("one")
    async with w.running():
        await in_flight(w, later)
        assert refuse(w, code)
        await show(w, later)
        assert await w.fates(1) == [("one", "delivered")]
    assert w.line.got == ["one"]


async def test_what_the_provider_failed_on_and_does_not_have_is_sent_again_a_few_times(w: World, later: Later) -> None:
    await w.link.accept("one")
    async with w.running():
        for count in range(1, MOST_TROUBLES + 1):
            await in_flight(w, later, count)
            assert refuse(w, "provider-error")
            later.say(AGAIN)
            if count < MOST_TROUBLES:
                assert (await w.fates(count))[-1] == ("one", "waiting")
                await let_pass(w, 10.0)
        assert (await w.fates(MOST_TROUBLES))[-1] == ("one", "failed")
    assert w.line.got == ["one"] * MOST_TROUBLES


async def test_nothing_is_marked_before_the_provider_takes_it(w: World, later: Later) -> None:
    waits = [2.0, 0.0]
    w.line.send_wait_s = lambda: waits.pop(0) if waits else 0.0  # type: ignore[method-assign]
    await w.link.accept("one")
    async with w.running():
        assert w.points == []
        await let_pass(w, 2.0)
        await in_flight(w, later)
        await show(w, later)
        assert await w.fates(1) == [("one", "delivered")]


async def test_too_quick_by_a_hair_it_is_written_again(w: World, later: Later) -> None:
    w.line.writes = [RateLimited(retry_after_s=0.1)]
    await w.link.accept("one")
    async with w.running():
        await in_flight(w, later)
        await show(w, later)
        assert await w.fates(1) == [("one", "delivered")]
