"""uvicorn's protocols with the bounds that it leaves out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["BoundedHttp", "BoundedWebSocket"]

MAX_HEAD_BYTES = 65_536
"""Request line, headers and trailers of one request; llhttp itself keeps them at any length."""

STALLED_S = 10.0
"""A peer that takes nothing for this long is gone: a close would wait for ever behind what it does not read."""


class BoundedHttp(HttpToolsProtocol):
    """Breaks a connection whose request has too much around its body."""

    _around = 0

    def on_headers_complete(self) -> None:
        """Start to count anew."""
        self._around = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Don't count the body: routes bound it themselves."""
        self._around -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Start to count anew."""
        self._around = 0
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Count, pass on, and break the connection when it is too much."""
        self._around += len(data)
        super().data_received(data)
        if self._around > MAX_HEAD_BYTES:
            self.transport.abort()


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Breaks a connection whose peer stops reading."""

    _stalled: asyncio.TimerHandle | None = None

    if TYPE_CHECKING:
        transport: asyncio.Transport

    def pause_writing(self) -> None:
        """Give the peer its time from now on."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Be patient again: it has read something."""
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._calm()
        super().connection_lost(exc)

    def _calm(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
