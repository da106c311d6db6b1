"""The tutorial's flow with nothing but `fetch` and `WebSocket`, from a page of another origin, against the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from guestwire.net.server import Server
from tests.browser.conftest import OpenPage, Stack
from tests.browser.people import set_fault

# Token, session, socket; says something once the bot has greeted and gives back every frame until an agent wrote.
FLOW = """async ([api, socket]) => {
  const token = await (await fetch(`${api}/api/v2/oauth/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ grant_type: "client_credentials", client_id: "demo-client",
      client_secret: "demo-secret", scope: "chat:guest:create" }),
  })).json();
  const session = await (await fetch(`${api}/api/v2/chat/guestsessions`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token.access_token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ name: "Ada", email: "ada@example.com", externalContactId: "crm-7" }),
  })).json();
  const frames = [];
  const chat = new WebSocket(`${socket}?sessionId=${session.sessionId}&token=${session.token}`);
  await new Promise((done, fail) => {
    chat.onerror = () => fail(new Error("refused"));
    chat.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      frames.push(frame);
      if (frame.type === "bot-message" && frames.length === 2)
        chat.send(JSON.stringify({ type: "message", text: "Hello" }));
      if (frame.type === "message" && frame.from === "agent") done();
    };
  });
  chat.close();
  return { session, frames };
}"""


@pytest.fixture
async def other_origin() -> AsyncIterator[str]:
    """A page of somebody else's site."""

    async def page(_request: object) -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>Elsewhere</title><link rel=icon href=data:,>")

    async with Server(Starlette(routes=[Route("/", page)])) as server:
        yield server.url


async def test_from_another_origin(stack: Stack, open_page: OpenPage, other_origin: str) -> None:
    """Token, session, socket and all four kinds of frame, across origins."""
    page = await open_page(other_origin)
    result = await page.evaluate(FLOW, [stack.emulator.url, stack.emulator.ws_url])
    assert set(result["session"]) >= {"sessionId", "token", "externalContactId"}
    kinds = {frame["type"] for frame in result["frames"]}
    assert kinds == {"message", "conversation-update", "typing", "bot-message"}
    statuses = [frame["status"] for frame in result["frames"] if frame["type"] == "conversation-update"]
    assert statuses == ["waiting", "connected"]


async def test_from_a_page_opened_from_disk(stack: Stack, open_page: OpenPage, tmp_path: Path) -> None:
    """The tutorial's reader opens index.html from disk: the origin `null` is allowed, too."""
    file = tmp_path / "index.html"
    file.write_text("<!doctype html><title>Disk</title>")
    page = await open_page(file.as_uri())
    result = await page.evaluate(FLOW, [stack.emulator.url, stack.emulator.ws_url])
    assert result["frames"][0] == {"type": "conversation-update", "status": "waiting"}


async def test_cors_failure_on_the_oauth_request(stack: Stack, open_page: OpenPage, other_origin: str) -> None:
    """With the fault on, the browser blocks a request with Authorization, and says no more than TypeError."""
    page = await open_page(other_origin, expect_errors=True)
    await set_fault(stack, "no-cors")
    outcome = await page.evaluate(
        """(api) => fetch(`${api}/api/v2/oauth/token`, {
          method: "POST", headers: { Authorization: "Basic ZGVtbw==" },
          body: new URLSearchParams({ grant_type: "client_credentials" }),
        }).then(() => "answered", (error) => error.name)""",
        stack.emulator.url,
    )
    assert outcome == "TypeError"
