"""Reading the provider's history: what was said while nobody listened, and what it knows of the guest's messages.

Theory of operation. Every read begins a little before the last message that is known (`OVERLAP`), because a message may
become visible later than its place in the order, and goes on page by page to the end. What is read is given to `take`,
which drops what the log has already. A new connection is one reason to read, and then again a few times, since the
history may lag behind the socket; a message in flight is the other one (`settling`).

A read that fails is tried again until it succeeds or the connection is gone. Nobody waits for it without a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Protocol, TypeAlias

from guestwire.errors import ChatError, RemoteProtocolError, SessionGone
from guestwire.gateway.relay.provider_line import Pace
from guestwire.gateway.relay.waits import wait_for
from guestwire.model.events import ConversationUpdated, Message
from guestwire.net.clock import Clock
from guestwire.net.light_event import LightEvent
from guestwire.net.logs import get_logger

__all__ = ["OVERLAP", "HistoryReader", "Page", "ReadPage", "Said"]

OVERLAP = 20
"""Messages that are read again each time (reliability 2.13)."""

PAGE = 100

MOST_PAGES = 200
"""More than a provider keeps; where it ends for one that pages in circles."""

LOOK_LATER_S = (5.0, 15.0, 30.0, 60.0, 120.0)
"""So long after something was left in doubt it is looked for again."""

RETRY_FIRST_S = 0.2
RETRY_MOST_S = 5.0
"""Between attempts while it can't be read (reliability F12)."""

LONGEST_HINT_S = 60.0
"""A provider that asks for more patience is asked again all the same."""

SAVE_EVERY = 50
"""After so many messages the place is kept; a gateway after us reads from there."""

_MOST_SEEN = 500

_log = get_logger("guestwire.gateway")


Said: TypeAlias = Message | ConversationUpdated
"""What a history tells; some keep messages only."""


class Page(Protocol):
    """Some of what was said in the provider's order, each with its id."""

    @property
    def messages(self) -> Sequence[Said]:
        """Empty when there are none after the place asked for."""

    @property
    def has_more(self) -> bool:
        """Whether to ask again after the last of them."""


ReadPage = Callable[[str | None, int], Awaitable[Page]]
"""Reads the messages after the one of that id, at most so many; raises `ChatError`."""


