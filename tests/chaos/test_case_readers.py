"""R-05 and D-03: many readers at once, and readers that do not read (reliability.md §5.2, §5.3); real processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guestwire.gateway.log import SqliteSessionLog
from tests.chaos.case_readers import RawReader, gateway_process
from tests.chaos.case_world import filled_session, said

TEXT_BYTES = 1000


def p95(values: list[float]) -> float:
    return sorted(values)[len(values) * 95 // 100]


@pytest.mark.slow
async def test_a_long_replay_to_many_readers_takes_no_memory(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """R-05: every reader gets all pages in order and `synced` once, behind them; the process stays within 50 MB."""
    records, readers = (5000, 100) if chaos_long else (1000, 30)
    most_mib = 50.0 if chaos_long else 20.0
    log_file = tmp_path / "log.sqlite3"
    async with SqliteSessionLog(log_file) as log:
        sid, token = await filled_session(log, [said(f"{n} ".ljust(TEXT_BYTES, "x")) for n in range(records)])
    async with gateway_process(log_file, max_tabs=1000, max_connections_per_address=1000, max_records=10**6) as gateway:
        first = RawReader(sid, token, tab="first")
        await first.connect(gateway.port)
        await first.until(synced=True)  # what the first reader costs is no part of what the others cost
        gateway.forget_peak()
        before = gateway.memory_mib()
        crowd = [RawReader(sid, token, tab=f"{number}") for number in range(readers)]
        begun = time.monotonic()
        await asyncio.gather(*(reader.connect(gateway.port) for reader in crowd))
        await asyncio.gather(*(reader.until(synced=True) for reader in crowd))
        took_s = time.monotonic() - begun
        grown = gateway.memory_mib() - before
        await gateway.talk(sid, 3, 1000, 100)
        for reader in [first, *crowd]:
            await reader.until(seq=records + 3)
            assert reader.seqs == list(range(1, records + 4))
            assert reader.synced == [records]
            reader.close()
    assert grown < most_mib
    figures(
        "R-05",
        readers=readers,
        records=records,
        frames=readers * records,
        frames_per_s=round(readers * records / took_s),
        memory_mib=max(round(grown, 1), 0.1),
    )


@pytest.mark.slow
async def test_readers_that_stop_reading_are_cut_off_and_harm_nobody(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """D-03: memory stays bounded, every one is closed with 4411 and can resume, and who reads notices nothing."""
    stalled, seconds, most_mib = (200, 20, 30.0) if chaos_long else (40, 4, 30.0)
    options = {} if chaos_long else {"blocked_s": 2.0, "stalled_s": 3.0}
    log_file = tmp_path / "log.sqlite3"
    async with SqliteSessionLog(log_file) as log:
        sid, token = await filled_session(log, [])
    async with gateway_process(
        log_file, max_tabs=1000, max_connections_per_address=1000, max_records=10**6, send_buffer=16_384, **options
    ) as gateway:
        healthy = [RawReader(sid, token, tab=f"healthy{number}", measures=True) for number in range(5)]
        for reader in healthy:
            await reader.connect(gateway.port)
            await reader.until(synced=True)
        await gateway.talk(sid, 100, 100, 2000)
        for reader in healthy:
            await reader.until(seq=100)
        before_s = p95([late for reader in healthy for late in reader.late_s])
        for reader in healthy:
            reader.late_s.clear()
        lazy = [RawReader(sid, token, tab=f"lazy{number}") for number in range(stalled)]
        for reader in lazy:
            await reader.connect(gateway.port, receive_buffer=4096)
            await reader.until(synced=True)
            reader.stop_reading()
        gateway.forget_peak()
        memory = gateway.memory_mib()
        count = seconds * 100
        begun = time.monotonic()
        talking = asyncio.create_task(gateway.talk(sid, count, 100, 2000))
        while (await gateway.metrics()).get("guestwire_connections", 0) > len(healthy):
            assert time.monotonic() - begun < seconds + 60
            await asyncio.sleep(0.2)
        closed_s = time.monotonic() - begun
        await talking
        for reader in healthy:
            await reader.until(seq=100 + count)
        grown = gateway.memory_mib() - memory
        during_s = p95([late for reader in healthy for late in reader.late_s])
        closed = 'guestwire_connections_closed_total{code="4411"}'
        metrics = await gateway.metrics()
        for reader in lazy:
            reader.go_on()
        await asyncio.gather(*(reader.until(closed=True) for reader in lazy))
        for reader in healthy:
            assert reader.seqs == list(range(1, 101 + count))
            assert reader.close_code is None
            reader.close()
        for reader in lazy:
            assert reader.seqs == list(range(1, len(reader.seqs) + 1)), "what came is whole, up to where it ended"
            assert len(reader.seqs) < 100 + count
    assert metrics.get(closed) == stalled, metrics
    assert grown < most_mib
    assert during_s < max(2 * before_s, 0.25), (before_s, during_s)
    figures(
        "D-03",
        stalled=stalled,
        closed_4411=metrics[closed],
        within_s=closed_s,
        messages=count,
        memory_mib=max(round(grown, 1), 0.1),
        p95_before_ms=before_s * 1000,
        p95_during_ms=during_s * 1000,
    )
