"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

__all__ = ["eventually"]

_T = TypeVar("_T")

_POLL_S = 0.005


@overload
async def eventually(condition: Callable[[], Awaitable[_T]], *, within_s: float = ...) -> _T: ...


@overload
async def eventually(condition: Callable[[], _T], *, within_s: float = ...) -> _T: ...


async def eventually(condition: Callable[[], _T | Awaitable[_T]], *, within_s: float = 30.0) -> _T:
    """Return the first truthy value of `condition`, asking every few milliseconds.

    Raises:
        AssertionError: It was never truthy; the text has its last value.
    """
    give_up_at = time.monotonic() + within_s
    while True:
        result = condition()
        value: _T = await result if inspect.isawaitable(result) else result
        if value:
            return value
        if time.monotonic() >= give_up_at:
            raise AssertionError(f"Expected {condition} to become true within {within_s:g} s, got {value!r} at last.")
        await asyncio.sleep(_POLL_S)
