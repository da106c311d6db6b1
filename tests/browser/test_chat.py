"""The main job in a real browser: bot, demo agent, a person at the desk; reload and drop."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import OpenPage, Stack
from tests.browser.people import Agent, Guest, fire_fault, set_fault


async def test_bot_then_demo_agent(stack: Stack, open_page: OpenPage) -> None:
    """The bot greets and answers an offered reply; anything else brings the demo agent, who answers in context."""
    guest = Guest(await open_page(f"{stack.chat_url}?name=Ada"))
    await guest.is_connected()
    await guest.reads("What can I do for you?")
    await guest.page.get_by_role("button", name="Opening hours").click()
    await expect(guest.transcript.get_by_text("Opening hours").first).to_be_visible()
    await guest.says("My parcel is late")
    await guest.reads("has joined")
    await guest.reads("Ada")
    await guest.reads("My parcel is late")
    await guest.says("And how do I return it?")
    await guest.reads("return")


async def test_a_person_at_the_desk_takes_over_and_ends(either_stack: Stack, open_page: OpenPage) -> None:
    """Somebody on queue takes the demo agent's place; both sides see messages, typing, and the end."""
    agent = Agent(await open_page(either_stack.emulator.desk_url))
    await agent.takes_a_seat("Grace")
    guest = Guest(await open_page(f"{either_stack.chat_url}?name=Ada&email=ada@example.com&externalContactId=crm-7"))
    await guest.is_connected()
    await guest.says("I want a person")
    await agent.accepts("Ada")
    await agent.reads("I want a person")
    await expect(agent.page.get_by_text("ada@example.com").first).to_be_visible()
    await expect(agent.page.get_by_text("crm-7").first).to_be_visible()

    await agent.composer().press_sequentially("He")
    await expect(guest.page.get_by_text("is typing").first).to_be_visible()
    await agent.says("Hello Ada, how can I help?")
    await guest.reads("Grace has joined")  # at the latest: Web Messaging tells of an agent who speaks, no earlier
    await guest.reads("Hello Ada, how can I help?")
    await guest.types_until(agent.page.get_by_text("Ada is typing").first)
    await guest.says("Thank you!")
    await agent.reads("Thank you!")

    await agent.page.get_by_role("button", name="End", exact=True).first.click()
    await agent.page.get_by_role("dialog").get_by_role("button", name="End").click()
    await guest.reads("Conversation ended")
    await expect(guest.composer).to_be_hidden()
    await guest.page.get_by_role("button", name="Start a new chat").click()
    await guest.reads("What can I do for you?")
    await expect(guest.composer).to_be_editable()


async def test_the_guest_ends(either_stack: Stack, open_page: OpenPage) -> None:
    """End asks first, then the desk sees that the guest left."""
    guest = Guest(await open_page(f"{either_stack.chat_url}?name=Ada"))
    await guest.is_connected()
    await guest.page.get_by_role("button", name="End chat").click()
    await guest.page.get_by_role("dialog").get_by_role("button", name="End chat").click()
    await guest.reads("Conversation ended")
    (conversation,) = either_stack.emulator.org.conversations.values()
    assert conversation.ended_by == "guest"


async def test_a_dropped_socket_loses_nothing_that_is_typed(direct_stack: Stack, open_page: OpenPage) -> None:
    """Direct mode: while reconnecting the composer stays open; what is sent then is queued and arrives in order."""
    guest = Guest(await open_page(direct_stack.chat_url, expect_errors=True))
    await guest.is_connected()
    await set_fault(direct_stack, "refuse-upgrade")
    await guest.page.context.set_offline(True)
    await fire_fault(direct_stack, "drop-sockets")
    await guest.is_told("offline")
    await guest.says("first while away")
    await guest.says("second while away")
    await set_fault(direct_stack, "refuse-upgrade", on=False)
    await guest.page.context.set_offline(False)
    await guest.reads("has joined")
    assert direct_stack.guest_said() == ["first while away", "second while away"]


async def test_a_reload_begins_a_new_chat_and_keeps_the_draft(direct_stack: Stack, open_page: OpenPage) -> None:
    """Direct mode has no replay: the page comes back connected, greeted anew, with what was being typed."""
    guest = Guest(await open_page(direct_stack.chat_url))
    await guest.is_connected()
    await guest.composer.fill("half a sentence")
    await guest.page.reload()
    await guest.is_connected()
    await guest.reads("What can I do for you?")
    await expect(guest.composer).to_have_value("half a sentence")


async def test_keyboard_only(stack: Stack, open_page: OpenPage) -> None:
    """Shift+Enter breaks the line, Enter sends, blank is never sent."""
    guest = Guest(await open_page(stack.chat_url))
    await guest.is_connected()
    await guest.composer.focus()
    await guest.page.keyboard.press("Enter")
    await guest.page.keyboard.type("   ")
    await guest.page.keyboard.press("Enter")
    await guest.composer.fill("")
    await guest.page.keyboard.type("one")
    await guest.page.keyboard.press("Shift+Enter")
    await guest.page.keyboard.type("two")
    await guest.page.keyboard.press("Enter")
    await guest.reads("has joined")
    assert stack.guest_said() == ["one\ntwo"]
