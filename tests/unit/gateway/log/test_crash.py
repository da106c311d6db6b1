"""The log after kill -9, after a cut-off write-ahead log, and after a restored backup."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from guestwire.gateway.log import NewRecord, Record, SessionRow, SqliteSessionLog
from guestwire.model.ids import SessionId

CHILD = Path(__file__).with_name("child.py")
KILLS = 16
IMAGES = 40
SID = SessionId("a" * 32)


@pytest.fixture(scope="module")
def writers() -> Iterator[subprocess.Popen[str]]:
    """The process that forks writers; what they write to stderr is shown when a test fails."""
    with subprocess.Popen(
        [sys.executable, str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        process.kill()


def run_and_kill(
    writers: subprocess.Popen[str], path: Path, seed: int, *, after_lines: int, fail_point: str = "", count: int = 0
) -> tuple[str, list[tuple[str, str, int, str]]]:
    """Start a writer, kill it after so many acknowledgements (or let its fail-point do so), return what it said."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    says = path.with_name(f"says-{seed}")
    os.mkfifo(says)
    order = {"path": str(path), "seed": seed, "fail_point": fail_point, "count": count, "says": str(says)}
    writers.stdin.write(json.dumps(order) + "\n")
    lines = []
    with says.open(encoding="ascii") as said:
        pid = int(said.readline())
        for line in said:
            lines.append(line)
            if len(lines) == after_lines:
                os.kill(pid, signal.SIGKILL)
    assert writers.stdout.readline() == "-9\n"
    acknowledged = []
    for line in lines:
        if line.endswith("\n"):  # the kill may have cut the last line
            words = line.split()
            if len(words) == 4:
                acknowledged.append((words[0], words[1], int(words[2]), words[3]))
    return lines[0].strip() if lines else "", acknowledged


def look(path: Path) -> dict[tuple[str, int], str | None]:
    """Check the database and return (sid, seq) → dedup key."""
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    found = {}
    for sid, seq, key in connection.execute("SELECT sid, seq, dedup_key FROM record JOIN session USING (sno)"):
        found[str(sid), int(seq)] = None if key is None else str(key)
    # Each accepted message has its record and its row, or neither; each row beyond `accepted` has its state once.
    orphans = connection.execute(
        "SELECT count(*) FROM outbox LEFT JOIN record ON record.sno = outbox.sno AND record.seq = message_seq"
        " WHERE dedup_key IS NOT 'own:' || client_id"
    ).get
    assert orphans == 0
    delivered = connection.execute("SELECT count(*) FROM outbox WHERE state = 'delivered'").get
    receipts = connection.execute("SELECT count(*) FROM record WHERE kind = 'receipt'").get
    assert delivered == receipts
    connection.close()
    return found


def check(path: Path, acknowledged: list[tuple[str, str, int, str]]) -> None:
    found = look(path)
    for _, sid, seq, key in acknowledged:
        assert found.get((sid, seq)) == key, f"acknowledged and not there: {sid} {seq} {key}"
    for sid in {sid for sid, _ in found}:
        seqs = sorted(seq for other, seq in found if other == sid)
        assert seqs == list(range(1, len(seqs) + 1))
        keys = [key for (other, _), key in found.items() if other == sid and key is not None]
        assert len(keys) == len(set(keys))


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_what_was_acknowledged_survives_kill_9(writers: subprocess.Popen[str], tmp_path: Path) -> None:
    """A process that is killed at random moments, again and again on one log, never loses or doubles a record."""
    rng = random.Random(20)
    path = tmp_path / "log.db"
    acknowledged: list[tuple[str, str, int, str]] = []
    for seed in range(KILLS):
        first, new = run_and_kill(writers, path, seed, after_lines=rng.randrange(10, 200))
        assert first == "opened", "a kill must not look like a restored backup"
        assert new
        acknowledged += new
        check(path, acknowledged)
    assert len(acknowledged) > KILLS * 10


@pytest.mark.slow
@pytest.mark.parametrize("fail_point", ["before-commit", "after-commit"])
@pytest.mark.parametrize("count", [1, 4, 9, 30])
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_beside_a_commit(writers: subprocess.Popen[str], tmp_path: Path, fail_point: str, count: int) -> None:
    """Killed just before a commit nothing of it is there, just after it all of it; a new process goes on."""
    path = tmp_path / "log.db"
    _, acknowledged = run_and_kill(writers, path, 1, after_lines=10**9, fail_point=fail_point, count=count)
    check(path, acknowledged)
    first, more = run_and_kill(writers, path, 2, after_lines=40)
    assert first == "opened"
    check(path, acknowledged + more)


