"""The guests' WebSockets of Web Messaging: who may open one, and the faults of the connection upon each.

Source: web-messaging §1.2, §2.11; §8 rows 19, 20.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from guestwire.emulator.changes import Change, FaultsChanged, GarbageSent, SocketsDropped, WasReset
from guestwire.emulator.faults import FaultName
from guestwire.emulator.faulty_socket import FaultySocket
from guestwire.emulator.http import ApiError, error_body
from guestwire.emulator.org import Org
from guestwire.emulator.web_messaging.deployments import domains_of
from guestwire.emulator.web_messaging.refusals import refusal_of
from guestwire.emulator.web_messaging.service import WebMessaging
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.protocols.web_messaging.limits import Window
from guestwire.protocols.web_messaging.wire import Direction, MessageBody, MessageKind, decode_outbound, encode_outbound

__all__ = ["MESSAGING_PATH", "MessagingSockets"]

MESSAGING_PATH = "/v1"

CLOSE_AFTER_S = 0.5
"""A client that is told to go closes by itself; one that does not is closed after this (§2.6)."""

CONNECTIONS_PER_MIN = 1000
"""New ones per deployment (§5)."""

RESTARTED = 1012

GARBAGE = (
    "this is <not> JSON {",
    '{"type":"message","class":"EmulatedNonsense","code":200,"body":{"text":"A frame of a class that nobody knows."}}',
)


class MessagingSockets:
    """All open connections."""

    def __init__(self, org: Org, service: WebMessaging, *, public_url: str | None) -> None:
        """Listen to the org; `public_url` is where guests find the emulator, None means where they asked."""
        self.org = org
        self.service = service
        self._public_url = public_url
        self._open: set[_Connection] = set()
        self._rates: defaultdict[str, Window] = defaultdict(partial(Window, CONNECTIONS_PER_MIN, 60.0))
        org.subscribe(self._changed)

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        """Let in whoever comes from a site of the deployment's; an unknown one is refused by a frame (§8 row 19)."""
        deployment = self.org.deployments.get(request.query.get("deploymentId", ""))
        if self.org.faults.is_on(FaultName.REFUSE_UPGRADE):
            return self._refusal(403, "forbidden", "The fault refuse-upgrade is on.")
        if deployment is not None:
            if not domains_of(deployment).allows(request.headers.get("origin")):
                return self._refusal(403, "forbidden", "This site may not use the deployment.")
            if self._rates[deployment.id].take(self.org.clock.now()) > 0:
                return self._refusal(429, "too.many.requests", "Too many connections in a minute.")
        return _Connection(self, self.org.ids.new_id("connection"), self._base_url(request))

    def add(self, connection: _Connection) -> None:
        """Let the faults act on a connection from now on."""
        self._open.add(connection)

    def discard(self, connection: _Connection) -> None:
        """Forget it."""
        self._open.discard(connection)

    def _base_url(self, request: UpgradeRequest) -> str:
        return (self._public_url or f"http://{request.headers.get('host', 'localhost')}").rstrip("/")

    def _refusal(self, status: int, code: str, words: str) -> Refusal:
        return Refusal(status, error_body(ApiError(status, code, words), self.org.ids))

    def _changed(self, change: Change) -> None:
        if isinstance(change, WasReset):
            self._rates.clear()  # the clock may have gone back
        for connection in tuple(self._open):
            match change:
                case SocketsDropped():
                    connection.socket.drop()
                case GarbageSent():
                    for text in GARBAGE:
                        connection.socket.send_plain(text)
                case WasReset():
                    connection.socket.stall_or_go_on()
                    connection.socket.close(RESTARTED, "the emulator was reset")
                case FaultsChanged():
                    connection.socket.stall_or_go_on()
                case _:
                    return


class _Connection:
    """One connection: `SocketHandler` towards the network, `Line` towards the service."""

    socket: FaultySocket

    def __init__(self, sockets: MessagingSockets, connection_id: str, base_url: str) -> None:
        self._sockets = sockets
        self._id = connection_id
        self._base_url = base_url
        self._closing: asyncio.TimerHandle | None = None

    # --- from the network ----------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        self.socket = FaultySocket(self._sockets.org, socket, self._take)
        self._sockets.add(self)
        self._sockets.service.opened(self._id, self)
        self.socket.stall_or_go_on()

    def text(self, frame: str) -> None:
        self.socket.received(frame)

    def writable(self) -> None:
        """Nothing waits here: what a slow reader can't take is cut off by the socket itself (4411)."""

    def closed(self, code: int) -> None:  # noqa: ARG002 - whatever the code, it is gone
        if self._closing is not None:
            self._closing.cancel()
        self.socket.stop()
        self._sockets.discard(self)
        self._sockets.service.closed(self._id)

    # --- from the service ----------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        faults, session = self._sockets.org.faults, self._sockets.service.name_of(self._id)
        if not faults.is_on(FaultName.ECHO) and not faults.is_on(FaultName.REORDER_FRAMES):
            self.socket.send(text, session=session)
            return
        frame = decode_outbound(text)
        body = getattr(frame, "body", None)
        is_message = isinstance(body, MessageBody) and body.type != MessageKind.EVENT
        copies, delay_s = (1, 0.0)
        if isinstance(body, MessageBody) and is_message and body.direction == Direction.INBOUND:
            copies, delay_s = self._echo(body.id or "")
        for _ in range(copies):
            self.socket.send(text, session=session, may_be_overtaken=is_message, delay_s=delay_s)

    def close_soon(self, code: int) -> None:
        self._closing = asyncio.get_running_loop().call_later(CLOSE_AFTER_S, self.socket.close, code)

    def _take(self, frame: str) -> None:
        refusal = refusal_of(self._sockets.org, frame)
        if refusal is not None:
            self.write(encode_outbound(refusal))
        else:
            self._sockets.service.frame_received(self._id, frame, self._base_url)

    def _echo(self, message_id: str) -> tuple[int, float]:
        """Return how often an echo is said, and how late: the same on all connections of its session."""
        faults, ids = self._sockets.org.faults, self._sockets.org.ids

        def happens(param: str) -> bool:
            return ids.named_draw(param, message_id) * 100 < faults.value(FaultName.ECHO, param)

        copies = 0 if happens("lossPercent") else 1 + happens("duplicatePercent")
        return copies, faults.value(FaultName.ECHO, "delayMs") / 1000
