"""A real Chromium on a real gateway and emulator, all in one process on ports of their own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect
from starlette.types import ASGIApp

from guestwire.cli.demo import emulator_provider
from guestwire.emulator import Emulator
from guestwire.gateway import create_gateway
from guestwire.net.server import Server
from guestwire.settings import EmulatorSettings, GatewaySettings
from tests.browser.ensure_browser import browser_tests_are_off, find_chromium

# How long a page may take to show what a test waits for: a bound for a busy machine, never a measure of speed.
expect.set_options(timeout=30_000)
# Chromium's own look-ups of Google's hosts are not ours to make, and as root it needs its sandbox off.
ARGUMENTS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid.replace(os.sep, "/"):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(120))
            if browser_tests_are_off():
                item.add_marker(pytest.mark.skip(reason="NO_BROWSER=1 leaves the browser tests out"))


@dataclass
class Stack:
    """Gateway and emulator, running.

    Attributes:
        chat_url: The chat page.
        gateway_url: The gateway's origin.
        emulator: The emulated org.
    """

    gateway_url: str
    emulator: Emulator

    @property
    def chat_url(self) -> str:
        return f"{self.gateway_url}/"


@asynccontextmanager
async def running_stack(
    *, wrap: Callable[[ASGIApp], ASGIApp] | None = None, **emulator_settings: object
) -> AsyncIterator[Stack]:
    """Start an emulator and a gateway on free ports; `wrap` puts something around all that the gateway serves."""
    async with AsyncExitStack() as stack:
        settings = EmulatorSettings(port=0, log_level="error", **{"demo_agent_delay_s": 0.05, **emulator_settings})  # type: ignore[arg-type]
        emulator = await stack.enter_async_context(Emulator(settings))
        gateway_settings = GatewaySettings(
            provider=emulator_provider(settings, emulator.url),
            mode="direct",
            port=0,
            log_level="error",
            sessions_per_minute=600,
            sessions_burst=100,
        )
        app = create_gateway(gateway_settings)
        if wrap is not None:
            app.add_middleware(wrap)
        server = await stack.enter_async_context(Server(app))
        yield Stack(gateway_url=server.url, emulator=emulator)


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    async with running_stack() as running:
        yield running


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Start the system's Chromium, or Playwright's own."""
    path = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=ARGUMENTS, chromium_sandbox=os.name == "posix" and os.geteuid() != 0
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as running:
        yield running


OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Return a function that opens a URL in a context of its own; a console error fails the test at its end.

    Pass `expect_errors=True` where the fault under test makes the browser itself write an error (a refused socket).
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(url: str, *, expect_errors: bool = False, **options: object) -> Page:
        context = await browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = await context.new_page()

        def complain(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"} and not expect_errors:
                complaints.append(f"{url}: {message.text}")

        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(f"{url}: {error}"))
        await page.goto(url)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert not complaints, "\n".join(complaints)
