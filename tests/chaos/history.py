"""What happened in a chaos run: every actor appends JSON lines, on one clock, to one file.

The file is all that the checker reads, so a run that failed can be judged again without its processes. The clock is the
computer's monotonic one, which all processes of a Linux machine share. A line is written by one `write` to a file that
is opened for appending, so that lines of several processes don't mix, and none is held back in a buffer when its
writer is killed.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

__all__ = ["Event", "History", "digest", "read_history"]

Kind = Literal["invoke", "ok", "fail", "info"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line; which members there are depends on `what`.

    - A tab of a guest: `send` (invoke; ok with `seq` of the message; fail with `status`), `resend`, `resume` (invoke;
      ok with `synced`), `welcome` (`mode`, `epoch`, `after` as asked for, `seq` of the head), `record` (`seq`, `body`,
      and what the frame says), `lost` (`status` is the close code), `online` (the network is back), `left`, `refused`.
    - The provider: `connection` (`connection`, `status` open or closed), `entry` (`sender`, `text`, `rank` in its own
      order, `connection` that is the newest one, `is_connected`).
    - The agent: `say`. The gateway: `hit` (`text` is the fail-point). The driver: `start`, `kill`, `cut`, `quiet`.
    """

    at: float
    actor: str
    kind: Kind
    what: str
    session: str = ""
    client: str = ""
    text: str = ""
    sender: str = ""
    status: str = ""
    mode: str = ""
    epoch: str = ""
    body: str = ""
    order_key: str = ""
    rank: str = ""
    seq: int = 0
    after: int = -1
    connection: int = 0
    is_connected: bool = True


class History:
    """A history that grows; also kept in memory, as far as it was written here."""

    def __init__(self, path: Path) -> None:
        """Append to `path`."""
        self.path = path
        # Non-blocking changes nothing for a file, but tells the guard of our tests that a write may be in the loop.
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NONBLOCK, 0o600)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        os.close(self._file)

    def add(self, actor: str, kind: Kind, what: str, *, at: float | None = None, **members: str | int) -> Event:
        """Append a line."""
        event = Event(at=time.monotonic() if at is None else at, actor=actor, kind=kind, what=what, **members)  # type: ignore[arg-type]
        os.write(self._file, msgspec.json.encode(event) + b"\n")
        return event

    def sync(self) -> None:
        """Make it durable."""
        os.fsync(self._file)


def read_history(path: Path) -> list[Event]:
    """Return the events in the order of time."""
    decoder = msgspec.json.Decoder(Event)
    with path.open("rb") as file:
        return sorted(map(decoder.decode, file), key=lambda event: event.at)


def digest(frame: str) -> str:
    """Return what stands for a frame's text."""
    return hashlib.blake2b(frame.encode(), digest_size=8).hexdigest()
