"""The session log on SQLite: for one process, on a local disk.

The event loop writes and a thread commits (writer.py); another thread reads (reader.py). In the event loop there is,
per session, where its log stands, its oldest open message, and for sessions with subscribers the last records. All are
filled after the commit only, from what the writer delivers, so whoever keeps up is answered without leaving the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import EllipsisType, TracebackType
from typing import Self, TypeVar, cast

import apsw
import msgspec

from guestwire.errors import LogUnavailable, ResumeGap, SessionGone
from guestwire.gateway.log import reader as queries
from guestwire.gateway.log.outbox import OutboxState
from guestwire.gateway.log.reader import Answers, Reader, take_while_fits
from guestwire.gateway.log.records import (
    Accepted,
    IdempotencyEntry,
    LogPosition,
    NewRecord,
    Outgoing,
    Page,
    Record,
    SessionRow,
    TokenEntry,
)
from guestwire.gateway.log.schema import check_library
from guestwire.gateway.log.transaction import Row, SessionState, Transaction
from guestwire.gateway.log.writer import FailPoint, Outcome, Request, Writer, system_now_ms
from guestwire.model.ids import ClientId, SessionId

__all__ = ["SqliteSessionLog"]

_T = TypeVar("_T")

_TAIL_RECORDS = 32
_TAILS_BYTES = 16 * 1024 * 1024  # of all sessions' tails together
_MAX_VIEWS = 50_000  # an estimated 300 bytes each; a session beyond it is asked for again


class _View:
    """What the event loop knows of a session."""

    __slots__ = ("outgoing", "position", "tail")

    def __init__(self, position: LogPosition) -> None:
        self.position = position
        self.outgoing: Outgoing | EllipsisType | None = ...
        """The oldest open message; an ellipsis is "not known"."""
        self.tail: list[Record] = []
        """The last records, contiguous up to the head, or none."""


class SqliteSessionLog:
    """A `SessionLog` in one SQLite file.

    Use it as an async context manager; what it does at entry takes a moment (it opens files, and changes every epoch if
    the database is older than it was, see generation.py).
    """

    def __init__(
        self,
        path: Path,
        *,
        generation_path: Path | None = None,
        now_ms: Callable[[], int] = system_now_ms,
        max_pages: int | None = None,
        fail_point: FailPoint = lambda name: None,  # noqa: ARG005
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """Name the file; nothing is opened before the log is entered.

        Args:
            path: On a local disk. SQLite keeps `-wal` and `-shm` files beside it, we a `.lock`.
            generation_path: Must not be part of a backup; `<path>.generation` by default.
            now_ms: The time of records, in epoch milliseconds.
            max_pages: The database never grows beyond so many pages of 4,096 bytes; then the disk counts as full.
            fail_point: For chaos tests: called on the committing thread with `before-commit`, then `after-commit`.
            on_failure: Called on the committing thread for each write that was not kept (`LogUnavailable`).
        """
        self._path = path
        self._reading = threading.Lock()
        self._writer = Writer(
            path,
            generation_path or path.with_name(f"{path.name}.generation"),
            deliver=self._apply,
            reading=self._reading,
            now_ms=now_ms,
            fail_point=fail_point,
            on_failure=on_failure,
            max_pages=max_pages,
        )
        self._reader: Reader | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_open = False
        self._views: dict[SessionId, _View] = {}
        self._tails_bytes = 0
        self._deliveries = 0
        self._wakes: dict[SessionId, list[Callable[[], None]]] = {}

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the store.

        Raises:
            ConfigError: It is in use by another process, of a newer version, or SQLite is too old.
            LogUnavailable: The file can't be opened or written.
        """
        check_library()
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(None, self._open)
        self._writer.start(self._loop)
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the store."""
        await self.aclose()

    async def aclose(self) -> None:
        """Finish what was asked for and close; a second call does nothing."""
        if self._is_open and self._loop is not None:
            self._is_open = False
            self._writer.finish()
            await self._loop.run_in_executor(None, self._close)
            self._views.clear()

    def __del__(self) -> None:
        if self._is_open:
            warnings.warn(f"{type(self).__name__} was not closed", ResourceWarning, stacklevel=2)

    @property
    def lost_records(self) -> bool:
        """Whether the database was found to be older than it had been, and every epoch was changed. Worth an alarm."""
        return self._writer.lost_records

    def _open(self) -> None:
        self._writer.open()
        self._reader = Reader(self._path, deliver=self._deliver_answers, reading=self._reading)

    def _close(self) -> None:
        # The reader first: the last connection to close is the one that checkpoints.
        if self._reader is not None:
            self._reader.stop()
        self._writer.close()

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def create(self, session: SessionRow) -> None:
        """See `SessionLog`."""
        await self._write(lambda do: do.create(session))

    async def get(self, sid: SessionId) -> SessionRow | None:
        """See `SessionLog`."""
        return await self._query(partial(queries.session, sid=sid))

    async def open_sessions(self) -> list[SessionRow]:
        """See `SessionLog`."""
        return await self._query(queries.open_sessions)

    async def set_provider(self, sid: SessionId, provider_ref: bytes) -> None:
        """See `SessionLog`."""
        await self._write(lambda do: do.set_provider(sid, provider_ref), sid)

    async def touch(
        self,
        sid: SessionId,
        *,
        expires_ms: int | msgspec.UnsetType | None = msgspec.UNSET,
        details: bytes | msgspec.UnsetType = msgspec.UNSET,
    ) -> None:
        """See `SessionLog`."""
        await self._write(lambda do: do.touch(sid, expires_ms, details), sid)

    async def erase(self, sid: SessionId) -> bool:
        """See `SessionLog`."""
        return await self._write(lambda do: do.erase(sid), is_long=True, scrubs=True)

    async def expire(self, now_ms: int, limit: int = 100) -> list[SessionRow]:
        """See `SessionLog`."""
        return await self._write(lambda do: do.expire(now_ms, limit), is_long=True)

    async def bump_epochs(self, sid: SessionId | None = None) -> None:
        """See `SessionLog`."""
        await self._write(lambda do: do.bump_epochs(sid), is_long=True)

    # --- records ------------------------------------------------------------------------------------------------------

    async def append(self, sid: SessionId, records: Sequence[NewRecord]) -> list[int | None]:
        """See `SessionLog`."""
        return await self._write(lambda do: do.append(sid, records), sid)

    async def read(self, sid: SessionId, after: int, limit: int = 100, max_bytes: int = 131072) -> Page | None:
        """See `SessionLog`."""
        view = self._views.get(sid)
        if view is not None:
            position = view.position
            if after < position.floor:
                raise ResumeGap(after, position.floor + 1, position.head)
            if after >= position.head:
                return Page((), position.head)
            if view.tail and view.tail[0].seq <= after + 1:
                return _page(view, after, limit, max_bytes)
        return await self._query(partial(queries.page, sid=sid, after=after, limit=limit, max_bytes=max_bytes))

    def recent(
        self, sid: SessionId, after: int, limit: int = 100, max_bytes: int = 131072
    ) -> tuple[LogPosition, Page] | None:
        """See `SessionLog`."""
        view = self._views.get(sid)
        if view is None:
            return None
        position, tail = view.position, view.tail
        if after >= position.head:
            return position, Page((), position.head)
        if after + 1 == position.head and tail:  # nearly always
            return position, Page((tail[-1],), position.head)
        # A tail holds nothing that was trimmed.
        return (position, _page(view, after, limit, max_bytes)) if tail and tail[0].seq <= after + 1 else None

    async def head(self, sid: SessionId) -> LogPosition:
        """See `SessionLog`."""
        view = self._views.get(sid)
        if view is not None:
            return view.position
        deliveries = self._deliveries
        position = await self._query(partial(queries.position, sid=sid))
        if position is None:
            raise SessionGone
        # What was read may be older than what was delivered meanwhile; then it is an answer, but nothing to keep.
        if deliveries == self._deliveries:
            self._make_room()
            self._views.setdefault(sid, _View(position))
        return position

    async def trim(self, sid: SessionId, below_seq: int) -> int:
        """See `SessionLog`."""
        return await self._write(lambda do: do.trim(sid, below_seq), is_long=True)

    async def trim_to(self, sid: SessionId, *, max_records: int, max_bytes: int, up_to: int) -> int:
        """See `SessionLog`."""
        return await self._write(lambda do: do.trim_to(sid, max_records, max_bytes, up_to), is_long=True)

    # --- the outbox ---------------------------------------------------------------------------------------------------

    async def accept(
        self, sid: SessionId, client_id: ClientId, body: bytes, record: NewRecord, *, max_open: int = 20
    ) -> Accepted:
        """See `SessionLog`."""
        return await self._write(lambda do: do.accept(sid, client_id, body, record, max_open), sid)

    async def next_outgoing(self, sid: SessionId) -> Outgoing | None:
        """See `SessionLog`."""
        view = self._views.get(sid)
        if view is not None and view.outgoing is not ...:
            return view.outgoing
        exists, outgoing = await self._query(partial(queries.next_outgoing, sid=sid))
        if not exists:
            raise SessionGone
        # As with `head`: what was delivered meanwhile may be newer.
        if view is not None and view.outgoing is ... and self._views.get(sid) is view:
            view.outgoing = outgoing
        return outgoing

    async def mark_sending(self, sid: SessionId, oseq: int, now_ms: int) -> None:
        """See `SessionLog`."""
        await self._write(lambda do: do.mark_sending(sid, oseq, now_ms), sid)

    async def settle(
        self,
        sid: SessionId,
        oseq: int,
        state: OutboxState,
        *,
        record: NewRecord | None = None,
        provider_id: str | None = None,
        retry_at_ms: int | None = None,
        code: str | None = None,
    ) -> int | None:
        """See `SessionLog`."""
        return await self._write(
            lambda do: do.settle(
                sid, oseq, state, record=record, provider_id=provider_id, retry_at_ms=retry_at_ms, code=code
            ),
            sid,
        )

    async def end(
        self,
        sid: SessionId,
        record: NewRecord,
        now_ms: int,
        failed: Callable[[Outgoing], NewRecord],
        *,
        expires_ms: int | None = None,
    ) -> list[int]:
        """See `SessionLog`."""
        return await self._write(lambda do: do.end(sid, record, now_ms, failed, expires_ms), sid)

    async def known_ids(self, sid: SessionId, provider_ids: Sequence[str]) -> frozenset[str]:
        """See `SessionLog`."""
        known = await self._query(partial(queries.known_ids, sid=sid, provider_ids=provider_ids))
        if known is None:
            raise SessionGone
        return known

    async def doubtful(self, sid: SessionId) -> list[Outgoing]:
        """See `SessionLog`."""
        messages = await self._query(partial(queries.doubtful, sid=sid))
        if messages is None:
            raise SessionGone
        return messages

    async def count_open(self) -> int:
        """See `SessionLog`."""
        return await self._query(queries.count_open)

    async def request_end(self, sid: SessionId) -> None:
        """See `SessionLog`."""
        await self._write(lambda do: do.request_end(sid), sid)

    async def reopen(
        self, sid: SessionId, record: NewRecord, *, expires_ms: int | None, provider_ref: bytes = b""
    ) -> int | None:
        """See `SessionLog`."""
        return await self._write(lambda do: do.reopen(sid, record, expires_ms, provider_ref), sid)

    # --- keys and tokens ----------------------------------------------------------------------------------------------

    async def idempotency(self, key: str, request_hash: bytes, sid: SessionId, now_ms: int) -> IdempotencyEntry:
        """See `SessionLog`."""
        return await self._write(lambda do: do.idempotency(key, request_hash, sid, now_ms))

    async def put_token(self, token_hash: bytes, sid: SessionId, expires_ms: int) -> None:
        """See `SessionLog`."""
        await self._write(lambda do: do.put_token(token_hash, sid, expires_ms), sid)

    async def find_token(self, token_hash: bytes) -> TokenEntry | None:
        """See `SessionLog`."""
        return await self._query(partial(queries.token, token_hash=token_hash))

    # --- wake-ups -----------------------------------------------------------------------------------------------------

    def subscribe(self, sid: SessionId, wake: Callable[[], None]) -> Callable[[], None]:
        """See `SessionLog`."""
        self._wakes.setdefault(sid, []).append(wake)
        is_subscribed = True

        def unsubscribe() -> None:
            nonlocal is_subscribed
            if is_subscribed:
                is_subscribed = False
                wakes = self._wakes[sid]
                wakes.remove(wake)
                if not wakes:
                    del self._wakes[sid]
                    self._drop_tail(sid)

        return unsubscribe

    # --- between the threads ------------------------------------------------------------------------------------------

    def _write(
        self,
        run: Callable[[Transaction], _T],
        sid: SessionId | None = None,
        *,
        is_long: bool = False,
        scrubs: bool = False,
    ) -> asyncio.Future[_T]:
        if not self._is_open or self._loop is None:
            raise LogUnavailable("The session log is closed.")
        future: asyncio.Future[object] = self._loop.create_future()
        self._writer.ask(Request(run, future, sid, is_long, scrubs))
        return cast("asyncio.Future[_T]", future)  # it gets what `run` returns

    def _query(self, run: Callable[[apsw.Connection], _T]) -> asyncio.Future[_T]:
        if not self._is_open or self._loop is None or self._reader is None:
            raise LogUnavailable("The session log is closed.")
        future: asyncio.Future[object] = self._loop.create_future()
        self._reader.put((run, future))
        return cast("asyncio.Future[_T]", future)  # it gets what `run` returns

    def _deliver_answers(self, answers: Answers) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_resolve, answers)

    def _apply(self, outcome: Outcome) -> None:
        """Take what was committed: positions and tails first, then the answers, then the wake-ups."""
        self._deliveries += 1
        if outcome.all_moved:
            self._views.clear()
            self._tails_bytes = 0
        for sid in outcome.gone:
            self._drop_tail(sid)
            self._views.pop(sid, None)
        for sid, (state, rows) in outcome.moved.items():
            self._move(sid, state, rows)
        for sid, state in outcome.outboxes.items():
            view = self._views.get(sid)
            if view is not None:
                view.outgoing = next(iter(state.open.values()), None)
        _resolve(outcome.results)
        if self._wakes:
            for sid in self._wakes.keys() if outcome.all_moved else (outcome.moved.keys() | outcome.gone):
                self._wake(sid)

    def _move(self, sid: SessionId, state: SessionState, rows: Sequence[Row]) -> None:
        position = LogPosition(state.epoch, state.floor, state.head)
        view = self._views.get(sid)
        if view is None:
            self._make_room()
            view = self._views[sid] = _View(position)
        view.position = position
        if not (view.tail or sid in self._wakes):
            return
        new = [Record(row[1], row[2], row[3], row[5], row[6], row[7]) for row in rows]
        tail = view.tail
        if tail and new and tail[-1].seq + 1 != new[0].seq:
            self._drop_tail(sid)
            tail = view.tail
        tail += new
        gone = max(0, len(tail) - _TAIL_RECORDS)
        while gone < len(tail) and tail[gone].seq <= state.floor:
            gone += 1
        self._tails_bytes += _size(new)
        if gone:
            self._tails_bytes -= _size(tail[:gone])
            del tail[:gone]
        if self._tails_bytes > _TAILS_BYTES:
            # Rare, and cheap to repair: whoever needs a tail reads it from the store until new records come.
            for other in self._views.values():
                other.tail = []
            self._tails_bytes = 0

    def _drop_tail(self, sid: SessionId) -> None:
        view = self._views.get(sid)
        if view is not None and view.tail:
            self._tails_bytes -= _size(view.tail)
            view.tail = []

    def _make_room(self) -> None:
        while len(self._views) >= _MAX_VIEWS:
            oldest = next(iter(self._views))
            self._drop_tail(oldest)
            del self._views[oldest]

    def _wake(self, sid: SessionId) -> None:
        for wake in tuple(self._wakes.get(sid, ())):
            try:
                wake()
            except Exception as error:  # noqa: BLE001 - one subscriber's bug must not keep the others asleep
                assert self._loop is not None  # noqa: S101 - we were called by it
                self._loop.call_exception_handler(
                    {"message": "a wake-up of the session log failed", "exception": error}
                )


def _resolve(answers: Answers) -> None:
    for future, value, error in answers:
        if not future.done():
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)


def _page(view: _View, after: int, limit: int, max_bytes: int) -> Page:
    """Return what follows `after` from the tail, which reaches back so far."""
    start = after + 1 - view.tail[0].seq
    return Page(take_while_fits(view.tail[start : start + limit], max_bytes), view.position.head)


def _size(records: Sequence[Record]) -> int:
    return sum(len(record.body) + 200 for record in records)
