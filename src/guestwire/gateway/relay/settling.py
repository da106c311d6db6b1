"""How it is found out what became of a message that was written to the provider: one class per way.

Theory of operation. While a message is in flight nothing else is sent, so the question is always about one message
(reliability 2.9). Notes about it arrive in its `Flight`: the provider shows it, or refuses it. A way of settling waits
for these notes, asks where it can, and says what to make of it when nothing comes.

- `ByPong`, for providers that neither echo nor keep a history: the pong to a ping after the message proves that the
  provider's edge has it, since frames keep their order; a second one leaves its application a round trip to refuse.
  What a drop or a crash leaves in doubt stays in doubt.
- `ByProvider`, for the others: the message is delivered when the provider shows it, on the socket or in its history.
  What neither shows in `SETTLE_S` is sent again, but only where it may never have arrived: not when the pongs have
  proved that it did. So a history that lags for longer can double a message after a drop or a crash, once, and never
  while the connection holds.

Source: reliability 2.9, 2.10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from guestwire.errors import ConnectionLost
from guestwire.gateway.log import OutboxState, Outgoing
from guestwire.gateway.relay.provider_line import ProviderLine, Way
from guestwire.model.events import Message, ProviderError
from guestwire.net.clock import Clock

__all__ = [
    "AGAIN",
    "DELIVERED",
    "SETTLE_S",
    "UNCONFIRMED",
    "ByPong",
    "ByProvider",
    "Flight",
    "HistoryReads",
    "Settlement",
    "Settling",
    "Surroundings",
]

SETTLE_S = 5.0
"""A provider that has a message shows it in this time."""

ECHO_S = 1.5
"""An echo that is later than this was probably lost: the history is asked."""

READS_APART_S = 1.0
"""Two reads of the history this far apart, on the connection of now, must miss a message before it is sent again."""

_TOO_BIG = frozenset({1009, 4413})


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a message.

    Attributes:
        shown_as: What the provider shows of it.
        retry_s: With `waiting`.
    """

    state: OutboxState
    code: str | None = None
    retry_s: float | None = None
    shown_as: Message | None = None


DELIVERED = Settlement(OutboxState.DELIVERED)
UNCONFIRMED = Settlement(OutboxState.UNCONFIRMED)
AGAIN = Settlement(OutboxState.ACCEPTED)


@dataclass(slots=True, eq=False)
class Flight:
    """A message that the provider may have.

    Attributes:
        sent_at: When it was marked as being sent, in monotonic seconds of this process.
        line: What it was written to; None: a gateway before us wrote it, or nobody did.
        connection: Which connection of `line`.
        is_at_edge: The provider's edge has it.
        refusal: Why the provider does not take it.
        trouble: The provider failed on it, and perhaps took it.
        shown_as: What the provider shows of it.
    """

    outgoing: Outgoing
    text: str
    sent_at: float
    line: ProviderLine | None = None
    connection: int | None = None
    is_at_edge: bool = False
    refusal: ProviderError | None = None
    trouble: ProviderError | None = None
    shown_as: Message | None = None

    @property
    def is_undecided(self) -> bool:
        """Whether the provider has said nothing of it."""
        return self.refusal is None and self.shown_as is None

    def note_loss(self) -> None:
        """Take note that its connection was lost: a close because of its size has refused it."""
        if self.is_undecided and self.line is not None and self.line.close_code in _TOO_BIG:
            self.refusal = ProviderError(code="frame-too-big")

    async def reach_edge(self) -> None:
        """Find out whether the provider's edge has it: two pongs later, or the connection lost, that is known."""
        if self.line is None or self.connection is None:
            return
        try:
            await self.line.confirm(self.connection)
            if self.is_undecided:
                await self.line.confirm(self.connection)
            self.is_at_edge = True
        except ConnectionLost:
            self.note_loss()


class Surroundings(Protocol):
    """What a way of settling sees of the pump."""

    @property
    def line(self) -> ProviderLine | None:
        """The line of now."""

    @property
    def is_stopping(self) -> bool:
        """Whether the gateway goes away; the next one settles what is left."""

    @property
    def is_forsaken(self) -> bool:
        """Whether the provider's session is gone, and with it everybody who could tell."""

    async def wait(self, seconds: float | None) -> None:
        """Wait until something has changed, at most so long."""


