"""The one connection that writes: group commit.

What is asked for in one turn of the event loop gathers in a list. In the next turn the loop itself does all of it, up
to `_MAX_BATCH` requests, in one transaction: these are cheap statements on pages in memory. Only the commit, which
waits for the disk, is done by a thread, and its end is one call into the loop, which answers everybody. Meanwhile the
next batch gathers by itself, so that nothing waits for company: a lone request is committed at once.

The connection changes hands with the commit: while the thread has a job the loop leaves it alone. A batch that may take
long is a job for the thread as a whole: it erases or trims, or it is about a session that must be read first.

Two other ways were left. Statements in the thread make it fight with the loop for the interpreter at each of them: the
median of the latency was twice as long. Commits in the loop would stop every chat while the disk is busy.

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
from functools import partial
from pathlib import Path

import apsw
import msgspec

from guestwire.errors import ChatError, LogUnavailable
from guestwire.gateway.log.generation import Generation, GenerationFile, new_generation
from guestwire.gateway.log.schema import BUSY_MS, CHECKPOINT_PAGES, lock_store, open_writer
from guestwire.gateway.log.slack import wal_pages, zero_slack
from guestwire.gateway.log.transaction import Row, SessionState, Transaction
from guestwire.model.ids import SessionId

__all__ = ["FailPoint", "Outcome", "Request", "Writer", "unavailable"]

FailPoint = Callable[[str], None]
"""Called by name at `before-commit` and `after-commit`. Raising at the first makes the batch fail as the disk would."""

_MAX_BATCH = 512
_SCRUB_BUSY_MS = 1000  # another program that reads the file may hold the scrub up, and us for so long, …
_SCRUB_AGAIN_S = 10.0  # … but not with every write: it is tried again with the first one after this time

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


class Request(msgspec.Struct, frozen=True):
    """Something to do within a transaction."""

    run: Callable[[Transaction], object]
    future: asyncio.Future[object]
    sid: SessionId | None = None
    """The session that it is about, if it is about one."""
    is_long: bool = False
    """Nothing to do in the event loop."""
    scrubs: bool = False
    """Answered with whether the files hold nothing any more of what was erased."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    results: list[tuple[asyncio.Future[object], object, BaseException | None]] = field(default_factory=list)
    moved: dict[SessionId, tuple[SessionState, list[Row]]] = field(default_factory=dict)
    """Sessions whose log has moved, with their new records. Nothing changes a state before this was delivered."""
    outboxes: dict[SessionId, SessionState] = field(default_factory=dict)
    """Where the outbox was changed."""
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
    """The writing connection, and the thread that commits.

    `ask` and all that it leads to belongs to the event loop, but for what a job does.
    """

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
            deliver: Takes every outcome, in the event loop.
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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Request] = []
        self._is_free = True
        """Whether the connection is the loop's: no job is out."""
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._done: list[Outcome] = []
        self._thread = threading.Thread(target=self._work, name="guestwire-log-writer", daemon=True)
        self._commits = 0
        self._wal = path.with_name(f"{path.name}-wal")
        self._wal_frames = 0
        self._checkpoint_at = CHECKPOINT_PAGES
        self._written: set[int] | None = None
        """Pages written since the last scrub, but for those that are in the write-ahead log still; None is unknown."""
        self._scrub_at = 0.0
        self._connection: apsw.Connection | None = None
        self.lost_records: bool = False
        """Whether the store was found to be older than it had been, so that every epoch was changed."""

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

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to take requests, which come from `loop`."""
        assert self._connection is not None  # noqa: S101 - opened
        self._loop = loop
        self._connection.set_busy_timeout(0)
        self._thread.start()

    def finish(self) -> None:
        """Let the thread do what was asked for, and then end; the loop asks for nothing more."""
        self._is_free = False
        rest, self._waiting = self._waiting, []
        for start in range(0, len(rest), _MAX_BATCH):
            self._jobs.put(partial(self._do, rest[start : start + _MAX_BATCH]))
        self._jobs.put(None)

    def close(self) -> None:
        """Close the connection when the thread has ended, which `finish` asked it to; blocks until it has."""
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
        transaction.finish(self._commits)
        transaction.commit()
        transaction.rollback()  # nothing to undo: it empties what is held in memory
        # A crash just here finds two names that differ, and changes the epochs once more: harmless.
        self._generation.replace(fresh)

    # --- in the event loop --------------------------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Ask for something; it is begun in the next turn of the loop at the earliest."""
        self._waiting.append(request)
        if self._is_free and len(self._waiting) == 1:
            assert self._loop is not None  # noqa: S101 - started
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        waiting = self._waiting
        if not self._is_free or not waiting:
            return
        if len(waiting) <= _MAX_BATCH:
            batch, self._waiting = waiting, []
        else:
            batch, self._waiting = waiting[:_MAX_BATCH], waiting[_MAX_BATCH:]
        self._is_free = False
        self._jobs.put(self._begin(batch))

    def _begin(self, batch: list[Request]) -> Callable[[], None]:
        """Do as much of a batch as is the loop's to do; return what is left for the thread."""
        knows = self._transaction.knows
        for request in batch:
            if request.is_long or (request.sid is not None and not knows(request.sid)):
                return partial(self._do, batch)
        outcome = Outcome()
        try:
            self._write(batch, outcome)
        except apsw.BusyError:
            return partial(self._do, batch)  # another program writes; the thread has the time to wait for it
        except BaseException as error:  # noqa: BLE001 - whatever it is, every request gets its answer
            return partial(self._fail, batch, error)
        return partial(self._end, batch, outcome)

    def _deliver_done(self, outcomes: list[Outcome], *, is_free: bool = True) -> None:
        for outcome in outcomes:
            self._deliver(outcome)
        if is_free:
            self._be_free()

    def _be_free(self) -> None:
        self._is_free = True
        if self._waiting and self._loop is not None:
            # Behind those who were just answered: what they ask for next goes into the same batch.
            self._loop.call_soon(self._take_turn)

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            done, self._done = self._done, []
            if self._wal_frames < self._checkpoint_at:
                self._call_loop(partial(self._deliver_done, done))
            else:
                self._call_loop(partial(self._deliver_done, done, is_free=False))
                self._checkpoint()
                self._call_loop(self._be_free)
            del job, done  # futures and bodies should not live through the wait for the next

    def _call_loop(self, call: Callable[[], None]) -> None:
        # The loop may have been closed by somebody who did not wait for us; then nobody waits for the answer either.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call)

    def _do(self, batch: list[Request]) -> None:
        """Do a whole batch."""
        assert self._connection is not None  # noqa: S101 - opened
        outcome = Outcome()
        self._connection.set_busy_timeout(BUSY_MS)
        try:
            self._write(batch, outcome)
        except BaseException as error:  # noqa: BLE001 - the thread's root: every request gets its answer
            self._fail(batch, error)
        else:
            self._end(batch, outcome)
        finally:
            self._connection.set_busy_timeout(0)

    def _write(self, batch: list[Request], outcome: Outcome) -> None:
        """Do everything but the commit."""
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
        transaction.finish(self._commits + 1)
        outcome.moved = transaction.touched
        outcome.outboxes = transaction.outboxes
        outcome.gone = transaction.gone
        outcome.all_moved = transaction.all_moved

    def _end(self, batch: list[Request], outcome: Outcome) -> None:
        """Commit; from now on the batch is durable."""
        try:
            self._fail_point("before-commit")
            self._transaction.commit()
            self._commits += 1
            self._generation.advance(self._commits)
            self._fail_point("after-commit")
        except BaseException as error:  # noqa: BLE001 - the thread's root: every request gets its answer
            self._fail(batch, error)
            return
        if self._transaction.must_scrub:
            is_clean = self._scrub()
            scrubs = {request.future for request in batch if request.scrubs}
            outcome.results = [
                (future, is_clean if future in scrubs and failed is None else value, failed)
                for future, value, failed in outcome.results
            ]
        self._done.append(outcome)

    def _fail(self, batch: list[Request], error: BaseException) -> None:
        """Keep nothing of a batch; answer it, or do each of its requests again."""
        self._roll_back()
        is_alone = len(batch) == 1
        is_the_stores = isinstance(error, (LogUnavailable, OSError, *_STORE_ERRORS))
        if is_the_stores or is_alone:
            outcome = Outcome()
            for request in batch:
                answer = unavailable(error) if is_the_stores or isinstance(error, apsw.Error) else error
                if isinstance(answer, LogUnavailable):
                    self._on_failure()
                outcome.results.append((request.future, None, answer))
            self._done.append(outcome)
            return
        if isinstance(error, apsw.FullError):
            self._fold()
        for request in batch:
            self._do([request])

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

    def _scrub(self) -> bool:
        """Remove what is left of erased rows: old copies inside pages, and the write-ahead log with all it holds.

        Returns:
            Whether nothing is left.
        """
        if time.monotonic() < self._scrub_at:
            return False
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
        except (apsw.Error, OSError, LogUnavailable):
            self._scrub_at = time.monotonic() + _SCRUB_AGAIN_S
            return False
        else:
            return True
        finally:
            connection.set_busy_timeout(0)


def system_now_ms() -> int:
    """Return the computer's time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
