"""What one transaction of the writing connection does to tables and memory.

Theory of operation. The process is the only writer, so what a session's next `seq` is and which keys it has seen can be
held in memory: `SessionState`, read from the tables at first need. An operation checks everything first, raises its
`ChatError` before it has changed anything, then changes memory and tables together. So one that is refused needs no
savepoint, which is two statements for each of 512 requests. If the transaction fails as a whole, or an operation fails
after its first change, `rollback` drops the memory too and it is read again.

New records and changes of the outbox are collected and written many rows at a time, just before the commit or a
statement that reads them. Rows of the outbox are named by their `id`, which is known by heart: a change of one was 8 µs
by (sno, oseq) and is 4.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Callable, Sequence

import apsw
import msgspec

from guestwire.errors import (
    ConversationEnded,
    LocalProtocolError,
    LogConflict,
    OutboxFull,
    SessionExists,
    SessionGone,
)
from guestwire.gateway.log.interface import IDEMPOTENCY_MS
from guestwire.gateway.log.outbox import OPEN_STATES, OutboxState, after_end, can_become
from guestwire.gateway.log.records import Accepted, IdempotencyEntry, NewRecord, Outgoing, SessionRow
from guestwire.gateway.log.records import SessionState as Status
from guestwire.model.ids import ClientId, SessionId

__all__ = [
    "OUTGOING_COLUMNS",
    "SESSION_COLUMNS",
    "Row",
    "SessionState",
    "Transaction",
    "Value",
    "outgoing_of",
    "session_of",
]

Value = int | float | str | bytes | None
"""What a column holds, in the words of apsw's types."""
Row = tuple[int, int, str, bytes, str | None, str | None, bool, int]
"""A row of `record`: sno, seq, kind, body, dedup_key, order_key, late, created_ms."""

SESSION_COLUMNS = (
    "sno, sid, epoch, state, floor, provider_ref, details, created_ms, ended_ms, expires_ms,"
    " (SELECT max(seq) FROM record WHERE record.sno = session.sno)"
)
OUTGOING_COLUMNS = "oseq, client_id, body, state, attempts, sent_at_ms, retry_at_ms, message_seq"

# Rows per INSERT: apsw keeps a prepared statement of each size, and hands the interpreter lock over once per statement.
_CHUNKS = (256, 32, 4, 1)


def _inserts(table: str, columns: str) -> dict[int, str]:
    row = ",".join("?" * (columns.count(",") + 1))
    start = f"INSERT INTO {table} ({columns}) VALUES "  # noqa: S608 - constants
    return {size: start + ",".join([f"({row})"] * size) for size in _CHUNKS}


_RECORDS = _inserts("record", "sno, seq, kind, body, dedup_key, order_key, late, created_ms")
_ACCEPTS = _inserts("outbox", "id, sno, oseq, client_id, body, body_hash, state, message_seq")
_MARK = "UPDATE outbox SET state = ?, attempts = ?, sent_at_ms = ?, retry_at_ms = NULL WHERE id = ?"
_SETTLE = (
    "UPDATE outbox SET state = ?, is_open = ?, retry_at_ms = ?, error = ?, provider_id = coalesce(?, provider_id),"
    " body = coalesce(?, body) WHERE id = ?"
)

_ACCEPTED, _SENDING = OutboxState.ACCEPTED.value, OutboxState.SENDING.value

# Dedup keys held in memory, over all sessions: an estimated 120 bytes each, so about 60 MB. Others are read at need.
_MAX_KEYS = 500_000


class SessionState:
    """What the writing connection's owner knows of a session by heart."""

    __slots__ = ("epoch", "floor", "head", "ids", "keys", "next_oseq", "open", "size", "sno", "status")

    def __init__(
        self,
        *,
        sno: int,
        epoch: str,
        floor: int,
        head: int,
        next_oseq: int,
        keys: set[str],
        open_messages: dict[int, Outgoing],
        ids: dict[int, int],
        size: int,
        status: Status,
    ) -> None:
        """Take what was read."""
        self.sno = sno
        self.epoch = epoch
        self.floor = floor
        self.head = head
        self.next_oseq = next_oseq
        self.keys = keys
        self.open = open_messages
        """Open messages of the outbox in order, by their oseq."""
        self.ids = ids
        """Their rows in the table."""
        self.size = size
        """Bytes of the bodies of the records that are kept."""
        self.status = status


