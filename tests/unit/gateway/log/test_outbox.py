"""The outbox table is complete and has no way out of a final state but one."""

from __future__ import annotations

from guestwire.gateway.log.outbox import OPEN_STATES, OUTBOX, OutboxState, after_end, can_become


def test_every_state_has_a_row_and_every_open_one_an_end() -> None:
    """No state is forgotten; an open message can always be settled by the end of its session."""
    assert set(OUTBOX) == set(OutboxState)
    assert {state: after_end(state) for state in OPEN_STATES} == {
        OutboxState.ACCEPTED: OutboxState.FAILED,
        OutboxState.SENDING: OutboxState.UNCONFIRMED,
        OutboxState.WAITING: OutboxState.FAILED,
    }


def test_changes_by_settling() -> None:
    """Exactly these changes are possible after an attempt; before one, nothing can have been delivered."""
    s = OutboxState
    possible = {(a, b) for a in s for b in s if can_become(a, b, attempts=1)}
    assert possible == {
        (s.ACCEPTED, s.DELIVERED),
        (s.ACCEPTED, s.FAILED),
        (s.SENDING, s.DELIVERED),
        (s.SENDING, s.FAILED),
        (s.SENDING, s.WAITING),
        (s.SENDING, s.ACCEPTED),
        (s.SENDING, s.UNCONFIRMED),
        (s.WAITING, s.ACCEPTED),
        (s.WAITING, s.DELIVERED),
        (s.WAITING, s.FAILED),
        (s.UNCONFIRMED, s.DELIVERED),
    }
    assert not can_become(s.ACCEPTED, s.DELIVERED, attempts=0)
