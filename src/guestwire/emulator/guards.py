"""What every answer passes: CORS for the guest's side, no foreign site for desk and control, security headers.

Plain ASGI middleware; the guest's side is open to every origin (`null` of a page opened from disk included), desk and
control to none but their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestwire.emulator.faults import FaultName
from guestwire.emulator.http import ApiError, error_body
from guestwire.emulator.org import Org
from guestwire.net.websocket import UpgradeRequest

__all__ = ["GuestCors", "OwnSite", "OwnSiteOnly", "SecurityHeaders", "is_guest_path"]

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_DESK_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https: http:; font-src 'self'; "
    "connect-src 'self'; media-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"


def is_guest_path(path: str) -> bool:
    """Return whether a path belongs to the platform's own API, the guest's side."""
    return path.startswith(("/api/", "/oauth/", "/webdeployments/", "/identity/"))


class GuestCors:
    """Answers preflights of the guest's side and lets every origin read its answers, unless the fault is on."""

    def __init__(self, app: ASGIApp, org: Org) -> None:
        """Wrap `app`."""
        self._app = app
        self._org = org

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_open = scope["type"] == "http" and is_guest_path(scope["path"])
        if not is_open or self._org.faults.is_on(FaultName.NO_CORS):
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in asked:
            await Response(status_code=204, headers=_preflight(asked))(scope, receive, send)
            return

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["access-control-allow-origin"] = "*"
                headers["access-control-expose-headers"] = "Retry-After"
            await send(message)

        await self._app(scope, receive, send_open)


def _preflight(asked: Headers) -> Mapping[str, str]:
    headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, x-amz-tagging",
        # Not kept by the browser: the fault no-cors must show at once.
        "access-control-max-age": "0",
        "cache-control": "no-store",
    }
    if asked.get("access-control-request-private-network") == "true":
        headers["access-control-allow-private-network"] = "true"
    return headers


class OwnSite:
    """Decides whether a request to desk or control comes from our own pages, or from no page at all.

    A foreign page can't get past it: not with its own Origin, and not by a name of its own that resolves to this
    machine (DNS rebinding), as long as the emulator listens on loopback.
    """

    def __init__(self, *, host: str, public_url: str | None) -> None:
        """Take the address listened on and the address that people use, where it differs."""
        public = urlsplit(public_url).hostname if public_url else None
        own = LOOPBACK_HOSTS | {host, *([public] if public else [])}
        self._hosts = own if _is_loopback(host) else None
        self._public_origin = public_url.rstrip("/") if public_url else None

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request with these headers (lower-case names) is refused; None when it is not."""
        host = headers.get("host", "")
        if self._hosts is not None and _hostname(host) not in self._hosts:
            return "Desk and control answer to this machine's own name only."
        origin = headers.get("origin")
        if origin is None:
            return _FOREIGN if headers.get("sec-fetch-site") == "cross-site" else None
        is_own = origin in {f"http://{host}", f"https://{host}", self._public_origin}
        return None if is_own else _FOREIGN

    def refusal_of(self, request: UpgradeRequest) -> str | None:
        """Return the same for a WebSocket."""
        return self.refusal(request.headers)


_FOREIGN = "Desk and control can't be used from another site."


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_HOSTS


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


class OwnSiteOnly:
    """Refuses requests of foreign sites to the desk's API and to the control API."""

    def __init__(self, app: ASGIApp, org: Org, site: OwnSite) -> None:
        """Wrap `app`."""
        self._app = app
        self._org = org
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; WebSockets are looked at where they are authorised."""
        if scope["type"] == "http" and scope["path"].startswith(("/desk/api/", "/emulator/")):
            reason = self._site.refusal(Headers(scope=scope))
            if reason is not None:
                body = error_body(ApiError(403, "origin-not-allowed", reason), self._org.ids)
                await Response(body, status_code=403, media_type="application/json")(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SecurityHeaders:
    """Adds the headers that every answer has; the desk's page gets a strict policy of its own."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        is_page = path == "/desk" or (path.startswith("/desk/") and not path.startswith("/desk/api/"))

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = _DESK_POLICY if is_page else _API_POLICY
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                # Pages are asked for again each time, so that an upgrade shows; answers hold tokens and are not kept.
                headers.setdefault("cache-control", "no-cache" if is_page else "no-store")
            await send(message)

        await self._app(scope, receive, send_safe)
