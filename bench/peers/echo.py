"""The provider behind every relay: an echo on picows, fast enough not to be what is measured.

Usage: echo.py. Prints `ready PORT`.
"""

from __future__ import annotations

import asyncio

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server


class Echo(WSListener):
    """Send every text frame back."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            transport.send(WSMsgType.TEXT, frame.get_payload_as_bytes())


async def main() -> None:
    """Serve until the process is ended."""

    def accept(_request: WSUpgradeRequest) -> WSListener:
        return Echo()

    server = await ws_create_server(accept, "127.0.0.1", 0, backlog=2048)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
