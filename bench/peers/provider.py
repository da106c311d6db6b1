"""The provider behind every relay: small and fast, so that it is not what is measured.

It speaks guest-session as far as a relay needs it: access tokens, session creation, a WebSocket that answers pings with
pongs. It knows no tokens, lets everybody in, and says nothing by itself. Any path is served, so that the plain relays,
which know no sessions, can use it too.

The load runs it in its own process, where one clock sees both ends of a relay. Alone it is an agent who answers
everything: `provider.py` prints `ready HTTP_PORT SOCKET_PORT`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools
import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

STAMP_DIGITS = 20
FILLER = b"x" * 100
_TOKEN = b'{"access_token":"bench","token_type":"bearer","expires_in":36000,"scope":"chat:guest:create"}'


def stamp() -> bytes:
    """Return the time, as messages carry it at the beginning of their text."""
    return b"@%020d" % time.perf_counter_ns()


def age_ns(payload: bytes) -> int | None:
    """Return how long ago a frame's text was written; None for one without a stamp."""
    at = payload.find(b'"@') + 2
    return time.perf_counter_ns() - int(payload[at : at + STAMP_DIGITS]) if at > 1 else None


def agent_message(at: bytes) -> bytes:
    """Return a message of the agent's, some 200 bytes, with a stamp."""
    return (
        b'{"type":"message","from":"agent","text":"'
        + at
        + FILLER
        + b'","timestamp":"2026-01-01T12:00:00.000Z","name":"Ada"}'
    )


class Line(WSListener):
    """One guest's connection, seen from the provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Be counted."""
        self._transport = transport
        self._provider.lines[self] = None

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Be counted no more."""
        self._provider.lines.pop(self, None)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame; picows itself answers pings."""
        if frame.msg_type == WSMsgType.TEXT:
            provider = self._provider
            payload = frame.get_payload_as_bytes()
            provider.received += 1
            if provider.on_received is not None:
                provider.on_received()
            if provider.is_timing and (age := age_ns(payload)) is not None:
                provider.times_ns.append(age)
            if provider.answers:
                at = payload.find(b'"@') + 1
                transport.send(WSMsgType.TEXT, agent_message(payload[at : at + STAMP_DIGITS + 1]))
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def push(self) -> None:
        """Let the agent say something."""
        self._transport.send(WSMsgType.TEXT, agent_message(stamp()))


class Provider:
    """Both servers; use it as `async with Provider().serving() as provider`."""

    def __init__(self) -> None:
        self.lines: dict[Line, None] = {}
        """Who is connected, in the order of coming."""
        self.answers = True
        """Whether each guest message is answered by an agent's with the same stamp."""
        self.is_timing = False
        self.times_ns: list[int] = []
        self.received = 0
        self.on_received: Callable[[], None] | None = None
        """Called for each guest message."""
        self.http_port = 0
        self.socket_port = 0

    @property
    def base_url(self) -> str:
        """REST base."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def socket_url(self) -> str:
        """WebSocket address without a query."""
        return f"ws://127.0.0.1:{self.socket_port}/ws"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Provider]:
        """Serve until the end of the block."""

        def let_in(_request: WSUpgradeRequest) -> WSListener:
            return Line(self)

        loop = asyncio.get_running_loop()
        http = await loop.create_server(RestCall, "127.0.0.1", 0, backlog=2048)
        sockets = await ws_create_server(let_in, "127.0.0.1", 0, backlog=2048)
        self.http_port = http.sockets[0].getsockname()[1]
        self.socket_port = sockets.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            http.close()
            sockets.close()


class RestCall(asyncio.Protocol):
    """Answers `POST …/oauth/token` and `POST …/guestsessions`, one request after the other."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Note what is asked for."""
        self._path = url

    def on_message_complete(self) -> None:
        """Answer."""
        if self._path.endswith(b"/token"):
            body = _TOKEN
        else:
            body = (
                b'{"sessionId":"%s-%d","token":"bench","extensions":["typing","end"],"expiresIn":86400}'
                % (secrets.token_hex(8).encode(), next(self._numbers))
            )  # fmt: skip
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )


async def main() -> None:
    """Serve until the process is ended."""
    async with Provider().serving() as provider:
        print("ready", provider.http_port, provider.socket_port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
