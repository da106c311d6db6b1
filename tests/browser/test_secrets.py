"""The client secret and the access token reach no browser and no log."""

from __future__ import annotations

import asyncio
import io

from playwright.async_api import Response, WebSocket, expect

from guestwire.model.secret import Secret
from guestwire.net.logs import configure_logging
from tests.browser.conftest import OpenPage, running_stack
from tests.browser.people import Guest, set_fault

CANARY = "canary-secret-8f14e45f"


async def test_no_byte_that_the_browser_or_a_log_sees_holds_a_secret(open_page: OpenPage) -> None:
    """A whole chat, with failures in between and logging at its loudest: the canary is nowhere."""
    log = io.StringIO()
    configure_logging("text", "debug", stream=log)
    seen: list[str] = []

    async def keep(response: Response) -> None:
        request = response.request
        seen.append(f"{request.url} {request.headers} {request.post_data} {response.headers}")
        if response.status not in {204, 304}:
            seen.append(await response.text())

    def hear(socket: WebSocket) -> None:
        seen.append(socket.url)
        socket.on("framesent", lambda frame: seen.append(str(frame)))
        socket.on("framereceived", lambda frame: seen.append(str(frame)))

    async with running_stack(client_secret=Secret(CANARY)) as stack:
        page = await open_page("about:blank", expect_errors=True)
        reading: list[asyncio.Task[None]] = []
        page.on("response", lambda response: reading.append(asyncio.create_task(keep(response))))
        page.on("websocket", hear)
        guest = Guest(page)
        for fault in ("bad-credentials", "missing-scope", "rate-limit"):
            await set_fault(stack, fault)
            await page.goto(stack.chat_url)
            await expect(page.get_by_role("button", name="Try").first).to_be_visible()
            await set_fault(stack, fault, on=False)
            await asyncio.gather(*reading)  # a body can't be read any more once the page has gone elsewhere
        await page.goto(stack.chat_url)
        await guest.is_connected()
        await guest.says("Hello")
        await guest.reads("has joined")
        seen.append(await page.content())
        seen.append(
            str(await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"))
        )
        await asyncio.gather(*reading)
        access_tokens = [token.value.reveal() for token in stack.emulator.org._access_tokens.values()]
    everything = "\n".join([*seen, log.getvalue()])
    assert "guestsessions" in everything
    assert "guestsessions" in log.getvalue()
    assert access_tokens
    for secret in [CANARY, *access_tokens]:
        assert secret not in everything
    assert "token=" not in log.getvalue()
