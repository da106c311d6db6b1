"""The outgoing side of a server-side socket: a bounded queue with a "writable" signal; every shell has one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from guestwire.net.websocket import CUT_OFF_BYTES, TOO_SLOW, WRITABLE_AGAIN_BYTES, WRITABLE_BYTES

__all__ = ["CloseOrder", "Link", "Outgoing"]

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


class Outgoing:
    """A `Socket` whose frames the shell takes with `get()` and writes; the last thing it gets is a `CloseOrder`."""

    def __init__(self, *, writable: Callable[[], None], link: Link | None = None) -> None:
        """Start open.

        Args:
            writable: Called when the queue has drained after it was too full.
            link: The connection; None under a server that gives no hold of it: `abort` then closes with 1011, and
                reading can't be paused.
        """
        self._link = link
        self._is_aborted = False
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._was_full = False
        self._order: CloseOrder | None = None
        self._wake = asyncio.Event()
        self._writable = writable

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
        self._frames.append(frame)
        self._bytes += _cost(frame)
        self._was_full = self._was_full or self._bytes > WRITABLE_BYTES
        # The oldest frame does not count: a single large one is no sign of a slow reader.
        if self._bytes - _cost(self._frames[0]) > CUT_OFF_BYTES:
            # What is queued would reach the slow reader only after the close is due: it comes back and resumes.
            self.discard()
            self.close(TOO_SLOW, "too slow a reader")
        self._wake.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close once what is queued is written."""
        if self._order is None:
            self._order = CloseOrder(code, reason)
            self._wake.set()

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
        self._frames.clear()
        self._bytes = 0

    async def get(self) -> str | CloseOrder:
        """Return the next frame to write, or the order to close; waits for one."""
        while not self._frames:
            if self._order is not None:
                return self._order
            self._wake.clear()
            await self._wake.wait()
        frame = self._frames.popleft()
        self._bytes -= _cost(frame)
        if self._was_full and self._bytes <= WRITABLE_AGAIN_BYTES:
            self._was_full = False
            if self._order is None:
                self._writable()
        return frame


def _cost(frame: str) -> int:
    # Characters, not bytes: encoding every frame a second time costs more than the difference is worth.
    return len(frame) + _FRAME_OVERHEAD
