"""What the guest sends, one message in flight at a time, and what has become of each.

A message is in flight until the provider says it back or refuses it. When that can no longer be (the connection broke,
the echo is overdue, the provider failed) it is in doubt: the history is looked at, twice, some seconds apart, because
it may lag. What it shows is delivered, what it does not show is sent again under the same id. Where nobody asks the
history, what is in doubt is unconfirmed: it is never sent twice in silence.

Source: reliability 2.10, for one guest; web-messaging §4.4 for the echo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from guestwire.model.events import Event, Fate, Receipt
from guestwire.protocols.web_messaging.requests import GuestMessage
from guestwire.protocols.web_messaging.wire import MessageBody, MessageKind

__all__ = ["Flight", "Missed", "Outbox"]

ECHO_LIMIT_S = 15.0
"""A message that was not said back in this time is looked for in the history."""

MISSES = 2
"""Readings of the history that do not show a message, before it is sent again."""


class Missed(StrEnum):
    """What follows when the history does not show the message in doubt."""

    NOTHING = "nothing"
    LOOK_AGAIN = "look-again"
    SEND_AGAIN = "send-again"


@dataclass(slots=True)
class Flight:
    """The message that is in flight.

    Attributes:
        client_id: Which.
        text: As it was sent, to know it in the history.
        overdue_at: When its echo should have come; None until it is written.
        is_in_doubt: Whether only the history can tell of it.
        misses: Readings of the history that did not show it.
    """

    client_id: str
    text: str
    overdue_at: float | None = None
    is_in_doubt: bool = False
    misses: int = 0


class Outbox:
    """Messages by client id, in the order they were sent; the one in flight is the first."""

    def __init__(self, *, asks_history: bool, say: Callable[[Event], None]) -> None:
        """Start empty; receipts are said to `say`."""
        self.flight: Flight | None = None
        self._asks_history = asks_history
        self._say = say
        self._messages: dict[str, GuestMessage] = {}
        self._unconfirmed: set[str] = set()

    def __len__(self) -> int:
        """Return how many were not said back yet."""
        return len(self._messages)

    @property
    def overdue_at(self) -> float | None:
        """When the echo of what is in flight should have come."""
        return self.flight.overdue_at if self.flight else None

    @property
    def is_in_doubt(self) -> bool:
        """Whether the history is to be asked about a message."""
        return self.flight is not None and self.flight.is_in_doubt

    def put(self, client_id: str, message: GuestMessage) -> None:
        """Take a message, behind the others."""
        self._messages[client_id] = message

    def next(self) -> tuple[str, GuestMessage] | None:
        """Return what is to be written next; None while one is in flight or nothing waits."""
        return None if self.flight is not None else next(iter(self._messages.items()), None)

    def took_off(self, client_id: str) -> None:
        """Take note that a message is being written."""
        self.flight = Flight(client_id, self._messages[client_id].text or "")

    def written(self, client_id: str, now: float) -> None:
        """Take note that a message was written."""
        flight = self.flight
        if flight is not None and flight.client_id == client_id and not flight.is_in_doubt:
            flight.overdue_at = now + ECHO_LIMIT_S
            self._say(Receipt(client_id=client_id, status=Fate.SENT))

    def arrived(self, client_id: str, body: MessageBody, *, is_new: bool) -> tuple[str, GuestMessage | None]:
        """Take note of a guest's message that the provider shows, live or in the history.

        Args:
            client_id: As the provider told it; empty where it did not.
            body: The message.
            is_new: Whether it was not seen before.

        Returns:
            The client id that it has for us, and the message when it was the one in flight.
        """
        flight = self.flight
        if flight is not None and (client_id == flight.client_id or (is_new and _looks_like(flight, client_id, body))):
            self.flight = None
            self._say(Receipt(client_id=flight.client_id, status=Fate.DELIVERED, id=body.id))
            return flight.client_id, self._messages.pop(flight.client_id)
        if client_id in self._unconfirmed:
            self._unconfirmed.discard(client_id)
            self._say(Receipt(client_id=client_id, status=Fate.DELIVERED, id=body.id))
        return client_id, None

    def doubt(self) -> None:
        """Take note that only the history can tell of what is in flight."""
        flight = self.flight
        if flight is None:
            return
        flight.overdue_at = None
        flight.misses = 0
        flight.is_in_doubt = True
        if not self._asks_history:
            self.unconfirm()

    def unconfirm(self) -> None:
        """Give up what is in flight: nobody can tell whether it arrived."""
        if self.flight is not None:
            client_id = self._land()
            del self._messages[client_id]
            self._unconfirmed.add(client_id)
            self._say(Receipt(client_id=client_id, status=Fate.UNCONFIRMED))

    def missed(self) -> Missed:
        """Take note that the newest page of the history was read, and what was in doubt is still."""
        flight = self.flight
        if flight is None or not flight.is_in_doubt:
            return Missed.NOTHING
        flight.misses += 1
        return Missed.LOOK_AGAIN if flight.misses < MISSES else Missed.SEND_AGAIN

    def send_again(self) -> None:
        """Put back what is in flight: it is the next again."""
        self.flight = None

    def wait(self, retry_after_s: float) -> None:
        """Put back what is in flight, because the provider wants it later."""
        client_id = self._land()
        self._say(Receipt(client_id=client_id, status=Fate.WAITING, retry_after=retry_after_s, code="rate-limited"))

    def fail_flight(self, code: str, text: str | None = None) -> None:
        """What is in flight, if anything is, will not be delivered."""
        if self.flight is not None:
            self._fail((self._land(),), code, text)

    def fail_waiting(self, code: str) -> None:
        """All but what is in flight will not be delivered."""
        flying = self.flight.client_id if self.flight else None
        self._fail([client_id for client_id in self._messages if client_id != flying], code)

    def fail_all(self, code: str) -> None:
        """Nothing of it will be delivered."""
        self.flight = None
        self._fail(list(self._messages), code)

    def _land(self) -> str:
        assert self.flight is not None, "the caller looked"  # noqa: S101
        client_id = self.flight.client_id
        self.flight = None
        return client_id

    def _fail(self, client_ids: Iterable[str], code: str, text: str | None = None) -> None:
        for client_id in client_ids:
            del self._messages[client_id]
            self._say(Receipt(client_id=client_id, status=Fate.FAILED, code=code, text=text or None))


def _looks_like(flight: Flight, client_id: str, body: MessageBody) -> bool:
    """Return whether a message that nobody claims is the one in doubt: a history may lack our metadata (§8 row 15)."""
    is_message = body.type != MessageKind.EVENT
    return flight.is_in_doubt and not client_id and is_message and (body.text or "") == flight.text
