"""The WebSocket shell on uvicorn's connection itself: no task, no ASGI event and no copy of a queue for each chat.

The application does the handshake as under any server: proxies, routes, refusals. Then `starlette_socket` hands the
connection over with its handler, and everything that was only for the handshake is forgotten. From there on frames go
from the parser to the handler and from the handler to the transport; a queue is needed only for a peer that reads
slowly. An idle chat keeps some 20 KiB less so, and what an agent says costs about a sixth less of the processor.
"""

from __future__ import annotations

import asyncio
import logging
from struct import pack
from typing import TYPE_CHECKING

from uvicorn.protocols.utils import ClientDisconnected
from websockets.exceptions import InvalidState

from guestwire.net.light_event import LightEvent
from guestwire.net.outgoing import CloseOrder, FrameQueue
from guestwire.net.uvicorn_protocols import BoundedWebSocket
from guestwire.net.websocket import SocketHandler

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent

__all__ = ["DirectSocket", "DirectWebSocket"]

_log = logging.getLogger("guestwire.net")

INTERNAL_ERROR = 1011
ABNORMAL = 1006
NO_CODE = 1005
UNSUPPORTED_DATA = 1003
BAD_DATA = 1007


class DirectWebSocket(BoundedWebSocket):
    """A connection that an application may hand over."""

    _direct: DirectSocket | None = None

    def take_over(self, handler: SocketHandler) -> None:
        """Call `handler` from now on; to be called after the handshake. A peer that has gone meanwhile is no call."""
        if not self.handshake_complete or self.disconnected:
            return
        pending = self.queue
        direct = self._direct = DirectSocket(self, handler)
        # The end of a connection is put there, whoever ends it.
        self.queue = direct  # type: ignore[assignment]
        self.request.headers.clear()  # the parser still holds it
        del self.scope, self.request, self.response
        writable = LightEvent()
        if self.writable.is_set():
            writable.set()
        self.writable = writable  # type: ignore[assignment]
        direct.start(pending)
        if self.read_paused:  # for what was pending
            self.read_paused = False
            if not self._is_held:
                self.transport.resume_reading()

    async def run_asgi(self) -> None:
        """Run the application; it returns when it has handed the connection over, or when all is over."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:  # the root of a task, as uvicorn has it
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        else:
            if not self.handshake_complete:
                self.send_500_response()
        if self._direct is None and self.close_timer is None:
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Show a frame to the handler, or to the application while it has the connection."""
        direct = self._direct
        if direct is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type != "text":
            direct.close(UNSUPPORTED_DATA, "text frames only")
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.conn.send_close(BAD_DATA)
            self.handle_parser_exception()
            return
        direct.show(text)

    def resume_writing(self) -> None:
        """Write what has gathered."""
        super().resume_writing()
        if self._direct is not None:
            self._direct.flush()

    @property
    def takes_frames(self) -> bool:
        """Whether the transport has room."""
        return self.writable.is_set()

    def write_text(self, text: str) -> None:
        """Write one text frame; nothing once the connection is being closed."""
        if self.close_sent or self.transport.is_closing():
            return
        data = text.encode()
        size = len(data)
        # A whole frame of text, unmasked; no extension was agreed on (RFC 6455 5.2).
        if size < 126:
            head = pack("!BB", 0x81, size)
        elif size < 65_536:
            head = pack("!BBH", 0x81, 126, size)
        else:
            head = pack("!BBQ", 0x81, 127, size)
        self.transport.write(head + data)

    def write_close(self, code: int, reason: str) -> None:
        """Write a close frame, and give the peer its time to answer it."""
        if self.close_sent or self.transport.is_closing():
            return
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            return  # the peer was first, and is told of
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)


class DirectSocket(FrameQueue):
    """What a handler writes to: straight through while the peer reads, queued otherwise."""

    __slots__ = ("_handler", "_has_closed", "_has_ended", "_is_busy", "_line")

    def __init__(self, line: DirectWebSocket, handler: SocketHandler) -> None:
        """Stand between the two; `start` begins."""
        super().__init__(line)
        self._line = line
        self._handler = handler
        self._has_closed = False
        self._has_ended = False
        self._is_busy = False
        """Writing: the transport may say meanwhile that it has room again, and the handler may send."""

    def start(self, pending: asyncio.Queue[ASGIReceiveEvent]) -> None:
        """Call the handler, with what has come already."""
        try:
            self._handler.opened(self)
        except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
            self._fail("opened")
        while not pending.empty():
            event = pending.get_nowait()
            if event["type"] != "websocket.receive":
                self.put_nowait(event)
            elif event.get("text") is None:
                self.close(UNSUPPORTED_DATA, "text frames only")
            else:
                self.show(event["text"] or "")

    def show(self, text: str) -> None:
        """Show a frame to the handler."""
        if self._order is None:
            try:
                self._handler.text(text)
            except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
                self._fail("text")

    def put_nowait(self, event: ASGIReceiveEvent) -> None:
        """Take the event that the connection is over."""
        if event["type"] == "websocket.disconnect":
            self._end(event.get("code") or NO_CODE)

    def send(self, frame: str) -> None:
        """Write one text frame, or queue it."""
        if self._frames is not None or self._order is not None or self._is_busy or not self._line.takes_frames:
            super().send(frame)
            return
        self._is_busy = True
        try:
            self._line.write_text(frame)
        finally:
            self._is_busy = False

    def flush(self) -> None:
        """Write what is queued, as much as the peer takes."""
        if self._is_busy or self._has_closed:
            return
        self._is_busy = True
        try:
            while self._line.takes_frames and (item := self.take()) is not None:
                if isinstance(item, CloseOrder):
                    self._close(item)
                    return
                self._line.write_text(item)
        finally:
            self._is_busy = False

    def _close(self, order: CloseOrder) -> None:
        self._has_closed = True
        if not self._is_aborted:
            self._line.write_close(order.code, order.reason)
            # Not here and now: the handler is in the middle of something.
            self._line.loop.call_soon(self._end, order.code)

    def _end(self, code: int) -> None:
        if self._has_ended:
            return
        self._has_ended = self._has_closed = True
        self.close(code)  # ends the socket for the handler, whoever closed it
        self.discard()
        try:
            self._handler.closed(ABNORMAL if self._is_aborted else code)
        except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
            _log.exception("A socket handler failed in closed.")

    def _ready(self) -> None:
        self.flush()

    def _writable(self) -> None:
        try:
            self._handler.writable()
        except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
            self._fail("writable")

    def _fail(self, callback: str) -> None:
        _log.exception("A socket handler failed in %s.", callback)
        self.close(INTERNAL_ERROR)
