"""What guests do, and what the flow makes of it."""

from __future__ import annotations

from guestwire.emulator.changes import EntryAdded, Typed
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from tests.unit.emulator.scene import Scene


def test_first_connection_is_greeted(scene: Scene) -> None:
    """The greeting comes once, with the first connection; later ones are only counted."""
    conversation = scene.conversation()
    scene.guests.connected(scene.org.sessions[conversation.session_id])
    assert scene.said(conversation) == ["bot"]
    assert conversation.connections == 2


def test_losing_connections_ends_nothing(scene: Scene) -> None:
    """The count goes down to zero and never below; after a reset nothing is counted any more."""
    conversation = scene.conversation()
    session = scene.org.sessions[conversation.session_id]
    scene.guests.disconnected(session)
    scene.guests.disconnected(session)
    assert conversation.connections == 0
    assert conversation.stage is Stage.BOT
    scene.org.reset(None)
    scene.guests.disconnected(session)


def test_origin_is_passed_on(scene: Scene) -> None:
    """The guest's own lines carry the connection that they came by, the bot's none."""
    conversation = scene.conversation()
    scene.changes.clear()
    scene.guests.said(conversation, "Opening hours", origin="connection 1")
    scene.guests.typed(conversation, origin="connection 1")
    origins = [(one.entry.sender, one.origin) for one in scene.changes if isinstance(one, EntryAdded)]
    assert origins == [("guest", "connection 1"), ("bot", None)]
    assert Typed(conversation, "guest", "connection 1") in scene.changes


def test_handing_over(scene: Scene) -> None:
    """Any other text goes to the queue; from then on the bot is silent."""
    conversation = scene.conversation("Help", "Hello?")
    assert conversation.stage is Stage.QUEUE
    assert conversation.queued_at is not None
    assert scene.said(conversation) == ["bot", "guest", "bot", "system", "guest"]


def test_nothing_is_said_after_the_end(scene: Scene) -> None:
    """After the end texts, typing and another end change nothing."""
    conversation = scene.conversation("Help")
    scene.guests.ended(conversation)
    scene.changes.clear()
    scene.guests.said(conversation, "More")
    scene.guests.typed(conversation)
    scene.guests.ended(conversation)
    assert scene.changes == []
    assert (conversation.stage, conversation.ended_by) == (Stage.ENDED, "guest")


def test_unpublished_flow_takes_nobody_up(scene: Scene) -> None:
    """Nobody is greeted or answered; when it is published, each is taken up as they wait."""
    scene.control.switch(FaultName.UNPUBLISH_FLOW, on=True)
    silent, asking, choosing = scene.conversation(), scene.conversation("Help"), scene.conversation("Opening hours")
    ended = scene.conversation("Bye")
    scene.guests.ended(ended)
    assert scene.said(asking) == ["guest"]
    scene.control.switch(FaultName.UNPUBLISH_FLOW, on=False)
    assert scene.said(silent) == ["bot"]
    assert (scene.said(asking), asking.stage) == (["guest", "bot", "bot", "system"], Stage.QUEUE)
    assert (scene.said(choosing), choosing.stage) == (["guest", "bot", "bot"], Stage.BOT)
    assert scene.said(ended) == ["guest", "system"]


def test_those_answered_are_not_answered_again(scene: Scene) -> None:
    """Publishing again leaves alone who waits for nothing, and answers who wrote meanwhile."""
    quiet, asking = scene.conversation("Opening hours"), scene.conversation("Opening hours")
    scene.control.switch(FaultName.UNPUBLISH_FLOW, on=True)
    scene.guests.said(asking, "A person!")
    scene.control.clear_faults()
    assert scene.said(quiet) == ["bot", "guest", "bot"]
    assert asking.stage is Stage.QUEUE


def test_transfer_to_an_unpublished_flow(scene: Scene) -> None:
    """The conversation goes back, and nobody says so."""
    conversation = scene.conversation("Help")
    scene.org.move(conversation, Stage.AGENT, agent=scene.org.add_agent("Ada"))
    scene.control.switch(FaultName.UNPUBLISH_FLOW, on=True)
    scene.guests.transfer_to_bot(conversation)
    assert conversation.stage is Stage.BOT
    assert scene.said(conversation)[-1] != "bot"
