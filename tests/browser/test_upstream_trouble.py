"""Relay mode, trouble between gateway and provider: the guest stays connected, and what they wrote is not lost."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from guestwire.settings import Api
from guestwire.testing.eventually import eventually
from guestwire.testing.fault_proxy import Direction
from tests.browser.conftest import OpenPage, Stack, running_stack
from tests.browser.people import Guest, fire_fault, set_fault
from tests.browser.quality import violations
from tests.browser.upstreams import BusyUpstreams

REFUSALS: list[tuple[Api, str, str]] = [
    ("guest-session", "bad-credentials", "could not sign in at the provider"),
    ("guest-session", "missing-scope", "chat:guest:create"),
    ("guest-session", "refuse-upgrade", "could not sign in at the provider"),
    ("web-messaging", "inactive-deployments", "not set up at its provider"),
    ("web-messaging", "refuse-upgrade", "refused the connection"),
]


@pytest.mark.parametrize("api, fault, words", REFUSALS)
async def test_a_provider_that_refuses_fails_the_message(
    stack: Stack, open_page: OpenPage, fault: str, words: str
) -> None:
    """No 401 or 403 of the provider reaches the browser: the message is not sent, it says why, and Retry works."""
    await set_fault(stack, fault)
    guest = Guest(await open_page(stack.chat_url))
    await guest.is_connected()
    await guest.says("My parcel")
    row = guest.message("My parcel")
    await expect(row).to_contain_text("Not sent")
    await expect(row).to_contain_text(words)
    await set_fault(stack, fault, on=False)
    await row.get_by_role("button", name="Retry").click()
    await expect(guest.message("My parcel")).to_have_count(1)
    await expect(guest.message("My parcel")).to_contain_text("Delivered")
    assert stack.guest_said() == ["My parcel"]


async def test_what_failed_can_be_edited(stack: Stack, open_page: OpenPage) -> None:
    """Edit takes the text back into the composer, before what is there; the failed message goes."""
    await set_fault(stack, "refuse-upgrade")
    guest = Guest(await open_page(stack.chat_url))
    await guest.is_connected()
    await guest.says("Helo")
    await guest.composer.fill("and more")
    row = guest.message("Helo")
    await expect(row.get_by_role("button", name="Edit")).to_be_visible()
    assert await violations(guest.page) == []
    await row.get_by_role("button", name="Edit").click()
    await expect(guest.composer).to_have_value("Helo\nand more")
    await expect(guest.composer).to_be_focused()
    await expect(row).to_have_count(0)
    await guest.page.reload()
    await guest.is_connected()
    await expect(guest.composer).to_have_value("Helo\nand more")
    await expect(row).to_have_count(0)


async def test_a_busy_provider_keeps_the_guest_informed(stack: Stack, open_page: OpenPage, api: Api) -> None:
    """The message is kept and the page says so; when the provider answers again it goes out by itself."""
    if api == "web-messaging":
        fault = "refuse-sessions"
        await set_fault(stack, fault, code=429, retryAfterS=1)
    else:
        fault = "rate-limit"
        await set_fault(stack, fault, retryAfterS=1)
    guest = Guest(await open_page("about:blank"))
    await guest.page.clock.install()
    await guest.page.goto(stack.chat_url)
    await guest.is_connected()
    await guest.says("My parcel")
    await expect(guest.message("My parcel")).to_contain_text("Sent")
    await guest.page.clock.fast_forward(6_000)
    await guest.is_told("Your message is kept")
    await guest.is_told("Reaching our team")
    assert await violations(guest.page) == []
    await set_fault(stack, fault, on=False)
    await expect(guest.message("My parcel")).to_contain_text("Delivered")
    await expect(guest.page.get_by_text("Your message is kept").first).to_be_hidden()
    assert stack.guest_said() == ["My parcel"]


async def test_an_expired_provider_session_is_renewed_unseen(guest_session_stack: Stack, open_page: OpenPage) -> None:
    """The gateway makes a new session at the provider; the guest's transcript goes on below."""
    guest = Guest(await open_page(guest_session_stack.chat_url))
    await guest.reads("What can I do for you?")
    await fire_fault(guest_session_stack, "expire-session-token")
    await expect(guest.transcript.get_by_text("What can I do for you?")).to_have_count(2)
    await guest.says("Still there?")
    await guest.reads("has joined")
    await expect(guest.page.get_by_text("Reconnecting")).to_have_count(0)


