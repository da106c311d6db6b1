"""The connection's table: every state × every input."""

from __future__ import annotations

import pytest

from guestwire.errors import LocalProtocolError
from guestwire.model.events import ConnectionStatus
from guestwire.protocols.web_messaging.states import OPEN_STATES, STATES, STATUS_OF, Input, State, next_state


def reached_from(state: State) -> set[State]:
    reached, front = {state}, [state]
    while front:
        after = set(STATES[front.pop()].values()) - reached
        reached |= after
        front += after
    return reached


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
    """From idle, by some inputs; and every input is used."""
    assert reached_from(State.IDLE) == set(STATES) == set(State)
    assert {what for row in STATES.values() for what in row} == set(Input)


def test_no_state_is_a_trap() -> None:
    """From everywhere one can stop, and from everywhere one can come to be configured."""
    assert all(row[Input.STOP] is State.CLOSED for row in STATES.values())
    assert all(State.CONFIGURED in reached_from(state) for state in State)


def test_every_state_has_a_status() -> None:
    """And every word is used."""
    assert set(STATUS_OF) == set(State)
    assert set(STATUS_OF.values()) == set(ConnectionStatus)


def test_what_is_open_can_be_lost() -> None:
    """A socket may break in each state that has one; only what is opening may break besides."""
    losable = {state for state in State if Input.LOST in STATES[state]}
    assert losable == OPEN_STATES | {State.READING, State.AUTHORIZING, State.CONNECTING}
