"""Client half: the vectors, what they leave out, and client and server half joined in memory."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from guestwire.errors import (
    ERRORS,
    ChatError,
    ConversationEnded,
    LocalProtocolError,
    MessageRejected,
    OAuthRefused,
    RateLimited,
    SessionExpired,
    SessionRefused,
)
from guestwire.model.content import parse_content, quick_reply
from guestwire.model.events import (
    ConnectionStatus,
    ConversationUpdated,
    Event,
    Fate,
    Message,
    Receipt,
    StatusChanged,
    UnknownEvent,
)
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.model.transcript import MessageRow, Transcript
from guestwire.protocols.guest_session.client import (
    Authenticate,
    CheckSession,
    CloseSocket,
    CreateSession,
    Effect,
    GuestSessionClient,
    OpenSocket,
    SendFrame,
)
from guestwire.protocols.guest_session.closes import CLOSE_CODES
from guestwire.protocols.guest_session.server import EndConversation, GuestSessionServer, SendMessage
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.protocols.guest_session.states import STATES, State
from guestwire.protocols.guest_session.wire import ConversationUpdateFrame, ErrorFrame, MoveFrame, encode
from tests.unit.protocols.guest_session.scenario import run_step, session_of

FRAMES = Path(__file__).parents[3] / "frames"
VECTORS = json.loads((FRAMES / "guest-session/connection.json").read_text("utf-8"))["vectors"]
ENDED = encode(ConversationUpdateFrame(status="ended"))


def session(number: int = 1, *, expires_in_s: float | None = None) -> GuestSession:
    return GuestSession(
        session_id=SessionId(f"s{number}"),
        token=Secret(f"t{number}"),
        extensions=frozenset({"typing", "end"}),
        expires_in_s=expires_in_s,
    )


def new_client(*, has_session: bool = True, delay_s: float = 1.0) -> GuestSessionClient:
    return GuestSessionClient(delay_s=lambda _attempt: delay_s, session=session() if has_session else None)


def client_in(state: State) -> GuestSessionClient:
    """Return a client that came to `state` in the ordinary way, with its effects and events drained."""
    client = new_client(has_session=state not in {State.AUTHENTICATING, State.CREATING_SESSION})
    if state is not State.IDLE:
        client.start(0.0)
    match state:
        case State.CREATING_SESSION:
            client.authenticated()
        case State.CHECKING:
            client.closed(1006, 0.0)
        case State.CONNECTED:
            client.opened(0.0)
        case State.WAITING:
            client.opened(0.0)
            client.closed(1006, 0.0)
        case State.FAILED:
            client.opened(0.0)
            client.closed(4400, 0.0)
        case State.CLOSED:
            client.stop()
    assert client.state is state
    drain(client)
    return client


def drain(client: GuestSessionClient) -> tuple[list[Effect], list[Event]]:
    return client.effects(), client.events()


def codes(events: list[Event]) -> list[str | None]:
    changes = [event for event in events if isinstance(event, StatusChanged)]
    return [change.error.code if change.error else None for change in changes]


def sent_texts(effects: list[Effect]) -> list[str]:
    return [json.loads(effect.text).get("text", "") for effect in effects if isinstance(effect, SendFrame)]


# --- vectors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    """Every step shows what the vector expects, and nothing else."""
    delays = vector["delays"]
    client = GuestSessionClient(
        delay_s=lambda attempt: float(delays[min(attempt, len(delays) - 1)]),
        session=session_of(vector["session"]) if "session" in vector else None,
    )
    now = 0.0
    for number, step in enumerate(vector["steps"]):
        now = step.get("now", now)
        assert run_step(client, step, now) == step["expect"], f"step {number}: {step['do']}"


# --- every state × every input -----------------------------------------------------------------------------------

CALLS: dict[str, Callable[[GuestSessionClient], None]] = {
    "start": lambda client: client.start(100.0),
    "authenticated": lambda client: client.authenticated(),
    "session_created": lambda client: client.session_created(session(9, expires_in_s=1.0), 100.0),
    "opened": lambda client: client.opened(100.0),
    "still_valid": lambda client: client.still_valid(100.0),
    "attempt_failed later": lambda client: client.attempt_failed(RateLimited(retry_after_s=50.0), 100.0),
    "attempt_failed refused": lambda client: client.attempt_failed(SessionExpired(), 100.0),
    "attempt_failed never": lambda client: client.attempt_failed(OAuthRefused(), 100.0),
}
NEXT = {
    "start": {
        State.IDLE: State.CONNECTING,
        State.WAITING: State.CONNECTING,
        State.FAILED: State.CONNECTING,
        State.CLOSED: State.CONNECTING,
    },
    "authenticated": {State.AUTHENTICATING: State.CREATING_SESSION},
    "session_created": {State.CREATING_SESSION: State.CONNECTING},
    "opened": {State.CONNECTING: State.CONNECTED},
    "still_valid": {State.CHECKING: State.WAITING},
    "attempt_failed later": dict.fromkeys(
        (State.AUTHENTICATING, State.CREATING_SESSION, State.CONNECTING, State.CHECKING), State.WAITING
    ),
    "attempt_failed refused": {
        State.AUTHENTICATING: State.FAILED,
        State.CREATING_SESSION: State.FAILED,
        State.CONNECTING: State.AUTHENTICATING,
        State.CHECKING: State.AUTHENTICATING,
    },
    "attempt_failed never": dict.fromkeys(
        (State.AUTHENTICATING, State.CREATING_SESSION, State.CONNECTING, State.CHECKING), State.FAILED
    ),
}


def everything(client: GuestSessionClient) -> dict[str, object]:
    """Return all of a client's insides, to see that nothing changed."""
    return {
        name: list(value) if isinstance(value, deque) else dict(value) if isinstance(value, dict) else value
        for name, value in vars(client).items()
        if name != "_bucket"
    }


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("state", State)
def test_every_call_in_every_state(state: State, call: str) -> None:
    """What fits leads on; what doesn't raises LocalProtocolError, and the connection is as before in every respect."""
    client = client_in(state)
    before = everything(client)
    if state in NEXT[call]:
        CALLS[call](client)
        assert client.state is NEXT[call][state]
    else:
        with pytest.raises(LocalProtocolError):
            CALLS[call](client)
        assert everything(client) == before


