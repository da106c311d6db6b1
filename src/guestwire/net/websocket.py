"""The one callback interface of every server-side WebSocket shell.

Gateway and emulator write a `SocketHandler` and an `Authorise` function and know nothing of the server below. Our shell
is uvicorn's connection itself (`direct_socket`), under other servers a Starlette route (`starlette_socket`), and tests
use one in memory (`memory`). `guestwire.testing.check_transport` holds them all to the same behaviour:

- `opened` is called once, first; `closed` once, last, for every handler that was opened; `text` and `writable` only
  in between. All are plain functions, called in the event loop, and must not block.
- After `Socket.close` no `text` and no `writable` follows; frames sent before it are written, later ones ignored.
- An exception in a handler closes the socket with 1011; it never reaches the server.
- A binary frame closes with 1003, a frame that is too big with 1009: the handler sees only `closed`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

__all__ = [
    "CUT_OFF_BYTES",
    "TOO_SLOW",
    "WRITABLE_AGAIN_BYTES",
    "WRITABLE_BYTES",
    "Authorise",
    "Refusal",
    "Socket",
    "SocketHandler",
    "UpgradeRequest",
]

WRITABLE_BYTES = 32 * 1024
"""With more than this queued a socket is not writable; the size of the transport's own buffer below it."""

WRITABLE_AGAIN_BYTES = 8 * 1024
"""At or below this it is writable again: the distance keeps the signal from flickering with every frame."""

CUT_OFF_BYTES = 1024 * 1024
"""A handler that goes on sending regardless loses the connection here (4411), so memory stays bounded."""

TOO_SLOW = 4411
"""Close code for a reader that is too slow (guest-session §4.4)."""


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """The HTTP request that asks for a WebSocket; `query` and `headers` may hold secrets and are left out of the repr.

    Attributes:
        path: Without the query, unescaped.
        query: Parameters; the last one of a repeated name.
        headers: Lower-case names; repeated ones joined with ", ", so two Origins match none.
        client_host: The peer's address, after trusted proxies; empty when not known.
    """

    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    client_host: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An ordinary HTTP answer instead of the upgrade."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


class Socket(Protocol):
    """An open WebSocket, as its handler sees it."""

    @property
    def is_writable(self) -> bool:
        """Whether little enough is queued; when it was False, `SocketHandler.writable` tells when it is True again."""

    def send(self, frame: str) -> None:
        """Queue one text frame and return at once. Frames keep their order; after `close` they are ignored."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Write what is queued, then close; the second call is ignored.

        Args:
            code: 1000 to 1014 as RFC 6455 allows them, or 4000 to 4999.
            reason: At most 123 UTF-8 bytes.
        """

    def abort(self) -> None:
        """Break the connection now, without a close frame; what is not written yet is lost, and both sides see 1006."""

    def pause_reading(self) -> None:
        """Read nothing from the peer, neither pings nor its close, until `resume_reading`.

        A frame that was under way may still be shown. A peer that goes away meanwhile is noticed afterwards.
        """

    def resume_reading(self) -> None:
        """Read on; nothing that was sent meanwhile is lost."""


class SocketHandler(Protocol):
    """What happens on one WebSocket."""

    def opened(self, socket: Socket) -> None:
        """Take the socket; it is open and may be written to."""

    def text(self, frame: str) -> None:
        """Take one text frame."""

    def writable(self) -> None:
        """Go on writing: the socket was not writable and now is."""

    def closed(self, code: int) -> None:
        """Let go of everything: the socket is closed.

        Args:
            code: The code of whoever closed first; 1005 or 1006 when there was none.
        """


Authorise: TypeAlias = Callable[[UpgradeRequest], Awaitable[SocketHandler | Refusal]]
"""Decide about an upgrade: authentication and origin, in one function that any shell calls.

It must not take hold of anything: when the peer has gone meanwhile, the handler is dropped without a call.
"""
