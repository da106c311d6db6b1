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

Source: the file format, https://www.sqlite.org/fileformat2.html §1.6. Pages of a b-tree begin with 2, 5, 10 or 13; all
others begin with the highest byte of a page number, which is 0 below 2^24 pages (64 GiB).
"""

from __future__ import annotations

import os

from guestwire.errors import LogUnavailable

__all__ = ["zero_slack"]

_MAX_PAGES = 1 << 24
_FILE_HEADER = 100  # bytes before the b-tree header of page 1
_HEADER_SIZES = {2: 12, 5: 12, 10: 8, 13: 8}
_PAGES_AT_ONCE = 256


def zero_slack(file: int, page_size: int) -> int:
    """Zero the gaps in the database file, make that durable, and return how many pages had one that was not zero.

    Raises:
        LogUnavailable: The database is too large to tell its pages apart.
    """
    size = os.fstat(file).st_size
    if size // page_size >= _MAX_PAGES:
        raise LogUnavailable("The session log is larger than 64 GiB: erased words may remain in it until a VACUUM.")
    count = 0
    for start in range(0, size, page_size * _PAGES_AT_ONCE):
        os.lseek(file, start, os.SEEK_SET)
        chunk = os.read(file, page_size * _PAGES_AT_ONCE)
        for at in range(0, len(chunk), page_size):
            begin, end = _gap(chunk[at : at + page_size], _FILE_HEADER if start + at == 0 else 0)
            if begin < end and chunk.count(0, at + begin, at + end) != end - begin:
                os.lseek(file, start + at + begin, os.SEEK_SET)
                os.write(file, bytes(end - begin))
                count += 1
    if count:
        os.fsync(file)
    return count


def _gap(page: bytes, at: int) -> tuple[int, int]:
    """Return where the gap of a page begins and ends; nothing, when it is no page of a b-tree."""
    header_size = _HEADER_SIZES.get(page[at])
    if header_size is None:
        return 0, 0
    cells = int.from_bytes(page[at + 3 : at + 5], "big")
    content = int.from_bytes(page[at + 5 : at + 7], "big") or 65536
    return at + header_size + 2 * cells, min(content, len(page))