class HistoryReads(Protocol):
    """What was read of the provider's history since the connection was opened, in monotonic seconds."""

    @property
    def is_connected(self) -> bool:
        """Whether the reader knows of the connection; the news of it is a change that wakes."""

    @property
    def connected_at(self) -> float:
        """When the connection was opened."""

    @property
    def first_at(self) -> float | None:
        """When the first read began that has succeeded."""

    @property
    def last_at(self) -> float | None:
        """When the last one began."""

    @property
    def is_reading(self) -> bool:
        """Whether a read goes on, or is tried again after a failure; its end is a change that wakes."""

    def ask(self) -> None:
        """Read it now."""

    def ask_later(self) -> None:
        """Read it a few times more, in the next minutes: something is in doubt that it may still show."""


class Settling(Protocol):
    """A way to settle."""

    async def settle(self, flight: Flight, around: Surroundings) -> Settlement | None:
        """Return what to make of a message, as soon as that is known or the provider has said something of it.

        Returns:
            None: look into `flight`; when that is undecided, too, the gateway stops and the next one settles it.
        """


class ByPong:
    """For a provider that neither echoes nor keeps a history."""

    async def settle(self, flight: Flight, around: Surroundings) -> Settlement | None:  # noqa: ARG002 - it needs none
        """See `Settling.settle`."""
        await flight.reach_edge()
        if not flight.is_undecided:
            return None
        return DELIVERED if flight.is_at_edge else UNCONFIRMED


class ByProvider:
    """For a provider that echoes, keeps a history, or both."""

    def __init__(self, way: Way, reads: HistoryReads, clock: Clock) -> None:
        """Take what the provider can do, and how often it may be asked."""
        self._capabilities = way.can
        self._pace = way.pace
        self._reads = reads
        self._clock = clock

    async def settle(self, flight: Flight, around: Surroundings) -> Settlement | None:
        """See `Settling.settle`."""
        settlement = await self._settle(flight, around)
        if settlement is UNCONFIRMED and self._capabilities.history:
            self._reads.ask_later()
        return settlement

    async def _settle(self, flight: Flight, around: Surroundings) -> Settlement | None:
        asked = 0
        looks_for_edge = flight.connection is not None
        while flight.is_undecided:
            if around.is_forsaken:
                return UNCONFIRMED
            is_open = around.line is not None and around.line.is_open
            age_s = self._clock.now() - flight.sent_at
            if around.is_stopping and not is_open:
                return None
            if looks_for_edge and (not is_open or not self._capabilities.echo or age_s >= ECHO_S):
                looks_for_edge = False
                await flight.reach_edge()
            elif is_open and looks_for_edge:
                await around.wait(ECHO_S - age_s)
            elif not self._capabilities.history:
                if age_s >= SETTLE_S:
                    return UNCONFIRMED
                await around.wait(SETTLE_S - age_s)
            elif not is_open or not self._reads.is_connected:  # a socket is open a moment before the news goes round
                await around.wait(None)
            elif self._is_not_there(flight):
                return UNCONFIRMED if flight.is_at_edge and flight.trouble is None else AGAIN
            elif (left_s := self._history_left_s(flight)) <= 0:
                return UNCONFIRMED
            elif self._reads.is_reading:
                await around.wait(left_s)
            elif (wait_s := self._read_in_s(asked)) > 0:
                await around.wait(wait_s)
            else:
                asked += 1
                self._reads.ask()
                await around.wait(left_s)
        return None

    def _is_not_there(self, flight: Flight) -> bool:
        first, last = self._reads.first_at, self._reads.last_at
        if first is None or last is None:
            return False
        return last - first >= READS_APART_S and last - flight.sent_at >= SETTLE_S

    def _history_left_s(self, flight: Flight) -> float:
        since = max(flight.sent_at + SETTLE_S, self._reads.connected_at, self._reads.last_at or 0.0)
        return since + self._pace.give_up_s - self._clock.now()

    def _read_in_s(self, asked: int) -> float:
        last = self._reads.last_at
        pace = self._pace
        every_s = READS_APART_S if pace.read_every_s is None else pace.read_every_s
        again_s = pace.read_again_s[asked] if asked < len(pace.read_again_s) else every_s
        return 0.0 if last is None else last + again_s - self._clock.now()