@pytest.mark.parametrize("state", State)
def test_stop_is_always_possible(state: State) -> None:
    """It closes or gives up, whatever is going on, and leaves no timer."""
    client = client_in(state)
    client.send_text("waits", 0.0, client_id="c1")
    drain(client)
    client.stop()
    assert client.state is State.CLOSED
    assert client.effects() == [CloseSocket(1000)]
    assert client.next_deadline() is None
    assert client.queued == 1


@pytest.mark.parametrize("state", [state for state in State if state not in {State.CONNECTED, State.CONNECTING}])
def test_a_close_where_no_socket_is_open_changes_nothing(state: State) -> None:
    """The socket that we closed may still tell."""
    client = client_in(state)
    before = everything(client)
    client.closed(1006, 100.0)
    assert everything(client) == before


@given(st.integers(), st.booleans())
def test_any_close_code_leads_somewhere(code: int, has_ended: bool) -> None:
    """Every integer, ended or not: the state is one to go on from."""
    client = client_in(State.CONNECTED)
    if has_ended:
        client.frame_received(ENDED, 0.0)
    client.closed(code, 1.0)
    assert client.state in {State.WAITING, State.FAILED, State.CLOSED, State.AUTHENTICATING}
    assert (client.next_deadline() is not None) is (client.state is State.WAITING)
    assert client.has_ended is (has_ended or code == 4499)


# --- starting again ----------------------------------------------------------------------------------------------


def test_started_again_after_a_stop_it_uses_its_session() -> None:
    """Stop ends nothing, so the session goes on, and so does what waits."""
    client = client_in(State.CONNECTED)
    client.stop()
    client.send_text("later", 1.0, client_id="c1")
    drain(client)
    client.start(2.0)
    assert client.effects() == [OpenSocket(session())]
    client.opened(2.0)
    assert sent_texts(client.effects()) == ["later"]


def test_started_again_with_an_expired_session_it_makes_a_new_one() -> None:
    """The time is known from its creation."""
    client = client_in(State.CREATING_SESSION)
    client.session_created(session(2, expires_in_s=60.0), 0.0)
    client.stop()
    drain(client)
    client.start(59.9)
    assert client.effects() == [OpenSocket(session(2, expires_in_s=60.0))]
    client.stop()
    drain(client)
    client.start(60.0)
    assert client.effects() == [Authenticate()]
    assert client.session is None


