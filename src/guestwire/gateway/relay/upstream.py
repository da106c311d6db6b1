"""One session's way to its provider, by the client library: what is the same whatever the provider speaks.

Theory of operation. Two tasks for each session that is in use: the *talk* reads what happens, one event at a time, and
does not ask for the next before the session has made this one durable (`most_unread=1`: nor is the next frame read from
the socket). While it waits, the task that reads the socket does the same with each frame (`take_events`). The *pump*
(`outbox_pump`) sends. The provider's session is kept, sealed, before it is used, so that a gateway after us goes on
with the same one.

The client library connects and comes back after a loss. When a provider's session is over another one is made, but only
for somebody who is there or has said something: what was in flight is in doubt then, the guest is told, and what waits
goes to the new one. When the library gives up for good there is something to decide here: what waits has failed, and it
is tried again when the guest says something or comes back, and by itself while somebody waits for what the provider
says (`_wait_to_try_again`).

A provider with a history has it read after every connect (`history`), and what the new connection says is held until
then, for half a second at most (`join_hold`).

What differs from one kind of provider to the next is in a subclass each: `guest_session_upstream`,
`web_messaging_upstream`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import ClassVar, Generic, TypeVar

from msgspec.structs import replace

from guestwire.client.chat import Chat
from guestwire.errors import ERRORS, ChatError, Retry, SessionGone
from guestwire.gateway.errors import upstream_problem
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay.durable import until_kept
from guestwire.gateway.relay.handshakes import PacedTransport
from guestwire.gateway.relay.history import HistoryReader, Page, Said
from guestwire.gateway.relay.interface import BasicUpstream, FailPoint, SessionLink, Upstream, no_fail_point
from guestwire.gateway.relay.join_hold import HOLD_S
from guestwire.gateway.relay.outbox_pump import OutboxPump
from guestwire.gateway.relay.provider_line import Way
from guestwire.gateway.relay.recorder import Recorder
from guestwire.gateway.relay.sealed import Kept, Seal
from guestwire.gateway.relay.settling import ByPong, ByProvider
from guestwire.gateway.relay.waits import wait_for
from guestwire.model.events import (
    ConnectionStatus,
    ConversationStatus,
    ConversationUpdated,
    Event,
    Message,
    ProviderError,
    Receipt,
    StatusChanged,
    UnknownEvent,
)
from guestwire.model.ids import SessionId
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent
from guestwire.net.logs import get_logger
from guestwire.net.transport import Transport
from guestwire.settings import ProviderSettings

__all__ = ["NEW_CONVERSATION", "ProviderUpstream", "Upstreams"]

NEW_CONVERSATION = "new-conversation"
"""Reason of the `waiting` that tells a guest that the provider knows nothing of what was said before [D]."""

SETTLE_S = 5.0
"""When we stop, what is in flight gets so long to be settled (reliability F21), …"""

CLOSE_S = 3.0
"""… and the connection so long to be closed."""

AGAIN_FIRST_S = 1.0
AGAIN_MOST_S = 60.0
"""Between attempts after the client library has given up: from half of it to all of it, doubled with each."""

HEALTHY_S = 30.0
"""A connection that lived so long begins that series anew."""

END_S = 10.0
"""A provider that does not take the guest's `end` in this time is not asked any longer; the guest has left."""

_log = get_logger("guestwire.gateway")


def _count_nothing() -> None:
    pass


_T = TypeVar("_T")
_S = TypeVar("_S")


