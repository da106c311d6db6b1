"""What an erasure tells the provider: the whole gateway before the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from guestwire.emulator import Emulator
from guestwire.emulator.records import Stage
from guestwire.gateway import create_gateway
from guestwire.gateway.log import writer
from guestwire.model.http import HttpRequest
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from guestwire.net.server import Server
from guestwire.settings import EmulatorSettings, GatewaySettings, ProviderSettings
from guestwire.testing import FakeClock, eventually
from guestwire.testing.fault_proxy import FaultProxy
from tests.integration.gateway.relay_world import SESSIONS


@dataclass
class Place:
    emulator: Emulator
    proxy: FaultProxy
    client: HttpClient
    server: Server
    log_file: Path

    async def chat(self) -> tuple[str, str]:
        """Create a session, say something, and return its path and token."""
        made = await self.client.send(
            HttpRequest("POST", f"{self.server.url}{SESSIONS}", {"content-type": "application/json"}, b"{}")
        )
        session = json.loads(made.body)
        socket = await self.client.open_socket(f"{self.server.ws_url}/ws")
        hello = {"type": "hello", "sessionId": session["sessionId"], "token": session["token"]}
        await socket.send_text(json.dumps(hello))
        await socket.send_text(json.dumps({"type": "message", "text": "Hello", "clientId": "c1"}))
        await eventually(lambda: [c.stage for c in self.emulator.org.conversations.values()] not in ([], [Stage.ENDED]))
        async for text in socket:
            frame = json.loads(text)
            if frame["type"] == "receipt" and frame["status"] == "delivered":
                break
        await socket.aclose()
        return f"{self.server.url}{SESSIONS}/{session['sessionId']}", session["token"]

    async def erase(self, path: str, token: str) -> int:
        answer = await self.client.send(HttpRequest("DELETE", path, {"authorization": f"Bearer {token}"}))
        return answer.status

    def sessions(self) -> int:
        """Count what is in the log."""
        with contextlib.closing(apsw.Connection(str(self.log_file), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            return int(str(connection.execute("SELECT count(*) FROM session").get))

    def stages(self) -> list[Stage]:
        return [conversation.stage for conversation in self.emulator.org.conversations.values()]


@asynccontextmanager
async def place(tmp_path: Path, clock: FakeClock | None = None) -> AsyncIterator[Place]:
    async with (
        Emulator(EmulatorSettings(port=0, seed=1, demo_agent=False, session_ttl_s=1e6)) as emulator,
        FaultProxy("127.0.0.1", emulator.port) as proxy,
        HttpClient() as client,
    ):
        provider = ProviderSettings(
            base_url=f"http://127.0.0.1:{proxy.port}",
            client_id=emulator.client_id,
            client_secret=Secret("demo-secret"),
        )
        settings = GatewaySettings(provider=provider, log_file=tmp_path / "log" / "sessions.sqlite3")
        async with Server(create_gateway(settings, clock=clock)) as server:
            yield Place(emulator, proxy, client, server, settings.log_file)


async def test_an_erasure_ends_the_conversation_at_the_provider(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        path, token = await here.chat()
        assert await here.erase(path, token) == 204
        await eventually(lambda: here.stages() == [Stage.ENDED])
        assert await here.erase(path, token) == 401


async def test_a_provider_that_is_away_keeps_nobody_from_being_erased(tmp_path: Path) -> None:
    """The guest gets its answer at once; the gateway stops without waiting for the provider."""
    async with place(tmp_path) as here:
        path, token = await here.chat()
        with here.proxy.refusing():
            here.proxy.reset()
            assert await here.erase(path, token) == 204
            assert await here.erase(path, token) == 401
            assert here.stages() != [Stage.ENDED]


async def test_no_session_is_made_to_say_farewell(tmp_path: Path) -> None:
    """The provider has forgotten the session: there is nothing to end."""
    async with place(tmp_path) as here:
        path, token = await here.chat()
        here.emulator.org.sessions.clear()
        assert await here.erase(path, token) == 204
    assert len(here.emulator.org.sessions) == 0


async def test_an_erasure_while_somebody_reads_the_log_is_accepted_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """202 while words are in the file, and the provider is told at once; then 204; then nobody knows of it."""
    monkeypatch.setattr(writer, "_SCRUB_BUSY_MS", 10)
    monkeypatch.setattr(writer, "_SCRUB_AGAIN_S", 0.0)
    async with place(tmp_path) as here:
        path, token = await here.chat()
        other, other_token = await here.chat()
        looking = apsw.Connection(str(here.log_file), flags=apsw.SQLITE_OPEN_READONLY)
        looking.execute("BEGIN").fetchall()
        looking.execute("SELECT count(*) FROM record").fetchall()
        assert await here.erase(path, token) == 202
        await eventually(lambda: here.stages().count(Stage.ENDED) == 1)
        assert await here.erase(path, token) == 202
        assert await here.erase(path, other_token) == 401
        assert await here.erase(path, f"{token}x") == 401
        looking.close()
        assert await here.erase(path, token) == 204
        assert await here.erase(path, token) == 401
        assert await here.erase(other, other_token) == 204


async def test_no_neighbour_keeps_anybody_from_being_erased(tmp_path: Path) -> None:
    """Attempts without a session count for themselves."""
    async with place(tmp_path) as here:
        path, token = await here.chat()
        answers = [await here.erase(path, f"junk{number}") for number in range(25)]
        assert set(answers) == {401, 429}
        assert await here.erase(path, token) == 204


async def test_a_chat_that_expires_ends_at_the_provider(tmp_path: Path) -> None:
    """Nobody came back to it for 48 hours; its agent need not wait any longer."""
    clock = FakeClock(auto_jump=False)
    async with place(tmp_path, clock) as here:
        await here.chat()

        def is_erased() -> bool:
            if here.sessions() == 0:
                return True
            clock.advance(61)  # the upkeep's pace
            return False

        clock.advance(47 * 3600)
        for _ in range(20):
            assert not is_erased()
            await asyncio.sleep(0)
        assert here.stages() != [Stage.ENDED]
        clock.advance(3600)
        await eventually(is_erased)
        await eventually(lambda: here.stages() == [Stage.ENDED])
