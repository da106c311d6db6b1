"""The shell of one browser's connection: feeds the core, reads the log for it, does what it asks for.

A connection that has caught up has no task at all. When the log moves, what it has at hand is shown there and then;
only where the store must be asked a task reads pages until there is nothing newer, and ends. Commands of the guest are
done one after the other, those that need no waiting at once, the others by another task that ends with the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Coroutine, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, assert_never

from guestwire.errors import ChatError, LogUnavailable, RateLimited, ResumeGap, SessionExpired
from guestwire.gateway.log import Page
from guestwire.gateway.relay.session import RelaySession
from guestwire.gateway.relay.tokens import Pair
from guestwire.model.ids import ClientId
from guestwire.net.logs import get_logger
from guestwire.net.websocket import Socket
from guestwire.protocols.guest_session.relay import (
    CheckPair,
    ClearConversation,
    CloseSocket,
    NoteRead,
    NoteSeen,
    ProlongSession,
    RefuseMessage,
    RelayCommand,
    RelayConnection,
    ReportHead,
    SendFrame,
    StartNew,
    VolatileFrame,
)
from guestwire.protocols.guest_session.server import EndConversation, SendMessage, ShowTyping

if TYPE_CHECKING:
    from guestwire.gateway.relay.hub import Hub

__all__ = ["Downstream"]

PAGE_RECORDS = 100
PAGE_BYTES = 32 * 1024
"""What is read and queued at once: memory per reader is a page and what the socket holds."""

LOG_RETRY_S = 3.0
"""When to try a message again that the log could not take."""

_log = get_logger("guestwire.gateway")


class Downstream:
    """One browser's connection (`net.websocket.SocketHandler`, `session.Reader`)."""

    def __init__(self, hub: Hub, pair: Pair | None, *, client_host: str) -> None:
        """Prepare.

        Args:
            hub: Where sessions are found.
            pair: Of a plain connection, checked; None for one that says hello.
            client_host: Its address, for the limits.
        """
        self.client_host = client_host
        self.pair = pair
        self._hub = hub
        self._clock = hub.clock
        self._core = RelayConnection(self._clock.now(), is_plain=pair is not None)
        self._socket: Socket | None = None
        self._session: RelaySession | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._commands: list[RelayCommand] = []
        self._worker: asyncio.Task[None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._timer_for: float | None = None
        self._has_moved = False
        self._is_looking = False
        self._tab: str | None = None
        self._active_at = self._clock.now()
        self._counted = 0
        self._unsent_bytes = 0
        self._acked = 0
        self.close_code: int | None = None

    @property
    def tab(self) -> str | None:
        """Which tab it is, where it said so."""
        return self._tab

    @property
    def active_at(self) -> float:
        """When the guest last did something here."""
        return self._active_at

    @property
    def seen(self) -> int | None:
        """The `seq` that the tab has acknowledged; of one that acknowledges nothing, what it was sent."""
        if self.is_plain:
            return None
        return self._acked or self._core.cursor

    @property
    def is_plain(self) -> bool:
        """Whether it is a client of the tutorial."""
        return self._core.is_plain

    # --- from the network ---------------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        """Take the socket."""
        self._socket = socket
        self._hub.add(self)
        if self.pair is not None and not self._core.is_closed:
            self._run_commands(self._enter(self.pair))
        self._settle()

    def text(self, frame: str) -> None:
        """Take one text frame."""
        self._core.frame_received(frame, self._clock.now())
        self._settle()

    def writable(self) -> None:
        """Go on reading the log."""
        self._core.unblocked()
        self._unsent_bytes = 0
        self._counted = 0
        self._wake()
        self._settle()

    def closed(self, code: int) -> None:
        """Let go of everything; what the guest has said is still taken."""
        self._core.closed()
        self._settle()
        if self.close_code is None:
            self.close_code = code
        self._socket = None
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._hub.discard(self)
        if self._worker is None:
            self._leave()

    # --- from the session ---------------------------------------------------------------------------------------------

    def show_volatile(self, frame: VolatileFrame, after: int) -> None:
        """Show what is not kept; a reader that lags is the first not to see it."""
        if self._socket is not None and self._socket.is_writable:
            self._core.show_volatile(frame, after)
            self._settle()

    def session_ended(self, at_seq: int) -> None:
        """Close when the end was sent, or some time after it."""
        self._core.session_ended(at_seq, self._clock.now())
        self._settle()

    def show_session(self, frame: str, after: int) -> None:
        """Show what the provider's session offers now."""
        self._core.show_session(frame, after)
        self._settle()

    def session_reopened(self) -> None:
        """Stay open: the guest started anew."""
        self._core.session_reopened()
        self._settle()

    def close_for(self, error_code: str) -> None:
        """Close with the close code of an error."""
        self._core.close_for(error_code)
        self._settle()

    def move(self, retry_after: float) -> None:
        """Ask the browser to come back, and close."""
        self._core.move(retry_after)
        self._settle()

    # --- effects ------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        self._write()
        commands = self._core.commands()
        if commands:
            self._take_commands(commands)
            self._write()
        deadline = self._core.next_deadline()
        if deadline != self._timer_for:
            self._set_timer(deadline)

    def _write(self) -> None:
        socket = self._socket
        for effect in self._core.effects():
            if socket is None:
                continue
            if isinstance(effect, SendFrame):
                socket.send(effect.text)
            elif isinstance(effect, CloseSocket):
                self.close_code = effect.code
                socket.close(effect.code, effect.reason)
            else:
                assert_never(effect)

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None and self._timer is not asyncio.current_task():
            self._timer.cancel()
        self._timer_for = deadline
        self._timer = None if deadline is None else self._hub.spawn(self._wait_until(deadline))

    async def _wait_until(self, deadline: float) -> None:
        await self._clock.sleep(deadline - self._clock.now())
        self._timer_for = None
        self._core.timer_due(self._clock.now())
        self._settle()

    # --- commands -----------------------------------------------------------------------------------------------------

    def _take_commands(self, commands: Sequence[RelayCommand]) -> None:
        self._commands += commands
        if self._worker is None:
            while self._commands and self._done_at_once(self._commands[0]):
                self._commands.pop(0)
            if self._commands:
                self._run_commands(None)

    def _done_at_once(self, command: RelayCommand) -> bool:
        """Do a command that needs no waiting; return whether it was one."""
        session = self._session
        if session is None or isinstance(command, SendMessage):
            return False
        match command:
            case RefuseMessage(code, refused_id, retry_after):
                self._core.refuse_for_now(code, refused_id, retry_after=retry_after)
            case ShowTyping():
                self._active_at = self._clock.now()
                session.guest_typing()
            case NoteSeen(seq):
                self._acked = max(self._acked, seq)
            case NoteRead(seq) if seq <= session.read_seq:
                self._active_at = self._clock.now()
            case ProlongSession():
                self._active_at = self._clock.now()
                session.guest_stays()
            case ReportHead() if (found := session.log.recent(session.sid, self._core.cursor, 1)) is not None:
                self._report(found[0].head)
            case _:
                return False
        return True

    def _run_commands(self, first: Coroutine[Any, Any, None] | None) -> None:
        self._worker = self._hub.spawn(self._work(first))

    async def _work(self, first: Coroutine[Any, Any, None] | None) -> None:
        try:
            if first is not None:
                await self._guarded(first, None)
            while self._commands:
                command = self._commands.pop(0)
                client_id = None
                if isinstance(command, SendMessage):
                    client_id = ClientId(command.client_id or str(uuid.uuid4()))
                await self._guarded(self._do(command, client_id), client_id)
        except Exception:
            self._core.close_for("internal")
            self._settle()
            raise
        finally:
            self._worker = None
            if self._socket is None:
                self._leave()

    def _be_gone(self) -> None:
        self._core.close_for("session-expired")
        if self._session is not None:
            self._hub.gone(self._session)

    def _leave(self) -> None:
        """Let go of the session, once nothing that was said is on its way: a session in use must be the only one."""
        session, self._session = self._session, None
        if session is not None:
            session.leave(self)
            self._hub.drop_if_idle(session)

    async def _guarded(self, step: Coroutine[Any, Any, None], client_id: ClientId | None) -> None:
        try:
            await step
        except SessionExpired:
            self._be_gone()
        except LogUnavailable as error:
            if self._core.is_reading:
                self._core.refuse(error.code, client_id=client_id, retry_after=LOG_RETRY_S)
            else:
                self._core.close_for(error.code)  # before the welcome there is no frame to say it with
        except ChatError as error:
            self._core.refuse(error.code, client_id=client_id, text=error.message, retry_after=error.retry_after_s)
        self._settle()

    async def _do(self, command: RelayCommand, client_id: ClientId | None) -> None:
        if isinstance(command, CheckPair):
            self._tab = command.tab
            pair = await self._hub.tokens.check(command.session_id, command.token)
            if pair is None:
                raise SessionExpired
            wait_s = self._hub.arrivals.take(pair.sid, self._clock.now())
            if wait_s > 0:
                self._core.refuse("rate-limited", retry_after=float(ceil(wait_s)))
                self._core.close_for("rate-limited")
                return
            await self._enter(pair)
            return
        session = self._session
        if session is None:
            return  # closed while it was checked
        if self._done_at_once(command):
            return
        if isinstance(command, SendMessage | EndConversation | StartNew) and not self._core.may_try(command):
            return
        match command:
            case SendMessage():
                assert client_id is not None  # noqa: S101 - made above
                self._active_at = self._clock.now()
                self._core.sending(client_id)
                self._core.accepted(await session.accept(client_id, command.text, command.content, command.in_reply_to))
                self._hub.metrics.messages_accepted.inc()
            case EndConversation():
                await session.guest_ends()
                self._core.done()
            case StartNew():
                if session.has_ended and (wait_s := self._hub.creations.take(self.client_host, self._clock.now())) > 0:
                    raise RateLimited(retry_after_s=wait_s)  # it costs the provider as much as a new session
                await session.starts_new()
                self._core.done()
            case ClearConversation():
                await session.guest_clears()
            case NoteRead(seq):
                self._active_at = self._clock.now()
                await session.note_read(seq)
            case ReportHead():
                self._report((await session.log.head(session.sid)).head)
            case _:
                raise AssertionError(command)  # done at once

    def _report(self, head: int) -> None:
        self._core.pong(head, read=None if self._session is None else self._session.read_seq or None)
        if head > self._core.cursor:
            self._wake()  # a wake-up may get lost, a message must not

    async def _enter(self, pair: Pair) -> None:
        """Join the session: subscribe first, then look where the log stands."""
        self.pair = pair
        session = await self._hub.open(pair.sid)
        if self._core.is_closed:
            if self._commands:  # a client of the tutorial that said something and left
                self._session = session
                session.wait_for(self)
            else:
                self._hub.drop_if_idle(session)
            return
        self._unsubscribe = session.log.subscribe(session.sid, self._wake)
        self._session = session
        is_first = session.join(self, most=self._hub.max_tabs)
        position = await session.log.head(session.sid)
        self._core.admitted(
            epoch=position.epoch,
            floor=position.floor,
            head=position.head,
            is_first=is_first,
            read=session.read_seq or None,
        )
        if session.ended_at is not None:
            self._core.session_ended(session.ended_at, self._clock.now())
        if not self.is_plain and (offered := session.session_frame()) is not None:
            self._core.show_session(offered, 0)
        if self._core.mode is not None:
            self._hub.metrics.connections_admitted.labels(self._core.mode).inc()
        self._settle()
        self._wake()
        if self._hub.tokens.is_due(pair):
            with contextlib.suppress(LogUnavailable):  # the upkeep tries again
                await self.prolong()

    async def prolong(self) -> None:
        """Let the token of this connection live on.

        Raises:
            SessionGone: The session was erased.
            LogUnavailable: It was not kept.
        """
        if self.pair is not None:
            self.pair = await self._hub.prolong(self.pair, has_ended=self._session is None or self._session.has_ended)

    # --- reading the log ----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Look at the log; called when it may have moved, and when the socket takes frames again."""
        self._has_moved = True
        if self._pump is None and not self._is_looking and self._core.is_reading:
            # Not here and now: whoever waits for the answer to a write is awake before its record is shown.
            self._is_looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._is_looking = False
        try:
            self._look_at_hand()
        except Exception:  # noqa: BLE001 - the root of a callback
            _log.exception("what the log has at hand could not be shown")
            self._core.close_for("internal")
            self._settle()

    def _look_at_hand(self) -> None:
        """Show what the log has at hand; what takes time is done by a task."""
        session, socket, core = self._session, self._socket, self._core
        if session is None or socket is None or self._pump is not None or not core.is_reading:
            return
        found = session.log.recent(session.sid, core.cursor, PAGE_RECORDS, PAGE_BYTES) if socket.is_writable else None
        if found is None:
            self._pump = self._hub.spawn(self._read())
            return
        self._has_moved = False
        position, page = found
        core.position_seen(epoch=position.epoch)
        self._show(page)
        if page.records and page.records[-1].seq < page.head:
            self._wake()

    def _show(self, page: Page) -> None:
        if not self._core.page_read(page.records):
            self._hub.metrics.positions_lost.inc()
            _log.error("records do not follow the position", cursor=self._core.cursor)
        self._settle()

    async def _read(self) -> None:
        try:
            await self._read_on()
        except SessionExpired:
            self._be_gone()
        except ResumeGap:
            self._core.close_for("position-lost")
        except LogUnavailable:
            self._core.close_for("log-unavailable")
        except Exception:
            self._core.close_for("internal")
            raise
        finally:
            self._pump = None
            self._settle()

    async def _read_on(self) -> None:
        session, socket = self._session, self._socket
        if session is None or socket is None:
            return
        while self._core.is_reading:
            self._has_moved = False
            position = await session.log.head(session.sid)
            self._core.position_seen(epoch=position.epoch)
            if not socket.is_writable:
                await self._count_lag(session, position.head)
                self._settle()
                if not self._has_moved and not socket.is_writable:
                    return
                continue
            page = await session.log.read(session.sid, self._core.cursor, PAGE_RECORDS, PAGE_BYTES)
            if page is None:
                raise SessionExpired
            self._show(page)
            if not page.records and not self._has_moved:
                return

    async def _count_lag(self, session: RelaySession, head: int) -> None:
        """Count what a reader that takes nothing lacks, each record once."""
        if head <= self._core.cursor:
            # Everything is queued; a reader that takes none of it is slow all the same.
            self._core.blocked(self._clock.now())
            return
        self._core.blocked(self._clock.now())
        after = max(self._counted, self._core.counts_from)
        while after < head and self._core.is_reading:
            page = await session.log.read(session.sid, after, PAGE_RECORDS, PAGE_BYTES)
            if page is None or not page.records:
                break
            self._unsent_bytes += sum(len(record.body) for record in page.records)
            after = self._counted = page.records[-1].seq
            self._core.lagging(head, self._unsent_bytes)
