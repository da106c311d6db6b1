"""Sizes and seeds of the chaos tests: `pytest tests/chaos --chaos-long` is the long form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SHORT_LIMIT_S = 600
LONG_LIMIT_S = 3600
"""Bounds for machines that are slow and busy, never a measure of speed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos-long", action="store_true", default=False, help="run the long forms of the chaos tests")
    parser.addoption("--chaos-seed", type=int, default=1, help="seed of the chaos tests' random sources")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each form its time; leave out what has no short form."""
    is_long = config.getoption("--chaos-long", default=False)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(LONG_LIMIT_S if is_long else SHORT_LIMIT_S))
    if not is_long:
        long_only = [item for item in items if item.get_closest_marker("long_only")]
        config.hook.pytest_deselected(items=long_only)
        items[:] = [item for item in items if item not in long_only]


@pytest.fixture
def chaos_long(request: pytest.FixtureRequest) -> bool:
    """Whether this is the long form."""
    return bool(request.config.getoption("--chaos-long", default=False))


@pytest.fixture
def chaos_seed(request: pytest.FixtureRequest) -> int:
    """Seed of every random source; the same seed is the same schedule."""
    return int(request.config.getoption("--chaos-seed", default=1))


@pytest.fixture
def figures(request: pytest.FixtureRequest, chaos_seed: int) -> Callable[..., None]:
    """Write down what a case did. A count of zero fails: then the case has not happened."""

    def write(case: str, **counts: float) -> None:
        line = f"{case}: seed={chaos_seed} " + " ".join(f"{name}={value:g}" for name, value in counts.items())
        request.node.user_properties.append(("figures", line))  # printed by tests/conftest.py at the end
        assert all(value > 0 for value in counts.values()), line

    return write
