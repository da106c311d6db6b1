"""What the pump of an outbox needs of a provider: a line to write to, and what this provider can do beside."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, Self

from guestwire.model.content import ContentItem
from guestwire.model.ids import ClientId

__all__ = ["Capabilities", "Pace", "ProviderLine", "Way"]


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


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a history is asked, in seconds; by default as if it cost nothing.

    Attributes:
        look_again_s: So long after a connection was opened it is read again, for what became visible late.
        read_again_s: So long after the last reading it is read again while a message is in flight, …
        read_every_s: … and from then on; None is as often as two readings must be apart to settle anything.
        give_up_s: A history that can't be read for so long settles nothing: the guest decides, and the next message has
            its turn.
    """

    look_again_s: tuple[float, ...] = (0.5, 1.5, 3.0, 6.0, 15.0, 30.0, 60.0)
    read_again_s: tuple[float, ...] = (0.0, 0.3, 0.7)
    read_every_s: float | None = None
    give_up_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Way:
    """What holds in one session of a provider.

    Attributes:
        mark: Tells its messages from those of another session, see `bodies.provider_mark`.
        can: What settles messages there.
        pace: How often its history is asked.
        names_refused: A refusal says which message it is about; one that names none is about something else.
        tells_ids: Guests answer its messages by the provider's own ids.
    """

    mark: str = ""
    can: Capabilities = Capabilities()
    pace: Pace = Pace()
    names_refused: bool = False
    tells_ids: bool = False


class ProviderLine(Protocol):
    """What the pump needs of a `client.Chat`; see there."""

    @property
    def is_open(self) -> bool:
        """Whether a connection is open and the conversation goes on."""

    @property
    def close_code(self) -> int:
        """Code of the last connection's close."""

    def send_wait_s(self) -> float:
        """Return the seconds until the provider takes another message of the guest's; 0.0 for now."""

    async def write(
        self,
        text: str,
        *,
        client_id: ClientId,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> int:
        """Write a message to the connection that is open now, or not at all."""

    async def confirm(self, connection: int | None = None) -> None:
        """Return when the provider's edge has everything that was written so far."""

    async def typing(self) -> None:
        """Tell that the guest is typing."""

    async def end(self) -> None:
        """End the conversation, also when the connection is still to be opened."""
