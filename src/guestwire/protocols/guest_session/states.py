"""The client's connection as a table: state → input → state. Nothing else changes the state.

Diagrams in the docs are drawn from this table, and the browser core runs on a copy generated from it.
"""

from __future__ import annotations

from enum import StrEnum

from guestwire.errors import LocalProtocolError
from guestwire.model.events import ConnectionStatus

__all__ = ["STATES", "STATUS_OF", "Input", "State", "next_state"]


class State(StrEnum):
    """Where the client's connection is."""

    IDLE = "idle"
    AUTHENTICATING = "authenticating"
    CREATING_SESSION = "creating-session"
    CONNECTING = "connecting"
    CHECKING = "checking"
    CONNECTED = "connected"
    WAITING = "waiting"
    FAILED = "failed"
    CLOSED = "closed"


class Input(StrEnum):
    """What can happen to it."""

    START = "start"
    RESUME = "resume"
    AUTHENTICATED = "authenticated"
    SESSION_CREATED = "session-created"
    OPENED = "opened"
    UNEXPLAINED = "unexplained"
    STILL_VALID = "still-valid"
    LOST = "lost"
    REFUSED = "refused"
    FAILED = "failed"
    ENDED = "ended"
    STOP = "stop"


_S, _I = State, Input

# `lost` is what may be better in a moment, `refused` means "this session won't do, make a new one", `failed` is final
# until somebody acts. `start` begins with nothing, `resume` with a session in hand. `unexplained` is a browser's close
# before open: it can't see a 403, so it asks (§4.3 rule 5).
STATES: dict[State, dict[Input, State]] = {
    _S.IDLE: {_I.START: _S.AUTHENTICATING, _I.RESUME: _S.CONNECTING, _I.STOP: _S.CLOSED},
    _S.AUTHENTICATING: {
        _I.AUTHENTICATED: _S.CREATING_SESSION,
        _I.LOST: _S.WAITING,
        _I.FAILED: _S.FAILED,
        _I.STOP: _S.CLOSED,
    },
    _S.CREATING_SESSION: {
        _I.SESSION_CREATED: _S.CONNECTING,
        _I.LOST: _S.WAITING,
        _I.FAILED: _S.FAILED,
        _I.STOP: _S.CLOSED,
    },
    _S.CONNECTING: {
        _I.OPENED: _S.CONNECTED,
        _I.UNEXPLAINED: _S.CHECKING,
        _I.LOST: _S.WAITING,
        _I.REFUSED: _S.AUTHENTICATING,
        _I.FAILED: _S.FAILED,
        _I.STOP: _S.CLOSED,
    },
    _S.CHECKING: {
        _I.STILL_VALID: _S.WAITING,
        _I.LOST: _S.WAITING,
        _I.REFUSED: _S.AUTHENTICATING,
        _I.FAILED: _S.FAILED,
        _I.STOP: _S.CLOSED,
    },
    _S.CONNECTED: {
        _I.LOST: _S.WAITING,
        _I.REFUSED: _S.AUTHENTICATING,
        _I.FAILED: _S.FAILED,
        _I.ENDED: _S.CLOSED,
        _I.STOP: _S.CLOSED,
    },
    _S.WAITING: {
        _I.START: _S.AUTHENTICATING,
        _I.RESUME: _S.CONNECTING,
        _I.STOP: _S.CLOSED,
    },
    _S.FAILED: {_I.START: _S.AUTHENTICATING, _I.RESUME: _S.CONNECTING, _I.STOP: _S.CLOSED},
    _S.CLOSED: {_I.START: _S.AUTHENTICATING, _I.RESUME: _S.CONNECTING, _I.STOP: _S.CLOSED},
}

# What a person is told of each state (§4.3 rule 3).
STATUS_OF: dict[State, ConnectionStatus] = {
    _S.IDLE: ConnectionStatus.DISCONNECTED,
    _S.AUTHENTICATING: ConnectionStatus.AUTHENTICATING,
    _S.CREATING_SESSION: ConnectionStatus.CREATING_SESSION,
    _S.CONNECTING: ConnectionStatus.CONNECTING,
    _S.CHECKING: ConnectionStatus.CONNECTING,
    _S.CONNECTED: ConnectionStatus.CONNECTED,
    _S.WAITING: ConnectionStatus.RECONNECTING,
    _S.FAILED: ConnectionStatus.FAILED,
    _S.CLOSED: ConnectionStatus.DISCONNECTED,
}


def next_state(state: State, what: Input) -> State:
    """Look up the table.

    Raises:
        LocalProtocolError: The shell told of something that can't happen in this state; the connection is as before.
    """
    try:
        return STATES[state][what]
    except KeyError:
        expected = ", ".join(sorted(STATES[state]))
        raise LocalProtocolError(f"Expected one of {expected} while {state}, got {what}.") from None