@dataclass(kw_only=True, eq=False)
class Upstreams(ABC):
    """Makes the upstreams of one gateway (an `UpstreamFactory`); what they share is here.

    Attributes:
        provider: Where it is.
        transport: The network; WebSockets are opened at a limited rate.
        seal: Seals and opens what the log keeps of a provider's session.
        clock: The time.
        rng: Randomness of back-offs.
        fail_point: See `FailPoint`.
        on_foreign: Called when a provider shows a message as the guest's that did not come through us.
        metrics: Counts connections, failures and messages.
    """

    provider: ProviderSettings
    transport: Transport
    seal: Seal
    clock: Clock
    rng: Random = field(default_factory=SystemRandom)
    fail_point: FailPoint = no_fail_point
    on_foreign: Callable[[], None] = _count_nothing
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        """Limit the rate of WebSockets."""
        self.transport = PacedTransport(self.transport, self.clock)

    @abstractmethod
    def __call__(self, session: SessionLink) -> Upstream:
        """Return the upstream of one session."""

    @abstractmethod
    async def say_farewell(self, sid: SessionId, kept: Kept) -> None:
        """Tell the provider that the guest has had a session erased, where there is a way to; may take for ever."""

    def running(self) -> AbstractAsyncContextManager[object]:
        """Return what must be entered before the first of them is used."""
        return nullcontext()


