"""Pings and certain failures of the real client socket, through a network that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette

from guestwire.errors import ConnectionLost, NotWritten
from guestwire.net.http import HttpClient, HttpSocket
from guestwire.net.server import Server
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.testing import eventually
from guestwire.testing.fault_proxy import FaultProxy


class Echo:
    """Sends back what it gets."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self._socket: Socket | None = None

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        return self

    def opened(self, socket: Socket) -> None:
        self._socket = socket

    def text(self, frame: str) -> None:
        self.got.append(frame)
        assert self._socket is not None
        self._socket.send(frame)

    def writable(self) -> None:
        pass

    def closed(self, code: int) -> None:
        pass


class Reader:
    """Reads a socket in a task of its own."""

    def __init__(self, socket: HttpSocket) -> None:
        self.frames: list[str] = []
        self._socket = socket
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self._socket:
            self.frames.append(frame)


@asynccontextmanager
async def connected(*, heartbeat_s: float = 25.0) -> AsyncIterator[tuple[Echo, FaultProxy, HttpSocket, Reader]]:
    echo = Echo()
    app = Starlette(routes=[websocket_route("/ws", echo.authorise)])
    async with (
        Server(app) as server,
        FaultProxy("127.0.0.1", server.port) as proxy,
        HttpClient(heartbeat_s=heartbeat_s) as client,
    ):
        socket = await client.open_socket(f"ws://127.0.0.1:{proxy.port}/ws")
        reader = Reader(socket)
        try:
            yield echo, proxy, socket, reader
        finally:
            await socket.aclose()
            await reader.task


async def test_two_pongs_prove_that_the_peer_has_it_and_its_answer_is_read() -> None:
    async with connected() as (echo, _, socket, reader):
        for number in range(50):
            await socket.send_text(str(number))
            await socket.ping()
            await socket.ping()
            assert echo.got[-1] == str(number)
            assert reader.frames[-1] == str(number)


async def test_pings_beside_each_other_all_get_an_answer() -> None:
    async with connected() as (_, _, socket, _):
        await asyncio.gather(*(socket.ping() for _ in range(20)))


@pytest.mark.parametrize("with_reset", [True, False])
async def test_a_ping_ends_with_its_connection(*, with_reset: bool) -> None:
    async with connected() as (_, proxy, socket, reader):
        with proxy.black_hole():
            ping = asyncio.create_task(socket.ping())
            await asyncio.sleep(0)
            assert not ping.done()
            (proxy.reset if with_reset else proxy.cut)()
        with pytest.raises(ConnectionLost):
            await ping
        await reader.task
        with pytest.raises(NotWritten):
            await socket.ping()
        with pytest.raises(NotWritten):
            await socket.send_text("too late")


async def test_a_ping_ends_when_we_close() -> None:
    async with connected() as (_, proxy, socket, _):
        with proxy.black_hole():
            ping = asyncio.create_task(socket.ping())
            await asyncio.sleep(0)
            closing = asyncio.create_task(socket.aclose())
            with pytest.raises(ConnectionLost):
                await ping
        await closing


async def test_a_frame_is_written_or_certainly_not() -> None:
    """Whatever is reported as not written never arrives, however the connection breaks."""
    for number in range(20):
        async with connected() as (echo, proxy, socket, reader):
            await socket.send_text("first")
            await eventually(lambda: reader.frames)
            proxy.reset()
            certain: list[str] = []
            for turn in range(4):
                try:
                    await socket.send_text(f"{number}.{turn}")
                except NotWritten:
                    certain.append(f"{number}.{turn}")
                except ConnectionLost:
                    pass
                await asyncio.sleep(0)
            await reader.task
            assert not set(certain) & set(echo.got)


async def test_a_peer_that_answers_its_heartbeat_is_kept_and_one_that_does_not_is_given_up() -> None:
    async with connected(heartbeat_s=0.05) as (_, proxy, socket, reader):
        with proxy.black_hole():
            await asyncio.wait_for(reader.task, 60.0)
        assert socket.close_code == 1006
        with pytest.raises(NotWritten):
            await socket.send_text("too late")


async def test_a_heartbeat_says_nothing_of_a_peer_that_is_not_read() -> None:
    app = Starlette(routes=[websocket_route("/ws", Echo().authorise)])
    async with Server(app) as server, HttpClient() as client:
        socket = await client.open_socket(f"ws://127.0.0.1:{server.port}/ws")
        for _ in range(3):
            socket._heard_at -= 1000.0
            socket._beat_due()
        assert socket._beating is None
        await socket.send_text("here")
        reader = Reader(socket)
        await eventually(lambda: reader.frames == ["here"])
        await socket.aclose()
        await reader.task
