"""The deployment's public configuration: read once for all sessions, and again every few minutes.

Without it nobody can be connected; with an old one they can. So one that could be read is used until there is a newer
one, except when the provider itself says that the deployment is off. While there is none, whoever needs it asks again,
but not all at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from weakref import WeakSet

from guestwire.client.web_sessions import find_deployment
from guestwire.errors import ChatError, Retry
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger
from guestwire.net.transport import Transport
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.settings import ProviderSettings

__all__ = ["REFRESH_S", "Deployments"]

REFRESH_S = 300.0

AGAIN_S = 5.0
"""While it can't be read it is asked for at most so often, however many chats need it."""

_log = get_logger("guestwire.gateway")

_FINAL = frozenset({"deployment-inactive", "domain-not-allowed"})
"""The deployment is there and says no."""


class Deployments:
    """The one deployment of a gateway; `running` keeps it fresh."""

    def __init__(self, settings: ProviderSettings, *, transport: Transport, clock: Clock) -> None:
        """Take which one; nothing is read before `get` or `running`."""
        self.current: Deployment | None = None
        """What is known of it; None before it was read."""
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._turn = asyncio.Lock()
        self._error: ChatError | None = None
        self._tried_at: float | None = None
        self._watchers: WeakSet[Watcher] = WeakSet()

    async def get(self) -> Deployment:
        """Return it, reading it where that has not succeeded yet.

        Raises:
            ChatError: It can't be read, or is not for us; the code says why.
        """
        if self.current is None:
            async with self._turn:
                if self._is_due():
                    await self._read()
        if self.current is None:
            assert self._error is not None  # noqa: S101 - reading has one result or the other
            raise self._error.with_traceback(None)
        return self.current

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read it now and again, until the block is left."""
        task = asyncio.create_task(self._refresh(), name="guestwire-deployment")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every change, as long as it lives."""
        self._watchers.add(watcher)

    def _is_due(self) -> bool:
        is_long_ago = self._tried_at is None or self._clock.now() - self._tried_at >= AGAIN_S
        return self.current is None and is_long_ago

    async def _refresh(self) -> None:
        while True:
            async with self._turn:
                await self._read()
            await self._clock.sleep(REFRESH_S if self._error is None else min(REFRESH_S, 6 * AGAIN_S))

    async def _read(self) -> None:
        before = self.current
        try:
            self.current = await find_deployment(self._transport, self._settings)
        except ChatError as error:
            if self._error is None or self._error.code != error.code:
                _log.warning(
                    "the deployment can't be used"
                    if error.retry is Retry.NEVER
                    else "the deployment can't be read now",
                    code=error.code,
                    detail=error.message,
                    hint=error.hint,
                )
            self._error = error
            if error.code in _FINAL:
                self.current = None
        else:
            if self._error is not None:
                _log.info("the deployment can be used again")
            self._error = None
        self._tried_at = self._clock.now()
        if self.current != before:
            for watcher in tuple(self._watchers):
                watcher.deployment_changed()


class Watcher:
    """Somebody who wants to know that the deployment has changed."""

    def deployment_changed(self) -> None:
        """Look again."""
