"""A chat of Web Messaging over a network in memory: our shell between the two halves of the core."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestwire.client import Chat, connect
from guestwire.client.web_messaging import APPLICATION
from guestwire.errors import (
    AuthError,
    ChatError,
    ConfigError,
    ConnectionClosed,
    ConnectionLost,
    LocalProtocolError,
    LogUnavailable,
    MessageRejected,
    NotWritten,
    RateLimited,
    SessionExpired,
)
from guestwire.model.events import ConversationStatus, ConversationUpdated, Fate, Message, ProviderError
from guestwire.model.http import HttpAnswer
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.secret import Secret
from guestwire.model.transcript import MessageRow
from guestwire.net.websocket import Refusal
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.protocols.web_messaging.attributes import AttributesTooLarge
from guestwire.protocols.web_messaging.deployment import Deployment, Domains, config_path
from guestwire.protocols.web_messaging.rest import HISTORY_PATH, AuthorizedGuest, CodeGrant
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.settings import ProviderSettings
from guestwire.testing import eventually
from tests.unit.client.web_world import DEPLOYMENT, SETTINGS, App, WebProvider, served

GRANT = CodeGrant(Secret("code"), "https://site.test/back", Secret("verifier"), nonce="n")
KNOWN = Deployment(DEPLOYMENT, takes_guest_typing=True, allows_clear=True)


async def test_a_whole_conversation() -> None:
    provider = WebProvider()
    async with provider.connect(name="Ada", attributes={"page": "/pricing"}) as chat:
        app = App(chat)
        sent = await chat.send("Hello")
        await eventually(lambda: Fate.DELIVERED in app.fates(sent))
        provider.say("Hi Ada", name="Otto")
        await eventually(lambda: app.texts() == ["Hi Ada"])
        assert chat.transcript.agent_name == "Otto"
        assert chat.transcript.status is ConversationStatus.CONNECTED
        assert provider.said() == ["Hello"]
        assert provider.session.attributes == {"name": "Ada", "page": "/pricing"}
        assert isinstance(chat.session, WebSession)
        assert chat.session.token == provider.session.token
        assert chat.deployment is not None
        assert chat.upload_rules.is_on
    await app.task
    assert [status.value for status in app.statuses()] == [
        "connecting",
        "creating-session",
        "connected",
        "disconnected",
    ]


async def test_we_say_who_we_are_and_where_we_come_from() -> None:
    provider = WebProvider()
    provider.domains = Domains(allowed_domains=("example.com",))
    settings = replace(SETTINGS, origin="https://chat.example.com")
    async with provider.connect(settings) as chat:
        await App(chat).connected()
        await chat.read_history()
    [upgrade] = provider.upgrades
    assert upgrade.path == "/v1"
    assert dict(upgrade.query) == {"deploymentId": DEPLOYMENT, "application": APPLICATION}
    assert upgrade.headers["origin"] == "https://chat.example.com"
    assert {call.headers.get("origin") for call in provider.calls} == {"https://chat.example.com"}


async def test_a_site_that_is_not_allowed_is_told_so() -> None:
    provider = WebProvider()
    provider.domains = Domains(allowed_domains=("example.com",))
    async with provider.connect(replace(SETTINGS, origin="https://elsewhere.test")) as chat:
        app = App(chat)
        await app.task
        assert app.code() == "domain-not-allowed"
        assert isinstance(chat.error, ConfigError)
    assert provider.upgrades == []


@pytest.mark.parametrize(
    "status, body, code",
    [(403, b"", "deployment-unknown"), (200, b'{"id":"x","status":"Inactive"}', "deployment-inactive")],
)
async def test_a_deployment_that_is_not_there(status: int, body: bytes, code: str) -> None:
    provider = WebProvider()
    provider.answers[config_path(DEPLOYMENT)] = [HttpAnswer(status, {}, body)]
    async with provider.connect() as chat:
        app = App(chat)
        await app.task
        assert app.code() == code
        assert isinstance(chat.error, ConfigError)


async def test_a_configuration_that_is_slow_to_come_is_asked_for_again() -> None:
    provider = WebProvider()
    provider.answers[config_path(DEPLOYMENT)] = [HttpAnswer(503), HttpAnswer(503)]
    async with provider.connect() as chat:
        await App(chat).connected()
    assert len([call for call in provider.calls if call.url.endswith("config.json")]) == 3


async def test_a_known_deployment_is_not_read_again() -> None:
    provider = WebProvider()
    asked: list[str] = []

    async def find() -> Deployment:
        asked.append("asked")
        return KNOWN

    for deployment in (KNOWN, find):
        async with provider.connect(deployment=deployment) as chat:
            await App(chat).connected()
            assert chat.deployment == KNOWN
    assert asked == ["asked"]
    assert provider.calls == []


async def test_a_refused_upgrade_is_the_operators_affair() -> None:
    provider = WebProvider()
    provider.refusals = [Refusal(403)]
    async with provider.connect() as chat:
        app = App(chat)
        await app.task
        assert app.code() == "deployment-refused"
        assert isinstance(chat.error, ConfigError)


async def test_a_drop_loses_nothing_and_doubles_nothing() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        first = await chat.send("one")
        await eventually(lambda: Fate.DELIVERED in app.fates(first))
        provider.network.cut()
        waiting = [await chat.send(text) for text in ("two", "three")]
        provider.say("missed")
        provider.network.mend()
        await chat.retry_now()
        await app.connected(2)
        # What was in flight is looked for in the history twice, 2 s apart.
        await provider.time_passes(lambda: Fate.DELIVERED in app.fates(waiting[-1]))
        assert provider.said() == ["one", "two", "three"]
        assert app.texts() == ["missed"]
        rows = [row for row in chat.transcript.rows if isinstance(row, MessageRow)]
        assert [row.text for row in rows] == ["one", "two", "three", "missed"]
        assert [row.state for row in rows] == [Fate.DELIVERED] * 3 + [None]
    assert provider.network.is_cut is False
    assert len({upgrade.query["deploymentId"] for upgrade in provider.upgrades}) == 1


async def test_an_echo_that_was_lost_is_found_in_the_history() -> None:
    """The provider has the message, but the connection broke before it said so: it is not sent again."""
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        flush = provider.flush
        provider.flush = lambda: None  # type: ignore[method-assign]
        sent = await chat.send("once")
        await eventually(lambda: provider.said() == ["once"])
        provider.core.effects()
        provider.network.drop()
        provider.flush = flush  # type: ignore[method-assign]
        await eventually(lambda: Fate.DELIVERED in app.fates(sent))
        assert provider.said() == ["once"]


async def test_a_session_is_kept_before_it_is_used_and_taken_up_again() -> None:
    provider = WebProvider()
    kept: list[WebSession | None] = []
    fails: list[ChatError] = [LogUnavailable()]

    async def keep(session: WebSession | None) -> None:
        assert not provider.upgrades
        if fails:
            raise fails.pop()
        kept.append(session)

    async with provider.connect(keep_session=keep) as chat:
        app = App(chat)
        await app.connected()
        await chat.send("Hello")
        await eventually(lambda: app.texts("guest"))
        await eventually(provider.said)
        assert kept == [chat.session]
    async with provider.connect(session=kept[0]) as chat:
        app = App(chat)
        await eventually(lambda: app.texts("guest") == ["Hello"])
        assert chat.session == kept[0]


async def test_a_session_that_is_over_is_forgotten() -> None:
    provider = WebProvider()
    kept: list[WebSession | None] = []

    async def keep(session: WebSession | None) -> None:
        kept.append(session)

    async with provider.connect(keep_session=keep) as chat:
        app = App(chat)
        await app.connected()
        provider.do(lambda token, _now: provider.core.expire(token))
        await app.task
        assert isinstance(chat.error, SessionExpired)
        assert chat.session is None
    assert kept[-1] is None
    assert len(kept) == 2


async def test_another_place_takes_the_connection() -> None:
    """The provider closes the oldest of four connections; that is final, or two tabs would fight for ever."""
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        others: list[Chat] = []
        for _ in range(3):
            other = provider.connect(session=chat.session, deployment=KNOWN)
            await other.__aenter__()
            others.append(other)
            await App(other).connected()
        await app.task
        assert app.code() == "connection-replaced"
        assert isinstance(chat.error, ConnectionClosed)
        for other in others:
            await other.aclose()


async def test_read_only_and_then_a_new_conversation() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        await chat.send("Hello")
        await eventually(provider.said)
        provider.do(provider.core.disconnect)
        await eventually(lambda: not chat.is_open)
        assert chat.transcript.status is ConversationStatus.ENDED
        with pytest.raises(MessageRejected) as caught:
            await chat.send("more")
        assert caught.value.code == "read-only"
        await chat.start_new()
        await eventually(lambda: chat.is_open)
        sent = await chat.send("again")
        await eventually(lambda: Fate.DELIVERED in app.fates(sent))
    with pytest.raises(LocalProtocolError):
        await chat.start_new()


async def test_clear_ends_the_chat() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        await chat.clear()
        await app.task
        assert chat.error is None
        ended = [e for e in app.events if isinstance(e, ConversationUpdated) and e.reason == "cleared"]
        assert [event.status for event in ended] == [ConversationStatus.ENDED]


async def test_typing_and_staying() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        await chat.typing()
        await chat.typing()
        await chat.stay()
        await eventually(lambda: "echo" in provider.actions())
        assert provider.actions() == ["configureSession", "onMessage", "echo"]


async def test_end_just_closes() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        await chat.end()
        await app.task
        assert chat.error is None
        with pytest.raises(ConnectionClosed):
            await chat.send("late")


async def test_a_connection_that_is_half_open_is_found_and_left() -> None:
    """After 5 minutes of silence the provider is asked; without an answer in 10 s another connection is opened."""
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        provider.deaf = True
        provider.clock.advance(300.0)
        await eventually(lambda: "echo" in provider.actions())
        provider.deaf = False
        provider.clock.advance(10.0)
        await app.connected(2)
        assert len(provider.upgrades) == 2
        assert len(provider.sockets) == 1


async def test_a_socket_that_the_provider_leaves_open_is_closed_after_the_end() -> None:
    """The provider says that it is over and forgets to close: we don't wait for it."""
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        for socket in provider.sockets.values():
            socket.send('{"type":"message","class":"LogoutEvent","code":200,"body":{}}')
        await app.task
        assert app.code() == "signed-out"
        assert chat.session is None
    assert provider.sockets == {}


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(["send", "cut", "mend", "turn", "say"]), max_size=25), turns=st.integers(1, 40))
def test_every_message_arrives_once_and_in_order_whatever_drops(steps: list[str], turns: int) -> None:
    """Both ways: what the guest sends, and what the agent says meanwhile."""

    async def scenario() -> None:
        provider = WebProvider()
        sent: list[str] = []
        said: list[str] = []
        async with provider.connect(deployment=KNOWN) as chat:
            app = App(chat)
            await app.connected()
            for step in steps:
                if step == "send":
                    sent.append(f"g{len(sent)}")
                    await chat.send(sent[-1])
                elif step == "say":
                    said.append(f"a{len(said)}")
                    provider.say(said[-1])
                elif step == "cut":
                    provider.network.cut()
                elif step == "mend":
                    provider.network.mend()
                else:
                    for _ in range(turns):
                        await asyncio.sleep(0)
            provider.network.mend()
            await chat.retry_now()
            last = await chat.send("last")
            await provider.time_passes(lambda: Fate.DELIVERED in app.fates(last))
            await provider.time_passes(lambda: len(set(app.texts())) == len(said))
            assert provider.said() == [*sent, "last"]
            assert sorted(app.texts()) == sorted(said)  # what the history tells comes late, and finds its place below
            rows = [row for row in chat.transcript.rows if isinstance(row, MessageRow)]
            assert [row.text for row in rows if row.sender == "guest"] == provider.said()
            assert [row.text for row in rows if row.sender == "agent"] == said

    asyncio.run(scenario())


