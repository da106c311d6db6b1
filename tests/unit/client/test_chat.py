"""A chat over a network in memory and a clock that jumps: no sockets, no waiting."""

from __future__ import annotations

import asyncio
import gc
import json
import warnings
from collections.abc import AsyncIterator, Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestwire.client import Chat, connect
from guestwire.client.event_queue import ROOM
from guestwire.errors import (
    ChatError,
    ConfigError,
    ConnectionClosed,
    ConversationEnded,
    LocalProtocolError,
    MessageRejected,
    OAuthRefused,
)
from guestwire.model.events import (
    ConnectionStatus,
    ConversationStatus,
    ConversationUpdated,
    Event,
    Fate,
    Message,
    Receipt,
    StatusChanged,
    UnknownEvent,
)
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.model.transcript import MessageRow
from guestwire.net.memory import MemoryNetwork
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.protocols.guest_session.rest import BadSessionRequest
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.settings import ProviderSettings
from guestwire.testing import FakeClock, eventually

SETTINGS = ProviderSettings(base_url="http://localhost", client_id="id", client_secret=Secret("canary-secret"))


class Provider:
    """A provider in memory that a test scripts; it writes down what it got."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.frames: list[dict[str, object]] = []
        self.closes: list[int] = []
        self.calls: list[str] = []
        self.refusals: list[Refusal] = []
        self.token_answers: list[HttpAnswer] = []
        self.session_answers: list[HttpAnswer] = []
        self.extensions = '["typing","end"]'
        self.sockets: list[Socket] = []
        self.greet: Callable[[Socket], None] = lambda _socket: None
        self.network = MemoryNetwork(self.answer, self.authorise)
        self.clock = FakeClock()

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        if request.url.endswith("/oauth/token"):
            self.calls.append("token")
            return self.token_answers.pop(0) if self.token_answers else HttpAnswer(200, {}, b'{"access_token":"a"}')
        self.calls.append("session")
        number = self.calls.count("session")
        body = f'{{"sessionId":"s{number}","token":"t{number}","extensions":{self.extensions}}}'
        return self.session_answers.pop(0) if self.session_answers else HttpAnswer(200, {}, body.encode())

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        self.calls.append(f"socket {request.query['sessionId']}")
        return self.refusals.pop(0) if self.refusals else Line(self)

    def connect(self, **options: object) -> Chat:
        return connect(
            SETTINGS,
            transport=self.network,
            clock=self.clock,
            rng=Random(1),
            **options,  # type: ignore[arg-type]
        )


class Line:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def opened(self, socket: Socket) -> None:
        self._provider.sockets.append(socket)
        self._provider.greet(socket)

    def text(self, frame: str) -> None:
        decoded = json.loads(frame)
        self._provider.frames.append(decoded)
        if "text" in decoded:
            self._provider.texts.append(decoded["text"])
        if decoded["type"] == "end":
            self._provider.sockets[-1].send('{"type":"conversation-update","status":"ended"}')
            self._provider.sockets[-1].close(1000)

    def writable(self) -> None:
        pass

    def closed(self, code: int) -> None:
        self._provider.closes.append(code)


async def until(chat: AsyncIterator[Event], wanted: Callable[[Event], bool]) -> list[Event]:
    seen: list[Event] = []
    async for event in chat:
        seen.append(event)
        if wanted(event):
            return seen
    raise AssertionError(f"The chat ended before; it had {seen}.")


def is_status(status: ConnectionStatus) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, StatusChanged) and event.status is status


def is_sent(client_id: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Receipt) and event.client_id == client_id and event.status is Fate.SENT


def statuses(events: list[Event]) -> list[str]:
    return [event.status for event in events if isinstance(event, StatusChanged)]


async def test_status_goes_through_its_stages() -> None:
    provider = Provider()
    async with provider.connect(name="Ada") as chat:
        shown = [chat.status]
        events = await until(chat, is_status(ConnectionStatus.CONNECTED))
        shown.append(chat.status)
        assert shown == [ConnectionStatus.DISCONNECTED, ConnectionStatus.CONNECTED]
        assert isinstance(chat.session, GuestSession)
        assert chat.session.session_id == "s1"
    assert statuses(events) == ["authenticating", "creating-session", "connecting", "connected"]
    assert statuses([event async for event in chat]) == ["disconnected"]
    assert provider.closes == [1000]
    assert provider.frames == []


async def test_text_before_the_socket_is_open_is_flushed_in_order() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        ids = [await chat.send(text) for text in ("one", "two", "three")]
        await until(chat, is_sent(ids[-1]))
    assert provider.texts == ["one", "two", "three"]
    rows = [row for row in chat.transcript.rows if isinstance(row, MessageRow)]
    assert [row.state for row in rows] == [Fate.SENT] * 3


async def test_rejected_text_touches_nothing_else() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        with pytest.raises(MessageRejected) as blank:
            await chat.send("  \n")
        with pytest.raises(MessageRejected) as long:
            await chat.send("ä" * 2049)
        sent = await chat.send("fine")
        await until(chat, is_sent(sent))
    assert (blank.value.code, long.value.code) == ("message-blank", "message-too-long")
    assert provider.texts == ["fine"]


async def test_events_of_every_kind_and_garbage_arrive() -> None:
    provider = Provider()

    def greet(socket: Socket) -> None:
        socket.send('{"type":"conversation-update","status":"connected","agentName":"Ada"}')
        socket.send("garbage {")
        socket.send('{"type":"message","from":"agent","text":"Hello"}')

    provider.greet = greet
    async with provider.connect() as chat:
        events = await until(chat, lambda event: isinstance(event, Message))
    assert [type(event) for event in events[-3:]] == [ConversationUpdated, UnknownEvent, Message]
    assert chat.transcript.agent_name == "Ada"


async def test_typing_hides_after_its_time() -> None:
    provider = Provider()
    provider.greet = lambda socket: socket.send('{"type":"typing","from":"agent","duration":2000}')
    async with provider.connect() as chat:
        await eventually(lambda: chat.transcript.typing == ["agent"] or provider.clock.now() > 1000)
        began = provider.clock.now()
        await eventually(lambda: chat.transcript.typing == [])
        assert provider.clock.now() - began <= 2.0


async def test_reconnects_to_the_same_session_and_sends_what_waits() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        await until(chat, is_status(ConnectionStatus.CONNECTED))
        provider.network.cut()
        events = await until(chat, is_status(ConnectionStatus.RECONNECTING))
        sent = await chat.send("while away")
        provider.network.mend()
        await until(chat, is_sent(sent))
    [lost] = [event for event in events if isinstance(event, StatusChanged)]
    assert lost.error is not None
    assert lost.error.code == "connection-lost"
    assert provider.calls == ["token", "session", "socket s1", "socket s1"]
    assert provider.texts == ["while away"]


async def test_retry_now_does_not_wait() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        await until(chat, is_status(ConnectionStatus.CONNECTED))
        provider.network.drop()
        await until(chat, is_status(ConnectionStatus.RECONNECTING))
        now = provider.clock.now()
        await chat.retry_now()
        await until(chat, is_status(ConnectionStatus.CONNECTED))
        assert provider.clock.now() == now


async def test_refused_socket_makes_one_new_session_then_fails() -> None:
    provider = Provider()
    provider.refusals = [Refusal(403)]
    async with provider.connect() as chat:
        await until(chat, is_status(ConnectionStatus.CONNECTED))
    assert provider.calls == ["token", "session", "socket s1", "session", "socket s2"]

    provider = Provider()
    provider.refusals = [Refusal(403), Refusal(403)]
    async with provider.connect() as chat:
        kept = await chat.send("kept")
        events = [event async for event in chat]
        assert isinstance(events[-1], StatusChanged)
        assert events[-1].status is ConnectionStatus.FAILED
        assert chat.error is not None
        assert chat.error.code == "socket-refused"
        with pytest.raises(ChatError) as caught:
            await chat.send("more")
        assert caught.value is chat.error
        [row] = [row for row in chat.transcript.rows if isinstance(row, MessageRow)]
        assert (row.client_id, row.state) == (kept, Fate.QUEUED)


async def test_wrong_credentials_fail_with_the_reason() -> None:
    provider = Provider()
    provider.token_answers = [HttpAnswer(401, {}, b'{"error":"invalid_client"}')]
    async with provider.connect() as chat:
        events = [event async for event in chat]
    assert statuses(events) == ["authenticating", "failed"]
    assert isinstance(chat.error, OAuthRefused)
    assert "GUESTWIRE_CLIENT_SECRET" in chat.error.hint


async def test_busy_provider_is_asked_again_after_its_time() -> None:
    provider = Provider()
    provider.token_answers = [HttpAnswer(429, {"retry-after": "20"}), HttpAnswer(503)]
    async with provider.connect() as chat:
        began = provider.clock.now()
        await until(chat, is_status(ConnectionStatus.CONNECTED))
        assert provider.clock.now() - began >= 20


@pytest.mark.parametrize("code", [4400, 4403, 4412])
async def test_a_final_close_is_a_failure(code: int) -> None:
    provider = Provider()
    provider.greet = lambda socket: socket.close(code, "no")
    async with provider.connect() as chat:
        async for _ in chat:
            pass
        assert isinstance(chat.error, ConnectionClosed)
        assert (chat.error.close_code, chat.error.reason) == (code, "no")


async def test_end_ends_the_iteration_and_refuses_more() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        await until(chat, is_status(ConnectionStatus.CONNECTED))
        await chat.send("bye")
        await chat.end()
        events = [event async for event in chat]
        assert chat.error is None
        with pytest.raises(ConversationEnded):
            await chat.send("more")
        await chat.end()
    assert [event.status for event in events if isinstance(event, ConversationUpdated)] == [ConversationStatus.ENDED]
    assert provider.texts == ["bye"]
    assert provider.frames[-1] == {"type": "end"}


async def test_typing_is_sent_only_where_it_is_understood() -> None:
    for extensions, expected in (('["typing"]', 1), ("[]", 0)):
        provider = Provider()
        provider.extensions = extensions
        async with provider.connect() as chat:
            await until(chat, is_status(ConnectionStatus.CONNECTED))
            await chat.typing()
            await chat.typing()
            sent = await chat.send("x")
            await until(chat, is_sent(sent))
        assert provider.frames.count({"type": "typing"}) == expected


async def test_own_token_provider_and_own_session() -> None:
    provider = Provider()
    seen: list[str] = []

    async def token() -> str:
        seen.append("asked")
        return "mine"

    async with provider.connect(token_provider=token) as chat:
        await until(chat, is_status(ConnectionStatus.CONNECTED))
    assert seen
    assert "token" not in provider.calls

    provider = Provider()
    session = GuestSession(session_id=SessionId("given"), token=Secret("t"))
    async with provider.connect(session=session) as chat:
        await until(chat, is_status(ConnectionStatus.CONNECTED))
    assert provider.calls == ["socket given"]


async def test_close_writes_what_is_handed_to_the_socket() -> None:
    provider = Provider()
    async with provider.connect() as chat:
        await until(chat, is_status(ConnectionStatus.CONNECTED))
        await chat.send("last words")
    assert provider.texts == ["last words"]
    with pytest.raises(ConnectionClosed):
        await chat.send("after")


async def test_unread_events_stop_the_reading() -> None:
    """An app that does not iterate stops us reading from the socket; nothing is dropped when it does."""
    provider = Provider()

    def greet(socket: Socket) -> None:
        for number in range(ROOM + 500):
            socket.send(f'{{"type":"message","text":"{number}"}}')

    provider.greet = greet
    async with provider.connect() as chat:
        await eventually(lambda: len(chat.transcript.rows) >= ROOM - 10)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert len(chat.transcript.rows) <= ROOM
        events = await until(chat, lambda event: isinstance(event, Message) and event.text == str(ROOM + 499))
    texts = [event.text for event in events if isinstance(event, Message)]
    assert texts == [str(number) for number in range(ROOM + 500)]


async def test_closing_works_with_a_full_queue() -> None:
    provider = Provider()

    def greet(socket: Socket) -> None:
        for _ in range(ROOM + 50):
            socket.send('{"type":"message","text":"x"}')

    provider.greet = greet
    async with provider.connect() as chat:
        await eventually(lambda: len(chat.transcript.rows) >= ROOM - 10)


async def test_closed_before_it_began() -> None:
    provider = Provider()
    chat = provider.connect()
    await chat.__aenter__()
    await chat.aclose()
    await chat.aclose()
    assert provider.calls == []


async def test_errors_of_the_body_come_out_as_they_are() -> None:
    with pytest.raises(KeyError):
        async with Provider().connect():
            raise KeyError("mine")


async def test_a_chat_is_used_once_and_inside_async_with() -> None:
    chat = Provider().connect()
    with pytest.raises(LocalProtocolError):
        await chat.send("too early")
    async with chat:
        pass
    with pytest.raises(LocalProtocolError):
        await chat.__aenter__()


async def test_bad_settings_and_details_are_found_before_any_io() -> None:
    with pytest.raises(ConfigError):
        connect(ProviderSettings())
    with pytest.raises(BadSessionRequest, match="email"):
        Provider().connect(email="nobody")
    with pytest.raises(BadSessionRequest, match="name"):
        Provider().connect(name="x" * 257)


async def test_a_forgotten_chat_warns() -> None:
    provider = Provider()
    chat = provider.connect()
    await chat.__aenter__()
    task = chat._task
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del chat
        gc.collect()
    assert [str(warning.message) for warning in caught] == ["Chat was never closed; use `async with`."]
    assert task is not None
    task.cancel()
    await asyncio.wait({task})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["send", "cut", "mend", "turn"]), max_size=30), seed=st.integers(0, 1000))
def test_order_is_kept_across_drops(steps: list[str], seed: int) -> None:
    """Whatever drops when: the provider sees texts in the order they were sent, and none that waited is lost.

    A text that was written in the moment of a drop may be lost or come twice: a plain provider gives no receipts.
    """

    async def scenario() -> None:
        provider = Provider()
        sent: list[str] = []
        waited: set[str] = set()
        async with connect(SETTINGS, transport=provider.network, clock=provider.clock, rng=Random(seed)) as chat:
            for step in steps:
                if step == "send":
                    text = str(len(sent))
                    sent.append(text)
                    if provider.network.is_cut:
                        waited.add(text)
                    await chat.send(text)
                elif step == "cut":
                    provider.network.cut()
                elif step == "mend":
                    provider.network.mend()
                else:
                    for _ in range(seed % 40):
                        await asyncio.sleep(0)
            provider.network.mend()
            last = await chat.send("last")
            await until(chat, is_sent(last))
        firsts = list(dict.fromkeys(provider.texts))
        assert firsts == [text for text in [*sent, "last"] if text in set(firsts)]
        assert waited <= set(firsts)

    asyncio.run(scenario())