class Transaction:
    """The operations of the writing connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Work on `connection`, which nothing else writes to."""
        self._connection = connection
        self._execute = connection.execute
        self._states: dict[SessionId, SessionState] = {}
        self._keys = 0
        self._rows: list[Row] = []
        self._accepts: list[tuple[Value, ...]] = []
        self._marks: list[tuple[Value, ...]] = []
        self._settles: list[tuple[Value, ...]] = []
        self._collected: set[int] = set()
        """Rows of the outbox with a change that is not written yet: the next one must come after it."""
        self._last_id: int | None = None
        """Of the outbox."""
        self.now_ms = 0
        self.changes = 0
        """Grows with every change; an operation that raises and has not changed it has changed nothing."""
        self.touched: dict[SessionId, tuple[SessionState, list[Row]]] = {}
        """Sessions changed by this transaction, with their new records."""
        self.outboxes: dict[SessionId, SessionState] = {}
        """Sessions whose open messages were changed by it."""
        self.gone: set[SessionId] = set()
        """Sessions erased by it."""
        self.all_moved = False
        """Whether every session's epoch was changed by it."""
        self.must_scrub = False
        """Whether the write-ahead log has to be emptied after the commit, because what it held was erased."""

    # --- the transaction itself ---------------------------------------------------------------------------------------

    def begin(self, now_ms: int) -> None:
        """Start; `now_ms` becomes the time of the records."""
        self.now_ms = now_ms
        self._clear()
        self._execute("BEGIN IMMEDIATE")

    def finish(self, commits: int) -> None:
        """Write what is left; `commits` is the number of the commit that follows."""
        self.flush()
        self._execute("UPDATE store SET commits = ? WHERE id = 1", (commits,))

    def commit(self) -> None:
        """Make it durable."""
        self._execute("COMMIT")

    def rollback(self) -> None:
        """Forget the transaction, in memory too."""
        for collected in (self._rows, self._accepts, self._marks, self._settles, self._collected):
            collected.clear()
        self._clear()
        self._states.clear()
        self._keys = 0
        self._last_id = None
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    def knows(self, sid: SessionId) -> bool:
        """Return whether nothing of the session has to be read from the tables."""
        return sid in self._states

    def flush(self) -> None:
        """Write what was collected so far."""
        if self._rows:
            self._insert(_RECORDS, self._rows)
            self._rows = []
        if self._collected:
            if self._accepts:
                self._insert(_ACCEPTS, self._accepts)
                self._accepts = []
            if self._marks:
                self._connection.executemany(_MARK, self._marks)
                self._marks = []
            if self._settles:
                self._connection.executemany(_SETTLE, self._settles)
                self._settles = []
            self._collected.clear()

    def _insert(self, inserts: dict[int, str], rows: Sequence[tuple[Value, ...]]) -> None:
        start, count = 0, len(rows)
        for size in _CHUNKS:
            while count - start >= size:
                self._execute(inserts[size], tuple(itertools.chain.from_iterable(rows[start : start + size])))
                start += size

    # --- sessions -----------------------------------------------------------------------------------------------------

    def create(self, session: SessionRow) -> None:
        """See `SessionLog.create`."""
        if self._execute("SELECT 1 FROM session WHERE sid = ?", (session.sid,)).get is not None:
            raise SessionExists(f"The session {session.sid} is in the log already.")
        self.changes += 1
        self._execute(
            "INSERT INTO session (sid, epoch, state, provider_ref, details, created_ms, ended_ms, expires_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                session.sid,
                session.epoch,
                session.state.value,
                session.provider_ref,
                session.details,
                session.created_ms,
                session.ended_ms,
                session.expires_ms,
            ),
        )
        self.gone.discard(session.sid)
        state = self.outboxes[session.sid] = self._states[session.sid] = SessionState(
            sno=self._connection.last_insert_rowid(),
            epoch=session.epoch,
            floor=0,
            head=0,
            next_oseq=1,
            keys=set(),
            open_messages={},
            ids={},
            size=0,
            status=session.state,
        )
        self._touch(session.sid, state)

    def set_provider(self, sid: SessionId, provider_ref: bytes) -> None:
        """See `SessionLog.set_provider`."""
        state = self._state(sid)
        self.changes += 1
        self._execute("UPDATE session SET provider_ref = ? WHERE sno = ?", (provider_ref, state.sno))

    def touch(
        self, sid: SessionId, expires_ms: int | msgspec.UnsetType | None, details: bytes | msgspec.UnsetType
    ) -> None:
        """See `SessionLog.touch`."""
        state = self._state(sid)
        self.changes += 1
        if expires_ms is not msgspec.UNSET:
            self._execute("UPDATE session SET expires_ms = ? WHERE sno = ?", (expires_ms, state.sno))
        if details is not msgspec.UNSET:
            self._execute("UPDATE session SET details = ? WHERE sno = ?", (details, state.sno))

    def bump_epochs(self, sid: SessionId | None = None) -> None:
        """See `SessionLog.bump_epochs`."""
        if sid is None:
            rows = [(int(sno), SessionId(str(name))) for sno, name in self._execute("SELECT sno, sid FROM session")]
        else:
            rows = [(self._state(sid).sno, sid)]
        self.changes += 1
        for sno, name in rows:
            epoch = secrets.token_hex(16)
            self._execute("UPDATE session SET epoch = ? WHERE sno = ?", (epoch, sno))
            known = self._states.get(name)
            if known is not None:
                known.epoch = epoch
                self._touch(name, known)
        self.all_moved = self.all_moved or sid is None

    def erase(self, sid: SessionId) -> bool:
        """See `SessionLog.erase`; whether the bytes are gone too is for the writer to say."""
        self.changes += 1
        self.must_scrub = True
        self.flush()
        self._execute("DELETE FROM idempotency WHERE sid = ?", (sid,))
        self._execute("DELETE FROM session WHERE sid = ?", (sid,))  # the rest follows by its foreign keys
        self._forget(sid)
        self.touched.pop(sid, None)
        self.outboxes.pop(sid, None)
        self.gone.add(sid)
        return False

    def expire(self, now_ms: int, limit: int) -> list[SessionRow]:
        """See `SessionLog.expire`."""
        self.changes += 1
        self.flush()
        rows = self._execute(
            f"SELECT {SESSION_COLUMNS} FROM session"  # noqa: S608 - a constant
            " WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?",
            (now_ms, limit),
        ).fetchall()
        expired = [session_of(row) for row in rows]
        for session in expired:
            self.erase(session.sid)
        self._execute("DELETE FROM idempotency WHERE created_ms <= ?", (now_ms - IDEMPOTENCY_MS,))
        self._execute("DELETE FROM resume WHERE expires_ms <= ?", (now_ms,))
        return expired

    # --- records ------------------------------------------------------------------------------------------------------

    def append(self, sid: SessionId, records: Sequence[NewRecord]) -> list[int | None]:
        """See `SessionLog.append`."""
        # `_append` written out: the loop that every record of the provider goes through.
        state = self._states.get(sid) or self._state(sid)
        sno, keys, now_ms = state.sno, state.keys, self.now_ms
        seq = first = state.head
        size = state.size
        seqs: list[int | None] = []
        rows: list[Row] = []
        for record in records:
            key = record.dedup_key
            if key is not None:
                if key in keys:
                    seqs.append(None)
                    continue
                keys.add(key)
                self._keys += 1
            seq += 1
            size += len(record.body)
            rows.append((sno, seq, record.kind, record.body, key, record.order_key, record.late, now_ms))
            seqs.append(seq)
        if seq != first:
            state.head = seq
            state.size = size
            self.changes += 1
            self._rows += rows
            touched = self.touched.get(sid)
            if touched is None:
                self.touched[sid] = (state, rows)
            else:
                touched[1].extend(rows)
        return seqs

    def trim(self, sid: SessionId, below_seq: int) -> int:
        """See `SessionLog.trim`."""
        state = self._state(sid)
        floor = min(below_seq - 1, state.head)
        if floor <= state.floor:
            return state.floor
        self.must_scrub = True  # asked for by somebody who wants it gone, not by the log's own bounds
        self._trim(sid, state, floor)
        return floor

    def trim_to(self, sid: SessionId, max_records: int, max_bytes: int, up_to: int) -> int:
        """See `SessionLog.trim_to`."""
        state = self._state(sid)
        count, size = state.head - state.floor, state.size
        if count <= max_records and size <= max_bytes:
            return state.floor
        self.flush()
        floor = state.floor
        for seq, length in self._execute(
            "SELECT seq, length(body) FROM record WHERE sno = ? AND seq <= ? ORDER BY seq", (state.sno, up_to)
        ):
            if count <= max_records and size <= max_bytes:
                break
            floor, count, size = int(seq), count - 1, size - int(length)
        if floor > state.floor:
            self._trim(sid, state, floor)
        return floor

    def _trim(self, sid: SessionId, state: SessionState, floor: int) -> None:
        self.changes += 1
        self.flush()
        self._execute(
            "INSERT INTO seen (sno, dedup_key)"
            " SELECT sno, dedup_key FROM record WHERE sno = ? AND seq <= ? AND dedup_key IS NOT NULL",
            (state.sno, floor),
        )
        size = self._execute(
            "SELECT coalesce(sum(length(body)), 0) FROM record WHERE sno = ? AND seq <= ?", (state.sno, floor)
        ).get
        self._execute("DELETE FROM record WHERE sno = ? AND seq <= ?", (state.sno, floor))
        self._execute("UPDATE session SET floor = ? WHERE sno = ?", (floor, state.sno))
        state.floor = floor
        state.size -= int(str(size))
        self._touch(sid, state)

    # --- the outbox ---------------------------------------------------------------------------------------------------

    def accept(self, sid: SessionId, client_id: ClientId, body: bytes, record: NewRecord, max_open: int) -> Accepted:
        """See `SessionLog.accept`."""
        state = self._state(sid)
        body_hash = hashlib.sha256(body).digest()
        key = f"own:{client_id}"
        if key in state.keys:
            self.flush()
            row = self._execute(
                "SELECT message_seq, oseq, state, body_hash FROM outbox WHERE sno = ? AND client_id = ?",
                (state.sno, client_id),
            ).fetchone()
            if row is None or row[3] != body_hash:
                raise LogConflict(f"The client id {client_id} was used before with another body.")
            return Accepted(seq=row[0], oseq=row[1], is_new=False, state=OutboxState(row[2]))
        if state.status is not Status.OPEN:
            raise ConversationEnded
        if len(state.open) >= max_open:
            raise OutboxFull(f"{len(state.open)} messages wait to be sent; at most {max_open} may.")
        seq = self._append(sid, state, record, key)
        oseq = state.next_oseq
        assert seq is not None  # noqa: S101 - the key was not there; tells mypy
        row_id = state.ids[oseq] = self._new_id()
        self._accepts.append((row_id, state.sno, oseq, client_id, body, body_hash, _ACCEPTED, seq))
        self._collected.add(row_id)
        state.next_oseq += 1
        state.open[oseq] = Outgoing(
            oseq=oseq,
            client_id=client_id,
            body=body,
            state=OutboxState.ACCEPTED,
            attempts=0,
            sent_at_ms=None,
            retry_at_ms=None,
            message_seq=seq,
        )
        self.outboxes[sid] = state
        return Accepted(seq=seq, oseq=oseq, is_new=True, state=OutboxState.ACCEPTED)

    def mark_sending(self, sid: SessionId, oseq: int, now_ms: int) -> None:
        """See `SessionLog.mark_sending`."""
        state = self._state(sid)
        oldest = next(iter(state.open), None)
        if oldest != oseq:
            raise LocalProtocolError(f"Expected the oldest open message, {oldest}, to be sent next, got {oseq}.")
        message = state.open[oseq]
        if message.state is not OutboxState.ACCEPTED:
            raise LocalProtocolError(f"Expected message {oseq} to be accepted, it is {message.state}.")
        sending = msgspec.structs.replace(
            message, state=OutboxState.SENDING, attempts=message.attempts + 1, sent_at_ms=now_ms, retry_at_ms=None
        )
        self.changes += 1
        row_id = state.ids[oseq]
        self._collect(row_id)
        self._marks.append((_SENDING, sending.attempts, now_ms, row_id))
        state.open[oseq] = sending
        self.outboxes[sid] = state

    def settle(
        self,
        sid: SessionId,
        oseq: int,
        target: OutboxState,
        *,
        record: NewRecord | None,
        provider_id: str | None,
        retry_at_ms: int | None,
        code: str | None,
    ) -> int | None:
        """See `SessionLog.settle`."""
        state = self._state(sid)
        known = state.open.get(oseq)
        if known is not None:
            current, attempts, row_id = known.state, known.attempts, state.ids[oseq]
        else:  # it is terminal, or there is none
            self.flush()
            row = self._execute(
                "SELECT state, attempts, id FROM outbox WHERE sno = ? AND oseq = ?", (state.sno, oseq)
            ).fetchone()
            if row is None:
                raise LocalProtocolError(f"There is no message {oseq} in the outbox.")
            current, attempts, row_id = OutboxState(row[0]), int(row[1]), int(row[2])
        if current is target:
            return None
        if not can_become(current, target, attempts):
            raise LocalProtocolError(f"A message that is {current} can't become {target} (attempts: {attempts}).")
        self.changes += 1
        self._settle(sid, state, oseq, row_id, target, provider_id=provider_id, retry_at_ms=retry_at_ms, code=code)
        if record is None:
            return None
        return self._append(sid, state, record, _receipt_key(oseq, target, attempts))

    def request_end(self, sid: SessionId) -> None:
        """See `SessionLog.request_end`."""
        state = self._state(sid)
        if state.status is Status.OPEN:
            self.changes += 1
            self._execute("UPDATE session SET state = ? WHERE sno = ?", (Status.ENDING.value, state.sno))
            state.status = Status.ENDING

    def reopen(self, sid: SessionId, record: NewRecord, expires_ms: int | None, provider_ref: bytes) -> int | None:
        """See `SessionLog.reopen`."""
        state = self._state(sid)
        if state.status is not Status.ENDED:
            return None
        self.changes += 1
        self._execute(
            "UPDATE session SET state = ?, ended_ms = NULL, expires_ms = ?, provider_ref = ? WHERE sno = ?",
            (Status.OPEN.value, expires_ms, provider_ref, state.sno),
        )
        state.status = Status.OPEN
        return self._append(sid, state, record, record.dedup_key)

    def end(
        self,
        sid: SessionId,
        record: NewRecord,
        now_ms: int,
        failed: Callable[[Outgoing], NewRecord],
        expires_ms: int | None,
    ) -> list[int]:
        """See `SessionLog.end`."""
        state = self._state(sid)
        if state.status is Status.ENDED:
            return []
        settled = [msgspec.structs.replace(message, state=after_end(message.state)) for message in state.open.values()]
        receipts = [failed(message) for message in settled]
        self.changes += 1
        seqs = []
        for message, receipt in zip(settled, receipts, strict=True):
            row_id = state.ids[message.oseq]
            self._settle(sid, state, message.oseq, row_id, message.state, code="conversation-ended")
            key = _receipt_key(message.oseq, message.state, message.attempts)
            seqs.append(self._append(sid, state, receipt, key))
        seqs.append(self._append(sid, state, record, record.dedup_key))
        self._execute(
            "UPDATE session SET state = ?, ended_ms = ?, expires_ms = ? WHERE sno = ?",
            (Status.ENDED.value, now_ms, expires_ms, state.sno),
        )
        state.status = Status.ENDED
        return [seq for seq in seqs if seq is not None]

    # --- keys and tokens ----------------------------------------------------------------------------------------------

    def idempotency(self, key: str, request_hash: bytes, sid: SessionId, now_ms: int) -> IdempotencyEntry:
        """See `SessionLog.idempotency`."""
        row = self._execute(
            "SELECT sid, request_hash FROM idempotency WHERE key = ? AND created_ms > ?", (key, now_ms - IDEMPOTENCY_MS)
        ).fetchone()
        if row is not None:
            return IdempotencyEntry(SessionId(row[0]), row[1], is_new=False)
        self.changes += 1
        self._execute("DELETE FROM idempotency WHERE key = ?", (key,))
        self._execute(
            "INSERT INTO idempotency (key, request_hash, sid, created_ms) VALUES (?, ?, ?, ?)",
            (key, request_hash, sid, now_ms),
        )
        return IdempotencyEntry(sid, request_hash, is_new=True)

    def put_token(self, token_hash: bytes, sid: SessionId, expires_ms: int) -> None:
        """See `SessionLog.put_token`."""
        state = self._state(sid)
        self.changes += 1
        self._execute("DELETE FROM resume WHERE token_hash = ?", (token_hash,))
        self._execute(
            "INSERT INTO resume (token_hash, sno, expires_ms) VALUES (?, ?, ?)", (token_hash, state.sno, expires_ms)
        )

    # --- within -------------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self.touched = {}
        self.outboxes = {}
        self.gone = set()
        self.all_moved = False

    def _append(self, sid: SessionId, state: SessionState, record: NewRecord, key: str | None) -> int | None:
        if key is not None:
            if key in state.keys:
                return None
            state.keys.add(key)
            self._keys += 1
        self.changes += 1
        seq = state.head = state.head + 1
        state.size += len(record.body)
        row = (state.sno, seq, record.kind, record.body, key, record.order_key, record.late, self.now_ms)
        self._rows.append(row)
        touched = self.touched.get(sid)
        if touched is None:
            self.touched[sid] = (state, [row])
        else:
            touched[1].append(row)
        return seq

    def _settle(
        self,
        sid: SessionId,
        state: SessionState,
        oseq: int,
        row_id: int,
        target: OutboxState,
        *,
        provider_id: str | None = None,
        retry_at_ms: int | None = None,
        code: str | None,
    ) -> None:
        is_open = target in OPEN_STATES
        # What is delivered or failed is never sent again: its words are in the record, once is enough.
        keeps_body = is_open or target is OutboxState.UNCONFIRMED
        self._collect(row_id)
        self._settles.append(
            (target.value, is_open, retry_at_ms, code, provider_id, None if keeps_body else b"", row_id)
        )
        if is_open:  # and was so before: nothing is opened again
            state.open[oseq] = msgspec.structs.replace(state.open[oseq], state=target, retry_at_ms=retry_at_ms)
        else:
            state.open.pop(oseq, None)
            state.ids.pop(oseq, None)
        self.outboxes[sid] = state

    def _collect(self, row_id: int) -> None:
        if row_id in self._collected:
            self.flush()
        self._collected.add(row_id)

    def _new_id(self) -> int:
        if self._last_id is None:
            self._last_id = int(str(self._execute("SELECT coalesce(max(id), 0) FROM outbox").get))
        self._last_id += 1
        return self._last_id

    def _touch(self, sid: SessionId, state: SessionState) -> None:
        known = self.touched.get(sid)
        self.touched[sid] = (state, known[1] if known is not None else [])

    def _state(self, sid: SessionId) -> SessionState:
        """Return what is known of a session, read from the tables where it is not.

        Raises:
            SessionGone: There is no such session.
        """
        known = self._states.get(sid)
        if known is not None:
            return known
        row = self._execute("SELECT sno, epoch, floor, state FROM session WHERE sid = ?", (sid,)).fetchone()
        if row is None:
            raise SessionGone
        sno, epoch, floor, status = row
        head = self._execute("SELECT max(seq) FROM record WHERE sno = ?", (sno,)).get
        last_oseq = self._execute("SELECT max(oseq) FROM outbox WHERE sno = ?", (sno,)).get
        keys: set[str] = set()
        size = 0
        for key, length in self._execute(
            "SELECT dedup_key, length(body) FROM record WHERE sno = ?"
            " UNION ALL SELECT dedup_key, 0 FROM seen WHERE sno = ?",
            (sno, sno),
        ):
            size += int(length)
            if key is not None:
                keys.add(str(key))
        open_messages: dict[int, Outgoing] = {}
        ids: dict[int, int] = {}
        for row_id, *columns in self._execute(
            f"SELECT id, {OUTGOING_COLUMNS} FROM outbox WHERE sno = ? AND is_open = 1 ORDER BY oseq",  # noqa: S608
            (sno,),
        ):
            message = outgoing_of(columns)
            open_messages[message.oseq] = message
            ids[message.oseq] = int(str(row_id))
        if self._keys + len(keys) > _MAX_KEYS:
            self._make_room(len(keys))
        state = SessionState(
            sno=sno,
            epoch=epoch,
            floor=floor,
            head=floor if head is None else head,
            next_oseq=(last_oseq or 0) + 1,
            keys=keys,
            open_messages=open_messages,
            ids=ids,
            size=size,
            status=Status(str(status)),
        )
        self._states[sid] = state
        self._keys += len(keys)
        return state

    def _make_room(self, keys: int) -> None:
        """Forget the sessions read longest ago, but none that this transaction has changed."""
        for sid in list(self._states):
            if self._keys + keys <= _MAX_KEYS:
                break
            if sid not in self.touched and sid not in self.outboxes:
                self._forget(sid)

    def _forget(self, sid: SessionId) -> None:
        state = self._states.pop(sid, None)
        if state is not None:
            self._keys -= len(state.keys)


