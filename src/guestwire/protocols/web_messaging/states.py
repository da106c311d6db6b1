"""The client's connection as a table: state → input → state. Nothing else changes the state.

The vendor's reference client has a state for each of ours (web-messaging §2.3); where it gives up for good and we can
go on by ourselves, we do: see `closes` and `client`.
"""

from __future__ import annotations

from enum import StrEnum

from guestwire.errors import LocalProtocolError
from guestwire.model.events import ConnectionStatus

__all__ = ["OPEN_STATES", "STATES", "STATUS_OF", "Input", "State", "next_state"]


class State(StrEnum):
    """Where the client's connection is."""

    IDLE = "idle"
    READING = "reading"
    AUTHORIZING = "authorizing"
    CONNECTING = "connecting"
    CONFIGURING = "configuring"
    REAUTHORIZING = "reauthorizing"
    CONFIGURED = "configured"
    READ_ONLY = "read-only"
    CLOSING_SESSION = "closing-session"
    WAITING = "waiting"
    FAILED = "failed"
    CLOSED = "closed"


class Input(StrEnum):
    """What can happen to it."""

    READ = "read"
    AUTHORIZE = "authorize"
    CONNECT = "connect"
    OPENED = "opened"
    CONFIGURED = "configured"
    BARRED = "barred"
    STALE = "stale"
    AUTHORIZED = "authorized"
    START_NEW = "start-new"
    SESSION_CLOSED = "session-closed"
    LOST = "lost"
    FAILED = "failed"
    ENDED = "ended"
    STOP = "stop"


_S, _I = State, Input

_BEGIN = {_I.READ: _S.READING, _I.AUTHORIZE: _S.AUTHORIZING, _I.CONNECT: _S.CONNECTING, _I.STOP: _S.CLOSED}
_OPEN = {_I.LOST: _S.WAITING, _I.FAILED: _S.FAILED, _I.ENDED: _S.CLOSED, _I.STOP: _S.CLOSED}

# One begins with the first of these that is needed: read the deployment, authorize the guest, connect. `barred`: the
# conversation is over and the session takes no messages; `stale`: the provider wants another JWT on the same socket.
STATES: dict[State, dict[Input, State]] = {
    _S.IDLE: _BEGIN,
    _S.READING: {
        _I.AUTHORIZE: _S.AUTHORIZING,
        _I.CONNECT: _S.CONNECTING,
        _I.LOST: _S.WAITING,
        _I.FAILED: _S.FAILED,
        _I.STOP: _S.CLOSED,
    },
    _S.AUTHORIZING: {
        _I.CONNECT: _S.CONNECTING,
        _I.LOST: _S.WAITING,
        _I.FAILED: _S.FAILED,
        _I.STOP: _S.CLOSED,
    },
    _S.CONNECTING: {
        _I.OPENED: _S.CONFIGURING,
        _I.LOST: _S.WAITING,
        _I.FAILED: _S.FAILED,
        _I.STOP: _S.CLOSED,
    },
    _S.CONFIGURING: {
        _I.CONFIGURED: _S.CONFIGURED,
        _I.BARRED: _S.READ_ONLY,
        _I.STALE: _S.REAUTHORIZING,
        **_OPEN,
    },
    _S.REAUTHORIZING: {_I.AUTHORIZED: _S.CONFIGURING, **_OPEN},
    _S.CONFIGURED: {_I.BARRED: _S.READ_ONLY, **_OPEN},
    _S.READ_ONLY: {_I.START_NEW: _S.CLOSING_SESSION, **_OPEN},
    _S.CLOSING_SESSION: {_I.SESSION_CLOSED: _S.CONFIGURING, **_OPEN},
    _S.WAITING: _BEGIN,
    _S.FAILED: _BEGIN,
    _S.CLOSED: _BEGIN,
}

# What a person is told of each state.
STATUS_OF: dict[State, ConnectionStatus] = {
    _S.IDLE: ConnectionStatus.DISCONNECTED,
    _S.READING: ConnectionStatus.CONNECTING,
    _S.AUTHORIZING: ConnectionStatus.AUTHENTICATING,
    _S.CONNECTING: ConnectionStatus.CONNECTING,
    _S.CONFIGURING: ConnectionStatus.CREATING_SESSION,
    _S.REAUTHORIZING: ConnectionStatus.AUTHENTICATING,
    _S.CONFIGURED: ConnectionStatus.CONNECTED,
    _S.READ_ONLY: ConnectionStatus.CONNECTED,
    _S.CLOSING_SESSION: ConnectionStatus.CREATING_SESSION,
    _S.WAITING: ConnectionStatus.RECONNECTING,
    _S.FAILED: ConnectionStatus.FAILED,
    _S.CLOSED: ConnectionStatus.DISCONNECTED,
}

OPEN_STATES = frozenset({_S.CONFIGURING, _S.REAUTHORIZING, _S.CONFIGURED, _S.READ_ONLY, _S.CLOSING_SESSION})
"""The socket is open in these."""


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
