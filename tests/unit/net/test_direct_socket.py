"""The shell on uvicorn's connection: when the transport has room, what came during the handshake, whole frames."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from guestwire.net.direct_socket import DirectSocket, ends_whole, whole_texts
from guestwire.net.websocket import WRITABLE_BYTES, Socket


class Line:
    """A connection whose transport takes `room` frames, and says so as a transport does: within a write."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.writes = 0
        self.room = 1_000_000
        self.loop = asyncio.get_running_loop()
        self.socket: DirectSocket | None = None

    @property
    def takes_frames(self) -> bool:
        return self.room > 0

    def write_texts(self, texts: Iterable[str]) -> None:
        self.writes += 1
        for text in texts:
            self.room -= 1
            self.written.append(text[:2])
        if self.socket is not None:
            self.socket.flush()

    def write_close(self, code: int, reason: str) -> None:
        self.written.append(f"close {code} {reason}")

    def make_room(self, frames: int) -> None:
        self.room = frames
        assert self.socket is not None
        self.socket.flush()

    def abort(self) -> None:
        self.written.append("abort")

    def pause_reading(self) -> None:
        self.written.append("pause")

    def resume_reading(self) -> None:
        self.written.append("resume")


class Handler:
    """Writes down what it is told, and sends when it may."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = ""

    def opened(self, socket: Socket) -> None:
        self.socket = socket
        self._note("opened")

    def text(self, frame: str) -> None:
        self._note(f"text {frame}")

    def writable(self) -> None:
        self.socket.send("w")
        self._note("writable")

    def closed(self, code: int) -> None:
        self._note(f"closed {code}")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.fails and call.startswith(self.fails):
            raise RuntimeError("on purpose")


def make(*pending: dict[str, Any], fails: str = "") -> tuple[DirectSocket, Line, Handler]:
    line, handler = Line(), Handler()
    handler.fails = fails
    socket = line.socket = DirectSocket(line, handler)  # type: ignore[arg-type]  # a stand-in
    queue: asyncio.Queue[Any] = asyncio.Queue()
    for event in pending:
        queue.put_nowait(event)
    socket.start(queue)
    return socket, line, handler


async def test_frames_keep_their_order_around_a_full_transport() -> None:
    """Also those that the handler sends when it is told that there is room."""
    socket, line, handler = make()
    line.room = 4
    numbers = 0
    while socket.is_writable:
        socket.send(f"{numbers:02}" + "x" * 8192)
        numbers += 1
    assert line.written == ["00", "01", "02", "03"]
    while len(line.written) < numbers + 1:
        line.make_room(1)
    assert line.written == [*(f"{number:02}" for number in range(numbers)), "w"]
    assert handler.calls == ["opened", "writable"]
    socket.send("z")
    assert line.written[-1] == "w"
    line.make_room(10)
    assert line.written[-1] == "z"


async def test_what_is_sent_in_one_turn_is_one_write() -> None:
    """In the next turn, or before what cannot wait: a close, or too much to be held."""
    socket, line, _ = make()
    for text in "123":
        socket.send(text)
    assert line.written == []
    await asyncio.sleep(0)
    assert (line.written, line.writes) == (["1", "2", "3"], 1)
    socket.send("4")
    socket.send("x" * WRITABLE_BYTES)
    assert (line.written[3:], line.writes) == (["4", "xx"], 2)
    socket.send("5")
    socket.close(1000)
    assert line.written[5:] == ["5", "close 1000 "]
    await asyncio.sleep(0)
    assert line.writes == 3


async def test_what_is_held_is_written_before_what_is_queued() -> None:
    """The transport may be full by the time, for what others have written to it."""
    socket, line, _ = make()
    socket.send("1")
    line.room = 0
    socket.send("2")
    assert line.written == ["1"]
    line.make_room(1)
    assert line.written == ["1", "2"]


async def test_an_abort_loses_what_is_held() -> None:
    socket, line, _ = make()
    socket.send("1")
    socket.abort()
    await asyncio.sleep(0)
    assert line.written == ["abort"]


async def test_a_big_frame_that_is_taken_at_once_is_no_full_queue() -> None:
    socket, line, handler = make()
    socket.send("x" * (WRITABLE_BYTES + 1))
    assert socket.is_writable
    assert handler.calls == ["opened"]
    assert line.written == ["xx"]


async def test_a_close_waits_for_what_is_queued_and_is_told_later() -> None:
    """The handler that closes is in the middle of something; `closed` comes once, whatever the connection says then."""
    socket, line, handler = make()
    line.room = 0
    socket.send("1")
    socket.close(4499, "why")
    socket.send("2")
    await asyncio.sleep(0)
    assert (line.written, handler.calls) == ([], ["opened"])
    line.make_room(9)
    assert (line.written, handler.calls) == (["1", "close 4499 why"], ["opened"])
    await asyncio.sleep(0)
    assert handler.calls == ["opened", "closed 4499"]
    socket.put_nowait({"type": "websocket.disconnect", "code": 1005})
    socket.send("3")
    socket.flush()
    assert (line.written, handler.calls[2:]) == (["1", "close 4499 why"], [])


async def test_an_abort_loses_what_is_queued() -> None:
    socket, line, handler = make()
    line.room = 0
    socket.send("1")
    socket.abort()
    line.make_room(9)
    socket.put_nowait({"type": "websocket.disconnect", "code": 1005})
    assert (line.written, handler.calls) == (["abort"], ["opened", "closed 1006"])


async def test_what_came_during_the_handshake_is_shown_after_opened() -> None:
    came = ({"type": "websocket.receive", "text": "hello"}, {"type": "websocket.disconnect", "code": None})
    _, _, handler = make(*came)
    assert handler.calls == ["opened", "text hello", "closed 1005"]
    _, line, handler = make({"type": "websocket.receive", "bytes": b"\0"}, *came)
    assert handler.calls == ["opened", "closed 1005"]
    assert line.written == ["close 1003 text frames only"]


async def test_whatever_fails_in_a_handler_closes() -> None:
    for fails in ("opened", "text", "writable", "closed"):
        socket, line, handler = make(fails=fails)
        socket.show("t")
        line.room = 0
        socket.send("x" * (WRITABLE_BYTES + 1))
        line.make_room(9)
        await asyncio.sleep(0)
        socket.put_nowait({"type": "websocket.disconnect", "code": 1000})
        closes = [written for written in line.written if written.startswith("close")]
        assert (closes, handler.calls[-1]) == (
            ([], "closed 1000") if fails == "closed" else (["close 1011 "], "closed 1011")
        )


def frame(data: str | bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """Return a client's frame."""
    payload = data.encode() if isinstance(data, str) else data
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


