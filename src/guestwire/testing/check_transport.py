"""The conformance suite of server-side WebSocket shells: what `net.websocket` promises, tried out one by one.

A shell is done when every check passes. Give it as a function that serves an `Authorise` and opens sockets to it::

    @pytest.mark.parametrize("check", TRANSPORT_CHECKS, ids=lambda check: check.__name__)
    async def test_shell(check):
        await check(serve_my_shell)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from guestwire.errors import NotWritten, SessionRefused
from guestwire.net.websocket import (
    CUT_OFF_BYTES,
    TOO_SLOW,
    WRITABLE_BYTES,
    Authorise,
    Refusal,
    Socket,
    SocketHandler,
    UpgradeRequest,
)
from guestwire.testing.eventually import eventually

__all__ = ["TRANSPORT_CHECKS", "ClientEnd", "OpenSocket", "Serve", "check_transport"]


class ClientEnd(Protocol):
    """The client's end: a `ClientSocket` that can also break the rules."""

    @property
    def close_code(self) -> int | None:
        """Code of the close; None while it is open."""

    @property
    def close_reason(self) -> str:
        """The server's words."""

    async def send_text(self, text: str) -> None:
        """Write a text frame."""

    async def send_bytes(self, data: bytes) -> None:
        """Write a binary frame."""

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""

    def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over text frames until the close."""

    async def aclose(self, code: int = 1000) -> None:
        """Close."""


OpenSocket: TypeAlias = Callable[[str], Awaitable[ClientEnd]]
"""Open the shell's socket with this query, e.g. "sessionId=1&token=2"."""

Serve: TypeAlias = Callable[[Authorise], AbstractAsyncContextManager[OpenSocket]]

Check: TypeAlias = Callable[[Serve], Awaitable[None]]


class Recorder:
    """A handler that writes down what it is told."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.calls: list[str] = []
        self.socket: Socket | None = None

    def opened(self, socket: Socket) -> None:
        """Note it."""
        self.calls.append("opened")
        self.socket = socket

    def text(self, frame: str) -> None:
        """Note it and send it back."""
        self.calls.append(f"text {frame[:40]}")
        self._socket.send(frame)

    def writable(self) -> None:
        """Note it."""
        self.calls.append("writable")

    def closed(self, code: int) -> None:
        """Note it."""
        self.calls.append(f"closed {code}")

    @property
    def _socket(self) -> Socket:
        assert self.socket is not None
        return self.socket


def _always(handler: SocketHandler) -> Authorise:
    async def authorise(_request: UpgradeRequest) -> SocketHandler | Refusal:
        return handler

    return authorise


async def _rest(socket: ClientEnd) -> list[str]:
    return [frame async for frame in socket]


async def _first(socket: ClientEnd, count: int) -> list[str]:
    frames: list[str] = []
    async for frame in socket:
        frames.append(frame)
        if len(frames) == count:
            break
    return frames


async def frames_keep_their_order(serve: Serve) -> None:
    """Frames arrive one by one and in order, both ways, whatever characters are in them."""
    handler = Recorder()
    frames = ["{}", "äöü", "line\nline", "🙂" * 100, "x" * 60_000]
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        for frame in frames:
            await socket.send_text(frame)
        assert await _first(socket, len(frames)) == frames
        await socket.aclose()
    assert handler.calls[0] == "opened"
    assert handler.calls[1:6] == [f"text {frame[:40]}" for frame in frames]


async def pings_are_answered(serve: Serve) -> None:
    """A pong comes to every ping while the client iterates, and none once the socket is closed."""
    handler = Recorder()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        reading = asyncio.create_task(_rest(socket))
        await asyncio.gather(socket.ping(), socket.ping())
        assert handler.socket is not None
        handler.socket.send("before the pong")
        await socket.ping()
        handler.socket.close(4000)
        assert await reading == ["before the pong"]
        failure = ""
        try:
            await socket.ping()
        except NotWritten as error:
            failure = error.code
        assert failure == "connection-lost"


async def the_request_is_shown(serve: Serve) -> None:
    """The authorising function sees path, query and headers."""
    seen: list[UpgradeRequest] = []

    async def authorise(request: UpgradeRequest) -> SocketHandler | Refusal:
        seen.append(request)
        return Recorder()

    async with serve(authorise) as open_socket:
        socket = await open_socket("sessionId=a%20b&token=c")
        await socket.aclose()
    assert seen[0].path.startswith("/")
    assert dict(seen[0].query) == {"sessionId": "a b", "token": "c"}
    assert all(name == name.lower() for name in seen[0].headers)


async def a_refusal_is_no_socket(serve: Serve) -> None:
    """A refused upgrade is HTTP: the client sees 403 and no handler is called."""

    async def authorise(_request: UpgradeRequest) -> SocketHandler | Refusal:
        return Refusal(403, b"{}")

    async with serve(authorise) as open_socket:
        code = "opened"
        try:
            await open_socket("")
        except SessionRefused as error:
            code = error.code
        assert code == "socket-refused"


async def the_server_closes(serve: Serve) -> None:
    """What was sent before `close` arrives, then the code and reason; what is sent after it doesn't."""

    class Closer(Recorder):
        def opened(self, socket: Socket) -> None:
            super().opened(socket)
            socket.send("one")
            socket.send("two")
            socket.close(4499, "ended")
            socket.send("three")
            socket.close(4400)
            assert not socket.is_writable

    handler = Closer()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        assert await _rest(socket) == ["one", "two"]
        assert socket.close_code == 4499
        assert socket.close_reason == "ended"
        await eventually(lambda: handler.calls[-1] == "closed 4499")
    assert handler.calls == ["opened", "closed 4499"]


