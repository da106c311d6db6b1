"""The shell of a guest's connection: read, feed the core, do its effects, repeat.

Theory of operation. Every call into the core is followed by `_settle`, which does the effects, passes the events on
and sets the timer; all of it is synchronous, so nothing comes between. What takes time runs as a task: one *step*
(token, session, check, or the connection with its reader and writer) and one *timer*. The core asks for one step at a
time, so a new one takes the old one's place. The core decides; there is no `if` about the protocol here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, assert_never

from guestwire.client.event_queue import ROOM, EventQueue, TakeEvents
from guestwire.client.sessions import check_guest_session, create_guest_session, socket_base
from guestwire.client.tokens import TokenSource
from guestwire.errors import ChatError, ConnectionClosed, ConnectionLost, NotWritten
from guestwire.model.content import ContentItem
from guestwire.model.events import StatusChanged, Typing
from guestwire.model.transcript import Transcript
from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent
from guestwire.net.transport import ClientSocket, Transport
from guestwire.protocols.guest_session.client import (
    Authenticate,
    CheckSession,
    CloseSocket,
    CreateSession,
    Effect,
    GuestSessionClient,
    OpenSocket,
    SendFrame,
)
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession, socket_url
from guestwire.protocols.guest_session.states import State
from guestwire.settings import ProviderSettings

__all__ = ["KeepSession", "Runner"]

KeepSession: TypeAlias = Callable[[GuestSession], Awaitable[None]]
"""Called with every session that was created, before it is used; what it raises (`ChatError`) is tried again later."""

TYPING_SHOWN_MS = 5000
"""How long somebody types who names no `duration` (guest-session §4.3 rule 6)."""

FLUSH_LIMIT_S = 2.0
"""What is queued when we close gets this long to be written; an app that takes the last frames, twice that."""


PONG_LIMIT_S = 10.0
"""A connection that answers no ping for so long is taken for dead."""


@dataclass(slots=True, eq=False)
class _Line:
    """What is to be written to one connection, in order; None says: then close."""

    number: int = 0
    socket: ClientSocket | None = None
    items: deque[SendFrame | None] = field(default_factory=deque)
    wake: LightEvent = field(default_factory=LightEvent)
    asked: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    pings: dict[object, float] = field(default_factory=dict)
    """Since when each ping has waited for its pong, oldest first."""
    watch: asyncio.Task[None] | None = None
    over: LightEvent = field(default_factory=LightEvent)
    is_open: bool = False
    is_held: bool = False
    """Nothing is read, because the app has no room for more events."""

    def put(self, item: SendFrame | None) -> None:
        self.items.append(item)
        self.wake.set()

    async def get(self) -> SendFrame | None:
        while not self.items:
            self.wake.clear()
            await self.wake.wait()
        return self.items.popleft()

    def answer(self, item: SendFrame, error: ConnectionLost | None = None) -> None:
        """Tell whoever asked about a frame that it was written, or how it was lost."""
        asked = None if item.client_id is None else self.asked.pop(item.client_id, None)
        if asked is None or asked.done():
            return
        if error is None:
            asked.set_result(None)
        else:
            asked.set_exception(error)

    def close(self) -> None:
        """Nothing that still waits will be written."""
        for item in self.items:
            if item is not None:
                self.answer(item, NotWritten())
        if self.watch is not None:
            self.watch.cancel()
        self.over.set()


class Runner:
    """Runs one `GuestSessionClient` over a `Transport` until it is closed for good."""

    def __init__(
        self,
        core: GuestSessionClient,
        *,
        transport: Transport,
        tokens: TokenSource,
        settings: ProviderSettings,
        details: GuestDetails,
        clock: Clock,
        keep_session: KeepSession | None = None,
        most_unread: int = ROOM,
        take_events: TakeEvents | None = None,
        keeps_transcript: bool = True,
    ) -> None:
        """Prepare; `run` does the work."""
        self.core = core
        self.transcript = Transcript()
        self.events = EventQueue(room=most_unread, take=take_events)
        self._keep_session = keep_session
        self._keeps_transcript = keeps_transcript
        self.error: ChatError | None = None
        self._transport = transport
        self._tokens = tokens
        self._settings = settings
        self._details = details
        self._clock = clock
        self._tasks: asyncio.TaskGroup | None = None
        self._step: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._timer_for: float | None = None
        self._typing_until: dict[str, float] = {}
        self._line = _Line()
        self._last_error: ChatError | None = None
        self.last_close = (1006, "")
        self._over = LightEvent()

    @property
    def is_over(self) -> bool:
        """Whether the connection is closed for good."""
        return self._over.is_set()

    @property
    def is_open(self) -> bool:
        """Whether a connection is open and the conversation goes on."""
        return self._line.is_open and self.core.state is State.CONNECTED and not self.core.has_ended

    async def run(self) -> None:
        """Start the core and serve it until it is closed or failed; all tasks have ended when this returns."""
        try:
            if self.is_over:  # stopped before it began
                return
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self.tell(lambda: self.core.start(self._clock.now()))
                await self._over.wait()
                self.events.unbound()
                if self._timer is not None:
                    self._timer.cancel()
        finally:
            self._over.set()
            self.events.close()

    def tell(self, what: Callable[[], None]) -> None:
        """Call into the core, then do and show what follows; whatever the core raises goes to the caller."""
        try:
            what()
        finally:
            self._settle()

    async def write(self, text: str, *, client_id: str, content: tuple[ContentItem, ...]) -> int:
        """Write a message to the open connection, or to none; return the connection's number.

        Raises:
            NotWritten: No connection is open, or it closed before the message was written.
            ConnectionLost: It broke while writing.
            MessageRejected: It is blank or too long.
            ConversationEnded: The conversation is over.
        """
        line = self._line
        if not line.is_open or line.socket is None:
            raise NotWritten
        self.core.send_now(text, client_id=client_id, content=content)
        try:
            if line.items:
                await self._write_in_turn(line, client_id)
            else:
                for effect in self.core.effects():
                    assert isinstance(effect, SendFrame), effect  # noqa: S101 - all else was done when it was asked for
                    await line.socket.send_text(effect.text)
        except ConnectionLost:
            await line.socket.aclose()
            await line.over.wait()
            raise
        return line.number

    async def _write_in_turn(self, line: _Line, client_id: str) -> None:
        asked = line.asked[client_id] = asyncio.get_running_loop().create_future()
        self._settle()
        await asked

    async def confirm(self, connection: int | None) -> None:
        """Return when the peer's edge has what was written to the open connection.

        Raises:
            NotWritten: No connection is open.
            ConnectionLost: `connection` is not the one that is open, or it broke, or no pong came in time.
        """
        line = self._line
        if connection is None and not line.is_open:
            raise NotWritten
        if connection not in {None, line.number} or not line.is_open or line.socket is None:
            raise ConnectionLost
        ping = object()
        line.pings[ping] = self._clock.now()
        if line.watch is None or line.watch.done():
            assert self._tasks is not None, "run() is not running"  # noqa: S101 - there is a line
            line.watch = self._tasks.create_task(self._watch_pongs(line, line.socket))
        try:
            await line.socket.ping()
            return
        except ConnectionLost:
            pass
        finally:
            del line.pings[ping]
        await line.socket.aclose()
        await line.over.wait()  # so that what the peer said last has been told
        raise ConnectionLost(f"The connection was lost before the pong, or none came in {PONG_LIMIT_S:g} s.")

    async def _watch_pongs(self, line: _Line, socket: ClientSocket) -> None:
        """Close the connection when a pong is late; ends when it wakes and no ping waits."""
        while line.pings:
            now = self._clock.now()
            left_s = next(iter(line.pings.values())) + PONG_LIMIT_S - now
            if left_s > 0:
                await self._clock.sleep(left_s)
            elif line.is_held:
                # While the app is busy nothing is read, and the pong may have come long ago.
                line.pings = dict.fromkeys(line.pings, now)
            else:
                await socket.aclose()
                return

    def _settle(self, *, is_passing_on: bool = False) -> None:
        for effect in self.core.effects():
            self._do(effect)
        for event in self.core.events():
            if isinstance(event, StatusChanged):
                self._note_status(event)
            elif isinstance(event, Typing):
                shown_s = (TYPING_SHOWN_MS if event.duration is None else event.duration) / 1000
                self._typing_until[event.sender] = self._clock.now() + shown_s
            if self._keeps_transcript:
                self.transcript.apply(event)
            self.events.put(event, wakes=not is_passing_on)
        if self.core.state in {State.CLOSED, State.FAILED}:
            self._over.set()
        else:
            self._set_timer()

    def _note_status(self, event: StatusChanged) -> None:
        if self.core.state is State.FAILED and event.error is not None:
            last = self._last_error
            if last is not None and last.code == event.error.code:
                self.error = last
            else:
                self.error = ConnectionClosed(*self.last_close, code=event.error.code)

    # --- effects ----------------------------------------------------------------------------------------------

    def _do(self, effect: Effect) -> None:
        match effect:
            case Authenticate():
                self._begin(self._authenticate)
            case CreateSession():
                self._begin(self._create_session)
            case OpenSocket(session):
                self._begin(partial(self._connect, session))
            case CheckSession(session):
                self._begin(partial(self._check, session))
            case SendFrame():
                self._line.put(effect)
            case CloseSocket():
                self._close()
            case _:
                assert_never(effect)

    def _begin(self, step: Callable[[], Awaitable[None]]) -> None:
        assert self._tasks is not None, "run() is not running"  # noqa: S101 - a bug of ours, not of a caller
        # A step that asks for the next one is about to end; any other is no longer wanted.
        if self._step is not None and self._step is not asyncio.current_task():
            self._step.cancel()
        self._step = self._tasks.create_task(self._attempt(step))

    def _close(self) -> None:
        step = self._step
        if step is None or step is asyncio.current_task() or step.done() or self._tasks is None:
            return
        if not self._line.is_open:
            step.cancel()
            return
        self._line.put(None)
        limit = self._tasks.create_task(self._cut_off(step))
        step.add_done_callback(lambda _: limit.cancel())

    async def _cut_off(self, step: asyncio.Task[None]) -> None:
        await self._clock.sleep(FLUSH_LIMIT_S)
        if self.events.is_taking:
            await self._clock.sleep(FLUSH_LIMIT_S)
        step.cancel()

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            # An app that reads no events is told nothing new, so nothing new is tried.
            await self.events.room()
            await step()
        except ChatError as error:
            self._last_error = error
            failure = error
            self.tell(lambda: self.core.attempt_failed(failure, self._clock.now()))

    async def _authenticate(self) -> None:
        await self._tokens.access_token()
        self.tell(self.core.authenticated)

    async def _create_session(self) -> None:
        session = await create_guest_session(self._transport, self._tokens, self._settings, self._details)
        if self._keep_session is not None:
            await self._keep_session(session)
        self.tell(lambda: self.core.session_created(session, self._clock.now()))

    async def _check(self, session: GuestSession) -> None:
        await check_guest_session(self._transport, self._settings, session)
        self.tell(lambda: self.core.still_valid(self._clock.now()))

    # --- the connection ---------------------------------------------------------------------------------------

    async def _connect(self, session: GuestSession) -> None:
        socket = await self._transport.open_socket(socket_url(session, socket_base(session, self._settings)))
        line = self._line = _Line(number=self._line.number + 1, socket=socket, is_open=True)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(socket, line))
                self.tell(lambda: self.core.opened(self._clock.now()))
                async for text in socket:
                    self.core.frame_received(text, self._clock.now())
                    self._settle(is_passing_on=True)
                    line.is_held = True
                    await self.events.pass_on()
                    line.is_held = False
                writer.cancel()
        finally:
            line.is_open = False
            try:
                await socket.aclose()
            finally:
                self.last_close = (1006 if socket.close_code is None else socket.close_code, socket.close_reason)
                line.close()
        code = self.last_close[0]
        self.tell(lambda: self.core.closed(code, self._clock.now()))

    async def _write(self, socket: ClientSocket, line: _Line) -> None:
        with contextlib.suppress(ConnectionLost):  # the reader sees it too
            while (item := await line.get()) is not None:
                await self._write_one(socket, line, item)
        await socket.aclose()

    async def _write_one(self, socket: ClientSocket, line: _Line, item: SendFrame) -> None:
        try:
            await socket.send_text(item.text)
        except ConnectionLost as error:
            line.answer(item, error)
            raise
        except asyncio.CancelledError:
            line.answer(item, ConnectionLost())  # some of it may have left
            raise
        line.answer(item)
        if item.client_id is not None:
            self.tell(partial(self.core.sent, item.client_id))

    # --- time -------------------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        deadlines = [*self._typing_until.values()]
        if (deadline := self.core.next_deadline()) is not None:
            deadlines.append(deadline)
        soonest = min(deadlines, default=None)
        if soonest == self._timer_for or self._tasks is None:
            return
        if self._timer is not None and self._timer is not asyncio.current_task():
            self._timer.cancel()
        self._timer_for = soonest
        self._timer = None if soonest is None else self._tasks.create_task(self._wait_until(soonest))

    async def _wait_until(self, deadline: float) -> None:
        await self._clock.sleep(deadline - self._clock.now())
        now = self._clock.now()
        self._timer_for = None
        for sender, until in list(self._typing_until.items()):
            if now >= until:
                del self._typing_until[sender]
                self.transcript.stop_typing(sender)
        self.tell(lambda: self.core.timer_due(now))
