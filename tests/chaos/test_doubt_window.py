"""O-02: kill -9 at each step of one message, for each kind of provider: the table of reliability 2.10, executed."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from guestwire.net.http import HttpClient
from guestwire.settings import Api
from guestwire.testing import eventually
from tests.chaos.checker import Verdict
from tests.chaos.gateway_child import SETTLE_S
from tests.chaos.gateways import Gateways
from tests.chaos.kills import POINTS
from tests.chaos.world import World, chaos_world, gateways_and_client

pytestmark = pytest.mark.skipif(os.name == "nt", reason="fork and SIGKILL")

AT_ONCE = 12

LATE_MS = int((SETTLE_S + 2.5) * 1000)
"""A history that lags for longer than the relay waits for it (X1)."""

WEB: Api = "web-messaging"

PROVIDERS: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "plain": {},
    "echo": {"echo": {}},
    **{
        f"{echo}history {lag_ms} ms": {**({"echo": {}} if echo else {}), "history": {"lagMs": lag_ms}}
        for echo in ("", "echo, ")
        for lag_ms in (0, 300, LATE_MS)
    },
    **{f"{WEB}: echo, history {lag_ms} ms": {"history": {"lagMs": lag_ms}} for lag_ms in (0, 300, LATE_MS)},
}
"""What a provider can do: the emulator's switches."""

SHORT = ("plain", "echo", "history 300 ms", f"{WEB}: echo, history {LATE_MS} ms")


def outcomes(provider: str, point: str) -> set[tuple[str, int]]:
    """Return what may become of a message that was on its way: its fate, and how often the provider has it."""
    is_late = str(LATE_MS) in provider
    # Where nothing but a late history could tell, the relay gives up waiting and the guest is told so.
    fates = {"delivered", "unconfirmed"} if is_late and "echo" not in provider else {"delivered"}
    once = {(fate, 1) for fate in fates}
    if "history" in provider:
        is_doubled = is_late and point in {"after-write", "before-settle"}  # F5, F6: sent, and nobody noted it; X1
        return once | {(fate, 2) for fate in fates} if is_doubled else once
    match point:
        case "after-mark":  # F4: marked as being sent, and not sent
            return {("unconfirmed", 0)}
        case "after-write" | "before-settle":
            return {("unconfirmed", 1)}
        case _:  # F2, F3, F7
            return once


async def play(world: World, point: str, *, lag_ms: int) -> Verdict:
    """Kill a gateway at a step of the second message, the guest's or the agent's, and start another one.

    The history lags from the second message on, so that the first one is done with before.
    """
    gateway = await world.start_gateway(point=point, hit=1, waits=True)
    await world.invite(1)
    tab = world.guests[0].tabs[0]
    # Web Messaging tells of an agent who came only when the agent speaks.
    status = "waiting" if world.api == WEB else "connected"
    await eventually(lambda: tab.is_quiet and len(tab.texts) == 2 and tab.status == status, within_s=120)
    if world.has_history:
        world.switch("history", lagMs=lag_ms)
    await gateway.arm()
    if point.endswith("append"):
        await world.agent.say("g0")
    else:
        await tab.say("in doubt")
    async with asyncio.timeout(120):
        await world.dead(gateway)
    await world.start_gateway()
    return await world.judge(within_s=120.0)


async def play_cell(folder: Path, provider: str, point: str, shared: tuple[Gateways, HttpClient]) -> Verdict:
    """Play one cell of the table."""
    await asyncio.to_thread(folder.mkdir)
    switches = dict(PROVIDERS[provider])
    lag_ms = switches.get("history", {}).get("lagMs", 0)
    if "history" in switches:
        switches["history"] = {"lagMs": 0}
    api: Api = WEB if provider.startswith(WEB) else "guest-session"
    async with chaos_world(folder, seed=1, switches=switches, shared=shared, api=api) as world:
        return await play(world, point, lag_ms=lag_ms)


@pytest.mark.slow
async def test_what_becomes_of_a_message_in_doubt(
    tmp_path: Path, chaos_long: bool, figures: Callable[..., None]
) -> None:
    """Each cell has the outcome of the table; only where the history is too late may a message be doubled."""
    cells = [(provider, point) for provider in (PROVIDERS if chaos_long else SHORT) for point in POINTS]
    turns = asyncio.Semaphore(AT_ONCE)
    wrong: list[str] = []
    doubled: Counter[str] = Counter()
    missed: Counter[str] = Counter()

    async def run(number: int, provider: str, point: str) -> None:
        async with turns:
            verdict = await play_cell(tmp_path / f"{number}", provider, point, shared)
        where = f"{provider} · {point}: {verdict}"
        anomalies = verdict.anomalies
        if verdict.hits != {point: 1} or verdict.kills != 1:
            wrong.append(f"{where}: was not killed there")
        if point.endswith("append"):
            # F8, F7: what was read and not kept is gone, unless the provider keeps it.
            missed[provider] += verdict.missed
            if verdict.missed != (point == "before-append" and "history" not in provider):
                wrong.append(f"{where}: missed {verdict.missed}")
        else:
            fate, times = verdict.outcomes["in doubt"]
            if (fate, times) not in outcomes(provider, point):
                wrong.append(f"{where}: {fate}, {times} times at the provider")
            if times > 1:
                doubled[provider] += 1
                anomalies = {kind: found for kind, found in anomalies.items() if kind != "duplicated"}
        if anomalies:
            wrong.append(f"{where}: {anomalies}")

    async with gateways_and_client(tmp_path) as shared:
        await asyncio.gather(*(run(number, *cell) for number, cell in enumerate(cells)))
    assert not wrong, "\n".join(wrong)
    assert doubled.keys() <= {provider for provider in PROVIDERS if str(LATE_MS) in provider}
    # On a very busy machine the relay may look so late that the history has it after all.
    late = {"doubled_by_late_history": doubled.total()} if doubled else {}
    figures("O-02", cells=len(cells), missed=missed.total(), **late)