# --- an app with an outbox of its own -----------------------------------------------------------------------------


async def test_written_confirmed_and_said_back() -> None:
    provider = WebProvider()
    async with provider.connect(reads_history=False, most_unread=1, keeps_transcript=False) as chat:
        with pytest.raises(NotWritten):
            await chat.write("early", client_id=ClientId("c0"))
        app = App(chat)
        await app.connected()
        assert chat.send_wait_s() == 0.0
        connection = await chat.write("one", client_id=ClientId("c1"), in_reply_to="p1")
        await chat.confirm(connection)
        [echo] = [event for event in app.events if isinstance(event, Message)]
        assert (echo.sender, echo.client_id, echo.text, echo.in_reply_to) == ("guest", "c1", "one", "p1")
        assert app.fates("c1") == []


async def test_what_the_provider_would_refuse_is_not_written() -> None:
    provider = WebProvider()
    async with provider.connect(reads_history=False) as chat:
        app = App(chat)
        await app.connected()
        for number in range(4):
            await chat.write(str(number), client_id=ClientId(f"c{number}"))
        with pytest.raises(RateLimited) as caught:
            await chat.write("4", client_id=ClientId("c4"))
        assert caught.value.retry_after_s == chat.send_wait_s() > 0
        provider.clock.advance(1.0)
        await chat.write("4", client_id=ClientId("c4"))
        await eventually(lambda: provider.said() == ["0", "1", "2", "3", "4"])


