"""One session's way to a provider that speaks guest-session, by the client library.

Theory of operation. Two tasks for each session that is in use: the *talk* reads what happens, one event at a time, and
does not ask for the next before the session has made this one durable (`most_unread=1`: nor is the next frame read from
the socket). The *pump* (`outbox_pump`) sends. The provider's session is kept, sealed, before it is used, so that a
gateway after us goes on with the same one.

The client library connects, comes back after a loss, and makes a new provider session, once, when the old one is
refused. Only when it gives up for good is there something to decide here: what waits has failed, and the next message
of the guest is the next attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom
from typing import TypeVar

from guestwire.client.chat import Chat, connect
from guestwire.client.tokens import TokenSource
from guestwire.errors import ChatError, SessionExpired, SessionGone
from guestwire.gateway.errors import upstream_problem
from guestwire.gateway.relay.durable import until_kept
from guestwire.gateway.relay.handshakes import PacedTransport
from guestwire.gateway.relay.interface import FailPoint, SessionLink, Upstream, no_fail_point
from guestwire.gateway.relay.outbox_pump import OutboxPump
from guestwire.gateway.relay.sealed import Seal
from guestwire.model.events import (
    ConversationStatus,
    ConversationUpdated,
    Event,
    Message,
    ProviderError,
    Receipt,
    StatusChanged,
    UnknownEvent,
)
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.settings import ProviderSettings

__all__ = ["GuestSessionUpstream", "GuestSessionUpstreams"]

SETTLE_S = 5.0
"""When we stop, what is in flight gets so long to be settled (reliability F21), …"""

CLOSE_S = 3.0
"""… and the connection so long to be closed."""

END_S = 10.0
"""A provider that does not take the guest's `end` in this time is not asked any longer; the guest has left."""

_log = get_logger("guestwire.gateway")

_T = TypeVar("_T")


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
        """
        self.provider = provider
        self.transport = PacedTransport(transport, clock)
        self.tokens = tokens
        self.seal = seal
        self.clock = clock
        self.rng = rng or SystemRandom()
        self.fail_point = fail_point

    def __call__(self, session: SessionLink) -> Upstream:
        """Return the upstream of one session."""
        return GuestSessionUpstream(session, self)


class GuestSessionUpstream:
    """See `interface.Upstream`."""

    def __init__(self, session: SessionLink, shared: GuestSessionUpstreams) -> None:
        """Prepare; nothing happens before `start`."""
        self._session = session
        self._shared = shared
        self._clock = shared.clock
        self._delay_s = full_jitter(shared.rng)
        self._pump = OutboxPump(session, clock=shared.clock, rng=shared.rng, fail_point=shared.fail_point)
        self._provider_session: GuestSession | None = None
        self._chat: Chat | None = None
        self._task: asyncio.Task[None] | None = None
        self._knock = asyncio.Event()
        self._ending = asyncio.Event()
        self._is_closing = False

    # --- what the session asks for ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect, and to settle and send what is in the outbox."""
        if self._task is None and not self._is_closing:
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
        self._is_closing = True
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
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump.run())
                end_limit = tasks.create_task(self._limit_end())
                await self._talk()
                self._pump.stop()
                end_limit.cancel()
        except* SessionGone:
            pass  # erased: there is nobody to talk for
        except* Exception:  # noqa: BLE001 - the root of a task
            _log.exception("an upstream failed")

    async def _talk(self) -> None:
        shared, session = self._shared, self._session
        if session.provider_ref:
            self._provider_session = shared.seal.open(session.sid, session.provider_ref)
            if self._provider_session is None:
                _log.warning("a provider session could not be taken up; a new one is made")
        while not self._is_over():
            error = await self._converse()
            if self._is_over():
                return
            if error is not None:
                _log.warning("upstream failed", code=error.code, detail=error.message)
                self._knock.clear()  # what knocked so far fails with the rest
                await self._pump.fail(_code(error))
            if error is None or self._ending.is_set():
                # The provider has no `end`, or could not be told.
                await self._say(ConversationUpdated(status=ConversationStatus.ENDED, reason="guest-left"))
                return
            await self._knock.wait()

    async def _converse(self) -> ChatError | None:
        """Talk until the connection is closed for good; return why it failed, if it did."""
        shared, details = self._shared, self._session.details
        chat = connect(
            shared.provider,
            name=details.name,
            email=details.email,
            external_contact_id=details.external_contact_id,
            tokens=shared.tokens,
            session=self._provider_session,
            keep_session=self._keep,
            most_unread=1,
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
            finally:
                self._pump.attach(None)
                self._chat = None
        self._provider_session = chat.session
        return chat.error

    async def _take(self, event: Event) -> None:
        match event:
            case StatusChanged():
                self._pump.wake()
            case Message() if event.sender == "guest" and await self._kept(lambda: self._pump.echoed(event)):
                pass
            case ProviderError() if self._pump.refused(event):
                pass
            case UnknownEvent():
                _log.info("a provider's frame was not understood", reason=event.reason.value)
            case Receipt():
                pass  # of the client library's own outbox, which is not used
            case _:
                await self._say(event)

    async def _say(self, event: Event) -> None:
        await self._kept(lambda: self._session.provider_said([event]))

    async def _keep(self, provider_session: GuestSession) -> None:
        session = self._session
        await session.log.set_provider(session.sid, self._shared.seal.seal(session.sid, provider_session))

    def _is_over(self) -> bool:
        return self._is_closing or self._session.has_ended

    async def _limit_end(self) -> None:
        await self._ending.wait()
        await self._clock.sleep(END_S)
        self._knock.set()
        if self._chat is not None:
            await self._chat.aclose()

    async def _kept(self, call: Callable[[], Awaitable[_T]]) -> _T:
        return await until_kept(call, clock=self._clock, delay_s=self._delay_s)

    async def _within(self, limit_s: float, what: Awaitable[object]) -> None:
        limit = asyncio.ensure_future(self._clock.sleep(limit_s))
        done = asyncio.ensure_future(what)
        try:
            await asyncio.wait({limit, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()
            done.cancel()


def _code(error: ChatError) -> str:
    # Our guest's session is well; it is the provider's that is not.
    return "upstream-auth-failed" if isinstance(error, SessionExpired) else upstream_problem(error).code
