"""S-12: the gateway as a command is told to stop while browsers are connected (reliability.md §5.2, T-40)."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guestwire.model.ids import SessionId
from guestwire.net.transport import ClientSocket
from tests.chaos.serving import make_session, served

SID = SessionId(f"{0:032x}")


async def drained(tab: ClientSocket) -> tuple[list[str], int | None]:
    """Read to the end; return the kinds of frames and the close code."""
    kinds = []
    async for text in tab:
        kinds.append(json.loads(text)["type"])
    return kinds, tab.close_code


@pytest.mark.slow
async def test_every_browser_is_asked_to_move(tmp_path: Path, chaos_long: bool, figures: Callable[..., None]) -> None:
    """T-40: SIGTERM with sockets open: each gets `move` and 4409, and the process is gone within 10 s, with code 0."""
    sockets = 2000 if chaos_long else 200
    log_file = tmp_path / "log" / "sessions.sqlite3"
    await make_session(log_file, SID)
    async with served(log_file) as gateway:
        opened = []
        for start in range(0, sockets, 50):
            opened += await asyncio.gather(*(gateway.hello(SID) for _ in range(start, min(sockets, start + 50))))
        for each in opened:
            async for text in each:
                if json.loads(text)["type"] == "synced":
                    break
        reading = asyncio.gather(*(drained(each) for each in opened))
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        ends = await reading
        assert await gateway.process.wait() == 0
        took_s = time.monotonic() - began
    assert {code for _, code in ends} == {4409}
    assert all(kinds == ["move"] for kinds, _ in ends)
    assert took_s < 10
    figures("S-12 drain", sockets=sockets, exit_s=round(took_s, 2))
