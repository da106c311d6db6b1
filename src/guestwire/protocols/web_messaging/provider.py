"""The provider's sessions: what one deployment keeps under each guest's token, and whom it tells what.

This is the state that connections share: a session has up to three of them, its messages with times that never repeat,
its files, whether it takes messages, when it ends. It decides everything that the protocol decides; who the agents are,
what a bot says and where files lie is the caller's.

Theory of operation. The shell calls `opened(connection)`, `frame_received(connection, text, now)` and
`closed(connection)`, and what agents do (`say`, `disconnect`, …); after every call it drains `effects()` (write, close,
in order) and `happenings()` (what the guest did). Nothing here reads a clock: `now` is Unix seconds everywhere.

Source: web-messaging §2 (life cycle), §7.4 (a server), §5 (limits); §8 where nobody knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import TypeAlias, assert_never

from msgspec import structs

from guestwire.model.content import Attachment, ContentItem, misfit, parse_content
from guestwire.model.content import attachment as attachment_item
from guestwire.model.secret import Secret
from guestwire.model.times import format_time
from guestwire.protocols.web_messaging import answers
from guestwire.protocols.web_messaging.attributes import attribute_bytes
from guestwire.protocols.web_messaging.limits import (
    CONFIGURES_PER_MIN,
    CONNECTIONS_PER_SESSION,
    HISTORY_READS_PER_MIN,
    MAX_ATTRIBUTE_BYTES,
    MAX_FILE_NAME_CHARS,
    MESSAGES_PER_S,
    Window,
)
from guestwire.protocols.web_messaging.requests import GuestMessage
from guestwire.protocols.web_messaging.server import (
    AnswerOffer,
    AskConfiguration,
    AskDownload,
    AskJwt,
    AskUpload,
    CheckHealth,
    Command,
    Configure,
    DeleteFile,
    EndSession,
    SendMessage,
    SendPresence,
    ShowTyping,
    WebMessagingServer,
)
from guestwire.protocols.web_messaging.uploads import AttachmentRejected, UploadRules, check_file
from guestwire.protocols.web_messaging.wire import (
    MAX_TEXT_BYTES,
    Channel,
    Direction,
    EventBody,
    GetConfigurationResponse,
    MessageBody,
    MessageKind,
    OutboundFrame,
    PresenceBody,
    PresignedUrlResponse,
    SessionResponse,
)

__all__ = [
    "Cleared",
    "CloseConnection",
    "EndReason",
    "Ended",
    "FileState",
    "GuestSaid",
    "GuestTyped",
    "Happening",
    "Host",
    "Joined",
    "Offered",
    "ProviderEffect",
    "ServedDeployment",
    "ServedFile",
    "ServedSession",
    "SignedIn",
    "StartedNew",
    "WebMessagingProvider",
    "WriteFrame",
]


MAX_EXPIRED = 10_000
"""Tokens remembered that were expired; whoever comes back with an older one simply has a new session."""

MAX_MESSAGES = 2000
"""Kept per session: a guest at the full rate must not fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedDeployment:
    """The switches of a deployment that the server obeys; the public configuration tells clients the same.

    Attributes:
        deployment_id: Its id.
        is_active: Whether it takes guests.
        takes_typing: Whether guests may send typing.
        allows_clear: Whether guests may clear.
        tells_disconnect: Whether guests are told of the end.
        read_only_after_end: Whether they may not write after it.
        allows_step_up: Whether a guest may sign in later.
        humanize: Whether names and pictures are sent.
        file_types: What may be uploaded; none: nothing.
        max_file_size_kb: Of one file.
        blocked_extensions: With their dot.
        duration_s: Seconds of inactivity after which a session ends.
    """

    deployment_id: str
    is_active: bool = True
    takes_typing: bool = True
    allows_clear: bool = True
    tells_disconnect: bool = True
    read_only_after_end: bool = True
    allows_step_up: bool = False
    humanize: bool = True
    file_types: tuple[str, ...] = ("*/*",)
    max_file_size_kb: int = 10_240
    blocked_extensions: tuple[str, ...] = (".bat", ".exe", ".js")
    duration_s: int = 259_200


