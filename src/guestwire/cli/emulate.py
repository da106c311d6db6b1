"""`guestwire emulate`: the emulated org."""

from __future__ import annotations

import sys

from guestwire.cli.running import run
from guestwire.emulator import Emulator
from guestwire.net.logs import configure_logging
from guestwire.net.signals import stop_signals
from guestwire.settings import EmulatorSettings

__all__ = ["run_emulator"]


def run_emulator(settings: EmulatorSettings) -> None:
    """Run the emulator until it is stopped.

    Raises:
        ConfigError: The port is taken.
    """
    run(_emulate(settings))


async def _emulate(settings: EmulatorSettings) -> None:
    configure_logging(settings.log_format, settings.log_level)
    async with stop_signals() as stop, Emulator(settings) as emulator:
        secret = settings.client_secret.reveal()
        # The default is no secret; one of the user's own is not printed.
        shown = secret if secret == EmulatorSettings().client_secret.reveal() else "*** (as you set it)"
        sys.stdout.write(
            f"Emulated org:   {emulator.url}\n"
            f"Web Messaging\n"
            f"  deployment    {emulator.deployment_id}\n"
            f"  socket        {emulator.messaging_url}/v1?deploymentId={emulator.deployment_id}\n"
            f"  configuration {emulator.config_url}\n"
            f"Guest sessions (the tutorial's API)\n"
            f"  token         POST {emulator.url}/api/v2/oauth/token (or /oauth/token)\n"
            f"  session       POST {emulator.url}/api/v2/chat/guestsessions\n"
            f"  socket        {emulator.ws_url}?sessionId=…&token=…\n"
            f"  client id     {settings.client_id}\n"
            f"  client secret {shown}\n"
            f"Agent desk:     {emulator.desk_url}\n"
            f"Control:        {emulator.url}/emulator/state\n"
        )
        sys.stdout.flush()
        await stop.wait()