async def the_client_closes(serve: Serve) -> None:
    """The handler is told the client's code, once and last; sending then does nothing."""
    handler = Recorder()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        await socket.aclose(4001)
        await eventually(lambda: handler.calls[-1] == "closed 4001")
        assert handler.socket is not None
        handler.socket.send("too late")
        handler.socket.close()
        assert not handler.socket.is_writable
    assert handler.calls == ["opened", "closed 4001"]


async def nothing_follows_a_close(serve: Serve) -> None:
    """Frames that cross our close on their way are not shown to the handler."""

    class CloseAtFirst(Recorder):
        def text(self, frame: str) -> None:
            super().text(frame)
            self._socket.close(1000)

    handler = CloseAtFirst()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        await socket.send_text("one")
        await socket.send_text("two")
        await _rest(socket)
        await eventually(lambda: handler.calls[-1].startswith("closed"))
    assert handler.calls == ["opened", "text one", "closed 1000"]


async def a_failing_handler_closes(serve: Serve) -> None:
    """An exception in a handler becomes 1011, and `closed` is still called."""

    class Failing(Recorder):
        def text(self, frame: str) -> None:
            super().text(frame)
            raise RuntimeError("on purpose")

    handler = Failing()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        await socket.send_text("one")
        await _rest(socket)
        assert socket.close_code == 1011
        await eventually(lambda: handler.calls[-1] == "closed 1011")


async def binary_is_refused(serve: Serve) -> None:
    """A binary frame closes with 1003."""
    handler = Recorder()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        await socket.send_bytes(b"\x00")
        await _rest(socket)
        assert socket.close_code == 1003
        await eventually(lambda: handler.calls[-1].startswith("closed"))
    assert handler.calls == ["opened", "closed 1003"]


async def too_big_is_refused(serve: Serve) -> None:
    """A frame over 64 KiB closes with 1009 and is not shown to the handler."""
    handler = Recorder()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        await socket.send_text("x" * 65_537)
        await _rest(socket)
        assert socket.close_code == 1009
        await eventually(lambda: handler.calls[-1].startswith("closed"))
    assert handler.calls == ["opened", "closed 1009"]


