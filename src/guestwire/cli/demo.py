"""`guestwire demo`: emulator and gateway in one process, and what to try."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import webbrowser
from contextlib import AsyncExitStack
from pathlib import Path

from guestwire import __version__
from guestwire.cli.running import run
from guestwire.emulator import Emulator
from guestwire.errors import ConfigError
from guestwire.gateway import create_gateway
from guestwire.net.logs import configure_logging
from guestwire.net.server import Server
from guestwire.net.signals import stop_signals
from guestwire.settings import Api, EmulatorSettings, GatewaySettings, ProviderSettings, has_desktop

__all__ = ["run_demo"]


def run_demo(*, api: Api, port: int, emulator_port: int, opens_browser: bool) -> None:
    """Run the demo until it is stopped; gateway and emulator speak `api` with each other.

    Raises:
        ConfigError: A port is taken.
    """
    run(_demo(api, port, emulator_port, opens_browser=opens_browser))


async def _demo(api: Api, port: int, emulator_port: int, *, opens_browser: bool) -> None:
    configure_logging("text", "warning")
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signals())
        settings = EmulatorSettings(port=emulator_port)
        try:
            emulator = await stack.enter_async_context(Emulator(settings))
        except ConfigError as error:
            if error.code == "port-in-use":
                raise ConfigError(
                    f"{error.message} Is the demo running already? --port 0 --emulator-port 0 takes free ones.",
                    code="port-in-use",
                ) from error
            raise
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="guestwire-demo-"))
        gateway_settings = GatewaySettings(
            provider=emulator_provider(settings, emulator.url, api),
            port=port,
            upstream_start="open",  # the emulated bot greets
            log_file=Path(folder) / "sessions.sqlite3",
            # A chat costs nobody anything here.
            sessions_burst=100,
            sessions_per_minute=600.0,
            sessions_per_minute_total=6000.0,
        )
        gateway = await stack.enter_async_context(
            Server(create_gateway(gateway_settings), host=gateway_settings.host, port=port)
        )
        sys.stdout.write(_welcome(api, gateway.url, emulator.desk_url))
        sys.stdout.flush()
        if opens_browser and has_desktop():
            await asyncio.to_thread(webbrowser.open, gateway.url)
        await stop.wait()
    sys.stdout.write("\nStopped.\n")


def emulator_provider(settings: EmulatorSettings, url: str, api: Api) -> ProviderSettings:
    """Return the settings with which a gateway uses the emulator at `url`."""
    if api == "web-messaging":
        return ProviderSettings(api=api, base_url=url, deployment_id=settings.deployment_id)
    return ProviderSettings(api=api, base_url=url, client_id=settings.client_id, client_secret=settings.client_secret)


_SPOKEN: dict[Api, str] = {
    "web-messaging": "Web Messaging, the API of live orgs (--api guest-session: the tutorial's)",
    "guest-session": "the tutorial's guest-session API (--api web-messaging: that of live orgs)",
}


def _welcome(api: Api, chat_url: str, desk_url: str) -> str:
    return f"""\
Guestwire {__version__}: a whole chat system, running on this machine. Ctrl-C stops it.

  Chat, you are the guest:   {chat_url}/
  Desk, you are the agent:   {desk_url}
  Between them:              {_SPOKEN[api]}

Things to try
  1. Open the chat and write something: a bot greets, then a demo agent answers.
  2. Open the desk, type your name, go on queue, and start a new chat: it is yours now.
  3. At the desk, switch on a fault (say, "No agents") and see what the guest is told.
"""
