"""One guest session in use: what all its browser connections and its upstream share.

Everything that is shown, sent upstream or acknowledged is in the log first. Readers are told that the log moved by the
log itself; what passes through here to them is only what is not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from guestwire.errors import ERRORS, ChatError, LocalProtocolError, LogUnavailable, MessageRejected, SessionGone
from guestwire.gateway.log import NewRecord, Outgoing, SessionLog, SessionRow, SessionState
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.attachment_links import AttachmentLinks, FileRef
from guestwire.gateway.relay.envelope import Envelope
from guestwire.gateway.relay.guest_details import unpack_details, unsealed_authorization, with_read_mark
from guestwire.gateway.relay.interface import (
    FailPoint,
    Offer,
    ProviderFile,
    Upload,
    Upstream,
    UpstreamFactory,
    no_fail_point,
)
from guestwire.gateway.relay.offers import is_news, session_frame
from guestwire.gateway.relay.tokens import now_ms
from guestwire.model.content import ContentItem
from guestwire.model.events import (
    ConversationStatus,
    ConversationUpdated,
    Event,
    Fate,
    Message,
    ProviderError,
    Typing,
)
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.times import parse_time
from guestwire.net.clock import Clock
from guestwire.protocols.guest_session.relay import VolatileFrame
from guestwire.protocols.guest_session.session import Authorization, GuestDetails
from guestwire.protocols.guest_session.wire import (
    MAX_TEXT_BYTES,
    ConversationUpdateFrame,
    ErrorFrame,
    ReceiptFrame,
    TypingFrame,
)

__all__ = ["Reader", "RelaySession"]

TAB_KEPT_S = 600.0
"""So long after a tab has gone the records that it lacks are kept for it (reliability 2.7)."""

MOST_TABS_KEPT = 50
"""Tabs that have gone and are remembered; reloads of one tab count once, where it says which tab it is."""

TYPING_EVERY_S = 3.0
"""All tabs together tell the provider at most so often (guest-session §4.2)."""

PROLONGED_IN_PARTS = 48
"""What the provider says prolongs a chat, but not with every record: after so large a part of its life."""

STAY_EVERY_S = 10.0
"""All tabs together keep the provider's session alive at most so often."""

CLEARED = "cleared"
"""Reason of the end of a conversation that was forgotten [D]."""

_LOOK_BACK = 100
"""Records of the end of a log that are searched for the conversation's state when a session is taken up, …"""

_LOOK_FURTHER = 2000
"""… and so many for the newest place in the provider's order: a guest may have said a lot since."""


class Reader(Protocol):
    """A browser connection, as its session sees it."""

    @property
    def tab(self) -> str | None:
        """Which tab it is, where it said so."""

    @property
    def active_at(self) -> float:
        """When the guest last did something there, in monotonic seconds."""

    @property
    def seen(self) -> int | None:
        """The `seq` up to which it has everything, as far as we know; None for one that never resumes."""

    def show_volatile(self, frame: VolatileFrame, after: int) -> None:
        """Show what is not kept, once everything up to `after` was sent."""

    def session_ended(self, at_seq: int) -> None:
        """The record `at_seq` is the last of the conversation."""

    def session_reopened(self) -> None:
        """A new conversation has begun."""

    def show_session(self, frame: str, after: int) -> None:
        """Show what the provider's session offers now, once everything up to `after` was sent."""

    def close_for(self, error_code: str) -> None:
        """Close with the close code of an error."""


