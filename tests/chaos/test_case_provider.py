"""O-04 and O-06: a provider that says "later", and one that says "over" (reliability.md §5.2); the real emulator."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from guestwire.emulator import Emulator, guest_socket
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from guestwire.gateway.log import SqliteSessionLog
from guestwire.gateway.relay.guest_session_upstream import GuestSessionUpstreams
from guestwire.gateway.relay.sealed import KEY_BYTES, Seal
from guestwire.gateway.relay.session import RelaySession
from guestwire.gateway.relay.web_messaging_upstream import WebMessagingUpstreams
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from guestwire.protocols.guest_session.server import GuestSessionServer
from guestwire.protocols.guest_session.wire import ErrorFrame, GuestMessageFrame, decode_inbound, encode
from guestwire.protocols.web_messaging import provider as web_provider
from guestwire.protocols.web_messaging.answers import too_many
from guestwire.protocols.web_messaging.requests import OnMessage, decode_request
from guestwire.protocols.web_messaging.server import WebMessagingServer
from guestwire.settings import Api, EmulatorSettings, ProviderSettings
from guestwire.testing import FakeClock, eventually
from guestwire.testing.fault_proxy import FaultProxy
from tests.chaos.case_world import Light, filled_session, light_gateway

SESSIONS_SHORT, SESSIONS_LONG = 3, 60
MESSAGES = 12
ENDS_SHORT, ENDS_LONG = 4, 100


@dataclass
class Storm:
    """What a provider in a storm was sent, and when."""

    rng: Random
    clock: FakeClock
    refuses: float
    hints: Counter[float] = field(default_factory=Counter)
    refused: int = 0
    taken: int = 0
    too_early: list[str] = field(default_factory=list)


class StormyServer(GuestSessionServer):
    """The emulator's own core, which refuses at random and notes who does not wait."""

    storm: Storm

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._not_before = 0.0

    def frame_received(self, text: str, now: float) -> None:
        storm, frame = self.storm, decode_inbound(text)
        if not isinstance(frame, GuestMessageFrame):
            super().frame_received(text, now)
            return
        at = storm.clock.now()
        if at < self._not_before:
            storm.too_early.append(f"{frame.text} came {self._not_before - at:.2f} s too early")
        if storm.rng.random() < storm.refuses:
            hint = float(ceil(storm.rng.choice([1, 2, 3, 7])))
            self._not_before = at + hint
            storm.refused += 1
            storm.hints[hint] += 1
            self._replies.append(encode(ErrorFrame(code="rate-limited", text="Slow down.", retry_after=hint)))
            return
        storm.taken += 1
        super().frame_received(text, now)


class StormyWebServer(WebMessagingServer):
    """The same for Web Messaging."""

    storm: Storm

    def __init__(self) -> None:
        super().__init__()
        self._not_before = 0.0

    def frame_received(self, text: str, now: float) -> None:
        storm, request = self.storm, decode_request(text)
        if not isinstance(request, OnMessage) or request.message.type != "Text":
            super().frame_received(text, now)
            return
        at = storm.clock.now()
        if at < self._not_before:
            storm.too_early.append(f"{request.message.text} came {self._not_before - at:.2f} s too early")
        if storm.rng.random() < storm.refuses:
            hint = storm.rng.choice([1, 2, 3, 7])
            self._not_before = at + hint
            storm.refused += 1
            storm.hints[float(hint)] += 1
            self.write(too_many(hint, tracing_id=request.tracing_id))
            return
        storm.taken += 1
        super().frame_received(text, now)


@pytest.fixture(params=["guest-session", "web-messaging"])
def api(request: pytest.FixtureRequest) -> Api:
    """What the provider speaks."""
    spoken: Api = request.param
    return spoken


@pytest.fixture
def stormy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Storm], None]:
    """Make every connection to the emulator a stormy one."""

    def rage(storm: Storm) -> None:
        monkeypatch.setattr(StormyServer, "storm", storm, raising=False)
        monkeypatch.setattr(StormyWebServer, "storm", storm, raising=False)
        monkeypatch.setattr(guest_socket, "GuestSessionServer", StormyServer)
        monkeypatch.setattr(web_provider, "WebMessagingServer", StormyWebServer)

    return rage


