"""The server: binds first, reports a taken port, shuts down gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.errors import ConfigError
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.net import uvicorn_protocols
from guestwire.net.http import HttpClient
from guestwire.net.server import Server, _bind, _both_forms
from guestwire.net.signals import stop_signals
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.protocols.guest_session.relay import HELLO_S


async def hello(request: Request) -> Response:
    return Response(request.client.host if request.client else "")


async def test_a_taken_port_is_named_with_the_fix() -> None:
    async with Server(Starlette()) as first:
        with pytest.raises(ConfigError, match=f"{first.port} on 127.0.0.1 is taken") as caught:
            await Server(Starlette(), port=first.port).__aenter__()
        assert caught.value.code == "port-in-use"
        assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.1"])
async def test_an_address_that_is_not_ours_is_a_settings_error(host: str) -> None:
    with pytest.raises(ConfigError, match="Can't listen"):
        await Server(Starlette(), host=host).__aenter__()


async def test_lifespan_runs_around_and_its_errors_come_out() -> None:
    steps: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        steps.append("start")
        yield
        steps.append("stop")

    async with Server(Starlette(lifespan=lifespan)):
        assert steps == ["start"]
    assert steps == ["start", "stop"]

    @contextlib.asynccontextmanager
    async def failing(app: Starlette) -> AsyncIterator[None]:
        if app.routes == []:
            raise ConfigError("a setting is wrong")
        yield

    server = Server(Starlette(lifespan=failing))
    with pytest.raises(ConfigError, match="a setting is wrong"):
        await server.__aenter__()
    with socket.create_server(("127.0.0.1", server.port)):
        pass  # the port is free again


async def test_errors_of_the_body_come_out_as_they_are() -> None:
    with pytest.raises(KeyError):
        async with Server(Starlette()):
            raise KeyError("mine")


async def test_a_running_request_is_finished_at_the_end() -> None:
    entered = asyncio.Event()
    leave = asyncio.Event()

    async def slow(_request: Request) -> Response:
        entered.set()
        await leave.wait()
        return Response("done")

    async with HttpClient() as client:
        server = Server(Starlette(routes=[Route("/", slow)]))
        await server.__aenter__()
        asking: asyncio.Task[HttpAnswer] = asyncio.create_task(client.send(HttpRequest("GET", server.url)))
        await entered.wait()
        closing = asyncio.create_task(server.__aexit__(None, None, None))
        await asyncio.sleep(0)
        leave.set()
        assert (await asking).body == b"done"
        await closing


async def test_answers_name_no_software() -> None:
    async with Server(Starlette(routes=[Route("/", hello)])) as server, HttpClient() as client:
        answer = await client.send(HttpRequest("GET", server.url))
    assert "server" not in answer.headers
    assert "date" in answer.headers


def test_answers_are_not_delayed() -> None:
    """Asyncio sets TCP_NODELAY only where the socket names its protocol; else every answer waits 40 ms."""
    with _bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


async def test_forwarded_addresses_are_believed_only_of_trusted_proxies() -> None:
    request_headers = {"x-forwarded-for": "198.51.100.7, 127.0.0.1"}
    for trusted, expected in (((), b"127.0.0.1"), (("127.0.0.1",), b"198.51.100.7")):
        app = Starlette(routes=[Route("/", hello)])
        async with Server(app, trusted_proxies=trusted) as server, HttpClient() as client:
            assert (await client.send(HttpRequest("GET", server.url, request_headers))).body == expected


async def test_urls_are_what_a_browser_can_open() -> None:
    async with Server(Starlette(), host="0.0.0.0") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
    assert Server(Starlette(), host="::1", port=80).ws_url == "ws://[::1]:80"


async def test_refused_upgrades_leave_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(_request: UpgradeRequest) -> SocketHandler | Refusal:
        return Refusal(403)

    with caplog.at_level(logging.DEBUG):
        async with Server(Starlette(routes=[websocket_route("/ws", refuse)])) as server, HttpClient() as client:
            with contextlib.suppress(Exception):
                await client.open_socket(f"{server.ws_url}/ws?token=canary")
    assert "canary" not in caplog.text
    assert "handshake" not in caplog.text


async def test_signals_ask_to_stop_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with stop_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_proxy_is_known_on_a_socket_of_both_families() -> None:
    """There an IPv4 proxy arrives as ::ffff:127.0.0.1; a socket of one family shows it as it is."""
    assert _both_forms("127.0.0.0/8") == ("127.0.0.0/8", "::ffff:127.0.0.0/104")
    assert _both_forms("10.0.0.5") == ("10.0.0.5", "::ffff:10.0.0.5/128")
    assert _both_forms("fd00::/8") == ("fd00::/8",)


@pytest.mark.parametrize("proxies, is_believed", [(("127.0.0.0/8",), True), (("10.0.0.0/8",), False)])
async def test_a_proxy_on_both_families_is_believed(proxies: tuple[str, ...], is_believed: bool) -> None:
    """Where the machine has IPv6, the server listens on both; else on what it has."""
    app = Starlette(routes=[Route("/", hello)])
    host = "::" if socket.has_dualstack_ipv6() else "127.0.0.1"
    async with Server(app, host=host, trusted_proxies=proxies) as server, HttpClient() as client:
        headers = {"x-forwarded-for": "198.51.100.7"}
        answer = await client.send(HttpRequest("GET", f"http://127.0.0.1:{server.port}/", headers))
    assert (answer.body == b"198.51.100.7") is is_believed


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000, b"GET /" + b"a" * 200_000])
async def test_a_head_without_end_is_cut_off(head: bytes) -> None:
    """The parser keeps headers of any length; a stranger could fill the memory through one connection."""
    async with Server(Starlette(routes=[Route("/", hello)])) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        with contextlib.suppress(ConnectionError):
            for _ in range(50):
                writer.write(head)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert b"200 OK" not in await asyncio.wait_for(reader.read(), 5)
        writer.close()
        async with HttpClient() as client:
            assert (await client.send(HttpRequest("GET", f"{server.url}/"))).status == 200


class Flood:
    """Sends without end, and takes note when it is over."""

    def __init__(self) -> None:
        self.closed_with = asyncio.get_running_loop().create_future()
        self._socket: Socket | None = None

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        self.text("")

    def text(self, _frame: str) -> None:
        assert self._socket is not None
        while self._socket.is_writable:
            self._socket.send("x" * 8192)

    def writable(self) -> None:
        self.text("")

    def closed(self, code: int) -> None:
        if not self.closed_with.done():
            self.closed_with.set_result(code)


async def test_a_peer_that_stops_reading_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits behind what it does not read: its connection, handler and memory are freed."""
    monkeypatch.setattr("guestwire.net.uvicorn_protocols.STALLED_S", 0.2)
    floods: list[Flood] = []

    async def authorise(_request: UpgradeRequest) -> SocketHandler:
        floods.append(Flood())
        return floods[-1]

    async with Server(Starlette(routes=[websocket_route("/ws", authorise)])) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        assert await asyncio.wait_for(floods[0].closed_with, 10) == 4411
        writer.close()