class FileState(StrEnum):
    """How far a file of the guest's is."""

    ASKED = "asked"
    UPLOADED = "uploaded"
    SENT = "sent"


@dataclass(slots=True)
class ServedFile:
    """A file of a session, of the guest's or an agent's; `stored_as` is what the program around knows it by."""

    attachment_id: str
    name: str
    file_type: str
    size: int
    state: FileState = FileState.ASKED
    stored_as: str | None = None


@dataclass(slots=True)
class ServedSession:
    """What is kept under a token.

    Attributes:
        token: The guest's.
        deployment: Whose it is.
        expires_at: Unix seconds.
        connections: Oldest first.
        messages: All but typing, oldest first; of more than `MAX_MESSAGES` the last ones.
        attributes: All that were told.
        files: By id.
        user: Who signed in; None for an unknown guest.
        read_only: Whether it takes no messages until started anew.
        may_start_new: Whether `closeSession` came, so that a configure may start anew.
    """

    token: Secret
    deployment: ServedDeployment
    expires_at: float
    connections: list[str] = field(default_factory=list)
    messages: list[MessageBody] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    files: dict[str, ServedFile] = field(default_factory=dict)
    user: str | None = None
    read_only: bool = False
    may_start_new: bool = False
    said: Window = field(default_factory=lambda: Window(MESSAGES_PER_S, 1.0))
    configured: Window = field(default_factory=lambda: Window(CONFIGURES_PER_MIN, 60.0))
    history_read: Window = field(default_factory=lambda: Window(HISTORY_READS_PER_MIN, 60.0))
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class WriteFrame:
    """Write `text` to the connection."""

    connection: str
    text: str


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close the connection with `code`, a moment after what was written: clients like to close it themselves (§2.6)."""

    connection: str
    code: int = 1000


ProviderEffect: TypeAlias = WriteFrame | CloseConnection


@dataclass(frozen=True, slots=True)
class GuestSaid:
    """The guest said `body`; `attributes` are those that came with it, the tracing id is the request's."""

    token: Secret
    body: MessageBody
    attributes: dict[str, str]
    tracing_id: str | None = None


@dataclass(frozen=True, slots=True)
class GuestTyped:
    """The guest is typing."""

    token: Secret
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The guest's client began the conversation (`Join`)."""

    token: Secret
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cleared:
    """The guest had everything forgotten."""

    token: Secret


@dataclass(frozen=True, slots=True)
class StartedNew:
    """The guest started a new conversation under the same token."""

    token: Secret


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An unknown guest signed in as `user`."""

    token: Secret
    user: str


class EndReason(StrEnum):
    """Why a session is over."""

    EXPIRED = "expired"
    LOGGED_OUT = "logged-out"
    SIGNED_IN_ELSEWHERE = "signed-in-elsewhere"


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over and was forgotten."""

    token: Secret
    reason: EndReason = EndReason.EXPIRED


@dataclass(frozen=True, slots=True)
class Offered:
    """The guest answered an offer of video or co-browsing, or did something else."""

    token: Secret
    event: EventBody


