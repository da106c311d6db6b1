"""What is measured of a server; see README.md for what the figures say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from bench.load import Chat, HttpLoad, Opened, Rotation, connect, open_chats
from bench.peers.provider import Provider
from bench.servers import READY_S, Running

Way = Literal["both", "up", "down"]
"""Guest and agent in turn; guests only; agents only."""


async def memory(server: Running, provider: Provider, *, chats: int) -> float:
    """Return KiB per idle chat, each with a message of both sides behind it."""
    async with open_chats(server, provider, 10):
        await asyncio.sleep(0.2)
        before = server.memory_kib()  # what is loaded with the first connections is no chat's
        async with open_chats(server, provider, chats):
            await asyncio.sleep(1.0)
            return (server.memory_kib() - before) / chats


async def throughput(
    server: Running, provider: Provider, *, chats: int, in_flight: int, seconds: float, way: Way
) -> tuple[float, float]:
    """Return relayed messages/s, and µs of processor time a message."""
    async with open_chats(server, provider, chats) as opened:
        provider.answers = way == "both"
        count, expected = _flow(opened, way)
        rotation = _rotation(opened, way)
        rotation.start(in_flight)
        await asyncio.sleep(seconds / 3)  # warm-up
        begun, cpu, before = time.perf_counter(), server.cpu_s(), count()
        await asyncio.sleep(seconds)
        done, took, cpu = count() - before, time.perf_counter() - begun, server.cpu_s() - cpu
        rotation.stop()
        await opened.arrived(count, expected(rotation.sent))
    if not done:
        raise RuntimeError(f"{server.name} relayed nothing")
    messages = done * (2 if way == "both" else 1)
    return messages / took, cpu / messages * 1e6


async def latency(
    server: Running, provider: Provider, *, chats: int, rate: float, seconds: float, way: Way
) -> list[float]:
    """Return p50 and p99 in ms from sending to arrival, sent on schedule whatever the answers do.

    Of `both` it is the round trip from the guest to the answering agent and back.
    """
    async with open_chats(server, provider, chats) as opened:
        provider.answers = way == "both"
        times: list[int] = []
        if way == "up":
            provider.is_timing, provider.times_ns = True, times
        else:
            for chat in opened.chats:
                chat.times_ns = times
        count, expected = _flow(opened, way)
        senders = _senders(opened, way)
        number, total = 0, int(rate * seconds)
        begun = time.perf_counter()
        while number < total:
            due = min(total, int((time.perf_counter() - begun) * rate) + 1)
            for each in range(number, due):
                senders[each % chats]()
            number = due
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        await opened.arrived(count, expected(total))
        provider.is_timing = False
    times.sort()
    return [times[len(times) // 2] / 1e6, times[len(times) * 99 // 100] / 1e6]


async def creations(server: Running, *, at_once: int, seconds: float) -> float:
    """Return sessions created a second."""
    load = HttpLoad(server.port)
    await load.open(at_once)
    for _ in range(at_once):
        await load.create_session()
    done = 0
    begun = time.perf_counter()

    async def create() -> None:
        nonlocal done
        while time.perf_counter() - begun < seconds:
            await load.create_session()
            done += 1

    await asyncio.gather(*(create() for _ in range(at_once)))
    took = time.perf_counter() - begun
    load.close()
    return done / took


async def starts(server: Running, provider: Provider, *, at_once: int, seconds: float) -> float:
    """Return chats a second from session creation to the provider's open socket; needs `upstream_start = "open"`."""
    load = HttpLoad(server.port)
    await load.open(at_once)
    opened: list[Chat] = []
    begun = time.perf_counter()
    before = len(provider.lines)

    async def start() -> None:
        while time.perf_counter() - begun < seconds:
            opened.append(await connect(server, await load.create_session()))

    await asyncio.gather(*(start() for _ in range(at_once)))
    async with asyncio.timeout(READY_S):
        while len(provider.lines) - before < len(opened):  # noqa: ASYNC110 - an event would have to be set by the provider
            await asyncio.sleep(0.005)
    took = time.perf_counter() - begun
    load.close()
    for chat in opened:
        chat.disconnect()
    return len(opened) / took


async def resume(server: Running, pair: tuple[str, str], *, records: int, after: int | None, epoch: str) -> float:
    """Return ms from hello to synced."""
    begun = time.perf_counter()
    chat = await connect(server, pair, after=after, epoch=epoch)
    took = (await chat.synced) - begun
    chat.disconnect()
    if chat.answers != records:
        raise RuntimeError(f"expected {records} records, got {chat.answers}")
    return took * 1000


def _senders(opened: Opened, way: Way) -> list[Callable[[], None]]:
    return [line.push for line in opened.lines()] if way == "down" else [chat.send for chat in opened.chats]


def _rotation(opened: Opened, way: Way) -> Rotation:
    rotation = Rotation(_senders(opened, way))
    if way == "up":
        opened.provider.on_received = rotation.step
    else:
        for chat in opened.chats:
            chat.on_answer = rotation.step
    return rotation


def _flow(opened: Opened, way: Way) -> tuple[Callable[[], int], Callable[[int], int]]:
    """Return what counts arrivals, and how many there must be once so many were sent."""

    def count() -> int:
        return opened.provider.received if way == "up" else opened.answers

    before = count()
    return count, lambda sent: before + sent