class ProviderUpstream(BasicUpstream, ABC, Generic[_S]):
    """See `interface.Upstream`; `_S` is the provider's session as its client knows it."""

    kind: ClassVar[str]
    """What the provider speaks, for `Kept.kind`."""

    def __init__(self, session: SessionLink, shared: Upstreams) -> None:
        """Prepare; nothing happens before `start`."""
        self._session = session
        self._shared = shared
        self._clock = shared.clock
        self._delay_s = full_jitter(shared.rng)
        self._ref = session.provider_ref
        self._task: asyncio.Task[None] | None = None
        self._knock = LightEvent()
        self._ending = LightEvent()
        self._closing = LightEvent()
        self._is_counted = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget everything but what the log has, and what was asked for."""
        session, shared = self._session, self._shared
        self._pump = OutboxPump(
            session,
            clock=shared.clock,
            rng=shared.rng,
            fail_point=shared.fail_point,
            on_settled=shared.metrics.message_settled,
        )
        if self._ending.is_set():
            self._pump.end()
        self._recorder = Recorder(session, self._pump, until_kept=self._until_kept, on_foreign=shared.on_foreign)
        self._history = HistoryReader(
            self._read_page,
            self._catch_up,
            clock=shared.clock,
            rng=shared.rng,
            save=self._keep_place,
            on_read=self._pump.wake,
        )
        self._hold_limit: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._keeping = asyncio.Lock()
        self._way = Way()
        self._kept = Kept(kind=self.kind)
        self._is_ref_read = False
        self._has_met = bool(self._ref)
        self._provider_session: _S | None = None
        self._chat: Chat | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._connected_at: float | None = None
        self._failure: str | None = None
        self._failures = 0
        self._refusal: ChatError | None = None

    # --- what a kind of provider does in its own way ------------------------------------------------------------------

    @abstractmethod
    def _prepare_chat(self) -> Chat:
        """Return a chat in the provider's session there is, or one that makes a session; it is not begun."""

    @abstractmethod
    def _pack(self, provider_session: _S) -> bytes:
        """Return what `_unpack` reads, for `Kept.session`."""

    @abstractmethod
    def _unpack(self, packed: bytes) -> _S | None:
        """Return the provider's session; None when it can't be used any more."""

    @abstractmethod
    def _way_of(self, provider_session: _S) -> Way:
        """Return what the provider can do in this session, and how its messages are told from another's."""

    async def _read_page(self, after: str | None, limit: int) -> Page:
        """Read the history; asked only where `_way_of` says that there is one."""
        raise NotImplementedError

    async def _catch_up(self, said: Sequence[Said]) -> None:
        """Record what was read of the history."""
        await self._recorder.record(said)

    @abstractmethod
    async def _take_end(self, event: ConversationUpdated) -> None:
        """Take the end of the conversation."""

    async def _take_own(self, event: Event) -> bool:  # noqa: ARG002
        """Take an event that means something to this kind only; return whether it was one."""
        return False

    async def _outlives(self, error: ChatError) -> bool:  # noqa: ARG002
        """Return whether to begin again at once, as only the provider's session is over; nothing has failed then."""
        return False

    def _code_of(self, error: ChatError) -> str:
        """Return what guests and operators are told."""
        return upstream_problem(error).code

    # --- what the session asks for ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect, and to settle and send what is in the outbox."""
        if self._task is None and not self._closing.is_set():
            self._task = asyncio.create_task(self._run(), name="guestwire-upstream")

    def wake(self) -> None:
        """Look into the outbox; after a failure this is also the next attempt to connect."""
        self._knock.set()
        self._pump.wake()

    def typing(self) -> None:
        """Tell that the guest is typing, when nothing else is in flight."""
        self._pump.typing()

    def end(self) -> None:
        """End the conversation after what waits, or after `END_S`."""
        self._ending.set()
        self._pump.end()
        self.wake()
        self.start()

    async def aclose(self) -> None:
        """Settle what is in flight (within 5 s) and close; ends nothing. Does nothing the second time."""
        self._closing.set()
        task, self._task = self._task, None
        if task is None:
            return
        try:
            self._pump.stop()
            await self._within(SETTLE_S, self._pump.stopped.wait())
            self._knock.set()
            if self._chat is not None:
                await self._chat.aclose()
            await self._within(CLOSE_S, asyncio.shield(task))
        finally:
            task.cancel()
        await asyncio.wait({task})

    # --- the tasks ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Live until it is over; what nobody has foreseen costs one life, not the chat."""
        crashes = 0
        while True:
            began_at, has_crashed = self._clock.now(), False
            try:
                await self._live()
            except* SessionGone:
                pass  # erased: there is nobody to talk for
            except* Exception:  # noqa: BLE001 - the root of a task
                has_crashed = True
                _log.exception("an upstream failed")
                self._shared.metrics.upstream_crashes.inc()
            if not has_crashed or self._is_over():
                return
            self._pump.stopped.set()  # it may have been cancelled before its first step
            crashes = 1 if self._clock.now() - began_at >= HEALTHY_S else crashes + 1
            most_s = min(AGAIN_FIRST_S * 2 ** min(crashes - 1, 10), AGAIN_MOST_S)
            await wait_for(self._closing, most_s * (0.5 + self._shared.rng.random() / 2), self._clock)
            if self._is_over():
                return
            self._begin_anew()

    async def _live(self) -> None:
        self._read_ref()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._pump.run())
            end_limit = tasks.create_task(self._limit_end())
            try:
                await self._talk()
            finally:
                self._pump.stop()
                end_limit.cancel()
                for task in self._beside:
                    task.cancel()

    async def _talk(self) -> None:
        while not self._is_over():
            error = await self._converse()
            if self._is_over():
                return
            if error is not None and await self._outlives(error):
                continue
            if error is not None:
                await self._fail(error)
            if error is None or self._ending.is_set():
                # The provider has no `end`, or could not be told.
                await self._leave()
                return
            await self._wait_to_try_again()

    async def _fail(self, error: ChatError) -> None:
        """Let what waits fail; when nothing was said yet, tell the guest all the same."""
        code = self._code_of(error)
        self._refusal = error if ERRORS[error.code].retry is Retry.NEW_SESSION else None
        self._knock.clear()  # what knocked so far fails with the rest
        was_asked = await self._until_kept(lambda: self._session.log.next_outgoing(self._session.sid)) is not None
        await self._pump.fail(code)
        if code == self._failure:
            return  # tried again by itself, in vain
        self._failure = code
        _log.warning("upstream failed", code=code, detail=error.message, hint=ERRORS[code].hint)
        if not (was_asked or self._has_met or self._ending.is_set()):
            await self._say(ProviderError(code=code))

    async def _wait_to_try_again(self) -> None:
        """Return at the next knock, or by itself after a while, when there is anybody to try for."""
        if self._connected_at is not None and self._clock.now() - self._connected_at >= HEALTHY_S:
            self._failures = 0
        self._connected_at = None
        most_s = min(AGAIN_FIRST_S * 2 ** min(self._failures, 10), AGAIN_MOST_S)
        self._failures += 1
        while True:
            is_wanted = await self._is_wanted()
            wait_s = most_s * (0.5 + self._shared.rng.random() / 2) if is_wanted else None
            has_knocked = await wait_for(self._knock, wait_s, self._clock)
            self._knock.clear()
            if self._is_over() or self._ending.is_set() or await self._is_wanted():
                break
        if has_knocked:
            self._failure = self._refusal = None  # who asks gets an answer

    async def _leave(self) -> None:
        """Take note that the guest has left, wherever the provider is."""
        await self._say(ConversationUpdated(status=ConversationStatus.ENDED, reason="guest-left"))

    async def _await_need(self) -> None:
        """Return when a new provider session is of use to anybody, or all is over; the first one always is.

        In one that is made while the guest is away an agent would wait for a guest who never comes.

        Raises:
            ChatError: Sessions were refused, and nobody has asked since: a new one would be refused as well.
        """
        if not self._has_met:
            return
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        await self._pump.forsake()  # what was in flight is no reason
        while not self._needs_none():
            self._knock.clear()
            if await self._is_wanted():
                return
            await self._knock.wait()

    def _needs_none(self) -> bool:
        """Return whether no new session is of use to anybody any more."""
        return self._is_over()

    async def _is_wanted(self) -> bool:
        """Return whether anything waits for the provider, or anybody waits for what it says."""
        if not self._ending.is_set() and self._session.is_awaited(has_begun=self._has_met):
            return True
        return await self._until_kept(lambda: self._session.log.next_outgoing(self._session.sid)) is not None

    async def _converse(self) -> ChatError | None:
        """Talk until the connection is closed for good; return why it failed, if it did."""
        chat = self._prepare_chat()
        async with chat:
            self._chat = chat
            self._pump.attach(chat)
            try:
                async for event in chat:
                    await self._take(event)
                await self._release()
            finally:
                self._pump.attach(None)
                self._chat = None
                self._count_connection(is_open=False)
        return chat.error

    async def _take_all(self, events: Sequence[Event]) -> None:
        if not self._recorder.is_holding and all(isinstance(event, Message) for event in events):
            await self._recorder.record(events)
            return
        for event in events:
            await self._take(event)

    async def _take(self, event: Event) -> None:
        if await self._take_own(event):
            return
        match event:
            case StatusChanged():
                await self._release()
                if event.error is not None:
                    self._shared.metrics.upstream_failures.labels(event.error.code).inc()
                self._note_status(event.status)
            case ConversationUpdated() if event.status is ConversationStatus.ENDED:
                await self._release()
                await self._take_end(event)
            case Message() | ConversationUpdated() if self._recorder.is_holding:
                if self._recorder.hold(event):
                    await self._release()
            case ProviderError():
                if not self._pump.refused(event):
                    await self._say(self._pump.blamed(event))
            case UnknownEvent():
                _log.info("a provider's frame was not understood", reason=event.reason.value)
            case Receipt():
                pass  # of the client library's own outbox, which is not used
            case _:
                await self._say(event)

    async def _say(self, event: Event) -> None:
        await self._recorder.record([event])

    def _note_status(self, status: ConnectionStatus) -> None:
        self._pump.line_changed()
        self._count_connection(is_open=status is ConnectionStatus.CONNECTED)
        if status is not ConnectionStatus.CONNECTED:
            self._history.disconnected()
            return
        self._has_met = True
        self._connected_at = self._clock.now()
        self._failure = self._refusal = None
        if self._way.can.history:
            self._history.connected()
            self._recorder.begin_hold()
            self._read_and_limit_hold()

    def _count_connection(self, *, is_open: bool) -> None:
        self._shared.metrics.upstream_connections.inc(is_open - self._is_counted)
        self._is_counted = is_open

    async def _release(self) -> None:
        if self._hold_limit is not None and self._hold_limit is not asyncio.current_task():
            self._hold_limit.cancel()
        await self._recorder.release()

    def _read_and_limit_hold(self) -> None:
        first_read = self._history.first_read

        async def limit() -> None:
            await wait_for(first_read, HOLD_S, self._clock)
            await self._release()

        self._hold_limit = self._begin_task(limit(), name="guestwire-join-hold")
        if self._reading is None:
            self._reading = self._begin_task(self._history.run(), name="guestwire-history")

    def _begin_task(self, work: Coroutine[None, None, None], *, name: str) -> asyncio.Task[None]:
        assert self._tasks is not None, "_run() is not running"  # noqa: S101 - a bug of ours
        task = self._tasks.create_task(work, name=name)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    # --- the provider's session ---------------------------------------------------------------------------------------

    def _read_ref(self) -> None:
        """Take up what a gateway before us has kept, once."""
        if self._is_ref_read or not self._ref:
            return
        self._is_ref_read = True
        kept = self._shared.seal.open(self._session.sid, self._ref)
        if kept is not None and kept.kind == self.kind:
            self._kept, self._has_met = kept, bool(kept.session)
        session = self._unpack(self._kept.session) if self._kept.session else None
        if session is not None:
            self._use(session)
        elif self._has_met:
            _log.warning("a provider session could not be taken up; a new one is made")

    def _use(self, session: _S) -> None:
        self._provider_session = session
        way = self._way = self._recorder.way = self._way_of(session)
        self._history.begin_at(self._kept.place, pace=way.pace)
        shows_ids = way.can.echo or way.can.history
        self._pump.use(
            ByProvider(way, self._history, self._clock) if shows_ids else ByPong(),
            shows_ids=shows_ids,
            names_refused=way.names_refused,
            doubts_before=self._kept.doubts_before,
        )

    async def _keep(self, provider_session: _S) -> None:
        """Keep a new one before it is used; what was in flight in the old one is in doubt, and its guest is told."""
        session = self._session
        await self._pump.forsake()
        if self._has_met:
            await self._say(ConversationUpdated(status=ConversationStatus.WAITING, reason=NEW_CONVERSATION))
        # What is in doubt by now is of sessions before this one, whose provider can't tell.
        doubts_before = max((doubt.oseq for doubt in await session.log.doubtful(session.sid)), default=0) + 1
        packed = self._pack(provider_session)
        async with self._keeping:
            await self._write_ref(replace(self._kept, session=packed, place=None, doubts_before=doubts_before))
            self._use(provider_session)

    async def _keep_place(self, place: str) -> None:
        provider_session = self._provider_session
        async with self._keeping:
            if provider_session is self._provider_session:
                await self._write_ref(replace(self._kept, place=place))

    async def _write_ref(self, kept: Kept) -> None:
        """Keep this from now on; the caller holds `_keeping`."""
        ref = self._shared.seal.seal(self._session.sid, kept)
        await self._session.log.set_provider(self._session.sid, ref)
        self._ref, self._kept, self._is_ref_read = ref, kept, True

    # --- the end ------------------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return self._closing.is_set() or self._session.has_ended

    async def _limit_end(self) -> None:
        await self._ending.wait()
        await self._clock.sleep(END_S)
        self._knock.set()
        if self._chat is not None:
            await self._chat.aclose()

    def _until_kept(self, call: Callable[[], Awaitable[_T]]) -> Awaitable[_T]:
        return until_kept(call, clock=self._clock, delay_s=self._delay_s)

    async def _within(self, limit_s: float, what: Awaitable[object]) -> None:
        limit = asyncio.ensure_future(self._clock.sleep(limit_s))
        done = asyncio.ensure_future(what)
        try:
            await asyncio.wait({limit, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()
            done.cancel()
