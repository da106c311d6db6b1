"""Provider half of Web Messaging: one connection of a guest, seen from the server.

The shell feeds it every text frame (`frame_received`), then drains `effects()` (frames to write back) and `commands()`
(what the guest wants). It decodes, counts against the connection's limits, and holds the guest to its session; what
depends on the session itself is `provider`'s.

Source: web-messaging §7.4 (steps 1, 2, 4), §3, §5.
"""

from __future__ import annotations

import hmac
from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias, assert_never

from guestwire.model.events import UnknownReason
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.answers import refusal, too_many
from guestwire.protocols.web_messaging.attributes import attributes_of
from guestwire.protocols.web_messaging.limits import ECHOES_PER_MIN, REQUESTS_PER_MIN, Window
from guestwire.protocols.web_messaging.requests import (
    BadRequest,
    CloseSession,
    ConfigureAuthenticatedSession,
    ConfigureSession,
    DeleteAttachment,
    DisconnectCustomer,
    Echo,
    GetAttachment,
    GetConfiguration,
    GetJwt,
    GuestMessage,
    OnAttachment,
    OnMessage,
    Request,
    ResumeToken,
    decode_request,
)
from guestwire.protocols.web_messaging.wire import EventBody, OutboundFrame, encode_outbound

__all__ = [
    "AnswerOffer",
    "AskConfiguration",
    "AskDownload",
    "AskJwt",
    "AskUpload",
    "CheckHealth",
    "Command",
    "Configure",
    "DeleteFile",
    "EndSession",
    "SendMessage",
    "SendPresence",
    "ShowTyping",
    "WebMessagingServer",
]

