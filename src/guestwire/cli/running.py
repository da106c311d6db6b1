"""Run a server's coroutine on the fastest event loop there is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["run"]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` to its end; a second Ctrl-C, which it didn't wait for, ends it too."""
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner, contextlib.suppress(KeyboardInterrupt):
        runner.run(main)


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop
