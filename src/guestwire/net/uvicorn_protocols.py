"""uvicorn's protocols with the bounds that it leaves out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from guestwire.net.websocket import TOO_SLOW

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent
    from websockets.http11 import Request

__all__ = ["LINK", "BoundedHttp", "BoundedWebSocket"]

LINK = "guestwire.link"
"""An extension of a WebSocket's ASGI scope; its `link` is the connection itself (`net.outgoing.Link`)."""

MAX_HEAD_BYTES = 65_536
"""Request line, headers and trailers of one request; llhttp itself keeps them at any length."""

HEAD_S = 10.0
"""A request's head must be complete in this time from the connection's start, or from its own first byte. Without it a
few hundred peers that send a byte now and then, or nothing, hold connections for ever (Slowloris)."""

STALLED_S = 10.0
"""A peer that takes nothing for this long is gone: a close would wait for ever behind what it does not read."""

CLOSE_S = 5.0
"""A peer that does not answer a close frame in this time is not waited for: one that never said hello is gone after ten
seconds (reliability D-06)."""

UNSENT_BYTES = 16 * 1024
"""More than this in a WebSocket's transport, and its peer counts as one that takes nothing. With twice as much queued
above it (`net.websocket.WRITABLE_BYTES`), 200 readers that stopped reading hold some 20 MB."""


class BoundedHttp(HttpToolsProtocol):
    """Breaks a connection whose request has too much around its body, or whose head takes too long."""

    _around = 0
    _head_limit: asyncio.TimerHandle | None = None
    _is_in_request = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give the first head its time; uvicorn's own timer for idle connections starts after the first answer."""
        super().connection_made(transport)
        self._limit_head()

    def on_headers_complete(self) -> None:
        """Start to count anew; what follows is the routes' to bound."""
        self._around = 0
        self._is_in_request = True
        self._unlimit_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Don't count the body: routes bound it themselves."""
        self._around -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Start to count anew."""
        self._around = 0
        self._is_in_request = False
        self._unlimit_head()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Count, pass on, and break the connection when it is too much."""
        self._around += len(data)
        super().data_received(data)
        if self._around > MAX_HEAD_BYTES:
            self.transport.abort()
        elif self._around > 0 and not self._is_in_request and self._head_limit is None:
            self._limit_head()  # the beginning of a further request on the same connection

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._unlimit_head()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Don't take a body for ever that nobody waits for: the answer was given without it."""
        super().on_response_complete()
        if self._is_in_request and self._head_limit is None:
            self._limit_head()

    def _limit_head(self) -> None:
        # Its own answer would be 408; a peer that sends its head in drops does not read it.
        self._head_limit = self.loop.call_later(HEAD_S, self.transport.abort)

    def _unlimit_head(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Breaks a connection whose peer stops reading; is the `Link` of our shell."""

    _stalled: asyncio.TimerHandle | None = None
    _is_held = False

    if TYPE_CHECKING:
        transport: asyncio.Transport

    def handle_connect(self, event: Request) -> None:
        """Give the application hold of the connection; it starts to run later than this."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][LINK] = {"link": self}

    def abort(self) -> None:
        """Break the connection."""
        self.transport.abort()

    def pause_reading(self) -> None:
        """Read nothing, and don't ask a peer for pongs that nobody would read."""
        self._is_held = True
        self.stop_keepalive()
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, at once or when the application has taken what was read before."""
        if not self._is_held:
            return
        self._is_held = False
        self.start_keepalive()
        if not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next event; uvicorn reads on after it, unless the application has paused that."""
        event = await super().receive()
        if self._is_held:
            self.transport.pause_reading()
        return event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep little for a peer that reads slowly."""
        super().connection_made(transport)
        self.close_timeout = CLOSE_S
        self.transport.set_write_buffer_limits(UNSENT_BYTES)

    def pause_writing(self) -> None:
        """Give the peer its time from now on."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S, self._cut_off)

    def resume_writing(self) -> None:
        """Be patient again: it has read something."""
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer, and let go of ourselves: nothing is to wait for the garbage collector."""
        self._calm()
        if hasattr(self, "scope"):  # not without a handshake
            self.scope["extensions"].pop(LINK, None)
        super().connection_lost(exc)

    def _cut_off(self) -> None:
        # The peer will not read the code; our side should know why all the same.
        self.queue.put_nowait({"type": "websocket.disconnect", "code": TOO_SLOW})
        self.transport.abort()

    def _calm(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
