"""A chat for an app that keeps its own outbox: write, confirm, and nothing behind its back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from random import Random

import pytest

from guestwire.client import Chat, connect
from guestwire.errors import ConnectionLost, ConversationEnded, LogUnavailable, MessageRejected, NotWritten
from guestwire.model.events import ConnectionStatus, Event, Message, StatusChanged
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.ids import ClientId
from guestwire.model.secret import Secret
from guestwire.net.memory import MemoryNetwork
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.settings import ProviderSettings
from guestwire.testing import FakeClock, eventually

SETTINGS = ProviderSettings(base_url="http://localhost", client_id="id", client_secret=Secret("canary-secret"))
ID = ClientId("c1")


class Provider:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.sockets: list[Socket] = []
        self.sessions = 0
        self.network = MemoryNetwork(self.answer, self.authorise)
        self.clock = FakeClock()

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        if request.url.endswith("/oauth/token"):
            return HttpAnswer(200, {}, b'{"access_token":"a"}')
        self.sessions += 1
        return HttpAnswer(200, {}, f'{{"sessionId":"s{self.sessions}","token":"t"}}'.encode())

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        return self

    def opened(self, socket: Socket) -> None:
        self.sockets.append(socket)

    def text(self, frame: str) -> None:
        self.texts.append(json.loads(frame)["text"])

    def writable(self) -> None:
        pass

    def closed(self, code: int) -> None:
        pass

    def connect(self, **options: object) -> Chat:
        return connect(
            SETTINGS,
            transport=self.network,
            clock=self.clock,
            rng=Random(1),
            **options,  # type: ignore[arg-type]
        )


class App:
    """Reads a chat's events, one at a time, as fast as `gate` lets it."""

    def __init__(self, chat: Chat) -> None:
        self.events: list[Event] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._chat = chat
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self._chat:
            self.events.append(event)
            await self.gate.wait()

    async def connected(self, times: int = 1) -> None:
        def is_so() -> bool:
            connects = [
                e for e in self.events if isinstance(e, StatusChanged) and e.status == ConnectionStatus.CONNECTED
            ]
            return len(connects) >= times

        await eventually(is_so)


async def test_written_and_confirmed() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        assert chat.is_open
        connection = await chat.write("one", client_id=ID)
        await chat.confirm(connection)
        await chat.confirm()
        assert provider.texts == ["one"]
        assert not any(isinstance(event, Message) for event in app.events)
    await app.task


async def test_without_a_connection_nothing_is_queued() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        with pytest.raises(NotWritten):
            await chat.write("early", client_id=ID)
        with pytest.raises(NotWritten):
            await chat.confirm()
        app = App(chat)
        await app.connected()
        provider.network.drop()
        with pytest.raises(NotWritten):
            await chat.write("late", client_id=ID)
        await app.connected(2)
        await chat.confirm()
    assert provider.texts == []
    await app.task


async def test_another_connection_confirms_nothing() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        connection = await chat.write("one", client_id=ID)
        provider.network.drop()
        await app.connected(2)
        with pytest.raises(ConnectionLost):
            await chat.confirm(connection)
        assert chat.close_code == 1006
    assert provider.texts == ["one"]
    await app.task


async def test_what_may_not_be_sent_is_refused_before() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        with pytest.raises(MessageRejected):
            await chat.write(" ", client_id=ID)
        provider.sockets[0].send('{"type":"conversation-update","status":"ended"}')
        await eventually(lambda: not chat.is_open)
        with pytest.raises((ConversationEnded, NotWritten)):
            await chat.write("late", client_id=ID)
    await app.task


async def test_no_frame_is_read_before_the_app_is_done_with_the_last() -> None:
    provider = Provider()
    async with provider.connect(most_unread=1, keeps_transcript=False) as chat:
        app = App(chat)
        await app.connected()
        app.gate.clear()
        for text in ("a", "b"):
            provider.sockets[0].send(f'{{"type":"message","from":"agent","text":"{text}"}}')
        confirmed = asyncio.create_task(chat.confirm())
        await eventually(lambda: isinstance(app.events[-1], Message))
        for _ in range(20):
            await asyncio.sleep(0)
        assert chat._runner is not None
        assert len(chat._runner.events) == 0  # "b" is in the socket still
        assert not confirmed.done()
        app.gate.set()
        await confirmed
        assert [event.text for event in app.events if isinstance(event, Message)] == ["a", "b"]
        assert chat.transcript.rows == []
    await app.task


async def test_frames_are_handed_over_one_at_a_time_and_the_pong_comes_behind_them() -> None:
    provider = Provider()
    taken: list[str] = []
    gate = asyncio.Event()

    async def take(events: Sequence[Event]) -> None:
        taken.extend(event.text for event in events if isinstance(event, Message))
        await gate.wait()

    async with provider.connect(most_unread=1, take_events=take) as chat:
        app = App(chat)
        await app.connected()
        for _ in range(5):
            await asyncio.sleep(0)
        for text in ("a", "b"):
            provider.sockets[0].send(f'{{"type":"message","from":"agent","text":"{text}"}}')
        confirmed = asyncio.create_task(chat.confirm())
        await eventually(lambda: taken)
        for _ in range(20):
            await asyncio.sleep(0)
        assert taken == ["a"]
        assert not confirmed.done()
        gate.set()
        await confirmed
        assert taken == ["a", "b"]
        assert not any(isinstance(event, Message) for event in app.events)
    await app.task


async def test_a_session_is_kept_before_it_is_used() -> None:
    provider = Provider()
    kept: list[str] = []
    fails = [LogUnavailable()]

    async def keep(session: GuestSession) -> None:
        assert len(provider.sockets) == 0
        if fails:
            raise fails.pop()
        kept.append(session.session_id)

    async with provider.connect(keep_session=keep) as chat:
        app = App(chat)
        await app.connected()
    assert kept == ["s2"]  # the first could not be kept, so it was not used
    await app.task
