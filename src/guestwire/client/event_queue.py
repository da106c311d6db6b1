"""The events between a connection and the app that reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from guestwire.model.events import Event

__all__ = ["ROOM", "EventQueue", "TakeEvents"]

ROOM = 1000
"""With this many events unread nothing more is read from the socket."""

TakeEvents: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]
"""Takes events in place of the iteration; what it raises the iteration raises."""


class EventQueue:
    """Keeps every event until the app takes it; nothing is dropped.

    Memory is bounded by waiting, not by losing: a producer of events that the other side causes asks for `room` first.
    What the app itself causes (its own messages, their receipts) is put in always. An event that was taken fills its
    place until the next one is asked for: with room for one, the app is done with a frame before the next is read.

    An app that waits for the next event may have it handed to a function of its own instead, by the producer and in its
    task (`pass_on`): that spares two switches of tasks a frame. The order is the same, and so is one at a time.
    """

    def __init__(self, *, room: int = ROOM, take: TakeEvents | None = None) -> None:
        """Start empty and open.

        Args:
            room: So many events may be unread.
            take: Takes what is passed on while `get` waits.
        """
        self._events: list[Event] = []  # an empty deque takes 760 bytes, and there is one a chat
        self._in_hand = 0
        self._room = room
        self._take = take
        self._getters = 0
        self._is_taking = False
        self._failure: Exception | None = None
        self._has_limit = True
        self._is_closed = False
        self._wakers: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        """Return how many events are unread."""
        return len(self._events)

    @property
    def is_taking(self) -> bool:
        """Whether `take` is at work."""
        return self._is_taking

    def put(self, event: Event, *, wakes: bool = True) -> None:
        """Add one; who calls `pass_on` next need wake nobody."""
        self._events.append(event)
        if wakes:
            self._wake()

    async def pass_on(self) -> None:
        """Let the app have what was put, and return when there is room."""
        if self._take is not None and self._events and self._getters and self._has_limit and not self._is_taking:
            await self._hand_over(self._take)
        elif self._events:
            self._wake()
        await self.room()

    async def _hand_over(self, take: TakeEvents) -> None:
        events = [*self._events]
        self._events.clear()
        self._is_taking = True
        self._in_hand = len(events)
        try:
            await take(events)
        except Exception as error:  # noqa: BLE001 - it goes to who iterates
            self._failure = error
        finally:
            self._is_taking = False
            if self._failure is None:
                self._in_hand = 0
            if self._events or self._is_closed or self._failure is not None:
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
        """Take the oldest event, waiting for one; None when it is closed and empty.

        Raises:
            Exception: What `take` has raised.
        """
        if not self._is_taking:
            self._in_hand = 0
        if len(self._events) < self._room:
            self._wake()
        self._getters += 1
        try:
            while self._is_taking or not self._events:
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                if self._is_closed and not self._is_taking:
                    return None
                await self._wait()
        finally:
            self._getters -= 1
        self._in_hand = 1
        return self._events.pop(0)

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
