"""Genesys Cloud's guest side on your own machine: OAuth, guest sessions, a bot, a queue, an agent desk, faults.

`org` holds the state and is the one place that changes it; `guest_side`, `desk` and `control` are what guests, agents
and testers may do with it; the `*_routes` and `*_socket` modules put that on the network. It stands on the protocols'
server halves and never imports the client or the gateway: they meet over a wire only.
"""

from guestwire.emulator.records import OAuthClient
from guestwire.emulator.server import Emulator

__all__ = ["Emulator", "OAuthClient"]
