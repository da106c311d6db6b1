"""One guest's chat, from `connect` to its end, whichever API the provider speaks."""

from __future__ import annotations

import asyncio
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Self, TypeAlias

from guestwire.client.event_queue import TakeEvents
from guestwire.client.files import FileData
from guestwire.client.guest_session import GuestSessionAdapter
from guestwire.client.runner import Runner
from guestwire.client.sign_in import SignIn
from guestwire.client.web_messaging import ReadPage, WebMessagingAdapter
from guestwire.errors import ChatError, ConnectionClosed, LocalProtocolError
from guestwire.model.content import ContentItem
from guestwire.model.events import ConnectionStatus, Event
from guestwire.model.ids import ClientId
from guestwire.model.transcript import Transcript
from guestwire.net.clock import Clock
from guestwire.net.http import HttpClient
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.protocols.web_messaging.uploads import UploadRules
from guestwire.settings import Api, ProviderSettings

__all__ = ["AnySession", "Chat", "MakeAdapter"]

AnySession: TypeAlias = GuestSession | WebSession
"""What a guest comes back with: of the one API or of the other."""

MakeAdapter: TypeAlias = Callable[[Transport], GuestSessionAdapter | WebMessagingAdapter]
"""Makes the protocol's half of a chat, over a network."""


