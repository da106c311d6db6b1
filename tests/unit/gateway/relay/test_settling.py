"""What is made of a message that was written, for every set of capabilities and everything that can happen to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from guestwire.errors import ChatError, ConnectionLost
from guestwire.gateway.log import OutboxState, Outgoing
from guestwire.gateway.relay.provider_line import Capabilities, Pace, Way
from guestwire.gateway.relay.settling import (
    AGAIN,
    DELIVERED,
    ECHO_S,
    SETTLE_S,
    UNCONFIRMED,
    ByPong,
    ByProvider,
    Flight,
    Settlement,
)
from guestwire.gateway.relay.waits import wait_for
from guestwire.model.content import ContentItem
from guestwire.model.events import Message, ProviderError
from guestwire.model.ids import ClientId
from guestwire.testing import FakeClock

OUTGOING = Outgoing(
    oseq=1,
    client_id=ClientId("c"),
    body=b"",
    state=OutboxState.SENDING,
    attempts=1,
    sent_at_ms=0,
    retry_at_ms=None,
    message_seq=1,
)
SHOWN = Message(sender="guest", text="one", id="p1")


class Line:
    """Answers pings unless it is lost."""

    def __init__(self) -> None:
        self.is_open = True
        self.close_code = 1006
        self.on_confirm: list[Callable[[], None] | ChatError] = []
        self.confirmed = 0

    def send_wait_s(self) -> float:
        raise AssertionError

    async def write(
        self,
        text: str,
        *,
        client_id: ClientId,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> int:
        raise AssertionError

    async def confirm(self, connection: int | None = None) -> None:
        await asyncio.sleep(0)
        self.confirmed += 1
        happening = self.on_confirm.pop(0) if self.on_confirm else None
        if isinstance(happening, ChatError):
            raise happening
        if happening is not None:
            happening()
        if not self.is_open:
            raise ConnectionLost

    async def typing(self) -> None:
        raise AssertionError

    async def end(self) -> None:
        raise AssertionError


@dataclass
class World:
    """The pump and the reader of the history, as the ways of settling see them; time jumps to what is next."""

    clock: FakeClock = field(default_factory=FakeClock)
    line: Line | None = field(default_factory=Line)
    is_stopping: bool = False
    is_forsaken: bool = False
    connected_at: float = 1000.0
    first_at: float | None = None
    last_at: float | None = None
    is_reading: bool = False
    is_broken: bool = False
    is_connected: bool = True
    asked_later: int = 0
    on_read: Callable[[], None] = lambda: None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    reads: list[float] = field(default_factory=list)

    async def wait(self, seconds: float | None) -> None:
        await wait_for(self.wake, seconds, self.clock)
        self.wake.clear()

    def ask(self) -> None:
        assert self.is_connected
        self.is_reading = True
        if not self.is_broken:
            asyncio.get_running_loop().call_soon(self._read)

    def ask_later(self) -> None:
        self.asked_later += 1

    def _read(self) -> None:
        now = self.clock.now()
        self.is_reading = False
        self.reads.append(now - 1000.0)
        self.first_at = now if self.first_at is None else self.first_at
        self.last_at = now
        self.on_read()
        self.wake.set()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        async def do() -> None:
            await self.clock.sleep(seconds)
            what()
            self.wake.set()

        self.task = asyncio.create_task(do())

    def written(self) -> Flight:
        return Flight(OUTGOING, "one", self.clock.now(), line=self.line, connection=1)

    async def settle(self, *names: str, flight: Flight) -> Settlement | None:
        can = Capabilities.of(frozenset(names))
        return await ByProvider(Way(can=can), self, self.clock).settle(flight, self)

    @property
    def passed_s(self) -> float:
        return self.clock.now() - 1000.0


@pytest.fixture
def w() -> World:
    return World()


def show(flight: Flight) -> Callable[[], None]:
    def do() -> None:
        flight.shown_as = SHOWN

    return do


# --- by pong ----------------------------------------------------------------------------------------------------------


async def test_two_pongs_deliver(w: World) -> None:
    assert await ByPong().settle(w.written(), w) is DELIVERED
    assert w.line is not None
    assert w.line.confirmed == 2


@pytest.mark.parametrize("pongs", [0, 1])
async def test_a_lost_pong_is_a_doubt(w: World, pongs: int) -> None:
    flight = w.written()
    assert w.line is not None
    w.line.on_confirm = [*([lambda: None] * pongs), ConnectionLost()]
    assert await ByPong().settle(flight, w) is UNCONFIRMED


async def test_without_a_connection_there_is_a_doubt(w: World) -> None:
    assert await ByPong().settle(Flight(OUTGOING, "one", 0.0), w) is UNCONFIRMED


@pytest.mark.parametrize("names", [(), ("echo",), ("history",)])
async def test_what_the_provider_says_is_left_to_the_flight(w: World, names: tuple[str, ...]) -> None:
    for note in (ProviderError(code="rate-limited"), SHOWN):
        flight = w.written()
        if isinstance(note, ProviderError):
            flight.refusal = note
        else:
            flight.shown_as = note
        assert await (w.settle(*names, flight=flight) if names else ByPong().settle(flight, w)) is None


@pytest.mark.parametrize("names", [(), ("echo",), ("history",)])
async def test_a_close_for_its_size_refuses(w: World, names: tuple[str, ...]) -> None:
    flight = w.written()
    assert w.line is not None
    w.line.is_open, w.line.close_code = False, 1009
    assert await (w.settle(*names, flight=flight) if names else ByPong().settle(flight, w)) is None
    assert flight.refusal is not None
    assert flight.refusal.code == "frame-too-big"


# --- by echo ----------------------------------------------------------------------------------------------------------


async def test_an_echo_settles_when_it_comes(w: World) -> None:
    flight = w.written()
    w.later(0.2, show(flight))
    assert await w.settle("echo", "history", flight=flight) is None
    assert w.passed_s == pytest.approx(0.2)
    assert w.reads == []
    assert w.line is not None
    assert w.line.confirmed == 0


async def test_no_echo_and_no_history_is_a_doubt_after_a_while(w: World) -> None:
    assert await w.settle("echo", flight=w.written()) is UNCONFIRMED
    assert w.passed_s == pytest.approx(SETTLE_S)
    assert w.asked_later == 0


async def test_an_echo_may_come_to_the_next_connection(w: World) -> None:
    flight = w.written()
    assert w.line is not None
    w.line.is_open = False
    w.later(3.0, show(flight))
    assert await w.settle("echo", flight=flight) is None


# --- by history -------------------------------------------------------------------------------------------------------


async def test_the_history_is_asked_when_the_echo_is_late(w: World) -> None:
    flight = w.written()
    w.on_read = show(flight)
    assert await w.settle("echo", "history", flight=flight) is None
    assert w.reads == [pytest.approx(ECHO_S)]


async def test_without_echo_the_history_is_asked_after_the_pongs(w: World) -> None:
    flight = w.written()
    w.on_read = show(flight)
    assert await w.settle("history", flight=flight) is None
    assert w.reads == [pytest.approx(0.0)]


async def test_what_has_arrived_is_never_sent_again(w: World) -> None:
    assert await w.settle("history", flight=w.written()) is UNCONFIRMED
    assert w.passed_s >= SETTLE_S
    assert w.asked_later == 1


async def test_what_the_history_does_not_show_is_sent_again(w: World) -> None:
    """The last look is not before the time in which a provider shows it."""
    flight = Flight(OUTGOING, "one", w.clock.now())
    assert await w.settle("history", flight=flight) is AGAIN
    assert SETTLE_S <= w.reads[-1] < SETTLE_S + 1.1


async def test_its_age_counts_through_restarts_but_one_look_is_not_enough(w: World) -> None:
    flight = Flight(OUTGOING, "one", w.clock.now() - 60)
    assert await w.settle("history", flight=flight) is AGAIN
    assert w.reads[-1] - w.reads[0] >= 1.0
    assert w.passed_s < 2.5


async def test_a_reader_that_does_not_know_of_the_connection_yet_is_waited_for(w: World) -> None:
    """A socket is open a moment before the news of it has gone round."""
    w.is_connected = False

    def know() -> None:
        w.is_connected, w.connected_at = True, w.clock.now()

    w.later(0.1, know)
    w.connected_at -= 60.0  # of the connection before
    flight = Flight(OUTGOING, "one", w.clock.now() - 60)
    assert await w.settle("history", flight=flight) is AGAIN
    assert w.reads[0] == pytest.approx(0.1)


async def test_looks_on_an_earlier_connection_do_not_count(w: World) -> None:
    flight = Flight(OUTGOING, "one", w.clock.now() - 60)
    assert w.line is not None
    line = w.line

    def drop() -> None:
        line.is_open = w.is_connected = False
        w.first_at = w.last_at = None
        w.later(10.0, come_back)

    def come_back() -> None:
        line.is_open = w.is_connected = True
        w.connected_at = w.clock.now()

    w.later(0.5, drop)
    assert await w.settle("history", flight=flight) is AGAIN
    assert w.reads[-1] >= 11.5


async def test_a_history_that_cannot_be_read_holds_nobody_up_for_ever(w: World) -> None:
    w.is_broken = True
    assert await w.settle("history", flight=w.written()) is UNCONFIRMED
    assert w.passed_s == pytest.approx(SETTLE_S + Pace().give_up_s)


async def test_time_without_a_connection_does_not_count_against_the_history(w: World) -> None:
    w.is_broken = True
    flight = Flight(OUTGOING, "one", w.clock.now() - 600)
    assert await w.settle("history", flight=flight) is UNCONFIRMED
    assert w.passed_s == pytest.approx(Pace().give_up_s)


@pytest.mark.parametrize("names", [("echo",), ("history",), ("echo", "history")])
async def test_a_session_that_is_gone_tells_nothing_any_more(w: World, names: tuple[str, ...]) -> None:
    flight = w.written()
    assert w.line is not None
    w.line.is_open = False

    def forsake() -> None:
        w.is_forsaken = True

    w.later(1.0, forsake)
    assert await w.settle(*names, flight=flight) is UNCONFIRMED
    assert w.passed_s == pytest.approx(1.0)


async def test_a_gateway_that_stops_leaves_it_to_the_next(w: World) -> None:
    flight = w.written()
    assert w.line is not None
    w.line.is_open = False
    w.is_stopping = True
    assert await w.settle("history", flight=flight) is None
    assert flight.is_undecided
