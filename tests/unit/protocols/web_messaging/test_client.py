"""Client half: the vectors, what they leave out, and client and server half joined in memory."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from guestwire.errors import ChatError, ConnectFailed, MessageRejected
from guestwire.model.events import (
    ConnectionStatus,
    Fate,
    HistoryRead,
    Message,
    Presence,
    ProviderError,
    UnknownEvent,
)
from guestwire.model.secret import Secret
from guestwire.model.transcript import MessageRow
from guestwire.protocols.web_messaging.asked import MOST_ASKED
from guestwire.protocols.web_messaging.provider import ServedDeployment
from guestwire.protocols.web_messaging.states import State
from tests.unit.protocols.web_messaging.scenario import Scenario, fold
from tests.unit.protocols.web_messaging.world import DEPLOYMENT, EPOCH, World

FRAMES = Path(__file__).parents[3] / "frames/web-messaging"
CONNECTION = json.loads((FRAMES / "connection.json").read_text("utf-8"))["vectors"]
TRANSCRIPTS = json.loads((FRAMES / "transcripts.json").read_text("utf-8"))["vectors"]


@pytest.mark.parametrize("vector", CONNECTION, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    """Every step shows what the vector expects, and nothing else."""
    scenario = Scenario(vector)
    now = 0.0
    for number, step in enumerate(vector["steps"]):
        now = step.get("now", now)
        assert scenario.run_step(step, now) == step["expect"], f"step {number}: {step['do']}"


@pytest.mark.parametrize("vector", TRANSCRIPTS, ids=lambda vector: vector["name"])
def test_transcript(vector: dict[str, Any]) -> None:
    """The steps fold into what people read."""
    assert fold(vector) == vector["transcript"]


def state(world: World) -> State:
    """Read it through a call, or the type checker believes that it never changes."""
    return world.client.state


# --- what a shell reads ------------------------------------------------------------------------------------------


def test_what_can_be_read_of_the_core() -> None:
    """Its state, session, deployment, rules, queue."""
    world = World()
    client = world.client
    seen: list[object] = [client.state, client.status, client.session, client.deployment]
    assert seen == [State.IDLE, ConnectionStatus.DISCONNECTED, None, None]
    assert [client.upload_rules.is_on] == [False]
    world.start()
    assert client.is_open
    assert client.session == world.kept
    assert client.deployment == world.deployment
    assert [client.upload_rules.is_on] == [True]
    world.send("x")
    assert client.queued == 1
    world.run()
    assert (client.queued, client.has_ended) == (0, False)


def test_answers_that_never_come_are_forgotten() -> None:
    """What waits for an answer is bounded."""
    world = World(reads_history=False)
    world.start()
    for number in range(MOST_ASKED + 10):
        world.client.refresh_attachment(f"a{number}", world.now)
    assert len(world.client._asked) == MOST_ASKED


@pytest.mark.parametrize("reads_history, tries", [(True, 3), (False, 1)])
def test_a_page_that_cannot_be_read_is_given_up_with_its_reason(reads_history: bool, tries: int) -> None:
    """A caller with a reader of its own is told at once, and by nothing else."""
    world = World(reads_history=reads_history)
    world.start()
    world.client.read_history(world.now, page=2)
    for _ in range(tries):
        assert world.client.wants_page(2)
        world.settle()
        while not world.tasks:
            world.now += 1.0
            world.client.timer_due(world.now)
            world.settle()
            while world.up or world.down:
                world.step()
        world.do_task(fails=ConnectFailed())
    assert not world.client.wants_page(2)
    why = world.client.why_unread(2)
    assert why is not None
    assert why.code == "unreachable"
    assert any(isinstance(event, ProviderError) for event in world.events) is reads_history
    world.client.read_history(world.now, page=2)
    assert world.client.why_unread(2) is None


def test_pages_of_the_history_are_counted() -> None:
    """Ten a minute (§5)."""
    world = World(reads_history=False)
    world.start()
    for _ in range(10):
        assert world.client.history_wait_s(world.now) == 0.0
        world.client.read_history(world.now)
        world.settle()
        world.run()
    assert world.client.history_wait_s(world.now) == 60.0


def test_a_core_sends_no_more_than_a_provider_takes() -> None:
    """Fifty requests a minute, four messages a second (§5)."""
    world = World(reads_history=False)
    world.start()
    written = 0
    with contextlib.suppress(ChatError):
        for number in range(100):
            world.now += 0.3
            world.client.send_now("x", world.now, client_id=f"c{number}")
            world.settle()
            world.run()
            written += 1
    assert 40 < written < 50
    assert not [event for event in world.events if isinstance(event, ProviderError)]


# --- both halves -------------------------------------------------------------------------------------------------


def test_a_chat_through_both_halves() -> None:
    """From `Join` to the end, anew, and cleared."""
    world = World()
    world.start()
    world.send("Hi")
    world.run()
    world.agent("Hello", name="Mia")
    world.run()
    assert world.fates("m-Hi") == [Fate.SENT, Fate.DELIVERED]
    world.provider.disconnect(world.token, EPOCH + world.now)
    world.collect()
    world.run()
    assert state(world) is State.READ_ONLY
    with pytest.raises(MessageRejected):
        world.send("no")
    world.client.start_new(world.now)
    world.settle()
    world.run()
    assert world.client.is_open
    world.client.clear(world.now)
    world.settle()
    world.run()
    assert state(world) is State.CLOSED
    texts = [row.text for row in world.transcript.rows if isinstance(row, MessageRow)]
    assert texts == ["Hi", "Hello"]


def test_the_end_of_an_earlier_conversation_is_past() -> None:
    """After a start anew the history still has it; coming back, it bars nothing and is not said again."""
    world = World()
    world.start()
    world.provider.disconnect(world.token, EPOCH + world.now)
    world.collect()
    world.run()
    world.client.start_new(world.now)
    world.settle()
    world.run()
    world.cut()
    before = len(world.transcript.rows)
    world.later(10.0)
    assert state(world) is State.CONFIGURED
    assert len(world.transcript.rows) == before
    session, world.client = world.client.session, world.new_client()
    world.client._session = session
    world.start()
    assert state(world) is State.CONFIGURED
    world.send("still here")
    world.run()
    assert world.fates("m-still here") == [Fate.SENT, Fate.DELIVERED]


def test_a_step_up_and_a_sign_out_through_both_halves() -> None:
    """The guest's next session is a new one."""
    world = World()
    world.start()
    world.client.sign_in(Secret("user-1"), world.now)
    world.settle()
    world.run()
    assert world.client.session is not None
    assert world.client.session.is_authenticated
    assert Presence(sender="guest", kind="sign-in", name="Ada L.") in world.events
    world.provider.log_out("user-1")
    world.collect()
    world.run()
    assert [state(world), *[world.client.session, world.kept]] == [State.FAILED, None, None]