async def test_a_close_that_nobody_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is gone a moment later, and with `HELLO_S` before it within 12 s (D-06)."""
    assert HELLO_S + uvicorn_protocols.CLOSE_S < 12
    monkeypatch.setattr(uvicorn_protocols, "CLOSE_S", 0.2)

    class Closes(Flood):
        def opened(self, socket: Socket) -> None:
            socket.close(4408)

    async def authorise(_request: UpgradeRequest) -> SocketHandler:
        return Closes()

    async with Server(Starlette(routes=[websocket_route("/ws", authorise)])) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 5) == b"\x88\x02\x11\x38"
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        [b""],
        [b"GET / HT", b"TP/1.1\r\n", b"x: ", b"y"],
        [b"\r\n", b"\r\n"],
        [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /", b" HTTP"],
        [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"],
        [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"a", b"b"],
    ],
    ids=["nothing", "drops", "blank-lines", "second-request", "blank-after-answer", "body-after-answer"],
)
async def test_a_head_that_takes_too_long_is_cut_off(head: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it never begins or never ends, of the first request or a later one."""
    monkeypatch.setattr("guestwire.net.uvicorn_protocols.HEAD_S", 0.2)
    async with Server(Starlette(routes=[Route("/", hello, methods=["GET", "POST"])])) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for part in head:
            writer.write(part)
            await writer.drain()
            if part.endswith(b"\r\n\r\n"):
                await reader.readuntil(b"127.0.0.1")  # the answer
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()


async def test_a_head_in_time_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was used lives on beyond the limit: a slow answer, a WebSocket."""
    monkeypatch.setattr("guestwire.net.uvicorn_protocols.HEAD_S", 0.2)
    floods: list[Flood] = []

    async def slow(_request: Request) -> Response:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.5)
        return Response("done")

    async def authorise(_request: UpgradeRequest) -> SocketHandler:
        floods.append(Flood())
        return floods[-1]

    routes = [Route("/", slow), websocket_route("/ws", authorise)]
    async with Server(Starlette(routes=routes)) as server, HttpClient() as client:
        socket = await client.open_socket(f"{server.ws_url}/ws")
        for _ in range(2):
            assert (await client.send(HttpRequest("GET", f"{server.url}/"))).body == b"done"
        assert not floods[0].closed_with.done()
        await socket.aclose()


async def test_the_end_of_the_server_is_told_to_both_sides() -> None:
    """1012 to the client, who comes again, and to the handler, also of a peer that takes nothing."""
    floods: list[Flood] = []

    async def authorise(_request: UpgradeRequest) -> SocketHandler:
        floods.append(Flood())
        return floods[-1]

    async with HttpClient() as client:
        async with Server(Starlette(routes=[websocket_route("/ws", authorise)]), graceful_s=1) as server:
            sockets = [await client.open_socket(f"{server.ws_url}/ws") for _ in range(2)]
        for socket, flood in zip(sockets, floods, strict=True):
            assert await asyncio.wait_for(flood.closed_with, 10) == 1012
            assert [frame async for frame in socket if not frame] == []
            assert socket.close_code in {1006, 1012}  # the code is behind what the client had not read


@pytest.mark.skipif(sys.platform == "win32", reason="There is no such limit.")
async def test_with_no_file_left_it_says_so_a_few_times_and_recovers() -> None:
    """One connection that can't be accepted must not fill the log; once there is a file it is served."""
    import resource  # POSIX only

    failed = asyncio.Event()
    messages: list[str] = []

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        messages.append(str(context["message"]))
        failed.set()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    app = Starlette(routes=[Route("/", hello)])
    async with Server(app) as server:
        asyncio.get_running_loop().set_exception_handler(note)
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as peer:
            free = os.dup(0)
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            try:
                await asyncio.wait_for(failed.wait(), 10)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            peer.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(peer, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 100), 10)
    assert answer.startswith(b"HTTP/1.1 200")
    assert 0 < messages.count("socket.accept() out of system resource") < 1000  # 64 each second; it was 2,048