async def test_a_refusal_names_the_message() -> None:
    provider = WebProvider()
    async with provider.connect(reads_history=False, attributes={"a": "b"}) as chat:
        app = App(chat)
        await app.connected()
        provider.do(lambda token, now: setattr(provider.session, "read_only", True))
        await chat.write("late", client_id=ClientId("c1"))
        await eventually(lambda: [e for e in app.events if isinstance(e, ProviderError) and e.client_id == "c1"])


# --- history ------------------------------------------------------------------------------------------------------


async def test_history_page_by_page() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        for number in range(230):
            provider.say(str(number))
        session = chat.session
    async with provider.connect(session=session) as chat:
        app = App(chat)
        pages = [page async for page in chat.history()]
        assert [(page.number, len(page.messages), page.has_more) for page in pages] == [
            (1, 100, True),
            (2, 100, True),
            (3, 30, False),
        ]
        assert [message.text for message in pages[2].messages] == [str(number) for number in range(30)]
        await eventually(lambda: len(app.texts()) == 230)


async def test_more_than_ten_pages_a_minute_wait() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        await App(chat).connected()
        for _ in range(10):
            await chat.read_history()
        late = asyncio.create_task(chat.read_history())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not late.done()
        provider.clock.advance(60.0)
        await late


async def test_a_caller_with_a_reader_of_its_own_is_told_at_once() -> None:
    provider = WebProvider()
    async with provider.connect(reads_history=False) as chat:
        app = App(chat)
        await app.connected()
        provider.say("Hi")
        await eventually(app.texts)
        page = await chat.read_history()
        assert [message.text for message in page.messages] == ["Hi"]
        provider.answers[HISTORY_PATH] = [HttpAnswer(500)]
        with pytest.raises(ChatError) as caught:
            await chat.read_history()
        assert caught.value.code == "unreachable"
        for _ in range(8):
            await chat.read_history()
        with pytest.raises(RateLimited) as limited:
            await chat.read_history()
        assert limited.value.retry_after_s == 60.0
        assert app.texts() == ["Hi"]
        assert not any(isinstance(event, ProviderError) for event in app.events)


