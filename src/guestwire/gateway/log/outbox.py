"""The fate of a guest's message as a table: state → input → state. Nothing else changes the state.

One message per session is in flight at a time, so after any crash at most one is in doubt.

A message that waits for its next attempt (`accepted` or `waiting` after an attempt) may still be found to have arrived:
the echo of the first attempt was late, and sending again would double it.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OPEN_STATES", "OUTBOX", "OutboxInput", "OutboxState", "after_end", "can_become"]


class OutboxState(StrEnum):
    """Where a guest's message is."""

    ACCEPTED = "accepted"
    SENDING = "sending"
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"


class OutboxInput(StrEnum):
    """What can happen to it."""

    TAKEN = "taken"
    """It is the oldest open one and is about to be written to the provider."""
    SHOWN = "shown"
    """The provider has it: an echo, an answer or the history says so."""
    REFUSED = "refused"
    """The provider will never take it."""
    HELD = "held"
    """The provider asks to come back later."""
    DUE = "due"
    """Later is now."""
    NOT_FOUND = "not-found"
    """The provider had time to show it and does not: it can be sent again."""
    IN_DOUBT = "in-doubt"
    """Nobody can say whether the provider has it."""
    SESSION_ENDED = "session-ended"


_S, _I = OutboxState, OutboxInput

OUTBOX: dict[OutboxState, dict[OutboxInput, OutboxState]] = {
    _S.ACCEPTED: {_I.TAKEN: _S.SENDING, _I.SHOWN: _S.DELIVERED, _I.SESSION_ENDED: _S.FAILED},
    _S.SENDING: {
        _I.SHOWN: _S.DELIVERED,
        _I.REFUSED: _S.FAILED,
        _I.HELD: _S.WAITING,
        _I.NOT_FOUND: _S.ACCEPTED,
        _I.IN_DOUBT: _S.UNCONFIRMED,
        # "Failed" would be a guess: the provider may have it.
        _I.SESSION_ENDED: _S.UNCONFIRMED,
    },
    _S.WAITING: {_I.DUE: _S.ACCEPTED, _I.SHOWN: _S.DELIVERED, _I.SESSION_ENDED: _S.FAILED},
    _S.DELIVERED: {},
    _S.FAILED: {},
    _S.UNCONFIRMED: {_I.SHOWN: _S.DELIVERED},
}

OPEN_STATES = frozenset({_S.ACCEPTED, _S.SENDING, _S.WAITING})
"""States of messages that still want to be sent, or settled; they keep newer ones waiting."""


_TARGETS = {
    state: frozenset(to for given, to in changes.items() if given is not _I.TAKEN) for state, changes in OUTBOX.items()
}


def can_become(state: OutboxState, target: OutboxState, attempts: int) -> bool:
    """Return whether one input leads from `state` to `target`; `taken` is left to `mark_sending`.

    Args:
        attempts: A message that was never sent can't have been delivered.
    """
    if state is not _S.SENDING and target is _S.DELIVERED and attempts == 0:
        return False
    return target in _TARGETS[state]


def after_end(state: OutboxState) -> OutboxState:
    """Return what an open message becomes when its session ends."""
    return OUTBOX[state][_I.SESSION_ENDED]
