"""What a provider says, on its way into the log: each thing once, one after the other, under an id that is unique here.

A provider's ids are its own for one of its sessions only; from here on they carry a mark of that session, so that a
conversation that numbers its messages like the one before it loses none. The socket and the history both have something
to record, in two tasks: whoever comes second waits. What a new connection says is held back until the history, which is
older, was read (`join_hold`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from typing import TypeVar

import msgspec

from guestwire.gateway.relay.history import Said
from guestwire.gateway.relay.interface import SessionLink
from guestwire.gateway.relay.join_hold import JoinHold
from guestwire.gateway.relay.outbox_pump import OutboxPump
from guestwire.gateway.relay.provider_line import Way
from guestwire.model.events import ConversationUpdated, Event, Message
from guestwire.net.logs import get_logger

__all__ = ["Recorder"]

_log = get_logger("guestwire.gateway")

_E = TypeVar("_E", bound=Event)


class Recorder:
    """Records what one session's provider says."""

    def __init__(
        self,
        session: SessionLink,
        pump: OutboxPump,
        *,
        until_kept: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
        on_foreign: Callable[[], None],
    ) -> None:
        """Take whose session it is.

        Args:
            session: Gets what is new.
            pump: Knows the guest's own messages.
            until_kept: Repeats a call while the log keeps nothing.
            on_foreign: Called for each message of the guest's that did not come through us.
        """
        self.way = Way()
        """Of the provider's session of now."""
        self._session = session
        self._pump = pump
        self._until_kept = until_kept
        self._on_foreign = on_foreign
        self._hold = JoinHold()
        self._turn = asyncio.Lock()

    # --- what is held back --------------------------------------------------------------------------------------------

    @property
    def is_holding(self) -> bool:
        """Whether messages and updates are to be put into `hold`."""
        return self._hold.is_on

    def begin_hold(self) -> None:
        """Hold from now on."""
        self._hold.begin()

    def hold(self, event: Message | ConversationUpdated) -> bool:
        """Hold an event; return whether there is no more room."""
        return self._hold.put(self._marked(event))

    async def release(self) -> None:
        """Record what was held, if anything was."""
        if self._hold.is_on:
            events = self._hold.release()
            async with self._turn:
                await self._record_in_turn(events)

    # --- what is recorded ---------------------------------------------------------------------------------------------

    async def record(self, events: Sequence[Event]) -> None:
        """Record what the log lacks, in order."""
        # Marked before it waits for its turn: the provider's session may be another one by then.
        marked = [self._marked(event) for event in events]
        async with self._turn:
            await self._record_in_turn(marked)

    async def news(self, events: Sequence[Said]) -> list[Said]:
        """Return those that the log knows nothing of; what has no id is one of them."""
        ids = {event.id: f"{self.way.mark}:{event.id}" for event in events if event.id is not None}
        known = await self._session.log.known_ids(self._session.sid, [*ids.values()])
        return [event for event in events if event.id is None or ids[event.id] not in known]

    # --- within -------------------------------------------------------------------------------------------------------

    def _marked(self, event: _E) -> _E:
        if not isinstance(event, Message | ConversationUpdated) or event.id is None:
            return event
        marked = f"{self.way.mark}:{event.id}"
        if isinstance(event, Message) and self.way.tells_ids:
            return msgspec.structs.replace(event, id=marked, provider_id=event.id)
        return msgspec.structs.replace(event, id=marked)

    async def _record_in_turn(self, events: Sequence[Event]) -> None:
        for is_message, run in groupby(events, key=lambda event: isinstance(event, Message)):
            if is_message:
                await self._record_messages([event for event in run if isinstance(event, Message)])
            else:
                await self._until_kept(partial(self._session.provider_said, [*run]))

    async def _record_messages(self, messages: Sequence[Message]) -> None:
        """Record what the log lacks: the guest's own messages are there already, as far as they came through us."""
        own = [message for message in messages if message.sender == "guest"]
        news = messages
        if own:
            foreign: list[Message] = []

            async def look() -> None:
                foreign[:] = await self._pump.shown(own)

            await self._until_kept(look)
            for _ in foreign:
                _log.warning("the provider shows a guest's message that is not ours")
                self._on_foreign()
            news = [each for each in messages if each.sender != "guest" or any(each is one for one in foreign)]
        if news:
            await self._until_kept(partial(self._session.provider_said, news))
