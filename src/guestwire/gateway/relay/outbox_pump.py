"""The way of a guest's messages from the outbox to a provider that neither echoes nor shows a history.

Theory of operation. One message is in flight at a time (reliability 2.9), and so is one frame of any kind: what the
provider answers can then only be meant for that one. A message goes through these steps, each durable before the next:

    accepted ──mark──▶ sending ──write, pong, pong──▶ settled

- The first pong proves that the provider's edge has the message, since frames keep their order. The second one leaves
  the provider's application a round trip to refuse it: servers answer pings before their application has read what came
  before.
- A connection that was closed before the write took nothing: the message is accepted again and goes with the next one.
- A connection that broke after the write and before the second pong leaves a doubt that nobody can settle: the message
  is `unconfirmed`, and only its guest sends it again. The same goes for what a crash left in `sending`.
- A provider that echoes after all says more than a pong: what the guest is said to have said is what we sent (the
  session has no other writer), also when it was in doubt.

All of it happens in `run`, one step after the other; the other methods only leave notes for it and wake it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol, TypeVar

import msgspec

from guestwire.errors import (
    ERRORS,
    ChatError,
    ConnectionLost,
    ConversationEnded,
    LocalProtocolError,
    MessageRejected,
    NotWritten,
    Retry,
)
from guestwire.gateway.log import NewRecord, OutboxState, Outgoing
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.durable import until_kept
from guestwire.gateway.relay.interface import FailPoint, SessionLink, no_fail_point
from guestwire.gateway.relay.tokens import now_ms
from guestwire.model.content import ContentItem
from guestwire.model.events import Fate, Message, ProviderError
from guestwire.model.ids import ClientId
from guestwire.model.token_bucket import TokenBucket
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger

__all__ = ["OutboxPump", "ProviderLine"]

FRAMES_PER_S = 8.0
BURST_FRAMES = 6.0
"""Below what a provider allows (30 frames in 3 s): one over the limit would be refused."""

HOLD_S = 5.0
"""How long to wait when the provider says "later" and names no time."""

MOST_ECHOES = 20
"""So many of our messages can still be recognised when the provider says them back to us."""

_TOO_BIG = frozenset({1009, 4413})

_log = get_logger("guestwire.gateway")

_T = TypeVar("_T")


class ProviderLine(Protocol):
    """What the pump needs of a `client.Chat`; see there."""

    @property
    def is_open(self) -> bool:
        """Whether a connection is open and the conversation goes on."""

    @property
    def close_code(self) -> int:
        """Code of the last connection's close."""

    async def write(self, text: str, *, client_id: ClientId, content: tuple[ContentItem, ...] = ()) -> int:
        """Write a message to the connection that is open now, or not at all."""

    async def confirm(self, connection: int | None = None) -> None:
        """Return when the provider's edge has everything that was written so far."""

    async def typing(self) -> None:
        """Tell that the guest is typing."""

    async def end(self) -> None:
        """End the conversation."""


@dataclass(slots=True, eq=False)
class _Sent:
    """A message of ours that the provider may know of."""

    outgoing: Outgoing
    text: str
    is_open: bool = True
    """It is in flight or in doubt."""


@dataclass(frozen=True, slots=True)
class _Settlement:
    """What became of a message."""

    state: OutboxState
    code: str | None = None
    retry_s: float | None = None


_DELIVERED = _Settlement(OutboxState.DELIVERED)
_UNCONFIRMED = _Settlement(OutboxState.UNCONFIRMED)
_AGAIN = _Settlement(OutboxState.ACCEPTED)


