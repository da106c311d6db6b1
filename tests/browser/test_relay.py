"""Relay mode: a chat survives reloads, other tabs, lost networks and restarts; nothing twice, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Route as PageRoute
from playwright.async_api import WebSocketRoute, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from guestwire.gateway.app import browser_files
from guestwire.gateway.relay import hub
from guestwire.net.server import Server
from guestwire.net.static_files import StaticFiles
from guestwire.testing.eventually import eventually
from tests.browser.conftest import OpenPage, Stack, running_stack
from tests.browser.people import Agent, Guest
from tests.browser.quality import violations

GREETING = "What can I do for you?"


async def test_a_reload_keeps_the_whole_chat(stack: Stack, open_page: OpenPage) -> None:
    """Transcript, fates, conversation and draft are as before; nothing is announced again."""
    guest = Guest(await open_page(stack.chat_url))
    await guest.reads(GREETING)
    await guest.says("My parcel is late")
    await guest.reads("has joined")
    await expect(guest.message("My parcel")).to_contain_text("Delivered")
    await expect(guest.page.get_by_text("is typing")).to_be_hidden()
    await guest.composer.fill("half a sentence")
    before = await guest.shown()
    await guest.page.reload()
    await guest.is_connected()
    await expect(guest.composer).to_have_value("half a sentence")
    assert (await guest.shown())[: len(before)] == before
    await expect(guest.page.locator(".announcer").get_by_text(GREETING)).to_have_count(0)
    await guest.composer.fill("And the other one?")
    await guest.composer.press("Enter")
    await expect(guest.message("And the other one?")).to_contain_text("Delivered")
    assert len(stack.emulator.org.sessions) == 1


@pytest.fixture
async def embedding_page() -> AsyncIterator[str]:
    """Somebody's page that keeps its own copy of the widget: it can be loaded while the gateway is away."""

    async def page(_request: object) -> HTMLResponse:
        return HTMLResponse(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Shop</title><link rel=icon href=data:,>"
            "<body><main><h1>Shop</h1></main>"
            "<script>const chat = document.createElement('guest-chat');"
            "chat.setAttribute('gateway', new URLSearchParams(location.search).get('gateway'));"
            "document.body.append(chat)</script>"
            "<script type=module src=/guest-chat.js></script>"
        )

    files = StaticFiles(browser_files, is_dev=False, public=("/guest-chat.js", "/widget/"))
    await asyncio.to_thread(files.load)
    async with Server(Starlette(routes=[Route("/", page), Route("/{path:path}", files)]), graceful_s=1) as server:
        yield server.url


async def test_a_reload_while_the_gateway_is_away_keeps_what_waits(open_page: OpenPage, embedding_page: str) -> None:
    """What was written while the gateway was down is there after a reload, and arrives once, in order, by itself."""
    async with running_stack(gateway={"allowed_origins": (embedding_page,)}) as stack:
        page = await open_page(f"{embedding_page}/?gateway={stack.chat_url}", expect_errors=True)
        guest = Guest(page)
        await guest.reads(GREETING)
        with stack.link.refusing():
            stack.link.reset()
            await guest.says("first")
            await guest.says("second")
            await expect(guest.message("first")).to_contain_text("Sending")
            await guest.page.reload()
            await expect(guest.message("first")).to_contain_text("Sending")
            await expect(guest.message("second")).to_contain_text("Sending")
        await guest.tries_now()
        await expect(guest.message("second")).to_contain_text("Delivered")
        await expect(guest.message("first")).to_have_attribute("data-state", "delivered")
        await guest.reads(GREETING)
        assert stack.guest_said() == ["first", "second"]


