"""A provider over real sockets that a test scripts to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.model.secret import Secret
from guestwire.net.server import Server
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.settings import ProviderSettings

CANARY = "canary-client-5ecret"


class ScriptedProvider:
    """Answers well unless `tokens` or `sessions` hold other answers, taken one by one; None hangs until released."""

    def __init__(self) -> None:
        self.tokens: list[Response | None] = []
        self.sessions: list[Response | None] = []
        self.checks: list[Response | None] = []
        self.upgrades: list[Refusal] = []
        self.calls: list[str] = []
        self.bodies: list[object] = []
        self.frames: list[str] = []
        self.greet: Callable[[Socket], None] = lambda _socket: None
        self.session_body = b'{"sessionId":"s","token":"session-token","expiresIn":60}'
        self.release = asyncio.Event()
        self.url = ""

    def settings(self, **options: object) -> ProviderSettings:
        return ProviderSettings(
            base_url=self.url,
            client_id="id",
            client_secret=Secret(CANARY),
            **options,  # type: ignore[arg-type]
        )

    async def token(self, request: Request) -> Response:
        self.calls.append("token")
        await request.body()
        good = Response(b'{"access_token":"access-%d","expires_in":3600}' % self.calls.count("token"))
        return await self._take(self.tokens, good)

    async def session(self, request: Request) -> Response:
        self.calls.append(f"session {request.headers['authorization']}")
        self.bodies.append(await request.json())
        return await self._take(self.sessions, Response(self.session_body))

    async def check(self, request: Request) -> Response:
        self.calls.append(f"check {request.path_params['id']} {request.headers['authorization']}")
        return await self._take(self.checks, Response(b"{}"))

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        self.calls.append(f"socket {'&'.join(request.query)}")
        return self.upgrades.pop(0) if self.upgrades else _Line(self)

    async def _take(self, answers: list[Response | None], good: Response) -> Response:
        answer = answers.pop(0) if answers else good
        if answer is None:
            await self.release.wait()
            return good
        return answer

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ScriptedProvider]:
        app = Starlette(
            routes=[
                Route("/api/v2/oauth/token", self.token, methods=["POST"]),
                Route("/api/v2/chat/guestsessions", self.session, methods=["POST"]),
                Route("/api/v2/chat/guestsessions/{id}", self.check),
                websocket_route("/ws", self.authorise),
            ]
        )
        async with Server(app, graceful_s=1) as server:
            self.url = server.url
            try:
                yield self
            finally:
                self.release.set()


class _Line:
    def __init__(self, provider: ScriptedProvider) -> None:
        self._provider = provider

    def opened(self, socket: Socket) -> None:
        self._provider.greet(socket)

    def text(self, frame: str) -> None:
        self._provider.frames.append(frame)

    def writable(self) -> None:
        pass

    def closed(self, code: int) -> None:
        pass
