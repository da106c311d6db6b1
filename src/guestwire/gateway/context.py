"""What the layers of one request tell each other: its id and the code it was refused with."""

from __future__ import annotations

import uuid

from starlette.types import Scope

__all__ = ["context_id", "note_code", "noted_code"]

_ID = "guestwire.context_id"
_CODE = "guestwire.code"


def context_id(scope: Scope) -> str:
    """Return the request's id, the same in its answer and in the log; made at the first call."""
    made: str = scope.setdefault(_ID, uuid.uuid4().hex)
    return made


def note_code(scope: Scope, code: str) -> None:
    """Note the error code of the answer, for the log."""
    scope[_CODE] = code


def noted_code(scope: Scope) -> str | None:
    """Return the noted error code, if any."""
    code: str | None = scope.get(_CODE)
    return code
