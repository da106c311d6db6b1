"""Client half of Web Messaging: one guest's way to one deployment, and back again.

Theory of operation. The shell tells the core what happened (`start`, `deployment_read`, `authorized`, `opened`,
`frame_received`, `closed`, `attempt_failed`, `history_read`, `timer_due`, …) and what the guest wants (`send_text`,
`type`, `start_new`, …). After every such call it drains `effects()` and does them in order, then `events()` and shows
them, then waits until `next_deadline()` or the next thing happens. The core has no clock, no randomness and no I/O.

What the guest sends is in an outbox, and one message of it is in flight at a time: until the provider has said it back
(the inbound echo, known by its tracing id, which is the message's client id) or refused it. So after a drop at most one
message is in doubt, and the history tells of it: the client id is also in the message's metadata. What two readings of
the history do not show is sent again, under the same id.

Order of use: effects before events, because an event may announce what an effect has yet to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from msgspec import structs

from guestwire.errors import (
    ERRORS,
    ChatError,
    LocalProtocolError,
    MessageRejected,
    NotWritten,
    RateLimited,
    Retry,
)
from guestwire.model.content import ContentItem
from guestwire.model.events import (
    AttachmentStatus,
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
    StatusError,
    UnknownEvent,
)
from guestwire.model.secret import Secret
from guestwire.model.times import parse_time
from guestwire.model.wire_text import well_formed
from guestwire.protocols.web_messaging.asked import Asked, Kind, Questions
from guestwire.protocols.web_messaging.attributes import Attributes
from guestwire.protocols.web_messaging.closes import close_code_error, closed_event_error
from guestwire.protocols.web_messaging.codes import AuthTrouble, Concern, auth_trouble, code_rule
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
from guestwire.protocols.web_messaging.expiry import Due, Expiry
from guestwire.protocols.web_messaging.limits import MESSAGES_PER_S, REQUESTS_PER_MIN, TYPING_EVERY_S, Window
from guestwire.protocols.web_messaging.outbox import Missed, Outbox
from guestwire.protocols.web_messaging.outgoing import event_message, guest_message, presence, with_attributes
from guestwire.protocols.web_messaging.reading import Reading
from guestwire.protocols.web_messaging.requests import (
    CloseSession,
    ConfigureAuthenticatedSession,
    ConfigureSession,
    DeleteAttachment,
    Echo,
    GetAttachment,
    GetJwt,
    GuestMessage,
    OnAttachment,
    OnMessage,
    Request,
    SignedData,
    encode_request,
)
from guestwire.protocols.web_messaging.rest import HistoryPage
from guestwire.protocols.web_messaging.seen import Seen
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.protocols.web_messaging.states import OPEN_STATES, STATUS_OF, Input, State, next_state
from guestwire.protocols.web_messaging.translate import guest_id, message_keys, to_events
from guestwire.protocols.web_messaging.uploads import UploadRules, check_file
from guestwire.protocols.web_messaging.wire import (
    AttachmentDeletedResponse,
    ConnectionClosedEvent,
    Direction,
    ErrorBody,
    ErrorText,
    EventBody,
    GenerateUrlError,
    GetConfigurationResponse,
    JwtResponse,
    LogoutEvent,
    MessageBody,
    OutboundFrame,
    PresignedUrlResponse,
    ResumeTokenResponse,
    SessionClearedEvent,
    SessionExpiredEvent,
    SessionResponse,
    TooManyRequests,
    TypingBody,
    UploadFailureEvent,
    UploadSuccessEvent,
    decode_outbound,
)

__all__ = ["WebMessagingClient"]

HEALTHY_AFTER_S = 30.0
"""A connection that lived this long was healthy: the back-off begins anew."""

ANSWER_LIMIT_S = 10.0
"""A provider that does not answer a request of ours in this time is not there any more."""

SETTLE_S = 2.0
"""The history may lag: what it does not show is looked for once more, this much later."""

MOST_AUTHORIZATIONS = 3
"""JWTs that are tried on one connection, as in the vendor's mobile SDK (§2.10)."""

QUIET_S = 300.0
"""After so much silence the connection is checked (§7.5)."""

HEALTH_EVERY_S = 30.0
"""At most one check in this time: the provider allows two a minute (§2.8)."""

LONGEST_HINT_S = 300.0
"""The longest wait that a peer can ask for; a chat that is silent for longer looks dead."""


_KEPT = (Message, ConversationUpdated, Presence)
"""Events whose messages the provider keeps, and may repeat; typing is none of them."""


class _Join(StrEnum):
    """What is known of our `Join`."""

    NONE = "none"
    OWED = "owed"
    SENT = "sent"  # but not said back yet


