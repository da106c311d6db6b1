"""How gateways die, and how one takes over from another."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Mapping, Sequence

from guestwire.errors import ChatError
from guestwire.testing import eventually
from tests.chaos.gateways import Gateway
from tests.chaos.world import World

__all__ = ["CAPABLE", "POINTS", "kill_again_and_again", "takeover"]

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
"""The gateway's fail-points (`relay.interface.FailPoint`)."""

CAPABLE: Mapping[str, Mapping[str, int]] = {
    "echo": {"lossPercent": 5, "duplicatePercent": 3},
    "history": {"lagMs": 300},
}
"""A provider that tells what it has, though not always and not at once."""

HIT_LIMIT_S = 8.0
"""A fail-point that is not reached in this time has its turn later."""

WELL_LIMIT_S = 60.0
"""A gateway that has not answered in this time hangs."""

MOST_HITS = 25
"""A fail-point kills at one of its first so many times, counted over all sessions."""


MOST_LIFE_S = 2.5
"""A gateway without a fail-point lives for at most so long. Messages in doubt need some of them to be settled."""


async def kill_again_and_again(world: World, plan: Sequence[str], *, most_hits: int = MOST_HITS) -> None:
    """Start one gateway after another and kill each; leave one running.

    Args:
        plan: Where each of them dies: a fail-point, or "" for any moment. The order is random.
        most_hits: See `MOST_HITS`.
    """
    left = list(plan)
    world.rng.shuffle(left)
    tries = 2 * len(left) + 20
    while left and tries:
        tries -= 1
        point = left.pop()
        gateway = await world.start_gateway(point=point, hit=world.rng.randint(1, most_hits))
        assert gateway.code in {None, -signal.SIGKILL}, f"a gateway did not start: {gateway.code}"
        try:
            async with asyncio.timeout(HIT_LIMIT_S if point else world.rng.uniform(0.05, MOST_LIFE_S)):
                await gateway.ended()
        except TimeoutError:
            if point:
                left.insert(0, point)
                await assert_well(world, gateway)
            gateway.send_signal(signal.SIGKILL)
        await world.dead(gateway)
    assert not left, f"never reached: {Counter(left)}"
    await world.start_gateway()


async def assert_well(world: World, gateway: Gateway) -> None:
    """See that a gateway still answers; else say where it hangs."""
    try:
        async with asyncio.timeout(WELL_LIMIT_S):
            await world.check_health()
    except ChatError:
        # It has reached its fail-point after all, this very moment.
        async with asyncio.timeout(WELL_LIMIT_S):
            await gateway.ended()
    except TimeoutError:
        gateway.send_signal(signal.SIGUSR2)
        await asyncio.sleep(0.5)  # it writes to the file of errors
        raise AssertionError("a gateway hangs") from None


async def takeover(world: World, *, other_port: int) -> None:
    """Let a gateway freeze, start another one on its log, and thaw the first for a moment before it dies.

    The second one can't have the log until the first is dead; it is started until it can. Guests go to it once it is
    there.
    """
    first = await world.start_gateway()
    await world.invite(6, second_tabs=2)
    world.talk(agent_per_s=4.0)
    await eventually(lambda: all(len(tab.texts) > 2 for tab in world.tabs), within_s=120)
    first.send_signal(signal.SIGSTOP)
    starting = world.spawn(_start_until_it_can(world, other_port))
    await asyncio.wait({starting}, timeout=0.7)
    first.send_signal(signal.SIGCONT)
    await asyncio.wait({world.spawn(asyncio.sleep(1.5))})
    await world.kill(first)
    await starting
    seen = {tab.name: len(tab.texts) for tab in world.tabs}
    await eventually(lambda: all(len(tab.texts) > seen[tab.name] for tab in world.tabs), within_s=120)


async def _start_until_it_can(world: World, port: int) -> None:
    async def is_there() -> bool:
        return (await world.start_gateway(port=port)).is_running

    await eventually(is_there, within_s=60)
    world.move_to(port)
