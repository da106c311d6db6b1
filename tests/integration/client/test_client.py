"""The client over real sockets: against a provider that misbehaves, and against the emulator."""

from __future__ import annotations

import asyncio
import logging
import traceback
from random import Random

import pytest
from starlette.responses import RedirectResponse, Response

import guestwire
from guestwire.client import AnySession, TokenBroker, check_guest_session, create_guest_session
from guestwire.emulator import Emulator
from guestwire.errors import (
    ChatError,
    ConnectFailed,
    OAuthRefused,
    RemoteProtocolError,
    SessionExpired,
    SessionRefused,
    TimedOut,
)
from guestwire.model.events import ConnectionStatus, ConversationStatus, ConversationUpdated, Message, StatusChanged
from guestwire.model.http import HttpRequest
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from guestwire.net.websocket import Refusal, Socket
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession
from guestwire.settings import ProviderSettings
from tests.integration.scripted_provider import CANARY, ScriptedProvider


class SmallWaits(Random):
    """Back-off without the waiting."""

    def uniform(self, a: float, b: float) -> float:
        return min(a + 0.001, b)


async def create(provider: ScriptedProvider, **limits: float) -> GuestSession:
    settings = provider.settings()
    async with HttpClient(**limits) as client:  # type: ignore[arg-type]
        return await create_guest_session(client, TokenBroker(client, settings), settings, GuestDetails(name="Ada"))


async def test_the_steps_alone() -> None:
    async with ScriptedProvider().serving() as provider:
        session = await create(provider)
        assert (session.session_id, session.token.reveal()) == ("s", "session-token")
        async with HttpClient() as client:
            await check_guest_session(client, provider.settings(), session)
            provider.checks = [Response(status_code=401)]
            with pytest.raises(SessionExpired):
                await check_guest_session(client, provider.settings(), session)
    assert provider.calls[:2] == ["token", "session Bearer access-1"]
    assert provider.calls[2] == "check s Bearer session-token"


async def test_a_401_is_retried_once_with_a_new_token() -> None:
    async with ScriptedProvider().serving() as provider:
        provider.sessions = [Response(status_code=401)]
        await create(provider)
        assert provider.calls == ["token", "session Bearer access-1", "token", "session Bearer access-2"]
        provider.calls.clear()
        provider.sessions = [Response(status_code=401), Response(b'{"code":"missing.scope"}', status_code=401)]
        with pytest.raises(SessionRefused) as caught:
            await create(provider)
    assert caught.value.code == "scope-missing"
    assert len(provider.calls) == 4


@pytest.mark.parametrize(
    "which, answer, kind, code",
    [
        ("tokens", Response(b'{"error":"invalid_client"}', status_code=401), OAuthRefused, "oauth-refused"),
        ("tokens", Response(b'{"error":"invalid_scope"}', status_code=400), OAuthRefused, "scope-missing"),
        ("tokens", Response(f"<html>{CANARY}</html>"), RemoteProtocolError, "bad-answer"),
        ("tokens", RedirectResponse("/api/v2/chat/guestsessions"), RemoteProtocolError, "redirected"),
        ("tokens", Response(status_code=500), ConnectFailed, "unreachable"),
        ("sessions", Response(b"\xff\xfe"), RemoteProtocolError, "bad-answer"),
        ("sessions", Response(b'{"sessionId":1}'), RemoteProtocolError, "bad-answer"),
        ("sessions", RedirectResponse("/"), RemoteProtocolError, "redirected"),
        ("sessions", Response(status_code=400), ChatError, None),
        ("sessions", Response(status_code=500), ConnectFailed, "unreachable"),
    ],
)
async def test_every_wrong_answer_is_an_error_without_secrets(
    which: str, answer: Response, kind: type[ChatError], code: str | None
) -> None:
    async with ScriptedProvider().serving() as provider:
        setattr(provider, which, [answer])
        with pytest.raises(kind) as caught:
            await create(provider)
    assert code is None or caught.value.code == code
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(provider.settings())
    assert CANARY not in shown
    assert "access-1" not in shown


@pytest.mark.parametrize("which", ["tokens", "sessions"])
async def test_a_hanging_provider_times_out(which: str) -> None:
    async with ScriptedProvider().serving() as provider:
        setattr(provider, which, [None])
        with pytest.raises(TimedOut):
            await create(provider, connect_timeout_s=0.1, answer_timeout_s=0.1)


