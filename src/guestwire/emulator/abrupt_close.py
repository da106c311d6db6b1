"""Break a WebSocket's connection without a close frame, as a network does.

The `Socket` interface closes politely. A close with 1006, a code that must not travel, means here: end the
application's task without closing; the server then closes the TCP connection, and the peer sees 1006.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestwire.emulator.paced_socket import DROPPED

__all__ = ["AbruptClose"]


class AbruptClose:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through but a close with 1006."""
        task = asyncio.current_task()
        if scope["type"] != "websocket" or task is None:
            await self._app(scope, receive, send)
            return
        is_dropped = False

        async def send_or_drop(message: Message) -> None:
            nonlocal is_dropped
            if message["type"] == "websocket.close" and message.get("code") == DROPPED:
                is_dropped = True
                task.cancel()
                return
            await send(message)

        try:
            await self._app(scope, receive, send_or_drop)
        except asyncio.CancelledError:
            if not is_dropped:
                raise
            task.uncancel()
