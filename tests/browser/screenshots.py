"""Take the pictures of the docs, and of every state of the pages for looking at.

`make screenshots` writes docs/images/ (kept, few) and screenshots/ (not kept, every state at every size and theme).
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, FilePayload, Page, expect

from guestwire.testing.eventually import eventually
from guestwire.testing.fault_proxy import Direction
from tests.browser.conftest import Stack, running_browser, running_stack
from tests.browser.people import Agent, Guest, fire_fault, set_fault
from tests.browser.upstreams import BusyUpstreams

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "images"
ALL = ROOT / "screenshots"

PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}
VARIANTS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "desktop-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "desktop-rtl": {"viewport": DESKTOP, "query": "dir=rtl&lang=he"},
    "phone": {"viewport": PHONE},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
    "phone-rtl": {"viewport": PHONE, "query": "dir=rtl&lang=he"},
    "forced-colors": {"viewport": DESKTOP, "forced_colors": "active"},
}


@asynccontextmanager
async def opened(browser: Browser, url: str, variant: dict[str, Any]) -> AsyncIterator[Page]:
    """Open a page in a context of its own; `query` is added to the address."""
    options = dict(variant)
    query = options.pop("query", "")
    context = await browser.new_context(reduced_motion="reduce", device_scale_factor=2, **options)
    try:
        page = await context.new_page()
        await page.goto(f"{url}{'&' if '?' in url else '?'}{query}" if query else url)
        yield page
    finally:
        await context.close()


Shoot = Callable[[Page, str], Awaitable[None]]


async def chat_states(stack: Stack, page: Page, shoot: Shoot) -> None:
    """From the greeting to the end."""
    guest = Guest(page)
    await guest.reads("What can I do for you?")
    await shoot(page, "greeting")
    await guest.says("My parcel has not arrived. The number is 4711.")
    await guest.reads("has joined")
    await guest.reads("Demo Agent")
    await shoot(page, "agent")
    await page.get_by_role("button", name="End chat").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await shoot(page, "end-dialog")
    await page.get_by_role("dialog").get_by_role("button", name="End chat").click()
    await guest.reads("Conversation ended")
    await shoot(page, "ended")


async def relay_states(browser: Browser, variant: dict[str, Any], shoot: Shoot) -> None:
    """What becomes of messages behind a relay, and of a tab too many."""
    async with running_stack(gateway={"max_tabs": 1}) as stack, opened(browser, stack.chat_url, variant) as page:
        guest = Guest(page)
        await set_fault(stack, "bad-credentials")
        await fire_fault(stack, "expire-session-token")
        await guest.says("My parcel has not arrived.")
        await expect(guest.message("My parcel")).to_contain_text("Retry")
        await shoot(page, "failed")
        await set_fault(stack, "bad-credentials", on=False)
        await guest.message("My parcel").get_by_role("button", name="Retry").click()
        await expect(guest.message("My parcel")).to_contain_text("Delivered")
        with stack.uplink.black_hole(direction=Direction.TO_CLIENT):
            await page.evaluate("""document.querySelector("guest-chat").send("The number is 4711.")""")
            await eventually(lambda: "The number is 4711." in stack.guest_said(), within_s=30)
            stack.uplink.reset()
        await expect(guest.message("4711")).to_contain_text("Send again?")
        await shoot(page, "unconfirmed")
        with stack.link.refusing():
            stack.link.reset()
            await guest.says("I write while nobody is there")
            await expect(page.get_by_role("button", name="Try now")).to_be_visible()
            await shoot(page, "reconnecting")
        await guest.tries_now()
        await expect(guest.message("nobody is there")).to_contain_text("Delivered")
        other = await page.context.new_page()
        await other.goto(stack.chat_url)
        await guest.is_told("open in too many tabs")
        await shoot(page, "too-many-tabs")
    async with running_stack() as stack:
        await set_fault(stack, "rate-limit", retryAfterS=1)
        async with opened(browser, stack.chat_url, variant) as page:
            guest = Guest(page)
            await guest.says("My parcel has not arrived.")
            await guest.is_told("Your message is kept")
            await shoot(page, "stuck")
    upstreams = BusyUpstreams(retry_after=60)
    async with (
        running_stack(options={"upstreams": upstreams}) as stack,
        opened(browser, stack.chat_url, variant) as page,
    ):
        guest = Guest(page)
        await guest.says("My parcel has not arrived.")
        await expect(guest.message("My parcel")).to_contain_text("Next try in")
        await shoot(page, "waiting")


async def rich_states(browser: Browser, variant: dict[str, Any], shoot: Shoot) -> None:
    """Everything that a bot shows on demand, an answered form, files on their way, the end of a session's time."""
    async with running_stack(api="web-messaging") as stack:
        async with opened(browser, stack.chat_url, variant) as page:
            guest = Guest(page)
            await guest.reads("What can I do for you?")
            for word in ("formatted", "cards", "date picker", "list picker", "form", "picture", "chips"):
                await guest.says(word)
                await expect(guest.message(word).last).to_contain_text("Delivered")
                await page.wait_for_load_state("networkidle")
                await shoot(page, f"rich-{word.replace(' ', '-')}")
            await page.get_by_role("button", name="Start").click()
            await page.locator("form.panel").last.get_by_role("button", name="Next").click()
            await shoot(page, "rich-form-page")
            await page.get_by_role("button", name="View colours.png").click()
            await shoot(page, "rich-viewer")
            await page.keyboard.press("Escape")
            files: list[FilePayload] = [
                {"name": "note.txt", "mimeType": "text/plain", "buffer": b"Ring twice."},
                {"name": "tool.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"},
            ]
            await page.locator("input[type=file]").set_input_files(files)
            await expect(page.locator(".draft-state").first).to_contain_text("Ready to send")
            await shoot(page, "rich-files")
        stack.emulator.org.change_deployment(stack.emulator.deployment_id, session_duration_s=240)
        async with opened(browser, stack.chat_url, variant) as page:
            await Guest(page).is_told("This chat is about to expire.")
            await shoot(page, "expiring")


