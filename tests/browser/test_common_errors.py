"""The tutorial's four common errors in direct mode, each made by its fault and explained by the page; and other faults.

What becomes of them behind a relay is in test_upstream_trouble.py.
"""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage, Stack
from tests.browser.people import Guest, fire_fault, set_fault

SIGN_IN = "could not sign in at the provider"
SCOPE = "chat:guest:create"


@pytest.mark.parametrize("fault, words", [("bad-credentials", SIGN_IN), ("missing-scope", SCOPE)])
async def test_401_on_session_creation(direct_stack: Stack, open_page: OpenPage, fault: str, words: str) -> None:
    """The page says what the owner of the site must check; trying again works once it is mended."""
    await set_fault(direct_stack, fault)
    guest = Guest(await open_page(direct_stack.chat_url, expect_errors=True))
    await guest.is_told(words)
    await set_fault(direct_stack, fault, on=False)
    await guest.page.get_by_role("button", name="Try again").click()
    await guest.is_connected()


async def test_an_expired_access_token_is_renewed_unseen(direct_stack: Stack, open_page: OpenPage) -> None:
    """The gateway's cached token was revoked: one retry with a fresh one, and the guest notices nothing."""
    first = Guest(await open_page(direct_stack.chat_url))
    await first.is_connected()
    await fire_fault(direct_stack, "expire-oauth-token")
    second = Guest(await open_page(direct_stack.chat_url))
    await second.is_connected()


async def test_403_on_the_upgrade(direct_stack: Stack, open_page: OpenPage) -> None:
    """The page makes a new session, once, then says that the chat refused the connection."""
    await set_fault(direct_stack, "refuse-upgrade")
    guest = Guest(await open_page(direct_stack.chat_url, expect_errors=True))
    await guest.is_told("refused the connection")
    assert len(direct_stack.emulator.org.sessions) == 2
    await set_fault(direct_stack, "refuse-upgrade", on=False)
    await guest.page.get_by_role("button", name="Try again").click()
    await guest.is_connected()


async def test_an_expired_session_token_makes_a_new_session(direct_stack: Stack, open_page: OpenPage) -> None:
    """4401 while connected: a new session, and the chat goes on."""
    guest = Guest(await open_page(direct_stack.chat_url, expect_errors=True))
    await guest.is_connected()
    await fire_fault(direct_stack, "expire-session-token")
    await expect(guest.transcript.get_by_text("What can I do for you?")).to_have_count(2)
    await guest.says("Still there?")
    await guest.reads("has joined")


@pytest.mark.parametrize("fault", ["no-agents", "unpublish-flow"])
async def test_messages_that_reach_no_agent(stack: Stack, open_page: OpenPage, fault: str) -> None:
    """The socket works, nobody answers; after 30 s the page says so, and the chat goes on when it is mended."""
    await set_fault(stack, fault)
    guest = Guest(await open_page("about:blank"))
    await guest.page.clock.install()
    await guest.page.goto(stack.chat_url)
    await guest.is_connected()
    await guest.says("Is anybody there?")
    await expect(guest.transcript.get_by_text("Delivered", exact=True).first).to_be_visible()
    await guest.page.clock.fast_forward(31_000)
    await guest.is_told("No agent has the chat yet")
    await set_fault(stack, fault, on=False)
    await guest.reads("has joined")


async def test_the_provider_is_busy(direct_stack: Stack, open_page: OpenPage) -> None:
    """429 upstream reaches the page as busy; it tries again by itself, and at once when asked."""
    await set_fault(direct_stack, "rate-limit", retryAfterS=60)
    guest = Guest(await open_page(direct_stack.chat_url, expect_errors=True))
    await guest.is_told("busy")
    await set_fault(direct_stack, "rate-limit", on=False)
    await guest.page.get_by_role("button", name="Try now").click()
    await guest.is_connected()


async def test_garbage_frames_end_nothing(direct_stack: Stack, open_page: OpenPage) -> None:
    """A frame that is no JSON and one of an unknown type are reported, and the chat goes on."""
    guest = Guest(await open_page(direct_stack.chat_url))
    await guest.is_connected()
    await guest.page.evaluate(
        """addEventListener("guest-chat-error", ({ detail }) => {
          (window.reported ??= []).push(`${detail.code} ${detail.text}`);
        })"""
    )
    await fire_fault(direct_stack, "garbage-frame")
    await guest.says("Still there?")
    await guest.reads("has joined")
    assert await guest.page.evaluate("window.reported") == ["bad-frame not-json", "bad-frame unknown-type"]


async def test_a_bot_that_offers_choices_waits_for_the_guest(stack: Stack, open_page: OpenPage) -> None:
    """Half a minute of thinking about the choices is no wait for an agent."""
    guest = Guest(await open_page("about:blank"))
    await guest.page.clock.install()
    await guest.page.goto(stack.chat_url)
    await guest.is_connected()
    await guest.reads("What can I do for you?")
    await guest.page.clock.fast_forward(31_000)
    await guest.page.get_by_role("button", name="Opening hours").click()
    await expect(guest.transcript.get_by_text("Opening hours").first).to_be_visible()
    await expect(guest.page.get_by_text("No agent has the chat yet")).to_be_hidden()


async def test_a_text_over_the_limit_is_kept_and_explained(stack: Stack, open_page: OpenPage) -> None:
    """4,097 bytes: said before sending, nothing cut, nothing sent; shortened, it goes out."""
    guest = Guest(await open_page(stack.chat_url))
    await guest.is_connected()
    await guest.composer.fill("é" * 2048 + "x")
    await guest.is_told("1 byte too long")
    await guest.composer.press("Enter")
    await expect(guest.composer).to_have_value("é" * 2048 + "x")
    await guest.composer.fill("é" * 2048)
    await guest.composer.press("Enter")
    await expect(guest.composer).to_have_value("")
    await guest.reads("has joined")


async def test_an_unreachable_gateway_says_blocked_or_unreachable(stack: Stack, open_page: OpenPage) -> None:
    """A failed fetch while online can be either, and the page names both; it goes on by itself."""
    page = await open_page("about:blank", expect_errors=True)
    await page.route("**/api/v2/chat/guestsessions", lambda route: route.abort())
    await page.goto(stack.chat_url)
    guest = Guest(page)
    await guest.is_told("blocked (CORS) or unreachable")
    await page.unroute("**/api/v2/chat/guestsessions")
    await guest.is_connected()