async def test_a_session_that_expired_begins_anew_when_the_guest_writes(
    web_messaging_stack: Stack, open_page: OpenPage
) -> None:
    """At the provider it is another conversation; for the guest it goes on below."""
    stack = web_messaging_stack
    guest = Guest(await open_page(stack.chat_url))
    await guest.reads("What can I do for you?")
    await fire_fault(stack, "expire-session-token")
    await guest.says("Still there?")
    await expect(guest.message("Still there?")).to_contain_text("Delivered")
    await expect(guest.transcript.get_by_text("What can I do for you?").first).to_be_visible()
    assert stack.guest_said() == ["Still there?"]


async def test_a_message_in_doubt_is_looked_up(web_messaging_stack: Stack, open_page: OpenPage) -> None:
    """The line breaks before the echo: the history tells that the provider has it, and nobody is asked."""
    stack = web_messaging_stack
    guest = Guest(await open_page(stack.chat_url, expect_errors=True))  # its pictures, too, come by that line
    await guest.reads("What can I do for you?")
    with stack.uplink.black_hole(direction=Direction.TO_CLIENT):
        await guest.page.evaluate("""document.querySelector("guest-chat").send("In doubt")""")
        await eventually(lambda: stack.guest_said() == ["In doubt"], within_s=30)
        assert "Delivered" not in await guest.message("In doubt").inner_text()
        stack.uplink.reset()
    await expect(guest.message("In doubt")).to_contain_text("Delivered")
    assert stack.guest_said() == ["In doubt"]


async def test_a_message_in_doubt_is_the_guests_to_send_again(guest_session_stack: Stack, open_page: OpenPage) -> None:
    """The line breaks after the message was written and before the provider has confirmed it."""
    guest = Guest(await open_page(guest_session_stack.chat_url))
    await guest.reads("What can I do for you?")
    with guest_session_stack.uplink.black_hole(direction=Direction.TO_CLIENT):
        # Not by the composer: typing, too, would wait for its answer.
        await guest.page.evaluate("""document.querySelector("guest-chat").send("In doubt")""")
        await eventually(lambda: guest_session_stack.guest_said() == ["In doubt"], within_s=30)
        guest_session_stack.uplink.reset()
    row = guest.message("In doubt")
    await expect(row).to_contain_text("Not confirmed")
    assert await violations(guest.page) == []
    await row.get_by_role("button", name="Send again?").click()
    await expect(row).to_contain_text("Delivered")
    await expect(row).to_have_count(1)
    assert guest_session_stack.guest_said() == ["In doubt", "In doubt"]


async def test_a_rate_limited_message_counts_down(open_page: OpenPage) -> None:
    """The provider asks for a pause: the page says how long, and the message goes out when it is over."""
    upstreams = BusyUpstreams(retry_after=60)
    async with running_stack(options={"upstreams": upstreams}) as stack:
        guest = Guest(await open_page("about:blank", expect_errors=True))
        await guest.page.clock.install()
        await guest.page.goto(stack.chat_url)
        await guest.is_connected()
        await guest.says("Slowly")
        row = guest.message("Slowly")
        await expect(row).to_contain_text("Waiting")
        await expect(row).to_contain_text("Next try in")
        before = await row.inner_text()
        assert await violations(guest.page) == []
        await guest.page.clock.run_for(2_000)
        await expect(row).not_to_have_text(before)
        await asyncio.gather(*(upstream.delivers() for upstream in upstreams.made))
        await expect(row).to_contain_text("Delivered")