def test_a_long_history_is_read_upwards() -> None:
    """Another device comes to the session: the newest page by itself, older ones on demand."""
    world = World()
    world.start()
    token = world.token
    for number in range(250):
        world.provider.say(token, EPOCH + world.now, text=str(number), is_bot=True)
    world.provider.effects()
    session, world.client = world.client.session, world.new_client()
    world.client._session = session
    world.transcript.rows.clear()
    world.events.clear()
    world.start()
    page = 1
    while True:
        reads = [event for event in world.events if isinstance(event, HistoryRead)]
        assert reads[-1].page == page
        if not reads[-1].has_more:
            break
        page += 1
        world.client.read_history(world.now, page=page)
        world.settle()
        world.run()
    messages = [event for event in world.events if isinstance(event, Message)]
    assert sorted(int(message.text) for message in messages) == list(range(250))
    assert {message.late for message in messages[:99]} == {False}
    assert {message.late for message in messages[100:]} == {True}


@pytest.mark.parametrize("size", [1, 3])
def test_frames_in_any_order_read_the_same(size: int) -> None:
    """What came late says so; sorted by time, the transcript is the provider's."""
    world = World()
    world.start()
    for number in range(6):
        world.now += 1
        world.agent(str(number))
    while world.down:
        world.read_down(min(size, len(world.down) - 1))
    messages = [event for event in world.events if isinstance(event, Message)]
    ordered = sorted(messages, key=lambda message: message.sent_at.timestamp() if message.sent_at else 0.0)
    assert [message.text for message in ordered] == [str(number) for number in range(6)]
    newest = -1
    for message in messages:
        assert message.late == (int(message.text) < newest)
        newest = max(newest, int(message.text))


