"""The org's state, its changes and its bounds."""

from __future__ import annotations

import itertools

import pytest

from guestwire.emulator import org as org_module
from guestwire.emulator import records
from guestwire.emulator.changes import AgentsChanged, ConversationChanged, FaultsChanged, SessionsExpired, WasReset
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import GUEST_SCOPES, STAGES, Conversation, OAuthClient, Stage
from guestwire.errors import LocalProtocolError
from guestwire.model.ids import ConversationId, SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestDetails
from tests.unit.emulator.scene import Scene


def test_access_tokens_live_their_time(scene: Scene) -> None:
    """A token is found as long as it is kept; when it expires is in it."""
    org = scene.org
    token = org.issue_access_token(org.clients["demo-client"], GUEST_SCOPES)
    assert org.find_access_token(token.value.reveal()) is token
    assert (token.expires_at - org.clock.utc()).total_seconds() == org.access_token_ttl_s == 3600
    assert token.value.reveal() not in repr(token)
    assert org.expire_access_tokens() == 1
    assert token.expires_at <= org.clock.utc()
    assert org.revoke_access_tokens("unknown") == 0
    assert org.revoke_access_tokens(token.value.reveal()) == 1
    assert org.find_access_token(token.value.reveal()) is None


def test_session_token_opens_its_own_session_only(scene: Scene) -> None:
    """A token opens one session, until it expires."""
    org = scene.org
    session, token = org.create_session(GuestDetails())
    other, other_token = org.create_session(GuestDetails())
    assert org.authorise_session(session.id, token.reveal()) is session
    assert org.authorise_session(session.id, other_token.reveal()) is None
    assert org.authorise_session(other.id, token.reveal()) is None
    assert org.authorise_session("unknown", token.reveal()) is None
    scene.time.advance(86_400)
    assert org.authorise_session(session.id, token.reveal()) is None


def test_expiring_sessions_is_published_once(scene: Scene) -> None:
    """Who expires is told once, whether by the fault or by the clock."""
    org = scene.org
    first, token = org.create_session(GuestDetails())
    assert org.expire_sessions() == 1
    assert org.authorise_session(first.id, token.reveal()) is None
    second, _ = org.create_session(GuestDetails())
    org.advance_clock(10)
    org.advance_clock(86_400)
    assert org.expire_sessions() == 0
    told = [change.session_ids for change in scene.changes if isinstance(change, SessionsExpired)]
    assert told == [frozenset({first.id}), frozenset({second.id}), frozenset()]


@pytest.mark.parametrize("before, after", [*itertools.product(Stage, Stage)])
def test_stages_follow_the_table(scene: Scene, before: Stage, after: Stage) -> None:
    """Every step of the table is done and published, every other one is refused and changes nothing."""
    conversation = Conversation(
        ConversationId("c"), SessionId("s"), GuestDetails(), scene.org.clock.utc(), stage=before
    )
    if after in STAGES[before]:
        scene.org.move(conversation, after)
        assert conversation.stage is after
        assert ConversationChanged(conversation) in scene.changes
    else:
        with pytest.raises(LocalProtocolError, match=f"after {before}"):
            scene.org.move(conversation, after)
        assert conversation.stage is before
        assert scene.changes == []


def test_agents_belong_to_conversations(scene: Scene) -> None:
    """The agent's name stays after the end, and goes when the bot has the conversation again."""
    org = scene.org
    ada = org.add_agent("Ada")
    ended, transferred = scene.conversation("Help"), scene.conversation("Help")
    for conversation in (ended, transferred):
        org.move(conversation, Stage.AGENT, agent=ada)
    assert org.active_count(ada) == 2
    org.move(ended, Stage.ENDED, ended_by="agent")
    org.move(transferred, Stage.BOT)
    assert (ended.agent_name, transferred.agent_name) == ("Ada", None)
    assert org.active_count(ada) == 0


