"""What an org consists of. `Org` alone changes these; everybody else reads."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from guestwire.emulator.faults import FaultName
from guestwire.model.content import ContentItem
from guestwire.model.events import ConversationStatus
from guestwire.model.ids import ConversationId, SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestDetails

__all__ = [
    "EXTENSIONS",
    "GUEST_SCOPES",
    "MAX_ENTRIES",
    "STAGES",
    "AccessToken",
    "Agent",
    "Conversation",
    "Entry",
    "GuestSessionRecord",
    "OAuthClient",
    "Sender",
    "Stage",
]

GUEST_SCOPES = frozenset({"chat:guest:create", "webchat:guest"})
"""What a client may ask for unless set up otherwise (guest-session §2: the second is accepted, never required)."""

EXTENSIONS = ("typing", "end")
"""What every session understands beyond the tutorial's frames (guest-session §4.2 [D])."""

MAX_ENTRIES = 2000
"""Entries kept per conversation: a guest at the full rate (10 a second) must not fill the memory."""

Sender: TypeAlias = Literal["guest", "bot", "agent", "system"]


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An OAuth client of the org, and the scopes it may ask for."""

    client_id: str
    client_secret: Secret
    scopes: frozenset[str] = GUEST_SCOPES


@dataclass(slots=True)
class AccessToken:
    """An OAuth access token, opaque and random."""

    value: Secret
    client_id: str
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(slots=True)
class GuestSessionRecord:
    """All that belongs to one session token.

    Attributes:
        id: Its `sessionId`.
        details: What the guest told about itself.
        token_id: The `jti` of the one token that opens it.
        expires_at: When the token expires, by the emulator's clock.
        capabilities: What it has beyond every session: `echo`, `history`.
        conversation_id: None until the guest first connects.
    """

    id: SessionId
    details: GuestDetails
    token_id: str
    expires_at: datetime
    capabilities: tuple[FaultName, ...] = ()
    conversation_id: ConversationId | None = None


class Stage(StrEnum):
    """Who has the conversation."""

    BOT = "bot"
    QUEUE = "queue"
    AGENT = "agent"
    ENDED = "ended"


# Stage → the stages that may follow. `agent` → `agent`: a colleague takes over from somebody who left the desk.
STAGES: dict[Stage, frozenset[Stage]] = {
    Stage.BOT: frozenset({Stage.QUEUE, Stage.ENDED}),
    Stage.QUEUE: frozenset({Stage.AGENT, Stage.ENDED}),
    Stage.AGENT: frozenset({Stage.AGENT, Stage.BOT, Stage.ENDED}),
    Stage.ENDED: frozenset(),
}

_STATUS = {
    Stage.BOT: ConversationStatus.WAITING,
    Stage.QUEUE: ConversationStatus.WAITING,
    Stage.AGENT: ConversationStatus.CONNECTED,
    Stage.ENDED: ConversationStatus.ENDED,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a conversation; `system` lines are for the desk only.

    Attributes:
        id: The provider's id; within a conversation the ids, as texts, are in the order of the lines.
        client_id: The guest's own id of its message, where the session has echo.
    """

    id: str
    sender: Sender
    text: str
    at: datetime
    name: str | None = None
    content: tuple[ContentItem, ...] = ()
    client_id: str | None = None


@dataclass(slots=True)
class Conversation:
    """What a guest and the org's bot and agents share.

    Attributes:
        connections: The guest's open sockets; zero does not end it.
        ended_by: Who ended it.
        is_greeted: Whether the flow has taken it up.
    """

    id: ConversationId
    session_id: SessionId
    guest: GuestDetails
    started_at: datetime
    stage: Stage = Stage.BOT
    queued_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: Literal["agent", "guest"] | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    connections: int = 0
    is_greeted: bool = False
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))

    @property
    def status(self) -> ConversationStatus:
        """What the guest is told: waiting while the bot talks, too."""
        return _STATUS[self.stage]


@dataclass(slots=True)
class Agent:
    """Somebody at the desk; the demo agent is one of them."""

    id: str
    name: str
    is_demo: bool = False
    on_queue: bool = False
