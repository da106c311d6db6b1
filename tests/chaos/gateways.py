"""The test's side of `gateway_child`: starts gateways, kills them, and leaves none behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.chaos.gateway_child import Order, Report

__all__ = ["Gateway", "Gateways", "free_port"]

ROOT = Path(__file__).parents[2]

START_LIMIT_S = 60.0


class Gateway:
    """A gateway in a process of its own."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.pid = 0
        self.code: int | None = None
        self._is_ready = asyncio.Event()
        self._is_armed = asyncio.Event()
        self._has_ended = asyncio.Event()

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.pid > 0 and self.code is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def ready(self) -> bool:
        """Wait until it accepts connections; False when it ended before."""
        either = [asyncio.ensure_future(event.wait()) for event in (self._is_ready, self._has_ended)]
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in either:
                wait.cancel()
        return self._is_ready.is_set()

    async def arm(self) -> None:
        """Let its fail-point count from now on."""
        self.send_signal(signal.SIGUSR1)
        await self._is_armed.wait()

    async def ended(self) -> int:
        """Wait until the process is gone; return its code."""
        await self._has_ended.wait()
        assert self.code is not None
        return self.code

    def take(self, report: Report) -> None:
        """Note what became of it."""
        self.pid = report.pid or self.pid
        if report.is_ready:
            self._is_ready.set()
        if report.is_armed:
            self._is_armed.set()
        if report.code is not None:
            self.code = report.code
            self._has_ended.set()


class Gateways:
    """Starts gateways; at the end of its block none of them is left.

    Attributes:
        errors: File of what they wrote to stderr.
    """

    def __init__(self, folder: Path) -> None:
        self.errors = folder / "gateways.err"
        self._gateways: dict[int, Gateway] = {}
        self._maker: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the process that forks."""
        with self.errors.open("ab") as errors:
            self._maker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.gateway_child",
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what is left."""
        maker = self._maker
        assert maker is not None
        assert maker.stdin is not None
        for gateway in self._gateways.values():
            gateway.send_signal(signal.SIGKILL)
        maker.stdin.close()
        try:
            async with asyncio.timeout(10):
                await maker.wait()
        finally:
            if maker.returncode is None:
                maker.kill()
                await maker.wait()
        if self._listening is not None:
            await self._listening
        if kind is not None:
            print(self.errors.read_text(encoding="utf-8", errors="replace")[-4000:])  # noqa: T201 - why it failed

    async def start(self, order: Order) -> Gateway:
        """Start a gateway and return at once; see `Gateway.ready`."""
        assert self._maker is not None
        assert self._maker.stdin is not None
        gateway = self._gateways[order.number] = Gateway(order)
        self._maker.stdin.write(msgspec.json.encode(order) + b"\n")
        await self._maker.stdin.drain()
        return gateway

    async def _listen(self) -> None:
        assert self._maker is not None
        assert self._maker.stdout is not None
        async for line in self._maker.stdout:
            report = msgspec.json.decode(line, type=Report)
            gateway = self._gateways[report.number]
            gateway.take(report)
            if gateway.code is not None:
                del self._gateways[report.number]


def free_port() -> socket.socket:
    """Return a socket that is bound to a free port and keeps it ours while one process after another listens there."""
    guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    guard.bind(("127.0.0.1", 0))
    return guard
