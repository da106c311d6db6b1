"""Network trouble on demand: a TCP proxy between two programs that delays, holds, loses, slices and breaks.

Faults act on open connections and on new ones, and may be nested. Bytes that were in the kernel's buffers when a block
begins may fall under it or not, as in life.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping
from random import Random
from types import MappingProxyType, TracebackType
from typing import Self

from guestwire.net.clock import Clock, SystemClock
from guestwire.testing._proxied import Connection, Delay, Direction, Faults, Hold, Limit, Lose, Slice, Truncate

__all__ = ["Direction", "FaultProxy"]


class FaultProxy:
    """Pass TCP connections on to a target, from `async with` until its end; then everything is closed.

    Attributes:
        target: Host and port that new connections go to. Set it when the target has moved.
        accepted: How many connections came so far; refused ones are not seen.
    """

    def __init__(
        self, target_host: str, target_port: int, *, clock: Clock | None = None, rng: Random | None = None
    ) -> None:
        """Prepare; nothing is bound yet.

        Args:
            target_host: Name or address.
            target_port: Its TCP port.
            clock: Where delays come from; the computer's clock if None.
            rng: Where jitter and sizes of slices come from; seeded with 0 if None.
        """
        self.target = (target_host, target_port)
        self.accepted = 0
        # The seed makes trouble reproducible; nothing here is cryptography.
        self._faults = Faults(clock or SystemClock(), rng or Random(0))  # noqa: S311
        self._connections: set[Connection] = set()
        self._refusing = 0
        self._guard: socket.socket | None = None
        self._listener: socket.socket | None = None

    @property
    def host(self) -> str:
        """The address it listens on."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The port it listens on; the same for as long as it lives, also while it refuses."""
        if self._guard is None:
            raise RuntimeError("Expected a running FaultProxy; use it inside `async with`.")
        return int(self._guard.getsockname()[1])

    @property
    def open_connections(self) -> int:
        """How many connections it holds, broken ones included until both sides know."""
        return len(self._connections)

    @property
    def passed_bytes(self) -> Mapping[Direction, int]:
        """How many bytes were written, by direction."""
        return MappingProxyType(self._faults.passed_bytes)

    @property
    def lost_bytes(self) -> Mapping[Direction, int]:
        """How many bytes were read and thrown away, by direction."""
        return MappingProxyType(self._faults.lost_bytes)

    async def __aenter__(self) -> Self:
        """Bind a free port and listen."""
        # Bound but never listening: it keeps our port ours while `refusing()` has the listener closed.
        self._guard = _bind(self.host, 0)
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every socket and wait for every task."""
        self._stop_listening()
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        tasks = [connection.task for connection in self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn of the loop

    # --- trouble for as long as a block lasts ------------------------------------------------------------------------

    @contextlib.contextmanager
    def delaying(self, seconds: float, jitter: float = 0.0, *, direction: Direction | None = None) -> Iterator[None]:
        """Deliver everything `seconds` late, and up to `jitter` seconds later still; the order stays."""
        with self._faults.active(Delay(direction, seconds, jitter)):
            yield

    @contextlib.contextmanager
    def black_hole(self, *, direction: Direction | None = None) -> Iterator[None]:
        """Let nothing arrive, not even a close; afterwards all of it arrives, as TCP sends again what was lost.

        New connections are accepted (the kernel does that) but go no further until the end.
        """
        hold = Hold(direction)
        try:
            with self._faults.active(hold):
                yield
        finally:
            hold.over.set()

    @contextlib.contextmanager
    def one_way(self, direction: Direction) -> Iterator[None]:
        """Lose for good what goes in `direction`, closes included; the other way stays open.

        A connection that lost something stays silent in this direction after the block.
        """
        with self._faults.active(Lose(direction)):
            yield

    @contextlib.contextmanager
    def slicing(self, size: int, delay: float = 0.0, *, direction: Direction | None = None) -> Iterator[None]:
        """Deliver in pieces of 1 to `size` bytes, with `delay` seconds after each."""
        if size < 1:
            raise ValueError(f"Expected a size of at least 1 byte, got {size}.")
        with self._faults.active(Slice(direction, size, delay)):
            yield

    @contextlib.contextmanager
    def limiting(self, bytes_per_s: float, *, direction: Direction | None = None) -> Iterator[None]:
        """Deliver at most `bytes_per_s`, each direction of each connection counted by itself."""
        if bytes_per_s <= 0:
            raise ValueError(f"Expected a positive rate, got {bytes_per_s}; `black_hole()` lets nothing through.")
        with self._faults.active(Limit(direction, bytes_per_s)):
            yield

    @contextlib.contextmanager
    def truncating(
        self, after_bytes: int, *, direction: Direction | None = None, with_reset: bool = False
    ) -> Iterator[None]:
        """Let each connection pass `after_bytes` more in a direction, then close it in the middle of whatever that is.

        The close is a FIN, or an RST `with_reset`.
        """
        with self._faults.active(Truncate(direction, after_bytes, with_reset)):
            yield

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse new connections as a closed port does; open ones go on."""
        self._refusing += 1
        self._stop_listening()
        try:
            yield
        finally:
            self._refusing -= 1
            if not self._refusing and self._guard is not None:
                self._listen()

    # --- trouble at once ---------------------------------------------------------------------------------------------

    def reset(self) -> int:
        """Break every open connection with an RST to both sides; return how many there were."""
        connections = list(self._connections)
        for connection in connections:
            connection.reset()
        return len(connections)

    def cut(self) -> int:
        """Close every open connection with a FIN to both sides; return how many there were.

        What was still on its way in the proxy is lost. A side that does not close in answer stays half open, and is let
        go at the proxy's end.
        """
        connections = list(self._connections)
        for connection in connections:
            connection.cut()
        return len(connections)

    # --- below -------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._listener = _bind(self.host, self.port)
        self._listener.listen(socket.SOMAXCONN)
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = listener.accept()
            client.settimeout(0)
            self.accepted += 1
            self._connections.add(Connection(self._faults, client, self.target, self._connections.discard))


def _bind(host: str, port: int) -> socket.socket:
    # With the protocol named: asyncio sets TCP_NODELAY only on sockets that say TCP; accepted ones inherit it.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock
