"""Paths that carry their own permission until a moment: presigned uploads and downloads (web-messaging §1.7)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

__all__ = ["SignedPaths"]


class SignedPaths:
    """Signs and checks with one key."""

    def __init__(self, key: bytes) -> None:
        """Take the key: 32 bytes that never leave the process."""
        self._key = key

    def sign(self, path: str, *, until: float) -> str:
        """Return the path with a query that opens it until then (Unix seconds)."""
        expires = str(int(until))
        return f"{path}?{urlencode({'expires': expires, 'signature': self._signature(path, expires)})}"

    def is_good(self, path: str, query: Mapping[str, str], *, now: float) -> bool:
        """Return whether a query opens a path at this time (Unix seconds)."""
        expires, signature = query.get("expires", ""), query.get("signature", "")
        is_ours = hmac.compare_digest(self._signature(path, expires).encode(), signature.encode())
        return is_ours and now < int(expires)

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