MAX_TOKEN_CHARS = 256
"""A session token is any opaque text of reasonable length; clients send 36 characters (§2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """Base of the commands; the tracing id belongs into the answer."""

    tracing_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure(_Command):
    """Take this connection into the session; with a JWT for a guest who signed in."""

    token: Secret
    deployment_id: str
    starts_new: bool = False
    jwt: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskConfiguration(_Command):
    """Tell the rules of a deployment."""

    deployment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage(_Command):
    """The guest said something; the message is as it came, for its echo."""

    message: GuestMessage
    attributes: dict[str, str]
    attachment_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPresence(_Command):
    """The guest came (`Join`), wants to be forgotten (`Clear`), or something else."""

    kind: str
    message: GuestMessage
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTyping(_Command):
    """The guest is typing, for so many milliseconds where told."""

    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOffer(_Command):
    """The guest answers an offer of video or co-browsing, or does something we do not know (§3.12)."""

    event: EventBody


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHealth(_Command):
    """Say the text back, to this connection only."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskUpload(_Command):
    """Tell where to upload a file; without an id, make one."""

    attachment_id: str | None
    name: str
    file_type: str
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDownload(_Command):
    """Tell where to download a file again."""

    attachment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFile(_Command):
    """Forget a file that was not sent."""

    attachment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskJwt(_Command):
    """Give the key to the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession(_Command):
    """End the conversation, before starting anew; or just detach this connection."""

    all_connections: bool


Command: TypeAlias = (
    Configure
    | AskConfiguration
    | SendMessage
    | SendPresence
    | ShowTyping
    | AnswerOffer
    | CheckHealth
    | AskUpload
    | AskDownload
    | DeleteFile
    | AskJwt
    | EndSession
)


class WebMessagingServer:
    """One connection."""

    def __init__(self) -> None:
        """Start without a session."""
        self._token: Secret | None = None
        self._requests = Window(REQUESTS_PER_MIN, 60.0)
        self._echoes = Window(ECHOES_PER_MIN, 60.0)
        self._commands: deque[Command] = deque()
        self._frames: deque[str] = deque()

    @property
    def token(self) -> Secret | None:
        """The session this connection belongs to."""
        return self._token

    def configured(self, token: Secret) -> None:
        """Take note that the connection belongs to a session now."""
        self._token = token

    def detached(self) -> None:
        """Take note that it belongs to none any more."""
        self._token = None

    def write(self, frame: OutboundFrame) -> None:
        """Write a frame to the guest, after those before."""
        self._frames.append(encode_outbound(frame))

    def frame_received(self, text: str, now: float) -> None:
        """Take one text frame from the guest; what is not understood is answered with an error and dropped."""
        request = decode_request(text)
        wait_s = self._requests.take(now)
        if wait_s == 0.0 and isinstance(request, Echo):
            wait_s = self._echoes.take(now)
        if wait_s > 0:
            self.write(too_many(ceil(wait_s), tracing_id=request.tracing_id))
        elif isinstance(request, BadRequest):
            self.write(refusal(400, _WORDS[request.reason], tracing_id=request.tracing_id))
        elif self._is_allowed(request):
            self._take(request)

    def effects(self) -> list[str]:
        """Return the frames to write to the guest, in order, and forget them."""
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def commands(self) -> list[Command]:
        """Return what the guest wants, in order, and forget it."""
        commands = list(self._commands)
        self._commands.clear()
        return commands

    def _is_allowed(self, request: Request) -> bool:
        """Whether a frame may come now: `configure` first, and then none of another session."""
        if isinstance(request, ConfigureSession | ConfigureAuthenticatedSession):
            if not request.token or len(request.token) > MAX_TOKEN_CHARS:
                self.write(refusal(400, "token is missing or too long", tracing_id=request.tracing_id))
                return False
            return True
        if isinstance(request, GetConfiguration):
            return True
        if self._token is None or not self._is_ours(request):
            self.write(refusal(4007, "session not found", tracing_id=request.tracing_id))
            return False
        return True

    def _is_ours(self, request: Request) -> bool:
        # One third-party client leaves the token out of its health checks (§3.0).
        if request.token is None:
            return isinstance(request, Echo)
        ours = "" if self._token is None else self._token.reveal()
        return hmac.compare_digest(request.token.encode(), ours.encode())

    def _take(self, request: Request) -> None:
        tracing_id = request.tracing_id
        command: Command
        match request:
            case ConfigureSession() | ConfigureAuthenticatedSession():
                command = Configure(
                    tracing_id=tracing_id,
                    token=Secret(request.token or ""),
                    deployment_id=request.deployment_id,
                    starts_new=bool(request.start_new),
                    jwt=Secret(request.data.code) if isinstance(request, ConfigureAuthenticatedSession) else None,
                )
            case GetConfiguration():
                command = AskConfiguration(tracing_id=tracing_id, deployment_id=request.deployment_id)
            case OnMessage():
                self._take_message(request)
                return
            case Echo():
                text = request.message.text if request.message else None
                command = CheckHealth(tracing_id=tracing_id, text=text or "ping")
            case OnAttachment():
                command = AskUpload(
                    tracing_id=tracing_id,
                    attachment_id=request.attachment_id,
                    name=request.file_name,
                    file_type=request.file_type,
                    size=None if request.file_size is None else int(request.file_size),
                )
            case GetAttachment():
                command = AskDownload(tracing_id=tracing_id, attachment_id=request.attachment_id)
            case DeleteAttachment():
                command = DeleteFile(tracing_id=tracing_id, attachment_id=request.attachment_id)
            case GetJwt():
                command = AskJwt(tracing_id=tracing_id)
            case CloseSession():
                command = EndSession(tracing_id=tracing_id, all_connections=request.close_all_connections)
            case ResumeToken() | DisconnectCustomer():
                self.write(refusal(400, "this action is not supported", tracing_id=tracing_id))
                return
            case _:
                assert_never(request)
        self._commands.append(command)

    def _take_message(self, request: OnMessage) -> None:
        message, tracing_id = request.message, request.tracing_id
        attributes = attributes_of(request.channel, message.channel)
        if message.type != "Event":
            self._commands.append(
                SendMessage(
                    tracing_id=tracing_id,
                    message=message,
                    attributes=attributes,
                    attachment_ids=(*_attachment_ids(message), *(request.attachment_ids or ())),
                )
            )
            return
        if not message.events:
            self.write(refusal(400, "an event message needs events", tracing_id=tracing_id))
        for event in message.events or ():
            if event.typing is not None:
                duration = event.typing.duration
                duration_ms = None if duration is None else int(duration)
                self._commands.append(ShowTyping(tracing_id=tracing_id, duration_ms=duration_ms))
            elif event.presence is not None:
                self._commands.append(
                    SendPresence(
                        tracing_id=tracing_id, kind=event.presence.type, message=message, attributes=attributes
                    )
                )
            else:
                self._commands.append(AnswerOffer(tracing_id=tracing_id, event=event))


def _attachment_ids(message: GuestMessage) -> list[str]:
    items = message.content if isinstance(message.content, list) else []
    files = [item.get("attachment") for item in items if isinstance(item, dict)]
    ids = [file.get("id") for file in files if isinstance(file, dict)]
    return [one for one in ids if isinstance(one, str)]


_WORDS = {
    UnknownReason.NOT_JSON: "expected one JSON object, got text that is not JSON",
    UnknownReason.NOT_AN_OBJECT: "expected one JSON object, got another JSON value",
    UnknownReason.NO_TYPE: "expected a string member 'action', got none",
    UnknownReason.UNKNOWN_TYPE: "unknown action",
    UnknownReason.MALFORMED: "expected the members of this action, got one of another kind or one missing",
}
