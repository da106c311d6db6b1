"""The one thread that writes: group commit.

Requests from the event loop wait in a queue. The thread takes all that is there, up to `_MAX_BATCH`, does them in one
transaction, commits once, and answers them all with one call into the event loop. While it waits for the disk the next
batch gathers by itself, so that nothing waits for company: a lone request is committed at once.

When a batch fails as a whole nothing of it is kept. If the reason lies in the store (I/O error, locked) every request
gets `LogUnavailable`. If it may lie in one request, or the disk is full and one of them may make room, each is done
again in a transaction of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from guestwire.errors import ChatError, LogUnavailable
from guestwire.gateway.log.generation import Generation, GenerationFile, new_generation
from guestwire.gateway.log.records import Outgoing
from guestwire.gateway.log.schema import CHECKPOINT_PAGES, lock_store, open_writer
from guestwire.gateway.log.slack import wal_pages, zero_slack
from guestwire.gateway.log.transaction import Row, Transaction
from guestwire.model.ids import SessionId

__all__ = ["FailPoint", "Moved", "Outcome", "Request", "Writer", "unavailable"]

FailPoint = Callable[[str], None]
"""Called by name at `before-commit` and `after-commit`. Raising at the first makes the batch fail as the disk would."""

_MAX_BATCH = 512
_SCRUB_BUSY_MS = 1000  # another program that reads the file may hold the scrub up; it is asked for again by the caller

# The store's fault, whatever was asked for.
_STORE_ERRORS = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ReadOnlyError,
)


class Moved(NamedTuple):
    """Where a session's log stands after a commit, and the records it got."""

    epoch: str
    floor: int
    head: int
    rows: list[Row]


