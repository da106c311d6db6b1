"""Client half of the guest-session protocol, from nothing to a live chat and back again.

Theory of operation. The shell tells the core what happened (`start`, `authenticated`, `session_created`, `opened`,
`frame_received`, `closed`, `attempt_failed`, `timer_due`, …) and what the guest wants (`send_text`, `type`, `end`,
`stop`). After every such call it drains `effects()` and does them in order, then `events()` and shows them, then waits
until `next_deadline()` or the next thing happens. The core decides everything else: what to do after a close, when to
try again, what is queued. It has no clock, no randomness and no I/O.

Order of use: effects before events, because an event may announce what an effect has yet to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never

from msgspec import structs

from guestwire.errors import (
    ERRORS,
    ChatError,
    ConversationEnded,
    LocalProtocolError,
    MessageRejected,
    NotWritten,
    Retry,
)
from guestwire.model.content import ContentItem
from guestwire.model.events import (
    ConnectionStatus,
    ConversationStatus,
    ConversationUpdated,
    Event,
    Fate,
    Message,
    Receipt,
    StatusChanged,
    StatusError,
)
from guestwire.model.token_bucket import TokenBucket
from guestwire.protocols.guest_session.closes import CloseAction, close_rule
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.protocols.guest_session.states import STATUS_OF, Input, State, next_state
from guestwire.protocols.guest_session.wire import (
    MAX_TEXT_BYTES,
    EndFrame,
    ErrorFrame,
    GuestMessageFrame,
    GuestTypingFrame,
    MoveFrame,
    decode_outbound,
    encode,
    to_event,
    well_formed,
)

__all__ = [
    "Authenticate",
    "CheckSession",
    "CloseSocket",
    "CreateSession",
    "Effect",
    "GuestSessionClient",
    "OpenSocket",
    "SendFrame",
]

HEALTHY_AFTER_S = 30.0
"""A connection that lived this long was healthy: back-off and the one new session are granted afresh."""

FRAMES_PER_S = 8.0
BURST_FRAMES = 6.0
"""A flush is paced below what a provider allows (30 frames in 3 s), because it drops what is over the limit."""

CLOSED_AFTER_END_S = 5.0
"""A provider that has not closed this long after `ended` is not going to; we close then."""

LONGEST_HINT_S = 300.0
"""The longest wait that a peer can ask for; a chat that is silent for longer looks dead."""

TYPING_EVERY_S = 3.0
"""At most one `typing` frame in this time (guest-session §4.2 [D])."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Get an access token; answer with `authenticated` or `attempt_failed`."""


