"""R-01: guests lose their connections in every way there is, while everybody talks (reliability 5.2)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest

from guestwire.settings import Api
from guestwire.testing import eventually
from guestwire.testing.fault_proxy import Direction, FaultProxy
from tests.chaos.checker import percentile
from tests.chaos.guest import Guest, Tab
from tests.chaos.world import World, chaos_world

pytestmark = pytest.mark.skipif(os.name == "nt", reason="fork and SIGKILL")

GUESTS = 20

PING_S = 0.25
PONG_S = 1.5
"""A tenth of what real clients take, so that a silent network is noticed in seconds."""

KINDS = ("reset", "fin", "black-hole", "one-way-up", "one-way-down", "mid-frame", "mid-replay")


async def lose_connection(kind: str, tab: Tab, proxy: FaultProxy, rng: Random) -> None:
    """Let a tab lose its connection; return when the network is well again."""
    losses = tab.losses

    async def lost() -> None:
        # On a busy machine a tab may take its gateway for dead by itself; then nothing is left to be lost.
        await eventually(lambda: tab.losses > losses or not tab.is_synced, within_s=60)

    async def lost_again() -> None:
        await eventually(lambda: tab.losses > losses, within_s=60)

    match kind:
        case "reset":
            proxy.reset()
        case "fin":
            proxy.cut()
        case "black-hole":
            with proxy.black_hole():
                await lost()
        case "one-way-up" | "one-way-down":
            with proxy.one_way(Direction.TO_TARGET if kind == "one-way-up" else Direction.TO_CLIENT):
                await lost()
        case "mid-frame":
            direction = rng.choice((Direction.TO_TARGET, Direction.TO_CLIENT))
            with proxy.truncating(rng.randint(1, 200), direction=direction, with_reset=rng.random() < 0.5):
                await lost()
        case "mid-replay":
            # The answer to the upgrade and the welcome take some 500 bytes; what follows is the transcript.
            with proxy.truncating(rng.randint(600, 1500), direction=Direction.TO_CLIENT, with_reset=rng.random() < 0.5):
                losses += 1  # the first one is the page's that goes
                tab.reload()
                await lost_again()
    await lost()


async def trouble(guest: Guest, proxy: FaultProxy, kinds: list[str], done: Counter[str]) -> None:
    """Give a guest's network all that is in `kinds`, one after the other."""
    tab = guest.tabs[0]
    for kind in kinds:
        await eventually(lambda: tab.is_synced, within_s=120)
        await asyncio.sleep(guest.rng.uniform(0.0, 0.2))
        await lose_connection(kind, tab, proxy, guest.rng)
        tab.be_online()
        done[kind] += 1
    await eventually(lambda: tab.is_synced, within_s=120)


@contextlib.asynccontextmanager
async def own_networks(world: World) -> AsyncIterator[list[FaultProxy]]:
    """Put a network of its own between each guest and the gateway."""
    async with contextlib.AsyncExitStack() as stack:
        proxies = []
        for guest in world.guests:
            proxy = await stack.enter_async_context(FaultProxy("127.0.0.1", world.port, rng=guest.rng))
            guest.url = f"http://127.0.0.1:{proxy.port}"
            proxies.append(proxy)
        for tab in world.tabs:
            tab.drop()
        await eventually(lambda: all(tab.losses and tab.is_synced for tab in world.tabs), within_s=120)
        yield proxies
        for tab in world.tabs:
            tab.close()  # before its network goes


@pytest.mark.slow
@pytest.mark.parametrize("api", ["guest-session", "web-messaging"])
async def test_lost_connections_lose_and_double_nothing(
    tmp_path: Path, api: Api, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """0 lost, 0 doubled, 0 reordered, 0 gaps; who comes back has everything within a moment."""
    count = 1000 if chaos_long else 30
    done: Counter[str] = Counter()
    async with chaos_world(tmp_path, seed=chaos_seed, api=api) as world:
        await world.start_gateway()
        await world.invite(GUESTS, ping_s=PING_S, pong_s=PONG_S)
        plan = [KINDS[number % len(KINDS)] for number in range(count)]
        world.rng.shuffle(plan)
        async with own_networks(world) as proxies:
            world.talk(guests_per_s=2.0, agent_per_s=2.0)
            pairs = zip(world.guests, proxies, strict=True)
            async with asyncio.TaskGroup() as troubles:
                for number, (guest, proxy) in enumerate(pairs):
                    troubles.create_task(trouble(guest, proxy, plan[number::GUESTS], done))
            verdict = await world.judge()
    print(f"R-01 {api}: {verdict} {dict(done)}")  # noqa: T201 - shown when it fails
    assert verdict.anomalies == {}
    assert sum(done.values()) == count
    assert min(done[kind] for kind in KINDS) >= count // len(KINDS)
    assert verdict.fates.keys() == {"delivered"}
    assert verdict.missed == 0
    figures(
        f"R-01 {api}",
        disconnects=count,
        resumes=verdict.resumes,
        accepted=verdict.acknowledged,
        recovered=verdict.recovered,
        said=verdict.said,
        resume_p50_ms=1000 * percentile(verdict.back_s, 50),
        resume_p95_ms=1000 * percentile(verdict.back_s, 95),
    )
