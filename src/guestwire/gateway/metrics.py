"""Numbers for Prometheus, in a registry of the app's own; every label comes from a closed set."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Metrics"]

LOOK_S = 2.0
"""What has to be asked for is shown as it was the last time when it takes longer: a bad disk must not hide the rest."""

_SETTLED = ("delivered", "failed", "unconfirmed")

_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Metrics:
    """What the gateway counts."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._registry = CollectorRegistry()
        self.sessions_created = Counter(
            "guestwire_sessions_created", "Guest sessions created.", registry=self._registry
        )
        self.sessions_refused = Counter(
            "guestwire_sessions_refused",
            "Guest sessions not created, by error code.",
            ["code"],
            registry=self._registry,
        )
        self.upstream_seconds = Histogram(
            "guestwire_upstream_seconds",
            "Time the provider took.",
            ["call"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.requests = Counter(
            "guestwire_requests",
            "Requests answered, by route and status.",
            ["route", "status"],
            registry=self._registry,
        )

        self.sessions_in_use = Gauge(
            "guestwire_sessions_in_use", "Sessions in memory (relay).", registry=self._registry
        )
        self.sessions_taken_up = Counter(
            "guestwire_sessions_taken_up", "Sessions taken up again after a restart.", registry=self._registry
        )
        self.sessions_expired = Counter(
            "guestwire_sessions_expired", "Sessions erased because their time had come.", registry=self._registry
        )
        self.messages_accepted = Counter(
            "guestwire_messages_accepted", "Guests' messages acknowledged, repeats included.", registry=self._registry
        )
        self.messages_settled = Counter(
            "guestwire_messages_settled",
            "Guests' messages whose fate was decided, by state; in doubt and then delivered is both.",
            ["state"],
            registry=self._registry,
        )
        self._settled = {state: self.messages_settled.labels(state) for state in _SETTLED}
        self.outbox_waiting = Gauge(
            "guestwire_outbox_waiting",
            "Guests' messages acknowledged and not yet settled, of all sessions.",
            registry=self._registry,
        )
        self.upstream_connections = Gauge(
            "guestwire_upstream_connections", "WebSockets open to the provider.", registry=self._registry
        )
        self.upstream_failures = Counter(
            "guestwire_upstream_failures",
            "Connections to the provider lost, and attempts that failed, by error code.",
            ["code"],
            registry=self._registry,
        )
        self.upstream_crashes = Counter(
            "guestwire_upstream_crashes",
            "Ways to the provider that a bug has ended; each is begun anew after a while.",
            registry=self._registry,
        )
        self.log_failures = Counter(
            "guestwire_log_failures",
            "Writes that the session log could not keep; tried again where nobody was refused.",
            registry=self._registry,
        )
        self.connections = Gauge("guestwire_connections", "Browsers' WebSockets open.", registry=self._registry)
        self.connections_admitted = Counter(
            "guestwire_connections_admitted", "Connections let in, by how.", ["mode"], registry=self._registry
        )
        self.connections_closed = Counter(
            "guestwire_connections_closed", "Connections closed, by close code.", ["code"], registry=self._registry
        )
        self.upgrades_refused = Counter(
            "guestwire_upgrades_refused", "WebSockets refused, by error code.", ["code"], registry=self._registry
        )
        self.foreign_messages = Counter(
            "guestwire_foreign_messages",
            "Messages in a guest's name at the provider that did not come from here.",
            registry=self._registry,
        )
        self.uploads = Counter(
            "guestwire_uploads",
            "Files of guests, taken or refused, by error code.",
            ["outcome"],
            registry=self._registry,
        )
        self.upload_bytes = Counter(
            "guestwire_upload_bytes", "Bytes of guests' files that were taken.", registry=self._registry
        )
        self.downloads = Counter(
            "guestwire_downloads",
            "Files of chats, passed on or not, by error code.",
            ["outcome"],
            registry=self._registry,
        )
        self.positions_lost = Counter(
            "guestwire_positions_lost",
            "Readers whose next record did not follow the last: a bug, or a damaged log.",
            registry=self._registry,
        )

        self.look: Callable[[], Awaitable[None]] | None = None
        """Sets what has to be asked for, before it is shown."""

    def message_settled(self, state: str) -> None:
        """Count a message that has come into this state, if that is a final one."""
        counter = self._settled.get(state)
        if counter is not None:
            counter.inc()

    async def show(self, _request: Request) -> Response:
        """Answer `GET /metrics`."""
        if self.look is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self.look()
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
