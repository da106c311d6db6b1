"""The connection's table: every state × every input."""

from __future__ import annotations

import pytest

from guestwire.errors import LocalProtocolError
from guestwire.model.events import ConnectionStatus
from guestwire.protocols.guest_session.states import STATES, STATUS_OF, Input, State, next_state


@pytest.mark.parametrize("what", Input)
@pytest.mark.parametrize("state", State)
def test_every_state_and_every_input(state: State, what: Input) -> None:
    """What the table allows leads where it says; the rest is refused, with what was expected and what was got."""
    if what in STATES[state]:
        assert next_state(state, what) is STATES[state][what]
        return
    with pytest.raises(LocalProtocolError) as caught:
        next_state(state, what)
    assert f"while {state}, got {what}" in caught.value.message
    assert all(expected in caught.value.message for expected in STATES[state])


def test_every_state_is_in_the_table_and_reachable() -> None:
    """From idle, by some inputs."""
    reached, front = {State.IDLE}, [State.IDLE]
    while front:
        after = set(STATES[front.pop()].values()) - reached
        reached |= after
        front += after
    assert reached == set(STATES) == set(State)


def test_every_input_is_used() -> None:
    """None is only a word."""
    assert {what for row in STATES.values() for what in row} == set(Input)


def test_no_state_is_a_trap() -> None:
    """From everywhere one can stop, and from everywhere one can come to be connected."""
    assert all(row[Input.STOP] is State.CLOSED for row in STATES.values())
    for state in State:
        reached, front = {state}, [state]
        while front:
            after = set(STATES[front.pop()].values()) - reached
            reached |= after
            front += after
        assert State.CONNECTED in reached


def test_every_state_has_a_status() -> None:
    """The words of guest-session §4.3 rule 3, and every word is used."""
    assert set(STATUS_OF) == set(State)
    assert set(STATUS_OF.values()) == set(ConnectionStatus)
