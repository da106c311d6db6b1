"""The thread that reads, on a connection that can't write.

It takes all queries that wait, answers them from one snapshot and hands the answers over together. The snapshot begins
after the queries were asked, so whoever asks after a write has resolved sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import apsw

from guestwire.errors import ChatError, ResumeGap
from guestwire.gateway.log.records import LogPosition, Outgoing, Page, Record, SessionRow, TokenEntry
from guestwire.gateway.log.schema import open_reader
from guestwire.gateway.log.transaction import OUTGOING_COLUMNS, SESSION_COLUMNS, outgoing_of, session_of
from guestwire.gateway.log.writer import unavailable
from guestwire.model.ids import SessionId

__all__ = ["Answers", "Query", "Reader"]

Query = tuple[Callable[[apsw.Connection], object], asyncio.Future[object]]
Answers = list[tuple[asyncio.Future[object], object, BaseException | None]]

_MAX_BATCH = 64  # a snapshot that stays open for long keeps the writer from reusing its write-ahead log


class Reader:
    """The reading thread and its connection."""

    def __init__(self, path: Path, *, deliver: Callable[[Answers], None], reading: threading.Lock) -> None:
        """Open the database, which the writer has made; blocks."""
        self._deliver = deliver
        self._reading = reading
        try:
            self._connection = open_reader(path)
        except apsw.Error as error:
            raise unavailable(error) from error
        self._queries: queue.SimpleQueue[Query | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="guestwire-log-reader", daemon=True)
        self._thread.start()
        self.put: Final = self._queries.put
        """Ask for something; never blocks."""

    def stop(self) -> None:
        """Answer what was asked, close the connection, end the thread; blocks until it has."""
        self._queries.put(None)
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        is_stopping = False
        while not is_stopping:
            query = self._queries.get()
            batch: list[Query] = []
            while query is not None:
                batch.append(query)
                if len(batch) == _MAX_BATCH:
                    break
                try:
                    query = self._queries.get_nowait()
                except queue.Empty:
                    break
            else:
                is_stopping = True
            if batch:
                self._deliver(self._answer(batch))
            del batch, query

    def _answer(self, batch: list[Query]) -> Answers:
        answers: Answers = []
        connection = self._connection
        with self._reading:
            try:
                connection.execute("BEGIN")
                for run, future in batch:
                    try:
                        answers.append((future, run(connection), None))
                    except ChatError as refusal:
                        answers.append((future, None, refusal))
            except BaseException as error:  # noqa: BLE001 - the thread's root: every query gets its answer
                wrapped = unavailable(error) if isinstance(error, (apsw.Error, OSError)) else error
                answers += [(future, None, wrapped) for _, future in batch[len(answers) :]]
            with contextlib.suppress(apsw.Error):
                if connection.in_transaction:
                    connection.execute("COMMIT")
        return answers


_IDS_AT_ONCE = 500  # three times in one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535

# --- queries ----------------------------------------------------------------------------------------------------------


def session(connection: apsw.Connection, sid: SessionId) -> SessionRow | None:
    """See `SessionLog.get`."""
    row = connection.execute(f"SELECT {SESSION_COLUMNS} FROM session WHERE sid = ?", (sid,)).fetchone()  # noqa: S608
    return None if row is None else session_of(row)


def open_sessions(connection: apsw.Connection) -> list[SessionRow]:
    """See `SessionLog.open_sessions`."""
    rows = connection.execute(f"SELECT {SESSION_COLUMNS} FROM session WHERE state <> 'ended' ORDER BY sno")  # noqa: S608
    return [session_of(row) for row in rows]


def position(connection: apsw.Connection, sid: SessionId) -> LogPosition | None:
    """Return where a session's log stands, `None` when there is no such session."""
    row = connection.execute(
        "SELECT epoch, floor, (SELECT max(seq) FROM record WHERE record.sno = session.sno) FROM session WHERE sid = ?",
        (sid,),
    ).fetchone()
    if row is None:
        return None
    epoch, floor, head = row
    return LogPosition(epoch, floor, floor if head is None else head)


