"""One guest's chat, from `connect` to its end."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
import warnings
from collections.abc import AsyncIterator
from random import Random
from types import TracebackType
from typing import Self

from guestwire.client.event_queue import ROOM, TakeEvents
from guestwire.client.runner import KeepSession, Runner
from guestwire.client.sessions import check_details
from guestwire.client.tokens import CallerTokens, TokenBroker, TokenProvider, TokenSource
from guestwire.errors import ChatError, ConnectionClosed, LocalProtocolError
from guestwire.model.content import ContentItem
from guestwire.model.events import ConnectionStatus, Event
from guestwire.model.ids import ClientId
from guestwire.model.transcript import Transcript
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock, SystemClock
from guestwire.net.http import HttpClient
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.client import GuestSessionClient
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession
from guestwire.settings import ProviderSettings

__all__ = ["Chat", "connect"]


def connect(
    settings: ProviderSettings,
    *,
    name: str | None = None,
    email: str | None = None,
    external_contact_id: str | None = None,
    token_provider: TokenProvider | None = None,
    tokens: TokenSource | None = None,
    session: GuestSession | None = None,
    keep_session: KeepSession | None = None,
    most_unread: int = ROOM,
    take_events: TakeEvents | None = None,
    keeps_transcript: bool = True,
    transport: Transport | None = None,
    clock: Clock | None = None,
    rng: Random | None = None,
) -> Chat:
    """Prepare a chat; `async with` it to begin.

    Args:
        settings: The provider, and the OAuth client's id and secret.
        name: The guest's display name; like the next two at most 256 characters, and shown to the agent.
        email: The guest's e-mail address.
        external_contact_id: Links the guest to a CRM record.
        token_provider: Gets access tokens in place of the client id and secret.
        tokens: The same for many chats that share their tokens; goes before `token_provider`.
        session: Use this session instead of creating one; when it turns out to be refused, one is created after all.
        keep_session: Called with every session that is created, before it is used; a `ChatError` that it raises is
            tried again later.
        most_unread: With so many events unread nothing more is read from the socket. One: the app is done with a frame,
            because it has asked for the next event, before the next frame is read.
        take_events: Called, while the iteration waits, with what a frame says, in place of the iteration: a shorter way
            for an app with thousands of chats. What it raises ends the iteration; it may wait, but not for `confirm`.
        keeps_transcript: Whether `transcript` is filled.
        transport: The network; ours by default, opened and closed with the chat.
        clock: The time; the computer's by default.
        rng: Randomness of the back-off.

    Raises:
        ConfigError: Neither a client id and secret nor a `token_provider` or `session`.
        BadSessionRequest: A detail of the guest that no provider would take.
    """
    if token_provider is None and tokens is None and session is None and settings.client_secret_file is None:
        settings.credentials()  # for its ConfigError: better here than as a `failed` status a moment later
    details = GuestDetails(name=name, email=email, external_contact_id=external_contact_id)
    check_details(details)
    return Chat(
        settings,
        details,
        tokens=tokens or (None if token_provider is None else CallerTokens(token_provider)),
        session=session,
        keep_session=keep_session,
        most_unread=most_unread,
        take_events=take_events,
        keeps_transcript=keeps_transcript,
        transport=transport,
        clock=clock or SystemClock(),
        rng=rng or Random(),  # noqa: S311 - jitter needs no cryptography
    )


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
        details: GuestDetails,
        *,
        tokens: TokenSource | None,
        session: GuestSession | None,
        keep_session: KeepSession | None,
        most_unread: int,
        take_events: TakeEvents | None,
        keeps_transcript: bool,
        transport: Transport | None,
        clock: Clock,
        rng: Random,
    ) -> None:
        """Use `connect`, which has the defaults."""
        self._settings = settings
        self._details = details
        self._given_tokens = tokens
        self._given_session = session
        self._keep_session = keep_session
        self._most_unread = most_unread
        self._take_events = take_events
        self._keeps_transcript = keeps_transcript
        self._given_transport = transport
        self._clock = clock
        self._rng = rng
        self._stack: contextlib.AsyncExitStack | None = None
        self._runner: Runner | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect and return at once; how it goes is told by events.

        Raises:
            ConfigError: `ca_file` can't be used.
        """
        if self._runner is not None:
            raise LocalProtocolError("Expected a new Chat, got one that was used before; call connect() again.")
        self._stack = contextlib.AsyncExitStack()
        transport = self._given_transport
        if transport is None:
            transport = await self._stack.enter_async_context(
                HttpClient(
                    ca_file=self._settings.ca_file,
                    use_system_proxy=self._settings.use_system_proxy,
                    connect_timeout_s=self._settings.connect_timeout_s,
                    answer_timeout_s=self._settings.answer_timeout_s,
                )
            )
        self._runner = Runner(
            GuestSessionClient(delay_s=full_jitter(self._rng), session=self._given_session),
            transport=transport,
            tokens=self._given_tokens or TokenBroker(transport, self._settings, clock=self._clock),
            settings=self._settings,
            details=self._details,
            clock=self._clock,
            keep_session=self._keep_session,
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
        return ConnectionStatus.DISCONNECTED if self._runner is None else self._runner.core.status

    @property
    def session(self) -> GuestSession | None:
        """The guest session, once there is one; pass it to `connect` to come back to it."""
        return self._given_session if self._runner is None else self._runner.core.session

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

    async def send(self, text: str, *, content: tuple[ContentItem, ...] = ()) -> ClientId:
        """Send a message, or queue it until the socket is open; messages keep their order.

        This returns before the message is written: the receipt `sent` tells that it was. What waits for a socket when
        the chat is closed is not sent.

        Args:
            text: At most 4,096 UTF-8 bytes; blank only with `content`.
            content: An answer to rich content, see `model.content.button_response`.

        Returns:
            The message's client id, which its receipts carry.

        Raises:
            MessageRejected: It is blank or too long; others are not touched.
            ConversationEnded: The conversation has ended.
            ChatError: The connection failed for good: what `error` holds.
            ConnectionClosed: The chat was closed.
        """
        runner = self._running()
        if runner.error is not None:
            raise runner.error
        if runner.is_over and not runner.core.has_ended:
            raise ConnectionClosed(1000, by_us=True)
        client_id = ClientId(str(uuid.uuid4()))
        sent_at = self._clock.utc()
        runner.tell(
            lambda: runner.core.send_text(
                text, self._clock.now(), client_id=client_id, sent_at=sent_at, content=content
            )
        )
        return client_id

    async def write(self, text: str, *, client_id: ClientId, content: tuple[ContentItem, ...] = ()) -> int:
        """Write a message to the connection that is open now, or not at all; for an app with an outbox of its own.

        Unlike `send` this queues nothing and sends nothing again; there are no events. It returns once the message is
        in the operating system's hands; `confirm` then tells that it has arrived.

        Args:
            text: As for `send`.
            client_id: The app's id of the message.
            content: As for `send`.

        Returns:
            The connection it was written to, for `confirm`.

        Raises:
            NotWritten: No connection is open, or it closed before: the message certainly did not leave.
            ConnectionLost: The connection broke while writing; nobody knows whether the message arrived.
            MessageRejected: It is blank or too long.
            ConversationEnded: The conversation has ended.
        """
        return await self._running().write(text, client_id=client_id, content=content)

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
        """Tell that the guest is typing, at most every 3 s; does nothing where the provider has no such frame."""
        runner = self._running()
        runner.tell(lambda: runner.core.type(self._clock.now()))

    async def end(self) -> None:
        """End the conversation and return at once; the iteration ends when the provider has closed.

        Where the provider has no such frame this just closes, as only `end` ends a conversation.
        """
        runner = self._running()
        if not runner.is_over:
            runner.tell(lambda: runner.core.end(self._clock.now()))

    async def retry_now(self) -> None:
        """Don't wait for the back-off, e.g. because the network is back; does nothing when it isn't waiting."""
        runner = self._running()
        runner.tell(lambda: runner.core.retry_now(self._clock.now()))

    async def aclose(self) -> None:
        """Write what is queued for an open socket (within 2 s), close it, and end the iteration. Ends no conversation.

        Raises:
            BaseExceptionGroup: A bug of ours stopped the connection earlier.
        """
        task, runner, stack = self._task, self._runner, self._stack
        self._stack = None
        if task is None or runner is None or stack is None:
            return
        async with stack:
            try:
                runner.tell(runner.core.stop)
                await asyncio.wait({task})
            finally:
                task.cancel()  # for when we are cancelled ourselves
            await task

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

    def _running(self) -> Runner:
        if self._runner is None:
            raise LocalProtocolError("Expected an open Chat; use it inside `async with`.")
        return self._runner
