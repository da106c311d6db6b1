"""A small file beside the database that remembers how far the database had come.

A restored backup looks like any other database: nothing inside it can tell that newer records existed, were shown to
browsers, and are gone. So two things are kept outside: the random name of the store, and the number of its latest
commit. A database that is behind the file, or has another name, has lost records, and every session's epoch is changed.

The number is written through a memory map after each commit and never synced: it costs nothing, survives `kill -9`, and
after a loss of power it can only be older than the truth, since the commit itself was synced before. Older is harmless.
One aligned 8-byte store can't be seen half done.

The file must not be part of the backup, else the two are restored together and nothing is noticed.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Generation", "GenerationFile", "new_generation"]

_MAGIC = b"guestwire generation 1\n\0"  # 24 bytes
_NAME = slice(24, 56)
_COMMITS = 7  # index of the 8-byte number: bytes 56 to 63
_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Generation:
    """What a store calls itself and how many commits it has seen."""

    name: str
    commits: int


def new_generation() -> str:
    """Return a random name for a store."""
    return secrets.token_hex(16)


class GenerationFile:
    """The file, mapped into memory while open."""

    def __init__(self, path: Path) -> None:
        """Open it; nothing is written before `replace`."""
        self._path = path
        self._map: mmap.mmap | None = None
        self._words: memoryview | None = None
        self.found: Generation | None = None
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            if len(content) == _SIZE and content.startswith(_MAGIC):
                commits = memoryview(content).cast("Q")[_COMMITS]
                self.found = Generation(content[_NAME].decode("ascii", "replace"), commits)

    def replace(self, generation: Generation) -> None:
        """Write a new file, durable when this returns."""
        self.close()
        content = bytearray(_SIZE)
        content[: len(_MAGIC)] = _MAGIC
        content[_NAME] = generation.name.encode("ascii")
        memoryview(content).cast("Q")[_COMMITS] = generation.commits
        temporary = self._path.with_name(f"{self._path.name}.new")
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        _sync_folder(self._path.parent)
        self.attach()

    def attach(self) -> None:
        """Map the file, so that `advance` can write to it."""
        with self._path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._words = memoryview(self._map).cast("Q")

    def advance(self, commits: int) -> None:
        """Remember that the store has come this far; call it after the commit, never before."""
        if self._words is not None:
            self._words[_COMMITS] = commits

    def close(self) -> None:
        """Unmap the file."""
        if self._words is not None:
            self._words.release()
            self._words = None
        if self._map is not None:
            self._map.close()
            self._map = None


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows can't open folders and needs no such thing."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
