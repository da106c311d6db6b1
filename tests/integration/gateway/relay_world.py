"""A whole gateway in relay mode over real sockets, with upstreams that a test plays."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from guestwire.errors import LocalProtocolError
from guestwire.gateway.app import create_gateway, drain
from guestwire.gateway.log import OutboxState
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.interface import BasicUpstream, FailPoint, SessionLink, no_fail_point
from guestwire.model.events import ConversationStatus, ConversationUpdated, Event, Fate, Message, Typing
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.clock import Clock, SystemClock
from guestwire.net.http import HttpClient
from guestwire.net.server import Server
from guestwire.net.transport import ClientSocket
from guestwire.settings import GatewaySettings, ProviderSettings

SESSIONS = "/api/v2/chat/guestsessions"
PROVIDER = ProviderSettings(base_url="http://127.0.0.1:9", client_id="id", client_secret=Secret("canary-client-5ecret"))


class FakeUpstream(BasicUpstream):
    """Delivers what is in the outbox to a list, and says what the test wants the provider to say."""

    def __init__(self, session: SessionLink, heard: list[str]) -> None:
        self.session = session
        self.heard = heard
        self.calls: list[str] = []
        self.delivers = self.ends = True
        self._pump: asyncio.Task[None] | None = None
        self._end: asyncio.Task[None] | None = None

    def start(self) -> None:
        if "start" not in self.calls:
            self.calls.append("start")

    def wake(self) -> None:
        if self.delivers and (self._pump is None or self._pump.done()):
            self._pump = asyncio.create_task(self._deliver())

    def typing(self) -> None:
        self.calls.append("typing")

    def end(self) -> None:
        self.calls.append("end")
        if self.ends:
            self._end = asyncio.create_task(self._finish())

    async def aclose(self) -> None:
        self.calls.append("aclose")
        for task in (self._pump, self._end):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _finish(self) -> None:
        if self.delivers:
            await self._deliver()
        await self.says(ConversationUpdated(status=ConversationStatus.ENDED))

    async def says(self, *events: Event) -> None:
        await self.session.provider_said(events)

    async def agent(self, text: str, **members: Any) -> None:
        await self.says(Message(sender="agent", text=text, **members))

    async def types(self) -> None:
        await self.says(Typing(sender="agent"))

    async def _deliver(self) -> None:
        sid, log = self.session.sid, self.session.log
        while (message := await log.next_outgoing(sid)) is not None:
            if message.state is not OutboxState.ACCEPTED:
                return
            with contextlib.suppress(LocalProtocolError):
                await log.mark_sending(sid, message.oseq, 0)
                self.heard.append(bodies.read_outgoing(message.body)[0])
                receipt = bodies.receipt(sid, message.client_id, message.message_seq, Fate.DELIVERED)
                await log.settle(sid, message.oseq, OutboxState.DELIVERED, record=receipt)


@dataclass
class World:
    """One database, and the gateway that runs on it now."""

    settings: GatewaySettings
    client: HttpClient
    clock: Clock
    fail_point: FailPoint = no_fail_point
    url: str = ""
    upstreams: dict[SessionId, FakeUpstream] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    delivers: bool = True
    ends: bool = True
    app: Any = None
    tabs: list[Tab] = field(default_factory=list)
    upstream_class: type[FakeUpstream] = FakeUpstream
    _stack: contextlib.AsyncExitStack | None = None

    async def start(self) -> None:
        self.app = create_gateway(self.settings, clock=self.clock, upstreams=self._upstream, fail_point=self.fail_point)
        self._stack = contextlib.AsyncExitStack()
        server = await self._stack.enter_async_context(
            Server(self.app, graceful_s=2, trusted_proxies=self.settings.trusted_proxies)
        )
        self.url = server.url

    async def open_socket(self, url: str) -> Tab:
        tab = Tab(await self.client.open_socket(url))
        self.tabs.append(tab)
        return tab

    async def stop(self, *, drains: bool = False) -> None:
        if self._stack is not None:
            if drains:
                await drain(self.app)
            await self._stack.aclose()
            self._stack = None

    async def restart(self, **changes: Any) -> None:
        """Stop the gateway and start another one on the same database."""
        await self.stop()
        self.upstreams.clear()
        self.settings = replace(self.settings, **changes)
        await self.start()

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> HttpAnswer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named.setdefault("content-type", "application/json")
        return await self.client.send(HttpRequest(method, f"{self.url}{path}", named, body or b""))

    async def create(self, body: bytes = b"{}", **headers: str) -> Guest:
        answer = await self.ask("POST", SESSIONS, body, **headers)
        assert answer.status == 200, answer.body
        made = json.loads(answer.body)
        return Guest(self, SessionId(made["sessionId"]), made["token"], made)

    def _upstream(self, session: SessionLink) -> FakeUpstream:
        upstream = self.upstreams[session.sid] = self.upstream_class(session, self.heard)
        upstream.delivers, upstream.ends = self.delivers, self.ends
        return upstream


@dataclass
class Guest:
    """Who has a session."""

    world: World
    sid: SessionId
    token: str
    answer: dict[str, Any]

    @property
    def socket_url(self) -> str:
        return f"{self.world.url.replace('http', 'ws')}/ws"

    @property
    def upstream(self) -> FakeUpstream:
        return self.world.upstreams[self.sid]

    async def open(self, epoch: str | None = None, after: int | None = None, tab: str = "t") -> Tab:
        """Open a connection, say hello and read up to `synced`."""
        tab_ = await self.knock()
        await tab_.say(type="hello", sessionId=self.sid, token=self.token, epoch=epoch, after=after, tab=tab)
        tab_.welcome = await tab_.next()
        assert tab_.welcome["type"] == "welcome", tab_.welcome
        await tab_.until("synced")
        return tab_

    async def knock(self) -> Tab:
        """Open a connection and say nothing."""
        return await self.world.open_socket(self.socket_url)

    async def plain(self) -> Tab:
        """Open a connection as the tutorial does."""
        query = urlencode({"sessionId": self.sid, "token": self.token})
        return await self.world.open_socket(f"{self.socket_url}?{query}")


class Tab:
    """One connection, and all it was sent."""

    def __init__(self, socket: ClientSocket) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.welcome: dict[str, Any] = {}
        self._iterator = socket.__aiter__()

    async def say(self, **members: Any) -> None:
        await self.socket.send_text(json.dumps(members))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            frame: dict[str, Any] = json.loads(await anext(self._iterator))
        self.frames.append(frame)
        return frame

    async def until(self, kind: str, **members: Any) -> dict[str, Any]:
        """Read on until a frame of this type, with these members."""
        while True:
            frame = await self.next()
            if frame["type"] == kind and all(frame.get(name) == value for name, value in members.items()):
                return frame

    async def until_seq(self, seq: int) -> None:
        """Read on until the record `seq` was seen."""
        while self.last < seq:
            await self.next()

    async def rest(self) -> int | None:
        """Read on until the close, and return its code."""
        async with asyncio.timeout(10):
            async for text in self._iterator:
                self.frames.append(json.loads(text))
        return self.socket.close_code

    @property
    def records(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if "seq" in frame and frame["type"] not in {"welcome", "synced", "pong"}]

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.records]

    @property
    def last(self) -> int:
        return max(self.seqs, default=0)

    @property
    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]

    @property
    def texts(self) -> list[str]:
        return [frame["text"] for frame in self.frames if frame["type"] in {"message", "bot-message"}]

    async def drop(self) -> None:
        await self.socket.aclose()


@asynccontextmanager
async def relay_world(
    tmp_path: Path, *, clock: Clock | None = None, fail_point: FailPoint = no_fail_point, **options: Any
) -> AsyncIterator[World]:
    options = {"sessions_burst": 1000, "sessions_per_minute_total": 100_000.0, **options}
    settings = GatewaySettings(provider=PROVIDER, log_file=tmp_path / "log" / "sessions.sqlite3", **options)
    async with HttpClient() as client:
        world = World(settings, client, clock or SystemClock(), fail_point)
        await world.start()
        try:
            yield world
        finally:
            for tab in world.tabs:
                await tab.drop()
            await world.stop()
