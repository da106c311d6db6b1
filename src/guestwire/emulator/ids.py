"""Every id, token and key of the emulator, from one seeded source.

Each kind has a numbered stream of its own (a keyed hash of kind and number), so that what one part does, such as the
demo agent answering a moment earlier, never shifts the ids of another.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from collections import Counter

__all__ = ["Ids"]


class Ids:
    """The one source of randomness; the same seed gives the same values in the same order."""

    def __init__(self, seed: int | None = None) -> None:
        """Start the streams.

        Args:
            seed: None means one that nobody can guess; tokens are safe only then.
        """
        self._key = secrets.token_bytes(32) if seed is None else hashlib.sha256(f"guestwire {seed}".encode()).digest()
        self._drawn: Counter[str] = Counter()

    def new_id(self, kind: str) -> str:
        """Return the next id of a kind, in the form of a UUID."""
        return self.named_id(kind, str(self._next(kind)))

    def named_id(self, kind: str, name: str) -> str:
        """Return the id that belongs to a name: always the same one."""
        return str(uuid.UUID(bytes=self._digest(kind, name)[:16], version=4))

    def ordered_id(self, kind: str) -> str:
        """Return the next id of a kind; as texts, the ids of a kind are in the order in which they were drawn."""
        number = self._next(kind)
        return str(uuid.UUID(bytes=number.to_bytes(4, "big") + self._digest(kind, str(number))[4:16], version=4))

    def draw(self, kind: str) -> float:
        """Return the next random number of a kind, from 0 up to 1."""
        return self.named_draw(kind, str(self._next(kind)))

    def named_draw(self, kind: str, name: str) -> float:
        """Return the random number that belongs to a name, from 0 up to 1: always the same one."""
        return int.from_bytes(self._digest(kind, name)[:4], "big") / 2**32

    def new_token(self, kind: str) -> str:
        """Return the next opaque token of a kind: 43 characters of `A-Z a-z 0-9 - _`."""
        return base64.urlsafe_b64encode(self._digest(kind, str(self._next(kind)))).rstrip(b"=").decode()

    def signing_key(self, purpose: str = "") -> bytes:
        """Return the key that signs for a purpose, session tokens unless told; it never leaves the process."""
        return self._digest("signing-key", purpose)

    def _next(self, kind: str) -> int:
        self._drawn[kind] += 1
        return self._drawn[kind]

    def _digest(self, kind: str, name: str) -> bytes:
        return hashlib.blake2b(f"{kind}\n{name}".encode(), key=self._key, digest_size=32).digest()
