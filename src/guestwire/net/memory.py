"""A network in memory: the WebSocket shell for tests, and a transport that reaches it without sockets.

Both sides share one event loop, so a test needs no ports and no waiting. The behaviour is that of the real ones; the
same suites (`guestwire.testing.check_transport`) hold it to that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from guestwire.errors import (
    ConnectFailed,
    ConnectionLost,
    LocalProtocolError,
    NotWritten,
    RateLimited,
    RemoteProtocolError,
    SessionRefused,
)
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.net.outgoing import CloseOrder, Outgoing
from guestwire.net.websocket import Authorise, Refusal, SocketHandler, UpgradeRequest

__all__ = ["MemoryNetwork", "MemorySocket", "open_in_memory"]

_log = logging.getLogger("guestwire.net")

MAX_FRAME_BYTES = 65_536
LOST = 1006
TOO_BIG = 1009
UNSUPPORTED_DATA = 1003
INTERNAL_ERROR = 1011

HttpFunction = Callable[[HttpRequest], Awaitable[HttpAnswer]]


class MemoryNetwork:
    """A `Transport` over functions: one answers every HTTP request, one authorises every WebSocket."""

    def __init__(self, answer: HttpFunction, authorise: Authorise, *, headers: Mapping[str, str] | None = None) -> None:
        """Take both functions; `headers` go with every upgrade, lower-case names."""
        self._answer = answer
        self._authorise = authorise
        self._headers = dict(headers or {})
        self.is_cut = False
        self.sockets: list[MemorySocket] = []

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Have the function answer, unless the network is cut."""
        if self.is_cut:
            raise ConnectFailed("The network in memory is cut.")
        return await self._answer(await self._whole(request))

    async def open_socket(self, url: str, *, origin: str | None = None) -> MemorySocket:
        """Open a WebSocket, unless the network is cut."""
        if self.is_cut:
            raise ConnectFailed("The network in memory is cut.")
        headers = self._headers if origin is None else {**self._headers, "origin": origin}
        socket = await open_in_memory(self._authorise, url, headers=headers)
        self.sockets.append(socket)
        return socket

    async def _whole(self, request: HttpRequest) -> HttpRequest:
        """Read a streamed body, as long as the network is there."""
        if request.stream is None:
            return request
        body = bytearray()
        async for chunk in request.stream.chunks:
            body += chunk
            await asyncio.sleep(0)  # as over a network, others run meanwhile
            if self.is_cut:
                raise ConnectionLost("The network in memory was cut.")
        if len(body) != request.stream.size:
            raise LocalProtocolError(f"Expected a body of {request.stream.size} bytes, got {len(body)}.")
        return replace(request, body=bytes(body), stream=None)

    def cut(self) -> None:
        """Break every connection and let no new one through, until `mend`."""
        self.is_cut = True
        self.drop()

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False

    def drop(self) -> None:
        """Break every open connection (1006 on both sides)."""
        sockets, self.sockets = self.sockets, []
        for socket in sockets:
            socket.drop()


async def open_in_memory(authorise: Authorise, url: str, *, headers: Mapping[str, str] | None = None) -> MemorySocket:
    """Open a WebSocket to `authorise`, as `HttpClient.open_socket` would over a real server.

    Raises:
        SessionRefused: Refused with 401 or 403.
        RateLimited: Refused with 429.
        ConnectFailed: Refused with 5xx.
        RemoteProtocolError: Refused with anything else.
    """
    parts = urlsplit(url)
    answer = await authorise(
        UpgradeRequest(
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=dict(headers or {}),
            client_host="127.0.0.1",
        )
    )
    if isinstance(answer, Refusal):
        if answer.status in {401, 403}:
            raise SessionRefused(code="socket-refused")
        if answer.status == 429:
            raise RateLimited
        if answer.status >= 500:
            raise ConnectFailed(f"The upgrade was answered {answer.status}.")
        raise RemoteProtocolError(f"Expected a WebSocket, got status {answer.status}.")
    return MemorySocket(answer)


