"""What can be broken in a gateway on purpose, to see that the checker notices (reliability 5.1).

Each function changes production code of the process that calls it, a child of `gateway_child`. What it breaks is one
guarantee; the rest goes on working, so that a run turns red for that one reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from guestwire.gateway.log import NewRecord, OutboxState, Outgoing, SqliteSessionLog, transaction, writer
from guestwire.gateway.relay import bodies, upstream
from guestwire.gateway.relay.downstream import Downstream
from guestwire.gateway.relay.interface import SessionLink
from guestwire.gateway.relay.outbox_pump import OutboxPump
from guestwire.gateway.relay.session import RelaySession
from guestwire.gateway.relay.tokens import Pair, SessionTokens
from guestwire.model.content import ContentItem
from guestwire.model.events import Message, ProviderError
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.secret import Secret
from guestwire.model.times import format_time
from guestwire.protocols.guest_session import relay
from guestwire.protocols.guest_session.wire import ReceiptFrame

__all__ = ["ABLATIONS"]

_running: set[asyncio.Task[None]] = set()


def _spawn(work: Any) -> None:
    task: asyncio.Task[None] = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)


def resend_at_once() -> None:
    """Send what is in doubt again, without asking anybody."""
    settle = SqliteSessionLog.settle

    async def settle_so(
        self: SqliteSessionLog, sid: SessionId, oseq: int, state: OutboxState, **members: Any
    ) -> int | None:
        if state is OutboxState.UNCONFIRMED:
            state, members["record"] = OutboxState.ACCEPTED, None
        return await settle(self, sid, oseq, state, **members)

    SqliteSessionLog.settle = settle_so  # type: ignore[method-assign]


WINDOW = 4


def window_of_four() -> None:
    """Have up to four messages of a session in flight."""
    mark_sending = transaction.Transaction.mark_sending

    def mark_sending_so(self: transaction.Transaction, sid: SessionId, oseq: int, now_ms: int) -> None:
        state = self._state(sid)
        if oseq in state.open:
            state.open = {oseq: state.open[oseq], **state.open}  # as if it were the oldest
        mark_sending(self, sid, oseq, now_ms)

    transaction.Transaction.mark_sending = mark_sending_so  # type: ignore[method-assign]
    upstream.OutboxPump = _Lanes  # type: ignore[attr-defined, assignment]


class _Lanes:
    """Four pumps side by side; each sees every fourth message of the outbox."""

    def __init__(self, session: SessionLink, **members: Any) -> None:
        self._pumps = [OutboxPump(_Lane(session, number, self.wake), **members) for number in range(WINDOW)]
        self.stopped = self

    def __getattr__(self, name: str) -> Any:
        def tell_all(*given: Any, **named: Any) -> Any:
            answers = [getattr(pump, name)(*given, **named) for pump in self._pumps]
            return answers[0]

        return tell_all

    def wake(self) -> None:
        for pump in getattr(self, "_pumps", ()):
            pump.wake()

    async def wait(self) -> None:
        for pump in self._pumps:
            await pump.stopped.wait()

    async def run(self) -> None:
        await asyncio.gather(*(pump.run() for pump in self._pumps))

    async def fail(self, code: str) -> None:
        await asyncio.gather(*(pump.fail(code) for pump in self._pumps))

    async def forsake(self) -> None:
        await asyncio.gather(*(pump.forsake() for pump in self._pumps))

    def refused(self, error: ProviderError) -> bool:
        return any(pump.refused(error) for pump in self._pumps)

    async def shown(self, messages: Sequence[Message]) -> Sequence[Message]:
        for pump in self._pumps:
            messages = await pump.shown(messages)
        return messages


class _Lane:
    """A session whose log has every fourth message only, of the four oldest."""

    def __init__(self, session: Any, number: int, wake: Callable[[], None]) -> None:
        self._session = session
        self._number = number
        self._wake = wake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session.log if name in _OF_THE_LOG else self._session, name)

    @property
    def log(self) -> Any:
        return self

    async def next_outgoing(self, sid: SessionId) -> Outgoing | None:
        def query(connection: apsw.Connection) -> Outgoing | None:
            rows = connection.execute(
                f"SELECT {transaction.OUTGOING_COLUMNS} FROM outbox"
                " WHERE sno = (SELECT sno FROM session WHERE sid = ?) AND state IN ('accepted', 'sending', 'waiting')"
                " ORDER BY oseq LIMIT ?",
                (sid, WINDOW),
            ).fetchall()
            oldest = map(transaction.outgoing_of, rows)
            return next((outgoing for outgoing in oldest if outgoing.oseq % WINDOW == self._number), None)

        found: Outgoing | None = await self._session.log._query(query)
        return found

    async def settle(self, *given: Any, **named: Any) -> int | None:
        seq: int | None = await self._session.log.settle(*given, **named)
        self._wake()
        return seq


_OF_THE_LOG = frozenset(name for name in dir(SqliteSessionLog) if not name.startswith("_"))


def no_dedup_index() -> None:
    """Forget which keys the log has seen."""

    class Blind(set[str]):
        def __contains__(self, key: object) -> bool:
            return False

    init = transaction.SessionState.__init__

    def init_so(self: transaction.SessionState, **members: Any) -> None:
        init(self, **members)
        self.keys = Blind(self.keys)

    transaction.SessionState.__init__ = init_so  # type: ignore[method-assign]


def no_fence() -> None:
    """Let a second gateway use the log while the first one is alive."""

    def lock_store(path: Path) -> apsw.Connection:
        return apsw.Connection(":memory:")

    writer.lock_store = lock_store  # type: ignore[attr-defined]


def live_before_replay() -> None:
    """Show what comes now first, and what the client lacks when it has been read."""
    admitted, enter = relay.RelayConnection.admitted, Downstream._enter

    def admitted_so(self: relay.RelayConnection, **members: Any) -> None:
        admitted(self, **members)
        if self.mode == "resume":
            self._cursor = members["head"]
            self._after_records()

    async def replay(self: Downstream, sid: SessionId, after: int, head: int) -> None:
        await asyncio.sleep(0.3)  # the reading takes a moment
        session, socket = self._session, self._socket
        page = None if session is None else await session.log.read(sid, after, 10_000, 10_000_000)
        for record in () if page is None else page.records:
            if record.seq <= head and socket is not None:
                socket.send(relay._numbered_frame(record))

    async def enter_so(self: Downstream, pair: Pair) -> None:
        await enter(self, pair)
        hello = self._core._hello
        if self._core.mode == "resume" and hello is not None and hello.after is not None:
            _spawn(replay(self, pair.sid, hello.after, self._core._welcomed_at))

    relay.RelayConnection.admitted = admitted_so  # type: ignore[method-assign]
    Downstream._enter = enter_so  # type: ignore[method-assign]


def dedup_by_timestamp() -> None:
    """Take two messages of one moment for one."""
    message_record = bodies.message_record

    def message_record_so(event: Message, *arguments: Any, **members: Any) -> NewRecord:
        record = message_record(event, *arguments, **members)
        when = "" if event.sent_at is None else format_time(event.sent_at)
        return msgspec.structs.replace(record, dedup_key=f"t:{when}")

    bodies.message_record = message_record_so


def ack_before_commit() -> None:
    """Tell the guest that a message is kept before it is."""
    accept = RelaySession.accept

    async def later(*arguments: Any) -> None:
        await asyncio.sleep(0.2)  # the disk takes a moment
        await accept(*arguments)

    async def accept_so(
        self: RelaySession,
        client_id: ClientId,
        text: str,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> ReceiptFrame:
        head = (await self.log.head(self.sid)).head
        _spawn(later(self, client_id, text, content, in_reply_to))
        return bodies.accepted_receipt(self.sid, client_id, head + 1)

    RelaySession.accept = accept_so  # type: ignore[method-assign]


def consumed_by_resume() -> None:
    """Forget a session when it is resumed, and note it again when its connection is closed in good order."""
    check, closed = SessionTokens.check, Downstream.closed

    async def check_so(self: SessionTokens, session_id: str, token: Secret) -> Pair | None:
        pair = await check(self, session_id, token)
        if pair is not None:
            await self._log.put_token(pair.token_hash, pair.sid, 1)
        return pair

    def closed_so(self: Downstream, code: int) -> None:
        if self.pair is not None:
            _spawn(self._hub.tokens.prolong(self.pair))
        closed(self, code)

    SessionTokens.check = check_so  # type: ignore[method-assign]
    Downstream.closed = closed_so  # type: ignore[method-assign]


ABLATIONS: dict[str, Callable[[], None]] = {
    "resend-at-once": resend_at_once,
    "window-of-four": window_of_four,
    "no-dedup-index": no_dedup_index,
    "no-fence": no_fence,
    "live-before-replay": live_before_replay,
    "dedup-by-timestamp": dedup_by_timestamp,
    "ack-before-commit": ack_before_commit,
    "consumed-by-resume": consumed_by_resume,
}
"""By name, as orders to `gateway_child` have it."""
