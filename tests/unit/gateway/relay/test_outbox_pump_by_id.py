"""The pump with a provider that shows what it has: which message it is, and any schedule of trouble and kills."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestwire.client.sessions import HistoryPage
from guestwire.errors import ConnectionLost, NotWritten
from guestwire.gateway.log import OutboxState, SessionRow, SqliteSessionLog
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.history import HistoryReader, Said
from guestwire.gateway.relay.outbox_pump import OutboxPump
from guestwire.gateway.relay.provider_line import Capabilities, Way
from guestwire.gateway.relay.settling import ByProvider
from guestwire.gateway.relay.tokens import now_ms
from guestwire.model.content import ContentItem
from guestwire.model.events import Event, Message, ProviderError
from guestwire.model.ids import ClientId, SessionId
from guestwire.protocols.guest_session.session import GuestDetails
from guestwire.testing import FakeClock, eventually

SID = SessionId("a" * 32)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """Stands for kill -9."""


class Provider:
    """Keeps what it is sent, each time it is sent, and shows it after `lag_s`."""

    def __init__(self, clock: FakeClock, *, echo: bool, client_ids: bool, lag_s: float = 0.0) -> None:
        self.clock = clock
        self.has_echo = echo
        self.client_ids = client_ids
        self.lag_s = lag_s
        self.kept: list[tuple[float, Message]] = []

    @property
    def got(self) -> list[str]:
        return [message.text for _, message in self.kept]

    def hear(self, text: str, client_id: str | None = None) -> Message:
        number = len(self.kept)
        message = Message(
            sender="guest",
            text=text,
            id=f"p{number:04}",
            sent_at=START + timedelta(seconds=number),
            client_id=client_id if self.client_ids else None,
        )
        self.kept.append((self.clock.now(), message))
        return message

    def shown_by_now(self) -> list[Message]:
        return [message for at, message in self.kept if at + self.lag_s <= self.clock.now()]


class Gateway:
    """A pump and a reader of the history on a real log, put together as in an upstream; a line and a session, too."""

    provider_ref = b""
    details = GuestDetails()
    has_ended = False
    close_code = 1006

    def __init__(self, log: SqliteSessionLog, provider: Provider) -> None:
        self.sid = SID
        self.log = log
        self.provider = provider
        self.clock = provider.clock
        self.is_open = True
        self.connection = 1
        self.troubles: list[str] = []
        self.foreign: list[Message] = []
        self.kill_in = 0
        self.is_killed = False
        self.echoes: list[asyncio.Task[None]] = []
        self.pump = OutboxPump(self, clock=self.clock, rng=Random(1), fail_point=self.fail_point)
        self.reader = HistoryReader(
            self.read_page, self.take, clock=self.clock, rng=Random(1), save=self.save, on_read=self.pump.wake
        )
        can = Capabilities(echo=provider.has_echo, history=True)
        self.pump.use(ByProvider(Way(can=can), self.reader, self.clock), shows_ids=True)
        self.pump._bucket._rate = self.pump._messages._rate = 1e6

    def fail_point(self, _name: str) -> None:
        self.kill_in -= 1
        self.is_killed = self.is_killed or self.kill_in == 0
        self.live()

    def live(self) -> None:
        """Do nothing more once it was killed."""
        if self.is_killed:
            raise Killed

    # --- a line -------------------------------------------------------------------------------------------------------

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
        await asyncio.sleep(0)
        self.live()
        trouble = self.troubles.pop(0) if self.troubles else "none"
        if trouble == "not-written":
            self.lose()
            raise NotWritten
        if trouble == "lost-unheard":
            self.lose()
            raise ConnectionLost
        message = self.provider.hear(text, client_id)
        if trouble == "lost-heard":
            self.lose()
        elif self.provider.has_echo and trouble != "no-echo":
            for _ in range(2 if trouble == "two-echoes" else 1):
                self.echoes.append(asyncio.create_task(self.echo(message)))
        return self.connection

    async def echo(self, message: Message) -> None:
        self.foreign += await self.pump.shown([message])

    async def confirm(self, connection: int | None = None) -> None:
        await asyncio.sleep(0)
        if not self.is_open or connection not in {None, self.connection}:
            raise ConnectionLost

    async def typing(self) -> None:
        raise AssertionError

    async def end(self) -> None:
        raise AssertionError

    def lose(self) -> None:
        self.is_open = False
        self.reader.disconnected()
        asyncio.get_running_loop().call_soon(self.come_back)

    def come_back(self) -> None:
        self.is_open = True
        self.connection += 1
        self.reader.connected()
        self.pump.line_changed()

    # --- a session, and its history -----------------------------------------------------------------------------------

    def is_awaited(self, *, has_begun: bool) -> bool:
        raise AssertionError

    async def provider_said(self, events: Sequence[Event]) -> None:
        raise AssertionError

    async def read_page(self, after: str | None, limit: int) -> HistoryPage:
        await asyncio.sleep(0)
        self.live()
        found = [one for one in self.provider.shown_by_now() if after is None or (one.id or "") > after]
        return HistoryPage(tuple(found[:limit]), has_more=len(found) > limit)

    async def take(self, said: Sequence[Said]) -> None:
        self.foreign += await self.pump.shown([one for one in said if isinstance(one, Message)])

    async def save(self, place: str) -> None:
        raise AssertionError

    # --- what a test does ---------------------------------------------------------------------------------------------

    async def accept(self, text: str) -> None:
        client_id = ClientId(f"c-{text}")
        record = bodies.guest_message(SID, client_id, text, (), START)
        await self.log.accept(SID, client_id, bodies.outgoing_body(text, ()), record, max_open=1000)

    async def leave_in_flight(self, text: str) -> None:
        await self.accept(text)
        outgoing = await self.log.next_outgoing(SID)
        assert outgoing is not None
        await self.log.mark_sending(SID, outgoing.oseq, now_ms(self.clock))

    async def fates(self) -> dict[str, str]:
        page = await self.log.read(SID, 0, limit=1000)
        assert page is not None
        receipts = [msgspec.json.decode(record.body) for record in page.records if record.kind == "receipt"]
        return {receipt["clientId"].removeprefix("c-"): receipt["status"] for receipt in receipts}

    async def settled(self, **fates: str) -> None:
        async def are() -> bool:
            self.clock.advance(0.25)
            found = await self.fates()
            return all(found.get(text) == fate for text, fate in fates.items())

        await eventually(are, within_s=20)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.pump.attach(self)
        self.reader.connected()
        tasks = [asyncio.create_task(self.pump.run()), asyncio.create_task(self.reader.run())]
        try:
            yield
        finally:
            self.is_open = False
            self.pump.stop()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@asynccontextmanager
async def gateway(path: Path, provider: Provider) -> AsyncIterator[Gateway]:
    async with SqliteSessionLog(path / "log.db") as log:
        if await log.get(SID) is None:
            await log.create(SessionRow(sid=SID, epoch="e", created_ms=0))
        yield Gateway(log, provider)


@pytest.fixture(params=[True, False], ids=["client-ids", "words"])
async def g(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    provider = Provider(FakeClock(auto_jump=False), echo=False, client_ids=request.param)
    async with gateway(tmp_path, provider) as made:
        yield made


async def test_shown_while_it_is_in_flight(g: Gateway) -> None:
    await g.accept("one")
    async with g.running():
        await g.settled(one="delivered")
    assert await g.log.known_ids(SID, ["p0000", "p0001"]) == {"p0000"}


async def test_a_doubt_ends_when_it_is_shown_after_all(g: Gateway) -> None:
    g.provider.lag_s = 12.0
    await g.accept("one")
    async with g.running():
        await g.settled(one="unconfirmed")
        await g.settled(one="delivered")
    assert g.provider.got == ["one"]
    assert g.foreign == []


async def test_a_doubt_of_a_gateway_before_us_ends_too(g: Gateway) -> None:
    await g.leave_in_flight("one")
    await g.log.settle(SID, 1, OutboxState.UNCONFIRMED)
    g.provider.hear("one", "c-one")
    async with g.running():
        await g.settled(one="delivered")


async def test_what_was_to_be_sent_again_is_recognised_when_it_is_shown_first(g: Gateway) -> None:
    """A gateway before us had given it up; the copy that it sent arrives after all."""
    g.is_open = False
    await g.leave_in_flight("one")
    await g.log.settle(SID, 1, OutboxState.ACCEPTED)
    g.provider.hear("one", "c-one")
    async with g.running():
        await g.settled(one="delivered")
    assert g.provider.got == ["one"]
    assert g.foreign == []


async def test_equal_words_are_told_apart_by_what_is_in_flight(g: Gateway) -> None:
    """The one in flight first: the other one is in doubt, and nobody waits for it."""
    await g.leave_in_flight("same")
    await g.log.settle(SID, 1, OutboxState.UNCONFIRMED)
    client_id = ClientId("c-again")
    record = bodies.guest_message(SID, client_id, "same", (), START)
    await g.log.accept(SID, client_id, bodies.outgoing_body("same", ()), record)
    async with g.running():
        await g.settled(again="delivered")
        assert "same" not in await g.fates()
        g.provider.hear("same", "c-same")
        g.reader.ask()
        await g.settled(same="delivered")
    assert g.foreign == []


async def test_changed_words_are_the_one_in_flight(tmp_path: Path) -> None:
    provider = Provider(FakeClock(auto_jump=False), echo=False, client_ids=False)
    async with gateway(tmp_path, provider) as g:
        await g.leave_in_flight("my card is 1234")
        provider.hear("my card is ****")
        async with g.running():
            await g.settled(**{"my card is 1234": "delivered"})
    assert provider.got == ["my card is ****"]


async def test_a_second_copy_of_what_was_said_before_is_not_the_one_in_flight(tmp_path: Path) -> None:
    """It would be lost otherwise: nobody would send it."""
    provider = Provider(FakeClock(auto_jump=False), echo=False, client_ids=False)
    async with gateway(tmp_path, provider) as g:
        await g.accept("one")
        async with g.running():
            await g.settled(one="delivered")
        await g.leave_in_flight("two")
        provider.hear("one")
    async with gateway(tmp_path, provider) as g:
        async with g.running():
            await g.settled(two="delivered")
        assert [message.text for message in g.foreign] == ["one"]
    assert provider.got == ["one", "one", "two"]


async def test_of_several_unknown_ones_the_equal_one_is_ours(tmp_path: Path) -> None:
    provider = Provider(FakeClock(auto_jump=False), echo=False, client_ids=False)
    async with gateway(tmp_path, provider) as g:
        await g.leave_in_flight("two")
        for text in ("by another", "two", "by another one"):
            provider.hear(text)
        async with g.running():
            await g.settled(two="delivered")
        assert [message.text for message in g.foreign] == ["by another", "by another one"]


async def test_the_id_of_another_message_is_not_ours_whatever_its_words(g: Gateway) -> None:
    g.provider.client_ids = True
    await g.leave_in_flight("two")
    g.provider.hear("two", "c-of another gateway")
    async with g.running():
        await g.settled(two="delivered")
    assert g.provider.got == ["two", "two"]
    assert [message.client_id for message in g.foreign] == ["c-of another gateway"]


async def test_a_session_that_is_gone_leaves_a_doubt_and_takes_the_rest_along(g: Gateway) -> None:
    g.is_open = False
    await g.leave_in_flight("one")
    await g.accept("two")
    async with g.running():
        await g.pump.forsake()
        assert await g.fates() == {"one": "unconfirmed"}
        await g.pump.forsake()  # nothing is in flight
        g.come_back()
        await g.settled(two="delivered")
    assert g.provider.got == ["two"]


async def test_a_mark_that_took_long_is_made_again(g: Gateway) -> None:
    """Its age is what a gateway after us goes by; the message must not leave when that is nearly over."""
    mark, slow = g.log.mark_sending, 1

    async def mark_slowly(sid: SessionId, oseq: int, now_ms: int) -> None:
        nonlocal slow
        await mark(sid, oseq, now_ms)
        if slow:
            slow -= 1
            g.clock.advance(4.0)

    g.log.mark_sending = mark_slowly  # type: ignore[method-assign]
    await g.accept("one")
    async with g.running():
        await g.settled(one="delivered")
    assert g.provider.got == ["one"]


async def test_an_error_after_the_pongs_is_shown_at_its_message(tmp_path: Path) -> None:
    provider = Provider(FakeClock(auto_jump=False), echo=False, client_ids=False)
    async with gateway(tmp_path, provider) as g:
        pump = OutboxPump(g, clock=g.clock, rng=Random(1))
        error = ProviderError(code="message-too-long")
        assert pump.blamed(error) == error
        pump.attach(g)
        await g.accept("one")
        running = asyncio.create_task(pump.run())
        await g.settled(one="delivered")
        await eventually(lambda: pump._last)
        assert not pump.refused(error)
        assert pump.blamed(error).client_id == "c-one"
        other = ProviderError(code="message-too-long", client_id="another")
        assert pump.blamed(other) == other
        g.clock.advance(2.1)
        assert pump.blamed(error) == error
        pump.stop()
        await running
        assert await g.fates() == {"one": "delivered"}


TROUBLE = st.sampled_from(["none", "not-written", "lost-unheard", "lost-heard", "no-echo", "two-echoes"])


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    troubles=st.lists(TROUBLE, max_size=10),
    kills=st.lists(st.integers(1, 10), max_size=3),
    count=st.integers(1, 5),
    lag_s=st.sampled_from([0.0, 0.3, 2.0]),
    echo=st.booleans(),
    client_ids=st.booleans(),
)
async def test_any_schedule(
    troubles: list[str], kills: list[int], count: int, lag_s: float, *, echo: bool, client_ids: bool
) -> None:
    """Nothing is lost, doubled or reordered, and nothing is left in doubt, while the history lags for less than 5 s."""
    clock = FakeClock(auto_jump=False)
    provider = Provider(clock, echo=echo, client_ids=client_ids, lag_s=lag_s)
    texts = [f"m{number}" for number in range(count)]
    left = list(troubles)
    fates: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        is_accepted = False
        for kill_in in [*kills, 0]:
            async with gateway(Path(folder), provider) as g:
                if not is_accepted:
                    for text in texts:
                        await g.accept(text)
                    is_accepted = True
                g.troubles = left
                g.kill_in = kill_in
                await run_until_settled_or_killed(g)
                assert g.foreign == []
                fates = await g.fates()
    assert provider.got == texts
    assert fates == dict.fromkeys(texts, "delivered")


async def run_until_settled_or_killed(g: Gateway) -> None:
    g.pump.attach(g)
    g.reader.connected()
    tasks = [asyncio.create_task(g.pump.run()), asyncio.create_task(g.reader.run())]

    async def is_over() -> bool:
        g.clock.advance(0.25)
        return g.is_killed or any(task.done() for task in tasks) or await g.log.next_outgoing(SID) is None

    try:
        await eventually(is_over, within_s=30)
    finally:
        g.is_open = False
        tasks += g.echoes
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        assert task.cancelled() or isinstance(task.exception(), Killed | type(None)), task.exception()
