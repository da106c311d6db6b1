"""The client's Web Messaging over real sockets, against the emulator."""

from __future__ import annotations

import ast
import asyncio
import base64
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import guestwire
from guestwire.client import Chat, read_deployment, read_domains
from guestwire.emulator import Emulator
from guestwire.errors import ConfigError
from guestwire.model.content import Attachment, attachment
from guestwire.model.events import ConnectionStatus, Event, Fate, Message, Receipt, StatusChanged
from guestwire.model.http import HttpRequest
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from guestwire.protocols.web_messaging.rest import AuthorizedGuest, CodeGrant
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.protocols.web_messaging.uploads import AttachmentRejected
from guestwire.settings import EmulatorSettings, ProviderSettings
from guestwire.testing import eventually

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200_000)


class SmallWaits(Random):
    """Back-off without the waiting."""

    def uniform(self, a: float, b: float) -> float:
        return min(a + 0.001, b)


class World:
    def __init__(self, emulator: Emulator, http: HttpClient) -> None:
        self.emulator = emulator
        self.http = http
        self.settings = ProviderSettings(base_url=emulator.url, deployment_id=emulator.deployment_id)

    def connect(self, **options: object) -> Chat:
        return guestwire.connect(self.settings, rng=SmallWaits(), **options)  # type: ignore[arg-type]

    async def fire(self, fault: str) -> None:
        await self.post(f"/emulator/faults/{fault}", {})

    async def switch_on(self, fault: str, **params: int) -> None:
        await self.post(f"/emulator/faults/{fault}", {"on": True, **params}, method="PUT")

    async def post(self, path: str, body: object, *, method: str = "POST") -> dict[str, str]:
        headers = {"content-type": "application/json"}
        answer = await self.http.send(HttpRequest(method, self.emulator.url + path, headers, json.dumps(body).encode()))
        assert answer.is_success, answer
        decoded: dict[str, str] = json.loads(answer.body or b"{}")
        return decoded


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with Emulator(EmulatorSettings(port=0, demo_agent_delay_s=0.0)) as emulator, HttpClient() as http:
        yield World(emulator, http)


class App:
    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.events: list[Event] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.chat:
            self.events.append(event)

    async def connected(self, times: int = 1) -> None:
        await eventually(lambda: self.statuses().count("connected") >= times)

    async def delivered(self, client_id: str) -> None:
        await eventually(
            lambda: [
                e
                for e in self.events
                if isinstance(e, Receipt) and e.client_id == client_id and e.status is Fate.DELIVERED
            ]
        )

    def statuses(self) -> list[str]:
        return [event.status for event in self.events if isinstance(event, StatusChanged)]

    def said(self, sender: str) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message) and event.sender == sender]


async def test_the_steps_alone() -> None:
    async with world() as it:
        deployment = await read_deployment(it.http, it.settings)
        assert deployment.takes_guest_typing
        assert (await read_domains(it.http, it.settings)).allows("https://anywhere.test")
        with pytest.raises(ConfigError) as caught:
            await read_deployment(it.http, replace(it.settings, deployment_id="5f0c2a9e-6d1b-4f0e-9a77-0c1f2f3a4b5c"))
        assert caught.value.code == "deployment-unknown"


async def test_a_conversation_and_its_history(caplog: pytest.LogCaptureFixture) -> None:
    """The bot greets, the agent answers; who comes back reads it all again. No token is in any log."""
    with caplog.at_level(logging.DEBUG):
        async with world() as it:
            async with it.connect(name="Ada") as chat:
                app = App(chat)
                await app.delivered(await chat.send("Where is my order?"))
                await eventually(lambda: app.said("agent"))
                session = chat.session
            async with it.connect(session=session) as chat:
                again = App(chat)
                await eventually(lambda: again.said("agent"))
                pages = [page async for page in chat.history()]
                assert "Where is my order?" in [message.text for message in pages[0].messages]
                assert again.said("guest") == ["Where is my order?"]
            assert again.statuses()[-1] == ConnectionStatus.DISCONNECTED
    assert isinstance(session, WebSession)
    assert session.token.reveal() not in caplog.text
    assert "Where is my order" not in caplog.text


