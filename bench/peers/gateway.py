"""`guestwire serve` as it is, but for four rates that spare a provider and would be measured instead of the relay.

They are constants and no settings: handshakes with the provider (20/s: 1,000 chats would take 50 s to open), frames and
messages to the provider of one guest (8/s and 60/min) and frames from one browser (10/s). Everything else is the
gateway's own code, settings and defaults.
"""

from __future__ import annotations

import sys

from guestwire.cli import main
from guestwire.gateway.relay import outbox_pump
from guestwire.gateway.relay.handshakes import PacedTransport
from guestwire.protocols.guest_session import relay

NO_LIMIT = 1e9

pace = PacedTransport.__init__.__kwdefaults__
assert "per_s" in pace
pace["per_s"] = NO_LIMIT
for module, kinds in ((outbox_pump, ("FRAMES", "MESSAGES")), (relay, ("FRAMES",))):
    for name in (name for kind in kinds for name in (f"{kind}_PER_S", f"BURST_{kind}")):
        assert hasattr(module, name), f"{module.__name__} has no {name} any more"
        setattr(module, name, NO_LIMIT)

if __name__ == "__main__":
    sys.exit(main())
