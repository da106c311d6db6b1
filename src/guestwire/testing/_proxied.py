"""The inside of the fault proxy: one connection as two sides (sockets) and two pipes (directions).

Theory of operation. What a side reads is pushed into a pipe together with the moment it is due; a task per pipe waits
for that moment, and for the end of a black hole, and writes. FIN and RST travel through the pipes like data, so they
too are late, held or lost. A pipe that has lost bytes stays silent until its connection ends, as TCP never delivers
what follows a hole. A sender is paused when much is held, as by a full window.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import math
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from guestwire.net.clock import Clock

__all__ = ["Connection", "Delay", "Direction", "Faults", "Hold", "Limit", "Lose", "Slice", "Truncate"]

MOST_HELD_BYTES = 1024 * 1024
"""A pipe stops reading with more than this on its way; with a second's delay 1 MiB/s still gets through."""

_TICK_S = 0.05  # a limited link writes what it may in this time, then waits
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close sends RST instead of FIN


class Direction(enum.StrEnum):
    """Where bytes go: to the program the proxy connects to, or to the one that connected to the proxy."""

    TO_TARGET = "to-target"
    TO_CLIENT = "to-client"


@dataclass(eq=False)
class _Fault:
    direction: Direction | None  # None: both


@dataclass(eq=False)
class Delay(_Fault):
    """Deliver late."""

    delay_s: float
    jitter_s: float


@dataclass(eq=False)
class Hold(_Fault):
    """Deliver when it is over."""

    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Lose(_Fault):
    """Never deliver."""


@dataclass(eq=False)
class Slice(_Fault):
    """Deliver in pieces."""

    most_bytes: int
    delay_s: float


@dataclass(eq=False)
class Limit(_Fault):
    """Deliver slowly."""

    bytes_per_s: float


@dataclass(eq=False)
class Truncate(_Fault):
    """Close after so many bytes of each pipe."""

    after_bytes: int
    with_reset: bool
    passed: Counter[_Pipe] = field(default_factory=Counter)


_F = TypeVar("_F", bound=_Fault)


class Faults:
    """What is wrong at the moment, and the counts, shared by all connections of a proxy."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self.clock = clock
        self.rng = rng
        self.passed_bytes: Counter[Direction] = Counter()
        self.lost_bytes: Counter[Direction] = Counter()
        self._active: list[_Fault] = []

    @contextlib.contextmanager
    def active(self, fault: _Fault) -> Iterator[None]:
        """Have `fault` for as long as the block lasts."""
        self._active.append(fault)
        try:
            yield
        finally:
            self._active.remove(fault)

    def of(self, kind: type[_F], direction: Direction) -> list[_F]:
        """Return the active faults of a kind that concern a direction."""
        return [fault for fault in self._active if isinstance(fault, kind) and fault.direction in {None, direction}]

    async def passable(self, direction: Direction) -> None:
        """Return as soon as no black hole swallows this direction."""
        while holds := self.of(Hold, direction):
            await holds[0].over.wait()


class Connection:
    """An accepted socket and one to the target; `closed` is called when nothing is left of them."""

    def __init__(
        self, faults: Faults, accepted: socket.socket, target: tuple[str, int], closed: Callable[[Connection], None]
    ) -> None:
        self._faults = faults
        self._accepted = accepted
        self._address = target
        self._client, self._target = _Side(), _Side()
        self._client.inbox = _Pipe(faults, Direction.TO_TARGET, self, self._client, self._target)
        self._target.inbox = _Pipe(faults, Direction.TO_CLIENT, self, self._target, self._client)
        self._sides = (self._client, self._target)
        self._pumps: list[asyncio.Task[None]] = []
        self._closed = closed
        self.task = asyncio.create_task(self._run(), name="fault-proxy-connection")
        self.task.add_done_callback(self._clean_up)  # and not `finally`: a task may be cancelled before it starts

    def reset(self) -> None:
        """Break both sides with an RST."""
        if self._client.transport is None:
            _reset_on_close(self._accepted)
        for side in self._sides:
            side.reset()
        self.task.cancel()

    def cut(self) -> None:
        """Close both sides with a FIN; what is still held is lost."""
        if not self._pumps:
            self.task.cancel()  # the target was never reached; the client's socket closes with a FIN by itself
        for pump in self._pumps:
            pump.cancel()
        for side in self._sides:
            side.inbox.silence()
            side.finish()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: self._client, self._accepted)
        await self._faults.passable(Direction.TO_TARGET)
        try:
            await loop.create_connection(lambda: self._target, *self._address)
        except OSError:
            self._client.reset()
            return
        async with asyncio.TaskGroup() as pumps:
            self._pumps = [pumps.create_task(side.inbox.pump(), name="fault-proxy-pipe") for side in self._sides]
        for side in self._sides:
            await side.aclose()

    def _clean_up(self, task: asyncio.Task[None]) -> None:
        if self._client.transport is None:
            self._accepted.close()
        for side in self._sides:
            side.abort()
        self._closed(self)
        if not task.cancelled() and (error := task.exception()):
            raise error  # to the loop's exception handler: a bug of ours must not look like a fault of the network


class _End(enum.Enum):
    FIN = enum.auto()
    RST = enum.auto()
    LOST = enum.auto()  # one of the others, which nobody will see


class _Side(asyncio.Protocol):
    """One of a connection's two sockets."""

    inbox: _Pipe

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._is_aborted = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = asyncio.Event()  # the peer will send nothing more
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._is_aborted:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self.inbox.push(data)

    def eof_received(self) -> bool:
        self._ended.set()
        self.inbox.push(_End.FIN)
        return True  # keep the other direction open

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()
        self._lost.set()
        self._writable.set()
        self.inbox.push(_End.FIN if exc is None else _End.RST)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        """Write; what a lost socket can't take is forgotten, as the other pipe brings the news."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)
            await self._writable.wait()

    def finish(self) -> None:
        """Send a FIN after what is written; reading goes on."""
        if self.transport is not None and not self.transport.is_closing():
            with contextlib.suppress(OSError):  # the peer has reset it, and asyncio is about to tell
                self.transport.write_eof()

    def reset(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            _reset_on_close(self.transport.get_extra_info("socket"))
        self.abort()

    def abort(self) -> None:
        self._is_aborted = True
        if self.transport is not None:
            self.transport.abort()

    async def aclose(self) -> None:
        """Wait for the peer's end, then close; with bytes unread a close would be an RST."""
        await self._ended.wait()
        if self.transport is not None:
            self.transport.close()
            await self._lost.wait()