async def test_two_tabs_show_one_chat(stack: Stack, open_page: OpenPage) -> None:
    """What one tab says the other shows; the end is the end in both, and so is the new beginning."""
    one = Guest(await open_page(stack.chat_url))
    await one.reads(GREETING)
    two = Guest(await open_page(stack.chat_url, beside=one.page))
    await two.reads(GREETING)
    await one.says("From the first tab")
    await expect(two.message("From the first tab")).to_contain_text("Delivered")
    await two.says("From the second tab")
    await expect(one.message("From the second tab")).to_contain_text("Delivered")
    await expect(two.message("From the second tab")).to_have_count(1)
    await two.reads("has joined")
    await two.ends_the_chat()
    for guest in (one, two):
        await guest.reads("Conversation ended")
        await expect(guest.page.get_by_role("button", name="Start a new chat")).to_be_visible()
    assert len(stack.emulator.org.sessions) == 1
    await one.page.get_by_role("button", name="Start a new chat").click()
    for guest in (one, two):
        await expect(guest.transcript.get_by_text(GREETING)).to_have_count(2)
        await expect(guest.transcript.get_by_text("New chat")).to_have_count(1)
    await two.says("Once more")
    await expect(one.message("Once more")).to_contain_text("Delivered")


async def test_an_ended_chat_can_be_read_after_a_reload_and_begun_anew(stack: Stack, open_page: OpenPage) -> None:
    """The old conversation stays above the new one."""
    guest = Guest(await open_page(stack.chat_url))
    await guest.reads(GREETING)
    await guest.says("One thing")
    await expect(guest.message("One thing")).to_contain_text("Delivered")
    await guest.ends_the_chat()
    await guest.reads("Conversation ended")
    await guest.page.reload()
    await guest.reads("One thing")
    await guest.reads("Conversation ended")
    await guest.page.get_by_role("button", name="Start a new chat").click()
    await expect(guest.composer).to_be_focused()
    await expect(guest.transcript.get_by_text(GREETING)).to_have_count(2)
    await guest.says("Another thing")
    await expect(guest.message("Another thing")).to_contain_text("Delivered")
    await expect(guest.message("One thing")).to_have_count(1)


async def test_what_is_written_while_the_socket_is_cut(stack: Stack, open_page: OpenPage) -> None:
    """It waits, says so, and arrives once and in order; the guest may ask to try now."""
    guest = Guest(await open_page(stack.chat_url, expect_errors=True))
    await guest.reads(GREETING)
    with stack.link.refusing():
        stack.link.reset()
        for text in ("first", "second", "third"):
            await guest.says(text)
        await expect(guest.message("third")).to_contain_text("Sending")
        await guest.page.get_by_role("button", name="Try now").click()
        await expect(guest.page.get_by_role("button", name="Try now")).to_be_visible()
        assert await violations(guest.page) == []
    await guest.tries_now()
    await expect(guest.message("third")).to_contain_text("Delivered")
    assert stack.guest_said() == ["first", "second", "third"]
    assert [await guest.message(text).count() for text in ("first", "second", "third")] == [1, 1, 1]


async def test_a_network_that_swallows_everything(stack: Stack, open_page: OpenPage) -> None:
    """What was written into a dead socket, and taken by nobody, is said again on the next one and arrives once."""
    guest = Guest(await open_page(stack.chat_url, expect_errors=True))
    await guest.reads(GREETING)
    await guest.page.context.set_offline(True)
    await guest.is_told("offline")
    await guest.says("from under the ground")
    await guest.page.context.set_offline(False)
    await expect(guest.message("from under the ground")).to_contain_text("Delivered")
    assert stack.guest_said() == ["from under the ground"]


async def test_a_restarted_gateway_resumes(stack: Stack, open_page: OpenPage) -> None:
    """Killed and started on the same log with a page open: everything once, in order, on both sides."""
    agent = Agent(await open_page(stack.emulator.desk_url))
    await agent.takes_a_seat("Grace")
    guest = Guest(await open_page(f"{stack.chat_url}?name=Ada", expect_errors=True))
    await guest.says("I want a person")
    await agent.accepts("Ada")
    await agent.says("This is Grace")
    await guest.reads("This is Grace")
    await stack.stop_gateway()
    await guest.says("written while it was away")
    await stack.start_gateway()
    await guest.tries_now()
    await agent.reads("written while it was away")
    await agent.says("And I am still here")
    await guest.reads("And I am still here")
    await expect(guest.message("written while it was away")).to_contain_text("Delivered")
    assert stack.guest_said() == ["I want a person", "written while it was away"]
    shown = await guest.shown()
    texts = ["I want a person", "This is Grace", "written while it was away", "And I am still here"]
    assert [text for row in shown for text in texts if text in row] == texts


