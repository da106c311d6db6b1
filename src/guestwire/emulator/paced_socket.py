"""A socket whose frames can be made late, in order or not, or held back, and which can be dropped."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from guestwire.net.websocket import Socket

__all__ = ["PacedSocket"]


class PacedSocket:
    """Wraps a `Socket`; with no delay it passes everything on at once.

    Two things make a frame late: its own delay, in which others overtake it, and the delay of the whole line, which
    keeps the order.
    """

    def __init__(self, socket: Socket, delay_s: Callable[[], float]) -> None:
        """Take the socket and a function that returns the line's delay for the next frame in seconds."""
        self._socket = socket
        self._delay_s = delay_s
        self._late: deque[tuple[float, Callable[[], None]]] = deque()
        self._overtaken: dict[int, tuple[asyncio.TimerHandle, str]] = {}
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_held = False

    def send(self, frame: str, *, own_delay_s: float = 0.0) -> None:
        """Send a frame, after `own_delay_s`, behind what is in the line by then."""
        if own_delay_s <= 0:
            self._line_up(lambda: self._socket.send(frame))
            return
        self._count += 1
        timer = asyncio.get_running_loop().call_later(own_delay_s, self._overtake_no_more, self._count)
        self._overtaken[self._count] = timer, frame

    def hurry(self) -> None:
        """Send now what waits for its own delay, in the order in which it would have come."""
        for number in sorted(self._overtaken, key=lambda number: self._overtaken[number][0].when()):
            self._overtake_no_more(number)

    def close(self, code: int, reason: str = "") -> None:
        """Close after the frames sent before."""
        self.hurry()
        self._line_up(lambda: self._socket.close(code, reason))

    def hold(self) -> None:
        """Pass nothing on and read nothing until `release`."""
        self._is_held = True
        self._disarm()
        self._socket.pause_reading()

    def release(self) -> None:
        """Pass on what was held, and go on."""
        if self._is_held:
            self._is_held = False
            self._run_due()
            self._socket.resume_reading()

    def drop(self) -> None:
        """Break the connection now; what is late is lost."""
        self.stop()
        self._socket.abort()

    def stop(self) -> None:
        """Forget what is late."""
        self._late.clear()
        self._disarm()
        for timer, _ in self._overtaken.values():
            timer.cancel()
        self._overtaken.clear()

    def _overtake_no_more(self, number: int) -> None:
        timer, frame = self._overtaken.pop(number)
        timer.cancel()
        self.send(frame)

    def _line_up(self, action: Callable[[], None]) -> None:
        delay_s = self._delay_s()
        if delay_s <= 0 and not self._late and not self._is_held:
            action()
            return
        due = asyncio.get_running_loop().time() + delay_s
        if self._late:
            due = max(due, self._late[-1][0])
        self._late.append((due, action))
        self._arm()

    def _arm(self) -> None:
        if self._timer is None and self._late and not self._is_held:
            self._timer = asyncio.get_running_loop().call_at(self._late[0][0], self._run_due)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run_due(self) -> None:
        self._timer = None
        # What fell due in the same tick goes out together; `call_at` may fire a clock's resolution early.
        now = asyncio.get_running_loop().time() + 0.001
        while self._late and self._late[0][0] <= now:
            self._late.popleft()[1]()
        self._arm()
