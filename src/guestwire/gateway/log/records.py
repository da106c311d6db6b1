"""The values of the session log.

Bodies and references are bytes that the log keeps and never looks into.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from guestwire.gateway.log.outbox import OutboxState
from guestwire.model.ids import ClientId, SessionId

__all__ = [
    "Accepted",
    "IdempotencyEntry",
    "LogPosition",
    "NewRecord",
    "Outgoing",
    "Page",
    "Record",
    "SessionRow",
    "SessionState",
    "TokenEntry",
]


class SessionState(StrEnum):
    """Whether the session still goes on."""

    OPEN = "open"
    ENDING = "ending"
    """The guest wants to end: nothing new is accepted, what was accepted is still sent, then the provider is told."""
    ENDED = "ended"


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One session.

    Attributes:
        sid: 128 random bits of ours; not the provider's token and no secret by itself.
        epoch: Identity of the log. Changes only when records may have been lost: a restored backup, a cut-off database.
        head: The newest `seq`, 0 when there is none. Ignored by `create`: a new log starts at 0.
        floor: The newest `seq` that was trimmed, 0 when none was. Ignored by `create`.
        provider_ref: What reaches the provider's session, sealed by the caller.
        details: What else the caller keeps.
        expires_ms: From when on `expire` erases the session; `None` is never.
    """

    sid: SessionId
    epoch: str
    state: SessionState = SessionState.OPEN
    head: int = 0
    floor: int = 0
    provider_ref: bytes = b""
    details: bytes = b""
    created_ms: int
    ended_ms: int | None = None
    expires_ms: int | None = None


class NewRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record before the log has numbered it.

    Attributes:
        dedup_key: The session takes a key once, for as long as it lives, trimmed or not. `None` is never a duplicate.
        order_key: Its place in the provider's order, for display.
        late: It came after newer ones of the provider's order.
    """

    kind: str
    body: bytes
    dedup_key: str | None = None
    order_key: str | None = None
    late: bool = False


class Record(msgspec.Struct, frozen=True):
    """A record as the log keeps it. Nothing of it ever changes."""

    seq: int
    kind: str
    body: bytes
    order_key: str | None
    late: bool
    created_ms: int


class Page(msgspec.Struct, frozen=True):
    """What follows a position: contiguous from `after + 1`, empty when there is nothing newer.

    Attributes:
        head: The newest `seq` of the session when the page was read.
    """

    records: tuple[Record, ...]
    head: int


class LogPosition(msgspec.Struct, frozen=True):
    """Where a session's log stands: readers at `floor` ≤ position ≤ `head` of the same `epoch` can resume."""

    epoch: str
    floor: int
    head: int


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a guest's message: it is durable.

    Attributes:
        seq: The `seq` of the message's record.
        oseq: Its number in the outbox.
        is_new: False when the client id was accepted before; the rest is then the first answer, but for `state`.
        state: Where the message is now.
    """

    seq: int
    oseq: int
    is_new: bool
    state: OutboxState


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's message on its way to the provider.

    Attributes:
        oseq: 1, 2, 3 … per session, in the order of acceptance.
        attempts: How often it was marked as sending.
        sent_at_ms: When it was last marked as sending; kept through restarts, so that waiting for an echo does not
            begin anew with every crash.
        retry_at_ms: While `waiting`: from when on the provider takes it.
        message_seq: The `seq` of the message's record.
    """

    oseq: int
    client_id: ClientId
    body: bytes
    state: OutboxState
    attempts: int
    sent_at_ms: int | None
    retry_at_ms: int | None
    message_seq: int


class IdempotencyEntry(msgspec.Struct, frozen=True):
    """The session that a request with this idempotency key made.

    Attributes:
        is_new: Whether this call stored it.
    """

    sid: SessionId
    request_hash: bytes
    is_new: bool


class TokenEntry(msgspec.Struct, frozen=True):
    """What a session token's hash opens, and until when."""

    sid: SessionId
    expires_ms: int