class Chats:
    """Sessions with real upstreams to an emulator, on one log."""

    def __init__(self, emulator: Emulator, proxy: FaultProxy, path: Path, clock: FakeClock, api: Api) -> None:
        self.api = api
        self.emulator = emulator
        self.proxy = proxy
        self.path = path
        self.clock = clock
        self.pairs: list[tuple[SessionId, str]] = []
        self.sessions: list[RelaySession] = []
        self.log: SqliteSessionLog
        self.gateway: Light

    @contextlib.asynccontextmanager
    async def running(self, more: int = 0) -> AsyncIterator[None]:
        """Run a gateway for the sessions there are, and so many more."""
        is_web = self.api == "web-messaging"
        provider = ProviderSettings(
            api=self.api,
            base_url=f"http://127.0.0.1:{self.proxy.port}",
            deployment_id=self.emulator.deployment_id if is_web else None,
            client_id=None if is_web else self.emulator.client_id,
            client_secret=None if is_web else Secret("demo-secret"),
        )
        async with HttpClient() as transport:
            make = WebMessagingUpstreams if is_web else GuestSessionUpstreams
            upstreams = make(
                provider=provider,
                transport=transport,
                seal=Seal([b"k" * KEY_BYTES]),
                clock=self.clock,
                rng=Random(1),
            )
            async with light_gateway(self.path, clock=self.clock, upstreams=upstreams) as self.gateway:
                self.log = self.gateway.log
                for _ in range(more):
                    self.pairs.append(await filled_session(self.log, []))
                self.sessions = [await self.gateway.hub.open(sid) for sid, _ in self.pairs]
                for session in self.sessions:
                    session.take_up()
                yield

    async def until(self, condition: Callable[[], Any], *, within_s: float = 60.0) -> None:
        """Wait while time flies."""

        def look() -> Any:
            self.clock.advance(0.1)
            return condition()

        await eventually(look, within_s=within_s)

    async def until_idle(self, session: RelaySession) -> None:
        async def is_idle() -> bool:
            self.clock.advance(0.1)
            return await self.log.next_outgoing(session.sid) is None

        await eventually(is_idle, within_s=60.0)

    async def frames(self, sid: SessionId) -> list[dict[str, Any]]:
        page = await self.log.read(sid, 0, limit=10_000, max_bytes=10**8)
        assert page is not None
        return [msgspec.json.decode(record.body) for record in page.records]

    def heard(self) -> list[list[str]]:
        """Return what each conversation's guest said, as the provider has it."""
        return [
            [entry.text for entry in conversation.entries if entry.sender == "guest"]
            for conversation in self.emulator.org.conversations.values()
        ]


@contextlib.asynccontextmanager
async def chats(path: Path, clock: FakeClock, api: Api) -> AsyncIterator[Chats]:
    # A gateway's time flies here; Web Messaging counts frames by its own, so its provider's must fly along.
    org_clock = clock if api == "web-messaging" else None
    async with (
        Emulator(EmulatorSettings(port=0, demo_agent=False), clock=org_clock) as emulator,
        FaultProxy("127.0.0.1", emulator.port) as proxy,
    ):
        emulator.org.faults.switch(FaultName.UNPUBLISH_FLOW, on=True, params={})
        yield Chats(emulator, proxy, path, clock, api)


