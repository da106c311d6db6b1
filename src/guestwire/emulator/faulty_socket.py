"""A guest's socket with the faults of the connection on it: frames late, doubled or overtaken, stalled, dropped."""

from __future__ import annotations

from collections.abc import Callable

from guestwire.emulator.faults import FaultName
from guestwire.emulator.org import Org
from guestwire.emulator.paced_socket import PacedSocket
from guestwire.net.websocket import Socket

__all__ = ["FaultySocket"]


class FaultySocket:
    """Between a guest's connection and its socket, in both directions; asks the org's faults for each frame."""

    def __init__(self, org: Org, socket: Socket, take: Callable[[str], None]) -> None:
        """Pass what the guest sends to `take`."""
        self._org = org
        self._take = take
        self._socket = PacedSocket(socket, self._delay_s)
        self._unread: list[str] = []
        self._is_stalled = False

    def received(self, frame: str) -> None:
        """Pass on what the guest sent, when the fault that stalls is off."""
        if self._is_stalled:
            self._unread.append(frame)  # few: what was under way when the reading stopped
        else:
            self._take(frame)

    def send(self, text: str, *, session: str, may_be_overtaken: bool = False, delay_s: float = 0.0) -> None:
        """Send a frame after `delay_s`; the faults may double it, and have messages overtake each other.

        Args:
            text: The frame.
            session: Whose it is; each session has its own stream of draws.
            may_be_overtaken: Whether a guest can put it in order again.
            delay_s: Its own delay.
        """
        percent = self._org.faults.value(FaultName.DUPLICATE_FRAMES, "percent")
        for _ in range(1 + self._org.happens(percent, f"double frames of {session}")):
            overtaken_s = self._overtaken_s(session) if may_be_overtaken else 0.0
            self._socket.send(text, own_delay_s=delay_s + overtaken_s)

    def send_plain(self, text: str) -> None:
        """Send anything, garbage too, once."""
        self._socket.send(text)

    def stall_or_go_on(self) -> None:
        """Neither read nor write while the fault is on; afterwards go on with what waits."""
        is_stalled = self._org.faults.is_on(FaultName.STALL_SOCKETS)
        if is_stalled is self._is_stalled:
            return
        self._is_stalled = is_stalled
        if is_stalled:
            self._socket.hold()
            return
        self._socket.release()
        unread, self._unread = self._unread, []
        for frame in unread:
            self.received(frame)

    def hurry(self) -> None:
        """Send now what waits for its own delay."""
        self._socket.hurry()

    def close(self, code: int, reason: str = "") -> None:
        """Close after what was sent."""
        self._socket.close(code, reason)

    def drop(self) -> None:
        """Break the connection now, without a close frame."""
        self._socket.drop()

    def stop(self) -> None:
        """Forget what is late: the socket is closed."""
        self._socket.stop()

    def _delay_s(self) -> float:
        return self._org.faults.value(FaultName.DELAY_FRAMES, "delayMs") / 1000

    def _overtaken_s(self, session: str) -> float:
        window_s = self._org.faults.value(FaultName.REORDER_FRAMES, "windowMs") / 1000
        return window_s * self._org.ids.draw(f"order of frames of {session}") if window_s else 0.0
