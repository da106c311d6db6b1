"""Provider half of the guest-session protocol: one guest's connection, seen from the server.

The shell feeds it every text frame (`frame_received`), then drains `effects()` (frames to write back) and `commands()`
(what the guest wants). It checks what every provider checks: the shape of frames, the length of texts, the rate.

Source: guest-session §4.2 [D].
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

from guestwire.errors import ERRORS
from guestwire.model.content import ContentItem
from guestwire.model.events import UnknownReason
from guestwire.model.token_bucket import TokenBucket
from guestwire.protocols.guest_session.guest_content import MAX_CONTENT_BYTES, content_size, parse_guest_content
from guestwire.protocols.guest_session.wire import (
    MAX_TEXT_BYTES,
    BadFrame,
    EndFrame,
    ErrorFrame,
    GuestMessageFrame,
    GuestTypingFrame,
    InboundFrame,
    decode_inbound,
    encode,
)

__all__ = [
    "MAX_CLIENT_ID_CHARS",
    "Command",
    "EndConversation",
    "GuestSessionServer",
    "SendMessage",
    "ShowTyping",
]

FRAMES_PER_S = 10.0
"""A guest may send this many frames a second …"""

BURST_FRAMES = 30.0
"""… for three seconds at a stretch before it is told to slow down."""

MAX_CLIENT_ID_CHARS = 64
"""A client id is kept and said back, so it is bounded; a UUID has 36."""


@dataclass(frozen=True, slots=True)
class SendMessage:
    """The guest said something."""

    text: str
    content: tuple[ContentItem, ...] = ()
    client_id: str | None = None
    in_reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class ShowTyping:
    """The guest is typing."""


@dataclass(frozen=True, slots=True)
class EndConversation:
    """The guest ends the conversation."""


Command: TypeAlias = SendMessage | ShowTyping | EndConversation


class GuestSessionServer:
    """One connection of a guest, already authorised."""

    def __init__(self, *, extensions: frozenset[str] = frozenset({"typing", "end"})) -> None:
        """Take what this provider understands beyond the tutorial's `message`."""
        self._extensions = extensions
        self._bucket = TokenBucket(rate=FRAMES_PER_S, burst=BURST_FRAMES)
        self._commands: deque[Command] = deque()
        self._replies: deque[str] = deque()

    def frame_received(self, text: str, now: float) -> None:
        """Take one text frame from the guest.

        Args:
            text: Anything; what is not understood is answered with an `error` frame and dropped.
            now: Monotonic seconds.
        """
        wait_s = self._bucket.take(now)
        frame = decode_inbound(text)
        if wait_s > 0:
            self._refuse("rate-limited", frame, retry_after=float(ceil(wait_s)))
            return
        match frame:
            case GuestMessageFrame():
                self._take_message(frame)
            case GuestTypingFrame() if "typing" in self._extensions:
                self._commands.append(ShowTyping())
            case EndFrame() if "end" in self._extensions:
                self._commands.append(EndConversation())
            case _:
                self._refuse("bad-frame", frame)

    def effects(self) -> list[str]:
        """Return the frames to write to the guest, in order, and forget them."""
        replies = list(self._replies)
        self._replies.clear()
        return replies

    def commands(self) -> list[Command]:
        """Return what the guest wants, in order, and forget it."""
        commands = list(self._commands)
        self._commands.clear()
        return commands

    def _take_message(self, frame: GuestMessageFrame) -> None:
        text = frame.text or ""
        content = parse_guest_content(frame.content)
        client_id = frame.client_id if "echo" in self._extensions else None
        if client_id is not None and not (0 < len(client_id) <= MAX_CLIENT_ID_CHARS and client_id.isprintable()):
            words = f"Expected a clientId of 1 to {MAX_CLIENT_ID_CHARS} printable characters."
            self._replies.append(encode(ErrorFrame(code="bad-frame", text=words)))
        elif not text.strip() and not content:
            self._refuse("message-blank", frame)
        elif len(text.encode()) > MAX_TEXT_BYTES or content_size(content) > MAX_CONTENT_BYTES:
            self._refuse("message-too-long", frame)
        else:
            self._commands.append(SendMessage(text=text, content=content, client_id=frame.client_id))

    def _refuse(self, code: str, frame: InboundFrame | BadFrame, retry_after: float | None = None) -> None:
        words = ERRORS[code].summary
        if isinstance(frame, BadFrame):
            words = _WORDS[frame.reason]
        client_id = frame.client_id if isinstance(frame, GuestMessageFrame) else None
        self._replies.append(encode(ErrorFrame(code=code, text=words, retry_after=retry_after, client_id=client_id)))


_WORDS = {
    UnknownReason.NOT_JSON: "Expected one JSON object, got text that is not JSON.",
    UnknownReason.NOT_AN_OBJECT: "Expected one JSON object, got another JSON value.",
    UnknownReason.NO_TYPE: "Expected a string member 'type', got none.",
    UnknownReason.UNKNOWN_TYPE: "Expected 'message', 'typing' or 'end' as type, got another.",
    UnknownReason.MALFORMED: "Expected the members of this type, got one of another kind or one missing.",
}
