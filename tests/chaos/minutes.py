"""Minutes that take a second: a gateway here lives as long as one, and what it may do in a minute it must do then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from guestwire.protocols.web_messaging import client, limits, provider, reading, server

__all__ = ["quick_minutes"]

_MODULES = (client, provider, reading, server)
_PER_MINUTE = ("CONFIGURES_PER_MIN", "ECHOES_PER_MIN", "HISTORY_READS_PER_MIN", "REQUESTS_PER_MIN")

_users: list[None] = []


@contextmanager
def quick_minutes() -> Iterator[None]:
    """Let Web Messaging allow in a second what it allows in a minute, on both sides; several may use it at once."""
    _users.append(None)
    _allow(60)
    try:
        yield
    finally:
        _users.pop()
        if not _users:
            _allow(1)


def _allow(times: int) -> None:
    for module in _MODULES:
        for name in _PER_MINUTE:
            if hasattr(module, name):
                setattr(module, name, times * getattr(limits, name))
