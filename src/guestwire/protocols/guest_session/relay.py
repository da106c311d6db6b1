"""Gateway half of the guest-session protocol: one browser's connection to a server that keeps a log.

Theory of operation. A connection is a reader of one session's log with a cursor. The shell reads pages that follow
`cursor` and feeds them (`page_read`); the core turns each record into a frame, moves the cursor, and says `synced` when
it has reached where the log stood at the welcome. Replay and live delivery are the same code, so nothing can fall
between them. Everything else hangs on the cursor: a page that does not follow it closes the connection (4410), an end
is the end once the cursor has passed it, and a volatile frame waits until the records it came after were sent.

The shell feeds every text frame (`frame_received`), then drains `effects()` (frames to write, the close) and
`commands()` (what is asked of the session). It answers commands by calling back: `admitted` or `close_for` to
`CheckPair`, `may_try` and then `accepted` or `refuse` to `SendMessage`, `refuse_for_now` to `RefuseMessage`, `pong` to
`ReportHead`.

A guest's messages keep their order although some are refused for now (too many wait, the log is away, too fast) while
others are on their way behind them: nothing may be tried before what was refused, until that one came again and was
accepted, was refused for good, or was given up (`may_try`). `end` and `start-new` have their place among them: an end
that overtook the last words would leave them unsaid.

A connection that brought its pair in the query is *plain*: a client of the tutorial, which knows nothing of §6. It gets
the four kinds of §4.1 without numbers, and what it sent itself is left out.

Source: guest-session §4 and §6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Literal, Protocol, TypeAlias

import msgspec

from guestwire.errors import ERRORS, LocalProtocolError, Retry
from guestwire.model.events import UnknownReason
from guestwire.model.secret import Secret
from guestwire.model.token_bucket import TokenBucket
from guestwire.protocols.guest_session.guest_content import (
    MAX_CONTENT_BYTES,
    MAX_PROVIDER_ID_CHARS,
    content_size,
    is_provider_id,
    parse_guest_content,
)
from guestwire.protocols.guest_session.server import (
    BURST_FRAMES,
    FRAMES_PER_S,
    MAX_CLIENT_ID_CHARS,
    EndConversation,
    SendMessage,
    ShowTyping,
)
from guestwire.protocols.guest_session.wire import (
    MAX_TEXT_BYTES,
    AckFrame,
    BadFrame,
    ClearFrame,
    ConversationUpdateFrame,
    EndFrame,
    ErrorFrame,
    GuestMessageFrame,
    GuestTypingFrame,
    HelloFrame,
    InboundFrame,
    Limits,
    MoveFrame,
    OutboundFrame,
    PingFrame,
    PongFrame,
    ReadFrame,
    ReceiptFrame,
    SessionFrame,
    StartNewFrame,
    StayFrame,
    SyncedFrame,
    TypingFrame,
    WelcomeFrame,
    decode_inbound,
    encode,
)

__all__ = [
    "BLOCKED_S",
    "ENDED_S",
    "HELLO_S",
    "MOST_BEHIND_BYTES",
    "MOST_BEHIND_RECORDS",
    "RELAY_STATES",
    "CheckPair",
    "ClearConversation",
    "CloseSocket",
    "NoteRead",
    "NoteSeen",
    "ProlongSession",
    "RefuseMessage",
    "RelayCommand",
    "RelayConnection",
    "RelayEffect",
    "RelayInput",
    "RelayState",
    "ReportHead",
    "SendFrame",
    "SequencedRecord",
    "StartNew",
    "VolatileFrame",
    "next_relay_state",
]

HELLO_S = 5.0
"""A connection without a query says hello within this (§6.1)."""

BLOCKED_S = 10.0
"""A reader that takes nothing for so long is cut off (reliability 2.7)."""

ENDED_S = 600.0
"""After the end of a conversation a connection that said hello stays open for so long: it may ask for a new one [D]."""

MOST_BEHIND_RECORDS = 2000
MOST_BEHIND_BYTES = 2 * 1024 * 1024
"""A reader that had caught up and falls so far behind is cut off; what it lacked at its welcome does not count."""

MOST_REFUSED = 100
"""So many frames over the rate, and the connection is closed: ten seconds of the worst that a loop in a page does.

