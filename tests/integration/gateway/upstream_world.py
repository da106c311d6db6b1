"""One session's gateway, its log on disk, and the emulator behind a fault proxy: what an upstream is tested with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from starlette.requests import Request

from guestwire.emulator import Emulator
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Entry
from guestwire.gateway.log import SessionRow, SqliteSessionLog
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay.envelope import Envelope
from guestwire.gateway.relay.guest_session_upstream import GuestSessionUpstreams
from guestwire.gateway.relay.sealed import KEY_BYTES, Seal
from guestwire.gateway.relay.session import RelaySession
from guestwire.gateway.relay.upstream import Upstreams
from guestwire.gateway.relay.web_messaging_upstream import WebMessagingUpstreams
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from guestwire.settings import Api, EmulatorSettings, ProviderSettings
from guestwire.testing import FakeClock, eventually
from guestwire.testing.fault_proxy import FaultProxy

SID = SessionId("a" * 32)


class World:
    """One session's gateway, and the provider it talks to through `proxy`."""

    def __init__(self, emulator: Emulator, proxy: FaultProxy, path: Path, clock: FakeClock, api: Api) -> None:
        self.emulator = emulator
        self.org = emulator.org
        self.proxy = proxy
        self.path = path
        self.clock = clock
        self.api = api
        self.foreign = 0
        self.metrics = Metrics()
        self.details = b""
        self._looked_at = 0.0
        self.fail: dict[str, Callable[[], object]] = {}
        self.upstreams: Upstreams
        self.session: RelaySession
        self.log: SqliteSessionLog

    @asynccontextmanager
    async def gateway(
        self, *, starts_at_open: bool = False, before: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator[None]:
        is_web = self.api == "web-messaging"
        provider = ProviderSettings(
            api=self.api,
            base_url=f"http://127.0.0.1:{self.proxy.port}",
            deployment_id=self.emulator.deployment_id if is_web else None,
            client_id=None if is_web else self.emulator.client_id,
            client_secret=None if is_web else Secret("demo-secret"),
        )
        async with SqliteSessionLog(self.path) as log, HttpClient() as transport:
            self.log = log
            row = await log.get(SID)
            if row is None:
                row = SessionRow(sid=SID, epoch="e", created_ms=0, details=self.details)
                await log.create(row)
            make = WebMessagingUpstreams if is_web else GuestSessionUpstreams
            self.upstreams = make(
                provider=provider,
                transport=transport,
                seal=Seal([b"k" * KEY_BYTES]),
                clock=self.clock,
                rng=Random(1),
                fail_point=self.fail_point,
                on_foreign=self._count_foreign,
                metrics=self.metrics,
            )
            self.session = RelaySession(
                row,
                log,
                self.upstreams,
                clock=self.clock,
                envelope=Envelope([b"e" * KEY_BYTES]),
                retention_s=3600,
                lives_s=3600,
                starts_at_open=starts_at_open,
                on_settled=self.metrics.message_settled,
            )
            await self.session.find_state()
            async with self.upstreams.running():
                if before is not None:
                    await before()
                self.session.take_up()
                try:
                    yield
                finally:
                    closing = asyncio.ensure_future(self.session.aclose())
                    await self.until(closing.done)
                    await closing
            assert not left_tasks()

    def _count_foreign(self) -> None:
        self.foreign += 1

    def fail_point(self, name: str) -> None:
        if name in self.fail:
            self.fail.pop(name)()

    async def until(self, condition: Callable[[], object], *, within_s: float = 30.0) -> None:
        """Wait while time flies."""

        def look() -> object:
            self._fly()
            return condition()

        await eventually(look, within_s=within_s)

    async def until_async(self, condition: Callable[[], Awaitable[object]]) -> None:
        async def look() -> object:
            self._fly()
            return await condition()

        await eventually(look, within_s=30.0)

    def _fly(self) -> None:
        # On a busy machine real sockets and disks take their time: limits that fly past them would be a lie.
        now, before = time.monotonic(), self._looked_at
        self._looked_at = now
        self.clock.advance(0.25 if now - before < 0.025 else 0.05)

    async def send(self, text: str) -> None:
        await self.session.accept(ClientId(text), text)

    async def metric(self, name: str) -> float:
        """Return a number as Prometheus gets it; one that was never counted is 0."""
        text = bytes((await self.metrics.show(Request({"type": "http"}))).body).decode()
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)

    async def frames(self, kind: str) -> list[dict[str, Any]]:
        page = await self.log.read(SID, (await self.log.head(SID)).floor, limit=1000)
        assert page is not None
        return [msgspec.json.decode(record.body) for record in page.records if record.kind == kind]

    async def fates(self) -> dict[str, str]:
        return {frame["clientId"]: frame["status"] for frame in await self.frames("receipt")}

    async def settled(self, **fates: str) -> None:
        async def are() -> bool:
            found = await self.fates()
            return all(found.get(name) == fate for name, fate in fates.items())

        try:
            await self.until_async(are)
        except AssertionError:
            raise AssertionError(f"Expected {fates}, got {await self.fates()}.") from None

    async def heard(self, *texts: str) -> None:
        async def has() -> bool:
            return [frame["text"] for frame in await self.frames("message") if frame["from"] == "agent"] == list(texts)

        await self.until_async(has)

    def switch(self, name: FaultName, *, on: bool = True, **params: int) -> None:
        self.org.faults.switch(name, on=on, params=params)

    def said(self) -> list[Entry]:
        """What the provider has, of everybody, in its order."""
        return [entry for conversation in self.org.conversations.values() for entry in conversation.entries]

    def got(self) -> list[str]:
        return [entry.text for entry in self.said() if entry.sender == "guest"]

    def agent_says(self, text: str) -> None:
        self.org.add_entry(list(self.org.conversations.values())[-1], "agent", text)


async def provider_ref(w: World) -> bytes:
    row = await w.log.get(SID)
    assert row is not None
    return row.provider_ref


def left_tasks() -> list[str]:
    """Return the tasks of ours that still run."""
    files = [str(getattr(task.get_coro(), "cr_code", None)) for task in asyncio.all_tasks()]
    return [file for file in files if "guestwire/client" in file or "gateway/relay" in file]


@asynccontextmanager
async def world(path: Path, *, api: Api = "guest-session") -> AsyncIterator[World]:
    """Play on a provider that routes nothing: nobody but the test speaks."""
    clock = FakeClock(auto_jump=False)
    async with (
        Emulator(EmulatorSettings(port=0, demo_agent=False), clock=clock) as emulator,
        FaultProxy("127.0.0.1", emulator.port) as proxy,
    ):
        emulator.org.faults.switch(FaultName.UNPUBLISH_FLOW, on=True, params={})
        yield World(emulator, proxy, path / "log.db", clock, api)
    assert not left_tasks()
