"""What can change in an org: published synchronously, in order, to whoever subscribed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from guestwire.emulator.records import Conversation, Entry, Sender
from guestwire.model.ids import SessionId

__all__ = [
    "AgentsChanged",
    "Change",
    "ConnectionLimitReached",
    "ConversationChanged",
    "DeploymentChanged",
    "EntryAdded",
    "FaultsChanged",
    "GarbageSent",
    "Listener",
    "LoggedOut",
    "SessionsExpired",
    "SignedInElsewhere",
    "SocketsDropped",
    "Typed",
    "WasReset",
]


@dataclass(frozen=True, slots=True)
class AgentsChanged:
    """Somebody came to the desk, left it, or went on or off queue."""


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """Anything about a conversation but its entries."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class EntryAdded:
    """A line was added; `origin` is the guest's connection that it came by, which must not get it back."""

    conversation: Conversation
    entry: Entry
    origin: object = None


@dataclass(frozen=True, slots=True)
class Typed:
    """A participant is typing; `origin` as in `EntryAdded`."""

    conversation: Conversation
    sender: Sender
    origin: object = None


@dataclass(frozen=True, slots=True)
class FaultsChanged:
    """A fault was switched; `is_flow_changed` when the flow was published or unpublished with it."""

    is_flow_changed: bool


@dataclass(frozen=True, slots=True)
class SessionsExpired:
    """These sessions' tokens are worth nothing from now on."""

    session_ids: frozenset[SessionId]


@dataclass(frozen=True, slots=True)
class SignedInElsewhere:
    """Whoever has one of these sessions of Web Messaging signed in on another device, so they are over here."""

    session_ids: frozenset[SessionId]


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """This user signed out of every session."""

    user_id: str


@dataclass(frozen=True, slots=True)
class ConnectionLimitReached:
    """Every session of Web Messaging loses its oldest connection, as by one too many."""


@dataclass(frozen=True, slots=True)
class DeploymentChanged:
    """A deployment was added, changed or deleted."""

    deployment_id: str


@dataclass(frozen=True, slots=True)
class SocketsDropped:
    """Every guest's connection breaks, without a close frame."""


@dataclass(frozen=True, slots=True)
class GarbageSent:
    """Every guest gets frames that mean nothing."""


@dataclass(frozen=True, slots=True)
class WasReset:
    """Everything was forgotten."""


Change: TypeAlias = (
    AgentsChanged
    | ConnectionLimitReached
    | ConversationChanged
    | DeploymentChanged
    | EntryAdded
    | Typed
    | FaultsChanged
    | LoggedOut
    | SessionsExpired
    | SignedInElsewhere
    | SocketsDropped
    | GarbageSent
    | WasReset
)

Listener: TypeAlias = Callable[[Change], None]
"""Called in the middle of a change: it looks and passes on; it does not change the org and does not raise."""