@pytest.mark.slow
async def test_a_storm_of_rate_limits_fails_and_reorders_nothing(
    tmp_path: Path,
    *,
    api: Api,
    chaos_long: bool,
    chaos_seed: int,
    figures: Callable[..., None],
    stormy: Callable[[Storm], None],
) -> None:
    """O-04: half of all messages are refused with a hint: none fails, all arrive in order, none before its hint."""
    clock = FakeClock(auto_jump=False)
    storm = Storm(Random(chaos_seed), clock, refuses=0.5)
    stormy(storm)
    count = SESSIONS_LONG if chaos_long else SESSIONS_SHORT
    async with chats(tmp_path / "log.sqlite3", clock, api) as world, world.running(count):
        said = {sid: [f"{number}.{n}" for n in range(MESSAGES)] for number, (sid, _) in enumerate(world.pairs)}
        for session in world.sessions:
            for text in said[session.sid]:
                await session.accept(ClientId(text), text)
        for session in world.sessions:
            await world.until_idle(session)
        fates: Counter[str] = Counter()
        for sid, texts in said.items():
            receipts = [frame for frame in await world.frames(sid) if frame["type"] == "receipt"]
            assert {frame["clientId"]: frame["status"] for frame in receipts} == dict.fromkeys(texts, "delivered")
            fates.update(frame["status"] for frame in receipts)
        assert sorted(world.heard()) == sorted(said.values())
    assert storm.too_early == []
    assert fates.keys() == {"waiting", "delivered"}
    assert fates["waiting"] == storm.refused
    assert storm.refused > count * MESSAGES / 4
    figures(f"O-04 {api}", sessions=count, refused=storm.refused, delivered=fates["delivered"], hints=len(storm.hints))


@pytest.mark.slow
async def test_what_waits_at_the_end_has_failed_and_is_never_sent(
    tmp_path: Path,
    *,
    api: Api,
    chaos_long: bool,
    chaos_seed: int,
    figures: Callable[..., None],
    stormy: Callable[[Storm], None],
) -> None:
    """O-06: five wait when the conversation ends: each has failed, with the reason, and none is sent, ever."""
    clock = FakeClock(auto_jump=False)
    rng = Random(chaos_seed)
    storm = Storm(rng, clock, refuses=0.0)
    stormy(storm)
    counts: Counter[str] = Counter()
    async with chats(tmp_path / "log.sqlite3", clock, api) as world:
        for number in range(ENDS_LONG if chaos_long else ENDS_SHORT):
            way = ("away", "later", "away-and-restart", "later-and-restart")[number % 4]
            await _end_with_five_waiting(world, way, storm, counts)
    figures(f"O-06 {api}", **counts)


async def _end_with_five_waiting(world: Chats, way: str, storm: Storm, counts: Counter[str]) -> None:
    storm.refuses = 0.0
    waiting = [f"late{number}" for number in range(5)]
    world.pairs.clear()
    async with world.running(1):
        (session,) = world.sessions
        await session.accept(ClientId("first"), "first")
        await world.until_idle(session)
        conversation = list(world.emulator.org.conversations.values())[-1]
        with contextlib.ExitStack() as trouble:
            if way.startswith("away"):
                trouble.enter_context(world.proxy.refusing())
                world.proxy.reset()
            else:
                storm.refuses = 1.0
            for text in waiting:
                await session.accept(ClientId(text), text)
            if way.startswith("later"):
                refused = storm.refused
                await world.until(lambda: storm.refused > refused)
            if not way.endswith("restart"):
                world.emulator.org.move(conversation, Stage.ENDED, ended_by="agent")
        if not way.endswith("restart"):
            await world.until(lambda: session.has_ended)
    if way.endswith("restart"):
        world.emulator.org.move(conversation, Stage.ENDED, ended_by="agent")
        async with world.running():
            await world.until(lambda: world.sessions[0].has_ended)
    storm.refuses = 0.0
    async with world.running():  # and once more: nothing is taken up again
        for _ in range(20):
            world.clock.advance(1)
            await asyncio.sleep(0)
        browser = world.gateway.browser(*world.pairs[0])
        await browser.connect()
        await browser.drop()
    assert browser.problems == []
    frames = browser.view
    receipts = [(f["clientId"], f.get("code")) for f in frames if f["type"] == "receipt" and f["status"] == "failed"]
    assert receipts == [(text, "conversation-ended") for text in waiting]
    assert (frames[-1]["type"], frames[-1].get("status")) == ("conversation-update", "ended")
    assert [entry.text for entry in conversation.entries if entry.sender == "guest"] == ["first"]
    assert sum(heard.count("late0") for heard in world.heard()) == 0
    counts["failed"] += len(receipts)
    counts[way.replace("-", "_")] += 1
