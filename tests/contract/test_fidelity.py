"""The fidelity table is whole: each row has a status, a section of its specification, and tests that exist."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "topics" / "fidelity.md"
HEAD = ["behaviour", "status", "tests"]

SECTIONS = {
    "1.1", "1.2", "1.3.1", "1.3.2", "1.4", "1.5", "1.6", "1.7",
    "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "2.11",
    "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12",
    "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7",
    "5", "6", "7.1", "7.2", "7.3", "7.4", "7.5",
}  # fmt: skip
"""Of the Web Messaging specification, those that say how anything behaves."""

OPEN_QUESTIONS = {*range(1, 29)} - {18, 24, 28}
"""Rows of its §8 of which the choice can be seen on the wire: no idle limit, units and tags of others are none."""


FRAMES = ROOT / "tests" / "frames" / "web-messaging"
VECTORS = {
    vector["name"]
    for name in ("connection.json", "transcripts.json")
    for vector in json.loads((FRAMES / name).read_text("utf-8"))["vectors"]
}


@dataclass(frozen=True)
class Row:
    behaviour: str
    status: str
    tests: tuple[str, ...]


def rows(text: str) -> list[Row]:
    """Return the rows of all tables that are headed like ours."""
    found: list[Row] = []
    is_ours = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_ours = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells == HEAD:
            is_ours = True
        elif is_ours and set(line) - set("|- "):
            assert len(cells) == len(HEAD), line
            found.append(Row(cells[0], cells[1], tuple(re.findall(r"`([^`]+)`", cells[2]))))
    return found


ROWS = rows(PAGE.read_text(encoding="utf-8"))


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".py"):
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return frozenset(node.name for node in ast.parse(text).body if isinstance(node, functions))
    return frozenset(match[1] for match in re.findall(r"""^\s*(?:test|it)\((["'`])(.+?)\1""", text, flags=re.MULTILINE))


def missing(name: str) -> bool:
    """Whether a test, named by its file and its function or title, does not exist; in brackets is one of its cases."""
    path, _, test = name.partition("::")
    if not path.startswith("tests/") or not (ROOT / path).is_file():
        return True
    if not path.endswith(".py"):
        return test not in names_in(path)
    function, _, case = test.partition("[")
    return function not in names_in(path) or (bool(case) and case.removesuffix("]") not in VECTORS)


def sections(row: Row) -> set[str]:
    return {
        one for group in re.findall(r"\(([^()]*§[^()]*)\)", row.behaviour) for one in re.findall(r"§([\d.]+)", group)
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.behaviour[:60])
def test_each_row_is_proved(row: Row) -> None:
    """By tests that exist; what differs says how."""
    assert row.status in {"real", "emulated", "different"}
    assert sections(row)
    assert row.status != "different" or re.search(r"\b[Hh]ere\b", row.behaviour), "say how it is here"
    assert row.tests
    assert [name for name in row.tests if missing(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "tests/contract/test_nothing.py::test_x",
        "tests/contract/test_fidelity.py::test_nothing",
        "src/guestwire/errors.py::test_x",
        "tests/unit/protocols/web_messaging/test_client.py::test_vector[nothing]",
        "tests/js/dialect.test.js::nothing",
        "tests/js/dialect.test.js",
    ],
)
def test_a_test_that_does_not_exist_is_found(name: str) -> None:
    """By its file, its name, its case or its title; what exists is not called missing."""
    assert missing(name)
    assert not missing("tests/contract/test_fidelity.py::test_no_row_is_there_twice")
    assert not missing("tests/js/dialect.test.js::what is read aloud has no marks")


def test_no_row_is_there_twice() -> None:
    """Whatever its status and its tests."""
    assert len(ROWS) > 100
    counted = Counter(row.behaviour.casefold() for row in ROWS)
    assert [behaviour for behaviour, times in counted.items() if times > 1] == []


def test_every_section_has_a_row() -> None:
    """And so has every question that the specification leaves open: whoever decides says so."""
    text = PAGE.read_text(encoding="utf-8")
    web_messaging = rows(text.partition("\n## Guest sessions\n")[0])
    cited = set().union(*(sections(row) for row in web_messaging))
    assert SECTIONS - cited == set()
    open_rows = [row for row in web_messaging if "§8" in row.behaviour]
    numbers = {int(number) for row in open_rows for number in re.findall(r"\d+", row.behaviour.rpartition("§8 row")[2])}
    assert OPEN_QUESTIONS - numbers == set()
    assert {row.status for row in open_rows} <= {"emulated", "different"}
