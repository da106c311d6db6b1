"""One session's way to a provider that speaks Web Messaging.

There is no OAuth client: the session's token is made here, and kept, sealed, before it is used. The provider says every
message of the guest's back and keeps a history, so a message is delivered when one of them shows it; the history may be
asked ten times a minute only, so it is asked less often than one that costs nothing (`_PACE`).

How a conversation ends: the provider says so live, or in the history, or only by taking us in as read-only when we come
back. The session here ends then, with the same words. The conversation after it has the same token: where that is
read-only, by the provider's own way to start anew. After an end that was the guest's own, for which the provider has no
word, it has a new token, so that no agent takes it for the old one; and so it has after all was forgotten.

A session that is over at the provider (expired, or not known there any more) is not the end of the conversation here:
another one is made when somebody needs it, and the guest is told.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from guestwire.client.chat import Chat
from guestwire.client.connecting import connect
from guestwire.client.sign_in import GuestSignIn
from guestwire.client.web_sessions import exchange_code
from guestwire.errors import AuthError, ChatError, ConnectionLost, TransportError
from guestwire.gateway.errors import upstream_problem
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.deployments import Deployments, Watcher
from guestwire.gateway.relay.history import Said
from guestwire.gateway.relay.interface import Offer, ProviderFile, SessionLink, Upload, Upstream
from guestwire.gateway.relay.provider_line import Capabilities, Pace, Way
from guestwire.gateway.relay.sealed import Kept
from guestwire.gateway.relay.upstream import NEW_CONVERSATION, ProviderUpstream, Upstreams
from guestwire.gateway.relay.waits import wait_for
from guestwire.gateway.relay.web_history import SaidBehind, read_behind
from guestwire.gateway.relay.web_ref import NOBODY, WebRef, pack_guest, unpack_guest, unpack_ref
from guestwire.gateway.relay.web_visit import OPEN_LIMIT_S, Clearing, visit
from guestwire.model.events import (
    AttachmentUpdated,
    ConnectionStatus,
    ConversationStatus,
    ConversationUpdated,
    Event,
    HistoryRead,
    Message,
    Presence,
    ProviderError,
    SessionUpdated,
    StatusChanged,
)
from guestwire.model.ids import SessionId
from guestwire.net.light_event import LightEvent
from guestwire.net.logs import get_logger
from guestwire.protocols.web_messaging.attributes import AttributesTooLarge
from guestwire.protocols.web_messaging.rest import AuthorizedGuest, CodeGrant
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.protocols.web_messaging.uploads import UploadRules

__all__ = ["WebMessagingUpstream", "WebMessagingUpstreams"]

KIND = "web-messaging"

_PACE = Pace(look_again_s=(2.0, 8.0), read_again_s=(0.0, 1.0, 2.0), read_every_s=3.0, give_up_s=90.0)
"""Six readings for a message in doubt on a new connection, three without one: the provider takes ten a minute (§5)."""

LAST_READ_S = 2.0
"""At an end the history is read once more, for what was said meanwhile; the end waits for it no longer than this."""

LEAVE_LIMIT_S = 10.0
"""A provider that does not let the guest leave in this time is not asked any longer; the guest has left."""

MISSED_END_S = 15.0
"""An end that was missed waits so long for the history to tell what was said before it."""

_OWN_CODES = frozenset(
    {"deployment-inactive", "deployment-refused", "deployment-unknown", "domain-not-allowed", "sign-in-needed"}
)
"""Failures that have words of their own for guests and operators, whatever class they are."""

_TOLD = frozenset({"attributes-too-large", "refused-by-deployment", "sign-in-needed"})
"""Errors about no message that guests are told; the others are about what we did by ourselves."""

_SIGNED_OFF = frozenset({"signed-in-elsewhere", "signed-out"})

_log = get_logger("guestwire.gateway")


@dataclass(kw_only=True, eq=False)
class WebMessagingUpstreams(Upstreams):
    """See `Upstreams`; these share the deployment's configuration, too.

    Attributes:
        deployments: The configuration.
        rules: What files the provider took in the session that told it last: before the first word in a session nobody
            knows better.
    """

    deployments: Deployments = field(init=False)
    rules: UploadRules = field(default_factory=UploadRules)

    def __post_init__(self) -> None:
        """Prepare the deployment."""
        super().__post_init__()
        self.deployments = Deployments(self.provider, transport=self.transport, clock=self.clock)

    def __call__(self, session: SessionLink) -> Upstream:
        """See `Upstreams`."""
        return WebMessagingUpstream(session, self)

    def running(self) -> contextlib.AbstractAsyncContextManager[object]:
        """Keep the deployment's configuration fresh."""
        return self.deployments.running()

    def visit(
        self, session: WebSession, guest: AuthorizedGuest | None, clearing: Clearing
    ) -> contextlib.AbstractAsyncContextManager[Chat]:
        """Enter a session that nobody talks in."""
        return visit(
            session,
            settings=self.provider,
            transport=self.transport,
            clock=self.clock,
            deployment=self.deployments.get,
            guest=guest,
            note=clearing.note,
        )

    async def say_farewell(self, sid: SessionId, kept: Kept) -> None:  # noqa: ARG002
        """Sign the guest out; have the provider forget what an unknown guest said, where it does so."""
        deployment = await self.deployments.get()
        guest, ref = unpack_guest(kept.guest), unpack_ref(kept.session)
        if guest is not None:
            await GuestSignIn(self.transport, self.provider, guest, None).revoke(deployment)
        elif ref is not None and deployment.allows_clear:
            clearing = Clearing(self.clock)
            async with self.visit(ref.session, None, clearing) as chat:
                await clearing.clear(chat)


class WebMessagingUpstream(ProviderUpstream[WebSession], Watcher):
    """See `interface.Upstream`."""

    kind = KIND
    _shared: WebMessagingUpstreams

    def __init__(self, session: SessionLink, shared: WebMessagingUpstreams) -> None:
        """Prepare; nothing happens before `start`."""
        self._wanted = 0
        self._expires_at: datetime | None = None
        self._is_read_only = False
        self._rules: UploadRules | None = None
        self._offer: Offer | None = None
        super().__init__(session, shared)
        shared.deployments.watch(self)

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._guest: AuthorizedGuest | None = None
        self._starts_new = False
        self._is_made_here = False
        """Whether the provider has not taken us into the session of now yet, which we have made a moment ago."""
        self._is_entered = False
        """Whether the provider has taken us into the session of now."""
        self._fails = 0
        self._turned = LightEvent()
        """Set whenever one of these two changes."""
        self._clearing = Clearing(self._clock)

    # --- the chat -----------------------------------------------------------------------------------------------------

    async def _converse(self) -> ChatError | None:
        try:
            if self._provider_session is None:
                if self._ending.is_set() and not await self._is_wanted():
                    return None
                await self._await_need()
                if self._needs_none() and not await self._is_wanted():
                    return None
            if self._guest is None and self._kept.guest:
                raise AuthError(code="sign-in-needed")
            return await super()._converse()
        except ChatError as error:
            return error
        finally:
            self._is_entered = False

    def _needs_none(self) -> bool:
        return super()._needs_none() or self._ending.is_set()

    async def _is_wanted(self) -> bool:
        return self._wanted > 0 or await super()._is_wanted()

    def _prepare_chat(self) -> Chat:
        details = self._session.details
        try:
            return self._connect(
                name=details.name, email=details.email, external_contact_id=details.external_contact_id
            )
        except AttributesTooLarge:
            _log.warning("the guest's name and e-mail are left out: the custom attributes leave no room for them")
            return self._connect()

    def _connect(self, **details: str | None) -> Chat:
        shared = self._shared
        return connect(
            shared.provider,
            **details,  # type: ignore[arg-type]
            attributes=self._session.attributes,
            session=self._provider_session,
            keep_session=self._keep_session,
            sign_in=self._guest,
            keep_guest=self._keep_guest,
            deployment=shared.deployments.get,
            reads_history=False,
            most_unread=1,
            take_events=self._take_all,
            keeps_transcript=False,
            transport=shared.transport,
            clock=self._clock,
            rng=shared.rng,
        )

    async def _outlives(self, error: ChatError) -> bool:
        if error.code == "session-expired" and not self._is_made_here:
            _log.info("the provider's session is over", code=error.code)
            self._provider_session = None
            return True
        if error.code in _SIGNED_OFF:
            await self._forget_session(and_guest=True)
            await self._say(ConversationUpdated(status=ConversationStatus.ENDED, reason=error.code))
            return True
        if error.code == "connection-replaced":
            _log.warning("the session is open in too many places; it is opened again in a while", code=error.code)
            await self._wait_to_try_again()
            return True
        return False

    async def _fail(self, error: ChatError) -> None:
        await super()._fail(error)
        self._fails += 1
        self._turned.set()

    def _code_of(self, error: ChatError) -> str:
        if error.code in _OWN_CODES:
            return error.code
        code = super()._code_of(error)
        return code if code.startswith("upstream-") and code != "upstream-auth-failed" else "upstream-invalid"

    # --- what it says -------------------------------------------------------------------------------------------------

    async def _take_own(self, event: Event) -> bool:
        match event:
            case StatusChanged() if event.status is not ConnectionStatus.CONNECTED:
                self._is_entered = False
                return False
            case SessionUpdated():
                await self._take_session(event)
            case ConversationUpdated() if event.status is None:
                self._expires_at = event.expires_at
                self._offer_changed()
            case ConversationUpdated() if event.status is ConversationStatus.WAITING:
                # The client library says so at the guest's first words on each connection.
                return self._session.conversation is not None
            case ConversationUpdated() if event.reason == "session-expired":
                pass  # the conversation outlives it
            case ProviderError() if event.client_id is not None and event.code == "read-only":
                self._begin_task(self._end_untold(), name="guestwire-untold-end")
                return False
            case ProviderError() if event.client_id is None:
                return self._clearing.note(event) or event.code not in _TOLD
            case HistoryRead() | AttachmentUpdated() | Presence():
                pass
            case _:
                return False
        return True

    async def _take_session(self, event: SessionUpdated) -> None:
        chat = self._chat
        assert chat is not None, "the chat said so"  # noqa: S101
        self._shared.rules = self._rules = chat.upload_rules
        self._expires_at, self._is_read_only = event.expires_at, event.read_only
        if event.is_new and not self._is_made_here and not self._starts_new:
            await self._note_forgotten()
        self._is_made_here = False
        if not event.read_only:
            await self._note_started()
        elif self._starts_new:
            await chat.start_new()
        else:
            self._begin_task(self._end_missed(), name="guestwire-missed-end")
        self._is_entered = True
        self._turned.set()
        self._offer_changed()

    async def _note_forgotten(self) -> None:
        """The provider has taken our token for a new one: what was in flight was for a conversation that is gone."""
        self._pump.let_go()
        if self._session.conversation is not None:
            await self._say(ConversationUpdated(status=ConversationStatus.WAITING, reason=NEW_CONVERSATION))

    async def _note_started(self) -> None:
        """A conversation can go on; one that was to begin has begun."""
        session = self._provider_session
        if self._starts_new and session is not None:
            self._starts_new = False
            await self._until_kept(lambda: self._keep_changed(session))

    async def _take_end(self, event: ConversationUpdated) -> None:
        self._pump.attach(None)  # what is written now would begin another conversation
        if event.reason == "cleared":
            await self._forget_session()
            await self._say(event)
            self._clearing.note(event)
            return
        self._is_read_only = bool(event.read_only)
        # Not here: the key to the history comes by the socket, from which nothing more is read before we return.
        self._begin_task(self._end_after_last_read(event), name="guestwire-end")

    async def _end_after_last_read(self, event: ConversationUpdated) -> None:
        await self._within(LAST_READ_S, self._history.read())
        await self._conclude(event)

    async def _end_missed(self) -> None:
        await wait_for(self._history.first_read, MISSED_END_S, self._clock)
        await self._conclude(ConversationUpdated(status=ConversationStatus.ENDED, read_only=True))

    async def _end_untold(self) -> None:
        """The provider takes no message any more and did not say that the conversation has ended."""
        await self._pump.fail("read-only")
        await self._end_missed()

    async def _conclude(self, event: ConversationUpdated) -> None:
        self._pump.attach(None)
        if not self._session.has_ended:
            await self._say(event)
        if self._chat is not None:
            await self._chat.end()
        self._knock.set()

    async def _leave(self) -> None:
        session = self._provider_session
        if session is not None:
            ref = replace(WebRef.of(session), has_left=True)
            await self._until_kept(lambda: self._change_ref(session=ref.pack()))
        await super()._leave()
        if session is not None and self._guest is None:
            await self._within(LEAVE_LIMIT_S, self._show_that_left())

    async def _show_that_left(self) -> None:
        """End the conversation in front of its agent too: by forgetting it, since the provider has no word for leaving.

        Nobody loses anything by it: nobody else has this token, and the log keeps what was said. What was said by a
        guest who signed in is theirs elsewhere too, so it stays.
        """
        with contextlib.suppress(ChatError):
            await self._shared.say_farewell(self._session.sid, self._kept)

    # --- its history --------------------------------------------------------------------------------------------------

    async def _read_page(self, after: str | None, limit: int) -> SaidBehind:  # noqa: ARG002 - pages have their own size
        chat = self._chat
        if chat is None:
            raise ConnectionLost
        return await read_behind(after, chat.read_history)

    async def _catch_up(self, said: Sequence[Said]) -> None:
        """Record what was missed; an end, too, unless the guest has written since."""
        news = {id(event) for event in await self._until_kept(lambda: self._recorder.news(said))}
        missed: list[Event] = []
        end: ConversationUpdated | None = None
        agent = self._session.conversation
        for event in said:
            if isinstance(event, ConversationUpdated):
                end = event if id(event) in news else end
                continue
            if event.sender == "guest":
                end = None
            if id(event) not in news and event.sender != "guest":
                continue
            if event.sender == "agent" and not _is_known(agent, event):
                agent = ConversationUpdated(
                    status=ConversationStatus.CONNECTED, agent_name=event.name, agent_avatar=event.avatar
                )
                missed.append(agent)
            missed.append(event)
        await self._recorder.record(missed)
        if end is not None:
            await self._conclude(end)

    # --- its session --------------------------------------------------------------------------------------------------

    def _pack(self, provider_session: WebSession) -> bytes:
        return WebRef.of(provider_session, starts_new=self._starts_new).pack()

    def _unpack(self, packed: bytes) -> WebSession | None:
        ref = unpack_ref(packed)
        if ref is None or ref.deployment_id != self._shared.provider.deployment():
            return None
        self._starts_new = ref.starts_new
        return ref.session

    def _read_ref(self) -> None:
        super()._read_ref()
        self._guest = unpack_guest(self._kept.guest)

    def _way_of(self, provider_session: WebSession) -> Way:
        return Way(
            mark=bodies.provider_mark(provider_session.token.reveal()),
            can=Capabilities(echo=True, history=True),
            pace=_PACE,
            names_refused=True,
            tells_ids=True,
        )

    async def _keep_session(self, session: WebSession | None) -> None:
        before = self._provider_session
        if session is None:
            return  # what is kept is tried once more by a gateway after us, and refused again
        if before is not None and before.token == session.token:
            self._provider_session = session
            await self._keep_changed(session)
            return
        self._is_made_here, self._starts_new = True, False
        await self._keep(session)

    async def _keep_changed(self, session: WebSession) -> None:
        await self._change_ref(session=self._pack(session))

    async def _keep_guest(self, guest: AuthorizedGuest | None) -> None:
        self._guest = guest
        await self._change_ref(guest=NOBODY if guest is None else pack_guest(guest))

    async def _forget_session(self, *, and_guest: bool = False) -> None:
        self._provider_session = None
        guest = b"" if and_guest else self._kept.guest
        await self._until_kept(lambda: self._change_ref(session=b"", guest=guest))

    async def _change_ref(self, *, session: bytes | None = None, guest: bytes | None = None) -> None:
        async with self._keeping:
            kept = self._kept
            await self._write_ref(
                replace(
                    kept,
                    session=kept.session if session is None else session,
                    guest=kept.guest if guest is None else guest,
                )
            )

    def ref_for_new(self) -> bytes:
        """See `interface.Upstream`."""
        self._read_ref()
        kept, ref = self._kept, unpack_ref(self._kept.session)
        if ref is not None and not ref.has_left:
            kept = replace(kept, session=replace(ref, starts_new=True).pack())
        elif kept.guest:
            kept = replace(kept, session=b"", place=None)
        else:
            return b""
        return self._shared.seal.seal(self._session.sid, kept)

    async def sign_in(self) -> None:
        """See `interface.Upstream`."""
        given = self._session.authorization
        if given is None:
            raise ChatError(code="sign-in-needed")
        grant = CodeGrant(
            given.code,
            given.redirect_uri,
            code_verifier=given.code_verifier,
            nonce=given.nonce,
            max_age=given.max_age,
        )
        shared = self._shared
        try:
            guest = await exchange_code(
                shared.transport, shared.provider, grant, deployment=await shared.deployments.get()
            )
        except ChatError as error:
            raise ChatError(code=self._code_of(error), retry_after_s=error.retry_after_s) from error
        await self._keep_guest(guest)

    # --- what else the guest wants ------------------------------------------------------------------------------------

    @property
    def offer(self) -> Offer:
        """See `interface.Upstream`."""
        if self._offer is None:
            self._offer = self._make_offer()
        return self._offer

    def _make_offer(self) -> Offer:
        shared = self._shared
        deployment, rules = shared.deployments.current, self._rules or shared.rules
        if deployment is None:
            return Offer(expires_at=self._expires_at, read_only=self._is_read_only)
        has = {
            "attachments": rules.is_on or (self._rules is None and deployment.offers_uploads),
            "clear": deployment.allows_clear,
            "markdown": deployment.markdown,
            "start-new": True,
            "stay": True,
            "typing": deployment.takes_guest_typing,
        }
        return Offer(
            features=frozenset(feature for feature, is_there in has.items() if is_there),
            uploads=rules,
            expires_at=self._expires_at,
            read_only=self._is_read_only,
            bot_name=deployment.bot_name,
            bot_avatar=deployment.bot_avatar,
            colour=deployment.primary_color,
        )

    def _offer_changed(self) -> None:
        self._offer = None
        self._session.offer_changed()

    def deployment_changed(self) -> None:
        """See `Watcher`."""
        self._offer_changed()

    def stay(self) -> None:
        """See `interface.Upstream`."""
        if self._is_entered and self._chat is not None:
            self._begin_task(self._chat.stay(), name="guestwire-stay")

    async def attach(self, upload: Upload) -> ProviderFile:
        """See `interface.Upstream`."""
        self._wanted += 1
        try:
            self.start()
            self.wake()
            chat = await self._entered_chat()
            with self._upstream_errors():
                attachment_id = await chat.attach(upload.name, upload.file_type, upload.data, size=upload.size)
                return ProviderFile(attachment_id, await chat.uploaded(attachment_id))
        finally:
            self._wanted -= 1

    async def delete_attachment(self, attachment_id: str) -> None:
        """See `interface.Upstream`."""
        async with self._in_session() as chat:
            await chat.delete_attachment(attachment_id)

    async def attachment_url(self, attachment_id: str) -> str:
        """See `interface.Upstream`."""
        async with self._in_session() as chat:
            return await chat.refresh_attachment(attachment_id)

    async def clear(self) -> None:
        """See `interface.Upstream`."""
        async with self._in_session() as chat:
            await self._clearing.clear(chat)
        await self._forget_session()

    @contextlib.asynccontextmanager
    async def _in_session(self) -> AsyncIterator[Chat]:
        """Give the chat that is open, or one for the purpose, where nobody talks any more."""
        with self._upstream_errors():
            if self._task is not None and not self._is_over():
                yield await self._entered_chat()
                return
            self._read_ref()
            ref = unpack_ref(self._kept.session)
            if ref is None:
                raise ChatError(code="attachment-unknown")
            async with self._shared.visit(ref.session, self._guest, self._clearing) as chat:
                yield chat

    async def _entered_chat(self) -> Chat:
        """Return the chat once the provider has taken us in.

        Raises:
            ChatError: It does not, or not in time.
        """
        until, fails = self._clock.now() + OPEN_LIMIT_S, self._fails
        while not self._is_entered or self._chat is None:
            left_s = until - self._clock.now()
            if self._fails != fails or self._is_over() or left_s <= 0:
                raise ChatError(code=self._failure or "upstream-unreachable")
            self._turned.clear()
            await wait_for(self._turned, left_s, self._clock)
        return self._chat

    @contextlib.contextmanager
    def _upstream_errors(self) -> Iterator[None]:
        """Tell what the network did as the provider's failure: ours is well."""
        try:
            yield
        except TransportError as error:
            raise upstream_problem(error) from error


def _is_known(agent: ConversationUpdated | None, message: Message) -> bool:
    return agent is not None and agent.status is ConversationStatus.CONNECTED and agent.agent_name == message.name