class Request(NamedTuple):
    """Something to do within a transaction."""

    run: Callable[[Transaction], object]
    future: asyncio.Future[object]
    scrubs: bool = False
    """Done only when the write-ahead log has been emptied."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    results: list[tuple[asyncio.Future[object], object, BaseException | None]] = field(default_factory=list)
    moved: dict[SessionId, Moved] = field(default_factory=dict)
    outboxes: dict[SessionId, Outgoing | None] = field(default_factory=dict)
    """Where the outbox was changed: its oldest open message."""
    gone: set[SessionId] = field(default_factory=set)
    all_moved: bool = False


def unavailable(error: BaseException) -> LogUnavailable:
    """Wrap what the store said; its words name tables and paths at most, never content."""
    if isinstance(error, LogUnavailable):
        return error
    wrapped = LogUnavailable(f"The session log can't be used now: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


class Writer:
    """The writing thread and its connection."""

    def __init__(
        self,
        path: Path,
        generation_path: Path,
        *,
        deliver: Callable[[Outcome], None],
        reading: threading.Lock,
        now_ms: Callable[[], int],
        fail_point: FailPoint,
        on_failure: Callable[[], None],
        max_pages: int | None,
    ) -> None:
        """Prepare; `start` opens.

        Args:
            deliver: Takes every outcome, on the writing thread.
            reading: Held by readers while they read; the scrub takes it, since it must not find one in its way.
        """
        self._path = path
        self._generation_path = generation_path
        self._deliver = deliver
        self._reading = reading
        self._now_ms = now_ms
        self._fail_point = fail_point
        self._on_failure = on_failure
        self._max_pages = max_pages
        self._requests: queue.SimpleQueue[list[Request] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="guestwire-log-writer", daemon=True)
        self._commits = 0
        self._wal = path.with_name(f"{path.name}-wal")
        self._wal_frames = 0
        self._checkpoint_at = CHECKPOINT_PAGES
        self._written: set[int] | None = None
        """Pages written since the last scrub, but for those that are in the write-ahead log still; None is unknown."""
        self._connection: apsw.Connection | None = None
        self.lost_records: bool = False
        """Whether the store was found to be older than it had been, so that every epoch was changed."""
        self.put: Final = self._requests.put
        """Ask for something; never blocks."""

    # --- life ---------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open and check the store; blocks.

        Raises:
            ConfigError: It can't be used as it is.
            LogUnavailable: It can't be opened or written now.
        """
        try:
            self._lock = lock_store(self._path)
            try:
                self._open()
            except BaseException:
                self._lock.close()
                raise
        except (apsw.Error, OSError) as error:
            raise unavailable(error) from error

    def start(self) -> None:
        """Begin to take requests."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was asked for, close the connection, end the thread; blocks until it has."""
        self._requests.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        assert self._connection is not None  # noqa: S101 - opened
        self._connection.close()
        self._generation.close()
        os.close(self._file)
        self._lock.close()

    def _open(self) -> None:
        # Opened before and closed after every connection, see slack.py. SQLite makes -wal and -shm with its rights.
        self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o600)
        connection = open_writer(self._path)
        self._connection = connection
        if self._max_pages is not None:
            connection.execute(f"PRAGMA max_page_count={self._max_pages}").fetchall()
        self._page_size = int(str(connection.execute("PRAGMA page_size").get))
        connection.set_wal_hook(self._note_wal)
        self._transaction = Transaction(connection)
        self._generation = GenerationFile(self._generation_path)
        name, commits = "", 0
        for row in connection.execute("SELECT generation, commits FROM store"):
            name, commits = str(row[0]), int(row[1])
        known = self._generation.found
        if known is not None and known.name == name and known.commits <= commits:
            self._commits = commits
            self._generation.attach()
            self._generation.advance(commits)
            return
        self.lost_records = name != "" or known is not None
        self._commits = max(commits, known.commits if known is not None else 0) + 1
        fresh = Generation(new_generation(), self._commits)
        transaction = self._transaction
        transaction.begin(self._now_ms())
        transaction.bump_epochs()
        connection.execute("UPDATE store SET generation = ?", (fresh.name,))
        transaction.commit(self._commits)
        transaction.rollback()  # nothing to undo: it empties what is held in memory
        # A crash just here finds two names that differ, and changes the epochs once more: harmless.
        self._generation.replace(fresh)

    # --- work ---------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        waiting: list[Request] = []
        is_stopping = False
        while waiting or not is_stopping:
            try:
                # Take all that is there; wait only when there is nothing to do.
                while not is_stopping and len(waiting) < _MAX_BATCH:
                    asked = self._requests.get(block=not waiting)
                    if asked is None:
                        is_stopping = True
                    else:
                        waiting += asked
            except queue.Empty:
                pass
            batch, waiting = waiting[:_MAX_BATCH], waiting[_MAX_BATCH:]
            if batch:
                self._do(batch)
            # Futures and bodies should not live through the wait for the next.
            batch, asked = [], None

    def _do(self, batch: list[Request]) -> None:
        outcome = Outcome()
        try:
            self._attempt(batch, outcome)
        except BaseException as error:  # noqa: BLE001 - the thread's root: every request gets its answer
            self._roll_back()
            outcome = Outcome()
            if isinstance(error, (LogUnavailable, OSError, *_STORE_ERRORS)) or (
                len(batch) == 1 and isinstance(error, apsw.Error)
            ):
                outcome.results = [(request.future, None, unavailable(error)) for request in batch]
                for _ in batch:
                    self._on_failure()
            elif len(batch) == 1:
                outcome.results = [(batch[0].future, None, error)]
            else:
                if isinstance(error, apsw.FullError):
                    self._fold()
                for request in batch:
                    self._do([request])
                return
        if self._transaction.must_scrub:
            self._scrub(batch, outcome)
        self._deliver(outcome)
        if self._wal_frames >= self._checkpoint_at:
            self._checkpoint()

    def _attempt(self, batch: list[Request], outcome: Outcome) -> None:
        transaction = self._transaction
        transaction.begin(self._now_ms())
        results = outcome.results
        for request in batch:
            before = transaction.changes
            try:
                results.append((request.future, request.run(transaction), None))
            except ChatError as refusal:
                if transaction.changes != before:
                    raise
                results.append((request.future, None, refusal))
        self._fail_point("before-commit")
        transaction.commit(self._commits + 1)
        self._commits += 1
        self._generation.advance(self._commits)
        self._fail_point("after-commit")
        outcome.moved = {
            sid: Moved(state.epoch, state.floor, state.head, rows) for sid, (state, rows) in transaction.touched.items()
        }
        outcome.outboxes = {sid: next(iter(state.open.values()), None) for sid, state in transaction.outboxes.items()}
        outcome.gone = transaction.gone
        outcome.all_moved = transaction.all_moved

    def _roll_back(self) -> None:
        # A connection that can't even roll back has no transaction any more, or gets its answer at the next BEGIN.
        with contextlib.suppress(apsw.Error):
            self._transaction.rollback()

    def _note_wal(self, _connection: apsw.Connection, _name: str, frames: int) -> int:
        self._wal_frames = frames
        return int(apsw.SQLITE_OK)

    def _checkpoint(self) -> None:
        """Move into the database what no reader needs in the write-ahead log; whoever waited has its answer already."""
        assert self._connection is not None  # noqa: S101 - opened
        with contextlib.suppress(apsw.Error, OSError):
            self._note_pages()
            frames, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            # What a reader still needs is moved later; asking again after each commit would cost more than it brings.
            self._checkpoint_at = CHECKPOINT_PAGES if moved >= frames else frames + CHECKPOINT_PAGES // 4

    def _note_pages(self) -> None:
        """Remember which pages are in the write-ahead log; to be called before it may be begun anew."""
        if self._written is not None:
            self._written |= wal_pages(self._wal, self._page_size)

    def _fold(self) -> None:
        """Move the write-ahead log into the database, so that its space on a full disk can be used again."""
        assert self._connection is not None  # noqa: S101 - opened
        with contextlib.suppress(apsw.Error, OSError), self._reading:
            self._note_pages()
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)

    def _scrub(self, batch: list[Request], outcome: Outcome) -> None:
        """Remove what is left of erased rows: old copies inside pages, and the write-ahead log with all it holds."""
        connection = self._connection
        assert connection is not None  # noqa: S101 - opened
        try:
            connection.set_busy_timeout(_SCRUB_BUSY_MS)
            with self._reading:
                self._note_pages()
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                connection.release_memory()
                zero_slack(self._file, self._page_size, self._written)
            self._written = set()
            self._transaction.must_scrub = False
        except (apsw.Error, OSError, LogUnavailable) as error:
            scrubs = {request.future for request in batch if request.scrubs}
            self._on_failure()
            outcome.results = [
                (future, None, unavailable(error)) if future in scrubs and failed is None else (future, value, failed)
                for future, value, failed in outcome.results
            ]
        finally:
            connection.set_busy_timeout(5000)


def system_now_ms() -> int:
    """Return the computer's time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