class Chat:
    """A chat: an async context manager that sends, and an async iterator over everything that happens.

    Iterate in one place at a time. Events are never dropped: what is not read waits, and with 1,000 waiting nothing
    more is read from the socket, so an app must iterate (`async for _ in chat: pass` will do). The iteration ends,
    without an error, when the connection is closed for good: the conversation ended, `aclose` was called, or it failed.
    A failure is the last status event and stays in `error`; `send` raises it from then on. Text that was not sent by
    then is in `transcript`, in rows whose state is `queued`.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        make_adapter: MakeAdapter,
        *,
        session: AnySession | None,
        most_unread: int,
        take_events: TakeEvents | None,
        keeps_transcript: bool,
        transport: Transport | None,
        clock: Clock,
    ) -> None:
        """Use `connect`, which has the defaults."""
        self._settings = settings
        self._make_adapter = make_adapter
        self._given_session = session
        self._most_unread = most_unread
        self._take_events = take_events
        self._keeps_transcript = keeps_transcript
        self._given_transport = transport
        self._clock = clock
        self._own_transport: HttpClient | None = None
        self._is_closed = False
        self._adapter: GuestSessionAdapter | WebMessagingAdapter | None = None
        self._runner: Runner | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect and return at once; how it goes is told by events.

        Raises:
            ConfigError: `ca_file` can't be used.
        """
        if self._runner is not None:
            raise LocalProtocolError("Expected a new Chat, got one that was used before; call connect() again.")
        transport = self._given_transport
        if transport is None:
            own = HttpClient(
                ca_file=self._settings.ca_file,
                use_system_proxy=self._settings.use_system_proxy,
                connect_timeout_s=self._settings.connect_timeout_s,
                answer_timeout_s=self._settings.answer_timeout_s,
            )
            transport = self._own_transport = await own.__aenter__()
        self._adapter = self._make_adapter(transport)
        self._runner = Runner(
            self._adapter,
            transport=transport,
            clock=self._clock,
            most_unread=self._most_unread,
            take_events=self._take_events,
            keeps_transcript=self._keeps_transcript,
        )
        # A plain task, not a task group: a group would wrap what the caller's body raises.
        self._task = asyncio.create_task(self._runner.run(), name="guestwire-chat")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close as `aclose` does."""
        await self.aclose()

    def __del__(self) -> None:
        """Complain when it was never closed."""
        task = getattr(self, "_task", None)
        if task is not None and not task.done():
            warnings.warn("Chat was never closed; use `async with`.", ResourceWarning, source=self, stacklevel=2)

    # --- what is so -------------------------------------------------------------------------------------------

    @property
    def status(self) -> ConnectionStatus:
        """The connection's status now; the events tell every change."""
        return ConnectionStatus.DISCONNECTED if self._adapter is None else self._adapter.core.status

    @property
    def api(self) -> Api:
        """What the provider speaks; what only one API has is said where it is."""
        return self._settings.resolved_api

    @property
    def session(self) -> AnySession | None:
        """The guest's session, once there is one; pass it to `connect` to come back to it."""
        return self._given_session if self._adapter is None else self._adapter.session

    @property
    def deployment(self) -> Deployment | None:
        """What the deployment's public configuration says, once it was read; None for guest-session."""
        return self._adapter.core.deployment if isinstance(self._adapter, WebMessagingAdapter) else None

    @property
    def upload_rules(self) -> UploadRules:
        """Which files may be attached: none before the session is configured, and none for guest-session."""
        return self._adapter.core.upload_rules if isinstance(self._adapter, WebMessagingAdapter) else UploadRules()

    @property
    def transcript(self) -> Transcript:
        """What people read, up to this moment: it is ahead of an iteration that lags. Read only."""
        return self._running().transcript

    @property
    def error(self) -> ChatError | None:
        """Why the connection failed for good; None while it has not."""
        return None if self._runner is None else self._runner.error

    @property
    def is_open(self) -> bool:
        """Whether `write` would reach a connection: one is open, and the conversation goes on."""
        return self._runner is not None and self._runner.is_open

    @property
    def close_code(self) -> int:
        """Code of the last connection's close; 1006 when there was none."""
        return 1006 if self._runner is None else self._runner.last_close[0]

    # --- what the guest does ----------------------------------------------------------------------------------

    async def send(
        self, text: str, *, content: tuple[ContentItem, ...] = (), in_reply_to: str | None = None
    ) -> ClientId:
        """Send a message, or queue it until it can be sent; messages keep their order.

        This returns before the message is written; receipts tell its fate. With web-messaging that is `delivered` when
        the provider has said it back, and after a lost connection its history is asked what has arrived. With
        guest-session it is `sent` when it was written. What waits when the chat is closed is not sent.

        Args:
            text: At most 4,096 UTF-8 bytes; blank only with `content`.
            content: Answers to rich content, see `model.content.button_response`, and files, see `attach`.
            in_reply_to: Id of the message that it answers; guest-session has no place for it.

        Returns:
            The message's client id, which its receipts carry.

        Raises:
            MessageRejected: It is blank or too long, or the conversation is read-only; others are not touched.
            ConversationEnded: The conversation has ended for good (guest-session).
            ChatError: The connection failed for good: what `error` holds.
            ConnectionClosed: The chat was closed.
        """
        runner = self._running()
        if runner.error is not None:
            raise runner.error
        if runner.is_over and not runner.adapter.core.has_ended:
            raise ConnectionClosed(1000, by_us=True)
        client_id = ClientId(str(uuid.uuid4()))
        runner.send(text, client_id=client_id, content=content, in_reply_to=in_reply_to)
        return client_id

    async def write(
        self,
        text: str,
        *,
        client_id: ClientId,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> int:
        """Write a message to the connection that is open now, or not at all; for an app with an outbox of its own.

        Unlike `send` this queues nothing and sends nothing again, and there is no `Message` event of it until the
        provider says it back. It returns once the message is in the operating system's hands; `confirm` then tells that
        it has arrived.

        Args:
            text: As for `send`.
            client_id: The app's id of the message.
            content: As for `send`.
            in_reply_to: As for `send`.

        Returns:
            The connection it was written to, for `confirm`.

        Raises:
            NotWritten: No connection is open, or it closed before: the message certainly did not leave.
            ConnectionLost: The connection broke while writing; nobody knows whether the message arrived.
            RateLimited: The provider would refuse it now; nothing was written (web-messaging).
            MessageRejected: It is blank or too long, or the conversation is read-only.
            ConversationEnded: The conversation has ended for good (guest-session).
        """
        return await self._running().write_now(text, client_id=client_id, content=content, in_reply_to=in_reply_to)

    def send_wait_s(self) -> float:
        """Return the seconds until `write` would not raise `RateLimited`; 0.0 for now."""
        return self._running().adapter.send_wait_s(self._clock.now())

    async def confirm(self, connection: int | None = None) -> None:
        """Return when the provider's edge has everything that was written so far.

        It is asked by an RFC 6455 ping; frames keep their order, so the pong proves it. What the provider wrote before
        the pong is among the events by then, and with `most_unread=1` the app is done with it: so go on iterating.
        A provider may answer a frame after the pong to a ping behind it, but hardly after a second one.

        Args:
            connection: What `write` returned; None is the connection that is open now.

        Raises:
            NotWritten: No connection is open, and none was named.
            ConnectionLost: The connection broke, or no pong came in 10 s of reading and it was closed. Nobody knows
                whether what was written has arrived. `close_code` is that connection's.
        """
        await self._running().confirm(connection)

    async def typing(self) -> None:
        """Tell that the guest is typing, every few seconds at most, and only where the provider wants to know."""
        runner = self._running()
        runner.tell(lambda: runner.adapter.core.type(self._clock.now()))

    async def end(self) -> None:
        """End the conversation and return at once; the iteration ends when the provider has closed.

        Where the provider has no such frame, as with web-messaging, this just closes.
        """
        runner = self._running()
        if not runner.is_over:
            runner.tell(lambda: runner.adapter.end(self._clock.now()))

    async def retry_now(self) -> None:
        """Don't wait for the back-off, e.g. because the network is back; does nothing when it isn't waiting."""
        runner = self._running()
        runner.tell(lambda: runner.adapter.retry_now(self._clock.now()))

    async def aclose(self) -> None:
        """Write what is queued for an open socket (within 2 s), close it, and end the iteration. Ends no conversation.

        Raises:
            BaseExceptionGroup: A bug of ours stopped the connection earlier.
        """
        task, runner = self._task, self._runner
        if task is None or runner is None or self._is_closed:
            return
        self._is_closed = True
        try:
            try:
                runner.tell(runner.adapter.core.stop)
                await asyncio.wait({task})
            finally:
                task.cancel()  # for when we are cancelled ourselves
            await task
        finally:
            if self._own_transport is not None:
                await self._own_transport.aclose()

    # --- what only web-messaging has ----------------------------------------------------------------------------------

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Add and change custom attributes; they are told with the guest's next message.

        Raises:
            AttributesTooLarge: More than one message can carry; nothing was changed.
            LocalProtocolError: The provider speaks guest-session; so for all methods from here to `log_out`.
        """
        self._web().core.set_attributes(attributes)

    async def stay(self) -> None:
        """Keep the session from expiring, where the deployment takes typing; else only ask when it does."""
        web = self._web()
        self._running().tell(lambda: web.core.stay(self._clock.now()))

    async def clear(self) -> None:
        """Have the provider forget the conversation, for good; the iteration ends when it has.

        Raises:
            ChatError: `refused-by-deployment`.
            NotWritten: No connection is open.
        """
        web = self._web()
        self._running().tell(lambda: web.core.clear(self._clock.now()))

    async def start_new(self) -> None:
        """Start a new conversation in a session that an ended one has left read-only.

        Raises:
            LocalProtocolError: It is not read-only.
        """
        web = self._web()
        self._running().tell(lambda: web.core.start_new(self._clock.now()))

    async def read_history(self, page: int = 1) -> ReadPage:
        """Read a page of earlier messages; 1 is the newest, and of at most 100 messages.

        What of it is new comes as events, too, so go on iterating; not so with `connect(reads_history=False)`. The
        provider allows ten pages a minute: more wait.

        Raises:
            RateLimited: Too many, with `reads_history=False`, where nothing waits.
            ChatError: It could not be read, though it was tried three times, or the chat was closed before.
        """
        return await self._web().read_page(self._running(), page)

    async def history(self) -> AsyncIterator[ReadPage]:
        """Iterate over the pages of `read_history`, from the newest to the oldest; raises what that does."""
        page = await self.read_history()
        yield page
        while page.has_more:
            page = await self.read_history(page.number + 1)
            yield page

    async def attach(self, name: str, file_type: str, data: FileData, *, size: int | None = None) -> str:
        """Begin to upload a file, and return at once; `AttachmentUpdated` events tell how it gets on.

        When it is uploaded, name it in the content of a message: `attachment(Attachment(id=…))` of `model.content`.

        Args:
            name: Its name, with an extension.
            file_type: Its media type.
            data: Its bytes; or pieces of them, with `size`. They are read as fast as the provider takes them.
            size: Bytes in all.

        Returns:
            The file's id.

        Raises:
            AttachmentRejected: The deployment does not take it; the code says why.
            NotWritten: No connection is open.
        """
        return self._web().files.attach(self._running(), name, file_type, data, size)

    async def uploaded(self, attachment_id: str) -> str:
        """Return where the file can be downloaded, for some minutes, once the provider has all of it.

        Raises:
            AttachmentRejected: It was refused, could not be uploaded, or was deleted; the code says why.
            ConnectionLost: The chat was closed before.
        """
        return await self._web().files.uploaded(attachment_id)

    async def refresh_attachment(self, attachment_id: str) -> str:
        """Return another address to download a file from, because one is good for some minutes only.

        Raises:
            AttachmentRejected: There is no such file, or it is not kept any more.
            NotWritten: No connection is open.
            ConnectionLost: It was lost before the answer.
            TimedOut: There was no answer in 10 s.
        """
        return await self._web().files.refreshed(self._running(), attachment_id)

    async def delete_attachment(self, attachment_id: str) -> None:
        """Give a file up that was not sent in a message yet, also while it is being uploaded.

        Raises:
            NotWritten: No connection is open; an upload is stopped all the same.
        """
        self._web().files.delete(self._running(), attachment_id)

    async def sign_in(self, grant: SignIn) -> None:
        """Make this session that of a guest who signed in, for good (step-up).

        Raises:
            AuthError: The grant was refused.
            ChatError: `refused-by-deployment`; or what the network says.
            NotWritten: No connection is open.
        """
        web, runner = self._web(), self._running()
        jwt = await web.guest.exchange(grant, web.core.deployment)
        runner.tell(lambda: web.core.sign_in(jwt, self._clock.now()))

    async def log_out(self) -> None:
        """Sign the guest out, here and on every other connection; the chat then fails with `signed-out`.

        Raises:
            AuthError: Nobody signed in.
            ChatError: What the network says.
        """
        web = self._web()
        await web.guest.revoke(web.core.deployment)

    # --- what happens -----------------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events that were not read yet."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event, waiting for it; ends when the connection is closed for good."""
        event = await self._running().events.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def _web(self) -> WebMessagingAdapter:
        if not isinstance(self._adapter, WebMessagingAdapter):
            self._running()
            raise LocalProtocolError("Expected a provider of web-messaging: guest-session has nothing of the kind.")
        return self._adapter

    def _running(self) -> Runner:
        if self._runner is None:
            raise LocalProtocolError("Expected an open Chat; use it inside `async with`.")
        return self._runner