async def test_drops_lose_nothing_and_double_nothing() -> None:
    async with world() as it, it.connect() as chat:
        app = App(chat)
        texts = [f"order {number}" for number in range(6)]
        for number, text in enumerate(texts):
            client_id = await chat.send(text)
            if number % 2:
                await it.fire("drop-sockets")
            await app.delivered(client_id)
        assert chat.session is not None
        [conversation] = it.emulator.org.conversations.values()
        assert [entry.text for entry in conversation.entries if entry.sender == "guest"] == texts


async def test_a_file_goes_up_and_comes_down() -> None:
    async with world() as it, it.connect() as chat:
        app = App(chat)
        await app.connected()
        file_id = await chat.attach("door.png", "image/png", PNG)
        url = await chat.uploaded(file_id)
        await app.delivered(await chat.send("A door", content=(attachment(Attachment(id=file_id)),)))
        for address in (url, await chat.refresh_attachment(file_id)):
            answer = await it.http.send(HttpRequest("GET", address))
            assert answer.body == PNG


async def test_a_running_upload_is_cancelled() -> None:
    given_up = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        try:
            yield PNG
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async with world() as it, it.connect() as chat:
        app = App(chat)
        await app.connected()
        file_id = await chat.attach("door.png", "image/png", slowly(), size=2 * len(PNG))
        waiting = asyncio.create_task(chat.uploaded(file_id))
        await asyncio.sleep(0)
        await eventually(lambda: bool(chat.transcript.files[file_id].sent_bytes))
        await chat.delete_attachment(file_id)
        with pytest.raises(AttachmentRejected):
            await waiting
        await given_up.wait()
        assert chat.is_open


@pytest.mark.parametrize(
    "fault, code",
    [
        ("fail-uploads", "attachment-failed"),
        ("refuse-attachments", "attachment-type"),
        ("reject-uploads", "attachment-invalid"),
    ],
)
async def test_refused_files_say_why(fault: str, code: str) -> None:
    async with world() as it, it.connect() as chat:
        await App(chat).connected()
        await it.switch_on(fault)
        with pytest.raises(AttachmentRejected) as caught:
            await chat.uploaded(await chat.attach("door.png", "image/png", PNG))
        assert caught.value.code == code
        assert caught.value.hint
        assert chat.is_open


async def test_a_guest_signs_in_comes_back_and_signs_out() -> None:
    kept: list[AuthorizedGuest | None] = []

    async def keep(guest: AuthorizedGuest | None) -> None:
        kept.append(guest)

    async with world() as it:
        verifier, back = "v" * 43, "https://site.test/back"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"user": "nora", "redirectUri": back, "codeChallenge": challenge, "codeChallengeMethod": "S256"}
        code = (await it.post("/identity/codes", asked))["code"]
        async with it.connect(sign_in=CodeGrant(Secret(code), back, Secret(verifier)), keep_guest=keep) as chat:
            await App(chat).connected()
            session = chat.session
        assert kept[0] is not None
        async with it.connect(session=session, sign_in=kept[0], keep_guest=keep) as chat:
            app = App(chat)
            await app.connected()
            await chat.log_out()
            await app.task
            assert chat.error is not None
            assert chat.error.code == "signed-out"
    assert kept[-1] is None


@pytest.mark.parametrize(
    "fault, code",
    [
        ("refuse-config", "deployment-unknown"),
        ("inactive-deployments", "deployment-inactive"),
        ("refuse-upgrade", "deployment-refused"),
    ],
)
async def test_what_the_operator_must_mend_is_said(fault: str, code: str) -> None:
    async with world() as it:
        await it.switch_on(fault)
        async with it.connect() as chat:
            app = App(chat)
            await app.task
            assert isinstance(chat.error, ConfigError)
            assert chat.error.code == code


async def test_the_example_of_the_docs_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The how-to's first block, as it is written but for the address; the others compile."""
    page = (Path(__file__).parents[3] / "docs/howto/python-client.md").read_text(encoding="utf-8")
    program, *others = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    async with world() as it:
        assert it.settings.base_url is not None
        program = program.replace("http://127.0.0.1:8001", it.settings.base_url)
        source = program.replace("asyncio.run(main())", "")
        names: dict[str, Any] = {}
        exec(compile(source, "python-client.md", "exec"), names)
        await names["main"]()
    shown = capsys.readouterr().out
    assert "delivered" in shown
    assert "rows" in shown
    assert str(it.emulator.deployment_id) in program
    for block in others:
        compile(block, "python-client.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
