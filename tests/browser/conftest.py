"""A real Chromium on a real gateway and emulator, all in one process on ports of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect
from starlette.applications import Starlette
from starlette.types import ASGIApp

from guestwire.cli.demo import emulator_provider
from guestwire.emulator import Emulator
from guestwire.gateway import create_gateway
from guestwire.gateway.app import drain
from guestwire.net.server import Server
from guestwire.settings import DEFAULT_API, Api, EmulatorSettings, GatewaySettings
from guestwire.testing.fault_proxy import FaultProxy
from tests.browser.ensure_browser import browser_tests_are_off, find_chromium

# How long a page may take to show what a test waits for: a bound for a busy machine, never a measure of speed.
expect.set_options(timeout=30_000)
# Chromium's own look-ups of Google's hosts are not ours to make, and as root it needs its sandbox off.
ARGUMENTS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


# The main job and the provider's trouble run on both APIs each time; all of the suite does with `make test-apis`.
ON_BOTH_APIS = {"test_chat.py", "test_upstream_trouble.py"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("EVERY_API") != "1":
        again = [item for item in items if _is_repeated(item)]
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in set(again)]
    for item in items:
        if "tests/browser/" in item.nodeid.replace(os.sep, "/"):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(300))
            if browser_tests_are_off():
                item.add_marker(pytest.mark.skip(reason="NO_BROWSER=1 leaves the browser tests out"))


def _is_repeated(item: pytest.Item) -> bool:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return (
        "tests/browser/" in item.nodeid.replace(os.sep, "/")
        and item.path.name not in ON_BOTH_APIS
        and parameters.get("api") == "guest-session"
    )


@dataclass
class Stack:
    """Gateway and emulator, running.

    Attributes:
        emulator: The emulated org.
        settings: The gateway's.
        link: Between browsers and the gateway.
        uplink: Between the gateway and the emulator's sockets.
        options: For `create_gateway`.
        wrap: Put around all that the gateway serves.
    """

    emulator: Emulator
    settings: GatewaySettings
    link: FaultProxy
    uplink: FaultProxy
    options: dict[str, Any] = field(default_factory=dict)
    wrap: Callable[[ASGIApp], ASGIApp] | None = None
    _app: Starlette | None = None
    _gateway: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def gateway_url(self) -> str:
        """The gateway's origin, the same after a restart."""
        return f"http://127.0.0.1:{self.link.port}"

    @property
    def chat_url(self) -> str:
        """The chat page."""
        return f"{self.gateway_url}/"

    async def start_gateway(self) -> None:
        """Start the gateway, on the same log as the one before."""
        self._app = create_gateway(self.settings, **self.options)
        if self.wrap is not None:
            self._app.add_middleware(self.wrap)
        server = await self._gateway.enter_async_context(Server(self._app, graceful_s=1))
        self.link.target = ("127.0.0.1", server.port)

    async def drain_gateway(self) -> None:
        """Let the gateway ask the browsers to move, as it does before it is stopped."""
        assert self._app is not None
        await drain(self._app)

    async def stop_gateway(self) -> None:
        """Stop the gateway."""
        gateway, self._gateway = self._gateway, AsyncExitStack()
        await gateway.aclose()

    def guest_said(self) -> list[str]:
        """What the provider has of the guest, in order."""
        conversations = self.emulator.org.conversations.values()
        return [entry.text for one in conversations for entry in one.entries if entry.sender == "guest"]


@asynccontextmanager
async def running_stack(
    *,
    mode: Literal["relay", "direct"] = "relay",
    api: Api = DEFAULT_API,
    wrap: Callable[[ASGIApp], ASGIApp] | None = None,
    gateway: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    **emulator_settings: object,
) -> AsyncIterator[Stack]:
    """Start an emulator and a gateway on free ports.

    Args:
        mode: The gateway's.
        api: What it speaks with the emulator; direct mode has the tutorial's only.
        wrap: Puts something around all that the gateway serves.
        gateway: More settings of the gateway.
        options: For `create_gateway`.
        emulator_settings: Settings of the emulator.
    """
    async with AsyncExitStack() as stack:
        settings = EmulatorSettings(port=0, log_level="error", **{"demo_agent_delay_s": 0.05, **emulator_settings})  # type: ignore[arg-type]
        emulator = await stack.enter_async_context(Emulator(settings))
        uplink = await stack.enter_async_context(FaultProxy("127.0.0.1", urlsplit(emulator.url).port or 0))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="guestwire-browser-"))
        provider = emulator_provider(settings, emulator.url, "guest-session" if mode == "direct" else api)
        if mode == "relay":
            sockets = f"ws://127.0.0.1:{uplink.port}"
            provider = replace(provider, messaging_url=sockets, socket_url=f"{sockets}/ws")
        gateway_settings = GatewaySettings(
            **{
                "provider": provider,
                "mode": mode,
                "log_file": Path(folder) / "sessions.sqlite3",
                "upstream_start": "open",
                "port": 0,
                "log_level": "error",
                "sessions_per_minute": 600,
                "sessions_burst": 100,
                **(gateway or {}),
            }
        )
        link = await stack.enter_async_context(FaultProxy("127.0.0.1", 0))
        running = Stack(emulator, gateway_settings, link, uplink, dict(options or {}), wrap)
        await running.start_gateway()
        stack.push_async_callback(running.stop_gateway)
        yield running


@pytest.fixture(params=["web-messaging", "guest-session"])
def api(request: pytest.FixtureRequest) -> Api:
    """What gateway and emulator speak with each other: the guest must not notice."""
    return cast(Api, request.param)


@pytest.fixture
async def stack(api: Api) -> AsyncIterator[Stack]:
    """In relay mode, with both APIs."""
    async with running_stack(api=api) as running:
        yield running


@pytest.fixture
async def guest_session_stack() -> AsyncIterator[Stack]:
    """In relay mode, for what only a provider with the tutorial's API does."""
    async with running_stack(api="guest-session") as running:
        yield running


@pytest.fixture
async def web_messaging_stack() -> AsyncIterator[Stack]:
    """In relay mode, for what only Web Messaging has."""
    async with running_stack(api="web-messaging") as running:
        yield running


@pytest.fixture
async def direct_stack() -> AsyncIterator[Stack]:
    """In direct mode: the browser talks to the emulator itself."""
    async with running_stack(mode="direct") as running:
        yield running


@pytest.fixture(params=["web-messaging", "guest-session", "direct"])
async def either_stack(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    """In both modes, and in relay mode with both APIs, one after the other."""
    how = {"mode": "direct"} if request.param == "direct" else {"api": request.param}
    async with running_stack(**how) as running:
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

    Pass `expect_errors=True` where the fault under test makes the browser itself write an error (a refused socket), and
    `beside` to open another tab of the same browser.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(
        url: str, *, expect_errors: bool = False, beside: Page | None = None, **options: object
    ) -> Page:
        if beside is None:
            contexts.append(await browser.new_context(**options))  # type: ignore[arg-type]
        context = contexts[-1] if beside is None else beside.context
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
