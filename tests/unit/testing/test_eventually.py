"""Waiting for a condition."""

from __future__ import annotations

import pytest

from guestwire.testing import eventually


async def test_returns_the_first_truthy_value() -> None:
    values = iter([0, None, "yes"])
    assert await eventually(lambda: next(values)) == "yes"


async def test_takes_an_async_condition() -> None:
    async def condition() -> int:
        return 1

    assert await eventually(condition) == 1


async def test_fails_with_the_last_value() -> None:
    with pytest.raises(AssertionError, match="got 0 at last"):
        await eventually(lambda: 0, within_s=0.01)
