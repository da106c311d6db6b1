"""An org without a network."""

from __future__ import annotations

import pytest

from tests.unit.emulator.scene import Scene


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def scene() -> Scene:
    return Scene()
