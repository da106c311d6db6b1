"""What a session log promises, whatever stores it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from guestwire.gateway.log.outbox import OutboxState
from guestwire.gateway.log.records import (
    Accepted,
    IdempotencyEntry,
    LogPosition,
    NewRecord,
    Outgoing,
    Page,
    SessionRow,
    TokenEntry,
)
from guestwire.model.ids import ClientId, SessionId

__all__ = ["IDEMPOTENCY_MS", "SessionLog"]

IDEMPOTENCY_MS = 24 * 3600 * 1000
"""How long an idempotency key is remembered."""


class SessionLog(Protocol):
    """The one durable thing: per session an append-only log, an outbox and their positions.

    - **Durable.** A write resolves only when it would survive `kill -9` and the loss of power. What is resolved is
      there after any crash; what is not resolved is there as a whole or not at all.
    - **Atomic.** One call is all or nothing, also where it does several things.
    - **Ordered.** `seq` is 1, 2, 3 … per session, without a hole, never used twice. Calls take effect in the order in
      which they were made (on many nodes: in the order in which they got the session's row).
    - **Once.** A dedup key enters a session's log at most once, also after its record was trimmed.
    - **Cancelling** a call gives up waiting for it, not the write itself.

    Every call may raise `LogUnavailable`: nothing was changed, try later. Calls that name a session raise `SessionGone`
    where there is none, unless they say otherwise.
    """

    async def create(self, session: SessionRow) -> None:
        """Add a session with an empty log.

        Raises:
            SessionExists: There is one of this `sid`.
        """

    async def get(self, sid: SessionId) -> SessionRow | None:
        """Return the session, or `None` when there is none."""

    async def open_sessions(self) -> list[SessionRow]:
        """Return the sessions that have not ended, oldest first: what a restarted gateway takes up again.

        Those that are `ending` are among them.
        """

    async def accept(
        self, sid: SessionId, client_id: ClientId, body: bytes, record: NewRecord, *, max_open: int = 20
    ) -> Accepted:
        """Take a guest's message: its record and its place in the outbox, or neither.

        The first call with a client id counts; the same again returns the first answer with `is_new` false, whatever
        `record` it brings, also when the session has ended or the outbox is full meanwhile.

        Args:
            body: What will be sent to the provider, and what makes two messages the same.
            record: Its `dedup_key` is set to `own:<client_id>`.
            max_open: How many messages may be open in the outbox.

        Raises:
            LogConflict: The client id was used with another body.
            ConversationEnded: The session has ended, or is ending.
            OutboxFull: `max_open` messages are open.
        """

    async def append(self, sid: SessionId, records: Sequence[NewRecord]) -> list[int | None]:
        """Append records in the order given.

        Returns:
            The `seq` of each, `None` for one whose dedup key the session had already. A duplicate takes no `seq`.
        """

    async def read(self, sid: SessionId, after: int, limit: int = 100, max_bytes: int = 131072) -> Page | None:
        """Return the records that follow `after`, as many as fit, `None` when there is no such session.

        At least one record is returned where there is one, however large. Reading consumes nothing.

        Raises:
            ResumeGap: `after` lies below the floor; what follows it was trimmed.
        """

    def recent(
        self, sid: SessionId, after: int, limit: int = 100, max_bytes: int = 131072
    ) -> tuple[LogPosition, Page] | None:
        """Return what `head` and `read` would, of one moment, when it is at hand; never waits.

        `None` says nothing: ask them. The page is of committed records only, as theirs is.
        """

    async def head(self, sid: SessionId) -> LogPosition:
        """Return the session's position."""

    async def next_outgoing(self, sid: SessionId) -> Outgoing | None:
        """Return the oldest open message; nothing newer may be sent before it is settled."""

    async def mark_sending(self, sid: SessionId, oseq: int, now_ms: int) -> None:
        """Record that the message is about to be written to the provider; write it only when this has resolved.

        Raises:
            LocalProtocolError: It is not the oldest open message, or it is not `accepted`.
        """

    async def settle(
        self,
        sid: SessionId,
        oseq: int,
        state: OutboxState,
        *,
        record: NewRecord | None = None,
        provider_id: str | None = None,
        retry_at_ms: int | None = None,
        code: str | None = None,
    ) -> int | None:
        """Change a message's state and append the receipt that says so, or neither.

        Settling again with the state it has changes nothing and returns `None`; echoes may come twice.

        Args:
            state: Must be reachable by the outbox table; `accepted` sends the message again.
            record: The receipt; its `dedup_key` is set to `st:<oseq>:<state>`, for `waiting` with the attempt's number.
            provider_id: The provider's id of the message.
            retry_at_ms: When `waiting` ends.
            code: Why it failed.

        Returns:
            The receipt's `seq`.

        Raises:
            LocalProtocolError: The table has no such change, or there is no such message.
        """

    async def known_ids(self, sid: SessionId, provider_ids: Sequence[str]) -> frozenset[str]:
        """Return those of a provider's message ids that the session has.

        That is as a record with the dedup key `p:<id>`, trimmed ones too, or as the `provider_id` of a settled message.
        The caller makes ids of several provider sessions differ.
        """

    async def doubtful(self, sid: SessionId) -> list[Outgoing]:
        """Return the messages that are `unconfirmed`, oldest first."""

    async def count_open(self) -> int:
        """Return how many messages are open in the outboxes of all sessions."""

    async def request_end(self, sid: SessionId) -> None:
        """Keep that the guest wants to end: from now on nothing is accepted; a gateway after this one goes on with it.

        Does nothing when the session is ending or has ended.
        """

    async def end(
        self,
        sid: SessionId,
        record: NewRecord,
        now_ms: int,
        failed: Callable[[Outgoing], NewRecord],
        *,
        expires_ms: int | None = None,
    ) -> list[int]:
        """End the session: settle every open message, append its receipt, then `record`; all of it or nothing.

        Ending again changes nothing and returns an empty list.

        Args:
            failed: Makes the receipt of an open message. The `state` of what it gets is the final one: `failed`, or
                `unconfirmed` for the one that was in flight. It is called on another thread and must be pure.
            expires_ms: From when on the session may be erased.

        Returns:
            The `seq` of each record appended.
        """

    async def reopen(
        self, sid: SessionId, record: NewRecord, *, expires_ms: int | None, provider_ref: bytes = b""
    ) -> int | None:
        """Start anew after an end, in one step: the session is open, with another reference to the provider.

        Args:
            record: Says so.
            provider_ref: What the new conversation begins with at the provider.
            expires_ms: From when on the session may be erased; `None` is never.

        Returns:
            The record's `seq`; `None` when the session has not ended, and nothing was changed.
        """

    async def set_provider(self, sid: SessionId, provider_ref: bytes) -> None:
        """Replace the reference to the provider's session."""

    async def touch(
        self,
        sid: SessionId,
        *,
        expires_ms: int | msgspec.UnsetType | None = msgspec.UNSET,
        details: bytes | msgspec.UnsetType = msgspec.UNSET,
    ) -> None:
        """Replace what is given; `expires_ms=None` is never."""

    async def trim(self, sid: SessionId, below_seq: int) -> int:
        """Forget the records below `below_seq`, keep their dedup keys; at most up to the head.

        Returns:
            The floor: the newest `seq` forgotten so far.
        """

    async def trim_to(self, sid: SessionId, *, max_records: int, max_bytes: int, up_to: int) -> int:
        """Forget the oldest records, as `trim` does, until no more than so many and so many bytes of bodies are left.

        Args:
            up_to: Nothing newer than this `seq` is forgotten, however much is left.

        Returns:
            The floor.
        """

    async def erase(self, sid: SessionId) -> bool:
        """Remove every trace of the session. One that is not there is no error: an erasure can be repeated.

        Returns:
            Whether a byte search of the store's files finds nothing of it any more. If not, because somebody else reads
            them just now, its bytes are removed with a later write; do it again to know when.
        """

    async def expire(self, now_ms: int, limit: int = 100) -> list[SessionRow]:
        """Erase sessions whose time has come, open or ended, at most `limit`; forget old keys and tokens.

        Returns:
            The sessions erased, as they were. As many as `limit`: there may be more.
        """

    async def bump_epochs(self, sid: SessionId | None = None) -> None:
        """Give one session, or every one, a new epoch, so that its readers are reset."""

    async def idempotency(self, key: str, request_hash: bytes, sid: SessionId, now_ms: int) -> IdempotencyEntry:
        """Remember which session a request makes, or return what is remembered under its key.

        Call it before `create` and create the session that it returns: after a crash between the two, the repeated
        request finds the same `sid`. A key is forgotten after `IDEMPOTENCY_MS` or with its session.
        """

    async def put_token(self, token_hash: bytes, sid: SessionId, expires_ms: int) -> None:
        """Let a token open the session; putting it again changes its expiry."""

    async def find_token(self, token_hash: bytes) -> TokenEntry | None:
        """Return what a token opens; whether it has expired is the caller's to compare."""

    def subscribe(self, sid: SessionId, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` in the event loop when the session's log may have moved.

        It says "look again" and nothing else: several changes may be one call, a call may find nothing new, and an
        erased session wakes too. Subscribe first, then read, then wait.

        Returns:
            A function that ends the subscription; calling it twice does no harm.
        """

    async def aclose(self) -> None:
        """Finish what was asked for and close. Later calls raise `LogUnavailable`."""
