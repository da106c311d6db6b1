"""Real emulators on free ports: one for a file, forgotten and begun anew for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from guestwire.testing.eventually import eventually
from tests.integration.emulator.world import World, running


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def lonely_world() -> AsyncIterator[World]:
    async with running() as one:
        yield one


@pytest.fixture(scope="module")
async def attended_world() -> AsyncIterator[World]:
    async with running(demo_agent=True) as one:
        yield one


@pytest.fixture
async def world(lonely_world: World) -> World:
    """Nobody at the desk, not even the demo agent."""
    await lonely_world.call("POST", "/emulator/reset", {})
    return lonely_world


@pytest.fixture
async def demo_world(attended_world: World) -> World:
    """The demo agent at the desk, on queue; it answers at once."""
    await attended_world.call("POST", "/emulator/reset", {})
    await eventually(lambda: any(agent.on_queue for agent in attended_world.emulator.org.agents.values()))
    return attended_world
