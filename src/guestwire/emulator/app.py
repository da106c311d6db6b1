"""The emulator as one ASGI application: routes, guards, and one error body for everything."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from guestwire.emulator.control import Control
from guestwire.emulator.control_routes import control_routes
from guestwire.emulator.desk import Desk
from guestwire.emulator.desk_feed import DeskFeed
from guestwire.emulator.desk_files import file_routes
from guestwire.emulator.desk_refusals import REFUSALS, DeskRefused
from guestwire.emulator.desk_routes import desk_routes
from guestwire.emulator.flow import Flow
from guestwire.emulator.guards import GuestCors, OwnSite, OwnSiteOnly, SecurityHeaders, is_guest_path
from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.guest_socket import GuestSockets
from guestwire.emulator.http import ApiError, error_body
from guestwire.emulator.oauth_routes import oauth_routes
from guestwire.emulator.org import Org
from guestwire.emulator.session_routes import SOCKET_PATH, session_routes
from guestwire.emulator.web_messaging.control_routes import messaging_control_routes
from guestwire.emulator.web_messaging.routes import messaging_routes
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.static_files import WEB, StaticFiles, files_below

__all__ = ["create_app"]


def create_app(org: Org, *, host: str = "127.0.0.1", public_url: str | None = None) -> Starlette:
    """Put `org` on the network.

    Args:
        host: The address that is listened on; on loopback, desk and control answer to this machine's names only.
        public_url: Where people find the emulator, when that differs.
    """
    guests = GuestSide(org, Flow())
    desk = Desk(org, guests)
    site = OwnSite(host=host, public_url=public_url)
    sockets = GuestSockets(org, guests)
    feed = DeskFeed(org, desk, site)
    files = StaticFiles(_desk_files, is_dev=False)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(files.load)
        yield

    routes: list[BaseRoute] = [
        *oauth_routes(org),
        *session_routes(org, public_url=public_url),
        websocket_route(SOCKET_PATH, sockets.authorise),
        *messaging_routes(org, guests, public_url=public_url),
        Mount(
            "/desk/api", routes=[*desk_routes(org, desk), *file_routes(org), websocket_route("/events", feed.authorise)]
        ),
        *control_routes(org, Control(org, guests), desk),
        *messaging_control_routes(org),
        *_pages(files),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(OwnSiteOnly, org, site),
            Middleware(GuestCors, org),
        ],
        exception_handlers=_error_handlers(org),
        lifespan=lifespan,
    )


def _pages(files: StaticFiles) -> list[BaseRoute]:
    async def to_desk(_request: Request) -> Response:
        return RedirectResponse("/desk")

    pages = [Route(path, files) for path in ("/desk", "/desk/{path:path}", SHARED_MODULE)]
    return [Route("/", to_desk, methods=["GET"]), *pages]


SHARED_MODULE = "/widget/core/richtext.js"
"""The one module of the widget that the desk uses: how texts read to guests."""


def _desk_files() -> dict[str, Path]:
    page = WEB / "desk" / "index.html"
    shared = WEB / SHARED_MODULE.removeprefix("/")
    return {"/desk": page, "/desk/": page, SHARED_MODULE: shared, **files_below(WEB, "desk")}


def _error_handlers(org: Org) -> dict[type[Exception] | int, Callable[[Request, Exception], Response]]:
    def answer(request: Request, error: Exception) -> Response:
        refusal = _as_api_error(request.url.path, error)
        return Response(
            error_body(refusal, org.ids),
            status_code=refusal.status,
            headers=refusal.headers,
            media_type="application/json",
        )

    return dict.fromkeys((ApiError, DeskRefused, HTTPException, Exception), answer)


_HTTP_WORDS = {404: "There is nothing at this address.", 405: "This address does not take that method."}


def _as_api_error(path: str, error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case DeskRefused():
            return ApiError(REFUSALS[error.code], error.code, str(error))
        case HTTPException():
            words = _HTTP_WORDS.get(error.status_code, error.detail)
            return ApiError(error.status_code, _code(path, error.status_code), words, headers=error.headers)
        case _:
            # Starlette raises it again after this answer, and the server writes it to the log.
            return ApiError(500, _code(path, 500), "Something went wrong in the emulator.")


def _code(path: str, status: int) -> str:
    words = {404: "not-found", 405: "method-not-allowed", 500: "internal"}.get(status, "bad-request")
    return words.replace("-", ".") if is_guest_path(path) else words
