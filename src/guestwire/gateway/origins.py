"""Which web sites may use the API, and the CORS answers that let them."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestwire.gateway.errors import error_response

__all__ = ["Origins", "may_use"]

API_PREFIX = "/api/"

_PREFLIGHT = {
    "access-control-allow-methods": "DELETE, GET, POST",
    "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key",
    "access-control-max-age": "600",
}


def may_use(origin: str | None, *, host: str, scheme: str, allowed: Collection[str]) -> bool:
    """Return whether a page of `origin` may call us.

    Exact matches only: no suffix, no case folding, and `null` only when every site is allowed. No Origin means no
    browser, or a page's own GET; who isn't a browser can send what it likes anyway.

    Args:
        origin: The Origin header; two of them arrive joined and match nothing.
        host: The Host header: the page we serve ourselves has that address.
        scheme: How the request came. Behind a proxy that ends TLS it comes as http for a page that has https.
        allowed: Origins of the settings; "*" means every one.
    """
    if origin is None or "*" in allowed or origin in allowed:
        return True
    return bool(host) and origin in {f"{scheme}://{host}", f"https://{host}"}


class Origins:
    """Refuses foreign origins on the API before anything else is looked at, and answers CORS for the others."""

    def __init__(self, app: ASGIApp, *, allowed: Collection[str]) -> None:
        """Wrap `app`."""
        self._app = app
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
            origin, host=headers.get("host", ""), scheme=scope.get("scheme", "http"), allowed=self._allowed
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
            await error_response(scope, "origin-not-allowed")(scope, receive, add_headers)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, add_headers)
        else:
            await self._app(scope, receive, add_headers)
