"""A guest at the chat page and an agent at the desk, in the words of what they do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import aiohttp
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Stack


class Guest:
    """Somebody at the chat page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.transcript = page.get_by_role("log")
        self.composer = page.get_by_role("textbox", name="Your message")

    async def is_connected(self) -> None:
        await expect(self.page.get_by_text("Connected").first).to_be_visible()

    async def says(self, text: str) -> None:
        await expect(self.composer).to_be_editable()
        await self.composer.fill(text)
        await self.composer.press("Enter")
        await expect(self.composer).to_have_value("")

    async def types_until(self, seen: Locator) -> None:
        """Keep typing until `seen` shows: a guest's typing is told at most every 3 s."""
        for _ in range(20):
            await self.composer.press_sequentially(".")
            with contextlib.suppress(AssertionError):
                await expect(seen).to_be_visible(timeout=300)
                return
        await expect(seen).to_be_visible(timeout=300)

    async def reads(self, text: str) -> None:
        await expect(self.transcript.get_by_text(text).last).to_be_visible()

    def message(self, text: str) -> Locator:
        """Return the guest's own messages with this text."""
        return self.transcript.locator("[data-from=guest]").filter(has_text=text)

    async def shown(self) -> list[str]:
        """Return the rows of the transcript, as they read."""
        return await self.transcript.get_by_role("list").first.locator("> *").all_inner_texts()

    async def ends_the_chat(self) -> None:
        await self.page.get_by_role("button", name="End chat").click()
        await self.page.get_by_role("dialog").get_by_role("button", name="End chat").click()

    async def tries_now(self) -> None:
        """Ask for a connection at once; does nothing where there is one."""
        await self.page.evaluate("document.querySelector('guest-chat').reconnect()")

    async def is_told(self, text: str) -> None:
        """The banner or a notice says it, beside the live regions that only assistive tech hears."""
        await expect(self.page.get_by_text(text).first).to_be_visible()


class Agent:
    """Somebody at the desk."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.transcript = page.get_by_role("log")

    async def takes_a_seat(self, name: str) -> None:
        await self.page.get_by_label("Your name, as guests see it").fill(name)
        await self.page.get_by_role("button", name="Take a seat").click()
        await self.page.get_by_role("switch", name="On queue").click()

    async def accepts(self, guest: str) -> None:
        await self.page.get_by_role("button", name=f"Accept {guest}").first.click()

    async def says(self, text: str) -> None:
        field = self.composer()
        await field.fill(text)
        await field.press("Enter")

    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message to the guest")

    async def reads(self, text: str) -> None:
        await expect(self.transcript.get_by_text(text).last).to_be_visible()


async def set_fault(stack: Stack, name: str, *, on: bool = True, **params: object) -> None:
    """Switch a fault through the control API."""
    await _control(stack, "PUT", f"faults/{name}", {"on": on, **params})


async def fire_fault(stack: Stack, name: str) -> None:
    """Fire a fault that happens once."""
    await _control(stack, "POST", f"faults/{name}", {})


async def _control(stack: Stack, method: str, path: str, body: Mapping[str, object]) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{stack.emulator.url}/emulator/{path}", json=body) as answer,
    ):
        assert answer.status < 300, await answer.text()
