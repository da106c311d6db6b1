"""Session tokens of the relay: random, kept as hashes only, so that a stolen database opens nothing.

A token lives for `ttl_s` and is prolonged while a browser is connected with it. It is not rotated: several tabs and a
laptop that sleeps would lock each other out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

import msgspec

from guestwire.gateway.log import SessionLog
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.clock import Clock

__all__ = ["Pair", "SessionTokens", "now_ms", "token_hash"]

MAX_TOKEN_CHARS = 512
"""Longer ones are not ours; hashing a whole frame of somebody's would be a gift."""


class Pair(msgspec.Struct, frozen=True):
    """A session id and token that belong together; the token itself is not kept."""

    sid: SessionId
    token_hash: bytes
    expires_ms: int


class SessionTokens:
    """Makes, checks and prolongs tokens."""

    def __init__(
        self,
        log: SessionLog,
        clock: Clock,
        *,
        ttl_s: float,
        make: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        """Take the log that keeps the hashes; `make` returns 256 random bits in URL-safe characters."""
        self._log = log
        self._clock = clock
        self._ttl_ms = int(ttl_s * 1000)
        self._make = make

    @property
    def ttl_ms(self) -> int:
        """How long a token lives when it is new."""
        return self._ttl_ms

    async def issue(self, sid: SessionId) -> Secret:
        """Return a new token of the session; those it has stay good.

        Raises:
            SessionGone: There is no such session.
            LogUnavailable: It could not be kept.
        """
        token = self._make()
        await self._log.put_token(token_hash(token), sid, now_ms(self._clock) + self._ttl_ms)
        return Secret(token)

    async def check(self, session_id: str, token: Secret) -> Pair | None:
        """Return the pair, or None when it is not one: unknown, expired and another session's look alike.

        Raises:
            LogUnavailable: Nobody can say.
        """
        revealed = token.reveal()
        if not 0 < len(revealed) <= MAX_TOKEN_CHARS:
            return None
        hashed = token_hash(revealed)
        entry = await self._log.find_token(hashed)
        if entry is None or entry.sid != session_id or entry.expires_ms <= now_ms(self._clock):
            return None
        return Pair(entry.sid, hashed, entry.expires_ms)

    def is_due(self, pair: Pair) -> bool:
        """Return whether less than half of the token's life is left."""
        return pair.expires_ms - now_ms(self._clock) < self._ttl_ms / 2

    async def prolong(self, pair: Pair) -> Pair:
        """Let the token live for its whole time again.

        Raises:
            SessionGone: The session was erased.
            LogUnavailable: It could not be kept; the old time stands.
        """
        expires_ms = now_ms(self._clock) + self._ttl_ms
        await self._log.put_token(pair.token_hash, pair.sid, expires_ms)
        return Pair(pair.sid, pair.token_hash, expires_ms)


def token_hash(token: str) -> bytes:
    """Return what is kept of a token; a fast hash will do for 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def now_ms(clock: Clock) -> int:
    """Return the time of day in epoch milliseconds."""
    return int(clock.utc().timestamp() * 1000)
