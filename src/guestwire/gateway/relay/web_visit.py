"""A short look into a Web Messaging session that nobody talks in: for a file's new address, or to clear it.

The session is entered, not begun: what the provider does not know any more is not made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from guestwire.client.chat import Chat
from guestwire.client.connecting import connect
from guestwire.client.web_messaging import FindDeployment
from guestwire.errors import ChatError, TimedOut
from guestwire.gateway.relay.waits import wait_for
from guestwire.model.events import ConversationStatus, ConversationUpdated, Event, ProviderError, SessionUpdated
from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent
from guestwire.net.transport import Transport
from guestwire.protocols.web_messaging.rest import AuthorizedGuest
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.settings import ProviderSettings

__all__ = ["OPEN_LIMIT_S", "Clearing", "visit"]

OPEN_LIMIT_S = 15.0
"""A session that can't be entered in this time is not there now."""

CLEAR_LIMIT_S = 10.0
"""A provider that has not forgotten a conversation in this time does not do so."""


class Clearing:
    """The question whether a conversation was cleared, and the events that answer it."""

    def __init__(self, clock: Clock) -> None:
        """Ask nothing."""
        self._clock = clock
        self._answered = LightEvent()
        self._refusal: ProviderError | None = None
        self._is_asked = False

    def note(self, event: Event) -> bool:
        """Take an event of the chat; return whether it answered the question with no."""
        match event:
            case ConversationUpdated() if event.status is ConversationStatus.ENDED and event.reason == "cleared":
                self._answered.set()
            case ProviderError() if self._is_asked and event.client_id is None:
                self._refusal = event
                self._answered.set()
                return True
            case _:
                pass
        return False

    async def clear(self, chat: Chat) -> None:
        """Have the conversation cleared, and return when it is.

        Raises:
            ChatError: `refused-by-deployment`, or whatever the provider says; `TimedOut`; `NotWritten`.
        """
        self._answered.clear()
        self._refusal, self._is_asked = None, True
        try:
            await chat.clear()
            if not await wait_for(self._answered, CLEAR_LIMIT_S, self._clock):
                raise TimedOut("The provider's word that it cleared the conversation", CLEAR_LIMIT_S)
            if self._refusal is not None:
                raise ChatError(code=self._refusal.code)
        finally:
            self._is_asked = False


@contextlib.asynccontextmanager
async def visit(
    session: WebSession,
    *,
    settings: ProviderSettings,
    transport: Transport,
    clock: Clock,
    deployment: FindDeployment,
    guest: AuthorizedGuest | None = None,
    note: Callable[[Event], object],
) -> AsyncIterator[Chat]:
    """Enter a session and give it to the block, configured.

    Args:
        session: Whose.
        settings: The provider.
        transport: The network.
        clock: The time.
        deployment: Finds the deployment.
        guest: Who signed in to it.
        note: Gets every event.

    Raises:
        ChatError: It can't be entered.
    """
    entered = LightEvent()
    chat = connect(
        settings,
        session=session,
        sign_in=guest,
        deployment=deployment,
        reads_history=False,
        keeps_transcript=False,
        transport=transport,
        clock=clock,
    )

    async def listen() -> None:
        async for event in chat:
            note(event)
            if isinstance(event, SessionUpdated):
                entered.set()
        entered.set()  # or never will be

    async with chat:
        listening = asyncio.create_task(listen(), name="guestwire-visit")
        try:
            await wait_for(entered, OPEN_LIMIT_S, clock)
            if chat.error is not None:
                raise chat.error
            if not entered.is_set():
                raise TimedOut("Entering a session", OPEN_LIMIT_S)
            yield chat
        finally:
            listening.cancel()
            await asyncio.wait({listening})
