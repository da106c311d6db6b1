"""The shell of a guest's connection: read, feed the core, do its effects, repeat.

Theory of operation. Every call into the core is followed by `_settle`, which does the effects, passes the events on
and sets the timer; all of it is synchronous, so nothing comes between. What takes time runs as a task: one *step*
(a key, a session, or the connection with its reader and writer) and one *timer*. The core asks for one step at a
time, so a new one takes the old one's place. The core decides; there is no `if` about a protocol here, and what only
one protocol has is in its `adapter`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial

from guestwire.client.adapter import Adapter, Step
from guestwire.client.event_queue import ROOM, EventQueue, TakeEvents
from guestwire.client.line import Frame, Line
from guestwire.errors import ChatError, ConnectionLost, NotWritten
from guestwire.model.content import ContentItem
from guestwire.model.events import ConnectionStatus, Event, StatusChanged, Typing
from guestwire.model.transcript import Transcript
from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent
from guestwire.net.transport import ClientSocket, Transport

__all__ = ["Runner"]

TYPING_SHOWN_MS = 5000
"""How long somebody types who names no `duration` (guest-session §4.3 rule 6)."""

FLUSH_LIMIT_S = 2.0
"""What is queued when we close gets this long to be written; an app that takes the last frames, twice that."""

PONG_LIMIT_S = 10.0
"""A connection that answers no ping for so long is taken for dead."""


class Runner:
    """Runs one `Adapter` over a `Transport` until it is closed for good; it is that adapter's `Shell`."""

    def __init__(
        self,
        adapter: Adapter,
        *,
        transport: Transport,
        clock: Clock,
        most_unread: int = ROOM,
        take_events: TakeEvents | None = None,
        keeps_transcript: bool = True,
    ) -> None:
        """Prepare; `run` does the work."""
        self.adapter = adapter
        self.transcript = Transcript()
        self.events = EventQueue(room=most_unread, take=take_events)
        self.error: ChatError | None = None
        self.last_close = (1006, "")
        self._core = adapter.core
        self._keeps_transcript = keeps_transcript
        self._transport = transport
        self._clock = clock
        self._tasks: asyncio.TaskGroup | None = None
        self._step: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._timer_for = 0.0
        self._typing_until: dict[str, float] = {}
        self._line = Line()
        self._last_error: ChatError | None = None
        self._over = LightEvent()

    @property
    def is_over(self) -> bool:
        """Whether the connection is closed for good."""
        return self._over.is_set()

    @property
    def is_open(self) -> bool:
        """Whether a connection is open and takes messages."""
        return self._line.is_open and self.adapter.is_open

    async def run(self) -> None:
        """Start the core and serve it until it is closed or failed; all tasks have ended when this returns."""
        try:
            if self.is_over:  # stopped before it began
                return
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self.tell(lambda: self.adapter.start(self._clock.now()))
                await self._over.wait()
                self.events.unbound()
                if self._timer is not None:
                    self._timer.cancel()
                await self.adapter.finish()
                self.adapter.let_go()
        finally:
            self._over.set()
            self.adapter.let_go()
            self.events.close()

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._clock.now()

    def tell(self, what: Callable[[], None]) -> None:
        """Call into the core, then do and show what follows; whatever the core raises goes to the caller."""
        try:
            what()
        finally:
            self._settle()

    def send(self, text: str, *, client_id: str, content: tuple[ContentItem, ...], in_reply_to: str | None) -> None:
        """Have the core send a message, now or when it can be; raises what the core does."""
        self.tell(
            lambda: self.adapter.send_text(
                text,
                self._clock.now(),
                client_id=client_id,
                sent_at=self._clock.utc(),
                content=content,
                in_reply_to=in_reply_to,
            )
        )

    async def write_now(
        self, text: str, *, client_id: str, content: tuple[ContentItem, ...], in_reply_to: str | None
    ) -> int:
        """Write a message to the open connection, or to none; return the connection's number.

        Raises:
            NotWritten: No connection is open, or it closed before the message was written.
            ConnectionLost: It broke while writing.
            ChatError: What the core raises for a message that it does not send.
        """
        line = self._line
        if not line.is_open or line.socket is None:
            raise NotWritten
        frame = self.adapter.frame_now(
            text, self._clock.now(), client_id=client_id, content=content, in_reply_to=in_reply_to
        )
        try:
            if line.items:
                asked = line.asked[client_id] = asyncio.get_running_loop().create_future()
                line.put(frame)
                await asked
            else:
                await line.socket.send_text(frame.text)
        except ConnectionLost:
            await line.socket.aclose()
            await line.over.wait()
            raise
        return line.number

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

    async def _watch_pongs(self, line: Line, socket: ClientSocket) -> None:
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
        self.adapter.do_effects(self)
        for event in self._core.events():
            self.show(event, wakes=not is_passing_on)
        if self.adapter.is_over:
            self._over.set()
        else:
            self._set_timer()

    def show(self, event: Event, *, wakes: bool = True) -> None:
        """Pass an event on."""
        self.adapter.note(event)
        if isinstance(event, StatusChanged):
            self._note_status(event)
        elif isinstance(event, Typing):
            shown_s = (TYPING_SHOWN_MS if event.duration is None else event.duration) / 1000
            self._typing_until[event.sender] = self._clock.now() + shown_s
        if self._keeps_transcript:
            self.transcript.apply(event)
        self.events.put(event, wakes=wakes)

    def _note_status(self, event: StatusChanged) -> None:
        if event.status is ConnectionStatus.FAILED and event.error is not None:
            self.error = self.adapter.failure(event.error, self._last_error, self.last_close)

    # --- what an adapter has done ------------------------------------------------------------------------------

    def begin(self, step: Step) -> None:
        """Begin a step of the connection, in place of the one before."""
        assert self._tasks is not None, "run() is not running"  # noqa: S101 - a bug of ours, not of a caller
        # A step that asks for the next one is about to end; any other is no longer wanted.
        if self._step is not None and self._step is not asyncio.current_task():
            self._step.cancel()
        self._step = self._tasks.create_task(self._attempt(step))

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Begin something beside the connection; it must not raise a `ChatError`."""
        assert self._tasks is not None, "run() is not running"  # noqa: S101 - a bug of ours, not of a caller
        return self._tasks.create_task(work)

    def write(self, frame: Frame) -> None:
        """Have a frame written to the open connection, after what waits."""
        self._line.put(frame)

    def close(self) -> None:
        """Write what waits and close the connection, or give up the step that is under way."""
        step = self._step
        if step is None or step.done() or self._tasks is None:
            return
        if not self._line.is_open:
            if step is not asyncio.current_task():  # else it has failed, and is about to end
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

    async def _attempt(self, step: Step) -> None:
        try:
            # An app that reads no events is told nothing new, so nothing new is tried.
            await self.events.room()
            await step()
        except ChatError as error:
            self._last_error = error
            failure = error
            self.tell(lambda: self._core.attempt_failed(failure, self._clock.now()))

    # --- the connection ---------------------------------------------------------------------------------------

    async def converse(self, url: str, *, origin: str | None = None) -> None:
        """Open the WebSocket and serve it until it is closed."""
        socket = await self._transport.open_socket(url, origin=origin)
        line = self._line = Line(number=self._line.number + 1, socket=socket, is_open=True)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(socket, line))
                self.tell(lambda: self._core.opened(self._clock.now()))
                async for text in socket:
                    self._core.frame_received(text, self._clock.now())
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
        self.tell(lambda: self._core.closed(code, self._clock.now()))

    async def _write(self, socket: ClientSocket, line: Line) -> None:
        with contextlib.suppress(ConnectionLost):  # the reader sees it too
            while (item := await line.get()) is not None:
                await self._write_one(socket, line, item)
        await socket.aclose()

    async def _write_one(self, socket: ClientSocket, line: Line, item: Frame) -> None:
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
            self.tell(partial(self.adapter.sent, item.client_id, self._clock.now()))

    # --- time -------------------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        """Wake when something is due. A timer that rings too early costs less than one that is set with each frame."""
        deadline = self._core.next_deadline()
        for until in self._typing_until.values():
            deadline = until if deadline is None else min(deadline, until)
        if self._timer is not None:
            if deadline is not None and self._timer_for <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None and self._tasks is not None:
            self._timer_for = deadline
            self._timer = self._tasks.create_task(self._wait_until_due())

    async def _wait_until_due(self) -> None:
        await self._clock.sleep(self._timer_for - self._clock.now())
        now = self._clock.now()
        self._timer = None
        for sender, until in list(self._typing_until.items()):
            if now >= until:
                del self._typing_until[sender]
                self.transcript.stop_typing(sender)
        self.tell(lambda: self._core.timer_due(now))
