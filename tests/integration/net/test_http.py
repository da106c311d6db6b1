"""The real transport against servers that misbehave: our errors only, nothing followed, nothing leaked."""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from guestwire.errors import (
    ChatError,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    LocalProtocolError,
    RateLimited,
    RemoteProtocolError,
    SessionRefused,
    TimedOut,
)
from guestwire.model.http import HttpRequest
from guestwire.net.http import MAX_ANSWER_BYTES, HttpClient
from guestwire.net.server import Server
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest

CANARY = "canary-token-5ecret"


class Quiet:
    def opened(self, socket: Socket) -> None:
        pass

    def text(self, frame: str) -> None:
        pass

    def writable(self) -> None:
        pass

    def closed(self, code: int) -> None:
        pass


class Misbehaving:
    """A server with one path for each way to be wrong."""

    def __init__(self) -> None:
        self.visited: list[str] = []
        self.release = asyncio.Event()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/echo", self.echo, methods=["POST"]),
                Route("/redirect", self.redirect),
                Route("/landed", self.landed),
                Route("/large", self.large),
                Route("/hang", self.hang),
                Route("/plain", self.plain),
                websocket_route("/ws", self.authorise),
            ]
        )

    async def echo(self, request: Request) -> Response:
        return Response(await request.body(), status_code=201, headers={"X-Seen": request.headers.get("x-sent", "")})

    async def redirect(self, _request: Request) -> Response:
        return RedirectResponse("/landed", status_code=307)

    async def landed(self, _request: Request) -> Response:
        self.visited.append("landed")
        return Response("no")

    async def large(self, _request: Request) -> Response:
        return Response(b"x" * (MAX_ANSWER_BYTES + 1))

    async def hang(self, _request: Request) -> Response:
        await self.release.wait()
        return Response("late")

    async def plain(self, _request: Request) -> Response:
        return Response("a page")

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        status = int(request.query.get("status", "0"))
        return Refusal(status) if status else Quiet()


@asynccontextmanager
async def serving(**options: float) -> AsyncIterator[tuple[Server, HttpClient, Misbehaving]]:
    wrong = Misbehaving()
    async with Server(wrong.app(), graceful_s=1) as server, HttpClient(**options) as client:  # type: ignore[arg-type]
        try:
            yield server, client, wrong
        finally:
            wrong.release.set()


