"""The WebSocket shell on uvicorn's connection itself: no task, no ASGI event and no copy of a queue for each chat.

The application does the handshake as under any server: proxies, routes, refusals. Then `starlette_socket` hands the
connection over with its handler, and everything that was only for the handshake is forgotten. From there on frames go
from the parser to the handler and from the handler to the transport; a queue is needed only for a peer that reads
slowly. An idle chat keeps some 20 KiB less so, and what an agent says costs about a sixth less of the processor.

What a peer says nearly always arrives as whole frames of text, and is read here (`whole_texts`). Everything else is the
parser's: control frames, fragments, mistakes, and all that follows on a connection where a frame came in pieces.

What is sent in one turn of the event loop is written together, in the next one. A write is a call of the system, 15 µs
here; each frame more in it is one. That halves the time of a long resume, and a guest's message has one call less.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from struct import pack
from typing import TYPE_CHECKING

from uvicorn.protocols.utils import ClientDisconnected
from websockets.exceptions import InvalidState
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the one in C where there is one
from websockets.protocol import State

from guestwire.net.light_event import LightEvent
from guestwire.net.outgoing import CloseOrder, FrameQueue
from guestwire.net.uvicorn_protocols import BoundedWebSocket
from guestwire.net.websocket import WRITABLE_BYTES, SocketHandler

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent

__all__ = ["DirectSocket", "DirectWebSocket"]

_log = logging.getLogger("guestwire.net")

INTERNAL_ERROR = 1011
ABNORMAL = 1006
NO_CODE = 1005
UNSUPPORTED_DATA = 1003
BAD_DATA = 1007

# RFC 6455 5.2, of frames from a client: two bytes, perhaps the size in two or eight, the mask in four, the data.
_TEXT_FRAME = 0x81  # and the last of its message
_MASKED = 0x80
_MOST_SIZES = 0x7F
_SHORT_HEAD = 6
_MOST_IN_ONE_BYTE = 125
_SIZE_IN_TWO_BYTES = 126


class DirectWebSocket(BoundedWebSocket):
    """A connection that an application may hand over."""

    _direct: DirectSocket | None = None
    _is_in_pieces = False

    def data_received(self, data: bytes) -> None:
        """Show what is whole, and leave the rest to the parser."""
        direct = self._direct
        if direct is None or self._is_in_pieces or self.close_sent or self.conn.state is not State.OPEN:
            super().data_received(data)
            return
        texts = whole_texts(data)
        if texts is None:
            self._is_in_pieces = not ends_whole(data)
            super().data_received(data)
            return
        for text in texts:
            direct.show(text)

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

    def write_texts(self, texts: Iterable[str]) -> None:
        """Write text frames, all at once; nothing once the connection is being closed."""
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(b"".join([_frame_of(text) for text in texts]))

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


def _frame_of(text: str) -> bytes:
    """Return a whole frame of text, unmasked; no extension was agreed on (RFC 6455 5.2)."""
    data = text.encode()
    size = len(data)
    if size <= _MOST_IN_ONE_BYTE:
        return pack("!BB", _TEXT_FRAME, size) + data
    if size < 65_536:
        return pack("!BBH", _TEXT_FRAME, _SIZE_IN_TWO_BYTES, size) + data
    return pack("!BBQ", _TEXT_FRAME, 127, size) + data


def whole_texts(data: bytes) -> list[str] | None:
    """Return the texts of frames, None when it is anything but whole text frames of a client, each a whole message."""
    texts: list[str] = []
    at, end = 0, len(data)
    while at < end:
        if end - at < _SHORT_HEAD or data[at] != _TEXT_FRAME:
            return None
        size = data[at + 1] - _MASKED
        at += 2
        if size == _SIZE_IN_TWO_BYTES:
            size = data[at] << 8 | data[at + 1]
            at += 2
            if size <= _MOST_IN_ONE_BYTE:
                return None  # too long a head for its size: a mistake
        elif not 0 <= size <= _MOST_IN_ONE_BYTE:
            return None
        start = at + 4
        after = start + size
        if after > end:
            return None
        try:
            texts.append(apply_mask(data[start:after], data[at:start]).decode())
        except UnicodeDecodeError:
            return None
        at = after
    return texts


def ends_whole(data: bytes) -> bool:
    """Return whether the last of a client's frames is complete; the first begins where `data` begins."""
    at, end = 0, len(data)
    while at < end:
        if end - at < _SHORT_HEAD:
            return False
        size = data[at + 1] & _MOST_SIZES
        at += 2
        if size >= _SIZE_IN_TWO_BYTES:
            width = 2 if size == _SIZE_IN_TWO_BYTES else 8
            size = int.from_bytes(data[at : at + width], "big")
            at += width
        at += 4 + size
    return at == end


class DirectSocket(FrameQueue):
    """What a handler writes to: straight through while the peer reads, queued otherwise."""

    __slots__ = ("_handler", "_has_closed", "_has_ended", "_held", "_held_chars", "_is_busy", "_line")

    def __init__(self, line: DirectWebSocket, handler: SocketHandler) -> None:
        """Stand between the two; `start` begins."""
        super().__init__(line)
        self._line = line
        self._handler = handler
        self._has_closed = False
        self._has_ended = False
        self._held: list[str] | None = None
        """What is to be written in the next turn of the loop, or before, when it is as much as may be queued."""
        self._held_chars = 0
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
        """Write one text frame in a moment, or queue it."""
        if self._frames is not None or self._order is not None or self._is_busy or not self._line.takes_frames:
            self._write_held()
            super().send(frame)
            return
        if self._held is None:
            self._held = [frame]
            self._held_chars = len(frame)
            self._line.loop.call_soon(self._write_held)
        else:
            self._held.append(frame)
            self._held_chars += len(frame)
        if self._held_chars > WRITABLE_BYTES:
            self._write_held()

    def discard(self) -> None:
        """Forget what is not written yet."""
        self._held = None
        super().discard()

    def flush(self) -> None:
        """Write what is queued, as much as the peer takes."""
        self._write_held()
        if self._is_busy or self._has_closed:
            return
        self._is_busy = True
        try:
            while self._line.takes_frames and (item := self.take()) is not None:
                if isinstance(item, CloseOrder):
                    self._close(item)
                    return
                self._line.write_texts((item,))
        finally:
            self._is_busy = False

    def _write_held(self) -> None:
        held = self._held
        if held is None or self._is_busy or self._has_closed:
            return
        self._held = None
        self._is_busy = True
        try:
            self._line.write_texts(held)
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
