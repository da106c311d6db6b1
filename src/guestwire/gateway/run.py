"""Running the gateway as a program."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import replace

from guestwire.gateway.app import create_gateway, drain
from guestwire.net.logs import configure_logging, get_logger
from guestwire.net.open_files import raise_open_files
from guestwire.net.server import Server
from guestwire.net.signals import stop_signals
from guestwire.settings import GatewaySettings

__all__ = ["serve"]

GRACEFUL_S = 5
"""With the drain before and the log's end after it, the process is gone within 10 s of the signal."""

FILES_PER_CHAT = 2
"""The browser's connection, and one to the provider."""

OTHER_FILES = 100
"""The log, the listener, and requests that come and go."""

COLLECT_EVERY = 20_000
"""Objects made and kept between two looks of the garbage collector; Python's default is 700."""

_log = get_logger("guestwire.gateway")


async def serve(settings: GatewaySettings, *, announce: Callable[[Server], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then finish what runs; prints nothing.

    Args:
        settings: The gateway's.
        announce: Called once connections are accepted, with the server's `url` and `port`.

    Raises:
        ConfigError: A setting is missing or wrong, or the port is taken (`port-in-use`).
    """
    configure_logging(settings.log_format, settings.log_level)
    app = create_gateway(_within_open_files(settings))
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


def _within_open_files(settings: GatewaySettings) -> GatewaySettings:
    """Let in no more browsers than there may be sockets: an accept that fails would keep out everybody."""
    if settings.mode == "direct":
        return settings  # its browsers connect to the provider
    needed = settings.max_connections * FILES_PER_CHAT + OTHER_FILES
    allowed = raise_open_files(needed)
    if allowed is None or allowed >= needed:
        return settings
    fewer = max(1, (allowed - OTHER_FILES) // FILES_PER_CHAT)
    _log.warning(
        f"This process may open {allowed} files and would need {needed} for max_connections={settings.max_connections}:"
        f" only {fewer} browsers are let in. Raise the limit (systemd: LimitNOFILE={needed}; Docker: --ulimit"
        f" nofile={needed}; a shell: ulimit -n {needed}), or set max_connections={fewer}."
    )
    return replace(settings, max_connections=fewer)


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
