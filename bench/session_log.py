"""Measure the session log alone: appends by number in flight, with and without dedup keys, and a long resume.

    python bench/session_log.py [--folder FOLDER] [--seconds 2]

The folder must be on the disk that is to be measured, not in memory; it gets a temporary folder of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from guestwire.gateway.log import NewRecord, OutboxState, SessionRow, SqliteSessionLog
from guestwire.model.ids import ClientId, SessionId

SESSIONS = 1000
BODY = b'{"type":"message","from":"agent","text":"' + b"x" * 150 + b'"}'
RESUMED = 5000


async def appends_a_second(
    log: SqliteSessionLog, sids: list[SessionId], in_flight: int, seconds: float, keys: str
) -> float:
    """Return durable appends a second with so many callers that each wait for the one before."""
    numbers = itertools.count()
    done = 0
    stop_at = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < stop_at:
            number = next(numbers)
            sid = sids[number * 7919 % SESSIONS]
            key = f"{keys}:{number:032x}" if keys else None
            await log.append(sid, [NewRecord(kind="message", body=BODY, dedup_key=key)])
            done += 1

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return done / (time.perf_counter() - begun)


async def accepts_a_second(log: SqliteSessionLog, sids: list[SessionId], seconds: float, run: int) -> float:
    """Return guest messages a second, each accepted, marked and settled: three commits."""
    done = 0
    stop_at = time.perf_counter() + seconds

    async def guest(sid: SessionId) -> None:
        nonlocal done
        for number in itertools.count():
            if time.perf_counter() >= stop_at:
                return
            record = NewRecord(kind="message", body=BODY)
            accepted = await log.accept(sid, ClientId(f"{run}-{number}"), BODY, record)
            await log.mark_sending(sid, accepted.oseq, 0)
            receipt = NewRecord(kind="receipt", body=b"{}")
            await log.settle(sid, accepted.oseq, OutboxState.DELIVERED, record=receipt)
            done += 1

    begun = time.perf_counter()
    await asyncio.gather(*(guest(sid) for sid in sids[:512]))
    return done / (time.perf_counter() - begun)


async def resume_s(log: SqliteSessionLog, sid: SessionId) -> float:
    """Return the seconds that a reader needs for the whole log of a session, page by page."""
    begun = time.perf_counter()
    after, pages = 0, 0
    while (page := await log.read(sid, after)) and page.records:
        after, pages = page.records[-1].seq, pages + 1
    assert after == RESUMED, after
    return time.perf_counter() - begun


async def measure(folder: Path, seconds: float) -> None:
    """Print the table."""
    async with SqliteSessionLog(folder / "log.db") as log:
        sids = [SessionId(f"{number:032x}") for number in range(SESSIONS)]
        await asyncio.gather(*(log.create(SessionRow(sid=sid, epoch="e", created_ms=0)) for sid in sids))
        print(f"{SESSIONS} sessions, bodies of {len(BODY)} bytes, synchronous=FULL; medians of 3 runs")
        for in_flight in (1, 32, 512):
            for keys in ("", "p"):
                rates = [
                    await appends_a_second(log, sids, in_flight, seconds, keys and f"{keys}{in_flight}.{run}")
                    for run in range(3)
                ]
                with_keys = "with dedup keys" if keys else "without keys"
                print(
                    f"appends/s, {in_flight:4} in flight, {with_keys:16} {statistics.median(rates):10,.0f}", flush=True
                )
        rates = [await accepts_a_second(log, sids, seconds, run) for run in range(3)]
        print(f"guest messages/s (accept, mark, settle), 512 in flight {statistics.median(rates):10,.0f}", flush=True)
        long_one = SessionId("f" * 32)
        await log.create(SessionRow(sid=long_one, epoch="e", created_ms=0))
        await log.append(long_one, [NewRecord(kind="message", body=BODY) for _ in range(RESUMED)])
        times = [await resume_s(log, long_one) for _ in range(5)]
        print(f"resume of {RESUMED} records, ms {statistics.median(times) * 1000:10.1f}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        uvloop.run(measure(Path(folder), options.seconds))


if __name__ == "__main__":
    main()
