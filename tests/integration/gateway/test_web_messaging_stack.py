"""Rich chats through the whole stack: browser frames, gateway, Web Messaging, the emulated org."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guestwire.emulator import Emulator
from guestwire.emulator.records import Conversation
from guestwire.gateway.app import create_gateway
from guestwire.model.content import Attachment, attachment, quick_reply
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.net.http import HttpClient
from guestwire.net.server import Server
from guestwire.settings import EmulatorSettings, GatewaySettings, ProviderSettings
from guestwire.testing import eventually

from .relay_world import SESSIONS, Tab

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@dataclass
class Stack:
    """What runs, and one guest on it."""

    emulator: Emulator
    client: HttpClient
    url: str
    sid: str = ""
    token: str = ""
    extensions: tuple[str, ...] = ()
    tabs: list[Tab] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> HttpAnswer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.send(HttpRequest(method, f"{self.url}{path}", named, body))

    async def create(self, **body: Any) -> None:
        answer = await self.ask("POST", SESSIONS, json.dumps(body).encode(), content_type="application/json")
        assert answer.status == 200, answer.body
        made = json.loads(answer.body)
        self.sid, self.token, self.extensions = made["sessionId"], made["token"], tuple(made["extensions"])

    async def open(self, name: str = "t") -> Tab:
        tab = Tab(await self.client.open_socket(f"{self.url.replace('http', 'ws')}/ws"))
        self.tabs.append(tab)
        await tab.say(type="hello", sessionId=self.sid, token=self.token, epoch=None, after=None, tab=name)
        tab.welcome = await tab.next()
        await tab.until("synced")
        return tab

    async def put(self, name: str, body: bytes, mime: str) -> HttpAnswer:
        return await self.ask(
            "POST",
            f"{SESSIONS}/{self.sid}/attachments",
            body,
            authorization=f"Bearer {self.token}",
            content_type=mime,
            filename=quote(name),
        )

    @property
    def conversation(self) -> Conversation:
        [conversation] = self.emulator.org.conversations.values()
        return conversation


@asynccontextmanager
async def stack(tmp_path: Path, **deployment: Any) -> AsyncIterator[Stack]:
    settings = EmulatorSettings(port=0, demo_agent=False)
    async with Emulator(settings) as emulator, HttpClient() as client:
        if deployment:
            emulator.org.change_deployment(emulator.deployment_id, **deployment)
        provider = ProviderSettings(api="web-messaging", base_url=emulator.url, deployment_id=emulator.deployment_id)
        gateway = GatewaySettings(provider=provider, log_file=tmp_path / "sessions.sqlite3", sessions_burst=100)
        async with Server(create_gateway(gateway), graceful_s=1) as server:
            running = Stack(emulator, client, server.url)
            yield running
            for tab in running.tabs:
                await tab.socket.aclose()


async def test_a_guests_file_all_the_way(tmp_path: Path) -> None:
    """Up before the first word, into a message, to the agent; and down again when the provider's address is old."""
    async with stack(tmp_path) as it:
        await it.create(name="Ada", customAttributes={"plan": "gold"})
        assert {"content", "attachments", "clear", "stay"} <= set(it.extensions)
        tab = await it.open()
        session = await tab.until("session")
        assert {"attachments", "clear", "markdown", "start-new", "stay"} <= set(session["features"])
        answer = await it.put("Tür.png", PNG, "image/png")
        assert answer.status == 201, answer.body
        file = json.loads(answer.body)
        item = {"contentType": "Attachment", "attachment": {name: file[name] for name in file if name != "url"}}
        await tab.say(type="message", text="look", clientId="c1", content=[item])
        await tab.until("receipt", clientId="c1", status="delivered")
        entry = next(entry for entry in it.conversation.entries if entry.text == "look")
        [sent] = entry.content
        assert isinstance(sent.value, Attachment)
        assert sent.value.filename == "Tür.png"
        assert it.conversation.attributes["plan"] == "gold"
        later = await it.open("u")
        shown = next(frame for frame in later.records if frame.get("text") == "look")["content"][0]["attachment"]
        for url in (file["url"], shown["url"]):
            got = await it.ask("GET", url)
            assert (got.status, got.body) == (200, PNG)
            assert got.headers["content-disposition"].startswith("inline")
        it.emulator.org.advance_clock(3600)
        got = await it.ask("GET", shown["url"])
        assert (got.status, got.body) == (200, PNG)