def test_a_failed_start_takes_nothing_back() -> None:
    """Told to start while it runs, it still knows that it has made its one new session."""
    client = client_in(State.CONNECTING)
    client.attempt_failed(SessionRefused(code="socket-refused"), 0.0)
    with pytest.raises(LocalProtocolError):
        client.start(0.0)
    client.authenticated()
    client.session_created(session(2), 0.0)
    client.attempt_failed(SessionRefused(code="socket-refused"), 0.0)
    assert client.state is State.FAILED


def test_every_message_written_before_is_not_written_again() -> None:
    """Started again, only what was not written is."""
    client = client_in(State.CONNECTED)
    client.send_text("one", 0.0, client_id="c1")
    client.send_text("two", 0.0, client_id="c2")
    client.sent("c1")
    client.stop()
    client.start(1.0)
    drain(client)
    client.opened(1.0)
    assert sent_texts(client.effects()) == ["two"]


# --- what the vectors leave out ----------------------------------------------------------------------------------


def test_properties_of_a_new_client() -> None:
    """Nothing is going on."""
    client = GuestSessionClient(delay_s=lambda _attempt: 1.0)
    assert (client.state, client.status) == (State.IDLE, ConnectionStatus.DISCONNECTED)
    assert client.session is None
    assert not client.has_ended
    assert client.queued == 0
    assert client.next_deadline() is None
    assert drain(client) == ([], [])


def test_effects_and_events_are_returned_once() -> None:
    """Draining is forgetting."""
    client = new_client()
    client.start(0.0)
    assert drain(client) != ([], [])
    assert drain(client) == ([], [])


def test_an_answer_to_rich_content() -> None:
    """It may be blank, and its items go out as they are."""
    client = client_in(State.CONNECTED)
    item = quick_reply("A", "a")
    client.send_text("", 0.0, client_id="c1", content=(item,))
    (effect,), (event,) = drain(client)
    assert isinstance(effect, SendFrame)
    assert json.loads(effect.text) == {"type": "message", "text": "", "content": [item.raw]}
    assert event == Message(sender="guest", text="", client_id="c1", content=parse_content([item.raw]))


