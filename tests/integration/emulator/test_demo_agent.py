"""The demo agent, as a guest meets it."""

from __future__ import annotations

import asyncio

from guestwire.emulator.demo_agent import DEMO_AGENT_NAME
from tests.integration.emulator.world import World, nothing_more, running


async def test_whole_conversation(demo_world: World) -> None:
    """It takes the chat, greets by name, quotes the question, answers a second one in context, and ends on request."""
    guest = await demo_world.guest_in_queue("Where is my order?", name="Tom")
    assert await guest.frame() == {
        "type": "conversation-update",
        "status": "connected",
        "agentName": DEMO_AGENT_NAME,
    }
    assert await guest.frame() == {"type": "typing", "from": "agent"}
    greeting = await guest.frame()
    assert (greeting["type"], greeting["from"]) == ("message", "agent")
    assert "Tom" in greeting["text"]
    assert "“Where is my order?”" in greeting["text"]

    await guest.say("And what about the invoice?")
    assert (await guest.frame())["type"] == "typing"
    answer = (await guest.frame())["text"]
    assert "“And what about the invoice?”" in answer
    assert "“Where is my order?”" in answer

    await guest.say("Thanks, that's all")
    assert (await guest.frame())["type"] == "typing"
    assert "Goodbye" in (await guest.frame())["text"]
    assert (await guest.frame())["status"] == "ended"
    assert await guest.close_code() == 1000


async def test_asking_for_a_person_is_no_question(demo_world: World) -> None:
    """Who only asked for a person is asked what they want."""
    guest = await demo_world.guest_in_queue("Talk to a person")
    assert "How can I help" in (await guest.until("message"))["text"]


async def test_every_text_is_answered_in_order(demo_world: World) -> None:
    """Texts that come faster than answers are all answered, one by one."""
    guest = await demo_world.guest_in_queue("One")
    for text in ("Two", "Three", "Four"):
        await guest.say(text)
    answers = [(await guest.until("message"))["text"] for _ in range(4)]
    assert ["One" in answers[0], "“Two”" in answers[1], "“Three”" in answers[2], "“Four”" in answers[3]] == [True] * 4


async def test_takes_a_chat_within_two_seconds() -> None:
    """With the delay that people see it still takes the chat within two seconds."""
    async with running(demo_agent=True, demo_agent_delay_s=1.0) as world:
        guest = await world.guest_in_queue()
        async with asyncio.timeout(2.0):
            await guest.until("conversation-update", status="connected")


async def test_person_takes_its_place(demo_world: World) -> None:
    """It goes off queue for a person, keeps the chat it has, and comes back when nobody is on queue."""
    world = demo_world
    mine = await world.guest_in_queue("First")
    await mine.until("message")
    events = await world.desk_events()
    ada = await world.agent("Ada")
    while next(one for one in (await events.until("agents"))["agents"] if one["isDemo"])["onQueue"]:
        pass

    waiting = await world.guest_in_queue("Second")
    await nothing_more(waiting)
    await mine.say("Still there?")
    assert "Still there?" in (await mine.until("message"))["text"]
    await world.accepted(waiting, ada)
    await world.command((await world.conversation(waiting))["id"], "messages", ada, text="Ada here")
    assert (await waiting.until("message"))["text"] == "Ada here"

    third = await world.guest_in_queue("Third")
    await nothing_more(third)
    await world.call("PATCH", f"/desk/api/agents/{ada}", {"onQueue": False})
    assert (await third.until("conversation-update"))["agentName"] == DEMO_AGENT_NAME


async def test_person_who_leaves_makes_room(demo_world: World) -> None:
    """When the person's seat is removed the demo agent takes who waits."""
    ada = await demo_world.agent("Ada")
    guest = await demo_world.guest_in_queue()
    await demo_world.call("DELETE", f"/desk/api/agents/{ada}", {})
    assert (await guest.until("conversation-update"))["agentName"] == DEMO_AGENT_NAME


async def test_comes_back_after_a_reset(demo_world: World) -> None:
    """A reset forgets it like everybody; it takes its seat again and answers the next guest."""
    guest = await demo_world.guest_in_queue()
    await guest.until("message")
    await demo_world.call("POST", "/emulator/reset", {})
    assert await guest.close_code() == 1012
    again = await demo_world.guest_in_queue("Are you back?")
    assert "Are you back?" in (await again.until("message"))["text"]


async def test_transferred_back_to_the_bot_and_again_to_the_agent(demo_world: World) -> None:
    """A chat that comes to the queue a second time is taken up with the question that brought it there."""
    guest = await demo_world.guest_in_queue("First question")
    await guest.until("message")
    conversation = await demo_world.conversation(guest)
    await demo_world.command(conversation["id"], "transfer", conversation["agentId"])
    await guest.until("conversation-update", status="waiting")
    await guest.until("bot-message")
    await guest.say("Second question")
    await guest.until("conversation-update", status="connected")
    assert "“Second question”" in (await guest.until("message"))["text"]


async def test_guest_who_leaves_is_let_go(demo_world: World) -> None:
    """A guest who ends while the demo agent writes leaves nothing behind that stops it for the next one."""
    guest = await demo_world.guest_in_queue("One")
    await guest.send({"type": "end"})
    assert await guest.close_code() == 1000
    other = await demo_world.guest_in_queue("Two")
    assert "Two" in (await other.until("message"))["text"]


async def test_bare_emulator_always_answers() -> None:
    """Nothing is configured: a page that talks to it gets an agent's answer."""
    async with running(demo_agent=True, demo_agent_delay_s=0.01) as world:
        state = (await world.call("GET", "/desk/api/state")).json
        assert [(one["name"], one["onQueue"], one["isDemo"]) for one in state["agents"]] == [
            (DEMO_AGENT_NAME, True, True)
        ]
        guest = await world.guest_in_queue()
        assert (await guest.until("message"))["from"] == "agent"
