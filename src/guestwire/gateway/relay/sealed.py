"""The provider's session at rest: sealed, because its token lets anybody into the conversation.

A seal is a JWE (`dir`, `A256GCM`) that holds the session and the id of ours that it belongs to, so that a row copied to
another session opens nothing. Keys are in a file beside the database, not in it: a stolen backup of the one is no use.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from guestwire.errors import ConfigError
from guestwire.model.ids import SessionId

__all__ = ["KEY_BYTES", "Kept", "Seal", "read_keys"]

KEY_BYTES = 32

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a provider's session, and of the way that leads there.

    Attributes:
        kind: What that provider speaks; another kind can make nothing of it.
        session: The session, as its kind packs it; empty while there is none.
        guest: Who signed in, as its kind packs it; empty for an unknown guest.
        place: Where to go on in its history; None is the beginning.
        doubts_before: A message of the outbox below it was not sent in this session, if it is in doubt.
    """

    kind: str
    session: bytes = b""
    guest: bytes = b""
    place: str | None = None
    doubts_before: int = 0


class _Sealed(msgspec.Struct, frozen=True, kw_only=True):
    sid: str
    kept: Kept


class Seal:
    """Seals what is kept of provider sessions, and opens it again."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take the keys, `KEY_BYTES` each: the first one seals, each of them opens."""
        self._keys = [OctKey.import_key(key) for key in keys]

    def seal(self, sid: SessionId, kept: Kept) -> bytes:
        """Return what `SessionLog.set_provider` may keep for the session `sid`."""
        inside = msgspec.msgpack.encode(_Sealed(sid=sid, kept=kept))
        return jwe.encrypt_compact(_HEADER, inside, self._keys[0]).encode()

    def open(self, sid: SessionId, sealed: bytes) -> Kept | None:
        """Return what was sealed for `sid`; None for another session's, or of a lost key."""
        inside = next((found for key in self._keys if (found := _unsealed(sealed, key)) is not None), None)
        return inside.kept if inside is not None and inside.sid == sid else None


def read_keys(path: Path) -> list[bytes]:
    """Return the keys in a file, one a line in base64url; a file that is not there is made, with one new key.

    It blocks: call it in a thread. To change keys put a new one first, and drop the old one when its chats are over.

    Raises:
        ConfigError: The file can't be read or made, or holds something else.
    """
    try:
        try:
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            text = path.read_text(encoding="ascii")
        else:
            text = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n"
            with os.fdopen(made, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        keys = [base64.urlsafe_b64decode(line) for line in text.split()]
    except OSError as error:
        raise ConfigError(f"The key file {path} can't be used: {error.strerror}.") from None
    except (UnicodeError, binascii.Error):
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigError(f"Expected keys of {KEY_BYTES} bytes in base64url in {path}, one a line, got something else.")
    return keys


def _unsealed(sealed: bytes, key: OctKey) -> _Sealed | None:
    try:
        plaintext = jwe.decrypt_compact(sealed, key).plaintext
        return None if plaintext is None else msgspec.msgpack.decode(plaintext, type=_Sealed)
    except (JoseError, ValueError, msgspec.DecodeError):
        return None