@pytest.mark.parametrize("character", ["a", "é", "你", "👩"])
def test_the_limit_of_a_text_counts_bytes(character: str) -> None:
    """4,096 bytes of UTF-8 go, one more does not and names its message (guest-session §4.2)."""
    client = client_in(State.CONNECTED)
    size = len(character.encode())
    fits = character * (4096 // size) + "a" * (4096 % size)
    client.send_text(fits, 0.0, client_id="c1")
    with pytest.raises(MessageRejected) as caught:
        client.send_text(fits + "a", 0.0, client_id="c2")
    assert (caught.value.code, caught.value.client_id) == ("message-too-long", "c2")
    assert client.queued == 1


def test_after_the_end_nothing_can_be_sent() -> None:
    """The composer is closed (rule 4)."""
    client = client_in(State.CONNECTED)
    client.frame_received(ENDED, 0.0)
    with pytest.raises(ConversationEnded):
        client.send_text("x", 0.0, client_id="c1")


def test_an_end_that_waits_is_not_sent_after_the_end() -> None:
    """The provider was quicker."""
    client = client_in(State.CONNECTED)
    for number in range(30):
        client.send_text("x", 0.0, client_id=f"c{number}")
    client.end(0.0)
    client.frame_received(ENDED, 0.0)
    drain(client)
    client.timer_due(client.next_deadline() or 0.0)
    assert client.effects() == [CloseSocket()]
    assert client.next_deadline() is None


def test_an_end_that_waits_does_not_end_the_next_conversation() -> None:
    """Started again, the guest wants to talk."""
    client = client_in(State.WAITING)
    client.end(0.0)
    client.start(1.0)
    client.opened(1.0)
    assert not any(isinstance(effect, SendFrame) for effect in client.effects())


@pytest.mark.parametrize("state", ["idle", "authenticating", "creating-session", "failed", "closed"])
def test_end_where_nothing_has_begun_is_stop(state: str) -> None:
    """There is nothing to end."""
    client = client_in(State(state))
    client.end(0.0)
    assert client.state is State.CLOSED


def test_sent_for_a_message_that_is_not_known_changes_nothing() -> None:
    """Told twice, or after its end."""
    client = client_in(State.CONNECTED)
    client.send_text("x", 0.0, client_id="c1")
    client.sent("c1")
    drain(client)
    client.sent("c1")
    client.sent("c9")
    assert drain(client) == ([], [])


def test_a_hint_does_not_outlive_its_connection() -> None:
    """A hint of a connection that was closed for good is not waited out after the next one's loss."""
    client = client_in(State.CONNECTED)
    client.frame_received(encode(ErrorFrame(code="rate-limited", retry_after=70.0)), 0.0)
    client.closed(4401, 0.0)
    client.authenticated()
    client.session_created(session(2), 0.0)
    client.opened(0.0)
    client.closed(1006, 0.0)
    assert client.next_deadline() == 1.0


@pytest.mark.parametrize("hint_s", [None, 0.0, -5.0, 0.5])
def test_a_hint_never_shortens_the_back_off(hint_s: float | None) -> None:
    """The longer of the two counts."""
    client = client_in(State.CONNECTED)
    client.frame_received(encode(MoveFrame(retry_after=hint_s)), 0.0)
    client.closed(4409, 10.0)
    assert client.next_deadline() == 11.0


def test_too_big_blames_no_message_of_an_earlier_connection() -> None:
    """What was written before the drop was taken or lost then."""
    client = client_in(State.CONNECTED)
    client.send_text("old", 0.0, client_id="c1")
    client.sent("c1")
    client.closed(1006, 0.0)
    client.timer_due(1.0)
    client.opened(1.0)
    drain(client)
    client.closed(4413, 1.0)
    assert codes(client.events()) == ["frame-too-big"]


def test_too_big_drops_the_message_that_could_not_be_written_whole() -> None:
    """Otherwise it would be sent, and refused, for ever; the next message goes on."""
    client = client_in(State.CONNECTED)
    client.send_text("big", 0.0, client_id="c1")
    client.send_text("small", 0.0, client_id="c2")
    drain(client)
    client.closed(1009, 0.0)
    failed = Receipt(client_id="c1", status=Fate.FAILED, code="frame-too-big")
    assert failed in client.events()
    client.timer_due(1.0)
    drain(client)
    client.opened(1.0)
    assert sent_texts(client.effects()) == ["small"]


def test_the_error_of_a_failed_attempt_is_told_in_its_own_words() -> None:
    """With the code's hint and the seconds to wait."""
    client = client_in(State.CONNECTING)
    client.attempt_failed(RateLimited("Too many chats.", retry_after_s=7.0), 0.0)
    (event,) = client.events()
    assert isinstance(event, StatusChanged)
    assert event.error is not None
    assert (event.error.text, event.error.hint) == ("Too many chats.", ERRORS["rate-limited"].hint)
    assert event.error.retry_after == event.retry_in == 7.0


def test_the_timer_told_too_early_or_for_nothing_does_nothing() -> None:
    """The shell's timer may be inexact."""
    client = client_in(State.WAITING)
    client.timer_due(0.999)
    assert drain(client) == ([], [])
    client.timer_due(1.0)
    assert client.effects() == [OpenSocket(session())]
    drain(client)
    client.timer_due(2.0)
    assert drain(client) == ([], [])


@given(st.lists(st.text(), max_size=10))
def test_any_text_from_the_provider_is_an_event_at_most(texts: list[str]) -> None:
    """It never raises, never has an effect, never changes the state."""
    client = client_in(State.CONNECTED)
    for text in texts:
        client.frame_received(text, 0.0)
        effects, events = drain(client)
        assert effects == []
        assert len(events) == 1
        assert isinstance(events[0], UnknownEvent)
        assert client.state is State.CONNECTED


@pytest.mark.parametrize("now", [0.0, 1e6 + 1 / 3, 1e9 + 1 / 7])
def test_a_long_queue_is_flushed_by_a_clock_that_jumps(now: float) -> None:
    """From deadline to deadline, in order, in as many steps as there are messages at most."""
    client = client_in(State.WAITING)
    texts = [str(number) for number in range(100)]
    for text in texts:
        client.send_text(text, now, client_id=text)
    client.retry_now(now)
    client.opened(now)
    written = sent_texts(client.effects())
    for _ in texts:
        deadline = client.next_deadline()
        if deadline is None:
            break
        client.timer_due(deadline)
        written += sent_texts(client.effects())
    assert written == texts
    assert client.next_deadline() is None


# --- client and server half joined -------------------------------------------------------------------------------


class Joined(RuleBasedStateMachine):
    """A guest, a network that drops what it likes, and a provider.

    What the shell was asked to write waits in `wire`; writing one frame gives it to the provider's half and tells the
    client `sent`, as a shell does. A drop loses what was not written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.client = GuestSessionClient(delay_s=lambda attempt: float(min(2**attempt, 30)))
        self.server = GuestSessionServer()
        self.transcript = Transcript()
        self.now = 0.0
        self.wire: deque[SendFrame] = deque()
        self.asked: Effect | None = None
        self.accepted: list[str] = []
        self.received: list[str] = []
        self.failed: set[str] = set()
        self.sessions = 0
        self.number = 0

    def settle(self) -> None:
        """Do the effects, fold the events; written as a shell is: no `if` about the protocol."""
        for effect in self.client.effects():
            match effect:
                case SendFrame():
                    self.wire.append(effect)
                case CloseSocket():
                    self.wire.clear()
                    self.asked = None
                case _:
                    self.wire.clear()
                    self.asked = effect
        for event in self.client.events():
            self.transcript.apply(event)
            if isinstance(event, Receipt) and event.status is Fate.FAILED:
                self.failed.add(event.client_id)

    @initialize()
    def start(self) -> None:
        self.client.start(self.now)
        self.settle()

    @rule(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), seconds=st.floats(0.0, 1.0))
    def send(self, text: str, seconds: float) -> None:
        """The guest presses Enter, whatever state the connection is in."""
        self.now += seconds
        self.number += 1
        client_id = f"c{self.number}"
        try:
            self.client.send_text(f"{self.number}:{text}", self.now, client_id=client_id)
        except ConversationEnded:
            assert self.client.has_ended
        else:
            self.accepted.append(client_id)
        self.settle()

    @rule()
    def type(self) -> None:
        self.client.type(self.now)
        self.settle()

    @precondition(lambda self: self.wire)
    @rule()
    def write(self) -> None:
        """One frame reaches the provider, and the shell is told so.

        It takes its time: a network that stalls can deliver what was paced in one burst, and what a provider then
        refuses is lost, because the plain protocol's errors name no message.
        """
        self.now += 0.1
        effect = self.wire.popleft()
        self.server.frame_received(effect.text, self.now)
        for reply in self.server.effects():
            self.client.frame_received(reply, self.now)
        for command in self.server.commands():
            if isinstance(command, SendMessage):
                self.received.append(f"c{command.text.partition(':')[0]}")
            elif isinstance(command, EndConversation):
                self.client.frame_received(ENDED, self.now)
        if effect.client_id is not None:
            self.client.sent(effect.client_id)
        self.settle()

    @precondition(lambda self: self.asked is not None)
    @rule()
    def answer(self) -> None:
        """What the core asked for succeeds."""
        asked, self.asked = self.asked, None
        match asked:
            case Authenticate():
                self.client.authenticated()
            case CreateSession():
                self.sessions += 1
                self.client.session_created(session(self.sessions, expires_in_s=500.0), self.now)
            case OpenSocket():
                self.server = GuestSessionServer()
                self.client.opened(self.now)
            case CheckSession():
                self.client.still_valid(self.now)
            case _:
                raise AssertionError(asked)
        self.settle()

    @precondition(lambda self: self.asked is not None)
    @rule(code=st.sampled_from(sorted(ERRORS)), hint_s=st.none() | st.floats(0.0, 60.0))
    def fail(self, code: str, hint_s: float | None) -> None:
        """What the core asked for fails, for any reason."""
        self.asked = None
        self.client.attempt_failed(ChatError(code=code, retry_after_s=hint_s), self.now)
        self.settle()

    @precondition(lambda self: self.client.state in {State.CONNECTED, State.CONNECTING})
    @rule(code=st.sampled_from([1006, 1006, 1006, *sorted(set(CLOSE_CODES) - {4413, 1009}), 3999]))
    def drop(self, code: int) -> None:
        """The socket closes, open or not yet; what was not written is lost."""
        # Not with the codes for a frame too big, which drop a message on purpose.
        self.wire.clear()
        self.asked = None
        self.client.closed(code, self.now)
        self.settle()

    @rule(seconds=st.floats(0.0, 100.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.client.timer_due(self.now)
        self.settle()

    @rule()
    def retry_now(self) -> None:
        self.client.retry_now(self.now)
        self.settle()

    @precondition(lambda self: self.client.state in {State.FAILED, State.CLOSED})
    @rule()
    def start_again(self) -> None:
        self.client.start(self.now)
        self.settle()

    @precondition(lambda self: self.number > 5)
    @rule(ends=st.booleans())
    def leave(self, ends: bool) -> None:
        if ends:
            self.client.end(self.now)
        else:
            self.client.stop()
        self.settle()

    @rule(text=st.sampled_from(["", "[]", '{"type":"message","text":"hi","id":"m1"}', '{"type":"typing"}']))
    def provider_says(self, text: str) -> None:
        if self.client.state is State.CONNECTED:
            self.client.frame_received(text, self.now)
            self.settle()

    @invariant()
    def every_message_arrives_once_and_in_order(self) -> None:
        assert self.received == [client_id for client_id in self.accepted if client_id in set(self.received)]

    @invariant()
    def nothing_is_lost(self) -> None:
        """What was taken from the guest has arrived, waits, or was said to have failed."""
        assert len(self.received) + len(self.failed) + self.client.queued == len(self.accepted)
        assert not self.failed & set(self.received)

    @invariant()
    def something_goes_on(self) -> None:
        """Whoever is neither connected nor at rest waits for an answer or for a time."""
        state = self.client.state
        at_rest = state in {State.IDLE, State.CONNECTED, State.FAILED, State.CLOSED}
        assert at_rest or self.asked is not None or (state is State.WAITING and self.client.next_deadline() is not None)
        assert (self.asked is not None) is (
            state in {State.AUTHENTICATING, State.CREATING_SESSION, State.CONNECTING, State.CHECKING}
        )

    @invariant()
    def the_transcript_says_so_too(self) -> None:
        states = {row.client_id: row.state for row in self.transcript.rows if isinstance(row, MessageRow)}
        for client_id in self.accepted:
            expected = (
                Fate.FAILED if client_id in self.failed else Fate.SENT if client_id in self.received else Fate.QUEUED
            )
            assert states[client_id] is expected

    def teardown(self) -> None:
        """Left alone with a good network, everything comes to rest in few steps, and all that waits arrives."""
        if self.client.state in {State.FAILED, State.CLOSED, State.IDLE}:
            self.client.start(self.now)
            self.settle()
        for _ in range(50 + 4 * len(self.accepted)):
            if self.wire:
                self.write()
            elif self.asked is not None:
                self.answer()
            elif (deadline := self.client.next_deadline()) is not None:
                self.now = max(self.now, deadline)
                self.client.timer_due(self.now)
                self.settle()
            else:
                break
        else:
            raise AssertionError("it does not come to rest")
        assert self.client.state is (State.CLOSED if self.client.has_ended else State.CONNECTED)
        assert self.client.queued == 0
        self.every_message_arrives_once_and_in_order()
        assert set(self.received) | self.failed == set(self.accepted)


TestJoined = pytest.mark.slow(Joined.TestCase)
TestJoined.settings = settings(max_examples=60, stateful_step_count=50)


@given(st.lists(st.sampled_from([*sorted(CALLS), "stop", "closed", "end", "timer", "frame"]), max_size=40))
def test_any_order_of_calls_stays_in_the_table(calls: list[str]) -> None:
    """A shell that tells nonsense gets LocalProtocolError, and the core goes on."""
    client = new_client(has_session=False)
    others: dict[str, Callable[[GuestSessionClient], None]] = {
        "stop": lambda client: client.stop(),
        "closed": lambda client: client.closed(1006, 100.0),
        "end": lambda client: client.end(100.0),
        "timer": lambda client: client.timer_due(1e9),
        "frame": lambda client: client.frame_received(ENDED, 0.0),
    }
    for call in calls:
        with contextlib.suppress(LocalProtocolError):
            (CALLS | others)[call](client)
        assert client.state in STATES
        drain(client)


def test_an_ended_update_is_told_before_what_failed_by_it() -> None:
    """The reason first."""
    client = client_in(State.CONNECTED)
    client.send_text("x", 0.0, client_id="c1")
    drain(client)
    client.closed(4499, 0.0)
    kinds = [type(event) for event in client.events()]
    assert kinds == [ConversationUpdated, Receipt, StatusChanged]