class _Pipe:
    """One direction of one connection."""

    def __init__(self, faults: Faults, direction: Direction, connection: Connection, source: _Side, to: _Side) -> None:
        self._faults = faults
        self._direction = direction
        self._connection = connection
        self._source = source
        self._to = to
        self._held: deque[tuple[float, bytes | _End]] = deque()
        self._held_bytes = 0
        self._filled = asyncio.Event()
        self._last_due = -math.inf
        self._is_silent = False
        self._has_ended = False

    def push(self, item: bytes | _End) -> None:
        """Take what the source sent."""
        if self._has_ended:
            if item is _End.RST and not self._is_silent:
                self._to.reset()  # after a FIN: half closed first, then broken
            return
        self._is_silent = self._is_silent or bool(self._faults.of(Lose, self._direction))
        if isinstance(item, _End):
            self._has_ended = True
            item = _End.LOST if self._is_silent else item
        elif self._is_silent:
            self._faults.lost_bytes[self._direction] += len(item)
            return
        else:
            self._held_bytes += len(item)
            if self._held_bytes > MOST_HELD_BYTES and self._source.transport is not None:
                self._source.transport.pause_reading()
        delays = self._faults.of(Delay, self._direction)
        delay_s = sum(delay.delay_s + self._faults.rng.uniform(0.0, delay.jitter_s) for delay in delays)
        self._last_due = max(self._last_due, self._faults.clock.now() + delay_s)
        self._held.append((self._last_due, item))
        self._filled.set()

    def silence(self) -> None:
        """Lose what is held and all that follows."""
        self._is_silent = True
        self._faults.lost_bytes[self._direction] += self._held_bytes
        self._held.clear()
        self._release(self._held_bytes)

    async def pump(self) -> None:
        """Write what is held when it is due, until the source has ended."""
        while True:
            while not self._held:
                self._filled.clear()
                await self._filled.wait()
            due, item = self._held.popleft()
            wait_s = due - self._faults.clock.now()
            if wait_s > 0:
                await self._faults.clock.sleep(wait_s)
            await self._faults.passable(self._direction)
            match item:
                case _End.FIN:
                    return self._to.finish()
                case _End.RST:
                    return self._to.reset()
                case _End.LOST:
                    return None
                case bytes():
                    await self._write(item)

    async def _write(self, data: bytes) -> None:
        faults, direction = self._faults, self._direction
        at = 0
        while at < len(data):
            await faults.passable(direction)
            slices = faults.of(Slice, direction)
            truncates = faults.of(Truncate, direction)
            rate = min((limit.bytes_per_s for limit in faults.of(Limit, direction)), default=math.inf)
            size = max(1, int(min(len(data) - at, rate * _TICK_S)))
            size = min([size, *(faults.rng.randint(1, each.most_bytes) for each in slices)])
            size = min([size, *(each.after_bytes - each.passed[self] for each in truncates)])
            await self._to.write(data[at : at + size])
            at += size
            faults.passed_bytes[direction] += size
            self._release(size)
            for truncate in truncates:
                truncate.passed[self] += size
                if truncate.passed[self] >= truncate.after_bytes:
                    self._connection.reset() if truncate.with_reset else self._connection.cut()
                    await asyncio.sleep(0)  # this task is cancelled here
            if slices or rate < math.inf:
                await faults.clock.sleep(size / rate + sum(each.delay_s for each in slices))

    def _release(self, size: int) -> None:
        self._held_bytes -= size
        transport = self._source.transport
        if transport is not None and not transport.is_closing() and self._held_bytes <= MOST_HELD_BYTES // 2:
            transport.resume_reading()  # does nothing to one that reads


def _reset_on_close(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
