"""Our real server with an echo behind the callback interface, as the Autobahn cases and the fuzzers want it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.applications import Starlette

from guestwire.net.server import Server
from guestwire.net.starlette_socket import websocket_route
from guestwire.net.websocket import Socket, SocketHandler, UpgradeRequest


@dataclass
class Echo:
    """An echo server and what its handlers went through.

    Attributes:
        opened: How many handlers were opened.
        closed: How many were closed.
        frames: How many text frames they were given.
        broken_rules: Calls that `net.websocket` promises not to make.
    """

    server: Server = field(init=False)
    opened: int = 0
    closed: int = 0
    frames: int = 0
    broken_rules: list[str] = field(default_factory=list)


class EchoHandler:
    """Send every frame back."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._state = "new"
        self._socket: Socket

    def opened(self, socket: Socket) -> None:
        self._expect("new", "opened")
        self._state = "open"
        self._echo.opened += 1
        self._socket = socket

    def text(self, frame: str) -> None:
        self._expect("open", "text")
        self._echo.frames += 1
        self._socket.send(frame)

    def writable(self) -> None:
        self._expect("open", "writable")

    def closed(self, code: int) -> None:
        self._expect("open", "closed")
        self._state = "closed"
        self._echo.closed += 1

    def _expect(self, state: str, callback: str) -> None:
        if self._state != state:
            self._echo.broken_rules.append(f"{callback} while {self._state}")


@contextlib.asynccontextmanager
async def echo_server() -> AsyncIterator[Echo]:
    """Serve echoes at /ws, with the settings of every server of ours."""
    echo = Echo()

    async def authorise(_request: UpgradeRequest) -> SocketHandler:
        return EchoHandler(echo)

    async with Server(Starlette(routes=[websocket_route("/ws", authorise)])) as server:
        echo.server = server
        yield echo
