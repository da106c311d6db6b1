"""What is particular to the log on SQLite: group commit, full disk, erased bytes, one process only."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import apsw
import pytest

from guestwire.errors import ConfigError, LogUnavailable, SessionGone
from guestwire.gateway.log import NewRecord, OutboxState, Page, SessionRow, SqliteSessionLog, slack, writer
from guestwire.gateway.log.transaction import Transaction
from guestwire.model.ids import ClientId, SessionId

SID = SessionId("a" * 32)


def row(sid: SessionId = SID) -> SessionRow:
    return SessionRow(sid=sid, epoch="e", created_ms=0)


def record(body: bytes, key: str | None = None) -> NewRecord:
    return NewRecord(kind="message", body=body, dedup_key=key)


async def test_many_waiting_appends_share_few_commits(tmp_path: Path) -> None:
    """512 appends asked for at once take at most a handful of commits, and each gets its own seq."""
    commits = 0

    def count(name: str) -> None:
        nonlocal commits
        commits += name == "before-commit"

    async with SqliteSessionLog(tmp_path / "log.db", fail_point=count) as log:
        await log.create(row())
        before = commits
        results = await asyncio.gather(*(log.append(SID, [record(b"x")]) for _ in range(512)))
        assert sorted(seq for result in results for seq in result if seq) == list(range(1, 513))
        assert 1 <= commits - before <= 16


async def test_nothing_resolves_before_its_commit(tmp_path: Path) -> None:
    """While the commit is held up nothing has been answered and no reader sees the record."""
    entered, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    is_armed = False

    def hold(name: str) -> None:
        if is_armed and name == "before-commit":
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    async with SqliteSessionLog(tmp_path / "log.db", fail_point=hold) as log:
        await log.create(row())
        is_armed = True
        appending = asyncio.ensure_future(log.append(SID, [record(b"x")]))
        await entered.wait()
        page = await log.read(SID, 0)
        assert page is not None
        assert not page.records
        assert not appending.done()
        go_on.set()
        assert await appending == [1]


async def test_a_broken_request_fails_alone(tmp_path: Path) -> None:
    """A request that breaks after its first change takes nothing of the others with it, and leaves nothing behind."""
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(row())

        def breaks(do: Transaction) -> None:
            do.append(SID, [record(b"half", "half")])
            raise ZeroDivisionError

        def refuses(do: Transaction) -> None:
            do.append(SID, [record(b"half", "half")])
            raise SessionGone

        results = await asyncio.gather(
            *(log.append(SID, [record(b"%d" % n)]) for n in range(20)),
            log._write(breaks),
            log._write(refuses),
            *(log.append(SID, [record(b"%d" % n)]) for n in range(20, 40)),
            return_exceptions=True,
        )
        assert isinstance(results[20], ZeroDivisionError)
        assert isinstance(results[21], SessionGone)
        assert results[:20] + results[22:] == [[n] for n in range(1, 41)]
        assert await log.append(SID, [record(b"whole", "half")]) == [41]


async def test_a_failing_commit_is_not_acknowledged_and_leaves_no_trace(tmp_path: Path) -> None:
    """If the store fails before the commit, every waiting call says so; the next ones go on as if nothing was."""
    fails = False

    def fail(name: str) -> None:
        if fails and name == "before-commit":
            raise OSError("the disk is on fire")

    async with SqliteSessionLog(tmp_path / "log.db", fail_point=fail) as log:
        await log.create(row())
        fails = True
        results = await asyncio.gather(
            *(log.append(SID, [record(b"x", f"k{n}")]) for n in range(5)),
            log.accept(SID, ClientId("c"), b"c", record(b"c")),
            return_exceptions=True,
        )
        assert all(isinstance(result, LogUnavailable) for result in results)
        fails = False
        assert (await log.head(SID)).head == 0
        assert await log.append(SID, [record(b"x", "k0")]) == [1]
        assert (await log.accept(SID, ClientId("c"), b"c", record(b"c"))).is_new


async def test_a_full_disk_acknowledges_nothing_it_did_not_keep(tmp_path: Path) -> None:
    """O-08: every answered append is there, the others say try later, and space is used again without a restart."""
    kept: dict[SessionId, set[bytes]] = {}
    refused = 0
    failures: list[None] = []
    async with SqliteSessionLog(tmp_path / "log.db", max_pages=300, on_failure=lambda: failures.append(None)) as log:
        sids = [SessionId(f"{n:032x}") for n in range(4)]
        for sid in sids:
            await log.create(row(sid))
            kept[sid] = set()

        async def write(sid: SessionId, body: bytes) -> bool:
            nonlocal refused
            try:
                await log.append(sid, [record(body, body[:20].decode())])
            except LogUnavailable:
                refused += 1
                return False
            kept[sid].add(body)
            return True

        async def everything(sid: SessionId) -> set[bytes]:
            after, found = 0, set[bytes]()
            while (page := await log.read(sid, after)) and page.records:
                assert [r.seq for r in page.records] == list(range(after + 1, after + 1 + len(page.records)))
                after = page.records[-1].seq
                found |= {r.body for r in page.records}
            return found

        for lap in range(20):
            await asyncio.gather(
                *(write(sid, b"%018d.%d" % (lap * 16 + n, 0) + b"x" * 9000) for sid in sids for n in range(16))
            )
        assert refused > 100
        assert len(failures) == refused
        assert sum(map(len, kept.values())) > 50
        for sid in sids:
            assert await everything(sid) == kept[sid]
        await log.erase(sids[0])
        refused = 0
        assert await write(sids[1], b"%018d.%d" % (9999, 1))
        assert refused == 0
        assert await everything(sids[1]) == kept[sids[1]]
    check_integrity(tmp_path / "log.db")
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        for sid in sids[1:]:
            assert await everything(sid) == kept[sid]
        assert not log.lost_records


def check_integrity(path: Path) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.mark.parametrize("seed", range(4))
async def test_an_erased_session_leaves_no_byte(tmp_path: Path, seed: int) -> None:
    """After an erasure, no file of the store holds anything that was said, whatever was stored and erased around it."""
    rng = random.Random(seed)
    sids = [SessionId(f"{n:032x}") for n in range(40)]
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        for sid in sids:
            await log.create(SessionRow(sid=sid, epoch="e", created_ms=0, provider_ref=mark(sid), details=mark(sid)))
        for lap in range(30):
            await asyncio.gather(*(talk(log, sid, lap, rng) for sid in rng.sample(sids, 20)))
            if lap % 5 == 4:
                for sid in rng.sample(sids, 5):
                    await log.trim(sid, rng.randrange(1, 20))
        rng.shuffle(sids)
        for count, sid in enumerate(sids[:-3], start=1):
            await log.erase(sid)
            content = files_of(tmp_path)
            for gone in sids[:count]:
                assert mark(gone) not in content
            for there in sids[count:]:
                assert mark(there) in content


async def test_what_was_trimmed_on_demand_leaves_no_byte(tmp_path: Path) -> None:
    """A guest who clears a chat wants the words gone, from the write-ahead log, too."""
    sid = SessionId("a" * 32)
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(SessionRow(sid=sid, epoch="e", created_ms=0))
        for length in (1, 40, 200):
            await log.append(sid, [NewRecord(kind="m", body=mark(sid) * length)])
        assert mark(sid) in files_of(tmp_path)
        await log.trim(sid, 4)
        assert mark(sid) not in files_of(tmp_path)


async def test_an_erasure_looks_only_at_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time does not grow with the file; what checkpoints had moved since the last one is looked at all the same."""
    rng = random.Random(3)
    looked: list[int | None] = []

    def counting(file: int, page_size: int, pages: set[int] | None = None) -> int:
        looked.append(None if pages is None else len(pages))
        return slack.zero_slack(file, page_size, pages)

    monkeypatch.setattr(writer, "zero_slack", counting)
    monkeypatch.setattr(writer, "CHECKPOINT_PAGES", 30)
    sids: list[SessionId] = []
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        filler = SessionId("f" * 32)
        await log.create(row(filler))
        for lap in range(8):
            await log.append(filler, [record(b"filler" * 600, f"f{lap}.{n}") for n in range(100)])
        for number in range(30):
            sids.append(SessionId(f"{number:032x}"))
            await log.create(row(sids[-1]))
            for lap in range(4):
                await asyncio.gather(*(talk(log, sid, number * 4 + lap, rng) for sid in sids[-8:]))
            if number % 10 == 9:
                for gone in sids[-9:-1:2]:
                    sids.remove(gone)
                    await log.erase(gone)
                    assert mark(gone) not in files_of(tmp_path)
                    assert mark(sids[-1]) in files_of(tmp_path)
    pages = (tmp_path / "log.db").stat().st_size // 4096
    assert looked[0] is None
    later = [count for count in looked[1:] if count is not None]
    assert len(later) == len(looked) - 1 == 11
    assert max(later) > 40
    assert sorted(later)[len(later) // 2] < pages / 10


async def test_an_erasure_that_a_reader_holds_up_is_done_and_tidied_up_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the file from outside keeps bytes in it, but no session and no caller waiting."""
    monkeypatch.setattr(writer, "_SCRUB_BUSY_MS", 10)
    monkeypatch.setattr(writer, "_SCRUB_AGAIN_S", 0.0)
    sids = [SessionId(letter * 32) for letter in "abc"]
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        for sid in sids[:2]:
            await log.create(SessionRow(sid=sid, epoch="e", created_ms=0, details=mark(sid), expires_ms=9))
        await log.create(row(sids[2]))
        looking = apsw.Connection(str(tmp_path / "log.db"), flags=apsw.SQLITE_OPEN_READONLY)
        looking.execute("BEGIN").fetchall()
        looking.execute("SELECT count(*) FROM session").fetchall()
        assert await log.erase(sids[0]) is False
        assert await log.get(sids[0]) is None
        assert [gone.sid for gone in await log.expire(9)] == [sids[1]]
        assert await log.expire(9) == []
        assert mark(sids[0]) in files_of(tmp_path)
        looking.close()
        await log.touch(sids[2], expires_ms=1)  # any write
        for sid in sids[:2]:
            assert mark(sid) not in files_of(tmp_path)
        assert await log.erase(sids[0]) is True


async def test_what_holds_up_an_erasure_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After one attempt in vain the next ones have time: not every write waits for who reads the file."""
    attempts: list[int] = []

    def note(self: writer.Writer, sql: str = "") -> None:
        attempts.append(1)

    monkeypatch.setattr(writer, "_SCRUB_BUSY_MS", 10)
    sid, other = SessionId("a" * 32), SessionId("b" * 32)
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(row(sid))
        await log.create(row(other))
        looking = apsw.Connection(str(tmp_path / "log.db"), flags=apsw.SQLITE_OPEN_READONLY)
        looking.execute("BEGIN").fetchall()
        looking.execute("SELECT count(*) FROM session").fetchall()
        monkeypatch.setattr(writer.Writer, "_note_pages", note)
        assert await log.erase(sid) is False
        for number in range(5):
            await log.touch(other, expires_ms=number)
        assert await log.erase(sid) is False
        assert len(attempts) == 1
        looking.close()


def files_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def mark(sid: SessionId) -> bytes:
    return b"<secret of " + sid.encode() + b">"


async def talk(log: SqliteSessionLog, sid: SessionId, lap: int, rng: random.Random) -> None:
    body = mark(sid) * rng.choice([1, 1, 3, 40, 200])
    await log.append(sid, [NewRecord(kind="m", body=body, dedup_key=f"{mark(sid).decode()}{lap}") for _ in range(2)])
    await log.accept(sid, ClientId(f"{mark(sid).decode()}-{lap}"), body, record(body), max_open=99)
    await log.set_provider(sid, mark(sid) * rng.choice([1, 2, 7]))


async def test_a_second_process_is_kept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers would number the same seq twice."""
    monkeypatch.setattr("guestwire.gateway.log.schema._LOCK_MS", 1)
    async with SqliteSessionLog(tmp_path / "log.db"):
        with pytest.raises(ConfigError, match="in use by another process"):
            async with SqliteSessionLog(tmp_path / "log.db"):
                pass
    async with SqliteSessionLog(tmp_path / "log.db"):
        pass


async def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite with the WAL-reset bug could corrupt the log."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(ConfigError, match=r"Expected SQLite 3\.51\.3 or newer, got 3\.51\.2"):
        async with SqliteSessionLog(tmp_path / "log.db"):
            pass


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A database of a version to come is not touched."""
    async with SqliteSessionLog(tmp_path / "log.db"):
        pass
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("UPDATE store SET schema_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="got 99"):
        async with SqliteSessionLog(tmp_path / "log.db"):
            pass


async def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    """What was open in it still is, what was settled still is, and its log goes on."""
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(row())
        for name in ("one", "two"):
            await log.accept(SID, ClientId(name), name.encode(), record(name.encode()))
        await log.mark_sending(SID, 1, 0)
        await log.settle(SID, 1, OutboxState.DELIVERED, record=record(b"receipt"))
    connection = apsw.Connection(str(tmp_path / "log.db"))
    for statement in (
        "DROP INDEX outbox_open",
        "ALTER TABLE outbox DROP COLUMN is_open",
        "CREATE INDEX outbox_open ON outbox (sno, oseq) WHERE state IN ('accepted', 'sending', 'waiting')",
        "UPDATE store SET schema_version = 1",
    ):
        connection.execute(statement).fetchall()
    connection.close()
    for _ in range(2):
        async with SqliteSessionLog(tmp_path / "log.db") as log:
            assert not log.lost_records
            assert await log.count_open() == 1
            outgoing = await log.next_outgoing(SID)
            assert outgoing is not None
            assert (outgoing.oseq, outgoing.client_id) == (2, "two")
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.mark_sending(SID, 2, 0)
        assert await log.append(SID, [record(b"more")]) == [4]
    check_integrity(tmp_path / "log.db")


async def test_another_program_that_writes_holds_up_no_chat(tmp_path: Path) -> None:
    """While another connection has the write lock the loop runs on; what was asked for is done when it lets go."""
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(row())
        other = apsw.Connection(str(tmp_path / "log.db"))
        other.execute("BEGIN IMMEDIATE")
        appending = asyncio.ensure_future(log.append(SID, [record(b"x")]))
        for _ in range(20):
            assert await log.read(SID, 0) == Page((), 0)
        assert not appending.done()
        other.execute("ROLLBACK")
        other.close()
        assert await appending == [1]


async def test_changes_of_one_message_in_one_commit_keep_their_order(tmp_path: Path) -> None:
    """Accepted, sent, put back and sent again at once: the store has the last state, and only one row."""
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(row())
        await asyncio.gather(
            log.accept(SID, ClientId("c"), b"words", record(b"words")),
            log.mark_sending(SID, 1, 5),
            log.settle(SID, 1, OutboxState.ACCEPTED),
            log.mark_sending(SID, 1, 6),
            log.settle(SID, 1, OutboxState.WAITING, record=record(b"wait"), retry_at_ms=9),
        )
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        outgoing = await log.next_outgoing(SID)
        assert outgoing is not None
        assert (outgoing.state, outgoing.attempts, outgoing.sent_at_ms, outgoing.retry_at_ms) == ("waiting", 2, 6, 9)
        assert outgoing.body == b"words"
        assert await log.count_open() == 1


async def test_a_store_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    """A folder where the database should be is the operator's to mend, and said in one kind of error."""
    (tmp_path / "log.db").mkdir()
    with pytest.raises(LogUnavailable):
        async with SqliteSessionLog(tmp_path / "log.db"):
            pass


async def test_after_closing_every_call_is_refused(tmp_path: Path) -> None:
    """What was asked for before is finished; what comes after is refused at once."""
    log = SqliteSessionLog(tmp_path / "log.db")
    async with log:
        await log.create(row())
        pending = [asyncio.ensure_future(log.append(SID, [record(b"x")])) for _ in range(10)]
        await asyncio.sleep(0)  # they have asked, and are not answered
    assert [await each for each in pending] == [[n] for n in range(1, 11)]
    await log.aclose()
    with pytest.raises(LogUnavailable):
        await log.append(SID, [record(b"x")])
    with pytest.raises(LogUnavailable):
        await log.get(SID)


async def test_cancelling_gives_up_the_answer_not_the_write(tmp_path: Path) -> None:
    """A caller that goes away leaves a log that is as if it had stayed."""
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(row())
        task = asyncio.ensure_future(log.append(SID, [record(b"x")]))
        await asyncio.sleep(0)
        task.cancel()
        assert await log.append(SID, [record(b"y")]) == [2]


async def test_a_failing_wake_up_keeps_nobody_asleep(tmp_path: Path) -> None:
    """The bug of one subscriber is reported to the loop and hurts nobody else."""
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        await log.create(row())
        woken = asyncio.Event()

        def breaks() -> None:
            raise ZeroDivisionError

        log.subscribe(SID, breaks)
        log.subscribe(SID, woken.set)
        await log.append(SID, [record(b"x")])
        await woken.wait()
    assert isinstance(reported[0], ZeroDivisionError)


async def test_a_session_forgotten_by_memory_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for few keys and views, positions and duplicates are still exact."""
    monkeypatch.setattr("guestwire.gateway.log.transaction._MAX_KEYS", 20)
    monkeypatch.setattr("guestwire.gateway.log.sqlite._MAX_VIEWS", 3)
    async with SqliteSessionLog(tmp_path / "log.db") as log:
        sids = [SessionId(f"{n:032x}") for n in range(10)]
        for sid in sids:
            await log.create(row(sid))
        for lap in range(1, 6):
            results = await asyncio.gather(*(log.append(s, [record(b"x", f"{lap}"), record(b"x", "1")]) for s in sids))
            assert results == [[1, None] if lap == 1 else [lap, None]] * 10
            assert [(await log.head(sid)).head for sid in sids] == [lap] * 10


def test_a_log_that_was_not_closed_warns(tmp_path: Path) -> None:
    """Forgetting to close is said, as for files."""
    log = SqliteSessionLog(tmp_path / "log.db")
    log._is_open = True
    with pytest.warns(ResourceWarning, match="was not closed"):
        log.__del__()
    log._is_open = False
