"""The way of a guest's messages from the outbox to the provider.

Theory of operation. One message is in flight at a time (reliability 2.9), and so is one frame of any kind: what the
provider answers can then only be meant for that one. A message goes through these steps, each durable before the next:

    accepted ──mark──▶ sending ──write──▶ settled

- A connection that was closed before the write took nothing: the message is accepted again and goes with the next one.
- What the provider shows as said by the guest is what we sent, as the session has no other writer: it is delivered,
  also when it was in doubt. Which message it is tell our client id, where the provider repeats it, or the words.
- How it is found out what became of a message after the write depends on what the provider can do: see `settling`.

All of it happens in `run`, one step after the other; the other methods only leave notes for it and wake it. What the
provider shows is the exception: it is settled there and then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
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
    RateLimited,
    Retry,
)
from guestwire.gateway.log import NewRecord, OutboxState, Outgoing, SessionLog
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.durable import until_kept
from guestwire.gateway.relay.interface import FailPoint, no_fail_point
from guestwire.gateway.relay.provider_line import ProviderLine
from guestwire.gateway.relay.settling import AGAIN, DELIVERED, ByPong, Flight, Settlement, Settling
from guestwire.gateway.relay.tokens import now_ms
from guestwire.gateway.relay.waits import wait_for
from guestwire.model.content import ContentItem
from guestwire.model.events import Fate, Message, ProviderError
from guestwire.model.ids import SessionId
from guestwire.model.token_bucket import TokenBucket
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent
from guestwire.net.logs import get_logger
from guestwire.protocols.guest_session.client import LONGEST_HINT_S
from guestwire.protocols.guest_session.wire import MessageFrame

__all__ = ["OutboxPump", "PumpedSession"]

FRAMES_PER_S = 8.0
BURST_FRAMES = 6.0
"""Below what a provider allows (30 frames in 3 s): one over the limit would be refused."""

MESSAGES_PER_S = 1.0
BURST_MESSAGES = 10.0
"""What a guest says, in all tabs together: 60 messages a minute (reliability T-22). More waits in the outbox."""

HOLD_S = 5.0
"""How long to wait when the provider says "later" and names no time."""

LATE_S = 2.0
"""An error that names no message and comes so soon after one was delivered is about that one."""

STALE_S = 2.5
"""A mark that took so long to become durable is too old to begin the wait for an echo: it is made again."""

MOST_TROUBLES = 3
"""A message on which the provider fails so often has failed."""

MOST_ECHOES = 20
"""So many of our messages can still be recognised by their words."""

_TROUBLES = frozenset({"provider-error", "timed-out"})
"""The provider itself does not know what became of it; where it shows what it has, it is asked."""

_MOST_IDS = 200

_log = get_logger("guestwire.gateway")

_T = TypeVar("_T")


class PumpedSession(Protocol):
    """What the pump needs of an `interface.SessionLink`; see there."""

    @property
    def sid(self) -> SessionId:
        """Whose outbox it is."""

    @property
    def log(self) -> SessionLog:
        """Where the outbox is."""

    @property
    def has_ended(self) -> bool:
        """Whether the conversation is over."""


class OutboxPump:
    """Sends what one session's outbox holds, in order and one at a time, and settles each message.

    Give it a line (`attach`) when there is one, tell it what the provider answers (`refused`, `shown`), and `run` it.
    """

    def __init__(
        self,
        session: PumpedSession,
        *,
        clock: Clock,
        rng: Random,
        fail_point: FailPoint = no_fail_point,
        on_settled: Callable[[str], None] = lambda state: None,  # noqa: ARG005
    ) -> None:
        """Take whose outbox it is, and whom to tell each new state of a message; nothing happens before `run`."""
        self._session = session
        self._outbox = session.log
        self._sid = session.sid
        self._clock = clock
        self._delay_s = full_jitter(rng)
        self._fail_point = fail_point
        self._on_settled = on_settled
        self._bucket = TokenBucket(rate=FRAMES_PER_S, burst=BURST_FRAMES)
        self._messages = TokenBucket(rate=MESSAGES_PER_S, burst=BURST_MESSAGES)
        self._wake = LightEvent()
        self._settling: Settling = ByPong()
        self._shows_ids = False
        self._names_refused = False
        self._doubts_before = 0
        self._line: ProviderLine | None = None
        self._flight: Flight | None = None
        self._is_in_flight = False
        self._is_telling = False
        self._flown: deque[Flight] = deque(maxlen=MOST_ECHOES)
        self._shown_ids: deque[str] = deque(maxlen=_MOST_IDS)
        self._last: tuple[Flight, float] | None = None
        self._wants_typing = False
        self._wants_end = False
        self._failure: str | None = None
        self._is_forsaken = False
        self._is_stopping = False
        self._has_looked = LightEvent()
        self._is_empty = LightEvent()
        self._is_calm = LightEvent()
        self.stopped = LightEvent()

    # --- what a way of settling sees ----------------------------------------------------------------------------------

    @property
    def line(self) -> ProviderLine | None:
        """See `Surroundings.line`."""
        return self._line

    @property
    def is_stopping(self) -> bool:
        """See `Surroundings.is_stopping`."""
        return self._is_stopping

    @property
    def is_forsaken(self) -> bool:
        """See `Surroundings.is_forsaken`."""
        return self._is_forsaken or self._failure is not None

    async def wait(self, seconds: float | None) -> None:
        """Wait until something happens, at most so long."""
        await wait_for(self._wake, seconds, self._clock)
        self._wake.clear()

    # --- notes for `run` ----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again: something was accepted, or read."""
        self._wake.set()

    def line_changed(self) -> None:
        """Look again: the line's connection was opened or lost."""
        self._last = None
        self._wake.set()

    def attach(self, line: ProviderLine | None) -> None:
        """Use this line from now on, or none."""
        self._line = line
        self.line_changed()

    def use(self, settling: Settling, *, shows_ids: bool, names_refused: bool = False, doubts_before: int = 0) -> None:
        """Settle in this way what is sent from now on; call it between provider sessions (`forsake`), or before `run`.

        Args:
            settling: The way.
            shows_ids: What the provider shows carries ids of its own.
            names_refused: See `Way.names_refused`.
            doubts_before: What is in doubt below this `oseq` stays so: it was sent in another provider session.
        """
        self._settling = settling
        self._shows_ids = shows_ids
        self._names_refused = names_refused
        self._doubts_before = doubts_before
        self._flown.clear()

    async def forsake(self) -> None:
        """Settle what is in flight as in doubt, because its provider session is gone; return when that is done."""
        if self.stopped.is_set():
            return
        self.let_go()
        await self._is_calm.wait()

    def let_go(self) -> None:
        """Begin to forsake what is in flight."""
        self._is_forsaken = True
        self._is_calm.clear()
        self._wake.set()

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
        flight = self._flight
        if error.client_id is None and self._names_refused:
            return False
        if flight is not None and self._is_in_flight and error.client_id in {None, flight.outgoing.client_id}:
            if self._shows_ids and error.code in _TROUBLES:
                flight.trouble = flight.trouble or error
            else:
                flight.refusal = flight.refusal or error
            self._wake.set()
            return True
        return self._is_telling and error.client_id is None  # typing was refused, which nobody needs to know

    def blamed(self, error: ProviderError) -> ProviderError:
        """Return an error that is not about what is in flight, with the message named that it is probably about.

        That is one whose pongs were quicker than the provider's refusal. It stays delivered (nobody is told first that
        a message has arrived and then that it has not), but the guest sees the error, and at which message.
        """
        if self._last is None:
            return error
        flight, at = self._last
        client_id = flight.outgoing.client_id
        if error.client_id not in {None, client_id} or self._clock.now() - at > LATE_S:
            return error
        _log.warning("refused after its pongs", code=error.code)
        return msgspec.structs.replace(error, client_id=client_id)

    async def shown(self, messages: Sequence[Message]) -> list[Message]:
        """Take what the guest is said to have said, in order; return what is neither ours nor known.

        Raises:
            LogUnavailable: It could not be settled; say it again.
        """
        await self._has_looked.wait()  # a gateway before us may have left one in flight
        foreign: list[Message] = []
        unknown: list[Message] = []
        for message in messages:
            flight = self._flight
            if message.id is None or not self._shows_ids:
                if not await self._recognised(message):
                    foreign.append(message)
            elif message.id in self._shown_ids:
                pass
            elif flight is not None and flight.shown_as is None and message.client_id == flight.outgoing.client_id:
                await self._show(flight, message)
            else:
                unknown.append(message)
        if unknown:
            known = await self._outbox.known_ids(
                self._sid, [message.id for message in unknown if message.id is not None]
            )
            foreign += await self._find([message for message in unknown if message.id not in known])
        return foreign

    async def _recognised(self, message: Message) -> bool:
        """Take what has no id: words that we sent; each message is recognised once."""
        found = next((flight for flight in self._flown if flight.text == message.text), None)
        if found is None:
            return False
        await self._show(found, message)
        self._flown.remove(found)
        return True

    async def _find(self, messages: Sequence[Message]) -> list[Message]:
        """Take what the log does not know; return what is not ours."""
        left: list[Message] = []
        for message in messages:
            flight = self._flight
            if flight is not None and flight.shown_as is None and _is_same(message, flight.outgoing, flight.text):
                await self._show(flight, message)
            elif not await self._ends_doubt(message):
                left.append(message)
        flight = self._flight
        if len(left) == 1 and flight is not None and self._is_in_flight and flight.shown_as is None:
            (message,) = left
            # Some providers change the words. Words that we have sent before are a second copy of that message.
            if message.client_id is None and not await self._was_said(message.text):
                await self._show(flight, message)
                return []
        return left

    async def _ends_doubt(self, message: Message) -> bool:
        for doubt in await self._outbox.doubtful(self._sid):
            is_of_now = doubt.oseq >= self._doubts_before
            if is_of_now and _is_same(message, doubt, bodies.read_outgoing(doubt.body)[0]):
                await self._settle_as_shown(doubt, message)
                return True
        return False

    async def _was_said(self, text: str) -> bool:
        """Return whether the guest has said exactly this in any message of the log."""
        sid = self._sid
        after = (await self._outbox.head(sid)).floor
        while (page := await self._outbox.read(sid, after)) is not None and page.records:
            for record in page.records:
                if record.kind == "message":
                    frame = msgspec.json.decode(record.body, type=MessageFrame)
                    if frame.sender == "guest" and frame.text == text:
                        return True
            after = page.records[-1].seq
        return False

    async def _show(self, flight: Flight, message: Message) -> None:
        await self._settle_as_shown(flight.outgoing, message)
        flight.shown_as = message
        self._wake.set()

    async def _settle_as_shown(self, outgoing: Outgoing, message: Message) -> None:
        self._fail_point("before-settle")
        await self._outbox_settle(outgoing, Settlement(OutboxState.DELIVERED, shown_as=message))
        self._fail_point("after-settle")
        if message.id is not None:
            self._shown_ids.append(message.id)

    # --- the one who does it ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Pump until `stop`.

        Raises:
            SessionGone: The session was erased.
        """
        try:
            while not self._is_stopping:
                self._wake.clear()
                outgoing = await self._persist(lambda: self._outbox.next_outgoing(self._sid))
                if outgoing is not None and outgoing.attempts and not self._has_looked.is_set():
                    self._flight = self._found(outgoing)
                self._has_looked.set()
                if outgoing is None or outgoing.state is not OutboxState.SENDING:
                    self._is_forsaken = False
                    self._is_calm.set()
                if outgoing is None:
                    self._failure = None
                    self._is_empty.set()
                    await self._tell()
                    await self._wake.wait()
                else:
                    await self._advance(outgoing)
        finally:
            self._is_empty.set()
            self._is_calm.set()
            self._has_looked.set()
            self.stopped.set()

    async def _advance(self, outgoing: Outgoing) -> None:
        match outgoing.state:
            case OutboxState.SENDING:
                await self._take_up(outgoing)
            case OutboxState.WAITING if self._failure is None:
                left_s = ((outgoing.retry_at_ms or 0) - now_ms(self._clock)) / 1000
                if left_s > 0:
                    await self.wait(left_s)
                else:
                    await self._settle(outgoing, AGAIN)
            case OutboxState.ACCEPTED | OutboxState.WAITING if self._failure is not None:
                await self._settle(outgoing, Settlement(OutboxState.FAILED, code=self._failure))
            case OutboxState.ACCEPTED:
                await self._send_in_turn(outgoing)
            case _:
                raise AssertionError(f"Expected an open message, got one that is {outgoing.state}.")

    async def _take_up(self, outgoing: Outgoing) -> None:
        """Settle what a gateway before us had in flight; here everything is settled before the next look."""
        flight = self._flight
        if flight is None or flight.outgoing.oseq != outgoing.oseq:
            flight = self._found(outgoing)
        await self._fly(flight, lambda: self._settling.settle(flight, self))

    def _found(self, outgoing: Outgoing) -> Flight:
        """Return what a gateway before us has sent, or was about to."""
        # Its age counts from the mark, however often gateways came and went since; a clock that was set back is no age.
        age_s = (now_ms(self._clock) - (outgoing.sent_at_ms or 0)) / 1000
        return Flight(outgoing, bodies.read_outgoing(outgoing.body)[0], self._clock.now() - max(0.0, age_s))

    async def _send_in_turn(self, outgoing: Outgoing) -> None:
        line = self._line
        if line is None or not line.is_open or self._session.has_ended:
            await self._wake.wait()
        elif (wait_s := self._wait_for_turn_s(line)) > 0:
            await self.wait(wait_s)
        else:
            await self._send(line, outgoing)

    def _wait_for_turn_s(self, line: ProviderLine) -> float:
        # The quick one first: what it gives and the slow one then refuses is back in a moment.
        now = self._clock.now()
        return line.send_wait_s() or self._bucket.take(now) or self._messages.take(now)

    async def _send(self, line: ProviderLine, outgoing: Outgoing) -> None:
        text, content = bodies.read_outgoing(outgoing.body)
        self._fail_point("before-mark")
        flight = Flight(msgspec.structs.replace(outgoing, attempts=outgoing.attempts + 1), text, self._clock.now())

        async def mark() -> None:
            flight.sent_at = self._clock.now()
            await self._outbox.mark_sending(self._sid, outgoing.oseq, now_ms(self._clock))

        self._flight = flight  # from now on: a copy that was sent before may still be shown
        try:
            await self._persist(mark)
        except LocalProtocolError:
            return  # the conversation ended meanwhile, or it was shown: that has settled it
        self._fail_point("after-mark")
        if flight.shown_as is None:
            await self._fly(flight, lambda: self._deliver(line, flight, content))

    async def _fly(self, flight: Flight, settle: Callable[[], Awaitable[Settlement | None]]) -> None:
        self._flight = flight
        self._is_in_flight = True
        self._flown.append(flight)
        try:
            settlement = await settle()
        finally:
            self._is_in_flight = False
        if flight.shown_as is not None:
            return  # that has settled it
        if flight.refusal is not None:
            settlement = self._judge(flight.refusal, flight.outgoing.attempts)
        elif flight.trouble is not None and settlement is AGAIN:
            settlement = self._after_trouble(flight.trouble, flight.outgoing.attempts)
        if settlement is None:
            return  # left to the gateway after us
        if settlement.state not in {OutboxState.UNCONFIRMED, OutboxState.DELIVERED} and flight in self._flown:
            self._flown.remove(flight)
        self._fail_point("before-settle")
        if settlement is DELIVERED and self._session.has_ended:
            return  # the end was first: whether anybody still took the message is not known
        await self._settle(flight.outgoing, settlement)
        if settlement is DELIVERED:
            self._last = (flight, self._clock.now())
        self._fail_point("after-settle")

    async def _deliver(self, line: ProviderLine, flight: Flight, content: tuple[ContentItem, ...]) -> Settlement | None:
        if self._clock.now() - flight.sent_at > STALE_S:
            return AGAIN
        self._last = None
        try:
            outgoing = flight.outgoing
            flight.connection = await line.write(
                flight.text,
                client_id=outgoing.client_id,
                content=content,
                in_reply_to=bodies.in_reply_to(outgoing.body),
            )
            flight.line = line
            self._fail_point("after-write")
        except (NotWritten, ConversationEnded, RateLimited):
            return AGAIN
        except MessageRejected as error:
            return Settlement(OutboxState.FAILED, code=error.code)
        except ConnectionLost:
            flight.line = line
            flight.note_loss()
        return await self._settling.settle(flight, self)

    def _judge(self, error: ProviderError, attempts: int) -> Settlement:
        if error.code == "attributes-too-large":
            return AGAIN  # the words are worth more than what was told with them, and go without from now on
        info = ERRORS.get(error.code)
        if error.retry_after is not None or (info is not None and info.retry is Retry.LATER):
            hint_s = HOLD_S if error.retry_after is None else min(error.retry_after, LONGEST_HINT_S)
            return Settlement(OutboxState.WAITING, code=error.code, retry_s=max(hint_s, self._delay_s(attempts - 1)))
        return Settlement(OutboxState.FAILED, code=error.code if info is not None else "bad-request")

    def _after_trouble(self, trouble: ProviderError, attempts: int) -> Settlement:
        """Return what to make of a message on which the provider failed, and which it does not have."""
        if attempts >= MOST_TROUBLES:
            return Settlement(OutboxState.FAILED, code=trouble.code)
        return Settlement(OutboxState.WAITING, code=trouble.code, retry_s=HOLD_S)

    async def _tell(self) -> None:
        """Tell what is no message: that the guest types, or ends the conversation."""
        line = self._line
        if line is not None and self._wants_end and not self._session.has_ended:
            # Also when the connection is still to be opened: a session that is refused then is not made anew.
            self._wants_end = False
            await line.end()
            return
        if line is None or not line.is_open or self._session.has_ended:
            self._wants_typing = False  # nobody wants to know later
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

    async def _settle(self, outgoing: Outgoing, settlement: Settlement) -> None:
        await self._persist(lambda: self._outbox_settle(outgoing, settlement))

    async def _outbox_settle(self, outgoing: Outgoing, settlement: Settlement) -> None:
        retry_ms = None if settlement.retry_s is None else int(settlement.retry_s * 1000)
        try:
            seq = await self._outbox.settle(
                self._sid,
                outgoing.oseq,
                settlement.state,
                record=self._receipt(outgoing, settlement),
                retry_at_ms=None if retry_ms is None else now_ms(self._clock) + retry_ms,
                code=settlement.code,
                provider_id=None if settlement.shown_as is None else settlement.shown_as.id,
            )
        except LocalProtocolError:
            # The conversation ended meanwhile and settled it; its word stands.
            _log.info("settled already", state=settlement.state.value)
        else:
            if seq is not None:
                self._on_settled(settlement.state.value)

    def _receipt(self, outgoing: Outgoing, settlement: Settlement) -> NewRecord | None:
        fate = _FATES.get(settlement.state)
        if fate is None:
            return None
        return bodies.receipt(
            self._sid,
            outgoing.client_id,
            outgoing.message_seq,
            fate,
            retry_after=settlement.retry_s,
            code=settlement.code if fate is Fate.FAILED else None,
            order_key=_order_key(settlement.shown_as),
        )

    def _persist(self, call: Callable[[], Awaitable[_T]]) -> Awaitable[_T]:
        return until_kept(call, clock=self._clock, delay_s=self._delay_s)


def _is_same(message: Message, outgoing: Outgoing, text: str) -> bool:
    """Return whether the provider shows this message of ours: by its client id, else by its words."""
    if message.client_id is not None:
        return message.client_id == outgoing.client_id
    return message.text.split() == text.split()


def _order_key(shown_as: Message | None) -> str | None:
    if shown_as is None or shown_as.id is None or shown_as.sent_at is None:
        return None
    return bodies.order_key(shown_as.sent_at, shown_as.id)


_FATES = {
    OutboxState.DELIVERED: Fate.DELIVERED,
    OutboxState.FAILED: Fate.FAILED,
    OutboxState.UNCONFIRMED: Fate.UNCONFIRMED,
    OutboxState.WAITING: Fate.WAITING,
}
