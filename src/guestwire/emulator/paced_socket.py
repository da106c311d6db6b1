"""A socket whose frames can be made late, in order, and which can be dropped without a close frame."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from guestwire.net.websocket import Socket

__all__ = ["DROPPED", "PacedSocket"]

DROPPED = 1006
"""Not a code that travels: told to the shell below, it means "break the connection" (`abrupt_close`)."""


class PacedSocket:
    """Wraps a `Socket`; with no delay it passes everything on at once."""

    def __init__(self, socket: Socket, delay_s: Callable[[], float]) -> None:
        """Take the socket and a function that returns the delay of the next frame in seconds."""
        self._socket = socket
        self._delay_s = delay_s
        self._late: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, frame: str) -> None:
        """Send a frame after those sent before it, delayed ones included."""
        self._after_the_others(lambda: self._socket.send(frame))

    def close(self, code: int, reason: str = "") -> None:
        """Close after the frames sent before."""
        self._after_the_others(lambda: self._socket.close(code, reason))

    def drop(self) -> None:
        """Break the connection now; what is late is lost."""
        self.stop()
        self._socket.close(DROPPED)

    def stop(self) -> None:
        """Forget what is late."""
        self._late.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _after_the_others(self, action: Callable[[], None]) -> None:
        delay_s = self._delay_s()
        if delay_s <= 0 and not self._late:
            action()
            return
        due = asyncio.get_running_loop().time() + delay_s
        if self._late:
            due = max(due, self._late[-1][0])
        self._late.append((due, action))
        self._arm()

    def _arm(self) -> None:
        if self._timer is None and self._late:
            self._timer = asyncio.get_running_loop().call_at(self._late[0][0], self._run_due)

    def _run_due(self) -> None:
        self._timer = None
        # What fell due in the same tick goes out together; `call_at` may fire a clock's resolution early.
        now = asyncio.get_running_loop().time() + 0.001
        while self._late and self._late[0][0] <= now:
            self._late.popleft()[1]()
        self._arm()
