"""The emulator, running: an org on the network and, at its desk, the demo agent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Self

from guestwire.emulator.app import create_app
from guestwire.emulator.clock import EmulatorClock
from guestwire.emulator.demo_agent import DemoAgent
from guestwire.emulator.faults import FaultName
from guestwire.emulator.org import Org
from guestwire.emulator.records import DeploymentRecord, OAuthClient
from guestwire.emulator.session_routes import SOCKET_PATH
from guestwire.emulator.web_messaging.identity_routes import AUTHORIZE_PATH
from guestwire.model.secret import Secret
from guestwire.net.clock import Clock
from guestwire.net.server import Server
from guestwire.protocols.web_messaging.deployment import config_path
from guestwire.settings import EmulatorSettings

__all__ = ["Emulator"]


class Emulator:
    """An emulated org for the length of an `async with`.

    Example:
        async with Emulator() as emulator:
            settings = ProviderSettings(base_url=emulator.url, client_id=emulator.client_id, …)

    Attributes:
        settings: As they are in effect.
        org: The state itself, for tests in the same process; the same as behind the control API.
    """

    def __init__(
        self,
        settings: EmulatorSettings | None = None,
        *,
        port: int | None = None,
        clients: Iterable[OAuthClient] = (),
        clock: Clock | None = None,
    ) -> None:
        """Set it up; nothing is bound yet.

        Args:
            settings: None means the defaults, on a free port.
            port: Takes the place of the settings' port; 0 means any free one.
            clients: Further OAuth clients beside the one of the settings.
            clock: Where real time comes from, for tests; the org's own clock stands on it.
        """
        self.settings = settings or EmulatorSettings(port=0)
        self._port = self.settings.port if port is None else port
        self._clock = clock
        own = OAuthClient(self.settings.client_id, self.settings.client_secret)
        self.org = Org(
            [own, *clients],
            clock=None if clock is None else EmulatorClock(clock, is_seeded=self.settings.seed is not None),
            seed=self.settings.seed,
            access_token_ttl_s=self.settings.access_token_ttl_s,
            session_ttl_s=self.settings.session_ttl_s,
            capabilities=_capabilities(self.settings),
            deployments=[DeploymentRecord(id=self.settings.deployment_id)],
        )
        self._server: Server | None = None
        self._stack: contextlib.AsyncExitStack | None = None

    async def __aenter__(self) -> Self:
        """Bind, serve, and bring the demo agent to the desk.

        Raises:
            ConfigError: The address can't be bound.
        """
        settings = self.settings
        app = create_app(self.org, host=settings.host, public_url=settings.public_url)
        async with contextlib.AsyncExitStack() as stack:
            server = Server(app, host=settings.host, port=self._port, graceful_s=1)
            self._server = await stack.enter_async_context(server)
            if settings.demo_agent:
                await stack.enter_async_context(self._demo_agent(server.url))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every socket (1012) and stop."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        """Base URL of the REST API on this machine, without a slash at the end."""
        return self._running.url

    @property
    def oauth_url(self) -> str:
        """The token endpoint as real orgs have it; the tutorial's `/api/v2/oauth/token` is served, too."""
        return f"{self.url}/oauth/token"

    @property
    def ws_url(self) -> str:
        """Where guests' WebSockets connect on this machine, without a query."""
        return f"{self._running.ws_url}{SOCKET_PATH}"

    @property
    def deployment_id(self) -> str:
        """Id of the Messenger deployment that there is from the start."""
        return self.settings.deployment_id

    @property
    def messaging_url(self) -> str:
        """Where guests' sockets of Web Messaging connect on this machine, without path and query."""
        return self._running.ws_url

    @property
    def config_url(self) -> str:
        """The public configuration of that deployment."""
        return f"{self.url}{config_path(self.deployment_id)}"

    @property
    def authorize_url(self) -> str:
        """Where guests sign in at the emulator's identity provider, without a query."""
        return f"{self.url}{AUTHORIZE_PATH}"

    @property
    def desk_url(self) -> str:
        """The agent desk's page, at `public_url` when that is set."""
        return f"{(self.settings.public_url or self.url).rstrip('/')}/desk"

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._running.port

    @property
    def client_id(self) -> str:
        """Id of the OAuth client."""
        return self.settings.client_id

    @property
    def client_secret(self) -> Secret:
        """Its secret."""
        return self.settings.client_secret

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("Expected a running emulator: use it with `async with`.")
        return self._server

    @contextlib.asynccontextmanager
    async def _demo_agent(self, url: str) -> AsyncIterator[None]:
        agent = DemoAgent(url, delay_s=self.settings.demo_agent_delay_s, clock=self._clock)
        working = asyncio.create_task(agent.run(), name="demo agent")
        ready = asyncio.create_task(agent.is_ready.wait())
        try:
            await asyncio.wait({working, ready}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()  # it never returns: raises what broke it
            yield
        finally:
            ready.cancel()
            working.cancel()
            await asyncio.gather(working, ready, return_exceptions=True)


def _capabilities(settings: EmulatorSettings) -> list[FaultName]:
    wanted = {FaultName.ECHO: settings.echo, FaultName.HISTORY: settings.history}
    return [name for name, is_wanted in wanted.items() if is_wanted]
