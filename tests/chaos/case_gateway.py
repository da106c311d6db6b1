"""A gateway in a process of its own whose agent talks as it is told; run as a script.

python -m tests.chaos.case_gateway LOG_FILE OPTIONS

OPTIONS is a JSON object of settings, and of `blocked_s` and `stalled_s`, how long a reader and its
connection may take nothing, and `send_buffer`, what the kernel keeps for each: by itself it takes 3 MB before a reader
that does not read is noticed. It writes one JSON
line when it listens, and one when the agent has said everything of an order. An order is a line on stdin, `TALK` as
JSON: in which session, how many messages, how many a second, how long each.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from guestwire.gateway.app import create_gateway
from guestwire.gateway.relay.interface import BasicUpstream, SessionLink
from guestwire.model.events import Message
from guestwire.net import server, uvicorn_protocols
from guestwire.protocols.guest_session import relay
from guestwire.settings import GatewaySettings, ProviderSettings, Secret


class Silent(BasicUpstream):
    """An upstream that does nothing by itself."""

    def start(self) -> None:
        pass

    def wake(self) -> None:
        pass

    def typing(self) -> None:
        pass

    def end(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Upstreams:
    """Makes them, and knows whose they are."""

    def __init__(self) -> None:
        self.sessions: dict[str, SessionLink] = {}

    def __call__(self, session: SessionLink) -> Silent:
        self.sessions[session.sid] = session
        return Silent()

    async def talk(self, sid: str, count: int, per_s: float, size: int) -> None:
        """Say so many messages at this pace; each begins with the time it was said at."""
        begun = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number / per_s - time.monotonic()))
            text = f"{time.monotonic():.6f} {number} ".ljust(size, "x")
            await self.sessions[sid].provider_said([Message(sender="agent", text=text)])


def say(**members: Any) -> None:
    os.write(1, json.dumps(members).encode() + b"\n")


async def main(log_file: Path, options: dict[str, Any]) -> None:
    relay.BLOCKED_S = options.pop("blocked_s", relay.BLOCKED_S)
    uvicorn_protocols.STALLED_S = options.pop("stalled_s", uvicorn_protocols.STALLED_S)
    send_buffer, bind = options.pop("send_buffer", None), server._bind

    def bind_small(host: str, port: int) -> socket.socket:
        listener = bind(host, port)
        if send_buffer is not None:  # connections get it from their listener
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        return listener

    server._bind = bind_small
    upstreams = Upstreams()
    settings = GatewaySettings(
        provider=ProviderSettings(base_url="http://127.0.0.1:9", client_id="id", client_secret=Secret("secret")),
        log_file=log_file,
        dev=True,
        **options,
    )
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with server.Server(create_gateway(settings, upstreams=upstreams), graceful_s=1) as listening:
        say(port=listening.port)
        while line := await orders.readline():
            await upstreams.talk(**json.loads(line))
            say(said=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
