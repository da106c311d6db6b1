"""One line a request: what was asked for, how it went, how long it took. Never a query, a body, a token or an address.

The path is logged as the route's pattern, so a session's id is not in it, and what nobody serves is "(unknown)": people
paste secrets into paths too.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestwire.gateway.context import context_id, noted_code
from guestwire.gateway.metrics import Metrics
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger

__all__ = ["AccessLog", "route_of"]

_log = get_logger("guestwire.access")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SESSIONS = "/api/v2/chat/guestsessions"
_EXACT = frozenset({"/", "/health", "/metrics", "/guest-chat.js", _SESSIONS})


def route_of(path: str) -> str:
    """Return the pattern that stands for `path` in logs and metrics; a closed set."""
    if path in _EXACT:
        return path
    if path.startswith(f"{_SESSIONS}/"):
        _, *more = path.removeprefix(f"{_SESSIONS}/").split("/")
        if more[:1] == ["attachments"]:
            return f"{_SESSIONS}/{{sessionId}}/attachments" + ("/{id}" if more[1:] else "")
        return f"{_SESSIONS}/{{sessionId}}"
    if path.startswith("/attachments/"):
        return "/attachments/{sealed}"
    for folder in ("/widget/", "/page/"):
        if path.startswith(folder):
            return f"{folder}…"
    return "(unknown)"


class AccessLog:
    """Logs and counts every request; the outermost layer, so that nothing is missed."""

    def __init__(self, app: ASGIApp, *, clock: Clock, metrics: Metrics) -> None:
        """Wrap `app`."""
        self._app = app
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and take note of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock.now()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = route_of(scope["path"])
            self._metrics.requests.labels(route, str(status)).inc()
            code = noted_code(scope)
            if code is not None and route == _SESSIONS and scope["method"] == "POST":
                self._metrics.sessions_refused.labels(code).inc()
            details = {} if code is None else {"code": code}
            # A page is some forty files: who looks for one of them turns debug on.
            log = _log.debug if route.endswith("…") and status < 400 else _log.info
            log(
                "request",
                method=scope["method"] if scope["method"] in _METHODS else "(other)",
                route=route,
                status=status,
                duration_ms=round((self._clock.now() - began) * 1000, 1),
                context_id=context_id(scope),
                **details,
            )
