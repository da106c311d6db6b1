"""What the two halves of the relay ask of each other: `RelaySession` is the downstream's, `Upstream` the other's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from guestwire.gateway.log import SessionLog
from guestwire.model.events import Event
from guestwire.model.ids import SessionId
from guestwire.protocols.guest_session.session import GuestDetails

__all__ = ["FailPoint", "SessionLink", "Upstream", "UpstreamFactory", "no_fail_point"]

FailPoint: TypeAlias = Callable[[str], None]
"""Called by name where a crash would hurt most; a no-op but for the chaos tests."""


def no_fail_point(_name: str) -> None:
    """Do nothing."""


class SessionLink(Protocol):
    """A session as its upstream sees it."""

    @property
    def sid(self) -> SessionId:
        """Our id of the session."""

    @property
    def log(self) -> SessionLog:
        """Where it is kept."""

    @property
    def details(self) -> GuestDetails:
        """Who the guest is, for the provider."""

    @property
    def provider_ref(self) -> bytes:
        """What `SessionLog.set_provider` kept when the session was loaded; empty when there was nothing."""

    @property
    def has_ended(self) -> bool:
        """Whether the conversation is over."""

    def is_awaited(self, *, has_begun: bool) -> bool:
        """Return whether somebody is here who waits for what the provider says.

        Args:
            has_begun: Whether the provider knows of the conversation. Before that nobody waits, unless it is to begin
                with the first connection.
        """

    async def provider_said(self, events: Sequence[Event]) -> None:
        """Take events of the provider in order; when this returns the records among them are durable.

        Raises:
            LogUnavailable: Nothing of it was kept; say it again.
            SessionGone: The session was erased.
        """


class Upstream(Protocol):
    """One session's way to the provider, and the pump of its outbox."""

    def start(self) -> None:
        """Begin to connect; does nothing when it has begun."""

    def wake(self) -> None:
        """There may be something in the outbox, or somebody has come."""

    def typing(self) -> None:
        """The guest is typing."""

    def end(self) -> None:
        """The guest ends the conversation, after what waits in the outbox."""

    async def aclose(self) -> None:
        """Stop without ending anything."""


UpstreamFactory: TypeAlias = Callable[["SessionLink"], Upstream]