The same for messages that were refused for now and are waited for."""

MOST_HELD = 32
"""Frames that may follow `hello` before its answer."""

MAX_TAB_CHARS = 64
"""A tab's name is remembered when it is gone; a UUID has 36."""

_PLAIN_KINDS = frozenset({"message", "bot-message", "conversation-update"})


class RelayState(StrEnum):
    """Where a browser's connection is."""

    GREETING = "greeting"
    CHECKING = "checking"
    CATCHING_UP = "catching-up"
    LIVE = "live"
    PLAIN = "plain"
    CLOSED = "closed"


class RelayInput(StrEnum):
    """What can happen to it."""

    HELLO = "hello"
    ADMITTED = "admitted"
    ADMITTED_PLAIN = "admitted-plain"
    CAUGHT_UP = "caught-up"
    CLOSE = "close"


_S, _I = RelayState, RelayInput

# A plain connection starts at `checking`: its pair came with the upgrade. Anything may be closed, also twice: the
# browser goes away while we are about to close.
RELAY_STATES: dict[RelayState, dict[RelayInput, RelayState]] = {
    _S.GREETING: {_I.HELLO: _S.CHECKING, _I.CLOSE: _S.CLOSED},
    _S.CHECKING: {_I.ADMITTED: _S.CATCHING_UP, _I.ADMITTED_PLAIN: _S.PLAIN, _I.CLOSE: _S.CLOSED},
    _S.CATCHING_UP: {_I.CAUGHT_UP: _S.LIVE, _I.CLOSE: _S.CLOSED},
    _S.LIVE: {_I.CLOSE: _S.CLOSED},
    _S.PLAIN: {_I.CLOSE: _S.CLOSED},
    _S.CLOSED: {_I.CLOSE: _S.CLOSED},
}

_NO_DEADLINES = (None, None, None)

_READING = frozenset({_S.CATCHING_UP, _S.LIVE, _S.PLAIN})


def next_relay_state(state: RelayState, what: RelayInput) -> RelayState:
    """Look up the table.

    Raises:
        LocalProtocolError: The shell told of something that can't happen in this state; the connection is as before.
    """
    try:
        return RELAY_STATES[state][what]
    except KeyError:
        expected = ", ".join(sorted(RELAY_STATES[state]))
        raise LocalProtocolError(f"Expected one of {expected} while {state}, got {what}.") from None


# --- effects and commands ---------------------------------------------------------------------------------------------


class SendFrame(msgspec.Struct, frozen=True):
    """Write this frame."""

    text: str


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close after what was written; nothing follows."""

    code: int
    reason: str


RelayEffect: TypeAlias = SendFrame | CloseSocket

VolatileFrame: TypeAlias = TypingFrame | ErrorFrame | ConversationUpdateFrame
"""What is shown and not kept: it has no number, and nobody gets it later (guest-session §6.2)."""


@dataclass(frozen=True, slots=True)
class CheckPair:
    """Is this the session's own token? Answer with `admitted` or `close`."""

    session_id: str
    token: Secret
    tab: str | None


@dataclass(frozen=True, slots=True)
class RefuseMessage:
    """Refuse a message for now, once those before it are answered."""

    code: str
    client_id: str
    retry_after: float


@dataclass(frozen=True, slots=True)
class StartNew:
    """The guest wants a new conversation in the same session."""


@dataclass(frozen=True, slots=True)
class ClearConversation:
    """The guest wants the conversation forgotten."""


@dataclass(frozen=True, slots=True)
class ProlongSession:
    """The guest wants to stay: the provider's session must not expire."""


@dataclass(frozen=True, slots=True)
class ReportHead:
    """Answer with `pong`."""


@dataclass(frozen=True, slots=True)
class NoteSeen:
    """This tab has everything up to `seq`; for retention only."""

    seq: int


@dataclass(frozen=True, slots=True)
class NoteRead:
    """The guest has read everything up to `seq`."""

    seq: int


