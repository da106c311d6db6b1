"""Zero the unused space inside the pages of a SQLite database file.

`secure_delete` zeroes what is deleted. It does not zero what is moved: when SQLite splits or merges pages, whole rows
of other sessions are copied to a neighbour, and their old bytes stay in the gap between a page's cell pointers and its
cells. When such a row is deleted later, only its new place is zeroed. Without this module, a byte search after erasures
among 40 sessions found words of an erased one every time.

So an erasure also goes through the file and zeroes that gap where it is not zero. It writes nothing but zeros, and only
where no content is, so a crash in the middle or a write that was torn does no harm. The caller sees to it that

- the write-ahead log is empty, so that the file is the truth, and nobody checkpoints or writes meanwhile;
- no connection keeps pages in memory that it would write again, gap and all;
- the file's descriptor is not closed while connections are open: on POSIX that would drop SQLite's locks
  (https://www.sqlite.org/howtocorrupt.html §2.2).

Reading the whole file for every erasure would take a second per gigabyte. But only a page that was written can have got
such a gap, and every page that is written goes through the write-ahead log first: whoever empties that log notes its
pages before (`wal_pages`), and only those are looked at. After a start nobody knows, so the first erasure reads it all.

Source: the file format, https://www.sqlite.org/fileformat2.html §1.6. Pages of a b-tree begin with 2, 5, 10 or 13; all
others begin with the highest byte of a page number, which is 0 below 2^24 pages (64 GiB).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from guestwire.errors import LogUnavailable

__all__ = ["wal_pages", "zero_slack"]

_MAX_PAGES = 1 << 24
_FILE_HEADER = 100  # bytes before the b-tree header of page 1
_HEADER_SIZES = {2: 12, 5: 12, 10: 8, 13: 8}
_PAGES_AT_ONCE = 256
_WAL_HEADER = 32
_FRAME_HEADER = 24


def wal_pages(path: Path, page_size: int) -> set[int]:
    """Return the numbers of the pages in a write-ahead log, from 1; those of its past, which may be in it, too."""
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return set()
    # Closing it drops no lock: in WAL mode those are on the other two files.
    with file:
        size = file.seek(0, os.SEEK_END)
        pages = set()
        for start in range(_WAL_HEADER, size - _FRAME_HEADER, _FRAME_HEADER + page_size):
            file.seek(start)
            pages.add(int.from_bytes(file.read(4), "big"))
    return pages


def zero_slack(file: int, page_size: int, pages: set[int] | None = None) -> int:
    """Zero the gaps in the database file, make that durable, and return how many pages had one that was not zero.

    Args:
        file: The open database file.
        page_size: In bytes.
        pages: Numbers of the pages to look at; None is all.

    Raises:
        LogUnavailable: The database is too large to tell its pages apart.
    """
    size = os.fstat(file).st_size
    if size // page_size >= _MAX_PAGES:
        raise LogUnavailable("The session log is larger than 64 GiB: erased words may remain in it until a VACUUM.")
    count = 0
    for start, length in _runs(size // page_size, pages):
        start *= page_size  # noqa: PLW2901 - from pages to bytes
        os.lseek(file, start, os.SEEK_SET)
        chunk = os.read(file, page_size * length)
        for at in range(0, len(chunk), page_size):
            begin, end = _gap(chunk[at : at + page_size], _FILE_HEADER if start + at == 0 else 0)
            if begin < end and chunk.count(0, at + begin, at + end) != end - begin:
                os.lseek(file, start + at + begin, os.SEEK_SET)
                os.write(file, bytes(end - begin))
                count += 1
    if count:
        os.fsync(file)
    return count


def _runs(count: int, pages: set[int] | None) -> Iterator[tuple[int, int]]:
    """Yield runs of pages to read at once: index of the first, from 0, and how many."""
    if pages is None:
        for first in range(0, count, _PAGES_AT_ONCE):
            yield first, min(_PAGES_AT_ONCE, count - first)
        return
    first = length = 0
    for index in sorted(number - 1 for number in pages if 0 < number <= count):
        if length and index == first + length and length < _PAGES_AT_ONCE:
            length += 1
            continue
        if length:
            yield first, length
        first, length = index, 1
    if length:
        yield first, length


def _gap(page: bytes, at: int) -> tuple[int, int]:
    """Return where the gap of a page begins and ends; nothing, when it is no page of a b-tree."""
    header_size = _HEADER_SIZES.get(page[at])
    if header_size is None:
        return 0, 0
    cells = int.from_bytes(page[at + 3 : at + 5], "big")
    content = int.from_bytes(page[at + 5 : at + 7], "big") or 65536
    return at + header_size + 2 * cells, min(content, len(page))
