"""Which web sites may use the API, and the CORS answers that let them."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestwire.gateway.context import context_id
from guestwire.gateway.errors import error_response
from guestwire.net.logs import get_logger

__all__ = ["Origins", "is_loopback_host", "may_use"]

API_PREFIX = "/api/"

_log = get_logger("guestwire.gateway")

_PREFLIGHT = {
    "access-control-allow-methods": "DELETE, GET, POST",
    "access-control-allow-headers": "Authorization, Content-Type, Filename, Idempotency-Key",
    "access-control-max-age": "600",
}


def may_use(origin: str | None, *, host: str, scheme: str, allowed: Collection[str], is_loopback: bool = False) -> bool:
    """Return whether a page of `origin` may call us.

    Exact matches only: no suffix, no case folding, and `null` only when every site is allowed. No Origin means no
    browser, or a page's own GET; who isn't a browser can send what it likes anyway.

    Args:
        origin: The Origin header; two of them arrive joined and match nothing.
        host: The Host header: the page we serve ourselves has that address.
        scheme: How the request came. Behind a proxy that ends TLS it comes as http for a page that has https.
        allowed: Origins of the settings; "*" means every one.
        is_loopback: Whether we listen on this machine only. Then a Host that is not this machine's own name came from a
            page that makes its name point here (DNS rebinding); with https it can't, for want of a certificate.
    """
    if origin is None or "*" in allowed or origin in allowed:
        return True
    if not host or origin not in {f"{scheme}://{host}", f"https://{host}"}:
        return False
    return origin.startswith("https://") or not is_loopback or is_loopback_host(_hostname(host))


def is_loopback_host(host: str) -> bool:
    """Return whether a name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class Origins:
    """Refuses foreign origins on the API before anything else is looked at, and answers CORS for the others."""

    def __init__(self, app: ASGIApp, *, allowed: Collection[str], is_loopback: bool) -> None:
        """Wrap `app`; `is_loopback` says whether it is listening on this machine only."""
        self._app = app
        self._is_loopback = is_loopback
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the API's requests; pass the others on as they are."""
        if scope["type"] != "http" or not scope["path"].startswith(API_PREFIX):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        origin = ", ".join(origins) if origins else None
        is_allowed = may_use(
            origin,
            host=headers.get("host", ""),
            scheme=scope.get("scheme", "http"),
            allowed=self._allowed,
            is_loopback=self._is_loopback,
        )

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if origin is not None and is_allowed:
                    answer["access-control-allow-origin"] = origin
                    answer["access-control-expose-headers"] = "Retry-After"
            await send(message)

        if not is_allowed:
            # The origin is what the operator must compare with allowed_origins.
            _log.warning("origin not allowed", origin=(origin or "")[:200], context_id=context_id(scope))
            await error_response(scope, "origin-not-allowed")(scope, receive, add_headers)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, add_headers)
        else:
            await self._app(scope, receive, add_headers)