class _Pong(str):
    """A pong among the frames on their way to the client."""

    __slots__ = ("_future",)

    def __new__(cls, _future: asyncio.Future[None]) -> Self:
        return super().__new__(cls)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._future = future

    def answer(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class MemorySocket:
    """Both ends of one WebSocket in memory: a `ClientSocket` outside, the shell of a `SocketHandler` inside."""

    def __init__(self, handler: SocketHandler) -> None:
        """Open it; the handler is told at once."""
        self._handler = handler
        self._outgoing = Outgoing(writable=lambda: self._call("writable", handler.writable), link=self)
        self._unread: list[Callable[[], None]] | None = None
        self._is_closed = False
        self._close_code: int | None = None
        self._close_reason = ""
        self._closed = asyncio.Event()
        self._pings: set[asyncio.Future[None]] = set()
        self._call("opened", lambda: handler.opened(self._outgoing))

    @property
    def close_code(self) -> int | None:
        """Code of the close; None while it is open."""
        return self._close_code

    @property
    def close_reason(self) -> str:
        """The server's words."""
        return self._close_reason

    async def send_text(self, text: str) -> None:
        """Hand one text frame to the handler."""
        await asyncio.sleep(0)  # as over a network, the other side runs later than the caller
        if self._is_closed:
            raise NotWritten("The connection in memory is closed.")
        if self._outgoing.is_closing:
            return
        if len(text.encode()) > MAX_FRAME_BYTES:
            self._outgoing.close(TOO_BIG)
            return
        self._read(lambda: self._call("text", lambda: self._handler.text(text)))

    async def ping(self) -> None:
        """Wait for a pong that takes its place in the queue behind the handler's frames."""
        await asyncio.sleep(0)
        if self._is_closed:
            raise NotWritten("The connection in memory is closed.")
        pong = asyncio.get_running_loop().create_future()
        self._pings.add(pong)
        try:
            self._read(lambda: self._outgoing.send(_Pong(pong)))
            await pong
        finally:
            self._pings.discard(pong)

    async def send_bytes(self, _data: bytes) -> None:
        """Send a binary frame, which the shell refuses; for the conformance suite."""
        self._outgoing.close(UNSUPPORTED_DATA, "text frames only")

    async def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over the frames of the handler until the socket is closed."""
        while not self._is_closed:
            item = await self._next()
            if isinstance(item, CloseOrder):
                self._finish(item.code, item.reason)
                return
            if isinstance(item, _Pong):
                item.answer()
            else:
                yield item

    async def aclose(self, code: int = 1000) -> None:
        """Close from the client's side; frames on their way to it are lost."""
        await asyncio.sleep(0)
        self._finish(code)

    def drop(self) -> None:
        """Break the connection: both sides see 1006."""
        self._finish(LOST)

    def abort(self) -> None:
        """Break the connection, as the handler wishes."""
        self._finish(LOST)

    def pause_reading(self) -> None:
        """Keep what the client sends, as the handler wishes."""
        if self._unread is None:
            self._unread = []

    def resume_reading(self) -> None:
        """Show the handler what was kept, and go on."""
        unread, self._unread = self._unread or [], None
        for show in unread:
            self._read(show)

    def _read(self, show: Callable[[], None]) -> None:
        if self._unread is not None:
            self._unread.append(show)
        elif not self._outgoing.is_closing:
            show()

    async def _next(self) -> str | CloseOrder:
        getting = asyncio.ensure_future(self._outgoing.get())
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({getting, closed}, return_when=asyncio.FIRST_COMPLETED)
            if self._is_closed:
                return CloseOrder(self._close_code or LOST, self._close_reason)
            return getting.result()
        finally:
            getting.cancel()
            closed.cancel()

    def _finish(self, code: int, reason: str = "") -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._close_code = code
        self._close_reason = reason
        self._outgoing.close(code)
        self._outgoing.discard()
        self._closed.set()
        for pong in self._pings:
            if not pong.done():
                pong.set_exception(ConnectionLost("The connection in memory was closed before the pong."))
        self._call("closed", lambda: self._handler.closed(code))

    def _call(self, callback: str, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:  # noqa: BLE001 - whatever a handler does must not reach the other side
            _log.exception("A socket handler failed in %s.", callback)
            self._outgoing.close(INTERNAL_ERROR)
