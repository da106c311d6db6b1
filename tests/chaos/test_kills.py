"""O-01: kill -9 at every fail-point of the gateway and at other moments, while everybody talks (reliability 5.2)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.chaos.world import World, chaos_world

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
GUESTS = 16
SECOND_TABS = 4

PLAIN: Mapping[str, Mapping[str, int]] = {}
CAPABLE: Mapping[str, Mapping[str, int]] = {
    "echo": {"lossPercent": 5, "duplicatePercent": 3},
    "history": {"lagMs": 300},
}

HIT_LIMIT_S = 8.0
"""A fail-point that is not reached in this time has its turn later."""


async def kill_again_and_again(world: World, *, each: int, at_random: int) -> None:
    """Kill a gateway at each fail-point `each` times, and `at_random` times somewhere; leave one running."""
    plan = [*POINTS * each, *[""] * at_random]
    world.rng.shuffle(plan)
    tries = 2 * len(plan) + 20
    while plan and tries:
        tries -= 1
        point = plan.pop()
        gateway = await world.start_gateway(point=point, hit=world.rng.randint(1, 25))
        assert gateway.is_running or gateway.code == -9, f"a gateway did not start: {gateway.code}"
        limit_s = HIT_LIMIT_S if point else world.rng.uniform(0.05, 1.0)
        try:
            await asyncio.wait_for(asyncio.shield(gateway.ended()), limit_s)
        except TimeoutError:
            if point:
                plan.insert(0, point)
            await world.kill(gateway)
        else:
            await world.dead(gateway)
    assert not plan, f"never reached: {Counter(plan)}"
    await world.start_gateway()


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("provider", ["plain"])
async def test_kill_9_loses_and_doubles_nothing(
    tmp_path: Path, provider: str, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """0 lost, 0 doubled, 0 reordered, 0 gaps, at the provider and in every tab."""
    each, at_random = (50, 100) if chaos_long else (3, 6)
    switches = PLAIN if provider == "plain" else CAPABLE
    async with chaos_world(tmp_path, seed=chaos_seed, switches=switches) as world:
        first = await world.start_gateway()
        await world.invite(GUESTS, second_tabs=SECOND_TABS)
        world.cut_percent = 0.0 if provider == "plain" else 2.0
        world.talk(guests_per_s=3.0, agent_per_s=3.0)
        await world.kill(first)
        await kill_again_and_again(world, each=each, at_random=at_random)
        verdict = await world.judge()
    print(f"O-01 {provider}: {verdict} {dict(verdict.hits)}")  # noqa: T201 - shown when it fails
    assert verdict.anomalies == {}
    assert all(verdict.hits[point] >= each for point in POINTS)
    figures(
        f"O-01 {provider}",
        kills=verdict.kills,
        accepted=verdict.acknowledged,
        recovered=verdict.recovered,
        delivered=verdict.fates["delivered"],
        said=verdict.said,
        resumes=verdict.resumes,
    )
