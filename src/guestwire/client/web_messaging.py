"""Web Messaging for the runner: what its core asks for, done."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeAlias, assert_never

from guestwire import __version__
from guestwire.client.adapter import Shell
from guestwire.client.files import Files
from guestwire.client.line import Frame
from guestwire.client.sign_in import GuestSignIn, KeepGuest, SignIn
from guestwire.client.web_sessions import (
    find_deployment,
    messaging_base,
    read_history_page,
    upload_file,
)
from guestwire.errors import AuthError, ChatError, ConfigError, ConnectionClosed, RateLimited, SessionExpired
from guestwire.model.content import ContentItem
from guestwire.model.events import (
    AttachmentUpdated,
    ConnectionStatus,
    Event,
    Message,
    StatusChanged,
    StatusError,
)
from guestwire.model.http import Stream
from guestwire.net.clock import Clock
from guestwire.net.transport import Transport
from guestwire.protocols.web_messaging.client import WebMessagingClient
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.effects import (
    Authorize,
    CloseSocket,
    Effect,
    KeepSession,
    OpenSocket,
    ReadDeployment,
    ReadHistory,
    SendFrame,
    Upload,
)
from guestwire.protocols.web_messaging.rest import HistoryPage
from guestwire.protocols.web_messaging.session import WebSession, socket_url
from guestwire.protocols.web_messaging.states import State
from guestwire.protocols.web_messaging.translate import to_events
from guestwire.settings import ProviderSettings

__all__ = ["FindDeployment", "KeepWebSession", "ReadPage", "WebMessagingAdapter"]

APPLICATION = f"guestwire-{__version__}"

KeepWebSession: TypeAlias = Callable[[WebSession | None], Awaitable[None]]
"""Called with every session before it is used, with None when it is good for nothing any more.

What it raises (`ChatError`) for a session is tried again later; a session that could not be forgotten is refused and
told again the next time.
"""


FindDeployment: TypeAlias = Callable[[], Awaitable[Deployment]]
"""Returns the deployment's public configuration; what it raises (`ChatError`) decides whether it is asked again."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page of the history.

    Attributes:
        number: Which page; 1 is the newest.
        events: All that it tells, oldest first, also what was known: messages, presence, ends.
        has_more: Whether there are older pages.
    """

    number: int
    events: tuple[Event, ...]
    has_more: bool

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was said."""
        return tuple(event for event in self.events if isinstance(event, Message))


