"""Delayed frames keep their order."""

from __future__ import annotations

from guestwire.emulator.paced_socket import DROPPED, PacedSocket
from guestwire.testing.eventually import eventually


class Sent:
    """A socket that remembers."""

    is_writable = True

    def __init__(self) -> None:
        self.done: list[object] = []

    def send(self, frame: str) -> None:
        self.done.append(frame)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.done.append(code)


async def test_without_delay_all_goes_at_once() -> None:
    """Nothing waits when nothing is delayed."""
    sent = Sent()
    socket = PacedSocket(sent, lambda: 0.0)
    socket.send("a")
    socket.close(1000)
    assert sent.done == ["a", 1000]


async def test_later_frames_do_not_overtake() -> None:
    """Whatever the delays, frames and the close keep their order."""
    delays = iter([0.03, 0.0, 0.01, 0.0])
    sent = Sent()
    socket = PacedSocket(sent, lambda: next(delays))
    for frame in ("a", "b", "c"):
        socket.send(frame)
    socket.close(4401)
    assert sent.done == []
    await eventually(lambda: len(sent.done) == 4)
    assert sent.done == ["a", "b", "c", 4401]


async def test_drop_forgets_what_is_late() -> None:
    """A dropped connection sends nothing more, and stopping twice is fine."""
    sent = Sent()
    socket = PacedSocket(sent, lambda: 0.01)
    socket.send("a")
    socket.drop()
    socket.stop()
    assert sent.done == [DROPPED]