RelayCommand: TypeAlias = (
    CheckPair
    | SendMessage
    | RefuseMessage
    | ShowTyping
    | EndConversation
    | StartNew
    | ClearConversation
    | ProlongSession
    | ReportHead
    | NoteSeen
    | NoteRead
)


class SequencedRecord(Protocol):
    """A record of the log: `body` is a JSON object of ours, at least one member, without `seq`."""

    @property
    def seq(self) -> int:
        """Its number in the session's log."""

    @property
    def kind(self) -> str:
        """The frame's `type`."""

    @property
    def body(self) -> bytes:
        """The frame but for its number."""

    @property
    def order_key(self) -> str | None:
        """Its place in the provider's order."""

    @property
    def late(self) -> bool:
        """Whether it came after newer ones."""


class RelayConnection:
    """One browser's connection."""

    def __init__(self, now: float, *, is_plain: bool) -> None:
        """Start with an open socket.

        Args:
            now: Monotonic seconds.
            is_plain: The pair came with the query and was checked; call `admitted` next.
        """
        self.is_plain = is_plain
        self._state = RelayState.CHECKING if is_plain else RelayState.GREETING
        self._bucket = TokenBucket(rate=FRAMES_PER_S, burst=BURST_FRAMES)
        self._refused = 0
        self._held: list[tuple[str, float]] = []
        self._hello: HelloFrame | None = None
        self._effects: list[RelayEffect] = []
        self._commands: list[RelayCommand] = []
        self._own: set[str] = set()
        # What was refused for now, by `_key`, in its order, and the number of each one's last refusal.
        self._put_off: dict[str, int] = {}
        self._put_off_for: tuple[str, float | None] = ("busy", None)
        self._refusals = 0
        self._trying: str | None = None
        self._cursor = 0
        self._epoch = ""
        self._welcomed_at = 0
        self._mode: Literal["plain", "resume", "reset"] | None = None
        self._ends_at: int | None = None
        self._volatile: dict[type[VolatileFrame | SessionFrame], tuple[str, int]] = {}
        self._hello_until: float | None = None if is_plain else now + HELLO_S
        self._blocked_until: float | None = None
        self._ended_until: float | None = None

    # --- what the shell asks ------------------------------------------------------------------------------------------

    @property
    def state(self) -> RelayState:
        """Where the connection is."""
        return self._state

    @property
    def cursor(self) -> int:
        """The `seq` of the last record that was sent; the next page follows it."""
        return self._cursor

    @property
    def mode(self) -> Literal["plain", "resume", "reset"] | None:
        """How it was let in; None before."""
        return self._mode

    @property
    def is_reading(self) -> bool:
        """Whether it takes pages."""
        return self._state in _READING

    @property
    def is_closed(self) -> bool:
        """Whether it is over."""
        return self._state is RelayState.CLOSED

    def effects(self) -> list[RelayEffect]:
        """Return what to write, in order, and forget it."""
        effects, self._effects = self._effects, []
        return effects

    def commands(self) -> list[RelayCommand]:
        """Return what is asked of the session, in order, and forget it; nothing once the connection is closed."""
        commands, self._commands = self._commands, []
        return commands

    def next_deadline(self) -> float | None:
        """Return when `timer_due` is to be called; None while nothing is waited for."""
        deadlines = (self._hello_until, self._blocked_until, self._ended_until)
        if deadlines == _NO_DEADLINES:  # nearly always
            return None
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # --- from the browser ---------------------------------------------------------------------------------------------

    def frame_received(self, text: str, now: float) -> None:
        """Take one text frame.

        Args:
            text: Anything; what is not understood is answered with an `error` frame and dropped.
            now: Monotonic seconds.
        """
        match self._state:
            case RelayState.CLOSED:
                return
            case RelayState.GREETING:
                self._greet(text, now)
            case RelayState.CHECKING:
                # What the guest sends right behind its hello waits for the answer.
                if len(self._held) >= MOST_HELD:
                    self._close_for("rate-limited")
                else:
                    self._held.append((text, now))
            case RelayState.CATCHING_UP | RelayState.LIVE | RelayState.PLAIN:
                self._take(text, now)

    def closed(self) -> None:
        """Note that the socket is closed, whoever closed it; what a plain client said before it left is still said."""
        held = self._held if self.is_plain and self._state is RelayState.CHECKING else []
        self._held = []
        for text, at in held:
            self._take(text, at)
        said = [*self._commands] if held else []
        self._be_closed()
        self._commands = said

    # --- from the session ---------------------------------------------------------------------------------------------

    def admitted(
        self,
        *,
        epoch: str,
        floor: int,
        head: int,
        is_first: bool = False,
        token: str | None = None,
        read: int | None = None,
    ) -> None:
        """Let the connection in; pages follow.

        Args:
            epoch: The log's.
            floor: The newest `seq` that was trimmed.
            head: The newest `seq`.
            is_first: The session never had a connection: a plain one then gets what is there already.
            token: A new session token for this client, where it gets one.
            read: What the guest has read in some tab, if anything.
        """
        if self.is_closed:
            return
        self._epoch = epoch
        self._welcomed_at = head
        if self.is_plain:
            self._state = next_relay_state(self._state, RelayInput.ADMITTED_PLAIN)
            self._mode = "plain"
            self._cursor = floor if is_first else head
        else:
            self._state = next_relay_state(self._state, RelayInput.ADMITTED)
            after = None if self._hello is None or self._hello.epoch != epoch else self._hello.after
            resumes = after is not None and floor <= after <= head
            self._mode = "resume" if resumes else "reset"
            self._cursor = after if after is not None and resumes else floor
            welcome = WelcomeFrame(mode=self._mode, epoch=epoch, seq=head, limits=Limits(), token=token, read=read)
            self._send(welcome)
            self._after_records()
        self._hello = None
        held, self._held = self._held, []
        for text, at in held:
            self.frame_received(text, at)

    def page_read(self, records: Sequence[SequencedRecord]) -> bool:
        """Send the records that follow `cursor`.

        Returns:
            Whether they did follow it; if not, nothing was sent and the connection is closed (4410).
        """
        if not self.is_reading:
            return True
        expected = self._cursor
        for record in records:
            expected += 1
            if record.seq != expected:
                self.close(4410, "position lost")
                return False
        if self.is_plain:
            self._effects += [SendFrame(record.body.decode()) for record in records if self._is_for_us(record)]
        else:
            self._effects += [SendFrame(_numbered_frame(record)) for record in records]
        if records:
            self._cursor = records[-1].seq
        if records or self._volatile:
            self._after_records()
        return True

    def position_seen(self, *, epoch: str) -> None:
        """Compare the log's epoch with the welcome's: a log that changed its identity resets its readers."""
        if self.is_reading and epoch != self._epoch:
            self.close(4410, "position lost")

    def session_ended(self, at_seq: int, now: float) -> None:
        """Close when the record `at_seq`, the end, has been sent; one that said hello not before `ENDED_S`.

        Until then it may start a new conversation (`StartNew`); the second note of one end changes nothing.
        """
        if self.is_closed:
            return
        self._ends_at = at_seq
        if self._ended_until is None and not self.is_plain:
            self._ended_until = now + ENDED_S
        self._after_records()

    def session_reopened(self) -> None:
        """Stay open: a new conversation has begun."""
        self._ends_at = self._ended_until = None

    def sending(self, client_id: str) -> None:
        """Note a message of this connection before it is accepted, so that a plain one is not shown its own words."""
        if self.is_plain:
            self._own.add(client_id)

    def may_try(self, command: SendMessage | EndConversation | StartNew) -> bool:
        """Return whether a command's turn has come; if not, it was refused here and must not be done.

        Ask right before each is tried, one at a time, also when the connection is closed meanwhile; tell the outcome
        with `accepted`, `done` or `refuse`. A message without a client id can't be said again, so it waits for nothing.
        """
        self._trying = None
        key = _key(command)
        if key is None or self.is_plain:
            return True
        last = self._put_off.get(key)
        while last is not None and (first := next(iter(self._put_off))) != key and self._put_off[first] < last:
            # The guest says its messages again from the first one on, and had the answers to both: this one it gave up.
            del self._put_off[first]
        self._trying = key
        if self._put_off and next(iter(self._put_off)) != key:
            code, retry_after = self._put_off_for
            client_id = command.client_id if isinstance(command, SendMessage) else None
            self.refuse(code, client_id=client_id, retry_after=retry_after)
            return False
        return True

    def done(self) -> None:
        """Tell that `EndConversation` or `StartNew` is done."""
        key, self._trying = self._trying, None
        if key is not None:
            self._put_off.pop(key, None)

    def accepted(self, receipt: ReceiptFrame) -> None:
        """Tell that a message is durable; call it only when it is."""
        self._put_off.pop(receipt.client_id, None)
        self._trying = None
        if not self.is_plain:
            self._send(receipt)
        elif receipt.message_seq is not None and receipt.message_seq <= self._cursor:
            self._own.discard(receipt.client_id)  # said again: its record won't come

    def refuse(
        self, code: str, *, client_id: str | None = None, text: str | None = None, retry_after: float | None = None
    ) -> None:
        """Answer that a command can't be done; `text` defaults to the code's summary."""
        if client_id is not None:
            self._own.discard(client_id)
        key, self._trying = self._trying, None
        if key is not None and client_id in {key, None}:
            if code in ERRORS and ERRORS[code].retry is Retry.LATER:
                self._put_off_until_again(key, code, retry_after)
            else:
                self._put_off.pop(key, None)
        self._say_error(code, client_id=client_id, text=text, retry_after=retry_after)
        if len(self._put_off) > MOST_REFUSED:
            self._close_for("rate-limited")

    def refuse_for_now(self, code: str, client_id: str, *, retry_after: float | None = None) -> None:
        """Answer that a message can't be taken yet; what comes behind it is refused too, see `may_try`."""
        self._trying = client_id
        self.refuse(code, client_id=client_id, retry_after=retry_after)

    def pong(self, head: int, *, read: int | None = None) -> None:
        """Answer a ping; see `admitted` for `read`."""
        self._send(PongFrame(seq=head, read=read))

    def show_volatile(self, frame: VolatileFrame, after: int) -> None:
        """Send a frame that is not kept, once everything up to `after` was sent; of each kind the newest one waits."""
        if not self.is_reading or (self.is_plain and isinstance(frame, ErrorFrame)):
            return
        self._volatile[type(frame)] = (encode(frame), after)
        self._send_volatile()

    def show_session(self, frame: str, after: int) -> None:
        """Send what the provider's session offers, once all that was there at the welcome is; the newest one counts.

        Args:
            frame: A `SessionFrame` as text, the same for all readers.
            after: The `seq` of the record that it must not overtake.
        """
        if not self.is_plain and self.is_reading:
            self._volatile[SessionFrame] = frame, after
            self._send_volatile()

    def blocked(self, now: float) -> None:
        """Note that the socket takes nothing more; the second note changes nothing."""
        if self._blocked_until is None and self.is_reading:
            self._blocked_until = now + BLOCKED_S

    def unblocked(self) -> None:
        """Note that the socket takes frames again."""
        self._blocked_until = None

    def lagging(self, head: int, unsent_bytes: int) -> None:
        """Say how far the log is ahead of this reader; too far closes it.

        Args:
            head: The newest `seq`.
            unsent_bytes: Size of what came since the welcome and was not sent.
        """
        behind = head - max(self._cursor, self._welcomed_at)
        if self.is_reading and (behind > MOST_BEHIND_RECORDS or unsent_bytes > MOST_BEHIND_BYTES):
            self._close_for("too-slow")

    @property
    def counts_from(self) -> int:
        """The `seq` after which unsent records count as lag."""
        return max(self._cursor, self._welcomed_at)

    def timer_due(self, now: float) -> None:
        """Do what `next_deadline` was for; does nothing when it is too early."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if deadline == self._hello_until:
            self._close_for("hello-timeout")
        elif deadline == self._blocked_until:
            self._close_for("too-slow")
        else:
            self._ended_until = None
            self._after_records()

    def move(self, retry_after: float) -> None:
        """Ask the client to come back after `retry_after` seconds, and close (4409)."""
        if self.is_closed:
            return
        if not self.is_plain:
            self._send(MoveFrame(retry_after=retry_after))
        self._close_for("moved")

    def close(self, code: int, reason: str = "") -> None:
        """Close; does nothing when it is closed already."""
        if not self.is_closed:
            self._be_closed()
            self._effects.append(CloseSocket(code, reason))

    def close_for(self, error_code: str) -> None:
        """Close with the close code of an error; does nothing when it is closed already."""
        self._close_for(error_code)

    # --- within -------------------------------------------------------------------------------------------------------

    def _greet(self, text: str, now: float) -> None:
        self._bucket.take(now)
        frame = decode_inbound(text)
        if not isinstance(frame, HelloFrame):
            self.close(4400, "expected hello first")
            return
        if frame.tab is not None and not (len(frame.tab) <= MAX_TAB_CHARS and frame.tab.isprintable()):
            self.close(4400, f"expected a tab of at most {MAX_TAB_CHARS} printable characters")
            return
        self._state = next_relay_state(self._state, RelayInput.HELLO)
        self._hello_until = None
        self._hello = msgspec.structs.replace(frame, token="")  # one copy of a token less
        self._commands.append(CheckPair(frame.session_id, Secret(frame.token), frame.tab))

    def _take(self, text: str, now: float) -> None:
        wait_s = self._bucket.take(now)
        frame = decode_inbound(text)
        if wait_s > 0:
            self._refused += 1
            retry_after = float(ceil(wait_s))
            client_id = None if self.is_plain or not isinstance(frame, GuestMessageFrame) else frame.client_id
            if client_id is not None and _is_client_id(client_id):
                self._commands.append(RefuseMessage("rate-limited", client_id, retry_after))
            else:
                self._refuse("rate-limited", frame, retry_after=retry_after)
            if self._refused >= MOST_REFUSED:
                self._close_for("rate-limited")
            return
        match frame:
            case GuestMessageFrame():
                self._take_message(frame)
            case GuestTypingFrame():
                self._commands.append(ShowTyping())
            case EndFrame():
                self._commands.append(EndConversation())
            case PingFrame() if not self.is_plain:
                self._commands.append(ReportHead())
            case AckFrame() if not self.is_plain and frame.seq >= 0:
                self._commands.append(NoteSeen(min(frame.seq, self._cursor)))
            case ReadFrame() if not self.is_plain and frame.seq >= 0:
                self._commands.append(NoteRead(min(frame.seq, self._cursor)))
            case StartNewFrame() if not self.is_plain:
                self._commands.append(StartNew())
            case ClearFrame() if not self.is_plain:
                self._commands.append(ClearConversation())
            case StayFrame() if not self.is_plain:
                self._commands.append(ProlongSession())
            case _:
                self._refuse("bad-frame", frame)

    def _take_message(self, frame: GuestMessageFrame) -> None:
        text = frame.text or ""
        content = parse_guest_content(frame.content, takes_files=not self.is_plain)
        client_id = frame.client_id
        if client_id is not None and not _is_client_id(client_id):
            words = f"Expected a clientId of 1 to {MAX_CLIENT_ID_CHARS} printable characters."
            self._say_error("bad-frame", text=words)
        elif frame.in_reply_to is not None and not is_provider_id(frame.in_reply_to):
            words = f"Expected an inReplyTo of 1 to {MAX_PROVIDER_ID_CHARS} printable characters."
            self._say_error("bad-frame", client_id=client_id, text=words)
        elif not text.strip() and not content:
            self._refuse("message-blank", frame)
        elif len(text.encode()) > MAX_TEXT_BYTES or content_size(content) > MAX_CONTENT_BYTES:
            self._refuse("message-too-long", frame)
        else:
            in_reply_to = None if self.is_plain else frame.in_reply_to
            self._commands.append(SendMessage(text, content, client_id, in_reply_to))

    def _refuse(self, code: str, frame: InboundFrame | BadFrame, retry_after: float | None = None) -> None:
        words = _WORDS[frame.reason] if isinstance(frame, BadFrame) and code == "bad-frame" else None
        client_id = frame.client_id if isinstance(frame, GuestMessageFrame) else None
        self._say_error(code, client_id=client_id, text=words, retry_after=retry_after)

    def _say_error(
        self, code: str, *, client_id: str | None = None, text: str | None = None, retry_after: float | None = None
    ) -> None:
        self._send(
            ErrorFrame(code=code, text=text or ERRORS[code].summary, retry_after=retry_after, client_id=client_id)
        )

    def _put_off_until_again(self, key: str, code: str, retry_after: float | None) -> None:
        self._refusals += 1
        self._put_off[key] = self._refusals  # its place stays, if it has one
        self._put_off_for = code, retry_after

    def _is_for_us(self, record: SequencedRecord) -> bool:
        """Return whether a plain connection is shown a record."""
        if record.kind not in _PLAIN_KINDS:
            return False
        if not self._own or record.kind != "message":
            return True
        client_id = msgspec.json.decode(record.body, type=_Own).client_id
        if client_id not in self._own:
            return True
        self._own.discard(client_id)  # a record comes once
        return False

    def _after_records(self) -> None:
        """Do what was waiting for the cursor: synced first, then what is not kept, then the end."""
        if self._state is RelayState.LIVE and not self._volatile and self._ends_at is None:
            return  # nearly always
        if self._state is RelayState.CATCHING_UP and self._cursor >= self._welcomed_at:
            self._state = next_relay_state(self._state, RelayInput.CAUGHT_UP)
            self._send(SyncedFrame(seq=self._cursor))
        self._send_volatile()
        is_caught_up = self._state in {RelayState.LIVE, RelayState.PLAIN}
        is_over = self._ends_at is not None and self._cursor >= self._ends_at and self._ended_until is None
        if is_caught_up and is_over:
            self.close(1000, "the conversation has ended")

    def _send_volatile(self) -> None:
        if not self._volatile or self._blocked_until is not None:
            return
        if self._state not in {RelayState.LIVE, RelayState.PLAIN}:
            return
        for kind, (text, after) in tuple(self._volatile.items()):
            if self._cursor >= after:
                del self._volatile[kind]
                self._effects.append(SendFrame(text))

    def _send(self, frame: OutboundFrame) -> None:
        if not self.is_closed:
            self._effects.append(SendFrame(encode(frame)))

    def _close_for(self, error_code: str) -> None:
        close_code = ERRORS[error_code].close_code
        assert close_code is not None  # noqa: S101 - the caller's constant
        self.close(close_code, error_code)

    def _be_closed(self) -> None:
        self._state = next_relay_state(self._state, RelayInput.CLOSE)
        self._hello_until = self._blocked_until = self._ended_until = None
        self._volatile.clear()
        self._held.clear()
        self._commands.clear()


def _key(command: SendMessage | EndConversation | StartNew) -> str | None:
    # No client id has an unprintable character.
    match command:
        case SendMessage():
            return command.client_id
        case EndConversation():
            return "\nend"
        case StartNew():
            return "\nstart-new"


def _is_client_id(client_id: str) -> bool:
    return 0 < len(client_id) <= MAX_CLIENT_ID_CHARS and client_id.isprintable()


class _Own(msgspec.Struct, frozen=True, rename="camel"):
    """What tells whose message a record is."""

    client_id: str | None = None


def _numbered_frame(record: SequencedRecord) -> str:
    """Return the frame of a record: its body, and its number and place at the end."""
    body = record.body[:-1].decode()
    if record.order_key is None and not record.late:
        return f'{body},"seq":{record.seq}}}'
    place = "" if record.order_key is None else f',"orderKey":{msgspec.json.encode(record.order_key).decode()}'
    late = ',"late":true' if record.late else ""
    return f'{body},"seq":{record.seq}{place}{late}}}'


_WORDS = {
    UnknownReason.NOT_JSON: "Expected one JSON object, got text that is not JSON.",
    UnknownReason.NOT_AN_OBJECT: "Expected one JSON object, got another JSON value.",
    UnknownReason.NO_TYPE: "Expected a string member 'type', got none.",
    UnknownReason.UNKNOWN_TYPE: "Expected a type of this protocol, got another.",
    UnknownReason.MALFORMED: "Expected the members of this type, got one of another kind or one missing.",
}
