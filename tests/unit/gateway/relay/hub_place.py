"""A hub on a real log on disk, with sockets and upstreams that the tests hold."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guestwire.gateway.log import NewRecord, SqliteSessionLog
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay.downstream import Downstream
from guestwire.gateway.relay.guest_details import pack_details
from guestwire.gateway.relay.hub import Hub
from guestwire.gateway.relay.interface import BasicUpstream, FailPoint, SessionLink, no_fail_point
from guestwire.gateway.relay.tokens import now_ms
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.websocket import UpgradeRequest
from guestwire.protocols.guest_session.session import GuestDetails
from guestwire.settings import GatewaySettings
from guestwire.testing import FakeClock, eventually

SID = SessionId("5" * 32)

RECORDS = {"message", "bot-message", "conversation-update", "receipt"}


class HeldSocket:
    """A socket whose peer reads only when the test says so."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.is_writable = True
        self.close_code: int | None = None

    def send(self, frame: str) -> None:
        assert self.close_code is None, "a frame after the close"
        self.frames.append(json.loads(frame))

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.close_code = code if self.close_code is None else self.close_code

    def abort(self) -> None:
        raise NotImplementedError

    def pause_reading(self) -> None:
        raise NotImplementedError

    def resume_reading(self) -> None:
        raise NotImplementedError

    @property
    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames if frame["type"] == "message"]

    @property
    def last(self) -> int:
        """The newest record it got."""
        return max((frame.get("seq", 0) for frame in self.frames if frame["type"] in RECORDS), default=0)


@dataclass
class StubUpstream(BasicUpstream):
    session: SessionLink
    calls: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.calls.append("start")

    def wake(self) -> None:
        self.calls.append("wake")

    def typing(self) -> None:
        self.calls.append("typing")

    def end(self) -> None:
        self.calls.append("end")

    async def aclose(self) -> None:
        self.calls.append("aclose")


@dataclass
class Place:
    """A hub on a log, with one session in it."""

    hub: Hub
    log: SqliteSessionLog
    clock: FakeClock
    token: Secret
    metrics: Metrics
    upstreams: list[StubUpstream] = field(default_factory=list)

    def connect(self) -> tuple[Downstream, HeldSocket]:
        connection, socket = Downstream(self.hub, None, client_host="1.2.3.4"), HeldSocket()
        connection.opened(socket)
        return connection, socket

    async def join(
        self, epoch: str | None = None, after: int | None = None, tab: str | None = None
    ) -> tuple[Downstream, HeldSocket]:
        """Connect, say hello and wait for `synced`."""
        connection, socket = self.connect()
        say(connection, type="hello", sessionId=SID, token=self.token.reveal(), epoch=epoch, after=after, tab=tab)
        await eventually(lambda: "synced" in socket.kinds or socket.close_code is not None)
        return connection, socket

    async def plain(self) -> tuple[Downstream, HeldSocket]:
        query = {"sessionId": SID, "token": self.token.reveal()}
        connection = await self.hub.authorise(UpgradeRequest("/ws", query))
        assert isinstance(connection, Downstream)
        socket = HeldSocket()
        connection.opened(socket)
        return connection, socket

    async def fill(self, count: int, size: int = 10) -> None:
        body = json.dumps({"type": "message", "from": "agent", "text": "x" * size, "id": "i"}).encode()
        await self.log.append(SID, [NewRecord(kind="message", body=body)] * count)

    @property
    def upstream(self) -> StubUpstream:
        return self.upstreams[-1]


def say(connection: Downstream, **members: Any) -> None:
    connection.text(json.dumps(members))


@asynccontextmanager
async def place(
    tmp_path: Path, fail_point: FailPoint = no_fail_point, *, is_new: bool = True, **options: Any
) -> AsyncIterator[Place]:
    clock, metrics = FakeClock(auto_jump=False), Metrics()
    async with SqliteSessionLog(tmp_path / "log.sqlite3", now_ms=lambda: now_ms(clock)) as log:
        hub = Hub(GatewaySettings(**options), log, clock=clock, metrics=metrics, fail_point=fail_point)
        upstreams: list[StubUpstream] = []

        def make(session: SessionLink) -> StubUpstream:
            upstreams.append(StubUpstream(session))
            return upstreams[-1]

        await hub.start(make)
        if is_new:
            await hub.create(SID, pack_details(GuestDetails(name="Ada")), epoch="e1")
        here = Place(hub, log, clock, await hub.tokens.issue(SID), metrics, upstreams)
        yield here
        for connection in tuple(hub._connections):
            connection.closed(1001)
        await hub.aclose()
