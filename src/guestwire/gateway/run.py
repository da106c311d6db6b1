"""Running the gateway as a program."""

from __future__ import annotations

from collections.abc import Callable

from guestwire.gateway.app import create_gateway, drain
from guestwire.net.logs import configure_logging
from guestwire.net.server import Server
from guestwire.net.signals import stop_signals
from guestwire.settings import GatewaySettings

__all__ = ["serve"]

GRACEFUL_S = 5
"""With the drain before and the log's end after it, the process is gone within 10 s of the signal."""


async def serve(settings: GatewaySettings, *, announce: Callable[[Server], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then finish what runs; prints nothing.

    Args:
        settings: The gateway's.
        announce: Called once connections are accepted, with the server's `url` and `port`.

    Raises:
        ConfigError: A setting is missing or wrong, or the port is taken (`port-in-use`).
    """
    configure_logging(settings.log_format, settings.log_level)
    app = create_gateway(settings)
    server = Server(
        app,
        host=settings.host,
        port=settings.port,
        trusted_proxies=settings.trusted_proxies,
        graceful_s=GRACEFUL_S,
    )
    async with stop_signals() as stop, server:
        if announce is not None:
            announce(server)
        await stop.wait()
        await drain(app)
