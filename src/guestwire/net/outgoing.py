"""The outgoing side of a server-side socket: a bounded queue with a "writable" signal; every shell has one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from guestwire.net.websocket import CUT_OFF_BYTES, TOO_SLOW, WRITABLE_AGAIN_BYTES, WRITABLE_BYTES

__all__ = ["CloseOrder", "FrameQueue", "Link", "Outgoing"]

LOST = 1006
INTERNAL_ERROR = 1011

_FRAME_OVERHEAD = 16  # so that ten thousand empty frames are not free


@dataclass(frozen=True, slots=True)
class CloseOrder:
    """The handler asked to close."""

    code: int
    reason: str


class Link(Protocol):
    """The connection below; see `Socket` for what these do."""

    def abort(self) -> None:
        """Break it."""

    def pause_reading(self) -> None:
        """Read nothing."""

    def resume_reading(self) -> None:
        """Read on."""


class FrameQueue:
    """A `Socket` whose frames the shell takes and writes; the last thing it gets is a `CloseOrder`."""

    __slots__ = ("_bytes", "_frames", "_is_aborted", "_link", "_order", "_was_full")

    def __init__(self, link: Link | None) -> None:
        """Start open.

        Args:
            link: The connection; None under a server that gives no hold of it: `abort` then closes with 1011, and
                reading can't be paused.
        """
        self._link = link
        self._is_aborted = False
        self._frames: deque[str] | None = None  # most sockets have nothing queued, and an empty deque is 760 bytes
        self._bytes = 0
        self._was_full = False
        self._order: CloseOrder | None = None

    @property
    def is_writable(self) -> bool:
        """Whether little enough is queued."""
        return self._order is None and self._bytes <= WRITABLE_BYTES and not self._was_full

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called, or the peer has gone."""
        return self._order is not None

    @property
    def is_aborted(self) -> bool:
        """Whether `abort` has broken the connection: its code is 1006, whatever the server below makes of it."""
        return self._is_aborted

    def send(self, frame: str) -> None:
        """Queue one text frame; cut the reader off when far too much is queued."""
        if self._order is not None:
            return
        if self._frames is None:
            self._frames = deque()
        self._frames.append(frame)
        self._bytes += _cost(frame)
        self._was_full = self._was_full or self._bytes > WRITABLE_BYTES
        # The oldest frame does not count: a single large one is no sign of a slow reader.
        if self._bytes - _cost(self._frames[0]) > CUT_OFF_BYTES:
            # What is queued would reach the slow reader only after the close is due: it comes back and resumes.
            self.discard()
            self.close(TOO_SLOW, "too slow a reader")
        self._ready()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close once what is queued is written."""
        if self._order is None:
            self._order = CloseOrder(code, reason)
            self._ready()

    def abort(self) -> None:
        """Break the connection now."""
        self.discard()
        if self._link is None:
            self.close(INTERNAL_ERROR)
            return
        self._is_aborted = True
        self.close(LOST)
        self._link.abort()

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        if self._link is not None:
            self._link.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self._link is not None:
            self._link.resume_reading()

    def discard(self) -> None:
        """Forget what is queued: nobody will read it."""
        self._frames = None
        self._bytes = 0

    def take(self) -> str | CloseOrder | None:
        """Return the next frame to write, or the order to close; None when there is neither."""
        if self._frames is None:
            return self._order
        frame = self._frames.popleft()
        if not self._frames:
            self._frames = None
        self._bytes -= _cost(frame)
        if self._was_full and self._bytes <= WRITABLE_AGAIN_BYTES:
            self._was_full = False
            if self._order is None:
                self._writable()
        return frame

    def _ready(self) -> None:
        """Do what is to be done when there is something to take."""
        raise NotImplementedError

    def _writable(self) -> None:
        """Tell the handler that the queue has drained after it was too full."""
        raise NotImplementedError


class Outgoing(FrameQueue):
    """A queue for a shell that writes in a task of its own."""

    __slots__ = ("_call_writable", "_wake")

    def __init__(self, *, writable: Callable[[], None], link: Link | None = None) -> None:
        """Start open.

        Args:
            writable: Called when the queue has drained after it was too full.
            link: See `FrameQueue`.
        """
        super().__init__(link)
        self._wake = asyncio.Event()
        self._call_writable = writable

    async def get(self) -> str | CloseOrder:
        """Return the next frame to write, or the order to close; waits for one."""
        while (item := self.take()) is None:
            self._wake.clear()
            await self._wake.wait()
        return item

    def _ready(self) -> None:
        self._wake.set()

    def _writable(self) -> None:
        self._call_writable()


def _cost(frame: str) -> int:
    # Characters, not bytes: encoding every frame a second time costs more than the difference is worth.
    return len(frame) + _FRAME_OVERHEAD
