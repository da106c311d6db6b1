"""Every state of the pages passes axe, fits a small phone, and works right to left."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage, Stack
from tests.browser.people import Agent, Guest, set_fault
from tests.browser.quality import overflow, violations

PHONE = {"width": 320, "height": 640}
CALM: dict[str, Any] = {"reduced_motion": "reduce"}
DESKTOP = {"width": 1280, "height": 800}


# Every pair of width, direction and scheme, in half as many pages as there are combinations.
@pytest.mark.parametrize(
    "viewport, direction, scheme",
    [(PHONE, "ltr", "light"), (PHONE, "rtl", "dark"), (DESKTOP, "ltr", "dark"), (DESKTOP, "rtl", "light")],
    ids=["phone-ltr-light", "phone-rtl-dark", "desktop-ltr-dark", "desktop-rtl-light"],
)
async def test_chat_page(
    stack: Stack, open_page: OpenPage, scheme: str, direction: str, viewport: dict[str, int]
) -> None:
    """Connected with rich content, with an agent, ended: no violation, no overflow."""
    page = await open_page(f"{stack.chat_url}?dir={direction}", color_scheme=scheme, viewport=viewport, **CALM)
    guest = Guest(page)
    await guest.is_connected()
    await guest.reads("What can I do for you?")
    assert await violations(page) == []
    await guest.says("A long word: " + "Donaudampfschifffahrtsgesellschaft" * 4)
    await guest.reads("has joined")
    assert await violations(page) == []
    await guest.composer.fill("bye")
    await guest.composer.press("Enter")
    await guest.reads("Conversation ended")
    await expect(page.get_by_role("button", name="Start a new chat")).to_be_visible()
    assert await violations(page) == []
    assert await overflow(page) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_chat_page_in_trouble(direct_stack: Stack, open_page: OpenPage, scheme: str) -> None:
    """The error banner: no violation."""
    await set_fault(direct_stack, "bad-credentials")
    page = await open_page(direct_stack.chat_url, color_scheme=scheme, viewport=PHONE, expect_errors=True, **CALM)
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert await violations(page) == []
    assert await overflow(page) == 0


@pytest.mark.parametrize("viewport, scheme", [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone-dark", "desktop-light"])
async def test_desk(stack: Stack, open_page: OpenPage, scheme: str, viewport: dict[str, int]) -> None:
    """Signing in, a waiting guest, a conversation: no violation, no overflow."""
    page = await open_page(stack.emulator.desk_url, color_scheme=scheme, viewport=viewport, **CALM)
    agent = Agent(page)
    await expect(page.get_by_role("button", name="Take a seat")).to_be_visible()
    assert await violations(page) == []
    await agent.takes_a_seat("Grace")
    guest = Guest(await open_page(f"{stack.chat_url}?name=Ada"))
    await guest.is_connected()
    await guest.says("I want a person")
    await expect(page.get_by_role("button", name="Accept Ada").first).to_be_visible()
    assert await violations(page) == []
    await agent.accepts("Ada")
    await agent.reads("I want a person")
    assert await violations(page) == []
    assert await overflow(page) == 0
