"""The gateway as an ASGI app."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guestwire import __version__
from guestwire.client.tokens import TokenBroker
from guestwire.errors import ChatError, ConfigError
from guestwire.gateway.access_log import AccessLog
from guestwire.gateway.errors import CatchErrors, NotAllowed, show_http_exception, show_problem
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.origins import Origins, is_loopback_host
from guestwire.gateway.relay.guest_session_upstream import GuestSessionUpstreams
from guestwire.gateway.relay.interface import FailPoint, UpstreamFactory, no_fail_point
from guestwire.gateway.relay.relay import Relay
from guestwire.gateway.relay.routes import SOCKET_PATH
from guestwire.gateway.relay.sealed import Seal
from guestwire.gateway.relay.web_messaging_upstream import WebMessagingUpstreams
from guestwire.gateway.security_headers import SecurityHeaders
from guestwire.gateway.sessions_routes import SessionRoutes
from guestwire.net.clock import Clock, SystemClock
from guestwire.net.http import HttpClient
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.static_files import WEB, StaticFiles, files_below
from guestwire.settings import GatewaySettings, ProviderSettings

__all__ = ["browser_files", "create_gateway", "drain"]


def create_gateway(
    settings: GatewaySettings,
    *,
    clock: Clock | None = None,
    upstreams: UpstreamFactory | None = None,
    fail_point: FailPoint = no_fail_point,
) -> Starlette:
    """Build the app; its lifespan reads the browser files, opens the session log, and closes what was opened.

    The lifespan raises `ConfigError` when the deployment's id, or the OAuth client's id or secret, is missing.

    Args:
        settings: Read once; nothing else is.
        clock: The time, for limits and tokens; the computer's by default.
        upstreams: Makes each session's way to the provider; by default the one that the settings name.
        fail_point: For chaos tests, see `relay.interface.FailPoint`.

    Raises:
        ConfigError: `ca_file` or one of `mask_patterns` can't be used, or the provider knows no direct mode.
    """
    clock = clock or SystemClock()
    provider = settings.provider
    transport = HttpClient(
        ca_file=provider.ca_file,
        use_system_proxy=provider.use_system_proxy,
        connect_timeout_s=provider.connect_timeout_s,
        answer_timeout_s=provider.answer_timeout_s,
    )
    static = StaticFiles(browser_files, is_dev=settings.dev, public=("/guest-chat.js", "/widget/"))
    metrics = Metrics()
    relay: Relay | None = None
    routes: list[BaseRoute]
    if settings.mode == "relay":
        relay = Relay(settings, clock=clock, metrics=metrics, downloads=transport, fail_point=fail_point)
        routes = [
            *_only(*relay.routes.routes(), *relay.attachments.routes()),
            websocket_route(SOCKET_PATH, relay.hub.authorise),
        ]
    else:
        _check_direct(provider)
        tokens = TokenBroker(transport, provider, clock=clock)
        direct = SessionRoutes(settings, transport=transport, tokens=tokens, clock=clock, metrics=metrics)
        routes = [*_only(*direct.routes())]

    def make_upstreams(keys: Sequence[bytes]) -> UpstreamFactory:
        if upstreams is not None:
            return upstreams
        make = GuestSessionUpstreams if provider.resolved_api == "guest-session" else WebMessagingUpstreams
        return make(
            provider=provider,
            transport=transport,
            seal=Seal(keys),
            clock=clock,
            fail_point=fail_point,
            on_foreign=metrics.foreign_messages.inc,
            metrics=metrics,
        )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(provider.check_identity)  # for its ConfigError: better now than at the first guest
        await run_in_threadpool(static.load)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(transport)
            if relay is not None:
                await stack.enter_async_context(relay.running(make_upstreams))
            yield

    app = Starlette(
        routes=[
            *routes,
            *_only(Route("/health", _show_health, methods=["GET"]), Route("/metrics", metrics.show, methods=["GET"])),
            Route("/{path:path}", static),  # answers 404 for what isn't there
        ],
        # From the outside in. What an inner one raises or leaves out, an outer one still logs and dresses.
        middleware=[
            Middleware(AccessLog, clock=clock, metrics=metrics),
            Middleware(
                SecurityHeaders,
                socket_url=_socket_elsewhere(settings),
                pictures_url=settings.provider.resolved_base_url,
            ),
            Middleware(Origins, allowed=settings.allowed_origins, is_loopback=is_loopback_host(settings.host)),
            Middleware(CatchErrors),
        ],
        exception_handlers={HTTPException: show_http_exception, ChatError: show_problem},
        lifespan=lifespan,
    )
    app.state.drain = _nothing_to_drain if relay is None else relay.hub.drain
    app.router.redirect_slashes = False  # one address for one thing; a redirect would lose a POST's body anyway
    return app


async def drain(app: Starlette) -> None:
    """Ask the browsers of a gateway that is about to stop to come back; takes 2 s at most."""
    await app.state.drain()


def browser_files() -> dict[str, Path]:
    """Return what browsers get: the chat page and the widget, URL path → file."""
    return {
        "/": WEB / "page" / "index.html",
        "/guest-chat.js": WEB / "guest-chat.js",
        **files_below(WEB, "page"),
        **files_below(WEB, "widget"),
    }


def _check_direct(provider: ProviderSettings) -> None:
    if provider.resolved_api == "web-messaging":
        raise ConfigError(
            "mode: direct needs a provider that speaks guest-session, got web-messaging, whose sessions the gateway "
            "must relay. Set mode to relay (the default), or api to guest-session."
        )


def _only(*routes: Route) -> list[Route]:
    """Follow each route by one that answers its other methods with 405."""
    return [
        either
        for route in routes
        for either in (route, Route(route.path, NotAllowed(", ".join(sorted(route.methods or ())))))
    ]


def _socket_elsewhere(settings: GatewaySettings) -> str | None:
    if settings.mode == "direct":
        return settings.provider.resolved_socket_url
    return None if settings.public_url is None else f"ws{settings.public_url.removeprefix('http')}"


async def _nothing_to_drain() -> None:
    pass


async def _show_health(_request: Request) -> Response:
    return Response(msgspec.json.encode({"status": "ok", "version": __version__}), media_type="application/json")
