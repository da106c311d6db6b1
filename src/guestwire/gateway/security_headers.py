"""Headers that keep our pages and answers in their place."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeaders", "page_policy"]

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""For answers that are no page; what isn't rendered needs nothing."""


def page_policy(socket_url: str | None, pictures_url: str | None = None) -> str:
    """Return the Content-Security-Policy of our pages.

    Args:
        socket_url: In direct mode the page talks to the provider's WebSocket itself, so its origin is allowed; None
            where it talks to us only.
        pictures_url: The provider's address: an emulator has the pictures of its people on that host, without TLS.
    """
    pictures = urlsplit(pictures_url or "")
    unencrypted = f" http://{pictures.hostname}:*" if pictures.scheme == "http" else ""
    parts = urlsplit(socket_url or "")
    elsewhere = f" {parts.scheme}://{parts.netloc}" if socket_url else ""
    return "; ".join(
        (
            "default-src 'self'",
            f"connect-src 'self'{elsewhere}",
            f"img-src 'self' https: data:{unencrypted}",
            "style-src 'self'",
            "script-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
            "require-trusted-types-for 'script'",
        )
    )


class SecurityHeaders:
    """Adds the headers to every answer; pages get their own policy."""

    def __init__(self, app: ASGIApp, *, socket_url: str | None, pictures_url: str | None = None) -> None:
        """Wrap `app`."""
        self._app = app
        self._page_policy = page_policy(socket_url, pictures_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add to its answer."""

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # A 304 has no type, and a browser would put its policy in the place of the one it keeps with the page.
                if message["status"] != 304:
                    is_page = headers.get("content-type", "").startswith("text/html")
                    # A file of a chat has a policy of its own.
                    headers.setdefault("content-security-policy", self._page_policy if is_page else _NOTHING)
                for name, value in _ALWAYS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, add_headers if scope["type"] == "http" else send)