@dataclass(frozen=True, slots=True)
class CreateSession:
    """Create a guest session; answer with `session_created` or `attempt_failed`."""


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open the WebSocket of `session`; answer with `opened`, then `closed`, or with `attempt_failed`."""

    session: GuestSession


@dataclass(frozen=True, slots=True)
class CheckSession:
    """Ask `GET …/guestsessions/{id}` about it; answer with `still_valid` or `attempt_failed`."""

    session: GuestSession


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Write `text` to the socket; when `client_id` is set, answer with `sent` once it is written."""

    text: str
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close the socket, or give up what was asked for last; nothing of either is told to the core any more."""

    code: int = 1000


Effect: TypeAlias = Authenticate | CreateSession | OpenSocket | CheckSession | SendFrame | CloseSocket


class GuestSessionClient:
    """One guest's way to one provider.

    Source: guest-session §4.3 (rules), §4.4 (close codes).
    """

    def __init__(self, *, delay_s: Callable[[int], float], session: GuestSession | None = None) -> None:
        """Start idle.

        Args:
            delay_s: Seconds to wait before attempt n of a series (0, 1, 2 …); the randomness of the back-off is here.
            session: A session to use instead of creating one.
        """
        self._delay_s = delay_s
        self._session = session
        self._expires_at: float | None = None
        self._state = State.IDLE
        self._effects: list[Effect] = []
        self._events: list[Event] = []
        self._outbox: dict[str, GuestMessageFrame] = {}
        self._written: set[str] = set()
        self._bucket = TokenBucket(rate=FRAMES_PER_S, burst=BURST_FRAMES)
        self._last_sent: str | None = None
        self._attempt = 0
        self._has_renewed = False
        self._has_ended = False
        self._wants_end = False
        self._said_end = False
        self._opened_at: float | None = None
        self._typed_at: float | None = None
        self._hint_s = 0.0
        self._retry_at: float | None = None
        self._pump_at: float | None = None
        self._close_at: float | None = None

    # --- what a shell reads ------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the connection is."""
        return self._state

    @property
    def status(self) -> ConnectionStatus:
        """The state in the words of §4.3 rule 3."""
        return STATUS_OF[self._state]

    @property
    def session(self) -> GuestSession | None:
        """The session in use, if there is one."""
        return self._session

    @property
    def has_ended(self) -> bool:
        """Whether the conversation has ended."""
        return self._has_ended

    @property
    def queued(self) -> int:
        """How many messages wait for an open socket."""
        return len(self._outbox)

    def effects(self) -> list[Effect]:
        """Return what the shell is to do now, in order, and forget it."""
        effects = list(self._effects)
        self._effects.clear()
        return effects

    def events(self) -> list[Event]:
        """Return what happened, in order, and forget it."""
        events = list(self._events)
        self._events.clear()
        return events

    def next_deadline(self) -> float | None:
        """Return when to call `timer_due`, in the shell's monotonic seconds; None for never."""
        deadlines = (self._retry_at, self._pump_at, self._close_at)
        return next((deadline for deadline in deadlines if deadline is not None), None)

    # --- what the guest or the app wants -----------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Begin, or begin again after a failure, a stop or an end: with the session in hand while it is valid.

        Raises:
            LocalProtocolError: It has begun already.
        """
        if self._has_ended:
            self._forget_session()
            if self._state is State.CONNECTED:
                self._fail(tuple(self._outbox))
                self.stop()
        self._begin(now)
        self._has_ended = self._wants_end = self._has_renewed = False
        self._attempt = 0

    def retry_now(self, now: float) -> None:
        """Don't wait for the back-off: the guest asked, or the network came back. Does nothing when not waiting."""
        if self._state is State.WAITING:
            self._begin(now)

    def send_text(
        self,
        text: str,
        now: float,
        *,
        client_id: str,
        sent_at: datetime | None = None,
        content: tuple[ContentItem, ...] = (),
    ) -> None:
        """Send a message, now or when the socket opens; messages keep their order (rules 1 and 2).

        Args:
            text: At most 4,096 UTF-8 bytes; may be blank only with `content`.
            now: Monotonic seconds.
            client_id: The guest's own id of it; new for every message.
            sent_at: When the guest sent it, for the transcript.
            content: An answer to rich content.

        Raises:
            MessageRejected: It is blank or too long; nothing else is touched.
            ConversationEnded: The conversation is over.
        """
        if self._has_ended:
            raise ConversationEnded
        frame = _message_frame(text, content, client_id)
        self._outbox[client_id] = frame
        self._events.append(
            Message(sender="guest", text=frame.text or "", client_id=client_id, sent_at=sent_at, content=content)
        )
        self._pump(now)

    def send_now(self, text: str, *, client_id: str, content: tuple[ContentItem, ...] = ()) -> None:
        """Write a message to the socket that is open, or nowhere: it is not queued, and forgotten with the socket.

        For a caller that keeps its own outbox and its own pace; `sent` is not told of it, and there is no event.

        Args:
            text: As for `send_text`.
            client_id: Names the message in errors and in the effect.
            content: As for `send_text`.

        Raises:
            NotWritten: The socket is not open.
            MessageRejected: It is blank or too long.
            ConversationEnded: The conversation is over.
        """
        if self._has_ended:
            raise ConversationEnded
        frame = _message_frame(text, content, client_id)
        if self._state is not State.CONNECTED:
            raise NotWritten
        self._effects.append(SendFrame(self._encoded(frame, client_id), client_id))

    def type(self, now: float) -> None:
        """Tell that the guest is typing, when the provider understands it and at most every 3 s."""
        is_due = self._typed_at is None or now - self._typed_at >= TYPING_EVERY_S
        if self._state is State.CONNECTED and not self._has_ended and is_due and self._understands("typing"):
            self._typed_at = now
            self._effects.append(SendFrame(encode(GuestTypingFrame())))

    def end(self, now: float) -> None:
        """End the conversation, after what waits; where the provider has no `end`, or nothing has begun, just stop.

        `end` is said again after a drop until the provider has taken it. Does nothing after an end.
        """
        if self._has_ended:
            return
        has_begun = self._state in {State.CONNECTED, State.CONNECTING, State.CHECKING, State.WAITING}
        if not has_begun or not self._understands("end"):
            self.stop()
        else:
            self._wants_end = True
            self._pump(now)

    def stop(self) -> None:
        """Go away without ending anything."""
        self._move(Input.STOP)
        self._effects.append(CloseSocket())

    # --- what the shell tells ----------------------------------------------------------------------------------

    def authenticated(self) -> None:
        """Take note that there is an access token."""
        self._move(Input.AUTHENTICATED)
        self._effects.append(CreateSession())

    def session_created(self, session: GuestSession, now: float) -> None:
        """Take the new session."""
        self._move(Input.SESSION_CREATED)
        self._session = session
        self._expires_at = None if session.expires_in_s is None else now + session.expires_in_s
        self._effects.append(OpenSocket(session))

    def opened(self, now: float) -> None:
        """Take note that the socket is open: what waits is flushed, in order."""
        self._move(Input.OPENED)
        self._opened_at = now
        self._hint_s = 0.0
        self._last_sent = None
        self._said_end = False
        self._written.clear()
        self._pump(now)

    def sent(self, client_id: str) -> None:
        """Take note that a message was written to the socket."""
        self._written.discard(client_id)
        if self._outbox.pop(client_id, None) is not None:
            self._last_sent = client_id
            self._events.append(Receipt(client_id=client_id, status=Fate.SENT))

    def frame_received(self, text: str, now: float) -> None:
        """Take one text frame from the provider; anything unknown becomes an `UnknownEvent` and ends nothing."""
        frame = decode_outbound(text)
        # A hint holds only for the close that follows it at once.
        self._hint_s = (frame.retry_after or 0.0) if isinstance(frame, ErrorFrame | MoveFrame) else 0.0
        event = to_event(frame)
        if event is None:
            return
        self._events.append(event)
        if isinstance(event, ConversationUpdated) and event.status is ConversationStatus.ENDED:
            self._note_end()
            self._close_at = now + CLOSED_AFTER_END_S

    def closed(self, code: int, now: float) -> None:
        """Take note that the socket closed; the table of close codes says what follows.

        A close before `opened` explains nothing to a browser, which can't see the 403 of a refused upgrade: the core
        then asks with `CheckSession` (rule 5). A close after we stopped changes nothing.
        """
        if self._state is State.CONNECTING:
            assert self._session is not None, "there is nothing to connect without"  # noqa: S101 - the table's doing
            self._move(Input.UNEXPLAINED)
            self._effects.append(CheckSession(self._session))
        if self._state is not State.CONNECTED:
            return
        # A provider that answers `end` with nothing but a normal close has taken it.
        rule = close_rule(code, has_ended=self._has_ended or (self._said_end and code == 1000))
        self._wants_end = self._wants_end or self._said_end
        self._settle_health(now)
        if rule.code == "frame-too-big":
            self._drop_too_big()
        error = _status_error(rule.code)
        match rule.action:
            case CloseAction.STOP_ENDED:
                if not self._has_ended:
                    self._events.append(ConversationUpdated(status=ConversationStatus.ENDED))
                    self._note_end()
                self._end_for_good()
            case CloseAction.STOP:
                self._move(Input.FAILED, error)
            case CloseAction.NEW_SESSION:
                self._renew(error)
            case CloseAction.RECONNECT:
                self._wait(now, error, hint_s=self._hint_s)
            case _:
                assert_never(rule.action)

    def still_valid(self, now: float) -> None:
        """Take the answer that the session is good: it was the network."""
        self._wait(now, _status_error("connection-lost"), Input.STILL_VALID)

    def attempt_failed(self, error: ChatError, now: float) -> None:
        """Take note that what the last effect asked for failed; the error's `retry` decides.

        Raises:
            LocalProtocolError: The socket is open; its end is told by `closed`.
        """
        if self._state is State.CONNECTED:
            raise LocalProtocolError("Expected closed() for an open socket, got attempt_failed().")
        reported = _status_error(error.code, error)
        if error.retry is Retry.LATER:
            self._wait(now, reported, hint_s=error.retry_after_s or 0.0)
        elif error.retry is Retry.NEW_SESSION and self._state in {State.CONNECTING, State.CHECKING}:
            self._renew(reported)
        else:
            self._move(Input.FAILED, reported)

    def timer_due(self, now: float) -> None:
        """Take note that the time is past `next_deadline()`."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if self._retry_at is not None:
            self._begin(now)
        elif self._pump_at is not None:
            self._pump(now)
        else:
            self._end_for_good()
            self._effects.append(CloseSocket())

    # --- inside ------------------------------------------------------------------------------------------------

    def _pump(self, now: float) -> None:
        """Write what waits, in order and no faster than a provider takes it; `end` comes last."""
        self._pump_at = None
        if self._state is not State.CONNECTED:
            return
        for client_id, frame in self._outbox.items():
            if client_id in self._written:
                continue
            wait_s = self._bucket.take(now)
            if wait_s > 0:
                self._pump_at = now + wait_s
                return
            self._written.add(client_id)
            self._effects.append(SendFrame(self._encoded(frame, client_id), client_id))
        if self._wants_end:
            self._wants_end = False
            self._said_end = True
            self._effects.append(SendFrame(encode(EndFrame())))

    def _begin(self, now: float) -> None:
        is_valid = self._expires_at is None or now < self._expires_at
        if self._session is not None and is_valid:
            self._move(Input.RESUME)
            self._effects.append(OpenSocket(self._session))
        else:
            self._move(Input.START)
            self._forget_session()
            self._effects.append(Authenticate())

    def _renew(self, error: StatusError) -> None:
        """Make a new session, once; the second refusal in a row is final (rule 5).

        A guest who wanted to end has nothing to end any more: a new session would only be closed again.
        """
        self._forget_session()
        if self._wants_end:
            self._events.append(ConversationUpdated(status=ConversationStatus.ENDED))
            self._note_end()
            self._fail(tuple(self._outbox))
            self._move(Input.STOP)
            return
        if self._has_renewed:
            self._move(Input.FAILED, error)
            return
        self._has_renewed = True
        self._move(Input.REFUSED, error)
        self._effects.append(Authenticate())

    def _wait(self, now: float, error: StatusError, what: Input = Input.LOST, *, hint_s: float = 0.0) -> None:
        delay_s = max(self._delay_s(self._attempt), min(hint_s, LONGEST_HINT_S))
        self._move(what, error, delay_s)
        self._attempt += 1
        self._retry_at = now + delay_s

    def _forget_session(self) -> None:
        self._session = self._expires_at = None

    def _drop_too_big(self) -> None:
        """Drop what this connection wrote last: when nothing was written whole, that is what waits first."""
        client_id = self._last_sent or next(iter(self._outbox), None)
        if client_id is not None:
            self._outbox.pop(client_id, None)
            self._events.append(Receipt(client_id=client_id, status=Fate.FAILED, code="frame-too-big"))

    def _settle_health(self, now: float) -> None:
        if self._opened_at is not None and now - self._opened_at >= HEALTHY_AFTER_S:
            self._attempt = 0
            self._has_renewed = False
        self._opened_at = None

    def _note_end(self) -> None:
        self._has_ended = True
        self._wants_end = self._said_end = False
        self._pump_at = None
        # What the shell was told to write may be on its way: it is sent, or fails with the connection.
        self._fail(client_id for client_id in tuple(self._outbox) if client_id not in self._written)

    def _fail(self, client_ids: Iterable[str]) -> None:
        for client_id in client_ids:
            del self._outbox[client_id]
            self._events.append(Receipt(client_id=client_id, status=Fate.FAILED, code="conversation-ended"))

    def _end_for_good(self) -> None:
        self._fail(tuple(self._outbox))
        self._forget_session()
        self._move(Input.ENDED)

    def _encoded(self, frame: GuestMessageFrame, client_id: str) -> str:
        """Encode a message; its client id is told only to a provider that says it back [D]."""
        return encode(structs.replace(frame, client_id=client_id) if self._understands("echo") else frame)

    def _understands(self, extension: str) -> bool:
        return self._session is not None and extension in self._session.extensions

    def _move(self, what: Input, error: StatusError | None = None, retry_in: float | None = None) -> None:
        before = STATUS_OF[self._state]
        self._state = next_state(self._state, what)
        self._retry_at = self._pump_at = self._close_at = None
        status = STATUS_OF[self._state]
        if status is not before or error is not None:
            self._events.append(StatusChanged(status=status, error=error, retry_in=retry_in))


def _message_frame(text: str, content: tuple[ContentItem, ...], client_id: str) -> GuestMessageFrame:
    text = well_formed(text)
    if not text.strip() and not content:
        raise MessageRejected(client_id, code="message-blank")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise MessageRejected(client_id, code="message-too-long")
    return GuestMessageFrame(text=text, content=[item.raw for item in content] or None)


def _status_error(code: str, error: ChatError | None = None) -> StatusError:
    info = ERRORS[code]
    return StatusError(
        code=code,
        text=error.message if error else info.summary,
        hint=info.hint,
        retry_after=error.retry_after_s if error else None,
    )