Happening: TypeAlias = GuestSaid | GuestTyped | Joined | Cleared | StartedNew | SignedIn | Ended | Offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the provider asks of the program around it.

    Attributes:
        deployment: Deployment id → its switches; None for an unknown one.
        new_id: A new id of a kind, of 32 hexadecimal digits by custom; kinds keep a seeded source's streams apart.
        history_key: Session token, now → the key to its history, and when that ends (Unix seconds).
        user_of: The guest's JWT → who it is: an id, first and last name; None when it is not good.
        upload_url: Session token, file → where to put it, and the headers to put it with.
        download_url: Session token, file → where to get it, for some minutes; None when it is there no more.
    """

    deployment: Callable[[str], ServedDeployment | None]
    new_id: Callable[[str], str]
    history_key: Callable[[Secret, float], tuple[str, int]]
    user_of: Callable[[Secret], tuple[str, str, str] | None]
    upload_url: Callable[[Secret, ServedFile], tuple[str, Mapping[str, str]]]
    download_url: Callable[[Secret, ServedFile], str | None]


class WebMessagingProvider:
    """All sessions of an org."""

    def __init__(self, host: Host) -> None:
        """Start with none."""
        self._host = host
        self._lines: dict[str, WebMessagingServer] = {}
        self._sessions: dict[Secret, ServedSession] = {}
        self._expired: dict[Secret, None] = {}
        self._effects: deque[ProviderEffect] = deque()
        self._happenings: deque[Happening] = deque()

    # --- what a shell reads ------------------------------------------------------------------------------------

    def effects(self) -> list[ProviderEffect]:
        """Return what the shell is to do now, in order, and forget it."""
        effects = list(self._effects)
        self._effects.clear()
        return effects

    def happenings(self) -> list[Happening]:
        """Return what guests did, in order, and forget it."""
        happenings = list(self._happenings)
        self._happenings.clear()
        return happenings

    def session(self, token: Secret) -> ServedSession | None:
        """Return what is kept under a token; for the agents' side, and for the history over REST."""
        return self._sessions.get(token)

    def token_of(self, connection: str) -> Secret | None:
        """Return whose connection it is; None before its first configure."""
        line = self._lines.get(connection)
        return line.token if line is not None else None

    # --- connections -------------------------------------------------------------------------------------------

    def opened(self, connection: str) -> None:
        """Take a new connection, whose origin was checked."""
        self._lines[connection] = WebMessagingServer()

    def closed(self, connection: str) -> None:
        """Take note that a connection is gone; the session stays."""
        self._detach(connection)
        self._lines.pop(connection, None)

    def frame_received(self, connection: str, text: str, now: float) -> None:
        """Take one text frame from a guest."""
        line = self._lines.get(connection)
        if line is None:
            return
        line.frame_received(text, now)
        self._flush(connection, line)
        for command in line.commands():
            self._do(connection, line, command, now)
            self._flush(connection, line)

    # --- what agents, bots and the org do ----------------------------------------------------------------------

    def say(
        self,
        token: Secret,
        now: float,
        *,
        text: str | None,
        content: Sequence[ContentItem] = (),
        is_bot: bool = False,
        name: str | None = None,
        image: str | None = None,
        message_id: str | None = None,
    ) -> MessageBody | None:
        """Say something to the guest, on all connections; return it, None without a session.

        Files in it must be known to the session (`share_file`), which completes their items.
        """
        session = self._sessions.get(token)
        if session is None:
            return None
        is_human = session.deployment.humanize
        body = answers.outbound_message(
            message_id=message_id or self._host.new_id("message"),
            at=_stamp(session, now),
            text=text,
            content=[self._with_file(session, item) for item in content],
            is_bot=is_bot,
            name=name if is_human else None,
            image=image if is_human else None,
            correlation_id=self._host.new_id("correlation"),
        )
        _keep(session, body)
        _refresh(session, now)
        self._tell_all(session, answers.message_frame(body))
        return body

    def share_file(self, token: Secret, file: ServedFile) -> None:
        """Let a session have a file that somebody else sent into it."""
        session = self._sessions.get(token)
        if session is not None:
            session.files[file.attachment_id] = file

    def show_typing(self, token: Secret, now: float, *, duration_ms: int = 5000, is_bot: bool = False) -> None:
        """Show that an agent or a bot is typing; not kept."""
        session = self._sessions.get(token)
        if session is not None:
            body = answers.typing_event(
                message_id=self._host.new_id("typing"), at=_stamp(session, now), duration_ms=duration_ms, is_bot=is_bot
            )
            self._tell_all(session, answers.message_frame(body))

    def disconnect(self, token: Secret, now: float) -> None:
        """End the conversation from the agent's side; guests learn it where the deployment says so (§2.5)."""
        session = self._sessions.get(token)
        if session is None or not session.deployment.tells_disconnect:
            return
        session.read_only = session.deployment.read_only_after_end
        body = answers.presence_event(
            "Disconnect",
            message_id=self._host.new_id("presence"),
            at=_stamp(session, now),
            read_only=session.read_only,
        )
        _keep(session, body)
        _refresh(session, now)
        self._tell_all(session, answers.message_frame(body))

    def log_out(self, user: str) -> None:
        """Sign a guest out of every session (§2.10); the sessions themselves are forgotten."""
        for session in [one for one in self._sessions.values() if one.user == user]:
            self._tell_all(session, answers.logged_out())
            self._end(session, EndReason.LOGGED_OUT)

    def sign_in_elsewhere(self, token: Secret) -> None:
        """Give a session up because its guest signed in on another device (§2.10)."""
        session = self._sessions.get(token)
        if session is not None:
            self._tell_all(session, answers.closed("signedIn"), and_close=True)
            self._end(session, EndReason.SIGNED_IN_ELSEWHERE)

    def let_oldest_go(self, token: Secret) -> None:
        """Drop a session's oldest connection, as by one too many (§2.6)."""
        session = self._sessions.get(token)
        if session is not None and session.connections:
            self._let_go(session.connections[0])

    def change_deployment(self, deployment: ServedDeployment) -> None:
        """Hold the sessions of a deployment to its switches as they are now."""
        for session in self._sessions.values():
            if session.deployment.deployment_id == deployment.deployment_id:
                session.deployment = deployment

    def forget(self, token: Secret) -> None:
        """Forget a session without a word, so that its token is a new one."""
        session = self._sessions.get(token)
        if session is not None:
            self._drop(session)

    def expire(self, token: Secret) -> None:
        """End a session unasked, as if its time were over."""
        session = self._sessions.get(token)
        if session is not None:
            self._tell_all(session, answers.expired(answers=False))
            self._forget(session)

    def uploaded(
        self,
        token: Secret,
        attachment_id: str,
        now: float,
        *,
        stored_as: str | None = None,
        refusal: int | None = None,
    ) -> None:
        """Take note that a file arrived at its URL; `refusal` is the number of what is wrong with it."""
        session = self._sessions.get(token)
        file = session.files.get(attachment_id) if session is not None else None
        if session is None or file is None:
            return
        at = datetime.fromtimestamp(now, UTC)
        if refusal is not None:
            del session.files[attachment_id]
            self._tell_all(session, answers.upload_failed(attachment_id, refusal, "the file was refused", at))
            return
        file.state, file.stored_as = FileState.UPLOADED, stored_as
        url = self._host.download_url(token, file) or ""
        self._tell_all(session, answers.upload_succeeded(attachment_id, url, at))

    # --- what guests ask ---------------------------------------------------------------------------------------

    def _do(self, connection: str, line: WebMessagingServer, command: Command, now: float) -> None:
        if isinstance(command, Configure):
            self._configure(connection, line, command, now)
            return
        if isinstance(command, AskConfiguration):
            self._tell_configuration(line, command)
            return
        session = self._sessions.get(line.token) if line.token else None
        if session is None:
            line.write(answers.refusal(4007, "session not found", tracing_id=command.tracing_id))
            return
        if now >= session.expires_at:
            line.write(answers.expired(answers=True, tracing_id=command.tracing_id))
            self._forget(session)
            return
        match command:
            case SendMessage():
                self._take_message(session, line, command, now)
            case SendPresence():
                self._take_presence(session, line, command, now)
            case ShowTyping():
                self._take_typing(session, line, command, now)
            case AnswerOffer():
                self._happenings.append(Offered(session.token, command.event))
            case CheckHealth():
                line.write(
                    answers.health_answer(
                        command.text,
                        message_id=self._host.new_id("health"),
                        duration_s=session.deployment.duration_s,
                        expires=int(session.expires_at),
                        tracing_id=command.tracing_id,
                    )
                )
            case AskJwt():
                jwt, exp = self._host.history_key(session.token, now)
                line.write(answers.jwt_answer(jwt, exp, tracing_id=command.tracing_id))
            case AskUpload():
                self._ask_upload(session, line, command)
            case AskDownload():
                self._ask_download(session, line, command)
            case DeleteFile():
                self._delete_file(session, line, command)
            case EndSession():
                self._end_session(connection, session, line, command)
            case _:
                assert_never(command)

    def _configure(self, connection: str, line: WebMessagingServer, command: Configure, now: float) -> None:
        deployment = self._host.deployment(command.deployment_id)
        if deployment is None or not deployment.is_active:
            line.write(answers.refusal(400, "deployment not found", tracing_id=command.tracing_id))
            return
        who = self._host.user_of(command.jwt) if command.jwt else None
        if command.jwt and who is None:
            line.write(answers.refusal(401, "the JWT is expired or not valid", tracing_id=command.tracing_id))
            return
        session = self._sessions.get(command.token)
        if session is not None and now >= session.expires_at:
            self._forget(session)
        if command.token in self._expired:
            # Once, so that clients see it; the next one is a new session (§8 row 5).
            del self._expired[command.token]
            line.write(answers.refusal(4006, "session expired", tracing_id=command.tracing_id))
            return
        session = self._sessions.get(command.token)
        problem = None if session is None else _configure_problem(session, command, deployment, who)
        if problem is not None:
            line.write(answers.refusal(*problem, tracing_id=command.tracing_id))
            return
        if session is not None and (wait_s := session.configured.take(now)) > 0:
            line.write(answers.too_many(ceil(wait_s), tracing_id=command.tracing_id))
            return
        is_new = session is None
        if session is None:
            session = ServedSession(command.token, deployment, now + deployment.duration_s)
            session.user = who[0] if who else None
            self._sessions[command.token] = session
        elif session.read_only and session.may_start_new and command.starts_new:
            is_new = True
            session.read_only = session.may_start_new = False
            session.attributes = {}
            self._happenings.append(StartedNew(session.token))
        session.deployment = deployment
        self._attach(connection, line, session)
        cleared = self._step_up(session, who, now) if who and session.user is None else False
        line.write(answers.session_answer(_session_body(session, is_new, cleared), tracing_id=command.tracing_id))

    def _step_up(self, session: ServedSession, who: tuple[str, str, str], now: float) -> bool:
        """An unknown guest signs in: another session of theirs is given up; return whether there was one."""
        user, first_name, last_name = who
        others = [one for one in self._sessions.values() if one.user == user and one is not session]
        for other in others:
            self.sign_in_elsewhere(other.token)
        session.user = user
        body = answers.presence_event(
            "SignIn",
            message_id=self._host.new_id("presence"),
            at=_stamp(session, now),
            first_name=first_name,
            last_name=last_name,
        )
        _keep(session, body)
        self._tell_all(session, answers.message_frame(body))
        self._happenings.append(SignedIn(session.token, user))
        return bool(others)

    def _tell_configuration(self, line: WebMessagingServer, command: AskConfiguration) -> None:
        deployment = self._host.deployment(command.deployment_id)
        if deployment is None or not deployment.is_active:
            line.write(answers.refusal(400, "deployment not found", tracing_id=command.tracing_id))
            return
        body = GetConfigurationResponse(
            allowed_media=answers.allowed_media(deployment.file_types, deployment.max_file_size_kb),
            blocked_extensions=deployment.blocked_extensions,
            max_custom_data_bytes=MAX_ATTRIBUTE_BYTES,
            message_routing_enabled=True,
            session_duration_seconds=deployment.duration_s,
        )
        line.write(answers.configuration(body, tracing_id=command.tracing_id))

    def _take_message(self, session: ServedSession, line: WebMessagingServer, command: SendMessage, now: float) -> None:
        message, tracing_id = command.message, command.tracing_id
        problem = _message_problem(session, message, command) or self._files_problem(session, command)
        if problem is not None:
            line.write(answers.refusal(*problem, tracing_id=tracing_id))
            return
        if (wait_s := session.said.take(now)) > 0:
            line.write(answers.too_many(ceil(wait_s), tracing_id=tracing_id))
            return
        for one in command.attachment_ids:
            session.files[one].state = FileState.SENT
        body = self._echo(session, message, command.attachment_ids, now)
        self._accept(session, body, command.attributes, now, tracing_id)
        self._happenings.append(GuestSaid(session.token, body, command.attributes, tracing_id))

    def _take_presence(
        self, session: ServedSession, line: WebMessagingServer, command: SendPresence, now: float
    ) -> None:
        tracing_id = command.tracing_id
        problem: tuple[int, str] | None = None
        if command.kind not in _PRESENCES:
            problem = (400, "no presence that a guest may have")
        elif command.kind == "Clear":
            if not session.deployment.allows_clear:
                problem = (403, "Conversation Clear is not allowed by the configuration")
        elif session.read_only:
            problem = (409, "the session is read-only")
        elif attribute_bytes(command.attributes) > MAX_ATTRIBUTE_BYTES:
            problem = (4013, "custom attributes are too large")
        if problem is not None:
            line.write(answers.refusal(*problem, tracing_id=tracing_id))
            return
        event = EventBody(event_type="Presence", presence=PresenceBody(type=command.kind))
        body = self._echo(session, structs.replace(command.message, events=(event,)), (), now)
        self._accept(session, body, command.attributes, now, tracing_id)
        if command.kind == "Clear":
            self._tell_all(session, answers.cleared())
            self._tell_all(session, answers.closed(), and_close=True)
            self._drop(session)
            self._happenings.append(Cleared(session.token))
        elif command.kind == "Join":
            self._happenings.append(Joined(session.token, command.attributes))

    def _take_typing(self, session: ServedSession, line: WebMessagingServer, command: ShowTyping, now: float) -> None:
        if not session.deployment.takes_typing:
            line.write(
                answers.refusal(403, "typing is not allowed by the configuration", tracing_id=command.tracing_id)
            )
        elif session.read_only:
            line.write(answers.refusal(409, "the session is read-only", tracing_id=command.tracing_id))
        else:
            _refresh(session, now)
            self._happenings.append(GuestTyped(session.token, command.duration_ms))

    def _end_session(
        self, connection: str, session: ServedSession, line: WebMessagingServer, command: EndSession
    ) -> None:
        if command.all_connections:
            for other in [one for one in session.connections if one != connection]:
                self._let_go(other)
            session.may_start_new = session.read_only
        body = _session_body(session, is_new=False, replaced=False)
        line.write(answers.session_answer(structs.replace(body, connected=False), tracing_id=command.tracing_id))
        self._detach(connection)

    # --- files -------------------------------------------------------------------------------------------------

    def _ask_upload(self, session: ServedSession, line: WebMessagingServer, command: AskUpload) -> None:
        attachment_id = command.attachment_id or self._host.new_id("attachment")
        number = _file_problem(session.deployment, command)
        if number is not None:
            frame = answers.url_refusal(
                number, "the file is not allowed", attachment_id=attachment_id, tracing_id=command.tracing_id
            )
            line.write(frame)
            return
        file = ServedFile(attachment_id, command.name, command.file_type, command.size or 0)
        session.files[attachment_id] = file
        url, headers = self._host.upload_url(session.token, file)
        body = PresignedUrlResponse(
            attachment_id=attachment_id,
            url=url,
            headers=dict(headers),
            file_name=command.name,
            file_size=command.size,
            file_type=command.file_type,
        )
        line.write(answers.upload_url(body, tracing_id=command.tracing_id))

    def _ask_download(self, session: ServedSession, line: WebMessagingServer, command: AskDownload) -> None:
        attachment_id, tracing_id = command.attachment_id, command.tracing_id
        found = self._download(session, attachment_id)
        if isinstance(found, str):
            size = session.files[attachment_id].size
            line.write(answers.download_url(attachment_id, found, file_size=size, tracing_id=tracing_id))
        else:
            line.write(answers.url_refusal(*found, attachment_id=attachment_id, tracing_id=tracing_id))

    def _download(self, session: ServedSession, attachment_id: str) -> str | tuple[int, str]:
        """Return where a file can be downloaded, or why it can't."""
        file = session.files.get(attachment_id)
        if file is None:
            return 4009, "attachment not found"
        if file.state is FileState.ASKED:
            return 4010, "attachment was not uploaded"
        return self._host.download_url(session.token, file) or (4008, "attachment expired")

    def _files_problem(self, session: ServedSession, command: SendMessage) -> tuple[int, str] | None:
        found = (self._download(session, one) for one in command.attachment_ids)
        return next((one for one in found if not isinstance(one, str)), None)

    def _file_item(self, session: ServedSession, file: ServedFile) -> ContentItem:
        kind = file.file_type.partition("/")[0].capitalize()
        return attachment_item(
            Attachment(
                id=file.attachment_id,
                media_type=kind if kind in {"Image", "Video", "Audio"} else "File",
                url=self._host.download_url(session.token, file) or "",
                filename=file.name,
                file_size=file.size,
                mime=file.file_type,
            )
        )

    def _with_file(self, session: ServedSession, item: ContentItem) -> ContentItem:
        """Complete the item of a file that the session has; any other goes as it is."""
        value = item.value
        file = session.files.get(value.id) if isinstance(value, Attachment) and value.id else None
        return item if file is None else self._file_item(session, file)

    def _delete_file(self, session: ServedSession, line: WebMessagingServer, command: DeleteFile) -> None:
        file = session.files.get(command.attachment_id)
        if file is None or file.state is FileState.SENT:
            line.write(answers.refusal(4009, "attachment not found", tracing_id=command.tracing_id))
            return
        del session.files[command.attachment_id]
        line.write(answers.attachment_deleted(command.attachment_id, tracing_id=command.tracing_id))

    # --- inside ------------------------------------------------------------------------------------------------

    def _echo(
        self, session: ServedSession, message: GuestMessage, attachment_ids: Iterable[str], now: float
    ) -> MessageBody:
        """Build the inbound echo: as the message came, with ids, a time, and its files in full (§4.4)."""
        metadata: dict[str, object] = {
            **{key: value for key, value in (message.metadata or {}).items() if isinstance(value, str)},
            "correlationId": self._host.new_id("echo-correlation"),
        }
        if session.user is not None:
            metadata["authenticated"] = "true"
        items = message.content if isinstance(message.content, list) else []
        others = [item for item in items if not (isinstance(item, dict) and item.get("contentType") == "Attachment")]
        files = [self._file_item(session, session.files[one]).raw for one in dict.fromkeys(attachment_ids)]
        return MessageBody(
            id=self._host.new_id("echo"),
            type=message.type or MessageKind.TEXT,
            direction=Direction.INBOUND,
            text=message.text,
            content=[*others, *files] if message.type != MessageKind.EVENT else None,
            events=message.events,
            channel=Channel(
                time=format_time(_stamp(session, now)), message_id=self._host.new_id("echo-channel"), type="Private"
            ),
            metadata=metadata,
        )

    def _accept(
        self,
        session: ServedSession,
        body: MessageBody,
        attributes: Mapping[str, str],
        now: float,
        tracing_id: str | None,
    ) -> None:
        session.attributes |= attributes
        _keep(session, body)
        _refresh(session, now)
        self._tell_all(session, answers.message_frame(body, tracing_id=tracing_id))

    def _attach(self, connection: str, line: WebMessagingServer, session: ServedSession) -> None:
        if line.token != session.token or connection not in session.connections:
            self._detach(connection)
            while len(session.connections) >= CONNECTIONS_PER_SESSION:
                self._let_go(session.connections[0])
            session.connections.append(connection)
        line.configured(session.token)

    def _detach(self, connection: str) -> None:
        line = self._lines.get(connection)
        session = self._sessions.get(line.token) if line is not None and line.token else None
        if session is not None and connection in session.connections:
            session.connections.remove(connection)
        # The token stays with the line: `closeSession` is followed by a configure on the same socket.

    def _let_go(self, connection: str) -> None:
        line = self._lines[connection]
        line.write(answers.closed())
        self._flush(connection, line)
        self._effects.append(CloseConnection(connection))
        self._detach(connection)
        line.detached()

    def _tell_all(self, session: ServedSession, frame: OutboundFrame, *, and_close: bool = False) -> None:
        for connection in session.connections:
            line = self._lines[connection]
            line.write(frame)
            self._flush(connection, line)
            if and_close:
                self._effects.append(CloseConnection(connection))

    def _drop(self, session: ServedSession) -> None:
        for connection in session.connections:
            self._lines[connection].detached()
        del self._sessions[session.token]

    def _forget(self, session: ServedSession) -> None:
        """The session expired: whoever comes back with its token is told once."""
        self._expired[session.token] = None
        if len(self._expired) > MAX_EXPIRED:
            del self._expired[next(iter(self._expired))]
        self._end(session, EndReason.EXPIRED)

    def _end(self, session: ServedSession, reason: EndReason) -> None:
        self._drop(session)
        self._happenings.append(Ended(session.token, reason))

    def _flush(self, connection: str, line: WebMessagingServer) -> None:
        self._effects.extend(WriteFrame(connection, text) for text in line.effects())


