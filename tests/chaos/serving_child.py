"""A gateway whose agent talks without end, and whose time limits a test sets; alone in its process.

python -m tests.chaos.serving_child '{"patches": {"module:NAME": value}, "send_buffer": 65536, "per_s": 9, "size": 99}'

The send buffer is the system's, for each connection: it would take megabytes before a reader counts as stuck.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import socket
import sys
from typing import Any

import uvloop

from guestwire.gateway.app import create_gateway
from guestwire.gateway.relay.interface import SessionLink
from guestwire.model.events import Message
from guestwire.net import server
from guestwire.net.logs import configure_logging
from guestwire.net.signals import stop_signals
from guestwire.settings import GatewaySettings, read_settings


class Talker:
    """An upstream that takes nothing and says a lot, from the session's start on."""

    def __init__(self, session: SessionLink, order: dict[str, Any]) -> None:
        self._session = session
        self._order = order
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._talk())

    def wake(self) -> None:
        pass

    def typing(self) -> None:
        pass

    def end(self) -> None:
        pass

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _talk(self) -> None:
        text = "x" * self._order["size"]
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._session.provider_said([Message(sender="agent", text=text)])
            due += 1 / self._order["per_s"]
            await asyncio.sleep(max(0.0, due - loop.time()))


async def main(order: dict[str, Any]) -> None:
    for place, value in order.get("patches", {}).items():
        module, _, name = place.partition(":")
        setattr(importlib.import_module(module), name, value)
    listening = server._bind

    def bind(host: str, port: int) -> socket.socket:
        listener = listening(host, port)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, order["send_buffer"])  # inherited
        return listener

    server._bind = bind
    settings = read_settings(GatewaySettings)
    configure_logging(settings.log_format, settings.log_level)
    app = create_gateway(settings, upstreams=lambda session: Talker(session, order))
    async with stop_signals() as stop, server.Server(app, graceful_s=2) as serving:
        print(serving.url, flush=True)  # noqa: T201 - what the test waits for
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
