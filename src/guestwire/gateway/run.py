"""Running the gateway as a program."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

from guestwire.gateway.app import create_gateway, drain
from guestwire.net.logs import configure_logging
from guestwire.net.server import Server
from guestwire.net.signals import stop_signals
from guestwire.settings import GatewaySettings

__all__ = ["serve"]

GRACEFUL_S = 5
"""With the drain before and the log's end after it, the process is gone within 10 s of the signal."""


COLLECT_EVERY = 20_000
"""Objects made and kept between two looks of the garbage collector; Python's default is 700."""


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
        with _collecting_rarely():
            if announce is not None:
                announce(server)
            await stop.wait()
            await drain(app)


@contextlib.contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Leave what was loaded out of the garbage collector's work, and let it work less often.

    What it looks for, cycles, is rare here. Measured on the session log at 512 appends in flight: a sixth of the
    processor's time was the collector's.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
