"""`guestwire serve --print-config`: every setting, its value and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from guestwire.settings import GatewaySettings, ProviderSettings, Secret, Sources

__all__ = ["config_table"]

# What these are when nobody set them is what an operator wants to know.
_DERIVED = {
    "api": "deployment_id",
    "base_url": "region",
    "messaging_url": "base_url or region",
    "cdn_url": "base_url or region",
    "oauth_url": "base_url",
    "socket_url": "base_url or region",
}


def config_table(settings: GatewaySettings, sources: Sources) -> str:
    """Return the table as text; secrets are masked."""
    rows = [
        (name, _shown(value), sources.by_option.get(name, "default"))
        if value is not None or name not in _DERIVED
        else (name, getattr(settings.provider, f"resolved_{name}"), f"follows from {_DERIVED[name]}")
        for name, value in _flat(settings)
    ]
    width = max(len(name) for name, _, _ in rows)
    value_width = max(len(value) for _, value, _ in rows)
    return "".join(f"{name:<{width}}  {value:<{value_width}}  {source}\n" for name, value, source in rows)


def _flat(settings: GatewaySettings | ProviderSettings) -> Iterator[tuple[str, object]]:
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, ProviderSettings):
            yield from _flat(value)
        else:
            yield field.name, value


def _shown(value: object) -> str:
    match value:
        case None | ():
            return "–"
        case Secret():
            return "***"
        case tuple():
            return ", ".join(map(str, value))
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
