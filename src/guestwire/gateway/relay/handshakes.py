"""How often the gateway knocks at the provider: a restart, here or there, must not bring every chat back at once."""

from __future__ import annotations

import asyncio

from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.token_bucket import TokenBucket
from guestwire.net.clock import Clock
from guestwire.net.transport import ClientSocket, Transport

__all__ = ["HANDSHAKES_PER_S", "PacedTransport"]

HANDSHAKES_PER_S = 20.0
"""2,000 chats are back within 100 s."""


class PacedTransport:
    """A `Transport` that opens at most so many WebSockets a second, in the order in which they were asked for.

    Who comes back after a lost connection has waited a random time before (`net.backoff`), so the queue is short but
    after a restart of one of the sides.
    """

    def __init__(self, transport: Transport, clock: Clock, *, per_s: float = HANDSHAKES_PER_S) -> None:
        """Wrap `transport`; a second's worth goes through at once."""
        self._transport = transport
        self._clock = clock
        self._bucket = TokenBucket(rate=per_s, burst=max(1.0, per_s))
        self._turn = asyncio.Lock()  # fair: first come, first served

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Send a request at once."""
        return await self._transport.send(request)

    async def open_socket(self, url: str, *, origin: str | None = None) -> ClientSocket:
        """Open a WebSocket when its turn has come."""
        async with self._turn:
            while (wait_s := self._bucket.take(self._clock.now())) > 0:
                await self._clock.sleep(wait_s)
        return await self._transport.open_socket(url, origin=origin)
