"""An HTTP and WebSocket server inside the running event loop: uvicorn with our limits, and without its habits.

uvicorn's own `serve()` takes the signal handlers, ends the process when a start fails, and writes request lines with
their query strings to the log. This drives the same server by its parts instead: bind, start, run, shut down.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl as tls
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from guestwire.errors import ConfigError
from guestwire.net.direct_socket import DirectWebSocket
from guestwire.net.uvicorn_protocols import BoundedHttp

__all__ = ["Server"]

MAX_FRAME_BYTES = 65_536
MAX_QUEUED_FRAMES = 16
BACKLOG = 1024
"""Connections that the operating system holds until we accept them: after a restart all browsers come at once."""

ACCEPTED_AT_ONCE = 64
"""Accepts before others have their turn. With no file left each of them fails, and is a line in the log."""


class Server:
    """Serve `app` from `async with` on, until its end.

    The port is bound first, then the app's lifespan starts, then connections are accepted; so an error of any of them
    is raised by `async with` and nothing is left behind. At the end: no new connections, WebSockets closed with 1012,
    requests finished within `graceful_s`, then the lifespan's end.
    """

    def __init__(
        self,
        app: Starlette,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: tls.SSLContext | None = None,
        trusted_proxies: Sequence[str] = (),
        graceful_s: int = 10,
    ) -> None:
        """Prepare; nothing is bound yet.

        Args:
            app: The application, with its lifespan.
            host: Name or address to listen on.
            port: 0 means any free one; see `port`.
            ssl: Serve https and wss with this.
            trusted_proxies: Addresses or networks whose X-Forwarded-For is believed.
            graceful_s: Whole seconds that running requests get at the end.
        """
        self._app = app
        self._host = host
        self._port = port
        self._ssl = ssl
        self._trusted_proxies = [form for proxy in trusted_proxies for form in _both_forms(proxy)]
        self._graceful_s = graceful_s
        self._stack: contextlib.AsyncExitStack | None = None

    @property
    def port(self) -> int:
        """The port; with port 0 known only once it is bound."""
        return self._port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it, without a slash at the end."""
        return f"http{self._s}://{self._authority}"

    @property
    def ws_url(self) -> str:
        """The same for WebSockets."""
        return f"ws{self._s}://{self._authority}"

    async def __aenter__(self) -> Self:
        """Bind, start and accept.

        Raises:
            ConfigError: The address can't be bound; `port-in-use` when another program has it.
        """
        async with contextlib.AsyncExitStack() as stack:
            listener = stack.enter_context(contextlib.closing(_bind(self._host, self._port)))
            self._port = listener.getsockname()[1]
            await stack.enter_async_context(self._app.router.lifespan_context(self._app))
            await stack.enter_async_context(self._serving(listener))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut down gracefully."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    @contextlib.asynccontextmanager
    async def _serving(self, listener: socket.socket) -> AsyncIterator[None]:
        logging.getLogger("uvicorn.error").addFilter(_is_true)  # adding it again changes nothing
        server = uvicorn.Server(self._config())
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listener])
        listener.listen(BACKLOG)  # asyncio takes one number for both
        # A plain task, not a task group: a group would wrap what the caller's body raises.
        ticking = asyncio.create_task(server.main_loop(), name="uvicorn")
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await server.shutdown(sockets=[listener])

    def _config(self) -> uvicorn.Config:
        ssl = self._ssl
        return uvicorn.Config(
            self._app,
            http=BoundedHttp,
            ws=DirectWebSocket,
            backlog=ACCEPTED_AT_ONCE,
            ws_max_size=MAX_FRAME_BYTES,
            ws_max_queue=MAX_QUEUED_FRAMES,
            ws_per_message_deflate=False,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=logging.WARNING,  # at INFO it writes the request line of every WebSocket, its token included
            access_log=False,
            server_header=False,
            proxy_headers=bool(self._trusted_proxies),
            forwarded_allow_ips=self._trusted_proxies or None,
            timeout_graceful_shutdown=self._graceful_s,
            ssl_context_factory=None if ssl is None else lambda _config, _default: ssl,
        )

    @property
    def _s(self) -> str:
        return "s" if self._ssl is not None else ""

    @property
    def _authority(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - compared, not bound
        return f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"


# uvicorn takes the HTTP answer of a refused upgrade for a forgotten handshake, writes a traceback for every frame that
# is not UTF-8, and a line for every request that is none: a stranger could fill the log. All of them are answered.
_NOISE = frozenset(
    {
        "ASGI callable returned without completing handshake.",
        "Invalid HTTP request received.",
        "Invalid UTF-8 sequence received from client.",
        "Unsupported upgrade request.",
    }
)


def _is_true(record: logging.LogRecord) -> bool:
    """Drop what uvicorn says about strangers' mistakes."""
    return record.msg not in _NOISE


def _both_forms(proxy: str) -> tuple[str, ...]:
    """Return a proxy's network, and for IPv4 also as a socket shows it that listens on both families."""
    network = ip_network(proxy, strict=False)
    if network.version == 6:
        return (proxy,)
    return (proxy, f"::ffff:{network.network_address}/{96 + network.prefixlen}")


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # With the protocol named, as socket.create_server does not: asyncio sets TCP_NODELAY only on sockets that say
        # TCP, and without it every answer waits 40 ms for the peer's delayed acknowledgement.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":  # elsewhere it would let two programs share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        return listener
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Port {port} on {host} is taken by another program.",
                code="port-in-use",
            ) from error
        raise ConfigError(f"Can't listen on {host}:{port}: {error.strerror or error}.") from error
    except UnicodeError:
        raise ConfigError(f"{host!r} is no host name or address.") from None
    except OverflowError as error:
        raise ConfigError(f"Expected a port from 0 to 65535, got {port}.") from error
