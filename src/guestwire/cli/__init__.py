"""The `guestwire` command: demo, serve, emulate. It imports everything; nobody imports it."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 when all went well, 2 for a mistake that the user can mend."""
    from guestwire.cli.app import run

    sys.exit(run(sys.argv[1:]))
