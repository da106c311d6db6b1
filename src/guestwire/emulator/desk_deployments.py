"""A deployment's switches at the desk: as JSON, and changed from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields

from guestwire.emulator.desk_refusals import DeskRefused
from guestwire.emulator.org import Org
from guestwire.emulator.records import DeploymentRecord

__all__ = ["change_deployment", "deployment_view", "deployment_views"]

_LETTER = re.compile(r"_([a-z])")


def _camel(name: str) -> str:
    return _LETTER.sub(lambda found: found[1].upper(), name)


_NAMES = {_camel(field.name): field.name for field in fields(DeploymentRecord)}
"""Member at the desk → field of the record: every switch that there is, none named twice."""


def deployment_view(record: DeploymentRecord) -> dict[str, object]:
    """Return a deployment; what is not set is left out."""
    values = {member: getattr(record, name) for member, name in _NAMES.items()}
    return {member: value for member, value in values.items() if value is not None}


def deployment_views(org: Org) -> list[dict[str, object]]:
    """Return every deployment."""
    return [deployment_view(one) for one in org.deployments.values()]


def change_deployment(org: Org, deployment_id: str, changes: Mapping[str, object]) -> dict[str, object]:
    """Change switches, by the names that `deployment_view` gives them.

    Raises:
        DeskRefused: There is no such deployment or switch, or it can't be like that; nothing was changed.
    """
    unknown = sorted(changes.keys() - _NAMES.keys() | changes.keys() & {"id", "version"})
    if unknown:
        raise DeskRefused("bad-request", f"A deployment has no {', '.join(unknown)} that can be changed.")
    try:
        changed = org.change_deployment(deployment_id, **{_NAMES[name]: value for name, value in changes.items()})
    except KeyError:
        raise DeskRefused("not-found", "There is no such deployment.") from None
    except ValueError as error:
        raise DeskRefused("bad-request", str(error)) from None
    return deployment_view(changed)