def _configure_problem(
    session: ServedSession, command: Configure, deployment: ServedDeployment, who: tuple[str, str, str] | None
) -> tuple[int, str] | None:
    if session.deployment.deployment_id != deployment.deployment_id:
        return 400, "the session belongs to another deployment"
    if session.user is not None and command.jwt is None:
        return 4017, "an authenticated session can't become an unauthenticated one"
    if session.user is not None and who is not None and session.user != who[0]:
        return 401, "the session belongs to another user"
    if session.user is None and who is not None and not deployment.allows_step_up:
        return 403, "the session can't be upgraded by the configuration"
    return None


def _message_problem(session: ServedSession, message: GuestMessage, command: SendMessage) -> tuple[int, str] | None:
    size = len((message.text or "").encode())
    if session.read_only:
        return 409, "the session is read-only"
    if attribute_bytes(command.attributes) > MAX_ATTRIBUTE_BYTES:
        return 4013, "custom attributes are too large"
    if size > MAX_TEXT_BYTES:
        return 4011, f"text of {size} bytes exceeds the limit of {MAX_TEXT_BYTES}"
    if message.type not in {None, "Text", "Structured", "Message"} or not (
        message.text or message.content or command.attachment_ids
    ):
        return 400, "the message says nothing"
    items = parse_content(message.content)
    if message.content is not None and (not isinstance(message.content, list) or len(items) != len(message.content)):
        return 400, "content is a list of objects with a contentType"
    for item in items:
        if (why := misfit(item)) is not None:
            # Its echo, and every page of the history that has it, would be lost to one client (§7.3).
            return 400, f"the content {item.kind} does not fit: {why}"
    return None


