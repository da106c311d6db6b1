"""Large answers, read as they come."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from guestwire.errors import ConnectFailed, ConnectionLost, RemoteProtocolError
from guestwire.model.http import HttpRequest
from guestwire.net.http import HttpClient
from guestwire.net.server import Server

pytestmark = pytest.mark.anyio


async def endless(_request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)  # or nobody could tell it that the reader has gone

    return StreamingResponse(chunks())


async def short(_request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"0123456789"

    return StreamingResponse(chunks(), headers={"content-length": "20"})


async def whole(request: Request) -> Response:
    return Response(b"y" * 2_000_000, status_code=int(request.query_params.get("status", "200")))


async def elsewhere(_request: Request) -> Response:
    return RedirectResponse("/whole")


APP = Starlette(
    routes=[Route("/endless", endless), Route("/short", short), Route("/whole", whole), Route("/elsewhere", elsewhere)]
)


async def test_a_large_answer_comes_in_pieces() -> None:
    """More than an ordinary answer may have, whatever its status."""
    async with Server(APP) as server, HttpClient() as client:
        for status in (200, 404):
            async with client.download(HttpRequest("GET", f"{server.url}/whole?status={status}")) as download:
                assert download.answer.status == status
                assert download.answer.headers["content-length"] == "2000000"
                pieces = [len(chunk) async for chunk in download.chunks]
            assert sum(pieces) == 2_000_000
            assert len(pieces) > 1


async def test_who_leaves_reads_no_further() -> None:
    """The connection is closed, and nothing is left behind."""
    async with Server(APP, graceful_s=1) as server, HttpClient() as client:
        for _ in range(3):
            async with client.download(HttpRequest("GET", f"{server.url}/endless")) as download:
                assert await anext(download.chunks)
        async with client.download(HttpRequest("GET", f"{server.url}/endless")):
            pass
        gc.collect()


async def test_what_goes_wrong() -> None:
    """Redirects are not followed, and what breaks off says so."""
    async with Server(APP, graceful_s=1) as server, HttpClient() as client:
        with pytest.raises(RemoteProtocolError) as redirected:
            async with client.download(HttpRequest("GET", f"{server.url}/elsewhere")):
                pass
        assert redirected.value.code == "redirected"
        async with client.download(HttpRequest("GET", f"{server.url}/short")) as download:
            assert await anext(download.chunks) == b"0123456789"
            with pytest.raises(ConnectionLost):
                await anext(download.chunks)
        with pytest.raises(ConnectFailed):
            async with client.download(HttpRequest("GET", "http://127.0.0.1:1/")):
                pass
