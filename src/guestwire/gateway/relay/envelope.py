"""Sealed envelopes: values of ours that others keep for us, or that lie in the log, and that only we can read or make.

An envelope is a JWE (`dir`, `A256GCM`) with the name of its kind in the protected header, so that one kind can't be
passed off as another. Keys are those of the provider's sessions (`sealed.read_keys`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

__all__ = ["Envelope"]

_T = TypeVar("_T", bound=msgspec.Struct)


class Envelope:
    """Closes and opens envelopes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take the keys: the first one closes, each of them opens."""
        self._keys = [OctKey.import_key(key) for key in keys]

    def close(self, value: msgspec.Struct) -> str:
        """Return the value sealed, in URL-safe characters; the kind is the name of its type."""
        header = {"alg": "dir", "enc": "A256GCM", "typ": type(value).__name__}
        return jwe.encrypt_compact(header, msgspec.msgpack.encode(value), self._keys[0])

    def open(self, sealed: str, kind: type[_T]) -> _T | None:
        """Return what is inside; None for what is not ours, was changed, is of another kind or of a lost key."""
        for key in self._keys:
            try:
                opened = jwe.decrypt_compact(sealed, key)
                if opened.protected.get("typ") == kind.__name__ and opened.plaintext is not None:
                    return msgspec.msgpack.decode(opened.plaintext, type=kind)
            except (JoseError, ValueError, msgspec.DecodeError):
                pass
        return None
