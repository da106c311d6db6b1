"""O-07 and O-08: crash images of the log, and a full disk (reliability.md §5.2); real files, whole gateways."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from guestwire.errors import LogUnavailable
from guestwire.gateway.log import SqliteSessionLog
from guestwire.gateway.relay.tokens import token_hash
from guestwire.model.events import Message
from guestwire.model.ids import SessionId
from guestwire.testing import eventually
from tests.chaos.case_browser import Browser
from tests.chaos.case_world import browser_of, is_delivered, light_gateway
from tests.integration.gateway.relay_world import Guest, relay_world

IMAGES_SHORT, IMAGES_LONG = 30, 500
FILLS_SHORT, FILLS_LONG = 3, 40


def in_thread(call: Callable[[], Any]) -> asyncio.Future[Any]:
    return asyncio.get_running_loop().run_in_executor(None, call)


# --- O-07 -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """What a crash left, and what a browser had been shown by then.

    Attributes:
        folder: As `relay_world` has it.
        view: All that was shown.
        last: The newest number of it.
    """

    folder: Path
    sid: SessionId
    token: str
    epoch: str | None
    view: list[dict[str, Any]]
    last: int

    @property
    def path(self) -> Path:
        return self.folder / "log" / "sessions.sqlite3"

    def copy(self, source: Path, lacks: int) -> None:
        """Copy a living log as a crash would leave it: the end of its write-ahead log is missing."""
        self.path.parent.mkdir(parents=True)
        for file in source.parent.iterdir():
            if not file.name.endswith((".lock", "-shm")):
                shutil.copy(file, self.path.parent / file.name)
        wal = self.path.with_name(f"{self.path.name}-wal")
        os.truncate(wal, max(0, wal.stat().st_size - lacks))

    def check_integrity(self) -> None:
        """Look at a copy, so that the gateway is the first to open the image."""
        copy = shutil.copytree(self.path.parent, self.folder / "look")
        check_integrity(copy / self.path.name)
        shutil.rmtree(copy)

    async def open(self, counts: Counter[str]) -> None:
        """Start a gateway on it, and come back with what was shown."""
        async with light_gateway(self.path, delivers=False) as gateway:
            if await gateway.log.get(self.sid) is None or await gateway.log.find_token(token_hash(self.token)) is None:
                counts["before_the_session"] += 1
                return
            back = gateway.browser(self.sid, self.token, "back")
            back.epoch, back.last, back.view = self.epoch, self.last, list(self.view)
            await back.connect()
            assert back.problems == []
            if back.mode == "reset":
                assert back.epoch != self.epoch
                assert len(back.view) <= self.last  # as long, when the commit that is gone had no record
                counts["reset"] += 1
                counts["lost_with_the_tail"] += self.last - len(back.view)
            else:
                assert back.epoch == self.epoch
                assert len(back.view) == self.last
                counts["resume"] += 1
            assert back.view == self.view[: len(back.view)], "no prefix of what was shown"
            # It goes on from there, and the numbers with it.
            before = len(back.view)
            await back.send("Still there?", f"after-{before}")
            await back.until_seq(before + 1)
            assert back.problems == []
            await back.drop()


def check_integrity(path: Path) -> None:
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.mark.slow
async def test_a_log_cut_off_anywhere_is_a_prefix_and_resets_who_knows_more(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """O-07: each image opens, is whole, is a prefix; a browser that is ahead is reset to it, any other resumes."""
    rng = Random(chaos_seed)
    counts: Counter[str] = Counter()
    images: list[Image] = []
    async with relay_world(tmp_path / "source") as world:
        guest = await world.create()
        browser = browser_of(guest)
        await browser.connect()
        path = world.settings.log_file
        for number in range(IMAGES_LONG if chaos_long else IMAGES_SHORT):
            await _talk(guest, browser, number, rng)
            if rng.random() < 0.1:  # what was checkpointed is in the database; the next frames overwrite the others
                log = guest.upstream.session.log
                assert isinstance(log, SqliteSessionLog)
                await log._write(lambda do: do.trim(guest.sid, 0), scrubs=True)
            lacks = rng.choice([0, 0, 1, rng.randrange(5000), rng.randrange(40_000), 10**9])
            folder = tmp_path / f"i{number}"
            images.append(Image(folder, guest.sid, guest.token, browser.epoch, list(browser.view), browser.last or 0))
            await in_thread(partial(images[-1].copy, path, lacks))
        await browser.drop()
    for image in images:
        await in_thread(image.check_integrity)
        await image.open(counts)
        await in_thread(partial(shutil.rmtree, image.folder))
    figures("O-07", images=len(images), **counts)


async def _talk(guest: Guest, browser: Browser, number: int, rng: Random) -> None:
    for part in range(rng.randrange(1, 4)):
        await browser.send(f"words {number}.{part}", f"c{number}.{part}")
        await browser.until(lambda: not browser.unacknowledged)
        texts = [f"a{number}.{part}.{n} ".ljust(rng.randrange(10, 1000), "x") for n in range(rng.randrange(4))]
        await guest.upstream.says(*(Message(sender="agent", text=text, id=text[:20]) for text in texts))
    session = guest.upstream.session

    await eventually(partial(is_delivered, guest))
    await browser.until_seq((await session.log.head(session.sid)).head)
    await browser.connect()  # a new count of frames for the rate
    assert browser.problems == []


# --- O-08 -------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def no_room(log: SqliteSessionLog) -> AsyncIterator[None]:
    """Let the database not grow by a page: SQLite then fails as on a full disk (SQLITE_FULL)."""
    most = await log._write(lambda do: do._connection.execute("PRAGMA max_page_count").get)
    await log._write(
        lambda do: (
            do._connection.execute(f"PRAGMA max_page_count={do._connection.execute('PRAGMA page_count').get}").get
        )
    )
    try:
        yield
    finally:
        await log._write(lambda do: do._connection.execute(f"PRAGMA max_page_count={most}").get)


def accepted_in(path: Path) -> set[str]:
    """Return the client ids that have both their row and their record, as another connection sees them."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute("PRAGMA query_only=ON").fetchall()
    rows = connection.execute(
        "SELECT client_id FROM outbox JOIN record ON record.sno = outbox.sno AND record.seq = message_seq"
    )
    found = {str(row[0]) for row in rows}
    assert connection.execute("SELECT count(*) FROM outbox").get == len(found)
    connection.close()
    return found


