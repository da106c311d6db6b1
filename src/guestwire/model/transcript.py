"""The transcript: what people read, as the fold of all events.

`Transcript.apply` is the only writer, and the browser core has the same fold; the vectors in
tests/frames/guest-session/transcripts.json hold both to the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, assert_never

from guestwire.model.content import ContentItem
from guestwire.model.events import ConversationStatus, ConversationUpdated, Event, Fate, Message, Receipt, Typing

__all__ = ["MessageRow", "Notice", "NoticeRow", "Row", "Transcript"]


class Notice(StrEnum):
    """What a system row says."""

    JOINED = "joined"
    LEFT = "left"
    ENDED = "ended"


@dataclass(slots=True)
class MessageRow:
    """One bubble; `state` is set for the guest's own messages only, `code` says why one failed."""

    sender: str
    text: str
    sent_at: datetime | None = None
    name: str | None = None
    content: tuple[ContentItem, ...] = ()
    id: str | None = None
    seq: int | None = None
    client_id: str | None = None
    state: Fate | None = None
    code: str | None = None
    late: bool = False


@dataclass(slots=True)
class NoticeRow:
    """One centred system row."""

    notice: Notice
    name: str | None = None


Row: TypeAlias = MessageRow | NoticeRow

# A fate only moves up this ladder, so a receipt that comes late or twice changes nothing; delivered and failed exclude
# each other, and what was in doubt may still turn out well.
_RANK = {
    Fate.QUEUED: 0,
    Fate.SENT: 1,
    Fate.ACCEPTED: 2,
    Fate.WAITING: 3,
    Fate.UNCONFIRMED: 4,
    Fate.FAILED: 5,
    Fate.DELIVERED: 5,
    Fate.READ: 6,
}


@dataclass(slots=True)
class Transcript:
    """Rows in the order people read them, and who is there.

    Attributes:
        rows: Messages and notices.
        status: The conversation's; None before the provider said anything.
        agent_name: Who is with the guest.
        typing: Who is typing now, in the order they began.
        reason: Why the conversation waits or ended, where the provider said so.
    """

    rows: list[Row] = field(default_factory=list)
    status: ConversationStatus | None = None
    agent_name: str | None = None
    typing: list[str] = field(default_factory=list)
    reason: str | None = None
    _by_key: dict[str, MessageRow] = field(default_factory=dict, repr=False)

    def apply(self, event: Event) -> None:
        """Fold in one event; events that don't show in a transcript change nothing."""
        match event:
            case Message():
                self._apply_message(event)
            case Receipt():
                self._apply_receipt(event)
            case ConversationUpdated():
                self._apply_update(event)
            case Typing():
                if event.sender not in self.typing and self.status is not ConversationStatus.ENDED:
                    self.typing.append(event.sender)
            case _:
                pass

    def stop_typing(self, sender: str) -> None:
        """Hide the indicator of `sender`: its time is over (the clock is the caller's)."""
        if sender in self.typing:
            self.typing.remove(sender)

    def _apply_message(self, event: Message) -> None:
        self.stop_typing(event.sender)
        row = self._find(event.client_id, event.id)
        if row is None:
            row = MessageRow(
                sender=event.sender,
                text=event.text,
                sent_at=event.sent_at,
                name=event.name,
                content=event.content,
                late=event.late,
            )
            if event.sender == "guest":
                # Without a client id it was sent elsewhere, so the provider has it.
                row.state = Fate.QUEUED if event.client_id and event.seq is None else Fate.ACCEPTED
            elif event.sender == "agent" and row.name is None:
                row.name = self.agent_name
            self.rows.append(row)
        row.id = event.id or row.id
        row.seq = event.seq or row.seq
        row.client_id = event.client_id or row.client_id
        if event.seq is not None and row.state is not None and _RANK[row.state] < _RANK[Fate.ACCEPTED]:
            row.state = Fate.ACCEPTED
        self._remember(row)

    def _apply_receipt(self, event: Receipt) -> None:
        row = self._find(event.client_id, None)
        if row is None or row.state is None or _RANK[event.status] <= _RANK[row.state]:
            return
        row.state = event.status
        row.id = event.id or row.id
        row.seq = event.message_seq or row.seq
        row.code = event.code
        self._remember(row)

    def _apply_update(self, event: ConversationUpdated) -> None:
        before, agent_before = self.status, self.agent_name
        self.reason = event.reason or (self.reason if event.status is None else None)
        match event.status:
            case ConversationStatus.CONNECTED:
                if before is not event.status or event.agent_name not in {None, agent_before}:
                    self.agent_name = event.agent_name
                    self.rows.append(NoticeRow(Notice.JOINED, event.agent_name))
            case ConversationStatus.WAITING:
                if before is ConversationStatus.CONNECTED:
                    self.rows.append(NoticeRow(Notice.LEFT, agent_before))
                self.agent_name = None
            case ConversationStatus.ENDED:
                if before is not event.status:
                    self.rows.append(NoticeRow(Notice.ENDED))
                self.agent_name = None
                self.typing.clear()
            case None:
                return
            case _:
                assert_never(event.status)
        self.status = event.status

    def _find(self, client_id: str | None, provider_id: str | None) -> MessageRow | None:
        row = self._by_key.get(f"client:{client_id}") if client_id else None
        return row or (self._by_key.get(f"id:{provider_id}") if provider_id else None)

    def _remember(self, row: MessageRow) -> None:
        if row.client_id:
            self._by_key[f"client:{row.client_id}"] = row
        if row.id:
            self._by_key[f"id:{row.id}"] = row
