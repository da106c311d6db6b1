"""What the runner needs of a protocol: its core, and something that does the core's effects.

The core decides; an adapter carries out what only this protocol has (a REST call, a key to get), and leaves to the
runner, its shell, what all of them have: tasks, the connection, time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Protocol, TypeAlias

from guestwire.client.line import Frame
from guestwire.errors import ChatError
from guestwire.model.content import ContentItem
from guestwire.model.events import ConnectionStatus, Event, StatusError

__all__ = ["Adapter", "Core", "Shell", "Step"]

Step: TypeAlias = Callable[[], Awaitable[None]]
"""Something that takes time; what it raises (`ChatError`) is told to the core as `attempt_failed`."""


class Core(Protocol):
    """What the cores have in common; see `protocols.guest_session.client` and `protocols.web_messaging.client`."""

    @property
    def status(self) -> ConnectionStatus:
        """The state of the connection in the words of the model."""

    @property
    def has_ended(self) -> bool:
        """Whether the conversation has ended."""

    def events(self) -> list[Event]:
        """Return what happened, in order, and forget it."""

    def next_deadline(self) -> float | None:
        """Return when to call `timer_due`; None for never."""

    def opened(self, now: float) -> None:
        """Take note that the socket is open."""

    def frame_received(self, text: str, now: float) -> None:
        """Take one text frame."""

    def closed(self, code: int, now: float) -> None:
        """Take note that the socket closed."""

    def attempt_failed(self, error: ChatError, now: float) -> None:
        """Take note that what the last effect asked for failed."""

    def timer_due(self, now: float) -> None:
        """Take note that the time is past `next_deadline()`."""

    def type(self, now: float) -> None:
        """Tell that the guest is typing, where that is of use."""

    def stop(self) -> None:
        """Go away without ending anything."""


class Shell(Protocol):
    """The runner, as an adapter sees it."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def tell(self, what: Callable[[], None]) -> None:
        """Call into the core, then do and show what follows."""

    def show(self, event: Event) -> None:
        """Pass an event on that is not the core's."""

    def begin(self, step: Step) -> None:
        """Begin a step of the connection, in place of the one before."""

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Begin something beside the connection; it must not raise a `ChatError`."""

    async def converse(self, url: str, *, origin: str | None = None) -> None:
        """Open the WebSocket and serve it until it is closed."""

    def write(self, frame: Frame) -> None:
        """Have a frame written to the open connection, after what waits."""

    def close(self) -> None:
        """Write what waits and close the connection, or give up the step that is under way."""


class Adapter(Protocol):
    """One protocol, for one guest."""

    @property
    def core(self) -> Core:
        """The core."""

    @property
    def is_over(self) -> bool:
        """Whether the core has closed for good or failed."""

    @property
    def is_open(self) -> bool:
        """Whether the core takes messages for the open socket now."""

    def start(self, now: float) -> None:
        """Begin."""

    def retry_now(self, now: float) -> None:
        """Don't wait for the back-off."""

    def end(self, now: float) -> None:
        """End the conversation, where the protocol has a way to."""

    def send_text(
        self,
        text: str,
        now: float,
        *,
        client_id: str,
        sent_at: datetime,
        content: tuple[ContentItem, ...],
        in_reply_to: str | None,
    ) -> None:
        """Send a message, now or when it can be."""

    def frame_now(
        self, text: str, now: float, *, client_id: str, content: tuple[ContentItem, ...], in_reply_to: str | None
    ) -> Frame:
        """Return the frame of a message for the socket that is open; nothing else is to be done for it."""

    def send_wait_s(self, now: float) -> float:
        """Return the seconds until the provider takes another message; 0.0 for now."""

    def sent(self, client_id: str, now: float) -> None:
        """Take note that a message was written."""

    def do_effects(self, shell: Shell) -> None:
        """Do what the core asks for, in order."""

    def note(self, event: Event) -> None:
        """See an event before the app does."""

    def failure(self, error: StatusError, last: ChatError | None, close: tuple[int, str]) -> ChatError:
        """Return the error to raise for a connection that failed for good.

        Args:
            error: What the core says.
            last: The last error of a step.
            close: Code and reason of the last connection's close.
        """

    async def finish(self) -> None:
        """Do what must still be done when the connection is closed for good."""

    def let_go(self) -> None:
        """Stop whatever runs beside the connection, and let go of everybody who waits; may be called again."""