class OutboxPump:
    """Sends what one session's outbox holds, in order and one at a time, and settles each message.

    Give it a line (`attach`) when there is one, tell it what the provider answers (`refused`, `echoed`), and `run` it.
    """

    def __init__(
        self, session: SessionLink, *, clock: Clock, rng: Random, fail_point: FailPoint = no_fail_point
    ) -> None:
        """Take whose outbox it is; nothing happens before `run`."""
        self._session = session
        self._outbox = session.log
        self._clock = clock
        self._delay_s = full_jitter(rng)
        self._fail_point = fail_point
        self._bucket = TokenBucket(rate=FRAMES_PER_S, burst=BURST_FRAMES)
        self._wake = asyncio.Event()
        self._line: ProviderLine | None = None
        self._in_flight: _Sent | None = None
        self._refusal: ProviderError | None = None
        self._is_telling = False
        self._sent: deque[_Sent] = deque(maxlen=MOST_ECHOES)
        self._wants_typing = False
        self._wants_end = False
        self._failure: str | None = None
        self._is_stopping = False
        self._is_empty = asyncio.Event()
        self.stopped = asyncio.Event()

    # --- notes for `run` ----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again: something was accepted, or the line's status changed."""
        self._wake.set()

    def attach(self, line: ProviderLine | None) -> None:
        """Use this line from now on, or none."""
        self._line = line
        self.wake()

    def typing(self) -> None:
        """Tell the provider, unless there is something better to tell."""
        self._wants_typing = True
        self.wake()

    def end(self) -> None:
        """End the conversation when the outbox is empty."""
        self._wants_end = True
        self.wake()

    async def fail(self, code: str) -> None:
        """Settle everything that waits as failed, because the provider can't be had, and return when that is done."""
        self._failure = code
        self._is_empty.clear()
        self.wake()
        await self._is_empty.wait()

    def stop(self) -> None:
        """Let `run` return as soon as nothing is in flight."""
        self._is_stopping = True
        self.wake()

    # --- what the provider answers ------------------------------------------------------------------------------------

    def refused(self, error: ProviderError) -> bool:
        """Take an error; return whether it is about what is in flight."""
        sent = self._in_flight
        if sent is not None and error.client_id in {None, sent.outgoing.client_id}:
            self._refusal = self._refusal or error
            return True
        return self._is_telling and error.client_id is None  # typing was refused, which nobody needs to know

    async def echoed(self, message: Message) -> bool:
        """Take what the guest is said to have said; return whether it is a message of ours.

        Raises:
            LogUnavailable: It could not be settled; say it again.
        """
        found = next((sent for sent in self._sent if sent.text == message.text), None)
        if found is None:
            return False
        if found is not self._in_flight and found.is_open:
            await self._outbox_settle(found.outgoing, _DELIVERED)
        found.is_open = False
        self._sent.remove(found)  # one message, one echo
        return True

    # --- the one who does it ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Pump until `stop`.

        Raises:
            SessionGone: The session was erased.
        """
        try:
            while not self._is_stopping:
                self._wake.clear()
                outgoing = await self._persist(lambda: self._outbox.next_outgoing(self._session.sid))
                if outgoing is None:
                    self._failure = None
                    self._is_empty.set()
                    await self._tell()
                    await self._wake.wait()
                else:
                    await self._advance(outgoing)
        finally:
            self._is_empty.set()
            self.stopped.set()

    async def _advance(self, outgoing: Outgoing) -> None:
        match outgoing.state:
            case OutboxState.SENDING:
                # A gateway before us had it in flight; here everything is settled before the next look.
                self._sent.append(_Sent(outgoing, bodies.read_outgoing(outgoing.body)[0]))
                await self._settle(outgoing, _UNCONFIRMED)
            case OutboxState.WAITING if self._failure is None:
                left_s = ((outgoing.retry_at_ms or 0) - now_ms(self._clock)) / 1000
                if left_s > 0:
                    await self._wait(left_s)
                else:
                    await self._settle(outgoing, _AGAIN)
            case OutboxState.ACCEPTED | OutboxState.WAITING if self._failure is not None:
                await self._settle(outgoing, _Settlement(OutboxState.FAILED, code=self._failure))
            case OutboxState.ACCEPTED:
                await self._send_in_turn(outgoing)
            case _:
                raise AssertionError(f"Expected an open message, got one that is {outgoing.state}.")

    async def _send_in_turn(self, outgoing: Outgoing) -> None:
        line = self._line
        if line is None or not line.is_open or self._session.has_ended:
            await self._wake.wait()
        elif (wait_s := self._bucket.take(self._clock.now())) > 0:
            await self._wait(wait_s)
        else:
            await self._send(line, outgoing)

    async def _send(self, line: ProviderLine, outgoing: Outgoing) -> None:
        text, content = bodies.read_outgoing(outgoing.body)
        self._fail_point("before-mark")
        try:
            await self._persist(
                lambda: self._outbox.mark_sending(self._session.sid, outgoing.oseq, now_ms(self._clock))
            )
        except LocalProtocolError:
            return  # the conversation ended meanwhile, which settled it
        self._fail_point("after-mark")
        sent = self._in_flight = _Sent(msgspec.structs.replace(outgoing, attempts=outgoing.attempts + 1), text)
        self._refusal = None
        self._sent.append(sent)
        try:
            settlement = await self._deliver(line, sent, content)
        finally:
            self._in_flight = None
        sent.is_open = settlement.state is OutboxState.UNCONFIRMED
        if settlement.state not in {OutboxState.UNCONFIRMED, OutboxState.DELIVERED} and sent in self._sent:
            self._sent.remove(sent)
        self._fail_point("before-settle")
        if settlement is _DELIVERED and self._session.has_ended:
            return  # the end was first: whether anybody still took the message is not known
        await self._settle(sent.outgoing, settlement)
        self._fail_point("after-settle")

    async def _deliver(self, line: ProviderLine, sent: _Sent, content: tuple[ContentItem, ...]) -> _Settlement:
        try:
            connection = await line.write(sent.text, client_id=sent.outgoing.client_id, content=content)
            self._fail_point("after-write")
            await line.confirm(connection)
            if self._refusal is None:
                await line.confirm(connection)
        except (NotWritten, ConversationEnded):
            return _AGAIN
        except MessageRejected as error:
            return _Settlement(OutboxState.FAILED, code=error.code)
        except ConnectionLost:
            if self._refusal is None:
                if not sent.is_open:
                    return _DELIVERED  # echoed
                if line.close_code in _TOO_BIG:
                    return _Settlement(OutboxState.FAILED, code="frame-too-big")
                return _UNCONFIRMED
        return _DELIVERED if self._refusal is None else self._judge(self._refusal, sent.outgoing.attempts)

    def _judge(self, error: ProviderError, attempts: int) -> _Settlement:
        info = ERRORS.get(error.code)
        if error.retry_after is not None or (info is not None and info.retry is Retry.LATER):
            hint_s = HOLD_S if error.retry_after is None else error.retry_after
            return _Settlement(OutboxState.WAITING, code=error.code, retry_s=max(hint_s, self._delay_s(attempts - 1)))
        return _Settlement(OutboxState.FAILED, code=error.code if info is not None else "bad-request")

    async def _tell(self) -> None:
        """Tell what is no message: that the guest types, or ends the conversation."""
        line = self._line
        if line is None or not line.is_open or self._session.has_ended:
            self._wants_typing = False  # nobody wants to know later
            return
        if self._wants_end:
            self._wants_end = False
            await line.end()
            return
        wants_typing, self._wants_typing = self._wants_typing, False
        if not wants_typing or self._bucket.take(self._clock.now()) > 0:
            return
        self._is_telling = True
        try:
            await line.typing()
            await line.confirm()
            await line.confirm()
        except ChatError:
            pass  # volatile
        finally:
            self._is_telling = False

    # --- the log ------------------------------------------------------------------------------------------------------

    async def _settle(self, outgoing: Outgoing, settlement: _Settlement) -> None:
        await self._persist(lambda: self._outbox_settle(outgoing, settlement))

    async def _outbox_settle(self, outgoing: Outgoing, settlement: _Settlement) -> None:
        retry_ms = None if settlement.retry_s is None else int(settlement.retry_s * 1000)
        try:
            await self._outbox.settle(
                self._session.sid,
                outgoing.oseq,
                settlement.state,
                record=self._receipt(outgoing, settlement),
                retry_at_ms=None if retry_ms is None else now_ms(self._clock) + retry_ms,
                code=settlement.code,
            )
        except LocalProtocolError:
            # The conversation ended meanwhile and settled it; its word stands.
            _log.info("settled already", state=settlement.state.value)

    def _receipt(self, outgoing: Outgoing, settlement: _Settlement) -> NewRecord | None:
        fate = _FATES.get(settlement.state)
        if fate is None:
            return None
        return bodies.receipt(
            self._session.sid,
            outgoing.client_id,
            outgoing.message_seq,
            fate,
            retry_after=settlement.retry_s,
            code=settlement.code if fate is Fate.FAILED else None,
        )

    async def _persist(self, call: Callable[[], Awaitable[_T]]) -> _T:
        return await until_kept(call, clock=self._clock, delay_s=self._delay_s)

    async def _wait(self, seconds: float) -> None:
        """Wait until something happens, at most so long."""
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        wake = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({timer, wake}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            wake.cancel()


_FATES = {
    OutboxState.DELIVERED: Fate.DELIVERED,
    OutboxState.FAILED: Fate.FAILED,
    OutboxState.UNCONFIRMED: Fate.UNCONFIRMED,
    OutboxState.WAITING: Fate.WAITING,
}
