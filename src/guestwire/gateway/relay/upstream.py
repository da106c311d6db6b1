"""One session's way to a provider that speaks guest-session, by the client library.

Theory of operation. Two tasks for each session that is in use: the *talk* reads what happens, one event at a time, and
does not ask for the next before the session has made this one durable (`most_unread=1`: nor is the next frame read from
the socket). While it waits, the task that reads the socket does the same with each frame (`take_events`). The *pump*
(`outbox_pump`) sends. The provider's session is kept, sealed, before it is used, so that a gateway after us goes on
with the same one.

The client library connects, comes back after a loss, and makes a new provider session, once, when the old one is
refused: what was in flight is in doubt then, the guest is told, and what waits goes to the new one. Only when the
library gives up for good is there something to decide here: what waits has failed, and it is tried again when the guest
says something or comes back, and by itself while somebody waits for what the provider says (`_wait_to_try_again`).

A provider with a history has it read after every connect (`history`), and what the new connection says is held until
then, for half a second at most (`join_hold`). So two tasks have something to record, one after the other (`_order`).

A provider's ids are its own for one of its sessions only; from here on they carry a mark of that session (`_marked`),
so that a conversation that numbers its messages like the one before it loses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from random import Random, SystemRandom
from typing import TypeVar

import msgspec

from guestwire.client import Chat, connect
from guestwire.client.sessions import HistoryPage, read_history
from guestwire.client.tokens import TokenSource
from guestwire.errors import ERRORS, ChatError, Retry, SessionExpired, SessionGone
from guestwire.gateway.errors import upstream_problem
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.durable import until_kept
from guestwire.gateway.relay.handshakes import PacedTransport
from guestwire.gateway.relay.history import HistoryReader
from guestwire.gateway.relay.interface import BasicUpstream, FailPoint, SessionLink, Upstream, no_fail_point
from guestwire.gateway.relay.join_hold import HOLD_S, JoinHold
from guestwire.gateway.relay.outbox_pump import OutboxPump
from guestwire.gateway.relay.provider_line import Capabilities
from guestwire.gateway.relay.sealed import Seal
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
from guestwire.model.secret import Secret
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent
from guestwire.net.logs import get_logger
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.settings import ProviderSettings

__all__ = ["NEW_CONVERSATION", "GuestSessionUpstream", "GuestSessionUpstreams"]

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

LAST_READ_S = 2.0
"""At an end the history is read once more, for what was said meanwhile; the end waits for it no longer than this."""

_log = get_logger("guestwire.gateway")


def _count_nothing() -> None:
    pass


_T = TypeVar("_T")
_E = TypeVar("_E", bound=Event)


class GuestSessionUpstreams:
    """Makes the upstreams of one gateway (an `UpstreamFactory`); what they share is here."""

    def __init__(
        self,
        provider: ProviderSettings,
        *,
        transport: Transport,
        tokens: TokenSource,
        seal: Seal,
        clock: Clock,
        rng: Random | None = None,
        fail_point: FailPoint = no_fail_point,
        on_foreign: Callable[[], None] = _count_nothing,
        metrics: Metrics | None = None,
    ) -> None:
        """Take what they share.

        Args:
            provider: Where it is.
            transport: The network; WebSockets are opened at a limited rate.
            tokens: Access tokens for new provider sessions.
            seal: Seals and opens what the log keeps of a provider's session.
            clock: The time.
            rng: Randomness of back-offs.
            fail_point: See `FailPoint`.
            on_foreign: Called when a provider shows a message as the guest's that did not come through us.
            metrics: Counts connections, failures and messages.
        """
        self.provider = provider
        self.transport = PacedTransport(transport, clock)
        self.tokens = tokens
        self.seal = seal
        self.clock = clock
        self.rng = rng or SystemRandom()
        self.fail_point = fail_point
        self.on_foreign = on_foreign
        self.metrics = metrics or Metrics()

    def __call__(self, session: SessionLink) -> Upstream:
        """Return the upstream of one session."""
        return GuestSessionUpstream(session, self)


class GuestSessionUpstream(BasicUpstream):
    """See `interface.Upstream`."""

    def __init__(self, session: SessionLink, shared: GuestSessionUpstreams) -> None:
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
        self._history = HistoryReader(
            self._read_page,
            self._record,
            clock=shared.clock,
            rng=shared.rng,
            save=self._keep_place,
            on_read=self._pump.wake,
        )
        self._hold = JoinHold()
        self._hold_limit: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._order = asyncio.Lock()
        self._keeping = asyncio.Lock()
        self._capabilities = Capabilities()
        self._mark = ""
        self._has_met = bool(self._ref)
        self._provider_session: GuestSession | None = None
        self._chat: Chat | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._connected_at: float | None = None
        self._failure: str | None = None
        self._failures = 0
        self._refusal: ChatError | None = None

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
        self._open_ref()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._pump.run())
            end_limit = tasks.create_task(self._limit_end())
            try:
                await self._talk()
            finally:
                self._pump.stop()
                end_limit.cancel()
                if self._reading is not None:
                    self._reading.cancel()

    def _open_ref(self) -> None:
        seal, sid = self._shared.seal, self._session.sid
        if not self._ref:
            return
        session = seal.open(sid, self._ref)
        if session is None:
            _log.warning("a provider session could not be taken up; a new one is made")
        else:
            self._use(session, seal.place(sid, self._ref), doubts_before=seal.doubts_before(sid, self._ref))

    def _use(self, session: GuestSession, place: str | None, *, doubts_before: int) -> None:
        self._provider_session = session
        self._mark = bodies.provider_mark(session.session_id)
        can = self._capabilities = Capabilities.of(session.extensions)
        self._history.begin_at(place)
        shows_ids = can.echo or can.history
        self._pump.use(
            ByProvider(can, self._history, self._clock) if shows_ids else ByPong(),
            shows_ids=shows_ids,
            doubts_before=doubts_before,
        )

    async def _talk(self) -> None:
        while not self._is_over():
            error = await self._converse()
            if self._is_over():
                return
            if error is not None:
                await self._fail(error)
            if error is None or self._ending.is_set():
                # The provider has no `end`, or could not be told.
                await self._say(ConversationUpdated(status=ConversationStatus.ENDED, reason="guest-left"))
                return
            await self._wait_to_try_again()

    async def _fail(self, error: ChatError) -> None:
        """Let what waits fail; when nothing was said yet, tell the guest all the same."""
        code = _code(error)
        self._refusal = error if ERRORS[error.code].retry is Retry.NEW_SESSION else None
        self._knock.clear()  # what knocked so far fails with the rest
        was_asked = await self._kept(lambda: self._session.log.next_outgoing(self._session.sid)) is not None
        await self._pump.fail(code)
        if code == self._failure:
            return  # tried again by itself, in vain
        self._failure = code
        _log.warning("upstream failed", code=error.code, detail=error.message)
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

    async def _await_need(self) -> None:
        """Return when a new provider session is of use to anybody; the first one always is.

        In one that is made while the guest is away an agent would wait for a guest who never comes.

        Raises:
            ChatError: Sessions were refused, and nobody has asked since: a new one would be refused as well.
        """
        if not self._has_met:
            return
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        await self._pump.forsake()  # what was in flight is no reason
        while True:
            self._knock.clear()
            if await self._is_wanted():
                return
            await self._knock.wait()

    async def _is_wanted(self) -> bool:
        """Return whether anything waits for the provider, or anybody waits for what it says."""
        if not self._ending.is_set() and self._session.is_awaited(has_begun=self._has_met):
            return True
        return await self._kept(lambda: self._session.log.next_outgoing(self._session.sid)) is not None

    async def _converse(self) -> ChatError | None:
        """Talk until the connection is closed for good; return why it failed, if it did."""
        shared, details = self._shared, self._session.details
        chat = connect(
            shared.provider,
            name=details.name,
            email=details.email,
            external_contact_id=details.external_contact_id,
            tokens=_TokensInTime(shared.tokens, self._await_need),
            session=self._provider_session,
            keep_session=self._keep,
            most_unread=1,
            take_events=self._take_all,
            keeps_transcript=False,
            transport=shared.transport,
            clock=self._clock,
            rng=shared.rng,
        )
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
        # One that was refused is tried first the next time: that costs less than a new one, and may have been a whim.
        if isinstance(chat.session, GuestSession):
            self._provider_session = chat.session
        return chat.error

    async def _take_all(self, events: Sequence[Event]) -> None:
        messages = [event for event in events if isinstance(event, Message)]
        if len(messages) == len(events) and not self._hold.is_on:
            await self._record(messages)
            return
        for event in events:
            await self._take(event)

    async def _take(self, event: Event) -> None:
        match event:
            case StatusChanged():
                await self._release()
                if event.error is not None:
                    self._shared.metrics.upstream_failures.labels(event.error.code).inc()
                self._note_status(event.status)
            case ConversationUpdated() if event.status is ConversationStatus.ENDED:
                await self._release()
                if self._capabilities.history:
                    await self._within(LAST_READ_S, self._history.read())
                await self._say(event)
            case Message() | ConversationUpdated() if self._hold.is_on:
                if self._hold.put(self._marked(event)):
                    await self._release()
            case Message():
                await self._record([event])
            case ProviderError():
                if not self._pump.refused(event):
                    await self._say(self._pump.blamed(event))
            case UnknownEvent():
                _log.info("a provider's frame was not understood", reason=event.reason.value)
            case Receipt():
                pass  # of the client library's own outbox, which is not used
            case _:
                await self._say(event)

    def _note_status(self, status: ConnectionStatus) -> None:
        self._pump.line_changed()
        self._count_connection(is_open=status is ConnectionStatus.CONNECTED)
        if status is not ConnectionStatus.CONNECTED:
            self._history.disconnected()
            return
        self._has_met = True
        self._connected_at = self._clock.now()
        self._failure = self._refusal = None
        if self._capabilities.history:
            self._history.connected()
            self._hold.begin()
            self._read_and_limit_hold()

    def _count_connection(self, *, is_open: bool) -> None:
        self._shared.metrics.upstream_connections.inc(is_open - self._is_counted)
        self._is_counted = is_open

    # --- what is recorded ---------------------------------------------------------------------------------------------

    def _marked(self, event: _E) -> _E:
        if not isinstance(event, Message | ConversationUpdated) or event.id is None:
            return event
        return msgspec.structs.replace(event, id=f"{self._mark}:{event.id}")

    async def _record(self, messages: Sequence[Message]) -> None:
        # Marked before it waits for its turn: the provider's session may be another one by then.
        marked = [self._marked(message) for message in messages]
        async with self._order:
            await self._record_in_turn(marked)

    async def _record_in_turn(self, messages: Sequence[Message]) -> None:
        """Record what the log lacks: the guest's own messages are there already, as far as they came through us."""
        own = [message for message in messages if message.sender == "guest"]
        news = messages
        if own:
            foreign = await self._kept(lambda: self._pump.shown(own))
            for _ in foreign:
                _log.warning("the provider shows a guest's message that is not ours")
                self._shared.on_foreign()
            news = [each for each in messages if each.sender != "guest" or any(each is one for one in foreign)]
        if news:
            await self._kept(lambda: self._session.provider_said(news))

    async def _say(self, event: Event) -> None:
        marked = self._marked(event)
        async with self._order:
            await self._kept(lambda: self._session.provider_said([marked]))

    async def _release(self) -> None:
        if not self._hold.is_on:
            return
        events = self._hold.release()
        if self._hold_limit is not None and self._hold_limit is not asyncio.current_task():
            self._hold_limit.cancel()
        async with self._order:
            for is_message, run in groupby(events, key=lambda event: isinstance(event, Message)):
                if is_message:
                    await self._record_in_turn([event for event in run if isinstance(event, Message)])
                else:
                    await self._kept(partial(self._session.provider_said, [*run]))

    def _read_and_limit_hold(self) -> None:
        first_read = self._history.first_read

        async def limit() -> None:
            await wait_for(first_read, HOLD_S, self._clock)
            await self._release()

        assert self._tasks is not None, "_run() is not running"  # noqa: S101 - a bug of ours
        self._hold_limit = self._tasks.create_task(limit(), name="guestwire-join-hold")
        if self._reading is None:
            self._reading = self._tasks.create_task(self._history.run(), name="guestwire-history")

    # --- the provider's session ---------------------------------------------------------------------------------------

    async def _keep(self, provider_session: GuestSession) -> None:
        """Keep a new one before it is used; what was in flight in the old one is in doubt, and its guest is told."""
        session = self._session
        await self._pump.forsake()
        if self._has_met:
            await self._say(ConversationUpdated(status=ConversationStatus.WAITING, reason=NEW_CONVERSATION))
        # What is in doubt by now is of sessions before this one, whose provider can't tell.
        doubts_before = max((doubt.oseq for doubt in await session.log.doubtful(session.sid)), default=0) + 1
        async with self._keeping:
            ref = self._shared.seal.seal(session.sid, provider_session, doubts_before=doubts_before)
            await session.log.set_provider(session.sid, ref)
            self._ref = ref
            self._use(provider_session, None, doubts_before=doubts_before)

    async def _keep_place(self, place: str) -> None:
        session, provider_session = self._session, self._provider_session
        async with self._keeping:
            if provider_session is self._provider_session:
                ref = self._shared.seal.moved(session.sid, self._ref, place)
                await session.log.set_provider(session.sid, ref)
                self._ref = ref

    async def _read_page(self, after: str | None, limit: int) -> HistoryPage:
        session = self._provider_session
        if session is None:
            raise SessionExpired
        return await read_history(self._shared.transport, self._shared.provider, session, after=after, limit=limit)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return self._closing.is_set() or self._session.has_ended

    async def _limit_end(self) -> None:
        await self._ending.wait()
        await self._clock.sleep(END_S)
        self._knock.set()
        if self._chat is not None:
            await self._chat.aclose()

    def _kept(self, call: Callable[[], Awaitable[_T]]) -> Awaitable[_T]:
        return until_kept(call, clock=self._clock, delay_s=self._delay_s)

    async def _within(self, limit_s: float, what: Awaitable[object]) -> None:
        limit = asyncio.ensure_future(self._clock.sleep(limit_s))
        done = asyncio.ensure_future(what)
        try:
            await asyncio.wait({limit, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()
            done.cancel()


class _TokensInTime:
    """Access tokens (a `TokenSource`), given out when their time has come; a new session begins with one."""

    def __init__(self, tokens: TokenSource, its_time: Callable[[], Awaitable[None]]) -> None:
        self._tokens = tokens
        self._its_time = its_time

    async def access_token(self) -> Secret:
        await self._its_time()
        return await self._tokens.access_token()

    def invalidate(self, token: Secret) -> None:
        self._tokens.invalidate(token)


def _code(error: ChatError) -> str:
    # Our guest's session is well; it is the provider's that is not.
    return "upstream-auth-failed" if isinstance(error, SessionExpired) else upstream_problem(error).code