async def test_a_planned_move_is_not_noticed(
    stack: Stack, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that drains asks the page to come back (4409): it never says that it is reconnecting."""
    monkeypatch.setattr(hub, "MOVE_WITHIN_S", 0.6)
    guest = Guest(await open_page("about:blank", expect_errors=True))
    await guest.page.clock.install()
    await guest.page.goto(stack.chat_url)
    await guest.reads(GREETING)
    await guest.page.evaluate(
        """(() => {
          const word = document.querySelector("guest-chat").shadowRoot.querySelector(".status-word");
          window.words = [];
          const watch = new MutationObserver(() => window.words.push(word.textContent));
          watch.observe(word, { childList: true, subtree: true, characterData: true });
          window.statuses = [];
          addEventListener("guest-chat-status", ({ detail }) => window.statuses.push(detail.status));
        })()"""
    )
    # The page's time stands still while the gateway is restarted, however long that takes here.
    await guest.page.clock.pause_at(await guest.page.evaluate("Date.now()") / 1000 + 1)
    await stack.drain_gateway()
    await stack.stop_gateway()
    await stack.start_gateway()
    await guest.page.clock.run_for(700)
    await eventually(lambda: guest.page.evaluate("window.statuses.at(-1) === 'connected'"), within_s=30)
    await guest.page.clock.resume()
    await guest.says("Still there?")
    await expect(guest.message("Still there?")).to_contain_text("Delivered")
    assert await guest.page.evaluate("window.words") == []


async def test_one_tab_too_many_rests(open_page: OpenPage) -> None:
    """The tab that idles longest gives its place to a new one, says so, and takes it back when asked."""
    async with running_stack(gateway={"max_tabs": 1}) as stack:
        first = Guest(await open_page(stack.chat_url, expect_errors=True))
        await first.reads(GREETING)
        second = Guest(await open_page(stack.chat_url, beside=first.page, expect_errors=True))
        await first.is_told("open in too many tabs")
        await expect(first.composer).to_be_editable()
        assert await violations(first.page) == []
        await first.page.get_by_role("button", name="Use here").click()
        await first.says("Here again")
        await expect(first.message("Here again")).to_contain_text("Delivered")
        await second.is_told("open in too many tabs")


async def test_a_limit_of_the_gateway_is_obeyed(stack: Stack, open_page: OpenPage) -> None:
    """The counter follows `welcome.limits`, whatever it says."""

    def limit(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        server_side.on_message(
            lambda frame: page_side.send(str(frame).replace('"maxTextBytes":4096', '"maxTextBytes":600'))
        )

    page = await open_page("about:blank")
    await page.route_web_socket("**/ws", limit)
    await page.goto(stack.chat_url)
    guest = Guest(page)
    await guest.is_connected()
    await guest.composer.fill("x" * 601)
    await guest.is_told("1 byte too long")


async def test_session_creation_is_idempotent(stack: Stack, open_page: OpenPage) -> None:
    """An answer that was lost on the way makes no second session."""
    page = await open_page("about:blank", expect_errors=True)
    keys: list[str] = []
    sessions: list[str] = []

    async def lose_the_first(route: PageRoute) -> None:
        answer = await route.fetch()
        keys.append(route.request.headers["idempotency-key"])
        sessions.append((await answer.json())["sessionId"])
        if len(keys) == 1:
            await route.abort()
        else:
            await route.fulfill(response=answer)

    await page.route("**/api/v2/chat/guestsessions", lose_the_first)
    await page.goto(stack.chat_url)
    await Guest(page).reads(GREETING)
    assert len(keys) == 2
    assert len(set(keys)) == len(set(sessions)) == 1