def test_queue_place_is_published_once(scene: Scene) -> None:
    """Going on queue twice is one change."""
    ada = scene.org.add_agent("Ada")
    scene.changes.clear()
    scene.org.set_on_queue(ada, on_queue=True)
    scene.org.set_on_queue(ada, on_queue=True)
    assert scene.changes == [AgentsChanged()]


def test_subscription_ends(scene: Scene) -> None:
    """Who has ended the subscription hears nothing more."""
    heard: list[object] = []
    stop = scene.org.subscribe(heard.append)
    scene.org.add_agent("Ada")
    stop()
    scene.org.add_agent("Bob")
    assert heard == [AgentsChanged()]


def test_reset_starts_from_the_seed(scene: Scene) -> None:
    """After a reset the ids begin anew, and the old state is gone; clients of the start are there."""
    org = scene.org
    first = scene.conversation("Help")
    org.add_client(OAuthClient("later", Secret("s")))
    org.change_faults(lambda faults: faults.switch(FaultName.NO_AGENTS, on=True, params={}))
    org.reset(org.seed)
    assert scene.changes[-1] == WasReset()
    assert not org.conversations
    assert not org.sessions
    assert set(org.clients) == {"demo-client"}
    assert not org.faults.is_on(FaultName.NO_AGENTS)
    assert scene.conversation("Help").id == first.id
    org.reset(2)
    assert scene.conversation("Help").id != first.id


def test_faults_are_published_with_the_flow(scene: Scene) -> None:
    """A change tells whether the flow changed with it; a refused one tells nothing."""
    org = scene.org
    org.change_faults(lambda faults: faults.switch(FaultName.NO_CORS, on=True, params={}))
    org.change_faults(lambda faults: faults.switch(FaultName.UNPUBLISH_FLOW, on=True, params={}))
    assert not org.is_flow_published
    assert scene.changes == [FaultsChanged(is_flow_changed=False), FaultsChanged(is_flow_changed=True)]


def test_ended_conversations_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ended conversations go, with their sessions; open ones stay."""
    monkeypatch.setattr(org_module, "MAX_ENDED", 2)
    still_open = scene.conversation("Help")
    ended = [scene.conversation("Help") for _ in range(4)]
    for conversation in (ended[1], ended[0], ended[2], ended[3]):
        scene.time.advance(1)
        scene.guests.ended(conversation)
    assert set(scene.org.conversations) == {still_open.id, ended[2].id, ended[3].id}
    assert set(scene.org.sessions) == {still_open.session_id, ended[2].session_id, ended[3].session_id}


def test_sessions_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the oldest sessions without a connection go, with their conversations."""
    monkeypatch.setattr(org_module, "MAX_SESSIONS", 3)
    connected, left = scene.conversation(), scene.conversation()
    scene.guests.disconnected(scene.org.sessions[left.session_id])
    never, _ = scene.org.create_session(GuestDetails())
    last, _ = scene.org.create_session(GuestDetails())
    assert set(scene.org.sessions) == {connected.session_id, never.id, last.id}
    assert set(scene.org.conversations) == {connected.id}


def test_access_tokens_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the oldest tokens go."""
    monkeypatch.setattr(org_module, "MAX_ACCESS_TOKENS", 2)
    client = scene.org.clients["demo-client"]
    tokens = [scene.org.issue_access_token(client, GUEST_SCOPES).value.reveal() for _ in range(3)]
    assert [scene.org.find_access_token(token) is not None for token in tokens] == [False, True, True]


def test_entries_are_bounded(scene: Scene) -> None:
    """A conversation keeps its newest lines."""
    conversation = scene.conversation("Help")
    for number in range(records.MAX_ENTRIES + 5):
        scene.org.add_entry(conversation, "guest", str(number))
    assert len(conversation.entries) == records.MAX_ENTRIES
    assert conversation.entries[-1].text == str(records.MAX_ENTRIES + 4)
