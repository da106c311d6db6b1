"""What the pump of an outbox needs of a provider: a line to write to, and what this provider can do beside."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, Self

from guestwire.model.content import ContentItem
from guestwire.model.ids import ClientId

__all__ = ["Capabilities", "ProviderLine"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do that settles messages and fills gaps (reliability 2.13); it holds for one session there.

    Attributes:
        echo: It says each message of the guest back, with our client id and its own id.
        history: It can be asked for earlier messages, in its order, each with its id.
    """

    echo: bool = False
    history: bool = False

    @classmethod
    def of(cls, extensions: AbstractSet[str]) -> Self:
        """Read what a guest-session provider announces [D]."""
        return cls(echo="echo" in extensions, history="history" in extensions)


class ProviderLine(Protocol):
    """What the pump needs of a `client.Chat`; see there."""

    @property
    def is_open(self) -> bool:
        """Whether a connection is open and the conversation goes on."""

    @property
    def close_code(self) -> int:
        """Code of the last connection's close."""

    async def write(self, text: str, *, client_id: ClientId, content: tuple[ContentItem, ...] = ()) -> int:
        """Write a message to the connection that is open now, or not at all."""

    async def confirm(self, connection: int | None = None) -> None:
        """Return when the provider's edge has everything that was written so far."""

    async def typing(self) -> None:
        """Tell that the guest is typing."""

    async def end(self) -> None:
        """End the conversation, also when the connection is still to be opened."""
