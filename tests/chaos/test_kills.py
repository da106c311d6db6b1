"""O-01: kill -9 at every fail-point of the gateway and at other moments, while everybody talks (reliability 5.2)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guestwire.settings import Api
from tests.chaos.gateways import free_port
from tests.chaos.kills import CAPABLE, POINTS, kill_again_and_again, takeover
from tests.chaos.world import chaos_world

pytestmark = pytest.mark.skipif(os.name == "nt", reason="fork and SIGKILL")

GUESTS = 16
SECOND_TABS = 4


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["plain", "capable", "web-messaging"])
async def test_kill_9_loses_and_doubles_nothing(
    tmp_path: Path, provider: str, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """0 lost, 0 doubled, 0 reordered, 0 gaps, at the provider and in every tab."""
    each, at_random = (50, 100) if chaos_long else (2, 4)
    switches = {} if provider == "plain" else CAPABLE
    api: Api = "web-messaging" if provider == "web-messaging" else "guest-session"
    async with chaos_world(tmp_path, seed=chaos_seed, switches=switches, api=api) as world:
        first = await world.start_gateway()
        await world.invite(GUESTS, second_tabs=SECOND_TABS)
        world.cut_percent = 0.0 if provider == "plain" else 2.0
        world.talk(guests_per_s=2.0, agent_per_s=2.0)
        await world.kill(first)
        await kill_again_and_again(world, [*POINTS * each, *[""] * at_random])
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


@pytest.mark.slow
async def test_a_second_gateway_waits_for_the_log(
    tmp_path: Path, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """A gateway that froze and wakes again finds nobody else at its log, and its successor nothing amiss."""
    async with chaos_world(tmp_path, seed=chaos_seed) as world:
        with contextlib.closing(free_port()) as other:
            await takeover(world, other_port=other.getsockname()[1])
            verdict = await world.judge()
    print(f"takeover: {verdict}")  # noqa: T201 - shown when it fails
    assert verdict.anomalies == {}
    figures("F14 takeover", accepted=verdict.acknowledged, said=verdict.said, resumes=verdict.resumes)