class WebMessagingClient:
    """One guest's way to one deployment.

    Source: web-messaging §2 (life cycle), §3 (what we send), §7.5 (a client).
    """

    def __init__(
        self,
        deployment_id: str,
        *,
        new_id: Callable[[], str],
        delay_s: Callable[[int], float],
        epoch_s: float,
        session: WebSession | None = None,
        deployment: Deployment | None = None,
        signs_in: bool = False,
        reads_history: bool = True,
    ) -> None:
        """Start idle.

        Args:
            deployment_id: The deployment to talk to.
            new_id: A new random UUID; tokens and tracing ids are made of it.
            delay_s: Seconds to wait before attempt n of a series (0, 1, 2 …); the randomness of the back-off is here.
            epoch_s: Unix seconds when the shell's monotonic clock read 0.
            session: A session to come back to.
            deployment: Its configuration, where the shell has read it already.
            signs_in: Whether new sessions are for a guest who signs in.
            reads_history: Whether to read the history by ourselves after resuming a session, and to tell what is new in
                it; False for a caller with a reader and an outbox of its own, who uses `read_history` and `send_now`.
        """
        self._deployment_id = deployment_id
        self._new_id = new_id
        self._delay_s = delay_s
        self._session = session
        self._deployment = deployment
        self._signs_in = signs_in
        self._reads_history = reads_history
        self._epoch_s = epoch_s
        self._state = State.IDLE
        self._effects: list[Effect] = []
        self._events: list[Event] = []
        self._asked = Questions()
        # The session and its conversation
        self._guest_jwt: Secret | None = None
        self._authorizations = 0
        self._rules = UploadRules()
        self._attributes = Attributes()
        self._expiry = Expiry(epoch_s=epoch_s)
        self._wants_new = False
        self._was_cleared = False
        self._is_fresh = False
        self._join = _Join.NONE
        self._conversation: ConversationStatus | None = None
        self._agent: tuple[str | None, str | None] | None = None
        # What the guest sends
        self._outbox = Outbox(asks_history=reads_history, say=self._events.append)
        self._uploading: set[str] = set()
        self._hold_until: float | None = None
        self._pump_at: float | None = None
        self._typed_at: float | None = None
        self._may_type = True
        # What was said
        self._seen = Seen()
        self._reading = Reading() if reads_history else Reading(tries=1)
        self._unread: dict[int, StatusError] = {}
        self._is_catching_up = False
        # Time
        self._messages = Window(MESSAGES_PER_S - 1, 1.0)
        self._requests = _request_window()
        self._healths = Window(1, HEALTH_EVERY_S)
        self._health_at: float | None = None
        self._quiet_at: float | None = None
        self._attempt = 0
        self._opened_at: float | None = None
        self._retry_at: float | None = None

    # --- what a shell reads ------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the connection is."""
        return self._state

    @property
    def status(self) -> ConnectionStatus:
        """The state in the words of the model."""
        return STATUS_OF[self._state]

    @property
    def session(self) -> WebSession | None:
        """The session in use, if there is one."""
        return self._session

    @property
    def deployment(self) -> Deployment | None:
        """The deployment's configuration, once it was read."""
        return self._deployment

    @property
    def upload_rules(self) -> UploadRules:
        """What the guest may upload; nothing before the session is configured."""
        return self._rules

    @property
    def has_ended(self) -> bool:
        """Whether the conversation has ended; where it is not read-only, another message begins a new one."""
        return self._conversation is ConversationStatus.ENDED

    @property
    def is_open(self) -> bool:
        """Whether messages can be written now."""
        return self._state is State.CONFIGURED

    @property
    def queued(self) -> int:
        """How many messages were not said back yet."""
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
        if self._state not in OPEN_STATES:
            return self._retry_at
        deadlines = [self._asked.next_deadline()]
        if self._is_in_session:
            deadlines += [self._pump_at, self._health_at, self._quiet_at, self._reading.deadline]
            deadlines += [self._expiry.next_deadline(), self._outbox.overdue_at]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # --- what the guest or the app wants -----------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or begin again after a failure or a stop: with the session in hand while there is one.

        Raises:
            LocalProtocolError: It has begun already.
        """
        self._begin()
        self._attempt = 0

    def retry_now(self) -> None:
        """Don't wait for the back-off: the guest asked, or the network came back. Does nothing when not waiting."""
        if self._state is State.WAITING:
            self._begin()

    def send_text(
        self,
        text: str,
        now: float,
        *,
        client_id: str,
        sent_at: datetime | None = None,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> None:
        """Send a message, now or when it can be; messages keep their order, and one is in flight at a time.

        Args:
            text: At most 4,096 UTF-8 bytes; may be blank only with `content`.
            now: Monotonic seconds.
            client_id: The guest's own id of it; new for every message, a UUID by custom.
            sent_at: When the guest sent it, for the transcript.
            content: Answers, see `replies`, and files that were uploaded.
            in_reply_to: Id of the message that it answers.

        Raises:
            MessageRejected: It is blank or too long, or the conversation is read-only; nothing else is touched.
        """
        message = self._checked(text, content, client_id, in_reply_to)
        self._outbox.put(client_id, message)
        self._events.append(
            Message(
                sender="guest",
                text=message.text or "",
                client_id=client_id,
                sent_at=sent_at,
                content=content,
                in_reply_to=in_reply_to,
            )
        )
        self._pump(now)

    def send_now(
        self,
        text: str,
        now: float,
        *,
        client_id: str,
        content: tuple[ContentItem, ...] = (),
        in_reply_to: str | None = None,
    ) -> None:
        """Write a message to the socket that is open, or nowhere: it is not queued, and forgotten with the socket.

        For a caller that keeps its own outbox. Its echo is a `Message` with the client id, its refusal a
        `ProviderError` with it.

        Raises:
            NotWritten: The session is not configured.
            RateLimited: The provider would refuse it; `retry_after_s` says when it would not.
            MessageRejected: It is blank or too long, or the conversation is read-only.
        """
        message = self._checked(text, content, client_id, in_reply_to)
        if self._state is not State.CONFIGURED:
            raise NotWritten
        wait_s = self.send_wait_s(now)
        if wait_s > 0:
            raise RateLimited(retry_after_s=wait_s)
        self._write_message(client_id, message, now)

    def send_wait_s(self, now: float) -> float:
        """Return the seconds until the provider takes another frame of the guest's; 0.0 for now."""
        return max(self._messages.wait_s(now), self._requests.wait_s(now))

    def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Add and change custom attributes; they go with the next message, or with `Join`.

        Raises:
            AttributesTooLarge: More bytes than one message may carry; nothing was changed.
        """
        self._attributes.put({well_formed(key): well_formed(value) for key, value in attributes.items()})

    def type(self, now: float) -> None:
        """Tell that the guest is typing, where the deployment wants to know and at most every 5 s (§3.6)."""
        is_due = self._typed_at is None or now - self._typed_at >= TYPING_EVERY_S
        is_wanted = self._deployment is not None and self._deployment.takes_guest_typing and self._may_type
        if self._state is State.CONFIGURED and is_due and is_wanted and self.send_wait_s(now) == 0.0:
            self._typed_at = now
            self._send_event(Kind.TYPING, EventBody(event_type="Typing", typing=TypingBody()), now)

    def stay(self, now: float) -> None:
        """Keep the session from expiring: what the provider counts as a message does so (§2.7) [D]."""
        self.type(now)
        self.check_health(now)  # its answer tells when the session ends now

    def clear(self, now: float) -> None:
        """Have the provider forget the conversation, for good (§2.9).

        Raises:
            ChatError: `refused-by-deployment`: the deployment does not allow it.
            NotWritten: The session is not configured.
        """
        if self._deployment is None or not self._deployment.allows_clear:
            raise ChatError(code="refused-by-deployment")
        self._expect_session()
        self._send_event(Kind.CLEAR, presence("Clear"), now)

    def start_new(self, now: float) -> None:
        """Start a new conversation, after one that left the session read-only (§2.5).

        Raises:
            LocalProtocolError: The session is not read-only.
        """
        self._move(Input.START_NEW)
        self._wants_new = True
        tracing_id = self._ask(Kind.CLOSE_SESSION, limit_at=now + ANSWER_LIMIT_S)
        self._send(CloseSession(token=self._token, tracing_id=tracing_id, close_all_connections=True), now)

    def check_health(self, now: float) -> None:
        """Ask the provider whether all is well, now or as soon as that is allowed (§2.8)."""
        if not self._is_in_session:
            return
        wait_s = self._healths.take(now)
        self._health_at = now + wait_s if wait_s > 0 else None
        if wait_s > 0:
            return
        tracing_id = self._ask(Kind.HEALTH, limit_at=now + ANSWER_LIMIT_S)
        ping = GuestMessage(type="Text", text="ping")
        self._send(Echo(token=self._token, tracing_id=tracing_id, message=ping), now)

    def read_history(self, now: float, *, page: int = 1) -> None:
        """Read a page of earlier messages, 1 being the newest; `HistoryRead` tells when it was read."""
        self._unread.pop(page, None)
        self._reading.want(page)
        self._pump_reading(now)

    def history_wait_s(self, now: float) -> float:
        """Return the seconds until the provider takes another request for a page; 0.0 for now."""
        return self._reading.wait_s(now)

    def wants_page(self, page: int) -> bool:
        """Return whether a page is still to be read; False once it was, was given up, or went with its session."""
        return self._reading.wants(page)

    def why_unread(self, page: int) -> StatusError | None:
        """Return why a page was given up; None when it was not."""
        return self._unread.get(page)

    def sign_in(self, jwt: Secret, now: float) -> None:
        """Make the guest's session that of a guest who signed in (step-up, §2.10).

        Raises:
            ChatError: `refused-by-deployment`: the deployment does not allow it.
            NotWritten: The session is not configured.
        """
        if self._deployment is None or not self._deployment.allows_step_up:
            raise ChatError(code="refused-by-deployment")
        if self._state is not State.CONFIGURED:
            raise NotWritten
        self._guest_jwt = jwt
        self._configure(now, signed_in=jwt)

    def attach(self, attachment_id: str, now: float, *, name: str, file_type: str, size: int) -> None:
        """Begin to send a file: it is uploaded, and then named in a message's content.

        Args:
            attachment_id: Our id of it, a new UUID; the provider takes it over.
            now: Monotonic seconds.
            name: Its name, with an extension.
            file_type: Its media type.
            size: Bytes.

        Raises:
            AttachmentRejected: The provider would not take it; the code says why.
            NotWritten: The session is not configured.
        """
        if self._state is not State.CONFIGURED:
            raise NotWritten
        check_file(self._rules, name=name, file_type=file_type, size=size)
        self._uploading.add(attachment_id)
        tracing_id = self._ask(Kind.ATTACHMENT, attachment_id)
        request = OnAttachment(
            token=self._token,
            tracing_id=tracing_id,
            attachment_id=attachment_id,
            file_name=name,
            file_type=file_type,
            file_size=size,
            errors_as_json=True,
        )
        self._send(request, now)
        self._attachment(attachment_id, AttachmentStatus.UPLOADING)

    def upload_failed(self, attachment_id: str, error: ChatError) -> None:
        """Take note that the upload did not succeed."""
        if attachment_id in self._uploading:
            self._attachment(attachment_id, AttachmentStatus.FAILED, code="attachment-failed", text=error.message)

    def refresh_attachment(self, attachment_id: str, now: float) -> None:
        """Ask for another download URL, because one lives some minutes only; the answer is an `AttachmentUpdated`.

        Raises:
            NotWritten: The session is not configured.
        """
        self._expect_session()
        tracing_id = self._ask(Kind.ATTACHMENT, attachment_id)
        self._send(GetAttachment(token=self._token, tracing_id=tracing_id, attachment_id=attachment_id), now)

    def delete_attachment(self, attachment_id: str, now: float) -> None:
        """Give up a file that was not sent yet.

        Raises:
            NotWritten: The session is not configured.
        """
        self._expect_session()
        tracing_id = self._ask(Kind.ATTACHMENT, attachment_id)
        self._send(DeleteAttachment(token=self._token, tracing_id=tracing_id, attachment_id=attachment_id), now)

    def stop(self) -> None:
        """Go away without ending anything."""
        self._move(Input.STOP)
        self._effects.append(CloseSocket())

    # --- what the shell tells ----------------------------------------------------------------------------------

    def deployment_read(self, deployment: Deployment) -> None:
        """Take the deployment's configuration.

        Raises:
            LocalProtocolError: It was not asked for.
        """
        if self._state is not State.READING:
            raise LocalProtocolError(f"Expected deployment_read() while reading, got it while {self._state}.")
        self._deployment = deployment
        self._begin()

    def authorized(self, jwt: Secret, now: float) -> None:
        """Take the guest's JWT.

        Raises:
            LocalProtocolError: It was not asked for.
        """
        if self._state is State.REAUTHORIZING:
            self._guest_jwt = jwt
            self._move(Input.AUTHORIZED)
            self._configure(now)
        elif self._state is State.AUTHORIZING:
            self._guest_jwt = jwt
            self._begin()
        else:
            raise LocalProtocolError(f"Expected authorized() while authorizing, got it while {self._state}.")

    def opened(self, now: float) -> None:
        """Take note that the socket is open: the session is configured, and what waits is sent after that."""
        self._move(Input.OPENED)
        self._opened_at = now
        self._authorizations = 0
        self._requests = _request_window()
        self._configure(now)

    def sent(self, client_id: str, now: float) -> None:
        """Take note that a message was written to the socket."""
        self._outbox.written(client_id, now)

    def frame_received(self, text: str, now: float) -> None:
        """Take one text frame from the provider; anything unknown becomes an `UnknownEvent` and ends nothing."""
        if self._state not in OPEN_STATES:
            return
        self._quiet_at = now + QUIET_S
        frame = decode_outbound(text)
        if isinstance(frame, UnknownEvent):
            self._events.append(frame)
        else:
            self._take(frame, now)

    def closed(self, code: int, now: float) -> None:
        """Take note that the socket closed. A close after we stopped changes nothing."""
        if self._state not in OPEN_STATES:
            return
        if self._was_cleared:
            self._end_cleared()
            return
        error = close_code_error(code)
        if error == "frame-too-big":
            self._outbox.fail_flight(error)
        self._lose(now, _status_error(error))

    def attempt_failed(self, error: ChatError, now: float) -> None:
        """Take note that what the last effect asked for failed; the error's `retry` decides.

        A refused upgrade (403) is final: the origin is not allowed, or the deployment unknown or inactive (§1.2).

        Raises:
            LocalProtocolError: The socket is open and no JWT was asked for; its end is told by `closed`.
        """
        if self._state in OPEN_STATES and self._state is not State.REAUTHORIZING:
            raise LocalProtocolError("Expected closed() for an open socket, got attempt_failed().")
        if self._state is State.REAUTHORIZING:
            self._effects.append(CloseSocket())
        if error.retry is Retry.LATER:
            self._lose(now, _status_error(error.code, error), hint_s=error.retry_after_s or 0.0)
        elif self._state is State.CONNECTING and error.code == "socket-refused":
            self._move(Input.FAILED, _status_error("deployment-refused"))
        else:
            self._move(Input.FAILED, _status_error(error.code, error))

    def history_read(self, page: HistoryPage, now: float) -> None:
        """Take a page that `ReadHistory` asked for."""
        if not self._reading.is_busy:
            return
        self._reading.done(page.number)
        if self._reads_history:
            self._catch_up(page)
        else:
            self._note_join(page)
        self._events.append(HistoryRead(page=page.number, has_more=page.has_more))
        if page.number == 1:
            self._settle(now)
        self._pump_reading(now)
        self._pump(now)

    def history_failed(self, error: ChatError, now: float) -> None:
        """Take note that the history could not be read; it is tried again a few times."""
        if self._reading.is_busy:
            self._reading_failed(_status_error(error.code, error), now)

    def timer_due(self, now: float) -> None:
        """Take note that the time is past `next_deadline()`."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if self._state not in OPEN_STATES:
            self._begin()
            return
        if late := self._asked.overdue(now):
            self._unanswered(late, now)
        if self._is_in_session:
            self._timers_of_session(now)

    # --- the provider's frames ---------------------------------------------------------------------------------

    def _take(self, frame: OutboundFrame, now: float) -> None:
        body, tracing_id = frame.body, frame.tracing_id
        match body:
            case MessageBody():
                self._take_message_frame(frame, body, now)
            case SessionResponse():
                self._take_session(body, tracing_id, now)
            case JwtResponse():
                self._take_key(body, tracing_id, now)
            case PresignedUrlResponse():
                self._asked.answered(tracing_id)
                self._take_url(body)
            case UploadSuccessEvent():
                self._attachment(body.attachment_id, AttachmentStatus.UPLOADED, url=body.download_url)
            case UploadFailureEvent():
                self._attachment_failed(body.attachment_id, body.error_code, body.error_message)
            case AttachmentDeletedResponse():
                self._asked.answered(tracing_id)
                self._attachment(body.attachment_id, AttachmentStatus.DELETED)
            case GenerateUrlError():
                asked = self._asked.answered(tracing_id)
                about = body.attachment_id or (asked.about if asked else "")
                self._attachment_failed(about, body.error_code, body.error_message or body.message)
            case ErrorText():
                self._take_error(frame.code, body.text, tracing_id, now)
            case ErrorBody():
                number = frame.code if body.error_code is None else int(body.error_code)
                self._take_error(number, body.error_message or body.message or "", tracing_id, now)
            case TooManyRequests():
                wait_s = None if body.retry_after is None else float(body.retry_after)
                self._take_error(4029, body.error_message or "", tracing_id, now, retry_after_s=wait_s)
            case ConnectionClosedEvent():
                self._take_closed_event(body)
            case SessionExpiredEvent():
                self._effects.append(CloseSocket())
                self._session_over("session-expired")
            case SessionClearedEvent():
                self._was_cleared = True
                self._say(ConversationUpdated(status=ConversationStatus.ENDED, reason="cleared"))
            case LogoutEvent():
                self._effects.append(CloseSocket())
                self._session_over("signed-out")
            case GetConfigurationResponse() | ResumeTokenResponse():
                self._asked.answered(tracing_id)
            case _:
                assert_never(body)

    def _take_message_frame(self, frame: OutboundFrame, body: MessageBody, now: float) -> None:
        asked = self._asked.get(frame.tracing_id)
        if frame.kind == "response" and (asked is None or asked.kind is Kind.HEALTH):
            self._asked.answered(frame.tracing_id)
            self._tell_expiry(now, body.metadata)
            return
        self._asked.answered(frame.tracing_id)
        if not self._is_in_session or self._take_message(body, frame.tracing_id, is_live=True) is None:
            return
        if self._expiry.active(now):
            self._events.append(ConversationUpdated(expires_at=self._expiry.moment))
            self.check_health(now)
        self._pump(now)

    def _take_message(self, body: MessageBody, tracing_id: str | None, *, is_live: bool) -> bool | None:
        """Take a message of the socket or the newest page; return None when it was seen before."""
        keys = message_keys(body)
        if body.direction == Direction.INBOUND:
            self._confirm(tracing_id or guest_id(body) or "", body)
        events = to_events(body, tracing_id=tracing_id, deployment=self._deployment)
        if self._seen.has(keys):
            return None
        sent_at = parse_time(body.channel.time) if body.channel else None
        is_late = self._seen.note(keys, sent_at) if any(isinstance(event, _KEPT) for event in events) else False
        for event in events:
            self._take_event(event, is_late=is_late, is_live=is_live)
        return True

    def _take_event(self, event: Event, *, is_late: bool, is_live: bool) -> None:
        match event:
            case Message():
                if not is_late:
                    self._note_speaker(event)
                self._events.append(structs.replace(event, late=is_late))
            case ConversationUpdated():
                self._say(event)
                if event.read_only and is_live:  # in the history it is of an earlier conversation, or known already
                    self._bar()
            case Presence():
                if event.kind == "join":
                    self._join = _Join.NONE
                    self._begin_conversation()
                self._events.append(event)
            case _:
                self._events.append(event)

    def _take_session(self, body: SessionResponse, tracing_id: str | None, now: float) -> None:
        self._asked.answered(tracing_id)
        if self._state is State.CLOSING_SESSION and not body.connected:
            self._move(Input.SESSION_CLOSED)
            self._configure(now, starts_new=True)
            return
        if self._state is State.CONFIGURING and not body.connected:
            self._effects.append(CloseSocket())
            self._lose(now, _status_error("bad-answer"))
            return
        if not body.connected or self._state is State.CLOSING_SESSION:
            return
        is_first = self._state is State.CONFIGURING
        # A token that was never configured before is new, though the answer that said so may have been lost.
        is_new, read_only = bool(body.new_session) or self._is_fresh, bool(body.read_only)
        self._is_fresh = False
        self._rules = UploadRules.of(body.allowed_media, body.blocked_extensions, self._deployment)
        if body.max_custom_data_bytes is not None:
            self._attributes.max_bytes = int(body.max_custom_data_bytes)
        if not is_first:
            self._stepped_up()
        elif is_new:
            self._forget_conversation()
        if is_first:
            self._move(Input.BARRED if read_only else Input.CONFIGURED)
            self._quiet_at = now + QUIET_S
        self._expiry.told(now, duration_s=body.duration_seconds, expires=body.expiration_date)
        self._events.append(
            SessionUpdated(
                is_new=is_new,
                read_only=read_only,
                expires_at=self._expiry.moment,
                duration_s=None if body.duration_seconds is None else int(body.duration_seconds),
                max_attribute_bytes=self._attributes.max_bytes,
                replaced_session=bool(body.cleared_existing_session),
            )
        )
        if is_first:
            self._resume(now, is_new=is_new, read_only=read_only, has_joined=bool(body.auto_started))

    def _resume(self, now: float, *, is_new: bool, read_only: bool, has_joined: bool) -> None:
        """Go on in a session that was just configured."""
        if read_only:
            self._outbox.fail_waiting("read-only")
            if self._wants_new:
                self.start_new(now)
                return
        else:
            self._wants_new = False
            if is_new and not has_joined and self._deployment is not None and self._deployment.auto_start:
                self._join = _Join.OWED
        if not is_new and (self._reads_history or self._outbox.is_in_doubt):
            self._is_catching_up = bool(self._seen)
            self._reading.want(1, first=True)
        if self._join is _Join.OWED:
            self._send_join(now)
        self._pump_reading(now)
        self._pump(now)

    def _stepped_up(self) -> None:
        """The guest's session is now that of a guest who signed in, for good."""
        if self._session is not None and self._guest_jwt is not None and not self._session.is_authenticated:
            self._session = replace(self._session, is_authenticated=True)
            self._effects.append(KeepSession(self._session))

    def _take_key(self, body: JwtResponse, tracing_id: str | None, now: float) -> None:
        asked = self._asked.answered(tracing_id)
        if asked is None or asked.kind is not Kind.JWT or not body.jwt:
            return
        until = now if body.exp is None else body.exp - self._epoch_s
        self._reading.took_key(Secret(body.jwt), until)
        self._pump_reading(now, key=Secret(body.jwt))

    def _take_closed_event(self, body: ConnectionClosedEvent) -> None:
        code = closed_event_error(body, was_cleared=self._was_cleared)
        self._effects.append(CloseSocket())
        if code == "session-cleared":
            self._end_cleared()
        elif code == "signed-in-elsewhere":
            self._session_over(code)
        else:
            self._move(Input.FAILED, _status_error(code))

    # --- the provider's errors ---------------------------------------------------------------------------------

    def _take_error(
        self, number: int, text: str, tracing_id: str | None, now: float, *, retry_after_s: float | None = None
    ) -> None:
        asked = self._asked.answered(tracing_id)
        rule, trouble = code_rule(number), auth_trouble(number, text)
        wait_s = min(retry_after_s or 0.0, LONGEST_HINT_S)
        if rule.concern is Concern.SESSION:
            self._effects.append(CloseSocket())
            self._session_over(rule.code)
        elif self._state in {State.CONFIGURING, State.CLOSING_SESSION}:
            self._refused(number, text, trouble, wait_s, now)
        elif trouble is AuthTrouble.REFUSED and (asked is None or asked.kind is not Kind.JWT):
            self._error("sign-in-needed", text, asked)
        elif (client_id := self._flying(asked, rule.concern, tracing_id)) is not None:
            self._flight_refused(client_id, number, text, retry_after_s=retry_after_s, now=now)
        elif asked is None and (meant := self._meant(rule.concern, tracing_id)) is not None:
            self._request_refused(
                Asked(Kind.MESSAGE, meant), meant, rule.code, text, now=now, retry_after_s=retry_after_s
            )
        elif asked is None:
            self._error(rule.code, text, None, retry_after_s)
        else:
            self._request_refused(asked, tracing_id or "", rule.code, text, now=now, retry_after_s=retry_after_s)

    def _refused(self, number: int, text: str, trouble: AuthTrouble | None, wait_s: float, now: float) -> None:
        """The provider did not configure the session: final, unless another JWT or a little patience may help."""
        is_signed_in = self._session is not None and self._session.is_authenticated
        if trouble is not None and is_signed_in and self._state is State.CONFIGURING:
            self._authorizations += 1
            if self._authorizations <= MOST_AUTHORIZATIONS:
                self._move(Input.STALE)
                self._effects.append(Authorize(is_stale=trouble is AuthTrouble.STALE))
                return
        self._effects.append(CloseSocket())
        code = code_rule(number).code
        if code in {"rate-limited", "timed-out"} or 500 <= number < 600 or number == 5000:
            self._lose(now, _status_error("upstream-busy" if code == "provider-error" else code), hint_s=wait_s)
            return
        if trouble is None:
            code = {400: "deployment-unknown", 403: "deployment-refused", 404: "deployment-unknown"}.get(number, code)
        else:
            code = "sign-in-needed"
        # The provider's words name what is wrong; they are an operator's, and untrusted.
        self._move(Input.FAILED, structs.replace(_status_error(code), text=text or ERRORS[code].summary))

    def _flight_refused(
        self, client_id: str, number: int, text: str, *, retry_after_s: float | None, now: float
    ) -> None:
        rule = code_rule(number)
        if rule.code == "rate-limited":
            wait_s = min(max(retry_after_s or 1.0, 1.0), LONGEST_HINT_S)
            self._attributes.give_back(client_id)
            self._hold_until = now + wait_s
            self._outbox.wait(wait_s)
        elif rule.concern is Concern.ATTRIBUTES:
            # The words are worth more than what was told with them.
            self._attributes.drop(client_id)
            self._outbox.send_again()
            self._error(rule.code, text, None)
        elif rule.code == "timed-out" or 500 <= number < 600 or number == 5000:
            self._doubt()
        else:
            self._attributes.give_back(client_id)
            self._outbox.fail_flight(rule.code, text)
            if rule.code == "read-only":
                self._bar()
        self._pump_reading(now)
        self._pump(now)

    def _request_refused(
        self, asked: Asked, tracing_id: str, code: str, text: str, *, now: float, retry_after_s: float | None
    ) -> None:
        match asked.kind:
            case Kind.ATTACHMENT:
                self._attachment(asked.about, AttachmentStatus.FAILED, code=code, text=text)
            case Kind.JWT:
                self._reading_failed(_status_error(code), now, wait_s=retry_after_s or SETTLE_S)
            case Kind.TYPING:
                self._may_type = code != "refused-by-deployment"
            case Kind.HEALTH:
                self._health_at = now + max(retry_after_s or 0.0, HEALTH_EVERY_S)
            case _:
                if code == "attributes-too-large":
                    self._attributes.drop(tracing_id)
                else:
                    self._attributes.give_back(tracing_id)
                if asked.kind is Kind.CONFIGURE:  # a step-up; what was good before still is
                    self._guest_jwt = None
                self._error("sign-in-needed" if asked.kind is Kind.CONFIGURE else code, text, asked, retry_after_s)
                if asked.kind is Kind.MESSAGE and code == "read-only":
                    self._bar()

    def _meant(self, concern: Concern, tracing_id: str | None) -> str | None:
        """Return the message that an error without a tracing id is about: the last one that was not answered."""
        if tracing_id is not None or concern not in {Concern.MESSAGE, Concern.ATTRIBUTES}:
            return None
        client_id = self._asked.last(Kind.MESSAGE)
        self._asked.answered(client_id)
        return client_id

    def _flying(self, asked: Asked | None, concern: Concern, tracing_id: str | None) -> str | None:
        """Return the message in flight when an error is about it; without a tracing id its number must say so."""
        flight = self._outbox.flight
        if flight is None:
            return None
        is_meant = asked is None and concern in {Concern.MESSAGE, Concern.ATTRIBUTES}
        is_named = tracing_id == flight.client_id
        return flight.client_id if (is_named if tracing_id is not None else is_meant) else None

    def _error(self, code: str, text: str, asked: Asked | None, retry_after_s: float | None = None) -> None:
        client_id = asked.about if asked is not None and asked.kind is Kind.MESSAGE else None
        self._events.append(ProviderError(code=code, text=text, retry_after=retry_after_s, client_id=client_id))

    # --- files -------------------------------------------------------------------------------------------------

    def _take_url(self, body: PresignedUrlResponse) -> None:
        # A new download URL comes with a size and without headers (§3.10).
        if not body.headers and body.file_size is not None:
            self._attachment(body.attachment_id, AttachmentStatus.REFRESHED, url=body.url)
        elif body.attachment_id in self._uploading:
            self._effects.append(Upload(body.attachment_id, body.url, body.headers))

    def _attachment(
        self,
        attachment_id: str,
        status: AttachmentStatus,
        *,
        url: str | None = None,
        code: str | None = None,
        text: str | None = None,
    ) -> None:
        if status not in {AttachmentStatus.UPLOADING, AttachmentStatus.REFRESHED}:
            self._uploading.discard(attachment_id)
        self._events.append(
            AttachmentUpdated(attachment_id=attachment_id, status=status, url=url, code=code, text=text)
        )

    def _attachment_failed(self, attachment_id: str, number: float | None, text: str | None) -> None:
        rule = code_rule(0 if number is None else int(number))
        code = rule.code if rule.concern is Concern.ATTACHMENT else "attachment-failed"
        self._attachment(attachment_id, AttachmentStatus.FAILED, code=code, text=text)

    # --- what the guest sends ----------------------------------------------------------------------------------

    def _checked(
        self, text: str, content: tuple[ContentItem, ...], client_id: str, in_reply_to: str | None
    ) -> GuestMessage:
        message = guest_message(text, content, client_id, in_reply_to)
        if self._state is State.READ_ONLY:
            raise MessageRejected(client_id, code="read-only")
        return message

    def _pump(self, now: float) -> None:
        """Write the next message, when none is in flight and the provider takes one."""
        self._pump_at = None
        following = self._outbox.next() if self._state is State.CONFIGURED else None
        if following is None:
            return
        wait_s = max(self.send_wait_s(now), 0.0 if self._hold_until is None else self._hold_until - now)
        if wait_s > 0:
            self._pump_at = now + wait_s
            return
        self._hold_until = None
        client_id, message = following
        self._outbox.took_off(client_id)
        self._write_message(client_id, message, now)

    def _write_message(self, client_id: str, message: GuestMessage, now: float) -> None:
        self._ask(Kind.MESSAGE, client_id, tracing_id=client_id)
        full = with_attributes(message, self._attributes.take(client_id))
        self._messages.take(now)
        self._send(OnMessage(token=self._token, tracing_id=client_id, message=full), now, client_id)

    def _send_join(self, now: float) -> None:
        self._join = _Join.SENT
        self._send_event(Kind.JOIN, presence("Join"), now)

    def _send_event(self, kind: Kind, event: EventBody, now: float) -> None:
        tracing_id = self._ask(kind)
        message = event_message(event)
        if kind is Kind.JOIN:
            message = with_attributes(message, self._attributes.take(tracing_id))
        self._messages.take(now)
        self._send(OnMessage(token=self._token, tracing_id=tracing_id, message=message), now)

    def _send(self, request: Request, now: float, client_id: str | None = None) -> None:
        self._requests.take(now)
        self._effects.append(SendFrame(encode_request(request), client_id))

    def _configure(self, now: float, *, starts_new: bool = False, signed_in: Secret | None = None) -> None:
        tracing_id = self._ask(Kind.CONFIGURE, limit_at=now + ANSWER_LIMIT_S)
        is_signed_in = self._session is not None and self._session.is_authenticated
        jwt = signed_in or (self._guest_jwt if is_signed_in else None)
        request: Request
        if jwt is None:
            request = ConfigureSession(
                token=self._token, tracing_id=tracing_id, deployment_id=self._deployment_id, start_new=starts_new
            )
        else:
            request = ConfigureAuthenticatedSession(
                token=self._token,
                tracing_id=tracing_id,
                deployment_id=self._deployment_id,
                start_new=starts_new,
                data=SignedData(code=jwt.reveal()),
            )
        self._send(request, now)

    def _ask(self, kind: Kind, about: str = "", *, limit_at: float | None = None, tracing_id: str | None = None) -> str:
        tracing_id = tracing_id or self._new_id()
        self._asked.ask(tracing_id, Asked(kind, about, limit_at))
        return tracing_id

    # --- what has become of it ---------------------------------------------------------------------------------

    def _confirm(self, client_id: str, body: MessageBody) -> None:
        """Take note that the provider has one of the guest's messages."""
        is_new = not self._seen.has(message_keys(body))
        client_id, message = self._outbox.arrived(client_id, body, is_new=is_new)
        if message is not None:
            self._files_sent(message)
        self._attributes.confirm(client_id)

    def _files_sent(self, message: GuestMessage) -> None:
        for one in _file_ids(message):
            self._attachment(one, AttachmentStatus.SENT)

    def _doubt(self) -> None:
        """Only the history can tell whether the provider has what is in flight."""
        self._outbox.doubt()
        if self._outbox.is_in_doubt:
            self._reading.want(1, first=True)

    def _settle(self, now: float) -> None:
        """The newest page was read: what it does not show is looked for once more, then sent again."""
        is_going_on = self._conversation in {ConversationStatus.WAITING, ConversationStatus.CONNECTED}
        if self._join is _Join.SENT and not is_going_on and self._state is State.CONFIGURED:
            self._send_join(now)
        match self._outbox.missed():
            case Missed.LOOK_AGAIN:
                self._reading.want(1, first=True)
                self._reading.at = now + SETTLE_S
            case Missed.SEND_AGAIN if self._state is State.READ_ONLY:
                self._outbox.fail_flight("read-only")
            case Missed.SEND_AGAIN:
                self._outbox.send_again()
            case _:
                pass

    # --- the conversation --------------------------------------------------------------------------------------

    def _say(self, event: ConversationUpdated) -> None:
        self._conversation = event.status or self._conversation
        if event.status is ConversationStatus.ENDED:
            self._agent = None
        self._events.append(event)

    def _begin_conversation(self) -> None:
        """A guest's word, or `Join`, begins a conversation where there is none."""
        if self._state is not State.READ_ONLY and self._conversation in {None, ConversationStatus.ENDED}:
            self._say(ConversationUpdated(status=ConversationStatus.WAITING))

    def _note_speaker(self, message: Message) -> None:
        """An agent who speaks is there: the provider has no other word for it."""
        if message.sender == "guest":
            self._begin_conversation()
        elif message.sender == "agent":
            agent = (message.name, message.avatar)
            if self._conversation is not ConversationStatus.CONNECTED or agent != self._agent:
                self._agent = agent
                self._say(
                    ConversationUpdated(
                        status=ConversationStatus.CONNECTED, agent_name=message.name, agent_avatar=message.avatar
                    )
                )

    def _bar(self) -> None:
        """The session takes no more messages."""
        if self._state is State.CONFIGURED:
            self._move(Input.BARRED)
            self._outbox.fail_waiting("read-only")

    def _forget_conversation(self) -> None:
        """What we knew was another session's; what was in flight may have reached it."""
        self._outbox.unconfirm()
        self._reading.forget()
        self._expiry.forget()
        self._attributes.say_all_again()
        self._conversation = self._agent = None
        self._is_catching_up = False
        self._join = _Join.NONE

    def _session_over(self, code: str) -> None:
        """This session is over for us; another begins when the guest starts again."""
        if code == "session-expired":
            self._say(ConversationUpdated(status=ConversationStatus.ENDED, reason=code))
        self._forget_conversation()
        self._seen.forget()
        self._session = self._guest_jwt = None
        self._effects.append(KeepSession(None))
        self._move(Input.FAILED, _status_error(code))

    def _end_cleared(self) -> None:
        """The provider forgot the conversation; the same token begins another one."""
        self._was_cleared = False
        self._outbox.fail_all("session-cleared")
        self._forget_conversation()
        self._move(Input.ENDED)

    # --- history -----------------------------------------------------------------------------------------------

    def _pump_reading(self, now: float, *, key: Secret | None = None) -> None:
        query = self._reading.wants_now(now) if self._is_in_session else None
        if query is None:
            return
        jwt = key or self._reading.key(now)
        if jwt is not None:
            self._reading.begin(now)
            self._effects.append(ReadHistory(jwt, query))
            return
        self._reading.is_busy = True
        tracing_id = self._ask(Kind.JWT, limit_at=now + ANSWER_LIMIT_S)
        self._send(GetJwt(token=self._token, tracing_id=tracing_id), now)

    def _catch_up(self, page: HistoryPage) -> None:
        knew_some = self._take_history(page)
        if self._is_catching_up and not knew_some and page.has_more:
            self._reading.want(page.number + 1, first=True)
        else:
            self._is_catching_up = False

    def _note_join(self, page: HistoryPage) -> None:
        """Look for our `Join` in what is otherwise the caller's to read."""
        said = [event for body in page.messages for event in to_events(body)]
        if any(isinstance(event, Presence) and event.kind == "join" for event in said):
            self._join = _Join.NONE

    def _take_history(self, page: HistoryPage) -> bool:
        """Show what is new of a page, oldest first; return whether some of it was known."""
        knew_some = False
        for body in page.messages:
            if page.number == 1 or self._is_catching_up:
                is_new = self._take_message(body, None, is_live=False) is not None
            else:
                is_new = self._take_older(body)
            knew_some = knew_some or not is_new
        return knew_some

    def _take_older(self, body: MessageBody) -> bool:
        """Show a message from before what is known: it changes nothing but the transcript."""
        keys = message_keys(body)
        if self._seen.has(keys):
            return False
        for event in to_events(body, deployment=self._deployment):
            if isinstance(event, Message):
                self._events.append(structs.replace(event, late=self._seen.note(keys, event.sent_at)))
        return True

    def _reading_failed(self, error: StatusError, now: float, *, wait_s: float = SETTLE_S) -> None:
        given_up = self._reading.failed(now, max(wait_s, error.retry_after or 0.0))
        if given_up is None:
            return
        self._is_catching_up = False
        self._unread[given_up] = error
        if self._reads_history:
            self._events.append(ProviderError(code=error.code, text=error.text))
        if given_up == 1 and self._outbox.is_in_doubt:
            self._outbox.unconfirm()
            self._pump(now)

    # --- time --------------------------------------------------------------------------------------------------

    def _timers_of_session(self, now: float) -> None:
        for due in self._expiry.due(now):
            if due is Due.NOTICE:
                self._events.append(ConversationUpdated(expires_at=self._expiry.moment))
            else:
                self.check_health(now)
        if _is_past(self._outbox.overdue_at, now):
            self._doubt()
        if _is_past(self._health_at, now) or _is_past(self._quiet_at, now):
            self._quiet_at = now + QUIET_S
            self.check_health(now)
        self._pump_reading(now)
        self._pump(now)

    def _unanswered(self, late: set[Kind], now: float) -> None:
        if late == {Kind.JWT}:
            self._reading_failed(_status_error("timed-out"), now)
            return
        self._effects.append(CloseSocket())
        self._lose(now, _status_error("timed-out"))

    def _tell_expiry(self, now: float, metadata: dict[str, object] | None) -> None:
        told = metadata or {}
        duration, expires = _seconds(told.get("durationSeconds")), _seconds(told.get("expirationDate"))
        was_noticed = self._expiry.is_noticed
        self._expiry.told(now, duration_s=duration, expires=expires)
        if was_noticed and not self._expiry.is_noticed:
            self._events.append(ConversationUpdated(expires_at=self._expiry.moment))

    # --- the connection ----------------------------------------------------------------------------------------

    @property
    def _token(self) -> str:
        assert self._session is not None, "there is nothing to send without"  # noqa: S101 - the table's doing
        return self._session.token.reveal()

    @property
    def _is_in_session(self) -> bool:
        return self._state in {State.CONFIGURED, State.READ_ONLY}

    def _expect_session(self) -> None:
        if not self._is_in_session:
            raise NotWritten

    def _begin(self) -> None:
        if self._deployment is None:
            self._move(Input.READ)
            self._effects.append(ReadDeployment(self._deployment_id))
            return
        self._is_fresh = self._is_fresh or self._session is None
        session = self._session or WebSession(Secret(self._new_id()), self._deployment_id, self._signs_in)
        if session.is_authenticated and self._guest_jwt is None:
            self._move(Input.AUTHORIZE)
            self._keep(session)
            self._effects.append(Authorize())
        else:
            self._move(Input.CONNECT)
            self._keep(session)
            self._effects.append(OpenSocket(session))

    def _keep(self, session: WebSession) -> None:
        if session != self._session:
            self._session = session
            self._effects.append(KeepSession(session))

    def _lose(self, now: float, error: StatusError, *, hint_s: float = 0.0) -> None:
        """What was lost may be better in a moment."""
        if self._opened_at is not None and now - self._opened_at >= HEALTHY_AFTER_S:
            self._attempt = 0
        delay_s = max(self._delay_s(self._attempt), min(hint_s, LONGEST_HINT_S))
        self._move(Input.LOST, error, delay_s)
        self._attempt += 1
        self._retry_at = now + delay_s

    def _disconnected(self) -> None:
        """Forget what died with the connection."""
        self._asked.clear()
        self._attributes.give_back_all()
        self._reading.disconnected()
        self._opened_at = self._hold_until = self._pump_at = self._health_at = self._quiet_at = None
        self._may_type = True
        self._was_cleared = False
        for attachment_id in sorted(self._uploading):
            self._attachment(attachment_id, AttachmentStatus.FAILED, code="connection-lost")
        self._doubt()

    def _move(self, what: Input, error: StatusError | None = None, retry_in: float | None = None) -> None:
        before = self._state
        self._state = next_state(before, what)
        self._retry_at = None
        if before in OPEN_STATES and self._state not in OPEN_STATES:
            self._disconnected()
        status = STATUS_OF[self._state]
        if status is not STATUS_OF[before] or error is not None:
            self._events.append(StatusChanged(status=status, error=error, retry_in=retry_in))


def _request_window() -> Window:
    # A little below what the provider allows, which counts when frames arrive; `configure` and `echo` count too.
    return Window(REQUESTS_PER_MIN - 10, 60.0)


def _is_past(deadline: float | None, now: float) -> bool:
    return deadline is not None and deadline <= now


def _seconds(text: object) -> int | None:
    """Return the whole seconds of a metadata value, which is a string by the book and a number from some."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return int(text)
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 12 else None


def _file_ids(message: GuestMessage) -> list[str]:
    items = message.content if isinstance(message.content, list) else []
    found = [item.get("attachment", {}).get("id") for item in items if item.get("contentType") == "Attachment"]
    return [one for one in found if isinstance(one, str)]


def _status_error(code: str, error: ChatError | None = None) -> StatusError:
    info = ERRORS[code]
    return StatusError(
        code=code,
        text=error.message if error else info.summary,
        hint=info.hint,
        retry_after=error.retry_after_s if error else None,
    )