async def test_an_agents_file_and_picture_come_through_us(tmp_path: Path) -> None:
    """With who sent it and the provider's id; a page is only ever saved. The guest's answer names what it answers."""
    async with stack(tmp_path) as it:
        await it.create()
        tab = await it.open()
        await tab.say(type="message", text="hello", clientId="c1")
        await tab.until("receipt", clientId="c1", status="delivered")
        page = it.emulator.org.add_file("page.html", "text/html", b"<script>alert(1)</script>")
        content = (
            attachment(Attachment(id=page.id, filename=page.name, mime=page.mime, media_type="File")),
            quick_reply("Yes", "yes"),
        )
        it.emulator.org.add_entry(it.conversation, "agent", "See?", name="Mia", content=content)
        frame = await tab.until("message", text="See?")
        assert frame["providerId"]
        assert frame["name"] == "Mia"
        [file] = [item["attachment"] for item in frame["content"] if item["contentType"] == "Attachment"]
        assert file["url"].startswith("/attachments/")
        got = await it.ask("GET", file["url"])
        assert got.body == b"<script>alert(1)</script>"
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"].startswith('attachment; filename="page.html"')
        answer = {"type": "QuickReply", "text": "Yes", "payload": "yes", "originatingMessageId": frame["providerId"]}
        choice = [{"contentType": "ButtonResponse", "buttonResponse": answer}]
        await tab.say(type="message", text="Yes", clientId="c2", content=choice, inReplyTo=frame["providerId"])
        await tab.until("receipt", clientId="c2", status="delivered")
        entry = it.conversation.entries[-1] if it.conversation.entries[-1].sender == "guest" else None
        entry = entry or next(entry for entry in it.conversation.entries if entry.text == "Yes")
        assert entry.in_reply_to == frame["providerId"]


async def test_what_the_provider_does_not_take(tmp_path: Path) -> None:
    """Before it has told us, it says so itself; afterwards, so do we."""
    async with stack(tmp_path, file_types=("image/*",), max_file_kb=5) as it:
        await it.create()
        for _ in range(2):
            answer = await it.put("x.pdf", b"%PDF", "application/pdf")
            assert (answer.status, json.loads(answer.body)["code"]) == (415, "attachment-type")
            answer = await it.put("x.png", PNG, "image/png")
            assert (answer.status, json.loads(answer.body)["code"]) == (413, "attachment-too-large")
        it.emulator.org.change_deployment(it.emulator.deployment_id, attachments=False)
        await it.create()
        answer = await it.put("x.png", b"x", "image/png")
        assert answer.status in {201, 403}  # what we know of the deployment is some minutes old


async def test_clear_all_the_way(tmp_path: Path) -> None:
    """Both sides have forgotten; a new conversation is another one there."""
    async with stack(tmp_path) as it:
        await it.create()
        tab = await it.open()
        await tab.say(type="message", text="s3cret", clientId="c1")
        await tab.until("receipt", clientId="c1", status="delivered")
        await tab.say(type="clear")
        assert await tab.rest() == 4410
        new = await it.open("u")
        assert new.welcome["mode"] == "reset"
        assert [(frame["status"], frame["reason"]) for frame in new.records] == [("ended", "cleared")]
        await new.say(type="start-new")
        await new.until("conversation-update", status="waiting")
        await new.say(type="message", text="again", clientId="c2")
        await new.until("receipt", clientId="c2", status="delivered")
        open_now = [each for each in it.emulator.org.conversations.values() if each.ended_at is None]
        assert "s3cret" not in [entry.text for each in open_now for entry in each.entries]


async def test_signing_in_all_the_way(tmp_path: Path) -> None:
    """The agent sees who it is; a code that is used up is 401."""
    async with stack(tmp_path) as it:
        redirect = "https://shop.example.test/signed-in"
        body = json.dumps({"user": "nora", "redirectUri": redirect}).encode()
        answer = await it.client.send(
            HttpRequest("POST", f"{it.emulator.url}/identity/codes", {"content-type": "application/json"}, body)
        )
        grant = {"code": json.loads(answer.body)["code"], "redirectUri": redirect}
        await it.create(authorization=grant)
        tab = await it.open()
        await tab.say(type="message", text="it's me", clientId="c1")
        await tab.until("receipt", clientId="c1", status="delivered")
        await eventually(lambda: it.conversation.user is not None)
        again = json.dumps({"authorization": grant}).encode()
        refused = await it.ask("POST", SESSIONS, again, content_type="application/json")
        assert (refused.status, json.loads(refused.body)["code"]) == (401, "sign-in-needed")
