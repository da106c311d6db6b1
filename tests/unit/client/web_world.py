"""A provider of Web Messaging in memory: the server half of the core behind a network without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from random import Random
from urllib.parse import parse_qsl, urlsplit

import msgspec

from guestwire.client import Chat, connect
from guestwire.model.events import ConnectionStatus, Event, Fate, Message, Receipt, StatusChanged
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.secret import Secret
from guestwire.net.memory import MemoryNetwork
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.protocols.web_messaging.deployment import (
    Auth,
    AutoStart,
    Conversations,
    ConversationsApp,
    DeploymentConfig,
    Domains,
    FileUpload,
    Messenger,
    Switch,
    config_path,
    domains_path,
)
from guestwire.protocols.web_messaging.provider import (
    CloseConnection,
    Happening,
    Host,
    ServedDeployment,
    ServedFile,
    ServedSession,
    WebMessagingProvider,
    WriteFrame,
)
from guestwire.protocols.web_messaging.rest import (
    EXCHANGE_PATH,
    HISTORY_PATH,
    REFRESH_PATH,
    REVOKE_PATH,
    JwtAnswer,
    bearer_of,
    history_page,
    parse_exchange_request,
    parse_history_query,
    parse_refresh_request,
)
from guestwire.settings import ProviderSettings
from guestwire.testing import FakeClock, eventually

DEPLOYMENT = "5f0c2a9e-6d1b-4f0e-9a77-0c1f2f3a4b5c"
SETTINGS = ProviderSettings(base_url="http://localhost", deployment_id=DEPLOYMENT)


class NoWaits(Random):
    """Back-off without the waiting."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def served(**switches: object) -> ServedDeployment:
    return ServedDeployment(deployment_id=DEPLOYMENT, allows_step_up=True, **switches)  # type: ignore[arg-type]


class WebProvider:
    """The org; what a test wants otherwise it puts into `answers`, by path, or `refusals`."""

    def __init__(self, deployment: ServedDeployment | None = None, *, auto_start: bool = False) -> None:
        self.clock = FakeClock(auto_jump=False)
        self.deployment = deployment or served()
        self.auto_start = auto_start
        self.domains = Domains(allow_all_domains=True)
        self.ids = 0
        self.core = WebMessagingProvider(
            Host(
                deployment={DEPLOYMENT: self.deployment}.get,
                new_id=self.new_id,
                history_key=lambda token, now: (f"key {token.reveal()}", int(now) + 60),
                user_of=self.user_of,
                upload_url=lambda token, file: (self.upload_to + file.attachment_id, {"x-amz-tagging": "demo"}),
                download_url=self.download_url,
            )
        )
        self.upload_to = "https://files.example.test/"
        self.uploads: list[HttpRequest] = []
        self.stores_uploads = True
        self.upgrades: list[UpgradeRequest] = []
        self.refusals: list[Refusal] = []
        self.answers: dict[str, list[HttpAnswer]] = {}
        self.calls: list[HttpRequest] = []
        self.frames: list[dict[str, object]] = []
        self.happenings: list[Happening] = []
        self.deaf = False
        self.good_jwts = {"user-1"}
        self.sockets: dict[str, Socket] = {}
        self.network = MemoryNetwork(self.answer, self.authorise)

    # --- what a test does -------------------------------------------------------------------------------------

    def connect(self, settings: ProviderSettings = SETTINGS, **options: object) -> Chat:
        return connect(
            settings,
            transport=self.network,
            clock=self.clock,
            rng=NoWaits(),
            **options,  # type: ignore[arg-type]
        )

    @property
    def now(self) -> float:
        return self.clock.utc().timestamp()

    @property
    def session(self) -> ServedSession:
        """The only session."""
        [session] = self.core._sessions.values()
        return session

    def say(self, text: str, **members: object) -> None:
        self.core.say(self.session.token, self.now, text=text, **members)  # type: ignore[arg-type]
        self.flush()

    def do(self, what: Callable[[Secret, float], object]) -> None:
        what(self.session.token, self.now)
        self.flush()

    async def time_passes(self, until: Callable[[], bool]) -> None:
        """Let time pass until a condition holds."""

        def is_so() -> bool:
            self.clock.advance(0.1)
            return until()

        await eventually(is_so)

    def said(self) -> list[str]:
        """Return the guest's texts, in the provider's order."""
        bodies = [body for body in self.session.messages if body.direction == "Inbound" and body.type != "Event"]
        return [body.text or "" for body in bodies]

    def actions(self) -> list[str]:
        return [str(frame["action"]) for frame in self.frames]

    # --- the provider -----------------------------------------------------------------------------------------

    def new_id(self, _kind: str) -> str:
        self.ids += 1
        return f"p{self.ids:04}"

    def user_of(self, jwt: Secret) -> tuple[str, str, str] | None:
        return ("ada", "Ada", "L.") if jwt.reveal() in self.good_jwts else None

    def download_url(self, _token: Secret, file: ServedFile) -> str:
        return f"https://files.example.test/{file.attachment_id}?{self.new_id('url')}"

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        self.upgrades.append(request)
        return self.refusals.pop(0) if self.refusals else _Line(self, f"c{len(self.upgrades)}")

    def received(self, connection: str, text: str) -> None:
        self.frames.append(json.loads(text))
        if not self.deaf:
            self.core.frame_received(connection, text, self.now)
            self.flush()

    def flush(self) -> None:
        for effect in self.core.effects():
            socket = self.sockets.get(effect.connection)
            match effect:
                case WriteFrame(_, text) if socket is not None:
                    socket.send(text)
                case CloseConnection(_, code) if socket is not None:
                    socket.close(code)
                case _:
                    pass
        self.happenings += self.core.happenings()

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        self.calls.append(request)
        parts = urlsplit(request.url)
        if scripted := self.answers.get(parts.path):
            return scripted.pop(0)
        if parts.path == config_path(DEPLOYMENT):
            return _json(self.config())
        if parts.path == domains_path(DEPLOYMENT):
            return _json(self.domains)
        if parts.path == HISTORY_PATH:
            return self.history(request)
        if parts.path == EXCHANGE_PATH:
            oauth = parse_exchange_request(request.body).oauth
            return (
                _json(JwtAnswer(jwt="user-1", refresh_token="refresh-1")) if oauth.code == "code" else HttpAnswer(403)
            )
        if parts.path == REFRESH_PATH:
            is_good = parse_refresh_request(request.body).refresh_token == "refresh-1"
            self.good_jwts = {"user-2"}
            return _json(JwtAnswer(jwt="user-2")) if is_good else HttpAnswer(401)
        if parts.path == REVOKE_PATH:
            jwt = bearer_of(request.headers.get("authorization"))
            if jwt is None or jwt.reveal() not in self.good_jwts:
                return HttpAnswer(401)
            self.core.log_out("ada")
            self.flush()
            return HttpAnswer(204)
        if request.method == "PUT":
            return self.upload(request, parts.path.rpartition("/")[2])
        return HttpAnswer(404)

    def upload(self, request: HttpRequest, attachment_id: str) -> HttpAnswer:
        self.uploads.append(request)
        if self.stores_uploads:
            self.core.uploaded(self.session.token, attachment_id, self.now, stored_as=attachment_id)
            self.flush()
        return HttpAnswer(200)

    def history(self, request: HttpRequest) -> HttpAnswer:
        jwt = bearer_of(request.headers.get("authorization"))
        session = None if jwt is None else self.core.session(Secret(jwt.reveal().removeprefix("key ")))
        if session is None:
            return HttpAnswer(401)
        query = parse_history_query(dict(parse_qsl(urlsplit(request.url).query)))
        return _json(history_page(session.messages, query))

    def config(self) -> DeploymentConfig:
        chat = Conversations(
            show_user_typing_indicator=True,
            auto_start=AutoStart(enabled=self.auto_start),
            conversation_clear=Switch(enabled=True),
        )
        return DeploymentConfig(
            id=DEPLOYMENT,
            status="Active",
            messenger=Messenger(
                apps=ConversationsApp(conversations=chat), file_upload=FileUpload(enable_attachments=True)
            ),
            auth=Auth(enabled=True, allow_session_upgrade=True),
        )


class _Line:
    def __init__(self, provider: WebProvider, name: str) -> None:
        self._provider = provider
        self._name = name

    def opened(self, socket: Socket) -> None:
        self._provider.sockets[self._name] = socket
        self._provider.core.opened(self._name)

    def text(self, frame: str) -> None:
        self._provider.received(self._name, frame)

    def writable(self) -> None:
        pass

    def closed(self, code: int) -> None:
        self._provider.sockets.pop(self._name, None)
        self._provider.core.closed(self._name)


class App:
    """Reads a chat's events into a list."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.events: list[Event] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.chat:
            self.events.append(event)

    async def connected(self, times: int = 1) -> None:
        await eventually(lambda: self.statuses().count(ConnectionStatus.CONNECTED) >= times)

    def statuses(self) -> list[ConnectionStatus]:
        return [event.status for event in self.events if isinstance(event, StatusChanged)]

    def texts(self, sender: str = "agent") -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message) and event.sender == sender]

    def fates(self, client_id: str) -> list[Fate]:
        return [e.status for e in self.events if isinstance(e, Receipt) and e.client_id == client_id]

    def code(self) -> str:
        """Return why the connection failed for good."""
        assert self.chat.error is not None
        return self.chat.error.code


def _json(value: msgspec.Struct) -> HttpAnswer:
    return HttpAnswer(200, {"content-type": "application/json"}, msgspec.json.encode(value))
