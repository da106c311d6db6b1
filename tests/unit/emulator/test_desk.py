"""The desk's commands and refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guestwire.emulator.desk_refusals import REFUSALS, DeskRefused
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from tests.unit.emulator.scene import Scene


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(DeskRefused) as refused:
        act()
    assert refused.value.code in REFUSALS
    assert str(refused.value).endswith(".")
    return refused.value.code


def test_seats(scene: Scene) -> None:
    """A name has one seat, off queue at first; the demo agent's is its own."""
    ada, is_new = scene.desk.sign_in(" Ada ")
    assert (ada.name, ada.on_queue, is_new) == ("Ada", False, True)
    assert scene.desk.sign_in("Ada") == (ada, False)
    demo, _ = scene.desk.sign_in("Demo", is_demo=True)
    assert scene.desk.sign_in("Demo", is_demo=True) == (demo, False)
    assert refusal(lambda: scene.desk.sign_in("Demo")) == "already-taken"
    assert refusal(lambda: scene.desk.sign_in("\t")) == "bad-request"
    scene.desk.sign_out(ada.id)
    assert refusal(lambda: scene.desk.sign_out(ada.id)) == "not-found"


def test_whole_chat(scene: Scene) -> None:
    """Accept, type, write, transfer; accept again and end."""
    desk = scene.desk
    ada, _ = desk.sign_in("Ada")
    desk.set_on_queue(ada.id, on_queue=True)
    conversation = scene.conversation("Help")
    assert desk.accept(conversation.id, ada.id) is conversation
    assert desk.accept(conversation.id, ada.id) is conversation
    desk.typing(conversation.id, ada.id)
    entry = desk.send(conversation.id, ada.id, "Hello")
    assert (entry.sender, entry.name, entry.text) == ("agent", "Ada", "Hello")
    desk.transfer(conversation.id, ada.id)
    assert (conversation.stage, conversation.entries[-1].sender) == (Stage.BOT, "bot")
    scene.guests.said(conversation, "A person!")
    desk.accept(conversation.id, ada.id)
    desk.end(conversation.id, ada.id)
    assert (conversation.stage, conversation.ended_by) == (Stage.ENDED, "agent")
    assert scene.published_entries().count("Agent Ada joined.") == 2


def test_refusals_of_accept(scene: Scene) -> None:
    """Not there, with the bot, taken, off queue, no agents, ended: each has its code."""
    desk = scene.desk
    ada, bob = (desk.sign_in(name)[0] for name in ("Ada", "Bob"))
    desk.set_on_queue(bob.id, on_queue=True)
    conversation = scene.conversation()
    assert refusal(lambda: desk.accept("unknown", bob.id)) == "not-found"
    assert refusal(lambda: desk.accept(conversation.id, "unknown")) == "not-found"
    assert refusal(lambda: desk.accept(conversation.id, bob.id)) == "with-bot"
    scene.guests.said(conversation, "Help")
    assert refusal(lambda: desk.accept(conversation.id, ada.id)) == "off-queue"
    scene.control.switch(FaultName.NO_AGENTS, on=True)
    assert refusal(lambda: desk.accept(conversation.id, bob.id)) == "no-agents"
    scene.control.clear_faults()
    desk.accept(conversation.id, bob.id)
    desk.set_on_queue(ada.id, on_queue=True)
    assert refusal(lambda: desk.accept(conversation.id, ada.id)) == "already-taken"
    desk.sign_out(bob.id)
    desk.accept(conversation.id, ada.id)
    assert conversation.agent_name == "Ada"
    scene.guests.ended(conversation)
    assert refusal(lambda: desk.accept(conversation.id, ada.id)) == "ended"


def test_hidden_while_the_flow_is_unpublished(scene: Scene) -> None:
    """What sits in an unpublished flow is not there for agents; what was handed over before is."""
    in_flow, in_queue = scene.conversation(), scene.conversation("Help")
    scene.control.switch(FaultName.UNPUBLISH_FLOW, on=True)
    assert not scene.desk.is_shown(in_flow)
    assert scene.desk.is_shown(in_queue)
    ada, _ = scene.desk.sign_in("Ada")
    assert refusal(lambda: scene.desk.accept(in_flow.id, ada.id)) == "not-found"


@pytest.mark.parametrize("text", ["", "  ", "ü" * 2049])
def test_bad_texts(scene: Scene, text: str) -> None:
    """Blank and too long texts are refused; content alone will do."""
    ada, _ = scene.desk.sign_in("Ada")
    scene.desk.set_on_queue(ada.id, on_queue=True)
    conversation = scene.conversation("Help")
    assert refusal(lambda: scene.desk.send(conversation.id, ada.id, "x")) == "not-your-conversation"
    scene.desk.accept(conversation.id, ada.id)
    assert refusal(lambda: scene.desk.send(conversation.id, ada.id, text)) == "bad-request"
