"""The outgoing queue of a socket shell."""

from __future__ import annotations

import asyncio

from guestwire.net.outgoing import CloseOrder, Outgoing
from guestwire.net.websocket import CUT_OFF_BYTES, TOO_SLOW, WRITABLE_BYTES


class Line:
    """A connection that remembers."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def abort(self) -> None:
        self.calls.append("abort")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


def make() -> tuple[Outgoing, list[str]]:
    signals: list[str] = []
    return Outgoing(writable=lambda: signals.append("writable")), signals


async def test_frames_come_in_order_and_then_the_close() -> None:
    outgoing, _ = make()
    outgoing.send("one")
    outgoing.send("two")
    outgoing.close(4499, "ended")
    outgoing.send("three")
    assert [await outgoing.get() for _ in range(3)] == ["one", "two", CloseOrder(4499, "ended")]
    assert outgoing.is_closing


async def test_get_waits_for_a_frame() -> None:
    outgoing, _ = make()
    getting = asyncio.ensure_future(outgoing.get())
    await asyncio.sleep(0)
    assert not getting.done()
    outgoing.send("one")
    assert await getting == "one"


async def test_writable_again_only_well_below_the_limit() -> None:
    """The signal comes once, when most of the queue is gone, and not with every frame around the limit."""
    outgoing, signals = make()
    frame = "x" * 8192
    while outgoing.is_writable:
        outgoing.send(frame)
    await outgoing.get()
    states = [(outgoing.is_writable, tuple(signals))]
    while not signals:
        await outgoing.get()
    states.append((outgoing.is_writable, tuple(signals)))
    assert states == [(False, ()), (True, ("writable",))]


async def test_no_signal_after_close() -> None:
    outgoing, signals = make()
    for _ in range(WRITABLE_BYTES // 8192 + 1):
        outgoing.send("x" * 8192)
    outgoing.close()
    while not isinstance(await outgoing.get(), CloseOrder):
        pass
    assert not signals


async def test_far_too_much_cuts_the_reader_off() -> None:
    outgoing, _ = make()
    for _ in range(CUT_OFF_BYTES // 60_000 + 2):
        outgoing.send("x" * 60_000)
    assert await outgoing.get() == CloseOrder(TOO_SLOW, "too slow a reader")


async def test_an_abort_breaks_the_connection_and_forgets_the_queue() -> None:
    """A close that was ordered before is not waited for."""
    line = Line()
    outgoing = Outgoing(writable=lambda: None, link=line)
    outgoing.send("one")
    outgoing.close(4499)
    outgoing.abort()
    assert outgoing.is_aborted
    assert line.calls == ["abort"]
    assert await outgoing.get() == CloseOrder(4499, "")


async def test_reading_is_paused_below() -> None:
    line = Line()
    outgoing = Outgoing(writable=lambda: None, link=line)
    outgoing.pause_reading()
    outgoing.resume_reading()
    assert line.calls == ["pause", "resume"]


async def test_without_hold_of_the_connection_an_abort_closes() -> None:
    """As a server that is not ours has it; reading goes on."""
    outgoing, _ = make()
    outgoing.send("one")
    outgoing.pause_reading()
    outgoing.resume_reading()
    outgoing.abort()
    assert not outgoing.is_aborted
    assert await outgoing.get() == CloseOrder(1011, "")
