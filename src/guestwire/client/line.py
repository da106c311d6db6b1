"""One connection, as the runner keeps it: what is to be written to it, and which pings wait for their pongs."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from guestwire.errors import ConnectionLost, NotWritten
from guestwire.net.light_event import LightEvent
from guestwire.net.transport import ClientSocket

__all__ = ["Frame", "Line"]


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame to write; with a `client_id` somebody waits to hear that it was."""

    text: str
    client_id: str | None = None


@dataclass(slots=True, eq=False)
class Line:
    """What is to be written to one connection, in order; None says: then close."""

    number: int = 0
    socket: ClientSocket | None = None
    items: deque[Frame | None] = field(default_factory=deque)
    wake: LightEvent = field(default_factory=LightEvent)
    asked: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    pings: dict[object, float] = field(default_factory=dict)
    """Since when each ping has waited for its pong, oldest first."""
    watch: asyncio.Task[None] | None = None
    over: LightEvent = field(default_factory=LightEvent)
    is_open: bool = False
    is_held: bool = False
    """Nothing is read, because the app has no room for more events."""

    def put(self, item: Frame | None) -> None:
        """Have it written after what waits."""
        self.items.append(item)
        self.wake.set()

    async def get(self) -> Frame | None:
        """Return what is to be written next, waiting for it."""
        while not self.items:
            self.wake.clear()
            await self.wake.wait()
        return self.items.popleft()

    def answer(self, item: Frame, error: ConnectionLost | None = None) -> None:
        """Tell whoever asked about a frame that it was written, or how it was lost."""
        asked = None if item.client_id is None else self.asked.pop(item.client_id, None)
        if asked is None or asked.done():
            return
        if error is None:
            asked.set_result(None)
        else:
            asked.set_exception(error)

    def close(self) -> None:
        """Nothing that still waits will be written."""
        for item in self.items:
            if item is not None:
                self.answer(item, NotWritten())
        if self.watch is not None:
            self.watch.cancel()
        self.over.set()
