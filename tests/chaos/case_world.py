"""Helpers of the cases in one process: browsers for `relay_world`, tasks that are left over, Hypothesis settings."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from hypothesis import HealthCheck, settings

from guestwire.gateway.log import NewRecord, SessionLog, SessionRow
from guestwire.gateway.relay.tokens import token_hash
from guestwire.model.ids import SessionId
from guestwire.protocols.guest_session.wire import MessageFrame, encode
from tests.chaos.case_browser import Browser
from tests.integration.gateway.relay_world import Guest, World

__all__ = ["browser_of", "examples", "filled_session", "log_of", "members", "said"]

FAR_MS = 2**52


def browser_of(guest: Guest, tab: str = "t") -> Browser:
    """Return a browser of this guest, not yet connected."""
    return Browser(lambda: guest.world.client.open_socket(guest.socket_url), guest.sid, guest.token, tab)


def examples(count: int, **options: Any) -> settings:
    """Return Hypothesis settings for so many examples, the same ones for the same seed."""
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        **options,
    )


def members(frames: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return some members of each frame."""
    return [tuple(frame.get(name) for name in names) for frame in frames]


async def log_of(world: World) -> SessionLog:
    """Return the gateway's log, for what only a test does."""
    guest = await world.create()
    await (await guest.open()).drop()
    return guest.upstream.session.log


def said(text: str, **members: Any) -> NewRecord:
    """Return a record of something that the agent said."""
    frame = MessageFrame(sender="agent", text=text, timestamp="2026-01-01T00:00:00.000Z", id=secrets.token_hex(16))
    return NewRecord(kind="message", body=encode(frame).encode(), **members)


async def filled_session(
    log: SessionLog, records: list[NewRecord], *, floor: int = 0, epoch: str = "e"
) -> tuple[SessionId, str]:
    """Make a session with these records, trimmed up to `floor`, and return its pair; one commit in all."""
    sid, token = SessionId(secrets.token_hex(16)), secrets.token_urlsafe(32)
    await asyncio.gather(
        log.create(SessionRow(sid=sid, epoch=epoch, created_ms=0)),
        log.put_token(token_hash(token), sid, FAR_MS),
        log.append(sid, records),
        log.trim(sid, floor + 1),
    )
    return sid, token
