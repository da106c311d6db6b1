"""Each guarantee, taken away, turns its case red: the checker sees what it is there for (reliability 5.1)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guestwire.testing import eventually
from tests.chaos.ablations import ABLATIONS
from tests.chaos.gateways import free_port
from tests.chaos.kills import CAPABLE, kill_again_and_again, takeover
from tests.chaos.world import World, chaos_world

pytestmark = pytest.mark.skipif(os.name == "nt", reason="fork and SIGKILL")

GUESTS = 6

SHORT = ("resend-at-once",)
"""What `make test` has time for; the others are in `make chaos-ablations`."""


@dataclass(frozen=True)
class Case:
    """What finds an ablation.

    Attributes:
        play: Without the ablation it goes well.
        finds: One of these anomalies there must be.
        switches: The provider's.
    """

    play: Callable[[World], Awaitable[None]]
    finds: frozenset[str]
    switches: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def killed(*plan: str, most_hits: int = 12) -> Callable[[World], Awaitable[None]]:
    """Return a case with these kills while everybody talks."""

    async def play(world: World) -> None:
        first = await world.start_gateway()
        await world.invite(GUESTS, second_tabs=2)
        world.talk(guests_per_s=3.0, agent_per_s=4.0)
        await world.kill(first)
        await kill_again_and_again(world, plan, most_hits=most_hits)

    return play


async def dropped(world: World) -> None:
    """Drop all connections a few times while everybody talks."""
    await world.start_gateway()
    await world.invite(GUESTS, second_tabs=2)
    world.talk(guests_per_s=3.0, agent_per_s=6.0)
    for _ in range(8):
        await eventually(lambda: all(tab.is_synced for tab in world.tabs), within_s=120)
        await asyncio.sleep(world.rng.uniform(0.1, 0.4))
        for tab in world.tabs:
            tab.drop()
            tab.is_synced = False


async def taken_over(world: World) -> None:
    with contextlib.closing(free_port()) as other:
        await takeover(world, other_port=other.getsockname()[1])


CASES = {
    "resend-at-once": Case(killed(*["after-write"] * 3), frozenset({"duplicated"})),
    "window-of-four": Case(killed(*["after-mark"] * 5), frozenset({"reordered"}), CAPABLE),
    "no-dedup-index": Case(killed(*["after-accept"] * 5), frozenset({"duplicated"})),
    "no-fence": Case(taken_over, frozenset({"duplicated", "unexpected"})),
    "live-before-replay": Case(dropped, frozenset({"gaps"})),
    "dedup-by-timestamp": Case(killed(*[""] * 5), frozenset({"lost"})),
    "ack-before-commit": Case(killed(*[""] * 4), frozenset({"lost"})),
    "consumed-by-resume": Case(killed(*[""] * 3), frozenset({"unexpected"})),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        is_long = metafunc.config.getoption("--chaos-long", default=False)
        metafunc.parametrize("name", CASES if is_long else SHORT)


def test_there_is_a_case_for_each() -> None:
    assert CASES.keys() == ABLATIONS.keys()


@pytest.mark.slow
async def test_an_ablation_is_found(
    tmp_path: Path, name: str, chaos_seed: int, chaos_long: bool, figures: Callable[..., None]
) -> None:
    """The case is green as it is (asked in the long form only), and red without the guarantee."""
    case = CASES[name]
    if chaos_long:
        (tmp_path / "whole").mkdir()
        async with chaos_world(tmp_path / "whole", seed=chaos_seed, switches=case.switches) as world:
            await case.play(world)
            verdict = await world.judge()
        print(f"{name}, whole: {verdict}")  # noqa: T201 - shown when it fails
        assert verdict.anomalies == {}
    async with chaos_world(tmp_path, seed=chaos_seed, switches=case.switches, ablations=(name,)) as world:
        await case.play(world)
        verdict = await world.judge(within_s=2.0)
    print(f"{name}, ablated: {verdict}")  # noqa: T201 - shown when it fails
    found = verdict.anomalies.keys() & case.finds
    assert found, verdict.anomalies
    figures(f"ablation {name}", resumes=verdict.resumes, **{one: len(verdict.anomalies[one]) for one in sorted(found)})
