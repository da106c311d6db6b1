"""The guests: WebSockets on picows and a minimal HTTP client, fast enough not to be what is measured.

Load and provider live in one process, on the second core; what is measured has the first one to itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httptools
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.peers.provider import FILLER, Line, Provider, age_ns, stamp
from bench.servers import READY_S, Running

SESSIONS_PATH = "/api/v2/chat/guestsessions"
CONNECTING_AT_ONCE = 64
LEAST_FREE_FILES = 500


def most_chats() -> int:
    """Return how many chats the limit on open files allows: load and provider have one each here."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return (hard - LEAST_FREE_FILES) // 2


class Chat(WSListener):
    """A guest. What the agent says is counted; everything else that a relay shows is let pass."""

    def __init__(self) -> None:
        self.answers = 0
        self.sent = 0
        self.on_answer: Callable[[], None] | None = None
        """Called for each message of the agent's."""
        self.times_ns: list[int] | None = None
        self.problem: bytes | None = None
        self.is_open = False
        self.synced: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.records = 0
        self._transport: WSTransport
        self._head = b'{"type":"message","clientId":"%s-' % secrets.token_hex(8).encode()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the socket."""
        self._transport = transport
        self.is_open = True

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Stop."""
        self.is_open = False
        if not self.synced.done():
            self.synced.set_exception(RuntimeError(f"closed before synced: {transport.close_handshake}"))
            self.synced.exception()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        payload = frame.get_payload_as_bytes()
        if b'"agent"' in payload:
            self.answers += 1
            if self.times_ns is not None and (age := age_ns(payload)) is not None:
                self.times_ns.append(age)
            if self.on_answer is not None:
                self.on_answer()
        elif b'"synced"' in payload:
            self.synced.set_result(time.perf_counter())
        elif payload.startswith(b'{"type":"error"'):
            self.problem = payload

    def hello(self, session_id: str, token: str, after: int | None = None, epoch: str | None = None) -> None:
        """Say who it is."""
        frame = {"type": "hello", "sessionId": session_id, "token": token, "epoch": epoch, "after": after, "tab": "1"}
        self._transport.send(WSMsgType.TEXT, json.dumps(frame).encode())

    def send(self) -> None:
        """Say something, some 200 bytes."""
        self.sent += 1
        self._transport.send(WSMsgType.TEXT, b'%s%06d","text":"%s%s"}' % (self._head, self.sent, stamp(), FILLER))

    def disconnect(self) -> None:
        """Close."""
        self._transport.disconnect()


class Rotation:
    """Keeps so many messages in flight over many chats, each in its turn, so that all of them are in use."""

    def __init__(self, senders: Sequence[Callable[[], None]]) -> None:
        """Take what sends one message, for each chat."""
        self._turns = itertools.cycle(senders)
        self._is_over = False
        self.sent = 0

    def start(self, in_flight: int) -> None:
        """Send the first ones."""
        for _ in range(in_flight):
            self.step()

    def step(self) -> None:
        """Send the next one, because one has arrived."""
        if not self._is_over:
            self.sent += 1
            next(self._turns)()

    def stop(self) -> None:
        """Send no more."""
        self._is_over = True


@dataclass(frozen=True)
class Opened:
    """Chats that are open, and how the provider's ends stand."""

    chats: list[Chat]
    provider: Provider

    @property
    def answers(self) -> int:
        """What the agents said, as far as it has arrived."""
        return sum(chat.answers for chat in self.chats)

    async def arrived(self, count: Callable[[], int], expected: int) -> None:
        """Wait until nothing is missing.

        Raises:
            RuntimeError: Something was refused, is lost, or came twice.
        """
        try:
            async with asyncio.timeout(READY_S):
                while count() < expected:
                    self._check()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise RuntimeError(f"{expected - count()} of {expected} messages are lost.") from None
        self._check()
        if count() > expected:
            raise RuntimeError(f"{count() - expected} messages came twice.")

    def _check(self) -> None:
        for chat in self.chats:
            if chat.problem is not None:
                raise RuntimeError(f"refused: {chat.problem.decode()}")
            if not chat.is_open:
                raise RuntimeError("a chat was closed")

    def lines(self) -> list[Line]:
        """Return the provider's ends."""
        return list(self.provider.lines)[-len(self.chats) :]


@contextlib.asynccontextmanager
async def open_chats(server: Running, provider: Provider, count: int) -> AsyncIterator[Opened]:
    """Open chats; each has said something and has its answer, so that everything on the way is in place."""
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
    provider.answers, provider.is_timing = True, False
    sessions = None
    if server.keeps_sessions:
        sessions = HttpLoad(server.port)
        await sessions.open(16)

    async def open_one() -> Chat:
        async with gate:
            pair = await sessions.create_session() if sessions is not None else None
            chat = await connect(server, pair)
            chat.send()
            async with asyncio.timeout(READY_S):
                while not chat.answers:
                    if chat.problem is not None or not chat.is_open:
                        raise RuntimeError(f"a chat was refused: {(chat.problem or b'closed').decode()}")
                    await asyncio.sleep(0.002)
            return chat

    chats = await asyncio.gather(*(open_one() for _ in range(count)))
    if sessions is not None:
        sessions.close()
    opened = Opened(list(chats), provider)
    if len(opened.lines()) != count:
        raise RuntimeError(f"{count} chats, but {len(provider.lines)} at the provider.")
    try:
        yield opened
    finally:
        for chat in chats:
            chat.disconnect()
        provider.on_received = None


async def connect(
    server: Running, pair: tuple[str, str] | None, *, after: int | None = None, epoch: str | None = None
) -> Chat:
    """Open a socket and, where there is a session, say hello and wait for synced."""
    _, chat = await ws_connect(Chat, server.socket_url, websocket_handshake_timeout=READY_S)
    assert isinstance(chat, Chat)
    if pair is not None:
        chat.hello(*pair, after=after, epoch=epoch)
        async with asyncio.timeout(READY_S):
            await chat.synced
    return chat


# --- HTTP -------------------------------------------------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._answer = asyncio.get_running_loop().create_future()
        self._body = b""
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed"))

    def close(self) -> None:
        self._transport.close()


class HttpLoad:
    """Creates sessions over kept connections."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[_Connection] = deque()
        self._room = asyncio.Semaphore(0)
        body = b'{"name":"Grace Hopper","email":"grace@example.com"}'
        self._request = (
            f"POST {SESSIONS_PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def open(self, connections: int) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
            self._idle.append(connection)
            self._room.release()

    async def create_session(self) -> tuple[str, str]:
        """Create one session; return its pair."""
        async with self._room:
            connection = self._idle.popleft()
            status, body = await connection.ask(self._request)
            self._idle.append(connection)
        if status not in {200, 201}:
            raise RuntimeError(f"session creation answered {status}: {body[:300].decode(errors='replace')}")
        answer = json.loads(body)
        return answer["sessionId"], answer["token"]

    def close(self) -> None:
        """Close the connections, all idle now."""
        for connection in self._idle:
            connection.close()


def pin(core: int) -> None:
    """Keep this process on one core, where that can be asked for."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {core})
