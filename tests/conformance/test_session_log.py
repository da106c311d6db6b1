"""Every session log keeps the promises of the interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from guestwire.gateway.log import SqliteSessionLog
from guestwire.testing.session_log import CHECKS, MakeLog, check_session_log


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_sqlite(check: Callable[[MakeLog], Awaitable[None]], tmp_path: Path) -> None:
    """The log on SQLite keeps one promise."""
    await check(lambda name: SqliteSessionLog(tmp_path / f"{name}.db"))


async def test_the_suite_runs_as_a_whole(tmp_path: Path) -> None:
    """`check_session_log` is what authors of another log call."""
    await check_session_log(lambda name: SqliteSessionLog(tmp_path / f"{name}.db"))
