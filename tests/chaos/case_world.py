"""Helpers of the cases in one process: browsers for `relay_world`, tasks that are left over, Hypothesis settings."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from guestwire.gateway.log import NewRecord, SessionLog, SessionRow, SqliteSessionLog
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay.hub import Hub
from guestwire.gateway.relay.interface import FailPoint, SessionLink, UpstreamFactory, no_fail_point
from guestwire.gateway.relay.tokens import now_ms, token_hash
from guestwire.model.ids import SessionId
from guestwire.net.clock import Clock, SystemClock
from guestwire.net.memory import open_in_memory
from guestwire.protocols.guest_session.wire import MessageFrame, encode
from guestwire.settings import GatewaySettings
from guestwire.testing import FakeClock
from tests.chaos.case_browser import Browser
from tests.integration.gateway.relay_world import PROVIDER, FakeUpstream, Guest, World

__all__ = ["Light", "browser_of", "examples", "filled_session", "is_delivered", "light_gateway", "log_of", "said"]

FAR_MS = 2**52


class Light:
    """A gateway without a server: a log on disk, the hub on it, sockets in memory; for cases that start hundreds."""

    def __init__(self, log: SqliteSessionLog, hub: Hub, heard: list[str]) -> None:
        self.log = log
        self.hub = hub
        self.heard = heard
        self.upstreams: dict[SessionId, FakeUpstream] = {}
        self.delivers = True

    def make_upstream(self, session: SessionLink) -> FakeUpstream:
        upstream = self.upstreams[session.sid] = FakeUpstream(session, self.heard)
        upstream.delivers = self.delivers
        return upstream

    def browser(self, sid: SessionId, token: str, tab: str = "t") -> Browser:
        return Browser(lambda: open_in_memory(self.hub.authorise, "ws://memory/ws"), sid, token, tab)


@contextlib.asynccontextmanager
async def light_gateway(
    path: Path,
    *,
    clock: Clock | None = None,
    heard: list[str] | None = None,
    delivers: bool = True,
    fail_point: FailPoint = no_fail_point,
    upstreams: UpstreamFactory | None = None,
) -> AsyncIterator[Light]:
    """Run one on this log for the length of an `async with`; a clock of the test's is turned at its end."""
    clock = clock or SystemClock()
    settings = GatewaySettings(provider=PROVIDER, log_file=path, max_connections_per_address=10_000)
    async with SqliteSessionLog(path, now_ms=lambda: now_ms(clock), fail_point=fail_point) as log:
        hub = Hub(settings, log, clock=clock, metrics=Metrics())
        light = Light(log, hub, [] if heard is None else heard)
        light.delivers = delivers
        await hub.start(upstreams or light.make_upstream)
        try:
            yield light
        finally:
            closing = asyncio.ensure_future(hub.aclose())
            while isinstance(clock, FakeClock) and not closing.done():
                clock.advance(0.25)
                await asyncio.sleep(0.005)
            await closing


def browser_of(guest: Guest, tab: str = "t") -> Browser:
    """Return a browser of this guest, not yet connected."""
    return Browser(lambda: guest.world.client.open_socket(guest.socket_url), guest.sid, guest.token, tab)


def examples(count: int, **options: Any) -> settings:
    """Return Hypothesis settings for so many examples, the same ones for the same seed."""
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        **options,
    )


async def is_delivered(guest: Guest) -> bool:
    """Return whether the outbox is empty; the upstream of `relay_world` may have missed a knock, so it gets another."""
    session = guest.upstream.session
    guest.upstream.wake()
    return await session.log.next_outgoing(session.sid) is None


async def log_of(world: World) -> SessionLog:
    """Return the gateway's log, for what only a test does."""
    guest = await world.create()
    await (await guest.open()).drop()
    return guest.upstream.session.log


def said(text: str, **members: Any) -> NewRecord:
    """Return a record of something that the agent said."""
    frame = MessageFrame(sender="agent", text=text, timestamp="2026-01-01T00:00:00.000Z", id=secrets.token_hex(16))
    return NewRecord(kind="message", body=encode(frame).encode(), **members)


async def filled_session(
    log: SessionLog, records: list[NewRecord], *, floor: int = 0, epoch: str = "e"
) -> tuple[SessionId, str]:
    """Make a session with these records, trimmed up to `floor`, and return its pair; one commit in all."""
    sid, token = SessionId(secrets.token_hex(16)), secrets.token_urlsafe(32)
    await asyncio.gather(
        log.create(SessionRow(sid=sid, epoch=epoch, created_ms=0)),
        log.put_token(token_hash(token), sid, FAR_MS),
        log.append(sid, records),
        log.trim(sid, floor + 1),
    )
    return sid, token
