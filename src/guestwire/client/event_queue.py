"""The events between a connection and the app that reads them."""

from __future__ import annotations

import asyncio
from collections import deque

from guestwire.model.events import Event

__all__ = ["ROOM", "EventQueue"]

ROOM = 1000
"""With this many events unread nothing more is read from the socket."""


class EventQueue:
    """Keeps every event until the app takes it; nothing is dropped.

    Memory is bounded by waiting, not by losing: a producer of events that the other side causes asks for `room` first.
    What the app itself causes (its own messages, their receipts) is put in always. An event that was taken fills its
    place until the next one is asked for: with room for one, the app is done with a frame before the next is read.
    """

    def __init__(self, *, room: int = ROOM) -> None:
        """Start empty and open."""
        self._events: deque[Event] = deque()
        self._in_hand = 0
        self._room = room
        self._has_limit = True
        self._is_closed = False
        self._wakers: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        """Return how many events are unread."""
        return len(self._events)

    def put(self, event: Event) -> None:
        """Add one."""
        self._events.append(event)
        self._wake()

    def unbound(self) -> None:
        """Let producers go on without room: little is left to come, and nothing may wait for the app any more."""
        self._has_limit = False
        self._wake()

    def close(self) -> None:
        """Say that no more will come; what is there can still be taken."""
        self._is_closed = True
        self._wake()

    async def get(self) -> Event | None:
        """Take the oldest event, waiting for one; None when it is closed and empty."""
        self._in_hand = 0
        if len(self._events) < self._room:
            self._wake()
        while not self._events:
            if self._is_closed:
                return None
            await self._wait()
        self._in_hand = 1
        return self._events.popleft()

    async def room(self) -> None:
        """Return when there is room, or `unbound` was called."""
        while self._has_limit and len(self._events) + self._in_hand >= self._room:
            await self._wait()

    async def _wait(self) -> None:
        waker = asyncio.get_running_loop().create_future()
        self._wakers.add(waker)
        try:
            await waker
        finally:
            self._wakers.discard(waker)

    def _wake(self) -> None:
        for waker in self._wakers:
            if not waker.done():
                waker.set_result(None)
