"""What the two halves of the relay ask of each other: `RelaySession` is the downstream's, `Upstream` the other's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from guestwire.errors import ChatError
from guestwire.gateway.log import SessionLog
from guestwire.model.events import ConversationUpdated, Event
from guestwire.model.ids import SessionId
from guestwire.protocols.guest_session.session import Authorization, GuestDetails
from guestwire.protocols.guest_session.wire import MAX_TEXT_BYTES
from guestwire.protocols.web_messaging.uploads import UploadRules

__all__ = [
    "Authorization",
    "BasicUpstream",
    "FailPoint",
    "Offer",
    "ProviderFile",
    "SessionLink",
    "Upload",
    "Upstream",
    "UpstreamFactory",
    "no_fail_point",
]

FailPoint: TypeAlias = Callable[[str], None]
"""Called by name where a crash would hurt most; a no-op but for the chaos tests."""


def no_fail_point(_name: str) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the provider's session takes and tells at present, beyond messages; all of it, every time.

    Attributes:
        features: Some of `attachments`, `clear`, `stay`, `markdown`, `typing`, `start-new` (topics/protocol.md).
        max_text_bytes: Of a guest's message.
        uploads: What files it takes, with `attachments`.
        expires_at: When it ends unless something happens; None while nobody has said.
        read_only: Whether it takes no messages until a new conversation is started.
        bot_name: What the bot is called, where the deployment says so.
        bot_avatar: URL of its picture.
        colour: The deployment's, as CSS writes it.
    """

    features: frozenset[str] = frozenset()
    max_text_bytes: int = MAX_TEXT_BYTES
    uploads: UploadRules = field(default_factory=UploadRules)
    expires_at: datetime | None = None
    read_only: bool = False
    bot_name: str | None = None
    bot_avatar: str | None = None
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way from a guest: checked against `Offer.uploads`, its name cleaned.

    Attributes:
        name: With its extension.
        file_type: Its media type, lower case, without parameters.
        size: Bytes that `data` has.
        data: Its bytes, once; raises `ChatError` when the guest stops sending. Read them no faster than they leave.
    """

    name: str
    file_type: str
    size: int
    data: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class ProviderFile:
    """A file that the provider has: its id there, and where it can be downloaded for some minutes."""

    id: str
    url: str | None = None


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
    def attributes(self) -> Mapping[str, str]:
        """What the site tells the provider about its guest; at most 2,048 bytes of UTF-8 in all."""

    @property
    def authorization(self) -> Authorization | None:
        """What the guest signed in with, when the session was created; its code is good once."""

    @property
    def provider_ref(self) -> bytes:
        """What `SessionLog.set_provider` kept when the session was loaded; empty when there was nothing."""

    @property
    def has_ended(self) -> bool:
        """Whether the conversation is over."""

    @property
    def conversation(self) -> ConversationUpdated | None:
        """The last change of the conversation's state that was recorded; None before any."""

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

    def offer_changed(self) -> None:
        """Tell that `Upstream.offer` is another one now; cheap, may be called often."""


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

    @property
    def offer(self) -> Offer | None:
        """What the provider's session offers now.

        None for a provider that knows nothing of it, as long as the upstream lives; the calls below are then refused.
        Otherwise never None: before the provider was asked, what is known without it. Attachments in its messages have
        an id, by which `attachment_url` finds them.
        """

    async def attach(self, upload: Upload) -> ProviderFile:
        """Pass a file on to the provider; begins the provider's session where there is none.

        Raises:
            ChatError: It was not taken; the code says why (`attachment-…`, `upstream-…`, `rate-limited`). What
                `upload.data` raises comes out as it is.
        """

    async def delete_attachment(self, attachment_id: str) -> None:
        """Give up a file that was not sent yet; one that is not there is no error.

        Raises:
            ChatError: The provider could not be told.
        """

    async def attachment_url(self, attachment_id: str) -> str:
        """Ask the provider for a new address of a file, also after the end as long as its session is known.

        Raises:
            ChatError: `attachment-unknown`, `attachment-expired`, `upstream-…`.
        """

    async def clear(self) -> None:
        """Have the provider forget the conversation, also one that has ended; returns when it has.

        Afterwards, or before, the session gets `ConversationUpdated` with `ended` and reason `cleared`, also where
        somebody else cleared it.

        Raises:
            ChatError: `refused-by-deployment`, `upstream-…`; nothing was cleared.
        """

    def stay(self) -> None:
        """Keep the provider's session from expiring, where it is open."""

    async def sign_in(self) -> None:
        """Exchange `SessionLink.authorization` now, and keep what came of it with `set_provider`.

        Raises:
            ChatError: `sign-in-needed`: it was refused. `upstream-…`: nobody knows.
        """

    def ref_for_new(self) -> bytes:
        """Return the `provider_ref` with which a new conversation begins after this one has ended; empty for none."""


class BasicUpstream:
    """The part of an `Upstream` that a provider without files and sign-in has."""

    @property
    def offer(self) -> Offer | None:
        """Nothing."""
        return None

    async def attach(self, upload: Upload) -> ProviderFile:  # noqa: ARG002
        """Refuse."""
        raise ChatError(code="attachments-off")

    async def delete_attachment(self, attachment_id: str) -> None:  # noqa: ARG002
        """Refuse."""
        raise ChatError(code="attachments-off")

    async def attachment_url(self, attachment_id: str) -> str:  # noqa: ARG002
        """Refuse."""
        raise ChatError(code="attachment-unknown")

    async def clear(self) -> None:
        """Refuse."""
        raise ChatError(code="refused-by-deployment")

    def stay(self) -> None:
        """Do nothing."""

    async def sign_in(self) -> None:
        """Refuse."""
        raise ChatError(code="refused-by-deployment")

    def ref_for_new(self) -> bytes:
        """Begin with nothing."""
        return b""


UpstreamFactory: TypeAlias = Callable[["SessionLink"], Upstream]