class WebMessagingAdapter:
    """See `adapter.Adapter`."""

    def __init__(
        self,
        settings: ProviderSettings,
        *,
        transport: Transport,
        clock: Clock,
        delay_s: Callable[[int], float],
        session: WebSession | None = None,
        deployment: Deployment | FindDeployment | None = None,
        attributes: Mapping[str, str] | None = None,
        sign_in: SignIn | None = None,
        keep_session: KeepWebSession | None = None,
        keep_guest: KeepGuest | None = None,
        reads_history: bool = True,
    ) -> None:
        """Prepare; nothing is sent before `start`."""
        self.core = WebMessagingClient(
            settings.deployment(),
            new_id=lambda: str(uuid.uuid4()),
            delay_s=delay_s,
            epoch_s=clock.utc().timestamp() - clock.now(),
            session=session,
            deployment=deployment if isinstance(deployment, Deployment) else None,
            signs_in=sign_in is not None,
            reads_history=reads_history,
        )
        if attributes:
            self.core.set_attributes(attributes)
        self.guest = GuestSignIn(transport, settings, sign_in, keep_guest)
        self.files = Files(self.core, clock, self._put_file)
        self._find_deployment = None if isinstance(deployment, Deployment) else deployment
        self._reads_history = reads_history
        self._settings = settings
        self._transport = transport
        self._keep_session = keep_session
        self._to_keep: list[WebSession | None] = []
        self._keeping = asyncio.Lock()
        self._beside: set[asyncio.Task[None]] = set()
        self._readers: list[tuple[int, asyncio.Future[ReadPage]]] = []

    @property
    def session(self) -> WebSession | None:
        """The session in use, if there is one."""
        return self.core.session

    @property
    def is_over(self) -> bool:
        """Whether the core has closed for good or failed."""
        return self.core.state in {State.CLOSED, State.FAILED}

    @property
    def is_open(self) -> bool:
        """Whether the session is configured and takes messages."""
        return self.core.is_open

    def start(self, now: float) -> None:  # noqa: ARG002 - the core needs no time for it, nor for the next two
        """Begin."""
        self.core.start()

    def retry_now(self, now: float) -> None:  # noqa: ARG002
        """Don't wait for the back-off."""
        self.core.retry_now()

    def end(self, now: float) -> None:  # noqa: ARG002
        """Just close: a guest of Web Messaging goes away, or has everything forgotten (`clear`)."""
        self.core.stop()

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
        self.core.send_text(text, now, client_id=client_id, sent_at=sent_at, content=content, in_reply_to=in_reply_to)

    def frame_now(
        self, text: str, now: float, *, client_id: str, content: tuple[ContentItem, ...], in_reply_to: str | None
    ) -> Frame:
        """Return the frame of a message for the socket that is open."""
        self.core.send_now(text, now, client_id=client_id, content=content, in_reply_to=in_reply_to)
        [frame] = self.core.effects()
        assert isinstance(frame, SendFrame), frame  # noqa: S101 - all else was done when it was asked for
        return Frame(frame.text, frame.client_id)

    def send_wait_s(self, now: float) -> float:
        """Return the seconds until the provider takes another message; 0.0 for now."""
        return self.core.send_wait_s(now)

    def sent(self, client_id: str, now: float) -> None:
        """Take note that a message was written."""
        self.core.sent(client_id, now)

    def note(self, event: Event) -> None:
        """Tell whoever waits for what the event says."""
        match event:
            case AttachmentUpdated():
                self.files.note(event)
            case StatusChanged() if event.status is not ConnectionStatus.CONNECTED:
                self.files.disconnected()
            case _:
                pass

    def failure(self, error: StatusError, last: ChatError | None, close: tuple[int, str]) -> ChatError:
        """Return the step's own error, or the core's as the class that fits."""
        if last is not None and last.code == error.code:
            return last
        match error.code:
            case "deployment-refused" | "deployment-unknown" | "deployment-inactive":
                return ConfigError(error.text, code=error.code)
            case "sign-in-needed" | "signed-in-elsewhere" | "signed-out":
                return AuthError(error.text, code=error.code)
            case "session-expired":
                return SessionExpired(error.text)
            case "connection-replaced":
                return ConnectionClosed(*close, code=error.code)
            case code:
                return ChatError(error.text, code=code)

    async def finish(self) -> None:
        """Forget the session where the app keeps it, if that is due."""
        # A session that could not be forgotten is refused the next time, and then this is tried again.
        with contextlib.suppress(ChatError):
            await self._keep_up()

    def let_go(self) -> None:
        """Stop uploads and readings, and let go of everybody who waits."""
        for task in self._beside:
            task.cancel()
        self.files.let_go()
        for _, reader in self._readers:
            if not reader.done():
                reader.set_exception(ConnectionClosed(1000, by_us=True))

    async def read_page(self, shell: Shell, number: int) -> ReadPage:
        """Have a page of the history read, and return it.

        Raises:
            RateLimited: Too many were read, and nothing is read behind the caller's back (`reads_history=False`).
            ConnectionClosed: The connection is closed for good, or was before the page was read.
            ChatError: It can't be read.
        """
        if self.is_over:
            raise ConnectionClosed(1000, by_us=True)
        wait_s = 0.0 if self._reads_history else self.core.history_wait_s(shell.now())
        if wait_s > 0:
            raise RateLimited(retry_after_s=wait_s)
        reader: asyncio.Future[ReadPage] = asyncio.get_running_loop().create_future()
        entry = number, reader
        self._readers.append(entry)
        try:
            shell.tell(lambda: self.core.read_history(shell.now(), page=number))
            return await reader
        finally:
            self._readers.remove(entry)

    # --- effects ----------------------------------------------------------------------------------------------

    def do_effects(self, shell: Shell) -> None:
        """Do what the core asks for, in order."""
        for effect in self.core.effects():
            self._do(effect, shell)
        self._settle_readers()

    def _do(self, effect: Effect, shell: Shell) -> None:
        match effect:
            case ReadDeployment():
                shell.begin(partial(self._read_deployment, shell))
            case Authorize() if self.core.state is State.REAUTHORIZING:  # on the socket that is open
                self._spawn(self._authorize_again(shell), shell)
            case Authorize():
                shell.begin(partial(self._authorize, shell))
            case KeepSession(session):
                self._to_keep = [session]
                if self.core.is_open:  # else the next step, or the end, comes at once
                    self._spawn(self.finish(), shell)
            case OpenSocket():
                shell.begin(partial(self._open, shell))
            case SendFrame(text, client_id):
                shell.write(Frame(text, client_id))
            case ReadHistory():
                self._spawn(self._read_history(effect, shell), shell)
            case Upload():
                self.files.upload(effect, shell)
            case CloseSocket():
                shell.close()
            case _:
                assert_never(effect)

    async def _read_deployment(self, shell: Shell) -> None:
        find = self._find_deployment or partial(find_deployment, self._transport, self._settings)
        deployment = await find()
        shell.tell(lambda: self.core.deployment_read(deployment))

    async def _authorize(self, shell: Shell) -> None:
        jwt = await self.guest.jwt(self.core.deployment)
        shell.tell(lambda: self.core.authorized(jwt, shell.now()))

    async def _authorize_again(self, shell: Shell) -> None:
        try:
            jwt = await self.guest.jwt(self.core.deployment)
        except ChatError as error:
            failure = error
            answer = partial(self.core.attempt_failed, failure)
        else:
            answer = partial(self.core.authorized, jwt)
        if self.core.state is State.REAUTHORIZING:  # else the connection was lost meanwhile
            shell.tell(lambda: answer(shell.now()))

    async def _open(self, shell: Shell) -> None:
        await self._keep_up()
        base = messaging_base(self._settings, self.core.deployment)
        url = socket_url(base, self._settings.deployment(), application=APPLICATION)
        await shell.converse(url, origin=self._settings.origin)

    async def _keep_up(self) -> None:
        """Have the app keep what it has not kept yet."""
        async with self._keeping:
            while self._to_keep and self._keep_session is not None:
                [session] = self._to_keep
                await self._keep_session(session)
                if self._to_keep == [session]:
                    self._to_keep = []

    async def _read_history(self, effect: ReadHistory, shell: Shell) -> None:
        try:
            page = await read_history_page(
                self._transport, self._settings, effect.jwt, effect.query, deployment=self.core.deployment
            )
        except ChatError as error:
            failure = error
            shell.tell(lambda: self.core.history_failed(failure, shell.now()))
            return
        for number, reader in self._readers:
            if number == page.number and not reader.done():
                reader.set_result(_read_page(page, self.core.deployment))
        shell.tell(lambda: self.core.history_read(page, shell.now()))

    async def _put_file(self, url: str, headers: Mapping[str, str], file_type: str, content: Stream) -> None:
        await upload_file(self._transport, self._settings, url, headers, file_type=file_type, content=content)

    def _settle_readers(self) -> None:
        """Answer for pages that the core does not want any more: given up, or of a session that has none."""
        for number, reader in self._readers:
            if reader.done() or self.core.wants_page(number):
                continue
            why = self.core.why_unread(number)
            if why is None:
                reader.set_result(ReadPage(number, (), has_more=False))
            else:
                reader.set_exception(ChatError(why.text, code=why.code, retry_after_s=why.retry_after))

    def _spawn(self, work: Coroutine[object, object, None], shell: Shell) -> None:
        task = shell.spawn(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


def _read_page(page: HistoryPage, deployment: Deployment | None) -> ReadPage:
    events = tuple(event for body in page.messages for event in to_events(body, deployment=deployment))
    return ReadPage(page.number, events, page.has_more)
