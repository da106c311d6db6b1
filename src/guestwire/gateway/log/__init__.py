"""The session log: what makes a chat survive reloads, dropped sockets, restarts and `kill -9`."""

from __future__ import annotations

from guestwire.gateway.log.interface import SessionLog
from guestwire.gateway.log.outbox import OutboxState
from guestwire.gateway.log.records import (
    Accepted,
    IdempotencyEntry,
    LogPosition,
    NewRecord,
    Outgoing,
    Page,
    Record,
    SessionRow,
    SessionState,
    TokenEntry,
)
from guestwire.gateway.log.sqlite import SqliteSessionLog

__all__ = [
    "Accepted",
    "IdempotencyEntry",
    "LogPosition",
    "NewRecord",
    "OutboxState",
    "Outgoing",
    "Page",
    "Record",
    "SessionLog",
    "SessionRow",
    "SessionState",
    "SqliteSessionLog",
    "TokenEntry",
]
