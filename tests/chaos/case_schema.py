"""The schema of the frames that a gateway sends, and as much of JSON Schema as it is written in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["SCHEMA", "problems_of"]

SCHEMA: Mapping[str, Any] = json.loads(
    (Path(__file__).parents[1] / "frames" / "guest-session" / "schema.json").read_text(encoding="utf-8")
)


def problems_of(frame: object, kind: str = "browser") -> list[str]:
    """Return what is wrong with a frame; nothing when it is valid.

    Args:
        frame: As `json.loads` has it.
        kind: Whom it was sent to, `browser` or `plain`.
    """
    if not isinstance(frame, dict):
        return [f"frame: expected an object, got {frame!r}"]
    return _one_of(frame, _by_type(kind).get(frame.get("type"), ()), None, "frame")


@cache
def _by_type(kind: str) -> dict[object, list[Any]]:
    """Return the schemas of `oneOf` by the type of frame they are for: most frames need to be held against one only."""
    found: dict[object, list[Any]] = {}
    for reference in SCHEMA["$defs"][kind]["oneOf"]:
        schema = SCHEMA["$defs"][reference["$ref"].split("/")[-1]]
        found.setdefault(schema["properties"]["type"]["const"], []).append(schema)
    return found


def _check(value: Any, schema: Any, where: str) -> list[str]:
    if schema is False:
        return [f"{where}: must not be there"]
    problems: list[str] = []
    for keyword, wanted in schema.items():
        problems += _KEYWORDS[keyword](value, wanted, schema, where)  # an unknown keyword is a mistake in the schema
    return problems


def _of_type(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    kinds: dict[str, type | tuple[type, ...]] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    }  # fmt: skip
    return isinstance(value, kinds[wanted])


def _says(holds: Callable[[Any, Any], bool], words: str) -> Callable[[Any, Any, Any, str], list[str]]:
    def check(value: Any, wanted: Any, _schema: Any, where: str) -> list[str]:
        return [] if holds(value, wanted) else [f"{where}: expected {words} {wanted!r}, got {value!r}"]

    return check


def _properties(value: Any, wanted: Any, schema: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    problems = []
    for name, member in value.items():
        if name in wanted:
            problems += _check(member, wanted[name], f"{where}.{name}")
        elif schema.get("additionalProperties", True) is False:
            problems.append(f"{where}.{name}: is not in the schema")
    return problems


def _one_of(value: Any, wanted: Any, _schema: Any, where: str) -> list[str]:
    found = [_check(value, each, where) for each in wanted]
    fitting = sum(not problems for problems in found)
    if fitting == 1:
        return []
    return [f"{where}: fits {fitting} of {len(found)} schemas", *min(found, key=len, default=[])]


def _items(value: Any, wanted: Any, _schema: Any, where: str) -> list[str]:
    items = value if isinstance(value, list) else []
    return [problem for n, item in enumerate(items) for problem in _check(item, wanted, f"{where}[{n}]")]


_KEYWORDS: dict[str, Callable[[Any, Any, Any, str], list[str]]] = {
    "$ref": lambda value, wanted, _schema, where: _check(value, SCHEMA["$defs"][wanted.split("/")[-1]], where),
    "additionalProperties": lambda *_: [],  # see `_properties`
    "const": _says(lambda value, wanted: type(value) is type(wanted) and value == wanted, "the value"),
    "enum": _says(lambda value, wanted: value in wanted, "one of"),
    "items": _items,
    "maxLength": _says(lambda value, wanted: not isinstance(value, str) or len(value) <= wanted, "at most"),
    "minItems": _says(lambda value, wanted: not isinstance(value, list) or len(value) >= wanted, "at least"),
    "minLength": _says(lambda value, wanted: not isinstance(value, str) or len(value) >= wanted, "at least"),
    "minProperties": _says(lambda value, wanted: not isinstance(value, dict) or len(value) >= wanted, "members of"),
    "minimum": _says(lambda value, wanted: not isinstance(value, int | float) or value >= wanted, "at least"),
    "oneOf": _one_of,
    "pattern": _says(lambda value, wanted: not isinstance(value, str) or bool(re.search(wanted, value)), "the pattern"),
    "properties": _properties,
    "required": _says(lambda value, wanted: not isinstance(value, dict) or set(wanted) <= value.keys(), "the members"),
    "type": _says(_of_type, "a"),
}