def page(connection: apsw.Connection, sid: SessionId, after: int, limit: int, max_bytes: int) -> Page | None:
    """See `SessionLog.read`."""
    row = connection.execute("SELECT sno, floor FROM session WHERE sid = ?", (sid,)).fetchone()
    if row is None:
        return None
    sno, floor = row
    newest = connection.execute("SELECT max(seq) FROM record WHERE sno = ?", (sno,)).get
    head = floor if newest is None else newest
    if after < floor:
        raise ResumeGap(after, floor + 1, head)
    rows = connection.execute(
        "SELECT seq, kind, body, order_key, late, created_ms FROM record WHERE sno = ? AND seq > ?"
        " ORDER BY seq LIMIT ?",
        (sno, after, limit),
    )
    return Page(take_while_fits((Record(r[0], r[1], r[2], r[3], bool(r[4]), r[5]) for r in rows), max_bytes), head)


def take_while_fits(records: Iterable[Record], max_bytes: int) -> tuple[Record, ...]:
    """Return records until their bodies exceed `max_bytes`, at least one."""
    taken: list[Record] = []
    size = 0
    for record in records:
        size += len(record.body)
        if taken and size > max_bytes:
            break
        taken.append(record)
    return tuple(taken)


def next_outgoing(connection: apsw.Connection, sid: SessionId) -> tuple[bool, Outgoing | None]:
    """Return whether the session exists, and its oldest open message."""
    sno = connection.execute("SELECT sno FROM session WHERE sid = ?", (sid,)).get
    if sno is None:
        return False, None
    row = connection.execute(
        f"SELECT {OUTGOING_COLUMNS} FROM outbox"  # noqa: S608 - a constant
        " WHERE sno = ? AND is_open = 1 ORDER BY oseq LIMIT 1",
        (sno,),
    ).fetchone()
    return True, None if row is None else outgoing_of(row)


def known_ids(connection: apsw.Connection, sid: SessionId, provider_ids: Sequence[str]) -> frozenset[str] | None:
    """See `SessionLog.known_ids`; `None` when there is no such session."""
    sno = connection.execute("SELECT sno FROM session WHERE sid = ?", (sid,)).get
    if sno is None:
        return None
    known: set[str] = set()
    for start in range(0, len(provider_ids), _IDS_AT_ONCE):
        ids = provider_ids[start : start + _IDS_AT_ONCE]
        marks = ",".join("?" * len(ids))
        keys = [f"p:{provider_id}" for provider_id in ids]
        for (found,) in connection.execute(
            f"SELECT substr(dedup_key, 3) FROM record WHERE sno = ? AND dedup_key IN ({marks})"  # noqa: S608 - marks
            f" UNION ALL SELECT substr(dedup_key, 3) FROM seen WHERE sno = ? AND dedup_key IN ({marks})"
            f" UNION ALL SELECT provider_id FROM outbox WHERE sno = ? AND provider_id IN ({marks})",
            (sno, *keys, sno, *keys, sno, *ids),
        ):
            known.add(str(found))
    return frozenset(known)


def doubtful(connection: apsw.Connection, sid: SessionId) -> list[Outgoing] | None:
    """See `SessionLog.doubtful`; `None` when there is no such session."""
    sno = connection.execute("SELECT sno FROM session WHERE sid = ?", (sid,)).get
    if sno is None:
        return None
    rows = connection.execute(
        f"SELECT {OUTGOING_COLUMNS} FROM outbox WHERE sno = ? AND state = 'unconfirmed' ORDER BY oseq",  # noqa: S608
        (sno,),
    )
    return [outgoing_of(row) for row in rows]


def count_open(connection: apsw.Connection) -> int:
    """See `SessionLog.count_open`."""
    count = connection.execute("SELECT count(*) FROM outbox WHERE is_open = 1").get  # all in one small index
    return int(count)


def token(connection: apsw.Connection, token_hash: bytes) -> TokenEntry | None:
    """See `SessionLog.find_token`."""
    row = connection.execute(
        "SELECT sid, resume.expires_ms FROM resume JOIN session USING (sno) WHERE token_hash = ?", (token_hash,)
    ).fetchone()
    return None if row is None else TokenEntry(SessionId(row[0]), row[1])
