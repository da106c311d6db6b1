"""The client secret and the access token reach no browser and no log."""

from __future__ import annotations

import gzip
import io
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.async_api import Request, WebSocket, expect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestwire.model.secret import Secret
from guestwire.net.logs import configure_logging
from tests.browser.conftest import OpenPage, running_stack
from tests.browser.people import Guest, set_fault

CANARY = "canary-secret-8f14e45f"


class Recorder:
    """Keeps every byte that the gateway answers: a browser forgets bodies when it goes elsewhere."""

    def __init__(self, app: ASGIApp, seen: list[str]) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            headers.update(message.get("headers", ()))
            body.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, keep)
        is_zipped = headers.get(b"content-encoding") == b"gzip" and body
        self._seen += [str(headers), (gzip.decompress(body) if is_zipped else bytes(body)).decode(errors="replace")]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Log at its loudest, and put logging back as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("text", "debug", stream=stream)
    yield stream
    root.handlers[:], root.level = before


@pytest.mark.parametrize("mode", ["relay", "direct"])
async def test_no_byte_that_the_browser_or_a_log_sees_holds_a_secret(
    open_page: OpenPage, log: io.StringIO, mode: Literal["relay", "direct"]
) -> None:
    """A whole chat, with failures in between and logging at its loudest: the canary is nowhere."""
    seen: list[str] = []

    def note(request: Request) -> None:
        seen.append(f"{request.url} {request.headers} {request.post_data}")

    def hear(socket: WebSocket) -> None:
        seen.append(socket.url)
        socket.on("framesent", lambda frame: seen.append(str(frame)))
        socket.on("framereceived", lambda frame: seen.append(str(frame)))

    async with running_stack(
        mode=mode, api="guest-session", wrap=lambda app: Recorder(app, seen), client_secret=Secret(CANARY)
    ) as stack:
        page = await open_page("about:blank", expect_errors=True)
        page.on("request", note)
        page.on("websocket", hear)
        guest = Guest(page)
        for fault in ("bad-credentials", "missing-scope", "rate-limit"):
            await set_fault(stack, fault, **({"retryAfterS": 1} if fault == "rate-limit" else {}))  # type: ignore[arg-type]
            await page.goto(stack.chat_url)
            if mode == "direct":
                await expect(page.get_by_role("button", name="Try").first).to_be_visible()
            else:
                await guest.says(fault)
                await expect(guest.message(fault)).to_contain_text("Sent" if fault == "rate-limit" else "Retry")
            await set_fault(stack, fault, on=False)
        await page.goto(stack.chat_url)
        await guest.is_connected()
        await guest.says("Hello")
        await guest.reads("has joined")
        seen.append(await page.content())
        seen.append(
            str(await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"))
        )
        access_tokens = [token.value.reveal() for token in stack.emulator.org._access_tokens.values()]
    everything = "\n".join([*seen, log.getvalue()])
    for part in ("GuestChatElement", "upstream-scope-missing", '"sessionId"', "bot-message"):
        assert part in everything, "what is looked through is there"
    assert "guestsessions" in log.getvalue()
    assert access_tokens
    for secret in [CANARY, *access_tokens]:
        assert secret not in everything
    assert "token=" not in log.getvalue()
