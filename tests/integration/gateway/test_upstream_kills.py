"""kill -9 at every fail-point of the relay's way to the provider, then the books are compared (O-01, short form)."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from guestwire.emulator import Emulator
from guestwire.emulator.changes import Change, EntryAdded
from guestwire.emulator.faults import FaultName
from guestwire.gateway.log import OutboxState, SqliteSessionLog
from guestwire.model.ids import SessionId
from guestwire.settings import EmulatorSettings

CHILD = Path(__file__).with_name("upstream_child.py")
SID = SessionId("a" * 32)
POINTS = (
    "after-accept",
    "before-mark",
    "after-mark",
    "after-write",
    "before-settle",
    "after-settle",
    "before-append",
    "after-append",
)
HITS = (1, 2, 3)
MESSAGES = 4


async def run_child(*arguments: object) -> tuple[int, list[str]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(child.communicate(), 40)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode in {0, -9}, err.decode()
    return child.returncode, out.decode().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_every_fail_point(tmp_path: Path, point: str) -> None:
    """0 lost, 0 doubled, 0 reordered at the provider; in doubt only what was in flight when a kill came."""
    path = tmp_path / "log.db"
    accepted: list[str] = []
    in_flight: set[str] = set()
    hits: Counter[str] = Counter()
    async with Emulator(EmulatorSettings(port=0, demo_agent=False)) as emulator:
        org = emulator.org
        org.faults.switch(FaultName.UNPUBLISH_FLOW, on=True, params={})

        def answer(change: Change) -> None:
            if isinstance(change, EntryAdded) and change.entry.sender == "guest":
                asyncio.get_running_loop().call_soon(
                    org.add_entry, change.conversation, "agent", f"re {change.entry.text}"
                )

        org.subscribe(answer)
        for run, hit in enumerate(HITS):
            code, lines = await run_child(path, emulator.url, f"r{run}", MESSAGES, point, hit)
            assert code == -9
            hits.update(line.removeprefix("hit ") for line in lines if line.startswith("hit "))
            accepted += [line.removeprefix("accepted ") for line in lines if line.startswith("accepted ")]
            async with SqliteSessionLog(path) as log:
                outgoing = await log.next_outgoing(SID)
                if outgoing is not None and outgoing.state is OutboxState.SENDING:
                    in_flight.add(outgoing.client_id)
        code, lines = await run_child(path, emulator.url, "last", MESSAGES)
        assert code == 0
        assert lines[-1] == "tasks 0"
        accepted += [line.removeprefix("accepted ") for line in lines if line.startswith("accepted ")]
        (conversation,) = org.conversations.values()  # every gateway came back to the same provider session
        got = [entry.text for entry in conversation.entries if entry.sender == "guest"]
        said = [entry.text for entry in conversation.entries if entry.sender == "agent"]
    async with SqliteSessionLog(path) as log:
        page = await log.read(SID, 0, limit=10_000, max_bytes=10**7)
        assert page is not None
    assert hits == {point: len(HITS)}
    assert [record.seq for record in page.records] == list(range(1, page.head + 1))
    frames = [msgspec.json.decode(record.body) for record in page.records]
    own = [frame["text"] for frame in frames if frame["type"] == "message" and frame["from"] == "guest"]
    seen = [frame["text"] for frame in frames if frame["type"] == "message" and frame["from"] == "agent"]
    fates = {frame["clientId"]: frame["status"] for frame in frames if frame["type"] == "receipt"}
    assert set(accepted) <= set(own), "acknowledged and gone"
    assert len(set(got)) == len(got), "doubled"
    assert got == [text for text in own if text in set(got)], "reordered, or never accepted"
    assert {text for text in own if fates.get(text) == "delivered"} <= set(got), "lost"
    assert {text for text in own if fates.get(text) != "delivered"} == in_flight, "in doubt without a reason"
    assert {fates[text] for text in in_flight} <= {"unconfirmed"}
    assert len(set(seen)) == len(seen)
    assert seen == [text for text in said if text in set(seen)]
