"""A WebSocket shell as a Starlette route.

Under our own server the route does the handshake only and hands the connection over (direct_socket); under any other
ASGI server it stays, with a task that reads and one that writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from guestwire.net.direct_socket import DirectWebSocket
from guestwire.net.outgoing import CloseOrder, Link, Outgoing
from guestwire.net.uvicorn_protocols import LINK
from guestwire.net.websocket import Authorise, Refusal, SocketHandler, UpgradeRequest

__all__ = ["websocket_route"]

_log = logging.getLogger("guestwire.net")

INTERNAL_ERROR = 1011
ABNORMAL = 1006
UNSUPPORTED_DATA = 1003


def websocket_route(path: str, authorise: Authorise) -> WebSocketRoute:
    """Serve WebSockets at `path`; a refusal is an HTTP answer to the upgrade (the 403 of guest-session §4)."""

    async def endpoint(websocket: WebSocket) -> None:
        answer = await authorise(_upgrade_request(websocket))
        if isinstance(answer, Refusal):
            refusal = Response(answer.body, status_code=answer.status, media_type=answer.content_type)
            await websocket.send_denial_response(refusal)
            return
        try:
            await websocket.accept()
        except (OSError, RuntimeError, WebSocketDisconnect):
            return  # the peer went away while we looked
        link = websocket.scope.get("extensions", {}).get(LINK, {}).get("link")
        if isinstance(link, DirectWebSocket):
            link.take_over(answer)
        else:
            await _Connection(websocket, answer, link).run()

    return WebSocketRoute(path, endpoint)


class _Connection:
    """One open WebSocket: a task that writes, and the caller's task, which reads."""

    def __init__(self, websocket: WebSocket, handler: SocketHandler, link: Link | None) -> None:
        self._websocket = websocket
        self._handler = handler
        self._outgoing = Outgoing(writable=self._writable, link=link)

    async def run(self) -> None:
        writer: asyncio.Task[None] | None = None
        code = ABNORMAL
        try:
            self._call_opened()
            writer = asyncio.create_task(self._write(), name="websocket-writer")
            code = await self._read()
        finally:
            self._outgoing.close(code)  # ends the socket for the handler, whoever closed it
            self._outgoing.discard()
            try:
                if writer is not None:
                    writer.cancel()
                    await asyncio.gather(writer, return_exceptions=True)
            finally:  # also when the server cancels us a second time
                self._call_closed(code)

    async def _read(self) -> int:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return ABNORMAL if self._outgoing.is_aborted else int(message.get("code") or 1005)
            if self._outgoing.is_closing:
                continue
            text = message.get("text")
            if text is None:
                self._outgoing.close(UNSUPPORTED_DATA, "text frames only")
                continue
            try:
                self._handler.text(text)
            except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
                self._fail("text")

    async def _write(self) -> None:
        # When the peer has gone the reader sees it too, and ends the connection.
        with contextlib.suppress(OSError, RuntimeError, WebSocketDisconnect):
            while True:
                item = await self._outgoing.get()
                if isinstance(item, CloseOrder):
                    if self._outgoing.is_aborted:
                        return
                    await self._websocket.close(item.code, item.reason)
                    return
                await self._websocket.send_text(item)

    def _call_opened(self) -> None:
        try:
            self._handler.opened(self._outgoing)
        except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
            self._fail("opened")

    def _call_closed(self, code: int) -> None:
        try:
            self._handler.closed(code)
        except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
            _log.exception("A socket handler failed in closed.")

    def _writable(self) -> None:
        try:
            self._handler.writable()
        except Exception:  # noqa: BLE001 - whatever a handler does must not reach the server
            self._fail("writable")

    def _fail(self, callback: str) -> None:
        _log.exception("A socket handler failed in %s.", callback)
        self._outgoing.close(INTERNAL_ERROR)


def _upgrade_request(websocket: WebSocket) -> UpgradeRequest:
    headers: dict[str, str] = {}
    for name, value in websocket.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return UpgradeRequest(
        path=websocket.url.path,
        query=dict(websocket.query_params),
        headers=headers,
        client_host=websocket.client.host if websocket.client else "",
    )
