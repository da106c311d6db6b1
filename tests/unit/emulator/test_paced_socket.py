"""Delayed frames keep their order."""

from __future__ import annotations

from guestwire.emulator.paced_socket import PacedSocket
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

    def abort(self) -> None:
        self.done.append("abort")

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")


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
    assert sent.done == ["abort"]


async def test_frames_with_a_delay_of_their_own_are_overtaken() -> None:
    """They come in the order in which they fall due; what has none goes at once."""
    sent = Sent()
    socket = PacedSocket(sent, lambda: 0.0)
    for frame, own_delay_s in (("c", 0.04), ("b", 0.02), ("a", 0.0)):
        socket.send(frame, own_delay_s=own_delay_s)
    assert sent.done == ["a"]
    await eventually(lambda: len(sent.done) == 3)
    assert sent.done == ["a", "b", "c"]


async def test_nothing_is_lost_by_a_close() -> None:
    """What is on its way goes before it, in the order in which it would have come."""
    sent = Sent()
    socket = PacedSocket(sent, lambda: 0.0)
    socket.send("b", own_delay_s=60.0)
    socket.send("a", own_delay_s=30.0)
    socket.close(1000)
    assert sent.done == ["a", "b", 1000]


async def test_what_is_held_goes_on_in_order() -> None:
    """Held, nothing goes or is read; released, all of it does, and then each at once again."""
    sent = Sent()
    socket = PacedSocket(sent, lambda: 0.0)
    socket.hold()
    socket.send("a")
    socket.send("b", own_delay_s=0.001)
    await eventually(lambda: not socket._overtaken)
    socket.send("c")
    assert sent.done == ["pause"]
    socket.release()
    assert sent.done == ["pause", "a", "b", "c", "resume"]
    socket.send("d")
    socket.hold()
    socket.close(1000)
    socket.stop()
    socket.release()
    socket.release()
    assert sent.done[5:] == ["d", "pause", "resume"]


async def test_a_drop_forgets_what_was_overtaken() -> None:
    """Like all that is late."""
    sent = Sent()
    socket = PacedSocket(sent, lambda: 0.0)
    socket.send("a", own_delay_s=60.0)
    socket.drop()
    socket.hurry()
    assert sent.done == ["abort"]