TEXTS = ["", "a", "grüß Gott", "x" * 125, "x" * 126, "y" * 65_535]


def test_whole_frames_of_text_are_read_as_they_come() -> None:
    """One or many in a piece, of every length of the head."""
    assert whole_texts(b"".join(map(frame, TEXTS))) == TEXTS
    for text in TEXTS:
        assert whole_texts(frame(text)) == [text]


@pytest.mark.parametrize(
    "data",
    [
        frame(b"", Opcode.PING),
        frame(b"x", Opcode.BINARY),
        frame("a", fin=False) + frame("b", Opcode.CONT),
        frame("a") + frame(b"\x03\xe8", Opcode.CLOSE),
        frame(b"\xff"),
        frame("x" * 65_536),
        Frame(Opcode.TEXT, b"unmasked, and long enough").serialize(mask=False),
        b"\x81\xfe\x00\x02mask\x00\x00",  # a head of two bytes more than it needs
        b"\xc1\x82mask\x00\x00",  # an extension that nobody agreed on
    ],
    ids=["ping", "binary", "in parts", "close", "not UTF-8", "long", "unmasked", "wasteful head", "extension"],
)
def test_everything_else_is_left_to_the_parser(data: bytes) -> None:
    """It comes to the parser as a whole, which is then between two frames again."""
    assert whole_texts(data) is None
    assert whole_texts(frame("before") + data) is None


def test_it_is_known_where_the_last_frame_ends() -> None:
    """Where anything is missing, the parser gets all that follows."""
    before = frame("whole") + frame(b"", Opcode.PONG)
    for text in TEXTS:
        data = frame(text)
        assert ends_whole(before + data)
        for cut in {1, 2, 3, 5, len(data) - 1}:
            assert not ends_whole(before + data[:cut])
            assert whole_texts(data[:cut]) is None
    assert ends_whole(frame("x" * 65_600))
    assert not ends_whole(frame("x" * 65_600)[:-1])
