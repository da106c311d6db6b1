"""The session log alone: appends by number in flight, with and without dedup keys, and in logs that have grown."""

from __future__ import annotations

import asyncio
import gc
import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from guestwire.gateway.log import NewRecord, OutboxState, SessionRow, SqliteSessionLog
from guestwire.gateway.relay.tokens import SessionTokens
from guestwire.gateway.run import COLLECT_EVERY
from guestwire.model.ids import ClientId, SessionId
from guestwire.net.clock import SystemClock

SESSIONS = 1000
BODY = b'{"type":"message","from":"agent","text":"' + b"x" * 150 + b'"}'
AT_ONCE = 500  # records an append, where a log is filled
TTL_S = 86_400.0
EPOCH = "e" * 32


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
            sid = sids[number * 7919 % len(sids)]
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


async def fill(path: Path, lengths: Sequence[int], *, ballast: int = 0) -> dict[int, tuple[str, str]]:
    """Write a log with a session of each length, and other sessions with `ballast` records in all.

    Returns:
        Length → session id and token.
    """
    clock = SystemClock()
    pairs: dict[int, tuple[str, str]] = {}
    async with SqliteSessionLog(path) as log:
        tokens = SessionTokens(log, clock, ttl_s=TTL_S)
        for number, length in enumerate([*lengths, *[AT_ONCE] * (ballast // AT_ONCE)]):
            sid = SessionId(f"{number:032x}")
            await log.create(SessionRow(sid=sid, epoch=EPOCH, created_ms=int(time.time() * 1000)))
            for start in range(0, length, AT_ONCE):
                records = [_record(f"{number}.{each}") for each in range(start, min(length, start + AT_ONCE))]
                await log.append(sid, records)
            if number < len(lengths):
                pairs[length] = (sid, (await tokens.issue(sid)).reveal())
    return pairs


def _record(key: str) -> NewRecord:
    return NewRecord(kind="message", body=BODY, dedup_key=f"p:{key}")


async def in_grown_logs(
    path: Path, pairs: dict[int, tuple[str, str]], *, seconds: float
) -> dict[str, dict[str, float]]:
    """Return, by length, the ms of a session's first append, which reads its keys, and appends/s after it."""
    result: dict[str, dict[str, float]] = {}
    async with SqliteSessionLog(path) as log:
        for length, (sid, _) in pairs.items():
            begun = time.perf_counter()
            await log.append(SessionId(sid), [_record(f"first.{length}")])
            first_ms = (time.perf_counter() - begun) * 1000
            rate = await appends_a_second(log, [SessionId(sid)], 1, seconds, f"grown.{length}")
            result[str(length)] = {"first_append_ms": first_ms, "appends_per_s": rate}
    return result


async def measure(folder: Path, *, seconds: float, runs: int) -> dict[str, float]:
    """Return appends/s and guest messages/s, medians over the runs."""
    figures: dict[str, list[float]] = {}
    gc.collect()  # as `serve` has it (gateway/run.py)
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 20)
    async with SqliteSessionLog(folder / "log.sqlite3") as log:
        sids = [SessionId(f"{number:032x}") for number in range(SESSIONS)]
        await asyncio.gather(*(log.create(SessionRow(sid=sid, epoch=EPOCH, created_ms=0)) for sid in sids))
        for run in range(runs):
            for in_flight in (1, 32, 512):
                for keys, name in (("", "without keys"), (f"p{run}.{in_flight}", "with dedup keys")):
                    rate = await appends_a_second(log, sids, in_flight, seconds, keys)
                    figures.setdefault(f"appends/s, {in_flight} in flight, {name}", []).append(rate)
            rate = await accepts_a_second(log, sids, seconds, run)
            figures.setdefault("guest messages/s (accept, mark, settle), 512 in flight", []).append(rate)
    return {name: statistics.median(values) for name, values in figures.items()}