async def trouble_states(stack: Stack, browser: Browser, variant: dict[str, Any], shoot: Shoot) -> None:
    """What goes wrong in direct mode, one page each."""
    for fault, words in (
        ("bad-credentials", "could not sign in"),
        ("refuse-upgrade", "refused the connection"),
        ("rate-limit", "busy"),
    ):
        await set_fault(stack, fault)
        async with opened(browser, stack.chat_url, variant) as page:
            await Guest(page).is_told(words)
            await shoot(page, fault)
        await set_fault(stack, fault, on=False)
    async with opened(browser, stack.chat_url, variant) as page:
        guest = Guest(page)
        await guest.reads("What can I do for you?")
        await page.context.set_offline(True)
        await fire_fault(stack, "drop-sockets")
        await guest.is_told("offline")
        await guest.says("I write on while I am offline")
        await shoot(page, "offline")


async def desk_states(stack: Stack, browser: Browser, variant: dict[str, Any], shoot: Shoot) -> None:
    """A morning at the desk."""
    async with opened(browser, stack.emulator.desk_url, variant) as page:
        await expect(page.get_by_role("button", name="Take a seat")).to_be_visible()
        await shoot(page, "desk-sign-in")
        agent = Agent(page)
        await agent.takes_a_seat("Grace")
        await shoot(page, "desk-empty")
        async with opened(browser, f"{stack.chat_url}?name=Ada&email=ada@example.com", {"viewport": PHONE}) as chat:
            guest = Guest(chat)
            await guest.reads("What can I do for you?")
            await guest.says("I would like to talk to a person")
            await expect(page.get_by_role("button", name="Accept Ada").first).to_be_visible()
            await shoot(page, "desk-waiting")
            await agent.accepts("Ada")
            await agent.reads("I would like to talk to a person")
            await agent.says("Hello Ada, this is Grace. How can I help?")
            await guest.reads("this is Grace")
            await guest.says("My parcel has not arrived.")
            await agent.reads("My parcel has not arrived.")
            await shoot(page, "desk-conversation")


async def kept(browser: Browser) -> None:
    """The pictures of README and docs."""
    KEPT.mkdir(parents=True, exist_ok=True)
    async with running_stack() as stack:
        wide = {"viewport": {"width": 1180, "height": 760}}
        async with (
            opened(browser, stack.emulator.desk_url, wide) as desk,
            opened(browser, f"{stack.chat_url}?name=Ada", {"viewport": {"width": 420, "height": 760}}) as chat,
        ):
            agent, guest = Agent(desk), Guest(chat)
            await agent.takes_a_seat("Grace")
            await guest.reads("What can I do for you?")
            await guest.says("My parcel has not arrived.")
            await agent.accepts("Ada")
            await agent.says("Hello Ada, this is Grace. Let me look: which number has it?")
            await guest.reads("which number has it")
            await guest.says("It is 4711.")
            await agent.reads("It is 4711.")
            await chat.screenshot(path=KEPT / "chat.png")
            await desk.screenshot(path=KEPT / "desk.png")
    await side_by_side(browser, KEPT / "chat.png", KEPT / "desk.png", KEPT / "chat-and-desk.png")


async def side_by_side(browser: Browser, left: Path, right: Path, target: Path) -> None:
    """Put two pictures on one."""
    context = await browser.new_context(viewport={"width": 1660, "height": 800})
    page = await context.new_page()
    pictures = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}">'
        for picture in (left, right)
    )
    await page.set_content(
        f"""<style>body {{ margin: 0; padding: 20px; display: flex; gap: 20px; background: #dcd8cf }}
        img {{ block-size: 760px; border-radius: 12px; box-shadow: 0 8px 40px #0003 }}</style>{pictures}"""
    )
    await page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth)")
    await page.screenshot(path=target)
    await context.close()


async def main() -> None:
    """Take all of them; `--kept` takes those of the docs only."""
    async with running_browser() as browser:
        await kept(browser)
        if "--kept" in sys.argv:
            return
        for name, variant in VARIANTS.items():
            folder = ALL / name
            folder.mkdir(parents=True, exist_ok=True)

            async def shoot(page: Page, state: str, folder: Path = folder) -> None:
                await page.screenshot(path=folder / f"{state}.png")
                sys.stdout.write(f"{folder.name}/{state}\n")

            async with (
                running_stack() as stack,
                opened(browser, f"{stack.chat_url}?name=Ada", variant) as page,
            ):
                await chat_states(stack, page, shoot)
            await relay_states(browser, variant, shoot)
            await rich_states(browser, variant, shoot)
            async with running_stack(mode="direct") as stack:
                await trouble_states(stack, browser, variant, shoot)
            async with running_stack() as stack:
                await desk_states(stack, browser, variant, shoot)


if __name__ == "__main__":
    asyncio.run(main())
