"""Every server-side WebSocket shell keeps the promises of net.websocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette

from guestwire.net.http import HttpClient, HttpSocket
from guestwire.net.memory import MemorySocket, open_in_memory
from guestwire.net.server import Server
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.uvicorn_protocols import BoundedWebSocket
from guestwire.net.websocket import Authorise
from guestwire.testing.check_transport import TRANSPORT_CHECKS, Check, OpenSocket, Serve, check_transport


class RealSocket(HttpSocket):
    async def send_bytes(self, data: bytes) -> None:
        await self._socket.send_bytes(data)


@asynccontextmanager
async def starlette_route(authorise: Authorise) -> AsyncIterator[OpenSocket]:
    app = Starlette(routes=[websocket_route("/ws", authorise)])
    async with Server(app) as server, HttpClient() as client:

        async def open_socket(query: str) -> RealSocket:
            socket = await client.open_socket(f"{server.ws_url}/ws?{query}")
            return RealSocket(socket._socket, socket._where)

        yield open_socket


@asynccontextmanager
async def starlette_route_elsewhere(authorise: Authorise) -> AsyncIterator[OpenSocket]:
    """The route under a server that keeps its connections for itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("guestwire.net.server.DirectWebSocket", BoundedWebSocket)
        async with starlette_route(authorise) as open_socket:
            yield open_socket


@asynccontextmanager
async def in_memory(authorise: Authorise) -> AsyncIterator[OpenSocket]:
    async def open_socket(query: str) -> MemorySocket:
        return await open_in_memory(authorise, f"ws://memory/ws?{query}")

    yield open_socket


@pytest.mark.parametrize("check", TRANSPORT_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "serve", [starlette_route, starlette_route_elsewhere, in_memory], ids=lambda serve: serve.__name__
)
async def test_shell(serve: Serve, check: Check) -> None:
    await check(serve)


async def test_suite_runs_as_a_whole() -> None:
    await check_transport(in_memory)
