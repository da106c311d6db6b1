"""A plain relay on `websockets`: JSON in, one member added, JSON out, both ways. It keeps nothing.

Usage: relay_websockets.py UPSTREAM_URL. Prints `ready PORT`.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


async def pump(source: Connection, to: Connection) -> None:
    """Pass frames on until one of the two is closed."""
    number = 0
    try:
        async for frame in source:
            message = json.loads(frame)
            number += 1
            message["seq"] = number
            await to.send(json.dumps(message))
    except ConnectionClosed:
        pass
    await to.close()


async def main(upstream_url: str) -> None:
    """Serve until the process is ended."""

    async def relay(browser: ServerConnection) -> None:
        async with connect(upstream_url, compression=None, proxy=None) as upstream:
            await asyncio.gather(pump(browser, upstream), pump(upstream, browser))

    async with serve(relay, "127.0.0.1", 0, compression=None) as server:
        print("ready", next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
