"""The guest-session protocol for the runner: what its core asks for, done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TypeAlias, assert_never

from guestwire.client.adapter import Shell
from guestwire.client.line import Frame
from guestwire.client.sessions import check_guest_session, create_guest_session, socket_base
from guestwire.client.tokens import TokenSource
from guestwire.errors import ChatError, ConnectionClosed
from guestwire.model.content import ContentItem
from guestwire.model.events import Event, StatusError
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.client import (
    Authenticate,
    CheckSession,
    CloseSocket,
    CreateSession,
    Effect,
    GuestSessionClient,
    OpenSocket,
    SendFrame,
)
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession, socket_url
from guestwire.protocols.guest_session.states import State
from guestwire.settings import ProviderSettings

__all__ = ["GuestSessionAdapter", "KeepGuestSession"]

KeepGuestSession: TypeAlias = Callable[[GuestSession], Awaitable[None]]
"""Called with every session that was created, before it is used; what it raises (`ChatError`) is tried again later."""


class GuestSessionAdapter:
    """See `adapter.Adapter`."""

    def __init__(
        self,
        settings: ProviderSettings,
        details: GuestDetails,
        *,
        transport: Transport,
        tokens: TokenSource,
        delay_s: Callable[[int], float],
        session: GuestSession | None = None,
        keep_session: KeepGuestSession | None = None,
    ) -> None:
        """Prepare; nothing is sent before `start`."""
        self.core = GuestSessionClient(delay_s=delay_s, session=session)
        self._settings = settings
        self._details = details
        self._transport = transport
        self._tokens = tokens
        self._keep_session = keep_session

    @property
    def session(self) -> GuestSession | None:
        """The session in use, if there is one."""
        return self.core.session

    @property
    def is_over(self) -> bool:
        """Whether the core has closed for good or failed."""
        return self.core.state in {State.CLOSED, State.FAILED}

    @property
    def is_open(self) -> bool:
        """Whether the socket is open and the conversation goes on."""
        return self.core.state is State.CONNECTED and not self.core.has_ended

    def start(self, now: float) -> None:
        """Begin."""
        self.core.start(now)

    def retry_now(self, now: float) -> None:
        """Don't wait for the back-off."""
        self.core.retry_now(now)

    def end(self, now: float) -> None:
        """End the conversation, where the provider has a way to; else just close."""
        self.core.end(now)

    def send_text(
        self,
        text: str,
        now: float,
        *,
        client_id: str,
        sent_at: datetime,
        content: tuple[ContentItem, ...],
        in_reply_to: str | None,  # noqa: ARG002 - the protocol has no place for it
    ) -> None:
        """Send a message, now or when the socket opens."""
        self.core.send_text(text, now, client_id=client_id, sent_at=sent_at, content=content)

    def frame_now(
        self,
        text: str,
        now: float,  # noqa: ARG002 - the caller keeps its own pace
        *,
        client_id: str,
        content: tuple[ContentItem, ...],
        in_reply_to: str | None,  # noqa: ARG002 - as above
    ) -> Frame:
        """Return the frame of a message for the socket that is open."""
        self.core.send_now(text, client_id=client_id, content=content)
        [frame] = self.core.effects()
        assert isinstance(frame, SendFrame), frame  # noqa: S101 - all else was done when it was asked for
        return Frame(frame.text, frame.client_id)

    def send_wait_s(self, now: float) -> float:  # noqa: ARG002 - the core paces by itself
        """Return 0.0."""
        return 0.0

    def sent(self, client_id: str, now: float) -> None:  # noqa: ARG002 - only others want to know when
        """Take note that a message was written."""
        self.core.sent(client_id)

    def note(self, event: Event) -> None:
        """Do nothing."""

    def failure(self, error: StatusError, last: ChatError | None, close: tuple[int, str]) -> ChatError:
        """Return the step's own error, or how the connection was closed."""
        return last if last is not None and last.code == error.code else ConnectionClosed(*close, code=error.code)

    async def finish(self) -> None:
        """Do nothing."""

    def let_go(self) -> None:
        """Do nothing."""

    # --- effects ----------------------------------------------------------------------------------------------

    def do_effects(self, shell: Shell) -> None:
        """Do what the core asks for, in order."""
        for effect in self.core.effects():
            self._do(effect, shell)

    def _do(self, effect: Effect, shell: Shell) -> None:
        match effect:
            case Authenticate():
                shell.begin(partial(self._authenticate, shell))
            case CreateSession():
                shell.begin(partial(self._create_session, shell))
            case OpenSocket(session):
                shell.begin(partial(shell.converse, socket_url(session, socket_base(session, self._settings))))
            case CheckSession(session):
                shell.begin(partial(self._check, session, shell))
            case SendFrame(text, client_id):
                shell.write(Frame(text, client_id))
            case CloseSocket():
                shell.close()
            case _:
                assert_never(effect)

    async def _authenticate(self, shell: Shell) -> None:
        await self._tokens.access_token()
        shell.tell(self.core.authenticated)

    async def _create_session(self, shell: Shell) -> None:
        session = await create_guest_session(self._transport, self._tokens, self._settings, self._details)
        if self._keep_session is not None:
            await self._keep_session(session)
        shell.tell(lambda: self.core.session_created(session, shell.now()))

    async def _check(self, session: GuestSession, shell: Shell) -> None:
        await check_guest_session(self._transport, self._settings, session)
        shell.tell(lambda: self.core.still_valid(shell.now()))
