"""What a deployment's switches may be set to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields

import msgspec

from guestwire.emulator.records import DeploymentRecord

__all__ = ["MAX_FILE_KB", "changed", "checked"]

MAX_ID_CHARS = 64

MAX_DURATION_S = 550 * 86_400
"""Eighteen months (web-messaging §2.7)."""

MAX_FILE_KB = 25_000
"""More than the platform's 10 MB, so that it can be tried; all of it is kept in memory."""


def checked(deployment: DeploymentRecord) -> DeploymentRecord:
    """Return a deployment as it is, when it can be like that.

    Raises:
        ValueError: A switch has a value that it can't have; the text is for people.
    """
    return _convert(asdict(deployment))


def changed(known: DeploymentRecord, changes: Mapping[str, object]) -> DeploymentRecord:
    """Return a deployment with other switches, by the names of the record; the version counts up.

    Raises:
        ValueError: There is no such switch, or it can't have that value; the text is for people.
    """
    unknown = changes.keys() - {field.name for field in fields(DeploymentRecord)} | changes.keys() & {"id", "version"}
    if unknown:
        raise ValueError(f"A deployment has no {', '.join(sorted(unknown))} that can be changed.")
    return _convert({**asdict(known), **changes, "version": known.version + 1})


def _convert(values: Mapping[str, object]) -> DeploymentRecord:
    try:
        deployment = msgspec.convert(values, DeploymentRecord)
    except msgspec.ValidationError as error:
        raise ValueError(f"The deployment can't be like that: {error}.") from None
    if not 1 <= len(deployment.id) <= MAX_ID_CHARS:
        raise ValueError(f"Expected an id of 1 to {MAX_ID_CHARS} characters.")
    if not 1 <= deployment.session_duration_s <= MAX_DURATION_S or not 0 <= deployment.max_file_kb <= MAX_FILE_KB:
        raise ValueError(
            f"Expected 1 to {MAX_DURATION_S} seconds for a session, and 0 to {MAX_FILE_KB} kilobytes for a file."
        )
    return deployment