_PRESENCES = frozenset({"Join", "Disconnect", "Clear", "SignIn"})
"""Those that the vendor's mobile SDK can read; with any other it loses the frame (§4.6)."""

_FILE_NUMBERS = {
    "attachments-off": 4000,
    "attachment-type": 4001,
    "attachment-too-large": 4002,
    "attachment-name": 4004,
    "attachment-empty": 4102,
}


def _file_problem(deployment: ServedDeployment, command: AskUpload) -> int | None:
    media = answers.allowed_media(deployment.file_types, deployment.max_file_size_kb)
    rules = UploadRules.of(media, deployment.blocked_extensions)
    if len(command.name) >= MAX_FILE_NAME_CHARS:
        return 4005
    try:
        check_file(
            rules, name=command.name, file_type=command.file_type, size=1 if command.size is None else command.size
        )
    except AttachmentRejected as error:
        return _FILE_NUMBERS[error.code]
    return None


def _session_body(session: ServedSession, is_new: bool, replaced: bool) -> SessionResponse:  # noqa: FBT001
    deployment = session.deployment
    return SessionResponse(
        connected=True,
        new_session=is_new,
        read_only=session.read_only,
        cleared_existing_session=replaced,
        max_custom_data_bytes=MAX_ATTRIBUTE_BYTES,
        allowed_media=answers.allowed_media(deployment.file_types, deployment.max_file_size_kb),
        blocked_extensions=deployment.blocked_extensions,
        duration_seconds=deployment.duration_s,
        expiration_date=int(session.expires_at),
    )


def _keep(session: ServedSession, body: MessageBody) -> None:
    session.messages.append(body)
    del session.messages[:-MAX_MESSAGES]


def _refresh(session: ServedSession, now: float) -> None:
    session.expires_at = max(session.expires_at, now + session.deployment.duration_s)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _stamp(session: ServedSession, now: float) -> datetime:
    """Return a time that no other message of the session has: one client knows messages by it (§7.2 rule 5)."""
    session.last_ms = max(int(now * 1000), session.last_ms + 1)
    return _EPOCH + timedelta(milliseconds=session.last_ms)
