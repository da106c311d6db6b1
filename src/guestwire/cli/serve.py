"""`guestwire serve`: the gateway and the chat page."""

from __future__ import annotations

import sys
from dataclasses import replace

from guestwire.cli.demo import emulator_provider
from guestwire.cli.running import run
from guestwire.gateway import serve
from guestwire.net.server import Server
from guestwire.settings import DEFAULT_API, EmulatorSettings, GatewaySettings

__all__ = ["run_gateway"]


def run_gateway(settings: GatewaySettings) -> None:
    """Run the gateway until it is stopped; with no org configured it uses the emulator's default address.

    Raises:
        ConfigError: The port is taken, or the credentials or the deployment are missing.
    """
    emulator = EmulatorSettings()
    emulator_url = f"http://{emulator.host}:{emulator.port}"
    uses_emulator = settings.provider.is_unset
    if uses_emulator:
        api = settings.provider.api or DEFAULT_API
        settings = replace(settings, provider=emulator_provider(emulator, emulator_url, api))

    settings.provider.check_identity()  # before the port is bound: a missing one is the nearer mistake

    def announce(server: Server) -> None:
        sys.stdout.write(
            f"Chat page:  {server.url}/\n"
            f'Embed it:   <script type="module" src="{server.url}/guest-chat.js"></script><guest-chat></guest-chat>\n'
        )
        if uses_emulator:
            sys.stdout.write(
                f"No org is configured, so it uses the emulator at {emulator_url}: run `guestwire emulate` beside it.\n"
            )
        sys.stdout.flush()

    run(serve(settings, announce=announce))