@given(st.lists(st.text(), max_size=10))
@settings(deadline=None, max_examples=30)
def test_any_text_from_the_provider_is_an_event_at_most(texts: list[str]) -> None:
    """It never raises, never has an effect, never changes the state."""
    world = World(reads_history=False)
    world.start()
    world.events.clear()
    for text in texts:
        world.client.frame_received(text, world.now)
    assert world.client.effects() == []
    assert [type(event) for event in world.client.events()] == [UnknownEvent] * len(texts)
    assert world.client.state is State.CONFIGURED


# --- a network that drops ----------------------------------------------------------------------------------------


class Joined(RuleBasedStateMachine):
    """A guest, a network that drops, delays, repeats and reorders, and a provider.

    When all is quiet, every message that was accepted is at the provider once, in order, and is delivered; nothing of
    the provider's is missing and nothing is there twice.
    """

    def __init__(self) -> None:
        super().__init__()
        served = ServedDeployment(deployment_id=DEPLOYMENT, read_only_after_end=False, allows_step_up=True)
        self.world = World(served=served)
        self.sent: list[str] = []
        self.agents: list[str] = []

    @initialize()
    def start(self) -> None:
        self.world.start()

    @rule(seconds=st.floats(0.0, 1.0))
    def send(self, seconds: float) -> None:
        """The guest presses Enter, whatever state the connection is in."""
        self.world.now += seconds
        text = f"{len(self.sent)}"
        self.sent.append(text)
        self.world.send(text)

    @precondition(lambda self: self.world.client.session is not None)
    @rule()
    def answer(self) -> None:
        text = f"a{len(self.agents)}"
        self.agents.append(text)
        self.world.now += 0.01
        self.world.agent(text, name="Mia")

    @rule()
    def type(self) -> None:
        self.world.client.type(self.world.now)
        self.world.settle()

    @precondition(lambda self: self.world.up)
    @rule()
    def write(self) -> None:
        self.world.write_up()

    @precondition(lambda self: self.world.down)
    @rule(index=st.integers(0, 3), twice=st.booleans())
    def read(self, index: int, twice: bool) -> None:
        """One frame arrives; perhaps not in its turn, perhaps twice."""
        index = min(index, len(self.world.down) - 1)
        is_message = "StructuredMessage" in str(self.world.down[index][1])
        if not is_message:
            index = 0
        elif twice:
            self.world.down.append(self.world.down[index])
        self.world.read_down(index)

    @precondition(lambda self: self.world.tasks)
    @rule()
    def do(self) -> None:
        self.world.do_task()

    @precondition(lambda self: self.world.tasks)
    @rule()
    def fail(self) -> None:
        """What was asked for fails for now."""
        self.world.do_task(fails=ConnectFailed())

    @precondition(lambda self: self.world.connection is not None)
    @rule(code=st.sampled_from([1000, 1001, 1006, 1011]))
    def drop(self, code: int) -> None:
        self.world.cut(code)

    @precondition(lambda self: self.world.client.next_deadline() is not None)
    @rule()
    def wait(self) -> None:
        deadline = self.world.client.next_deadline()
        assert deadline is not None
        self.world.now = max(self.world.now, deadline)
        self.world.client.timer_due(self.world.now)
        self.world.settle()

    @invariant()
    def nothing_is_sent_twice_by_the_provider_s_books(self) -> None:
        if self.world.client.session is not None and self.world.provider.session(self.world.token) is not None:
            assert max(Counter(self.world.said()).values(), default=0) <= 1

    def teardown(self) -> None:
        if self.world.client.state is State.IDLE:
            return
        for _ in range(40):
            self.world.later(60.0)
            if not self.world.client.queued and not self.world.tasks:
                break
        self.world.later(60.0)
        given_up = {one for one in self.sent if Fate.UNCONFIRMED in self.world.fates(f"m-{one}")}
        said = self.world.said()
        assert [one for one in said if one not in given_up] == [one for one in self.sent if one not in given_up]
        assert said == sorted(said, key=int)
        for one in self.sent:
            if one not in given_up:
                assert Fate.DELIVERED in self.world.fates(f"m-{one}")
        rows = [row for row in self.world.transcript.rows if isinstance(row, MessageRow)]
        assert Counter(row.text for row in rows) == Counter([*self.sent, *self.agents])


TestJoined = Joined.TestCase
TestJoined.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
