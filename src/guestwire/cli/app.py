"""The commands and their options, and how a user's mistake is told: one sentence, the fix, exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from guestwire import __version__
from guestwire.cli.config_table import config_table
from guestwire.errors import ChatError
from guestwire.settings import DEFAULT_API, Api, EmulatorSettings, GatewaySettings, Sources, settings_sources

__all__ = ["build_app", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return the exit code."""
    try:
        build_app()(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _complain(" ".join(str(error).split()), "See `guestwire --help`.")
    except ChatError as error:
        return _complain(error.message, error.hint)
    return 0


def build_app() -> App:
    """Build the command line; the commands import what they run only when they run."""
    app = App(
        name="guestwire",
        help="Your own chat UI for Genesys Cloud: web chat, gateway, client and an emulator.",
        version=__version__,
        help_epilogue="New here? Run `guestwire demo`.",
        result_action="return_value",
    )
    app.command(_demo, name="demo")
    sources = Sources()
    app.command(_serve_app(sources), name="serve")
    app.command(_emulate_app(), name="emulate")
    return app


def _demo(*, api: Api = DEFAULT_API, port: int = 8000, emulator_port: int = 8001, browser: bool = True) -> None:
    """Run the whole system on this machine: chat page, gateway, emulated org and agent desk.

    Args:
        api: What gateway and emulator speak with each other: web-messaging as live orgs do, or guest-session, the
            tutorial's API.
        port: Port of the chat page and the gateway; 0 takes a free one.
        emulator_port: Port of the emulator and its agent desk; 0 takes a free one.
        browser: Open the chat page in the browser.
    """
    from guestwire.cli.demo import run_demo

    run_demo(api=api, port=port, emulator_port=emulator_port, opens_browser=browser)


def _serve_app(sources: Sources) -> App:
    app = App(help="Run the gateway and the chat page.", config=settings_sources(GatewaySettings, sources))

    @app.default
    def serve(
        *,
        settings: Annotated[GatewaySettings, Parameter(name="*")] = GatewaySettings(),  # noqa: B008 - frozen
        print_config: Annotated[bool, Parameter(negative="", show_env_var=False)] = False,
    ) -> None:
        """Run the gateway and the chat page.

        Args:
            settings: All of them.
            print_config: Show every setting, its value and where it comes from, secrets masked, and stop.
        """
        if print_config:
            sys.stdout.write(config_table(settings, sources))
            return
        from guestwire.cli.serve import run_gateway

        run_gateway(settings)

    return app


def _emulate_app() -> App:
    app = App(
        help="Run the emulated org: guest APIs, bot, queue and agent desk.", config=settings_sources(EmulatorSettings)
    )

    @app.default
    def emulate(
        *,
        settings: Annotated[EmulatorSettings, Parameter(name="*")] = EmulatorSettings(),  # noqa: B008 - frozen
    ) -> None:
        """Run the emulated org: guest APIs, bot, queue and agent desk.

        Args:
            settings: All of them.
        """
        from guestwire.cli.emulate import run_emulator

        run_emulator(settings)

    return app


def _complain(what: str, fix: str) -> int:
    sys.stderr.write(f"guestwire: {what}\n           {fix}\n")
    return 2