# --- images -----------------------------------------------------------------------------------------------------------


def copy_store(source: Path, target: Path, *, wal_bytes: int | None = None) -> Path:
    """Copy a living store as a crash would leave it, its write-ahead log cut to so many bytes."""
    target.mkdir()
    for suffix in ("", "-wal", ".generation"):
        shutil.copy(source.with_name(source.name + suffix), target / f"log.db{suffix}")
    if wal_bytes is not None:
        os.truncate(target / "log.db-wal", wal_bytes)
    return target / "log.db"


@contextlib.asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[SqliteSessionLog, list[Record]]]:
    async with SqliteSessionLog(path) as log:
        page = await log.read(SID, 0, 10**6, 10**9)
        yield log, [] if page is None else list(page.records)


async def filled(log: SqliteSessionLog, count: int, begin: int = 0) -> None:
    if begin == 0:
        await log.create(SessionRow(sid=SID, epoch="first", created_ms=0))
    for number in range(begin, begin + count):
        await log.append(SID, [NewRecord(kind="m", body=b"%d" % number * 50, dedup_key=f"k{number}")])


def in_thread(call: Callable[[], Path]) -> asyncio.Future[Path]:
    return asyncio.get_running_loop().run_in_executor(None, call)


@pytest.mark.slow
async def test_a_cut_off_write_ahead_log_leaves_a_prefix(tmp_path: Path) -> None:
    """O-07: the log opens as a prefix; exactly if a commit was lost, the epoch changed, so that readers are reset."""
    rng = random.Random(7)
    source = tmp_path / "log.db"
    async with SqliteSessionLog(source) as log:
        await filled(log, 120)
        page = await log.read(SID, 0, 10**6, 10**9)
        assert page is not None
        whole = list(page.records)
        size = source.with_name("log.db-wal").stat().st_size
        cuts = [size, size - 1, 0, *(rng.randrange(size) for _ in range(IMAGES))]
        images = [
            await in_thread(partial(copy_store, source, tmp_path / f"i{n}", wal_bytes=cut))
            for n, cut in enumerate(cuts)
        ]
    lengths = set()
    for image in images:
        async with opened(image) as (log, records):
            assert records == whole[: len(records)]
            lengths.add(len(records))
            assert log.lost_records == (len(records) < len(whole))
            epoch = None
            if await log.get(SID) is not None:
                epoch = (await log.head(SID)).epoch
                assert (epoch != "first") == log.lost_records
                expected = [None] * len(records) + list(range(len(records) + 1, 121))
                again = [NewRecord(kind="m", body=b"%d" % n * 50, dedup_key=f"k{n}") for n in range(120)]
                assert await log.append(SID, again) == expected
        async with opened(image) as (log, _):
            assert not log.lost_records
            if epoch is not None:
                assert (await log.head(SID)).epoch == epoch
        look_image(image)
    assert len(lengths) > IMAGES / 2


def look_image(path: Path) -> None:
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


async def test_a_restored_backup_changes_every_epoch(tmp_path: Path) -> None:
    """A database that is older than the generation file says, is from elsewhere, or has no file, resets its readers."""
    path = tmp_path / "log.db"
    async with SqliteSessionLog(path) as log:
        await filled(log, 5)
    backup = tmp_path / "backup"
    shutil.copy(path, backup)
    async with SqliteSessionLog(path) as log:
        assert not log.lost_records
        await filled(log, 5, begin=5)
        assert (await log.head(SID)).epoch == "first"
    shutil.copy(backup, path)
    async with opened(path) as (log, records):
        assert log.lost_records
        assert len(records) == 5
        second = (await log.head(SID)).epoch
        assert second != "first"
    async with SqliteSessionLog(path) as log:
        assert not log.lost_records
        assert (await log.head(SID)).epoch == second
    path.with_name("log.db.generation").unlink()
    async with SqliteSessionLog(path) as log:
        assert log.lost_records
        assert (await log.head(SID)).epoch not in {"first", second}
    path.with_name("log.db.generation").write_bytes(b"garbage")
    async with SqliteSessionLog(path) as log:
        assert log.lost_records
    async with SqliteSessionLog(tmp_path / "new.db") as log:
        assert not log.lost_records
