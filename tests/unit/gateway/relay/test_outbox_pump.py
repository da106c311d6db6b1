"""The pump over a real log and a line that a test scripts: every row of reliability 2.9 that needs no history."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestwire.errors import ChatError, ConnectionLost, LogUnavailable, MessageRejected, NotWritten, SessionGone
from guestwire.gateway.log import NewRecord, OutboxState, SessionRow, SqliteSessionLog
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.outbox_pump import OutboxPump
from guestwire.model.content import ContentItem
from guestwire.model.events import Event, Fate, Message, ProviderError
from guestwire.model.ids import ClientId, SessionId
from guestwire.net.clock import SystemClock
from guestwire.protocols.guest_session.session import GuestDetails
from guestwire.testing import FakeClock, eventually

SID = SessionId("a" * 32)


class Link:
    """A session, as far as its upstream sees it."""

    provider_ref = b""
    details = GuestDetails()

    def __init__(self, log: SqliteSessionLog) -> None:
        self.sid = SID
        self.log = log
        self.has_ended = False

    def is_awaited(self, *, has_begun: bool) -> bool:
        raise AssertionError

    async def provider_said(self, events: Sequence[Event]) -> None:
        raise AssertionError("The pump has nothing to say.")

    async def accept(self, text: str) -> None:
        client_id = ClientId(text)
        record = NewRecord(kind="message", body=text.encode())
        await self.log.accept(SID, client_id, bodies.outgoing_body(text, ()), record, max_open=1000)

    async def fates(self) -> list[tuple[str, str]]:
        page = await self.log.read(SID, 0, limit=1000)
        assert page is not None
        receipts = [msgspec.json.decode(record.body) for record in page.records if record.kind == "receipt"]
        return [(receipt["clientId"], receipt["status"]) for receipt in receipts]


class Line:
    """A connection that does as it is told: `writes` and `confirms` hold what is to go wrong, one by one."""

    def __init__(self) -> None:
        self.is_open = True
        self.close_code = 1006
        self.got: list[str] = []
        self.calls: list[str] = []
        self.writes: list[ChatError | None] = []
        self.confirms: list[Callable[[], Awaitable[None]] | ChatError | None] = []

    def send_wait_s(self) -> float:
        return 0.0

    async def write(
        self,
        text: str,
        *,
        client_id: ClientId,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> int:
        self.calls.append(f"write {text}")
        await asyncio.sleep(0)
        trouble = self.writes.pop(0) if self.writes else None
        if not isinstance(trouble, NotWritten | MessageRejected):
            self.got.append(text)
        if trouble is not None:
            self.is_open = self.is_open and not isinstance(trouble, ConnectionLost)
            raise trouble
        return 1

    async def confirm(self, connection: int | None = None) -> None:
        self.calls.append("confirm")
        await asyncio.sleep(0)
        trouble = self.confirms.pop(0) if self.confirms else None
        if isinstance(trouble, ChatError):
            self.is_open = False
            raise trouble
        if trouble is not None:
            await trouble()

    async def typing(self) -> None:
        self.calls.append("typing")

    async def end(self) -> None:
        self.calls.append("end")


class World:
    def __init__(self, log: SqliteSessionLog, clock: FakeClock | SystemClock) -> None:
        self.log = log
        self.clock = clock
        self.link = Link(log)
        self.line = Line()
        self.points: list[str] = []
        self.fail: Callable[[str], None] = self.points.append
        self.pump = OutboxPump(self.link, clock=clock, rng=Random(1), fail_point=self._fail_point)

    def _fail_point(self, name: str) -> None:
        self.fail(name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.pump.attach(self.line)
        task = asyncio.create_task(self.pump.run())
        try:
            yield
        finally:
            self.pump.stop()
            await task

    async def reconnect(self) -> None:
        await eventually(lambda: not self.line.is_open)
        self.line.is_open = True
        self.pump.wake()

    async def fates(self, count: int) -> list[tuple[str, str]]:
        async def enough() -> list[tuple[str, str]]:
            found = await self.link.fates()
            return found if len(found) >= count else []

        return await eventually(enough)

    async def refuse(self, **error: object) -> None:
        assert self.pump.refused(ProviderError(**error))  # type: ignore[arg-type]


@asynccontextmanager
async def world(path: Path, clock: FakeClock | SystemClock | None = None) -> AsyncIterator[World]:
    clock = clock or FakeClock(auto_jump=False)
    async with SqliteSessionLog(path / "log.db") as log:
        if await log.get(SID) is None:
            await log.create(SessionRow(sid=SID, epoch="e", created_ms=0))
        yield World(log, clock)


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def test_delivered_by_the_second_pong_in_order(w: World) -> None:
    for text in ("one", "two"):
        await w.link.accept(text)
    async with w.running():
        assert await w.fates(2) == [("one", "delivered"), ("two", "delivered")]
    assert w.line.calls == ["write one", "confirm", "confirm", "write two", "confirm", "confirm"]
    assert w.points == ["before-mark", "after-mark", "after-write", "before-settle", "after-settle"] * 2


async def test_it_is_marked_before_it_is_written(w: World) -> None:
    await w.link.accept("one")
    states: list[OutboxState | None] = []

    async def look() -> None:
        outgoing = await w.log.next_outgoing(SID)
        states.append(None if outgoing is None else outgoing.state)

    w.line.confirms = [look]
    async with w.running():
        await w.fates(1)
    assert states == [OutboxState.SENDING]


async def test_nothing_is_marked_without_a_connection(w: World) -> None:
    w.line.is_open = False
    await w.link.accept("one")
    async with w.running():
        w.pump.wake()
        await asyncio.sleep(0)
        assert w.points == []
        await w.reconnect()
        assert await w.fates(1) == [("one", "delivered")]


async def test_not_written_is_sent_again(w: World) -> None:
    w.line.writes = [NotWritten()]
    await w.link.accept("one")
    await w.link.accept("two")
    async with w.running():
        await w.reconnect()
        assert await w.fates(2) == [("one", "delivered"), ("two", "delivered")]
    assert w.line.got == ["one", "two"]


@pytest.mark.parametrize("pongs", [0, 1])
async def test_lost_after_the_write_is_in_doubt_and_never_sent_again(w: World, pongs: int) -> None:
    w.line.confirms = [*([None] * pongs), ConnectionLost()]
    await w.link.accept("one")
    await w.link.accept("two")
    async with w.running():
        await w.reconnect()
        assert await w.fates(2) == [("one", "unconfirmed"), ("two", "delivered")]
    assert w.line.got == ["one", "two"]


async def test_lost_while_writing_is_in_doubt(w: World) -> None:
    w.line.writes = [ConnectionLost()]
    await w.link.accept("one")
    async with w.running():
        assert await w.fates(1) == [("one", "unconfirmed")]


@pytest.mark.parametrize("code", [1009, 4413])
async def test_a_close_for_its_size_has_refused_it(w: World, code: int) -> None:
    w.line.close_code = code
    w.line.confirms = [ConnectionLost()]
    await w.link.accept("one")
    async with w.running():
        assert await w.fates(1) == [("one", "failed")]


@pytest.mark.parametrize("code", ["message-too-long", "no-code-of-ours"])
@pytest.mark.parametrize("round", [1, 2])
async def test_refused_has_failed(w: World, code: str, round: int) -> None:
    w.line.confirms = [*([None] * (round - 1)), lambda: w.refuse(code=code)]
    await w.link.accept("one")
    await w.link.accept("two")
    async with w.running():
        assert await w.fates(2) == [("one", "failed"), ("two", "delivered")]


async def test_refused_before_the_loss_is_no_doubt(w: World) -> None:
    async def refuse_and_lose() -> None:
        await w.refuse(code="message-too-long")
        raise ConnectionLost

    w.line.confirms = [refuse_and_lose]
    await w.link.accept("one")
    async with w.running():
        assert await w.fates(1) == [("one", "failed")]


async def test_what_we_may_not_send_has_failed(w: World) -> None:
    w.line.writes = [MessageRejected("one")]
    await w.link.accept("one")
    async with w.running():
        assert await w.fates(1) == [("one", "failed")]


async def test_rate_limited_waits_as_long_as_told_and_keeps_the_order(w: World) -> None:
    clock = w.clock
    assert isinstance(clock, FakeClock)
    w.line.confirms = [lambda: w.refuse(code="rate-limited", retry_after=30)]
    await w.link.accept("one")
    await w.link.accept("two")
    async with w.running():
        assert await w.fates(1) == [("one", "waiting")]
        await eventually(lambda: clock.sleepers == 1)
        clock.advance(29.9)
        w.pump.wake()
        await eventually(lambda: clock.sleepers == 1)
        assert w.line.got == ["one"]
        clock.advance(0.2)
        assert await w.fates(3) == [("one", "waiting"), ("one", "delivered"), ("two", "delivered")]
    assert w.line.got == ["one", "one", "two"]


async def test_no_more_than_seventy_of_a_flood_reach_the_provider_in_a_minute(tmp_path: Path) -> None:
    """Ten at once, then one a second (T-22, D-08); nothing fails, and nothing overtakes."""
    async with world(tmp_path, FakeClock()) as w:
        texts = [f"{number}" for number in range(100)]
        for text in texts:
            await w.link.accept(text)
        begun_at = w.clock.now()
        sent_at: list[float] = []
        w.fail = lambda name: sent_at.append(w.clock.now() - begun_at) if name == "after-write" else None
        async with w.running():
            await w.fates(100)
    assert w.line.got == texts
    assert sum(at <= 60 for at in sent_at) <= 70
    assert sum(at < 0.6 for at in sent_at) == 10
    assert sent_at[-1] < 92


async def test_no_provider_holds_a_message_for_ever(w: World) -> None:
    """A wait that makes no sense counts as five minutes."""
    clock = w.clock
    assert isinstance(clock, FakeClock)
    w.line.confirms = [lambda: w.refuse(code="rate-limited", retry_after=1e306)]
    await w.link.accept("one")
    async with w.running():
        assert await w.fates(1) == [("one", "waiting")]
        await eventually(lambda: clock.sleepers == 1)
        clock.advance(300.1)
        assert await w.fates(2) == [("one", "waiting"), ("one", "delivered")]


async def test_left_in_flight_by_a_crash_is_in_doubt_without_a_connection(tmp_path: Path) -> None:
    async with world(tmp_path) as before:
        await before.link.accept("one")
        await before.log.mark_sending(SID, 1, 5)
    async with world(tmp_path) as w:
        w.line.is_open = False
        async with w.running():
            assert await w.fates(1) == [("one", "unconfirmed")]
        assert w.line.got == []


async def test_an_echo_settles_what_was_in_doubt_once(w: World) -> None:
    w.line.confirms = [ConnectionLost()]
    await w.link.accept("one")
    echo = Message(sender="guest", text="one")
    async with w.running():
        await w.fates(1)
        assert await w.pump.shown([echo]) == []
        assert await w.link.fates() == [("one", "unconfirmed"), ("one", "delivered")]
        assert await w.pump.shown([echo]) == [echo]
        foreign = Message(sender="guest", text="by somebody else")
        assert await w.pump.shown([foreign]) == [foreign]


async def test_an_echo_before_the_loss_leaves_no_doubt(w: World) -> None:
    async def echo_and_lose() -> None:
        assert await w.pump.shown([Message(sender="guest", text="one")]) == []
        raise ConnectionLost

    w.line.confirms = [echo_and_lose]
    await w.link.accept("one")
    async with w.running():
        assert await w.fates(1) == [("one", "delivered")]


async def test_an_error_with_the_id_of_another_message_is_not_its_own(w: World) -> None:
    seen: list[bool] = []

    async def refuse() -> None:
        seen.append(w.pump.refused(ProviderError(code="message-too-long", client_id="another")))

    w.line.confirms = [refuse]
    await w.link.accept("one")
    async with w.running():
        assert await w.fates(1) == [("one", "delivered")]
    assert seen == [False]


async def test_the_end_comes_after_what_waits(w: World) -> None:
    await w.link.accept("one")
    await w.link.accept("two")
    w.pump.end()
    async with w.running():
        await eventually(lambda: "end" in w.line.calls)
    assert w.line.calls[-4:] == ["write two", "confirm", "confirm", "end"]


async def test_a_refused_typing_is_nobodys(w: World) -> None:
    refused: list[bool] = []

    async def refuse() -> None:
        refused.append(w.pump.refused(ProviderError(code="rate-limited", retry_after=3)))

    w.line.confirms = [None, refuse]
    w.pump.typing()
    async with w.running():
        await eventually(lambda: refused)
        await w.link.accept("one")
        w.pump.wake()
        assert await w.fates(1) == [("one", "delivered")]
    assert refused == [True]
    assert w.line.calls[:3] == ["typing", "confirm", "confirm"]


async def test_a_conversation_that_ended_first_leaves_its_own_word(w: World) -> None:
    async def end() -> None:
        w.link.has_ended = True
        await w.log.end(SID, NewRecord(kind="conversation-update", body=b"{}"), 1, failed)

    def failed(message: object) -> NewRecord:
        state = message.state  # type: ignore[attr-defined]
        client_id = message.client_id  # type: ignore[attr-defined]
        return bodies.receipt(SID, client_id, 1, Fate(state.value))

    w.line.confirms = [end]
    await w.link.accept("one")
    await w.link.accept("two")
    async with w.running():
        assert await w.fates(2) == [("one", "unconfirmed"), ("two", "failed")]
        w.pump.wake()
    assert await w.link.fates() == [("one", "unconfirmed"), ("two", "failed")]
    assert w.line.got == ["one"]


async def test_a_provider_that_cannot_be_had_fails_what_waits(w: World) -> None:
    w.line.is_open = False
    await w.link.accept("one")
    await w.link.accept("two")
    async with w.running():
        await w.pump.fail("upstream-auth-failed")
        assert await w.link.fates() == [("one", "failed"), ("two", "failed")]
        await w.link.accept("three")
        await w.reconnect()
        assert (await w.fates(3))[-1] == ("three", "delivered")


async def test_stops_only_when_nothing_is_in_flight(w: World) -> None:
    gate = asyncio.Event()

    async def hold() -> None:
        await gate.wait()

    w.line.confirms = [hold]
    await w.link.accept("one")
    await w.link.accept("two")
    async with w.running():
        await eventually(lambda: w.line.got)
        w.pump.stop()
        assert not w.pump.stopped.is_set()
        gate.set()
        await w.pump.stopped.wait()
    assert await w.link.fates() == [("one", "delivered")]
    assert w.line.got == ["one"]


async def test_an_erased_session_ends_the_pump(w: World) -> None:
    await w.link.accept("one")
    await w.log.erase(SID)
    with pytest.raises(SessionGone):
        await w.pump.run()


async def test_waits_for_a_log_that_is_full(tmp_path: Path) -> None:
    clock = FakeClock(auto_jump=False)
    async with world(tmp_path, clock) as w:
        await w.link.accept("one")
        failing = 3
        settle = w.log.settle

        async def full(*args: object, **options: object) -> int | None:
            nonlocal failing
            if failing:
                failing -= 1
                raise LogUnavailable
            return await settle(*args, **options)  # type: ignore[arg-type]

        w.log.settle = full  # type: ignore[method-assign]
        async with w.running():
            for _ in range(failing):
                await eventually(lambda: clock.sleepers == 1)
                clock.advance(30)
            assert await w.fates(1) == [("one", "delivered")]
        assert w.line.got == ["one"]


TROUBLE = st.sampled_from(["none", "not-written", "lost-writing", "lost", "lost-late", "refused", "held"])


class Killed(BaseException):
    """Stands for kill -9."""


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    troubles=st.lists(TROUBLE, max_size=12),
    kills=st.lists(st.integers(1, 12), max_size=3),
    count=st.integers(1, 6),
)
async def test_any_schedule(troubles: list[str], kills: list[int], count: int) -> None:
    """Whatever goes wrong when: order kept, nothing twice, nothing lost; doubt only where the table has it."""
    with tempfile.TemporaryDirectory() as folder:
        await play(Path(folder), list(troubles), list(kills), [f"m{number}" for number in range(count)])


async def play(path: Path, troubles: list[str], kills: list[int], texts: list[str]) -> None:
    got: list[str] = []
    doubtful: set[str] = set()
    refused: set[str] = set()
    left_in_flight: set[str] = set()
    accepted = False
    while True:
        async with world(path, SystemClock()) as w:
            if not accepted:
                for text in texts:
                    await w.link.accept(text)
                accepted = True
            w.pump._bucket._rate = w.pump._messages._rate = 1e6
            w.line = SchedulesLine(w, troubles, got, doubtful, refused)
            killer = Killer(kills.pop(0) if kills else None)
            w.fail = killer.fail
            outgoing = await w.log.next_outgoing(SID)
            if outgoing is not None and outgoing.state is OutboxState.SENDING:
                left_in_flight.add(outgoing.client_id)
            w.pump.attach(w.line)
            running = asyncio.create_task(w.pump.run())
            settled = asyncio.create_task(all_settled(w))
            await asyncio.wait({running, settled}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                settled.cancel()
                with pytest.raises(Killed):
                    running.result()
                await asyncio.wait({settled})
                continue
            w.pump.stop()
            await running
            final = dict(await w.link.fates())
        break
    delivered = [text for text in texts if final[text] == "delivered"]
    assert set(final) == set(texts)
    assert sorted(set(got)) == sorted(got), "doubled"
    assert got == [text for text in texts if text in got], "reordered"
    assert set(delivered) <= set(got), "lost"
    failed = {text for text in texts if final[text] == "failed"}
    unconfirmed = {text for text in texts if final[text] == "unconfirmed"}
    assert unconfirmed == doubtful | left_in_flight
    assert failed <= refused <= failed | left_in_flight


class Killer:
    def __init__(self, at: int | None) -> None:
        self._left = at

    def fail(self, _name: str) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                raise Killed


async def all_settled(w: World) -> bool:
    async def settled() -> bool:
        return await w.log.next_outgoing(SID) is None

    return await eventually(settled, within_s=20)


class SchedulesLine(Line):
    """Takes the next trouble for each message, and comes back by itself."""

    def __init__(self, w: World, troubles: list[str], taken: list[str], doubtful: set[str], refused: set[str]) -> None:
        super().__init__()
        self._w = w
        self._troubles = troubles
        self._taken = taken
        self._doubtful = doubtful
        self._refused = refused

    def send_wait_s(self) -> float:
        return 0.0

    async def write(
        self,
        text: str,
        *,
        client_id: ClientId,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> int:
        trouble = self._troubles.pop(0) if self._troubles else "none"
        await asyncio.sleep(0)
        if trouble in {"not-written", "lost-writing"}:
            self._lose()
            if trouble == "not-written":
                raise NotWritten
            self._doubtful.add(text)
            raise ConnectionLost
        if trouble == "refused":
            self._refused.add(text)
            self.confirms = [lambda: self._w.refuse(code="message-too-long")]
        elif trouble == "held":
            self.confirms = [lambda: self._w.refuse(code="rate-limited", retry_after=0.001)]
        else:
            self._taken.append(text)
            lost = ConnectionLost()
            self.confirms = [lost] if trouble == "lost" else [None, lost] if trouble == "lost-late" else []
            if trouble != "none":
                self._doubtful.add(text)
        return 1

    async def confirm(self, connection: int | None = None) -> None:
        try:
            await super().confirm(connection)
        except ConnectionLost:
            self._lose()
            raise

    def _lose(self) -> None:
        self.is_open = False
        asyncio.get_running_loop().call_soon(self._come_back)

    def _come_back(self) -> None:
        self.is_open = True
        self._w.pump.wake()
