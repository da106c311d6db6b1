"""Client half for a caller with an outbox and a reader of its own (`send_now`, `reads_history=False`)."""

from __future__ import annotations

import json

import pytest

from guestwire.model.events import HistoryRead, Message, Presence, ProviderError
from guestwire.protocols.web_messaging.asked import Kind
from guestwire.protocols.web_messaging.provider import ServedDeployment
from guestwire.protocols.web_messaging.states import State
from tests.unit.protocols.web_messaging.world import DEPLOYMENT, World


@pytest.fixture
def world() -> World:
    made = World(
        reads_history=False,
        served=ServedDeployment(deployment_id=DEPLOYMENT, read_only_after_end=True, tells_disconnect=False),
    )
    made.start()
    made.events.clear()
    return made


def say(world: World, client_id: str) -> None:
    world.client.send_now(client_id, world.now, client_id=client_id)
    world.settle()


def frame(world: World, code: int, *, tracing_id: str | None = None) -> None:
    told = {"type": "response", "class": "string", "code": code, "body": "no"}
    world.client.frame_received(json.dumps(told | ({"tracingId": tracing_id} if tracing_id else {})), world.now)
    world.settle()


def errors(world: World) -> list[tuple[str, str | None]]:
    return [(event.code, event.client_id) for event in world.events if isinstance(event, ProviderError)]


def test_what_it_reads_of_the_history_is_the_callers_to_show(world: World) -> None:
    """Only that a page was read is told, so that the caller's order and the log's are the same."""
    world.agent("Hello")
    world.run()
    world.events.clear()
    world.client.read_history(world.now)
    world.settle()
    world.run()
    assert world.events == [HistoryRead(page=1, has_more=False)]


def test_a_join_that_may_be_lost_is_looked_for_in_what_it_reads() -> None:
    """It is there: then it is not sent again; it is not: then it is."""
    for arrives in (True, False):
        world = World(reads_history=False)
        world.client.start()
        world.settle()
        while not any("Join" in text for _, text, _ in world.up):
            assert world.step()
        if arrives:
            world.write_up()
        world.cut()
        world.later(5)
        world.client.read_history(world.now)
        world.settle()
        world.run()
        joins = [message for message in world.provider.session(world.token).messages if message.type == "Event"]  # type: ignore[union-attr]
        assert len(joins) == 1
        assert len([event for event in world.events if isinstance(event, Presence)]) == (not arrives)


@pytest.mark.parametrize(("number", "code"), [(4011, "message-too-long"), (4013, "attributes-too-large")])
def test_an_error_of_messages_that_names_none_is_about_the_last_one(world: World, number: int, code: str) -> None:
    say(world, "c1")
    world.run()
    say(world, "c2")
    frame(world, number)
    assert errors(world) == [(code, "c2")]


def test_an_error_of_something_else_names_no_message(world: World) -> None:
    say(world, "c1")
    frame(world, 5000)
    frame(world, 4011, tracing_id="another")
    assert errors(world) == [("provider-error", None), ("message-too-long", None)]


def test_a_message_refused_as_read_only_bars_the_session(world: World) -> None:
    """Though nobody has told of the end."""
    say(world, "c1")
    frame(world, 409, tracing_id="c1")
    assert errors(world) == [("read-only", "c1")]
    assert world.client.state is State.READ_ONLY


def test_it_says_how_long_to_wait_for_the_next_message(world: World) -> None:
    """Four a second, so that the provider never refuses one for its rate."""
    sent = 0
    world.now += 1.0  # `Join` was one, too
    while world.client.send_wait_s(world.now) == 0.0:
        say(world, f"c{sent}")
        world.run()
        sent += 1
    assert (sent, world.client.send_wait_s(world.now)) == (4, 1.0)
    world.now += 1.0
    assert world.client.send_wait_s(world.now) == 0.0
    assert [event.text for event in world.events if isinstance(event, Message)] == ["c0", "c1", "c2", "c3"]


def test_a_key_to_the_history_that_is_refused_is_asked_for_again(world: World) -> None:
    """Whatever the words of the refusal are."""
    for text in ("no", "Session authentication failed"):
        world.client.read_history(world.now)
        asked = world.client._asked.last(Kind.JWT)
        assert asked is not None
        world.up.clear()
        world.settle()
        world.up.clear()
        told = {"type": "response", "class": "string", "code": 403, "body": text, "tracingId": asked}
        world.client.frame_received(json.dumps(told), world.now)
        world.settle()
        world.now += 60.0
        world.client.read_history(world.now)
        world.settle()
        world.run()
        assert isinstance(world.events[-1], HistoryRead)
        world.now += 60.0