async def writable_is_signalled(serve: Serve) -> None:
    """A full queue is not writable; when it has drained the handler is told once, and nothing was lost."""

    class Filling(Recorder):
        def opened(self, socket: Socket) -> None:
            super().opened(socket)
            self.sent = 0
            assert socket.is_writable
            while socket.is_writable:
                socket.send("x" * 10_000)
                self.sent += 1

    handler = Filling()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        frames = await _first(socket, handler.sent)
        assert sum(map(len, frames)) > WRITABLE_BYTES - 10_000
        await eventually(lambda: "writable" in handler.calls)
        assert handler.socket is not None
        assert handler.socket.is_writable
        await socket.aclose()
    assert handler.calls.count("writable") == 1


async def a_slow_reader_is_cut_off(serve: Serve) -> None:
    """A handler that writes on regardless loses the connection (4411) instead of the process its memory."""

    class Flooding(Recorder):
        def opened(self, socket: Socket) -> None:
            super().opened(socket)
            # Far more than any kernel takes of a peer that does not read meanwhile.
            for _ in range(24 * CUT_OFF_BYTES // 10_000):
                socket.send("x" * 10_000)

    handler = Flooding()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        await _rest(socket)
        assert socket.close_code == TOO_SLOW
        await eventually(lambda: handler.calls[-1] == f"closed {TOO_SLOW}")


async def a_handler_may_break_the_connection(serve: Serve) -> None:
    """After `abort` there is no close frame: both sides see 1006, and what is not written is lost; twice is fine."""

    class Breaking(Recorder):
        def text(self, frame: str) -> None:
            super().text(frame)
            self._socket.abort()
            self._socket.abort()
            assert not self._socket.is_writable

    handler = Breaking()
    async with serve(_always(handler)) as open_socket:
        socket = await open_socket("")
        await socket.send_text("one")
        assert await _rest(socket) in ([], ["one"])
        assert socket.close_code == 1006
        await eventually(lambda: handler.calls[-1] == "closed 1006")
    assert handler.calls == ["opened", "text one", "closed 1006"]


async def reading_may_be_paused(serve: Serve) -> None:
    """What comes meanwhile, pings too, is neither shown nor answered, and nothing of it is lost."""

    class Paused(Recorder):
        def opened(self, socket: Socket) -> None:
            super().opened(socket)
            socket.pause_reading()
            socket.pause_reading()

    handlers = [Paused(), Recorder()]

    async def authorise(_request: UpgradeRequest) -> SocketHandler | Refusal:
        return handlers[len(opened)]

    opened: list[ClientEnd] = []
    async with serve(authorise) as open_socket:
        opened.append(await open_socket(""))
        opened.append(await open_socket(""))
        paused, other = opened
        await eventually(lambda: handlers[0].calls == ["opened"])
        reading = [asyncio.create_task(_rest(socket)) for socket in opened]
        await paused.send_text("one")
        await paused.send_text("two")
        pong = asyncio.create_task(paused.ping())
        for _ in range(5):  # time enough for what is under way
            await other.ping()
        assert handlers[0].calls == ["opened"]
        assert not pong.done()
        assert handlers[0].socket is not None
        handlers[0].socket.resume_reading()
        handlers[0].socket.resume_reading()
        await pong
        await eventually(lambda: handlers[0].calls == ["opened", "text one", "text two"])
        await paused.ping()
        for socket in opened:
            await socket.aclose()
        assert await asyncio.gather(*reading) == [["one", "two"], []]


TRANSPORT_CHECKS: tuple[Check, ...] = (
    frames_keep_their_order,
    pings_are_answered,
    the_request_is_shown,
    a_refusal_is_no_socket,
    the_server_closes,
    the_client_closes,
    nothing_follows_a_close,
    a_failing_handler_closes,
    binary_is_refused,
    too_big_is_refused,
    writable_is_signalled,
    a_slow_reader_is_cut_off,
    a_handler_may_break_the_connection,
    reading_may_be_paused,
)


async def check_transport(serve: Serve) -> None:
    """Run every check; the first that fails raises."""
    for check in TRANSPORT_CHECKS:
        await check(serve)
