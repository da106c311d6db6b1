"""Every transport sends a streamed body in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.errors import ChatError, LocalProtocolError, TimedOut
from guestwire.model.http import HttpAnswer, HttpRequest, Stream
from guestwire.net.http import HttpClient
from guestwire.net.memory import MemoryNetwork
from guestwire.net.server import Server
from guestwire.net.transport import Transport
from guestwire.net.websocket import Refusal, UpgradeRequest

Answer: TypeAlias = Callable[[HttpRequest], Awaitable[HttpAnswer]]


class Seen:
    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.status = 200

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        return HttpAnswer(self.status)


@asynccontextmanager
async def over_http(answer: Answer) -> AsyncIterator[tuple[Transport, str]]:
    async def put(request: Request) -> Response:
        assert "transfer-encoding" not in request.headers
        seen = HttpRequest(request.method, str(request.url), dict(request.headers), await request.body())
        return Response(status_code=(await answer(seen)).status)

    app = Starlette(routes=[Route("/file", put, methods=["PUT"])])
    async with Server(app) as server, HttpClient() as client:
        yield client, f"{server.url}/file"


@asynccontextmanager
async def in_memory(answer: Answer) -> AsyncIterator[tuple[Transport, str]]:
    async def authorise(_request: UpgradeRequest) -> Refusal:
        return Refusal(404)

    yield MemoryNetwork(answer, authorise), "http://localhost/file"


transports = pytest.mark.parametrize("serving", [over_http, in_memory], ids=lambda serving: serving.__name__)
Serving: TypeAlias = Callable[[Answer], AbstractAsyncContextManager[tuple[Transport, str]]]


async def pieces(*chunks: bytes, fails: Exception | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(0)
    if fails is not None:
        raise fails


def put(url: str, chunks: AsyncIterator[bytes], size: int) -> HttpRequest:
    return HttpRequest("PUT", url, {"x-tag": "t"}, stream=Stream(chunks, size))


@transports
async def test_it_arrives_whole(serving: Serving) -> None:
    seen = Seen()
    async with serving(seen) as (transport, url):
        answer = await transport.send(put(url, pieces(b"a" * 100_000, b"", b"b"), 100_001))
    [request] = seen.requests
    assert answer.status == 200
    assert request.body == b"a" * 100_000 + b"b"
    assert request.headers["x-tag"] == "t"


@transports
@pytest.mark.parametrize("chunks", [(b"ab",), (b"abc", b"d")], ids=["less", "more"])
async def test_another_size_than_was_said_is_an_error(serving: Serving, chunks: tuple[bytes, ...]) -> None:
    seen = Seen()
    async with serving(seen) as (transport, url):
        with pytest.raises(LocalProtocolError, match="3 bytes"):
            await transport.send(put(url, pieces(*chunks), 3))
    assert seen.requests == []


@transports
async def test_what_the_stream_raises_comes_out(serving: Serving) -> None:
    async with serving(Seen()) as (transport, url):
        with pytest.raises(KeyError):
            await transport.send(put(url, pieces(b"a", fails=KeyError("mine")), 3))


@transports
async def test_a_refusal_is_an_answer(serving: Serving) -> None:
    seen = Seen()
    seen.status = 403
    async with serving(seen) as (transport, url):
        assert (await transport.send(put(url, pieces(b"abc"), 3))).status == 403


async def test_a_peer_that_takes_nothing_is_left() -> None:
    """Its silence is limited, not the time of the whole: a slow stream may go on for longer."""

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.1)
            yield b"x"

    seen = Seen()
    async with over_http(seen) as (_, url), HttpClient(connect_timeout_s=0.1, answer_timeout_s=0.2) as client:
        assert (await client.send(put(url, slow(), 4))).status == 200

    release = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0, limit=1024)
    host, port = server.sockets[0].getsockname()[:2]
    async with server, HttpClient(answer_timeout_s=0.2) as client:
        failure: ChatError | None = None
        try:
            await client.send(put(f"http://{host}:{port}/", pieces(*[b"x" * 1_000_000] * 50), 50_000_000))
        except TimedOut as error:
            failure = error
        finally:
            release.set()
        assert failure is not None
