"""Your own chat UI for Genesys Cloud: web chat, gateway, client and an emulator.

The public names are imported on first use (PEP 562), so that `import guestwire` stays fast: the network libraries
behind `connect` cost more than everything else together.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestwire.client import Chat, connect
    from guestwire.emulator import Emulator
    from guestwire.errors import ChatError
    from guestwire.settings import ProviderSettings, Secret

__version__ = "0.1.0"

__all__ = ["Chat", "ChatError", "Emulator", "ProviderSettings", "Secret", "__version__", "connect"]

_HOMES = {
    "Chat": "guestwire.client",
    "connect": "guestwire.client",
    "Emulator": "guestwire.emulator",
    "ChatError": "guestwire.errors",
    "ProviderSettings": "guestwire.settings",
    "Secret": "guestwire.settings",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home when it is first asked for."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'guestwire' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the lazy names too, for help() and completion."""
    return sorted(set(globals()) | set(__all__))
