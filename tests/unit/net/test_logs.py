"""Log lines: for people and for machines, without values of local variables."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from guestwire.net.logs import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, logging.getLogger("guestwire").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("guestwire").setLevel(ours)


def write_some(log_format: str, level: str = "info") -> str:
    stream = io.StringIO()
    configure_logging("json" if log_format == "json" else "text", level, stream=stream)
    get_logger("guestwire.x").info("hello", route="/", status=200)
    get_logger("guestwire.x").debug("quiet")
    logging.getLogger("other").warning("from a %s", "library")
    logging.getLogger("other").info("chatter")
    secret = "canary"  # noqa: F841 - a local variable that must not be shown
    try:
        raise ValueError("bad")
    except ValueError:
        get_logger("guestwire.x").exception("failed")
    return stream.getvalue()


def test_json_is_one_object_a_line() -> None:
    lines = [json.loads(line) for line in write_some("json").splitlines()]
    assert [line["event"] for line in lines] == ["hello", "from a library", "failed"]
    assert lines[0]["route"] == "/"
    assert lines[0]["level"] == "info"
    assert "ValueError: bad" in lines[2]["exception"]


def test_text_is_for_people() -> None:
    text = write_some("text")
    assert "hello" in text
    assert "status=200" in text
    assert "chatter" not in text


def test_debug_is_shown_when_asked_for() -> None:
    assert "quiet" in write_some("text", "debug")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_tracebacks_have_no_values(log_format: str) -> None:
    text = write_some(log_format)
    assert "Traceback" in text
    assert text.count("canary") <= 1  # the source line itself at most, never the variable