async def test_whoever_waits_for_a_page_is_let_go() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        await App(chat).connected()
        provider.deaf = True
        waiting = asyncio.create_task(chat.read_history(2))
        await eventually(lambda: "getJwt" in provider.actions())
    with pytest.raises(ConnectionClosed):
        await waiting
    with pytest.raises(ConnectionClosed):
        await chat.read_history()


# --- signing in ---------------------------------------------------------------------------------------------------


async def test_a_guest_signs_in_and_out() -> None:
    provider = WebProvider()
    kept: list[AuthorizedGuest | None] = []

    async def keep(guest: AuthorizedGuest | None) -> None:
        kept.append(guest)

    async with provider.connect(sign_in=GRANT, keep_guest=keep) as chat:
        app = App(chat)
        await app.connected()
        assert provider.session.user == "ada"
        assert isinstance(chat.session, WebSession)
        assert chat.session.is_authenticated
        await chat.log_out()
        await app.task
        assert app.code() == "signed-out"
        assert isinstance(chat.error, AuthError)
    assert kept == [AuthorizedGuest(Secret("user-1"), Secret("refresh-1")), None]
    exchange = next(call for call in provider.calls if call.method == "POST")
    assert b'"codeVerifier":"verifier"' in exchange.body
    assert b'"nonce":"n"' in exchange.body


