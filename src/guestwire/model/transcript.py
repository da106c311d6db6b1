"""The transcript: what people read, as the fold of all events.

`Transcript.apply` is the only writer, and the browser core has the same fold; the vectors in
tests/frames/guest-session/transcripts.json hold both to the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, assert_never

from msgspec.structs import replace

from guestwire.model.content import ButtonResponse, ContentItem, Form
from guestwire.model.events import (
    AttachmentUpdated,
    ConversationStatus,
    ConversationUpdated,
    Event,
    Fate,
    HistoryRead,
    Message,
    Receipt,
    SessionUpdated,
    Typing,
)

__all__ = ["MessageRow", "Notice", "NoticeRow", "Row", "Transcript"]


class Notice(StrEnum):
    """What a system row says."""

    JOINED = "joined"
    LEFT = "left"
    ENDED = "ended"


@dataclass(slots=True)
class MessageRow:
    """One bubble; `state` is set for the guest's own messages only, `code` says why one failed.

    `is_answered` is set when the guest has answered it: its picker, form or chips are done with.
    """

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
    avatar: str | None = None
    in_reply_to: str | None = None
    is_answered: bool = False
    place: str | None = field(default=None, repr=False)
    """Where it stands among the rows that have a place: the provider's order as a text that sorts."""


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
        read_only: Whether the guest may not write until a new conversation is started.
        expires_at: When the session ends unless something happens; None when nobody said.
        has_earlier: Whether there is more in the provider's history, before what was read of it.
        files: What became of each file that the guest attached, by its id; with the newest address that was told.
    """

    rows: list[Row] = field(default_factory=list)
    status: ConversationStatus | None = None
    agent_name: str | None = None
    typing: list[str] = field(default_factory=list)
    reason: str | None = None
    read_only: bool = False
    expires_at: datetime | None = None
    has_earlier: bool = False
    files: dict[str, AttachmentUpdated] = field(default_factory=dict)
    _oldest_page: int = field(default=0, repr=False)
    _answered: set[str] = field(default_factory=set, repr=False)
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
            case SessionUpdated():
                self.read_only = event.read_only
                self.expires_at = event.expires_at
            case HistoryRead():
                if event.page >= self._oldest_page:
                    self._oldest_page, self.has_earlier = event.page, event.has_more
            case AttachmentUpdated():
                known = self.files.get(event.attachment_id)
                self.files[event.attachment_id] = event if event.url or known is None else replace(event, url=known.url)
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
                avatar=event.avatar,
                in_reply_to=event.in_reply_to,
            )
            if event.sender == "guest":
                # Without a client id it was sent elsewhere, so the provider has it.
                row.state = Fate.QUEUED if event.client_id and event.seq is None else Fate.ACCEPTED
            elif event.sender == "agent" and row.name is None:
                row.name = self.agent_name
            self._put(row, _place(event))
        row.id = event.id or row.id
        row.seq = event.seq or row.seq
        row.client_id = event.client_id or row.client_id
        if event.seq is not None and row.state is not None and _RANK[row.state] < _RANK[Fate.ACCEPTED]:
            row.state = Fate.ACCEPTED
        self._remember(row)
        self._note_answers(row)

    def _put(self, row: MessageRow, place: str | None) -> None:
        """Put a row where it belongs: at the end, unless rows with a place stand there that come after it."""
        row.place = place
        at = len(self.rows)
        if place is not None:
            for index in range(len(self.rows) - 1, -1, -1):
                other = self.rows[index]
                other_place = other.place if isinstance(other, MessageRow) else None
                if other_place is None:
                    continue
                if other_place <= place:
                    break
                at = index
        self.rows.insert(at, row)

    def _note_answers(self, row: MessageRow) -> None:
        """An answer may be read before its question, so both are looked at."""
        if row.sender == "guest":
            named = [item.value.originating_message_id for item in row.content if isinstance(item.value, _ANSWERS)]
            for question_id in filter(None, (row.in_reply_to, *named)):
                self._answered.add(question_id)
                question = self._by_key.get(f"id:{question_id}")
                if question is not None:
                    question.is_answered = True
        elif row.id in self._answered:
            row.is_answered = True

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
        self.expires_at = event.expires_at or self.expires_at
        if event.read_only is not None:
            self.read_only = event.read_only
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


_ANSWERS = (ButtonResponse, Form)


def _place(event: Message) -> str | None:
    """Return a message's place in the provider's order; its time is one, where the provider tells it with an id."""
    if event.order_key is not None or event.sent_at is None or event.id is None or event.seq is not None:
        return event.order_key
    return f"{event.sent_at.timestamp():020.6f}"