class HistoryReader:
    """Reads one provider session's history when asked, one read at a time."""

    def __init__(
        self,
        read_page: ReadPage,
        take: Callable[[Sequence[Said]], Awaitable[None]],
        *,
        clock: Clock,
        rng: Random,
        save: Callable[[str], Awaitable[None]],
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `run` reads.

        Args:
            read_page: Asks the provider.
            take: Gets what was not given before, in the provider's order; when it returns the log has it.
            clock: The time.
            rng: Randomness of the waiting after a failure.
            save: Keeps where a later reader may begin.
            on_read: Called after every read.
        """
        self._read_page = read_page
        self._take = take
        self._clock = clock
        self._rng = rng
        self._save = save
        self._on_read = on_read
        self._pace = Pace()
        self._asked = LightEvent()
        self._turn = asyncio.Lock()
        self._place: str | None = None
        self._saved: str | None = None
        self._unsaved = 0
        self._seen: dict[str, None] = {}
        self._changed = LightEvent()
        self._connection = 0
        self.is_connected = False
        self._look_again: list[float] = []
        self.connected_at = clock.now()
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.first_read = LightEvent()

    # --- what happens -------------------------------------------------------------------------------------------------

    def begin_at(self, place: str | None, *, pace: Pace | None = None) -> None:
        """Read the session of now from its message `place` on, None from the first; forget what was read before."""
        self._pace = pace or self._pace
        self._place = self._saved = place
        self._unsaved = 0
        self._seen.clear()
        self.disconnected()

    def connected(self) -> None:
        """Begin to count reads anew, and read."""
        self.disconnected()
        self.is_connected = True
        self.connected_at = self._clock.now()
        self._look_again = [self.connected_at + seconds for seconds in self._pace.look_again_s]
        self.ask()

    def disconnected(self) -> None:
        """Try no more until the next connection: the next one may be another session's."""
        self._connection += 1
        self.is_connected = False
        self.first_at = self.last_at = None
        self.first_read = LightEvent()
        self._look_again = []
        self._asked.clear()

    @property
    def is_reading(self) -> bool:
        """See `HistoryReads.is_reading`."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Read it now, when there is a connection."""
        if self.is_connected:
            self._asked.set()
            self._changed.set()

    def ask_later(self) -> None:
        """Read it a few times more, in the next minutes: something is in doubt that it may still show."""
        now = self._clock.now()
        if self.is_connected:
            self._look_again = sorted({*self._look_again, *(now + seconds for seconds in LOOK_LATER_S)})
            self._changed.set()

    # --- the one who does it ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read whenever asked, until cancelled."""
        failures = 0
        while True:
            await self._wait_until_asked()
            connection, began_at = self._connection, self._clock.now()
            failure = await self._attempt()
            if connection != self._connection:
                failures = 0
                continue
            if failure is None:
                failures = 0
                self._asked.clear()
                self.first_at = began_at if self.first_at is None else self.first_at
                self.last_at = began_at
                self.first_read.set()
                self._on_read()
            else:
                most_s = min(RETRY_FIRST_S * 2**failures, RETRY_MOST_S)
                hint_s = min(failure.retry_after_s or 0.0, LONGEST_HINT_S)
                failures += 1
                self._changed.clear()
                await wait_for(self._changed, max(most_s * (0.5 + self._rng.random() / 2), hint_s), self._clock)

    async def read(self) -> None:
        """Read once more, to the end or until cancelled; for a conversation that is about to end."""
        while await self._attempt() is not None:
            await self._clock.sleep(RETRY_FIRST_S)

    # --- within -------------------------------------------------------------------------------------------------------

    async def _wait_until_asked(self) -> None:
        while not self._asked.is_set():
            # Whoever asks wakes, and so does who has more looks to come; with none of them there is no limit.
            look_at = self._look_again[0] if self._look_again else None
            await wait_for(self._changed, None if look_at is None else look_at - self._clock.now(), self._clock)
            self._changed.clear()
            now = self._clock.now()
            while self._look_again and self._look_again[0] <= now:
                self._look_again.pop(0)
                self.ask()

    async def _attempt(self) -> ChatError | None:
        """Read; return why that failed, if it did."""
        async with self._turn:
            try:
                await self._read()
            except SessionGone:
                raise
            except ChatError as error:
                _log.info("the provider's history can't be read now", code=error.code)
                if isinstance(error, RemoteProtocolError) and self._place is not None:
                    self._place = None  # a place that the provider does not know any more
                return error
        return None

    async def _read(self) -> None:
        connection = self._connection
        read: dict[str, None] = {}
        after = self._place
        for _ in range(MOST_PAGES):
            page = await self._read_page(after, PAGE)
            if connection != self._connection:
                return  # it may be another session's by now
            new = [message for message in page.messages if message.id not in self._seen]
            if new:
                await self._take(new)
            if connection != self._connection:
                return
            ids = [message.id for message in page.messages if message.id is not None and message.id not in read]
            read.update(dict.fromkeys(ids))
            self._note_seen(new)
            if not page.has_more or not ids:
                break
            after = ids[-1]
        await self._move([*read])

    def _note_seen(self, messages: Sequence[Said]) -> None:
        self._seen.update((message.id, None) for message in messages if message.id is not None)
        self._unsaved += len(messages)
        while len(self._seen) > _MOST_SEEN:
            del self._seen[next(iter(self._seen))]

    async def _move(self, read: list[str]) -> None:
        """Begin the next read `OVERLAP` messages before the end of this one."""
        ids = [*([] if self._place is None else [self._place]), *read]
        if len(ids) > OVERLAP:
            self._place = ids[-OVERLAP - 1]
        if self._place is not None and self._place != self._saved and self._unsaved >= SAVE_EVERY:
            self._saved, self._unsaved = self._place, 0
            await self._save(self._place)