class RelaySession:
    """A session in use."""

    def __init__(
        self,
        row: SessionRow,
        log: SessionLog,
        upstreams: UpstreamFactory,
        *,
        clock: Clock,
        envelope: Envelope,
        retention_s: float,
        lives_s: float,
        starts_at_open: bool = False,
        is_new: bool = False,
        new_id: Callable[[], str] = bodies.new_id,
        fail_point: FailPoint = no_fail_point,
        mask: Callable[[str], str] = str,
        on_end: Callable[[RelaySession], None] = lambda session: None,  # noqa: ARG005
        on_settled: Callable[[str], None] = lambda state: None,  # noqa: ARG005
    ) -> None:
        """Take up a session of the log; nothing is started.

        Args:
            row: As the log has it.
            upstreams: Makes the way to the provider.
            clock: The time.
            envelope: Seals what only we may read.
            retention_s: How long the session is kept after its end.
            lives_s: How long it is kept from its last record on when nobody comes back.
            starts_at_open: Go to the provider with the first connection; otherwise with the first message.
            is_new: Nobody was ever connected to it.
            new_id: Returns 128 random bits in hex.
            fail_point: See `FailPoint`.
            mask: Takes out of a guest's words what nobody may see; masking twice must change nothing more.
            on_end: Called when the conversation has ended.
            on_settled: Called with the final state of each message that the end has settled.
        """
        self._row = row
        self._log = log
        self._clock = clock
        self._retention_ms = int(retention_s * 1000)
        self._lives_ms = int(lives_s * 1000)
        self._prolong_at_ms = row.created_ms + self._lives_ms // PROLONGED_IN_PARTS
        self._starts_at_open = starts_at_open
        self._is_first = is_new
        self._new_id = new_id
        self._fail_point = fail_point
        self._mask = mask
        self._on_end = on_end
        self._on_settled = on_settled
        self._envelope = envelope
        self._typed_at: float | None = None
        self._stayed_at: float | None = None
        self._told: tuple[Offer | None, bool] = None, False
        self._cleared_at: int | None = None
        self._clearing = asyncio.Lock()
        self._users = 0
        self._last_update: ConversationUpdated | None = None
        self._newest_order_key: str | None = None
        self._ended_at: int | None = row.head if row.state is SessionState.ENDED else None
        self._reopened_at: int | None = None
        self._restarting = asyncio.Lock()
        self._has_started = False
        self._left: dict[object, tuple[int, float]] = {}
        self.readers: set[Reader] = set()
        self._closing: set[Reader] = set()  # one too many, or gone already; what they have said may be on its way
        self.read_seq = min(unpack_details(row.details).read_seq, row.head)
        """What the guest has read, in whatever tab; 0 is nothing."""
        self.trimmed_head = -1
        """The head when the log was last found to be short enough."""
        self._upstreams = upstreams
        self._upstream = upstreams(self)

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def sid(self) -> SessionId:
        """Our id of the session."""
        return self._row.sid

    @property
    def log(self) -> SessionLog:
        """Where it is kept."""
        return self._log

    @property
    def details(self) -> GuestDetails:
        """Who the guest is."""
        return unpack_details(self._row.details).guest

    @property
    def attributes(self) -> Mapping[str, str]:
        """See `SessionLink.attributes`."""
        return unpack_details(self._row.details).attributes

    @property
    def authorization(self) -> Authorization | None:
        """See `SessionLink.authorization`."""
        sealed = unpack_details(self._row.details).authorization
        return None if sealed is None else unsealed_authorization(sealed, self._envelope)

    @property
    def provider_ref(self) -> bytes:
        """What reached the provider's session when this one was loaded."""
        return self._row.provider_ref

    @property
    def upstream(self) -> Upstream:
        """The way to the provider."""
        return self._upstream

    @property
    def has_ended(self) -> bool:
        """Whether the conversation is over."""
        return self._ended_at is not None

    @property
    def conversation(self) -> ConversationUpdated | None:
        """See `SessionLink.conversation`."""
        return self._last_update

    @property
    def ended_at(self) -> int | None:
        """The `seq` of the last record, once the conversation is over."""
        return self._ended_at

    @property
    def can_be_dropped(self) -> bool:
        """Whether nobody would miss it from memory."""
        is_used = self.readers or self._closing or self._users or self._restarting.locked()
        return not is_used and (self.has_ended or not self._has_started)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it in memory: there must never be two of it."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    # --- browsers -----------------------------------------------------------------------------------------------------

    def join(self, reader: Reader, *, most: int) -> bool:
        """Add a connection; with more than `most` the one that idles longest is closed, the same tab's before others.

        Returns:
            Whether it is the first one that the session ever had.
        """
        if len(self.readers) >= most:
            same_tab = [other for other in self.readers if reader.tab is not None and other.tab == reader.tab]
            idlest = min(same_tab or self.readers, key=lambda other: other.active_at)
            self.readers.discard(idlest)
            self._closing.add(idlest)
            idlest.close_for("too-many-tabs")
        self.readers.add(reader)
        self._left.pop(reader.tab, None)
        is_first, self._is_first = self._is_first, False
        if self._has_started:
            self._upstream.wake()
        elif self._starts_at_open and not self.has_ended:
            self._start()
        return is_first

    def wait_for(self, reader: Reader) -> None:
        """Stay in memory for a connection that has closed before it could join, until it leaves."""
        self._closing.add(reader)

    def leave(self, reader: Reader) -> None:
        """Remove a connection; leaving ends nothing."""
        self.readers.discard(reader)
        self._closing.discard(reader)
        if reader.seen is not None:
            self._left[reader.tab or object()] = reader.seen, self._clock.now()
            if len(self._left) > MOST_TABS_KEPT:
                del self._left[next(iter(self._left))]

    def needed_after(self) -> int | None:
        """Return the `seq` after which somebody still needs the records: a tab here, or one that left a moment ago.

        None is nobody.
        """
        now = self._clock.now()
        self._left = {tab: left for tab, left in self._left.items() if now - left[1] < TAB_KEPT_S}
        seen = [reader.seen for reader in self.readers] + [seq for seq, _ in self._left.values()]
        return min((seq for seq in seen if seq is not None), default=None)

    async def accept(
        self,
        client_id: ClientId,
        text: str,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> ReceiptFrame:
        """Take a guest's message; when this returns it is durable, and the provider gets it in its turn.

        Raises:
            LogConflict: The client id was used with another body.
            ConversationEnded: The conversation is over.
            OutboxFull: Too many messages wait.
            MessageRejected: It is too long once it is masked.
            SessionGone: The session was erased.
            LogUnavailable: It was not kept.
        """
        # Before anything else sees the words: the log, the provider, other tabs, and the hash that tells them apart.
        text, content = self._mask(text), bodies.masked_content(content, self._mask)
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise MessageRejected(client_id)
        accepted = await self._log.accept(
            self.sid,
            client_id,
            bodies.outgoing_body(text, content, in_reply_to),
            bodies.guest_message(
                self.sid, client_id, text, content, self._clock.utc(), in_reply_to=in_reply_to, shown=self._shown
            ),
        )
        self._fail_point("after-accept")
        if not self.has_ended:
            self._start()
            self._upstream.wake()
        return bodies.accepted_receipt(self.sid, client_id, accepted.seq)

    def guest_typing(self) -> None:
        """Pass on that the guest types in some tab; not before there is a conversation."""
        now = self._clock.now()
        is_due = self._typed_at is None or now - self._typed_at >= TYPING_EVERY_S
        if self._has_started and not self.has_ended and is_due:
            self._typed_at = now
            self._upstream.typing()

    async def guest_ends(self) -> None:
        """End the conversation: at the provider, or here when it never heard of it.

        Raises:
            SessionGone: The session was erased.
            LogUnavailable: It was not kept.
        """
        if self.has_ended:
            return
        knows_of_it = self._has_started or bool(self.provider_ref)
        if knows_of_it or await self._log.next_outgoing(self.sid) is not None:
            await self._log.request_end(self.sid)  # so that a gateway after us goes on with it
            self._upstream.end()
            self._start()
        else:
            await self._end(ConversationUpdated(status=ConversationStatus.ENDED, reason="guest-left"))

    async def starts_new(self) -> None:
        """Start a new conversation in the same session; does nothing when another tab has just done so.

        Raises:
            LocalProtocolError: The conversation goes on.
            SessionGone: The session was erased.
            LogUnavailable: It was not kept.
        """
        async with self._restarting:
            if self.has_ended:
                await self._reopen()
            elif self._reopened_at is None or (await self._log.head(self.sid)).head != self._reopened_at:
                raise LocalProtocolError("Expected start-new after the end of the conversation, got it before.")

    def guest_stays(self) -> None:
        """Keep the provider's session from expiring; not more often than it can help."""
        now = self._clock.now()
        is_due = self._stayed_at is None or now - self._stayed_at >= STAY_EVERY_S
        if self._has_started and not self.has_ended and is_due:
            self._stayed_at = now
            self._upstream.stay()

    async def guest_clears(self) -> None:
        """Have the conversation forgotten, at the provider and here: what is left is that it was.

        Raises:
            ChatError: The provider does not forget it, so nothing was forgotten.
            SessionGone: The session was erased.
            LogUnavailable: It was not kept.
        """
        if self._cleared_at is not None and self._cleared_at == self._ended_at:
            return
        offer = self._upstream.offer
        if offer is None or "clear" not in offer.features:
            raise ChatError(code="refused-by-deployment")
        if self._has_started or self.provider_ref:
            await self._upstream.clear()
        await self._clear()

    async def attach(self, upload: Upload) -> tuple[ProviderFile, str]:
        """Pass a file of the guest's on to the provider; see `Upstream.attach`.

        Returns:
            The file, and its address for browsers.
        """
        self._start()
        file = await self._upstream.attach(upload)
        ref = FileRef(sid=self.sid, id=file.id, url=file.url, name=upload.name, mime=upload.file_type)
        return file, self._links.path(ref)

    async def sign_in(self) -> None:
        """Have the provider take what the guest signed in with; does nothing when it has: the code is good once.

        Raises:
            ChatError: It was refused, or nobody knows; see `Upstream.sign_in`.
            SessionGone: The session was erased.
            LogUnavailable: Nobody can say.
        """
        async with self._restarting:
            row = await self._log.get(self.sid)
            if row is None:
                raise SessionGone
            if not row.provider_ref:
                await self._upstream.sign_in()

    def session_frame(self) -> str | None:
        """Return what a browser is told about the provider's session at its welcome; None for nothing."""
        offer = self._upstream.offer
        if offer is None:
            return None
        if len(self.readers) <= 1:  # the one that asks
            self._told = offer, self.has_ended
        return session_frame(offer, has_ended=self.has_ended)

    async def note_read(self, seq: int) -> None:
        """Keep what the guest has read in some tab; what the log can't keep now is kept with the next mark.

        Raises:
            SessionGone: The session was erased.
        """
        if seq > self.read_seq:
            self.read_seq = seq
            self._row = msgspec.structs.replace(self._row, details=with_read_mark(self._row.details, seq))
            with contextlib.suppress(LogUnavailable):
                await self._log.touch(self.sid, details=self._row.details)

    # --- the provider -------------------------------------------------------------------------------------------------

    def is_awaited(self, *, has_begun: bool) -> bool:
        """See `SessionLink.is_awaited`."""
        return bool(self.readers) and (has_begun or self._starts_at_open)

    def take_up(self) -> None:
        """Go on where a gateway before us stopped."""
        if self.has_ended:
            return
        if self._row.state is SessionState.ENDING:
            self._upstream.end()
        self._start()
        self._upstream.wake()

    async def find_state(self) -> None:
        """Read from the log what tells a provider's repetitions from news, and late messages from new ones."""
        await self._find_update()
        await self._find_order()
        if self._cleared_at is not None and self._row.floor + 1 < self._cleared_at == self._ended_at:
            await self._forget_before(self._cleared_at)  # a gateway before us stopped in between

    async def _find_order(self) -> None:
        # Backwards to the first one that was not late: when it was recorded it was the newest, and it still is.
        before, least = self._row.head, max(self._row.floor, self._row.head - _LOOK_FURTHER)
        while self._newest_order_key is None and before > least:
            after = max(least, before - _LOOK_BACK)
            page = await self._log.read(self.sid, after, before - after, 1 << 30)
            for record in () if page is None else page.records:
                if record.order_key is not None and not record.late and record.kind != "receipt":
                    self._newest_order_key = record.order_key
            before = after

    async def _find_update(self) -> None:
        head = self._row.head
        after = max(self._row.floor, head - _LOOK_BACK)
        while after < head and (page := await self._log.read(self.sid, after)) is not None and page.records:
            for record in page.records:
                if record.kind == "conversation-update":
                    frame = msgspec.json.decode(record.body, type=ConversationUpdateFrame)
                    is_cleared = frame.status == ConversationStatus.ENDED and frame.reason == CLEARED
                    self._cleared_at = record.seq if is_cleared else None
                    if frame.status in set(ConversationStatus):
                        self._last_update = ConversationUpdated(
                            status=ConversationStatus(frame.status),
                            agent_name=frame.agent_name,
                            expires_at=parse_time(frame.expires_at),
                        )
            after = page.records[-1].seq

    async def provider_said(self, events: Sequence[Event]) -> None:
        """See `SessionLink.provider_said`."""
        records: list[NewRecord] = []
        last, newest = self._last_update, self._newest_order_key
        for event in events:
            match event:
                case Message():
                    record = bodies.message_record(
                        event, self._new_id(), self._clock.utc(), newest_order_key=newest, shown=self._shown
                    )
                    records.append(record)
                    if not record.late:
                        newest = record.order_key or newest
                case ConversationUpdated() if event.status is ConversationStatus.ENDED:
                    await self._append(records, last, newest)
                    records = []
                    if event.reason == CLEARED:
                        await self._clear(event)
                    else:
                        await self._end(event)
                case ConversationUpdated():
                    if not bodies.is_volatile(event) and not _says_nothing_new(event, last):
                        records.append(bodies.conversation_record(event, self._new_id()))
                        last = event
                    place = bodies.queue_place(event)
                    if place is not None:
                        await self._append(records, last, newest)
                        records = []
                        await self._show(place)
                case Typing() if event.sender != "guest":
                    await self._append(records, last, newest)
                    records = []
                    await self._show(TypingFrame(sender=event.sender, duration=event.duration))
                case ProviderError():
                    await self._append(records, last, newest)
                    records = []
                    await self._show(_error_frame(event))
                case _:
                    pass  # receipts are the outbox's, states of the connection our own, unknown frames nobody's
        await self._append(records, last, newest)

    def offer_changed(self) -> None:
        """See `SessionLink.offer_changed`."""
        offer, (told, had_ended) = self._upstream.offer, self._told
        if offer is None or not self.readers or (self.has_ended == had_ended and not is_news(offer, told)):
            return
        self._told = offer, self.has_ended
        frame = session_frame(offer, has_ended=self.has_ended)
        after = (self._ended_at if self.has_ended else self._reopened_at) or 0  # what it says follows from that
        for reader in tuple(self.readers):
            reader.show_session(frame, after)

    async def aclose(self) -> None:
        """Stop the upstream; the conversation goes on."""
        await self._upstream.aclose()

    # --- within -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._has_started = True
        self._upstream.start()

    @property
    def _links(self) -> AttachmentLinks:
        return AttachmentLinks(self._envelope)

    def _shown(self, content: Sequence[ContentItem]) -> list[dict[str, object]]:
        """Return what browsers get of a message's content: our addresses of files that the provider knows."""
        if not content or self._upstream.offer is None:
            return bodies.as_it_came(content)
        return self._links.rewritten(self.sid, content)

    async def _clear(self, event: ConversationUpdated | None = None) -> None:
        """Forget all records but one that says so, and reset every reader."""
        if event is None:
            event = ConversationUpdated(status=ConversationStatus.ENDED, reason=CLEARED)
        with self.in_use():  # or the end would drop us, and whoever calls, before all is forgotten
            await self._clear_once(event)
        self._on_end(self)

    async def _clear_once(self, event: ConversationUpdated) -> None:
        async with self._clearing:
            if self._cleared_at is not None and self._cleared_at == self._ended_at:
                return
            if self.has_ended:
                self._ended_at = (
                    await self._log.append(self.sid, [bodies.conversation_record(event, self._new_id())])
                )[-1]
            else:
                await self._end(event)
            await self._forget_before(self._ended_at or 0)

    async def _forget_before(self, seq: int) -> None:
        self._fail_point("before-clear")
        await self._log.trim(self.sid, seq)
        await self._log.bump_epochs(self.sid)
        self._cleared_at = seq

    async def _reopen(self) -> None:
        ref = self._upstream.ref_for_new()
        await self._upstream.aclose()  # it has nothing to say any more, and must not say it in the new conversation
        update = ConversationUpdated(status=ConversationStatus.WAITING)
        record = bodies.conversation_record(update, self._new_id())
        expires_ms = now_ms(self._clock) + self._lives_ms
        self._fail_point("before-append")
        seq = await self._log.reopen(self.sid, record, expires_ms=expires_ms, provider_ref=ref)
        self._fail_point("after-append")
        self._reopened_at = seq or (await self._log.head(self.sid)).head
        self._row = msgspec.structs.replace(self._row, state=SessionState.OPEN, provider_ref=ref)
        self._ended_at = None
        self._last_update = update
        self._has_started = False
        self._upstream = self._upstreams(self)
        for reader in tuple(self.readers):
            reader.session_reopened()
        self.offer_changed()
        # What another tab said as soon as the log took it.
        if self._starts_at_open or await self._log.next_outgoing(self.sid) is not None:
            self._start()
            self._upstream.wake()

    async def _append(
        self, records: Sequence[NewRecord], last_update: ConversationUpdated | None, newest_order_key: str | None
    ) -> None:
        if records and not self.has_ended:
            self._fail_point("before-append")
            await self._log.append(self.sid, records)
            self._fail_point("after-append")
            # Not before: what was not kept is said again, and is news then.
            self._last_update, self._newest_order_key = last_update, newest_order_key
            await self._live_on()

    async def _live_on(self) -> None:
        """Keep a chat that goes on, though its guest is away."""
        now = now_ms(self._clock)
        if now >= self._prolong_at_ms:
            with contextlib.suppress(LogUnavailable):  # the next record tries again
                await self._log.touch(self.sid, expires_ms=now + self._lives_ms)
                self._prolong_at_ms = now + self._lives_ms // PROLONGED_IN_PARTS

    async def _end(self, event: ConversationUpdated) -> None:
        sid = self.sid
        fates: dict[int, Fate] = {}

        def failed(message: Outgoing) -> NewRecord:
            fates[message.oseq] = Fate(message.state.value)  # the same when it is called again
            return bodies.receipt(
                sid, message.client_id, message.message_seq, Fate(message.state.value), code="conversation-ended"
            )

        now = now_ms(self._clock)
        record = bodies.conversation_record(event, self._new_id())
        self._fail_point("before-append")
        seqs = await self._log.end(sid, record, now, failed, expires_ms=now + self._retention_ms)
        self._fail_point("after-append")
        if seqs:
            self._ended_at = seqs[-1]
            for fate in fates.values():
                self._on_settled(fate.value)
        elif self._ended_at is None:
            self._ended_at = (await self._log.head(sid)).head
        for reader in tuple(self.readers):
            reader.session_ended(self._ended_at)
        self.offer_changed()
        self._on_end(self)

    async def _show(self, frame: VolatileFrame) -> None:
        if not self.readers:
            return
        head = (await self._log.head(self.sid)).head
        for reader in tuple(self.readers):
            reader.show_volatile(frame, head)


def _error_frame(event: ProviderError) -> ErrorFrame:
    # Browsers get codes of the one table only (§6.4); what a provider calls something else it did not take.
    code = event.code if event.code in ERRORS else "bad-request"
    text = event.text or ERRORS[code].summary
    return ErrorFrame(code=code, text=text, retry_after=event.retry_after, client_id=event.client_id)


def _says_nothing_new(event: ConversationUpdated, last: ConversationUpdated | None) -> bool:
    # A provider repeats the conversation's state on every connection. Nobody wants to read it every time.
    return (
        last is not None
        and event.id is None
        and (last.status, last.agent_name) == (event.status, event.agent_name)
        and event.reason in {None, last.reason}
        and event.read_only in {None, last.read_only}
        and event.expires_at in {None, last.expires_at}
    )