async def test_a_stale_jwt_is_renewed() -> None:
    provider = WebProvider()
    provider.good_jwts = set()
    guest = AuthorizedGuest(Secret("user-1"), Secret("refresh-1"))
    async with provider.connect(sign_in=guest) as chat:
        await App(chat).connected()
        assert provider.session.user == "ada"
        assert len(provider.upgrades) == 1
        provider.good_jwts = {"user-2"}
        await chat.log_out()


async def test_a_refused_code_fails_with_the_next_step() -> None:
    provider = WebProvider()
    async with provider.connect(sign_in=replace(GRANT, code=Secret("canary"))) as chat:
        app = App(chat)
        await app.task
        assert app.code() == "sign-in-needed"
        assert isinstance(chat.error, AuthError)
        assert "canary" not in repr(chat.error)
    assert provider.upgrades == []


async def test_an_unknown_guest_signs_in_later() -> None:
    provider = WebProvider()
    kept: list[WebSession | None] = []

    async def keep(session: WebSession | None) -> None:
        kept.append(session)

    async with provider.connect(keep_session=keep) as chat:
        app = App(chat)
        await app.connected()
        with pytest.raises(AuthError):
            await chat.log_out()
        await chat.sign_in(GRANT)
        await eventually(lambda: len(kept) == 2)
        assert kept[1] is not None
        assert kept[1].is_authenticated
        assert provider.session.user == "ada"
        provider.network.drop()
        await app.connected(2)
        assert provider.actions()[-1] == "configureAuthenticatedSession" or "getJwt" in provider.actions()


# --- what is found before any I/O ---------------------------------------------------------------------------------


def test_mistakes_are_found_before_any_io() -> None:
    with pytest.raises(ConfigError, match="deployment_id"):
        connect(ProviderSettings(api="web-messaging"))
    with pytest.raises(AttributesTooLarge):
        connect(SETTINGS, attributes={"a": "b" * 3000})
    with pytest.raises(ConfigError, match="web-messaging"):
        connect(SETTINGS, session=GuestSession(session_id=SessionId("s"), token=Secret("t")))


async def test_what_only_web_messaging_has_is_refused_elsewhere() -> None:
    provider = WebProvider()
    settings = ProviderSettings(base_url="http://localhost", client_id="i", client_secret=Secret("s"))
    async with provider.connect(settings) as chat:
        with pytest.raises(LocalProtocolError, match="web-messaging"):
            await chat.clear()
        assert chat.deployment is None
        assert not chat.upload_rules.is_on
        assert chat.send_wait_s() == 0.0


async def test_a_lost_connection_is_lost_for_who_confirms() -> None:
    provider = WebProvider(served(duration_s=1000))
    async with provider.connect(reads_history=False) as chat:
        app = App(chat)
        await app.connected()
        connection = await chat.write("one", client_id=ClientId("c1"))
        provider.network.drop()
        await app.connected(2)
        with pytest.raises(ConnectionLost):
            await chat.confirm(connection)
