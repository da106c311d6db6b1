"""What an org consists of. `Org` alone changes these; everybody else reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
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
    "DeploymentRecord",
    "Entry",
    "GuestProtocol",
    "GuestSessionRecord",
    "GuestUser",
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

GuestProtocol: TypeAlias = Literal["guest-session", "web-messaging"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """A Messenger deployment: its switches, as an administrator sets them (web-messaging §1.3).

    Attributes:
        id: What guests connect with.
        name: For people.
        is_active: Whether it takes guests.
        allow_all_domains: Whether pages of every site may use it.
        allowed_domains: Else the sites that may; sub-domains are meant.
        auto_start: Whether a new session begins with `Join`.
        bot_greets: Whether the bot speaks first.
        disconnect: Whether guests are told of the end, and whether they may write after it (`Send`) or not.
        clear: Whether guests may clear the conversation.
        markdown: Whether texts are formatted.
        humanize: Whether names and pictures are shown.
        bot_name: The bot's name.
        bot_avatar: Where the bot's picture is; None for one that the emulator draws.
        agent_typing: Whether guests see that agents type.
        guest_typing: Whether agents see that guests type.
        attachments: Whether files may be sent.
        file_types: Of these media types.
        max_file_kb: Of at most so many kilobytes (1,000 bytes).
        blocked_extensions: Never with these, dot included.
        session_duration_s: Seconds of inactivity after which a session ends.
        auth: Whether guests can sign in.
        step_up: Whether a guest can sign in later, in the middle of a session.
        colour: A CSS colour.
        version: Counts the changes.
    """

    id: str
    name: str = "Demo"
    is_active: bool = True
    allow_all_domains: bool = True
    allowed_domains: tuple[str, ...] = ()
    auto_start: bool = True
    bot_greets: bool = True
    disconnect: Literal["off", "Send", "ReadOnly"] = "ReadOnly"
    clear: bool = True
    markdown: bool = True
    humanize: bool = True
    bot_name: str = "Otto"
    bot_avatar: str | None = None
    agent_typing: bool = True
    guest_typing: bool = True
    attachments: bool = True
    file_types: tuple[str, ...] = ("*/*",)
    max_file_kb: int = 10_240
    blocked_extensions: tuple[str, ...] = (".bat", ".cmd", ".exe", ".js", ".msi", ".scr")
    session_duration_s: int = 259_200
    auth: bool = True
    step_up: bool = True
    colour: str = "#22577A"
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestUser:
    """Somebody who can sign in, as the site's identity provider knows them; `id` is its `sub`."""

    id: str
    first_name: str
    last_name: str
    email: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(slots=True)
class GuestSessionRecord:
    """All that belongs to one session token.

    Attributes:
        id: Its `sessionId`; Web Messaging has none, so there it is ours alone.
        details: What the guest told about itself.
        token_id: The `jti` of the one token that opens it; empty with Web Messaging, whose guests make the token.
        expires_at: When the token expires, by the emulator's clock.
        capabilities: What it has beyond every session: `echo`, `history`.
        conversation_id: None until the guest first connects; with Web Messaging, until they say something.
        protocol: How the guest speaks with the org.
        deployment_id: Through which deployment, with Web Messaging.
        earlier: Conversations of this session before that one, oldest first.
    """

    id: SessionId
    details: GuestDetails
    token_id: str
    expires_at: datetime
    capabilities: tuple[FaultName, ...] = ()
    conversation_id: ConversationId | None = None
    protocol: GuestProtocol = "guest-session"
    deployment_id: str | None = None
    earlier: list[ConversationId] = field(default_factory=list)


class Stage(StrEnum):
    """Who has the conversation."""

    BOT = "bot"
    QUEUE = "queue"
    AGENT = "agent"
    ENDED = "ended"


# Stage → the stages that may follow. `agent` → `agent`: a colleague takes over; → `queue`: whoever is free shall.
STAGES: dict[Stage, frozenset[Stage]] = {
    Stage.BOT: frozenset({Stage.QUEUE, Stage.ENDED}),
    Stage.QUEUE: frozenset({Stage.AGENT, Stage.ENDED}),
    Stage.AGENT: frozenset({Stage.AGENT, Stage.BOT, Stage.QUEUE, Stage.ENDED}),
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
        id: The provider's id, in the form of its protocol; with guest sessions, the ids of a conversation, as texts,
            are in the order of the lines.
        client_id: The guest's own id of its message, where the session has echo; with Web Messaging its tracing id.
        in_reply_to: The id of the line that it answers.
        avatar: Where the sender's picture is.
        is_authenticated: Whether a guest who signed in said it.
    """

    id: str
    sender: Sender
    text: str
    at: datetime
    name: str | None = None
    content: tuple[ContentItem, ...] = ()
    client_id: str | None = None
    in_reply_to: str | None = None
    avatar: str | None = None
    is_authenticated: bool = False


@dataclass(slots=True)
class Conversation:
    """What a guest and the org's bot and agents share.

    Attributes:
        connections: The guest's open sockets; zero does not end it.
        ended_by: Who ended it; None, too, for one whose session was over.
        is_greeted: Whether the flow has taken it up.
        protocol: How the guest speaks with the org.
        deployment_id: Through which deployment, with Web Messaging.
        attributes: What the guest's page told, as custom attributes.
        user: Who the guest signed in as.
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
    protocol: GuestProtocol = "guest-session"
    deployment_id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    user: GuestUser | None = None
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))

    @property
    def guest_name(self) -> str | None:
        """The guest's name: of who signed in, else as told."""
        return self.user.name if self.user else self.guest.name

    @property
    def status(self) -> ConversationStatus:
        """What the guest is told: waiting while the bot talks, too."""
        return _STATUS[self.stage]


@dataclass(slots=True)
class Agent:
    """Somebody at the desk; the demo agent is one of them. Without an avatar, the emulator draws one."""

    id: str
    name: str
    avatar: str | None = None
    is_demo: bool = False
    on_queue: bool = False
