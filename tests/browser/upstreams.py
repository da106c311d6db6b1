"""A way to the provider that a test plays."""

from __future__ import annotations

import asyncio

from guestwire.gateway.log import OutboxState
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.interface import BasicUpstream, SessionLink
from guestwire.model.events import Fate


class BusyUpstreams:
    """Ways to a provider that asks for a pause before every message."""

    def __init__(self, *, retry_after: float) -> None:
        self.retry_after = retry_after
        self.made: list[BusyUpstream] = []

    def __call__(self, session: SessionLink) -> BusyUpstream:
        self.made.append(BusyUpstream(session, self.retry_after))
        return self.made[-1]


class BusyUpstream(BasicUpstream):
    """See `guestwire.gateway.relay.interface.Upstream`."""

    def __init__(self, session: SessionLink, retry_after: float) -> None:
        self._session = session
        self._retry_after = retry_after
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        pass

    def wake(self) -> None:
        task = asyncio.create_task(self._settle_next(OutboxState.ACCEPTED, OutboxState.WAITING, Fate.WAITING))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def typing(self) -> None:
        pass

    def end(self) -> None:
        pass

    async def aclose(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def delivers(self) -> None:
        """Deliver the message that waits."""
        sid, log = self._session.sid, self._session.log
        message = await log.next_outgoing(sid)
        assert message is not None
        await log.settle(sid, message.oseq, OutboxState.ACCEPTED)
        await self._settle_next(OutboxState.ACCEPTED, OutboxState.DELIVERED, Fate.DELIVERED)

    async def _settle_next(self, when: OutboxState, state: OutboxState, fate: Fate) -> None:
        sid, log = self._session.sid, self._session.log
        message = await log.next_outgoing(sid)
        if message is None or message.state is not when:
            return
        await log.mark_sending(sid, message.oseq, 0)
        retry_after = self._retry_after if fate is Fate.WAITING else None
        receipt = bodies.receipt(sid, message.client_id, message.message_seq, fate, retry_after=retry_after)
        retry_at_ms = None if retry_after is None else int(retry_after * 1000)
        await log.settle(sid, message.oseq, state, record=receipt, retry_at_ms=retry_at_ms)