def words(error: ChatError) -> str:
    """Return everything a printed error shows."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__) + repr(error.__cause__)


async def test_request_and_answer_arrive_whole() -> None:
    async with serving() as (server, client, _):
        answer = await client.send(HttpRequest("POST", f"{server.url}/echo", {"x-sent": "1"}, b"body"))
    assert (answer.status, answer.body, answer.headers["x-seen"]) == (201, b"body", "1")


async def test_redirects_are_answers() -> None:
    async with serving() as (server, client, wrong):
        answer = await client.send(HttpRequest("GET", f"{server.url}/redirect"))
        assert answer.status == 307
        assert wrong.visited == []


async def test_redirects_of_an_upgrade_are_refused() -> None:
    """Aiohttp would follow them, also to other hosts."""
    async with serving() as (target, client, wrong):
        location = f"{target.url}/landed".encode()
        answer = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
        server, authority = await raw_answers(answer)
        async with server:
            with pytest.raises(RemoteProtocolError) as caught:
                await client.open_socket(f"ws://{authority}/ws?token={CANARY}")
        assert caught.value.code == "redirected"
        assert CANARY not in words(caught.value)
        assert wrong.visited == []


async def test_large_answers_are_not_kept() -> None:
    async with serving() as (server, client, _):
        with pytest.raises(RemoteProtocolError, match="larger than"):
            await client.send(HttpRequest("GET", f"{server.url}/large"))


async def test_hanging_answers_time_out() -> None:
    async with serving(answer_timeout_s=0.1) as (server, client, _):
        with pytest.raises(TimedOut) as caught:
            await client.send(HttpRequest("GET", f"{server.url}/hang?token={CANARY}"))
        assert (caught.value.phase, caught.value.limit_s) == (f"The answer to GET {server.url}/hang", 0.1)
    assert CANARY not in words(caught.value)


async def test_hanging_upgrades_time_out() -> None:
    async with HttpClient(answer_timeout_s=0.1) as client:
        # This one takes connections and says nothing.
        with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(TimedOut) as caught:
            await client.open_socket(f"ws://127.0.0.1:{listener.getsockname()[1]}/ws?token={CANARY}")
    assert CANARY not in words(caught.value)


@pytest.mark.parametrize(
    "status, kind, code",
    [
        (403, SessionRefused, "socket-refused"),
        (401, SessionRefused, "socket-refused"),
        (429, RateLimited, "rate-limited"),
        (500, ConnectFailed, "unreachable"),
        (404, RemoteProtocolError, "bad-answer"),
    ],
)
async def test_refused_upgrades_say_why_and_not_with_what(status: int, kind: type[ChatError], code: str) -> None:
    async with serving() as (server, client, _):
        with pytest.raises(kind) as caught:
            await client.open_socket(f"{server.ws_url}/ws?status={status}&token={CANARY}")
    assert caught.value.code == code
    assert CANARY not in words(caught.value)


async def test_what_is_no_websocket_is_an_error() -> None:
    async with serving() as (server, client, _):
        with pytest.raises(RemoteProtocolError):
            await client.open_socket(f"{server.ws_url}/ws?status=200&token={CANARY}")


async def test_nobody_there() -> None:
    async with Server(Starlette()) as server:
        url = server.url
    async with HttpClient() as client:
        with pytest.raises(ConnectFailed) as caught:
            await client.send(HttpRequest("GET", f"{url}/?token={CANARY}"))
        assert caught.value.code == "unreachable"
        assert CANARY not in words(caught.value)
        with pytest.raises(ConnectFailed):
            await client.open_socket(url.replace("http", "ws"))


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "ftp://localhost/", "http://[::1", "file:///etc/passwd"])
async def test_what_is_no_address_is_an_error_of_ours(url: str) -> None:
    async with HttpClient() as client:
        with pytest.raises(RemoteProtocolError):
            await client.send(HttpRequest("GET", url))
        with pytest.raises(RemoteProtocolError):
            await client.open_socket(url)


async def test_line_breaks_in_headers_are_not_sent() -> None:
    async with serving() as (server, client, _):
        with pytest.raises(ChatError):
            await client.send(HttpRequest("GET", f"{server.url}/plain", {"x-bad": "a\r\nb: c"}))


async def raw_answers(answer: bytes) -> tuple[asyncio.Server, str]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "answer, kind",
    [
        (b"", ConnectionLost),
        (b"SSH-2.0-OpenSSH\r\n\r\n", RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", ConnectionLost),
    ],
)
async def test_broken_http_is_an_error_of_ours(answer: bytes, kind: type[ChatError]) -> None:
    server, authority = await raw_answers(answer)
    async with server, HttpClient() as client:
        with pytest.raises(kind) as caught:
            await client.send(HttpRequest("GET", f"http://{authority}/?token={CANARY}"))
        assert CANARY not in words(caught.value)
        with pytest.raises(ChatError) as caught_on_upgrade:
            await client.open_socket(f"ws://{authority}/?token={CANARY}")
        assert CANARY not in words(caught_on_upgrade.value)


async def test_tls_is_verified(tmp_path: Path) -> None:
    """An unknown authority fails with the reason; named in ca_file it is trusted."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    wrong = Misbehaving()
    async with Server(wrong.app(), ssl=context) as server:
        assert server.url.startswith("https://")
        async with HttpClient() as client:
            with pytest.raises(ConnectFailed, match=r"self.signed|issuer") as caught:
                await client.send(HttpRequest("GET", f"{server.url}/plain"))
            assert caught.value.code == "tls-failed"
            with pytest.raises(ConnectFailed) as caught:
                await client.open_socket(f"{server.ws_url}/ws?token={CANARY}")
            assert caught.value.code == "tls-failed"
            assert CANARY not in words(caught.value)
        async with HttpClient(ca_file=ca_file) as client:
            assert (await client.send(HttpRequest("GET", f"{server.url}/plain"))).status == 200
            await (await client.open_socket(f"{server.ws_url}/ws")).aclose()


def test_bad_ca_files_are_settings_errors(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(ConfigError, match="no certificate"):
        HttpClient(ca_file=empty)
    with pytest.raises(ConfigError, match="can't be read"):
        HttpClient(ca_file=tmp_path / "missing.pem")


async def test_environment_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    async with serving() as (server, client, _):
        assert (await client.send(HttpRequest("GET", f"{server.url}/plain"))).status == 200
        async with HttpClient(use_system_proxy=True) as asked:
            with pytest.raises(ConnectFailed):
                await asked.send(HttpRequest("GET", f"{server.url}/plain"))


async def test_a_lost_socket_ends_the_iteration_and_fails_the_writer() -> None:
    async with serving() as (server, client, _):
        line = await client.open_socket(f"{server.ws_url}/ws")
        await server.__aexit__(None, None, None)
        assert [frame async for frame in line] == []
        assert line.close_code in {1006, 1012}
        with pytest.raises(ConnectionLost):
            await line.send_text("x")
        await line.aclose()


async def test_one_client_holds_many_sockets() -> None:
    """A gateway has one WebSocket for each of its chats, all of them by one client."""
    async with serving() as (server, client, _), asyncio.timeout(20):
        sockets = await asyncio.gather(*(client.open_socket(f"{server.ws_url}/ws") for _ in range(120)))
        await asyncio.gather(*(socket.aclose() for socket in sockets))


async def test_a_client_is_used_inside_async_with_and_closed() -> None:
    with pytest.raises(LocalProtocolError):
        await HttpClient().send(HttpRequest("GET", "http://localhost/"))
    client = await HttpClient().__aenter__()
    with pytest.warns(ResourceWarning, match="never closed"):
        client.__del__()
    await client.aclose()
    await client.aclose()
