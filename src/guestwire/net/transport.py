"""What a client needs of a network: HTTP requests, and WebSockets from the client's side.

`http.HttpClient` is the real one, `memory.MemoryNetwork` the one for tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from guestwire.model.http import HttpAnswer, HttpRequest

__all__ = ["ClientSocket", "Download", "Downloads", "Transport"]


class ClientSocket(Protocol):
    """An open WebSocket; iterate over it for the text frames, in order. One task reads, any may send.

    The iteration ends, without an error, when the socket is closed by whichever side; `close_code` tells how.
    """

    @property
    def close_code(self) -> int | None:
        """Code of the close: 1006 for a connection that broke, None while it is open."""

    @property
    def close_reason(self) -> str:
        """The peer's words; untrusted text, empty when there are none."""

    async def send_text(self, text: str) -> None:
        """Write one text frame; returns once it is in the operating system's hands or in a bounded buffer.

        Raises:
            NotWritten: The socket is closed; the frame did not leave.
            ConnectionLost: It broke while writing; nobody knows whether the frame arrived.
        """

    async def ping(self) -> None:
        """Send a ping (RFC 6455 §5.5.2) and return when its pong has come; the iteration must go on meanwhile.

        Both directions keep their order. So the peer's edge has every frame written before the ping, and the iteration
        has returned from every frame that the peer wrote before the pong. There is no time limit.

        Raises:
            NotWritten: The socket is closed.
            ConnectionLost: It closed or broke before the pong, or nobody iterates any more.
        """

    def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over text frames; a binary frame is dropped, as nothing in our protocols is binary."""

    async def aclose(self, code: int = 1000) -> None:
        """Close; does nothing when it is closed already."""


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is being read.

    Attributes:
        answer: Its status and headers; the body is empty.
        chunks: Its body, once, as it comes; raises `TransportError` when it breaks off or stops.
    """

    answer: HttpAnswer
    chunks: AsyncIterator[bytes]


class Downloads(Protocol):
    """Large answers, read as they come."""

    def download(self, request: HttpRequest) -> AbstractAsyncContextManager[Download]:
        """Send a request and read its answer piece by piece; what is not read when it is left is never read.

        Raises:
            TransportError: As `Transport.send`.
            RemoteProtocolError: The answer is no HTTP, or a redirect (`redirected`).
        """


class Transport(Protocol):
    """HTTP and WebSockets with one set of manners: no redirects, limits on time and size, our errors only."""

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Send one request and read the whole answer, whatever its status.

        A streamed body may take as long as it gets on: there is a limit to the peer's silence, not to the whole.

        Raises:
            ConnectFailed: No connection; code `unreachable` or `tls-failed`.
            TimedOut: No connection or no answer in time, or the peer took nothing of a streamed body for so long.
            ConnectionLost: The connection broke before the answer was complete.
            RemoteProtocolError: The answer is no HTTP, or too large.
            LocalProtocolError: A streamed body has another size than was said.
        """

    async def open_socket(self, url: str, *, origin: str | None = None) -> ClientSocket:
        """Open a WebSocket.

        Args:
            url: Its address.
            origin: The web site that we come from, in the words of the Origin header; None sends none.

        Raises:
            SessionRefused: The upgrade was answered 403 or 401; code `socket-refused`.
            RateLimited: It was answered 429.
            ConnectFailed: No connection, or the upgrade was answered 5xx.
            TimedOut: No connection or no answer in time.
            RemoteProtocolError: Any other answer; code `redirected` for a redirect.
        """