async def _fill_and_recover(
    guest: Guest,
    browser: Browser,
    full: contextlib.AbstractAsyncContextManager[None],
    number: int,
    counts: Counter[str],
) -> None:
    """Say long things until there is no room; then there is, and all is well without a restart."""
    session = guest.upstream.session
    path = guest.world.settings.log_file

    await eventually(partial(is_delivered, guest))
    guest.upstream.delivers = False  # it is no part of this, and gives up where a real one waits
    async with full:
        refused = browser.counts["error-log-unavailable"]
        for part in range(15):
            await browser.send(f"{number}.{part} ".ljust(4000, "x"), f"c{number}.{part}")
            await browser.until(
                lambda part=part: (
                    f"c{number}.{part}" not in browser.unacknowledged  # type: ignore[misc]
                    or browser.counts["error-log-unavailable"] > refused
                    or browser.is_closed
                )
            )
            if browser.counts["error-log-unavailable"] > refused:
                break
        assert browser.counts["error-log-unavailable"] > refused, "it never was full"
        (error,) = [frame for frame in browser.frames if frame.get("code") == "log-unavailable"]
        assert error["retryAfter"] > 0
        assert error["clientId"] in browser.unacknowledged
        on_disk = await in_thread(partial(accepted_in, path))
        sent = {f"c{number}.{n}" for n in range(part + 1)}
        assert sent - browser.unacknowledged.keys() <= on_disk, "acknowledged without a row"
        assert not browser.unacknowledged.keys() & on_disk
        with pytest.raises(LogUnavailable):
            await guest.upstream.agent("y" * 20_000, id=f"p{number}")
        answer = await guest.world.ask("POST", "/api/v2/chat/guestsessions", b'{"name":"%s"}' % (b"z" * 250))
        assert answer.status in {200, 503}  # a small one may find its place
        counts["refused"] += browser.counts["error-log-unavailable"] - refused
        counts["acknowledged"] += len(sent - browser.unacknowledged.keys())
    await guest.upstream.agent("y" * 20_000, id=f"p{number}")
    await browser.connect()  # it says again what was not answered
    await browser.until(lambda: not browser.unacknowledged)
    guest.upstream.delivers = True
    guest.upstream.wake()
    await eventually(partial(is_delivered, guest))
    head = (await session.log.head(session.sid)).head
    await browser.until_seq(head)
    counts["recoveries"] += 1


async def _check_whole(guest: Guest, browser: Browser) -> None:
    fresh = browser_of(guest, "fresh")
    await fresh.connect()
    await fresh.until_seq(browser.last or 0)
    assert fresh.view == browser.view
    own = [frame["clientId"] for frame in fresh.view if frame["type"] == "message" and "clientId" in frame]
    assert len(own) == len(set(own))
    assert set(own) == await in_thread(partial(accepted_in, guest.world.settings.log_file))
    assert [browser.problems, fresh.problems] == [[], []]
    await fresh.drop()


@pytest.mark.slow
async def test_a_full_database_acknowledges_nothing_and_recovers(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """O-08: no ack without a row, the guest is told `log-unavailable`; with room again it goes on without a restart."""
    counts: Counter[str] = Counter()
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        browser = browser_of(guest)
        await browser.connect()
        await browser.send("Hello", "first")
        await browser.until_seq(2)
        log = guest.upstream.session.log
        assert isinstance(log, SqliteSessionLog)
        for number in range(FILLS_LONG if chaos_long else FILLS_SHORT):
            await _fill_and_recover(guest, browser, no_room(log), number, counts)
        await _check_whole(guest, browser)
        await browser.drop()
    figures("O-08", refused=counts["refused"], recoveries=counts["recoveries"])


@pytest.mark.long_only
async def test_a_full_file_system_acknowledges_nothing_and_recovers(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """O-08 on a small tmpfs: it fails, and says so, where nothing can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = await in_thread(
        partial(
            subprocess.run,
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    )
    assert mounted.returncode == 0, (
        f"O-08 needs the right to mount a tmpfs (root in a container will do): {mounted.stderr}"
    )
    counts: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def ballast() -> AsyncIterator[None]:
        file = folder / "ballast"
        left = shutil.disk_usage(folder).free
        await in_thread(partial(file.write_bytes, bytes(max(0, left - 16 * 1024))))
        try:
            yield
        finally:
            await in_thread(file.unlink)

    try:
        async with relay_world(folder) as world:
            guest = await world.create()
            browser = browser_of(guest)
            await browser.connect()
            await browser.send("Hello", "first")
            await browser.until_seq(2)
            for number in range(FILLS_SHORT):
                await _fill_and_recover(guest, browser, ballast(), number, counts)
            await _check_whole(guest, browser)
            await browser.drop()
    finally:
        await in_thread(partial(subprocess.run, ["umount", str(folder)], check=False))
    figures("O-08-tmpfs", refused=counts["refused"], recoveries=counts["recoveries"])