def session_of(row: Sequence[Value]) -> SessionRow:
    """Make a `SessionRow` of a row of `SESSION_COLUMNS`."""
    _, sid, epoch, state, floor, provider_ref, details, created_ms, ended_ms, expires_ms, head = row
    return msgspec.convert(
        {
            "sid": sid,
            "epoch": epoch,
            "state": state,
            "floor": floor,
            "head": floor if head is None else head,
            "provider_ref": provider_ref,
            "details": details,
            "created_ms": created_ms,
            "ended_ms": ended_ms,
            "expires_ms": expires_ms,
        },
        SessionRow,
    )


def outgoing_of(row: Sequence[Value]) -> Outgoing:
    """Make an `Outgoing` of a row of `OUTGOING_COLUMNS`."""
    oseq, client_id, body, state, attempts, sent_at_ms, retry_at_ms, message_seq = row
    return msgspec.convert(
        {
            "oseq": oseq,
            "client_id": client_id,
            "body": body,
            "state": state,
            "attempts": attempts,
            "sent_at_ms": sent_at_ms,
            "retry_at_ms": retry_at_ms,
            "message_seq": message_seq,
        },
        Outgoing,
    )


def _receipt_key(oseq: int, state: OutboxState, attempts: int) -> str:
    """Return the dedup key of a receipt; a message may have to wait once per attempt, the rest happens once."""
    return f"st:{oseq}:{state}:{attempts}" if state is OutboxState.WAITING else f"st:{oseq}:{state}"