async def test_a_hundred_sessions_at_once_ask_for_one_token() -> None:
    async with ScriptedProvider().serving() as provider, HttpClient() as client:
        settings = provider.settings()
        tokens = TokenBroker(client, settings)
        await asyncio.gather(*(create_guest_session(client, tokens, settings, GuestDetails()) for _ in range(100)))
    assert provider.calls.count("token") == 1
    assert provider.calls.count("session Bearer access-1") == 100


async def test_refused_upgrade_makes_one_new_session() -> None:
    async with ScriptedProvider().serving() as provider:
        provider.upgrades = [Refusal(403), Refusal(403)]
        async with guestwire.connect(provider.settings(), rng=SmallWaits()) as chat:
            events = [event async for event in chat]
        assert isinstance(events[-1], StatusChanged)
        assert events[-1].status is ConnectionStatus.FAILED
        assert chat.error is not None
        assert chat.error.code == "socket-refused"
    assert [call.partition(" ")[0] for call in provider.calls] == ["token", "session", "socket", "session", "socket"]
    assert provider.calls[2] == "socket sessionId&token"


async def test_frames_after_ended_are_shown_and_the_close_is_the_end() -> None:
    def greet(socket: Socket) -> None:
        socket.send('{"type":"conversation-update","status":"ended"}')
        socket.send('{"type":"message","from":"agent","text":"late"}')
        socket.close(1000)

    async with ScriptedProvider().serving() as provider:
        provider.greet = greet
        async with guestwire.connect(provider.settings()) as chat:
            events = [event async for event in chat]
    assert chat.error is None
    assert [event.text for event in events if isinstance(event, Message)] == ["late"]


async def test_a_socket_address_that_is_none_fails_for_good() -> None:
    async with ScriptedProvider().serving() as provider:
        provider.session_body = b'{"sessionId":"s","token":"t","webSocketUrl":"file:///etc/passwd"}'
        async with guestwire.connect(provider.settings()) as chat:
            async for _ in chat:
                pass
        assert isinstance(chat.error, RemoteProtocolError)


async def test_chat_with_the_emulators_demo_agent(caplog: pytest.LogCaptureFixture) -> None:
    """A whole conversation: the bot greets, the demo agent answers, the guest ends; no token in any log."""
    token = ""
    with caplog.at_level(logging.DEBUG):
        async with Emulator() as emulator:
            settings = ProviderSettings(
                base_url=emulator.url, client_id="demo-client", client_secret=Secret("demo-secret")
            )
            async with guestwire.connect(settings, name="Ada") as chat:
                await chat.send("Where is my order?")
                async for event in chat:
                    if isinstance(event, Message) and event.sender == "agent":
                        assert "Ada" in event.text
                        assert chat.session is not None
                        token = chat.session.token.reveal()
                        await chat.end()
                    elif isinstance(event, ConversationUpdated) and event.status is ConversationStatus.ENDED:
                        assert chat.transcript.status is ConversationStatus.ENDED
            assert chat.error is None
    assert "demo-secret" not in caplog.text
    assert token
    assert token not in caplog.text


async def test_a_dropped_socket_comes_back_to_the_same_chat() -> None:
    async with Emulator() as emulator, HttpClient() as client:
        settings = ProviderSettings(base_url=emulator.url, client_id="demo-client", client_secret=Secret("demo-secret"))
        async with guestwire.connect(settings, name="Ada", rng=SmallWaits()) as chat:
            statuses: list[str] = []
            session: AnySession | None = None
            async for event in chat:
                if isinstance(event, StatusChanged):
                    statuses.append(event.status)
                    if statuses.count("connected") == 2:
                        break
                elif isinstance(event, Message) and "reconnecting" not in statuses:
                    session = chat.session
                    await client.send(_fire(emulator.url, "drop-sockets"))
            assert session is not None
            assert chat.session == session
    assert "reconnecting" in statuses


def _fire(url: str, fault: str) -> HttpRequest:
    return HttpRequest("POST", f"{url}/emulator/faults/{fault}", {"content-type": "application/json"}, b"{}")
