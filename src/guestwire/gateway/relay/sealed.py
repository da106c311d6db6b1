"""The provider's session at rest: sealed, because its token lets anybody into the conversation.

A seal is a JWE (`dir`, `A256GCM`) that holds the session and the id of ours that it belongs to, so that a row copied to
another session opens nothing. Keys are in a file beside the database, not in it: a stolen backup of the one is no use.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from guestwire.errors import ConfigError
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestSession

__all__ = ["KEY_BYTES", "Seal", "read_keys"]

KEY_BYTES = 32

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is inside: the session, until when its token is good (epoch ms), and where to go on in its history.

    A message of the outbox below `doubts_before` was not sent in it, if it is in doubt.
    """

    sid: str
    session_id: str
    token: str
    socket_base: str | None = None
    external_contact_id: str | None = None
    expires_ms: int | None = None
    extensions: tuple[str, ...] = ()
    place: str | None = None
    doubts_before: int = 0


class Seal:
    """Seals provider sessions and opens them again."""

    def __init__(self, keys: Sequence[bytes], *, now_ms: Callable[[], int]) -> None:
        """Take the keys, `KEY_BYTES` each: the first one seals, each of them opens; `now_ms` is epoch milliseconds."""
        self._keys = [OctKey.import_key(key) for key in keys]
        self._now_ms = now_ms

    def seal(self, sid: SessionId, session: GuestSession, *, doubts_before: int = 0) -> bytes:
        """Return what `SessionLog.set_provider` may keep.

        Args:
            doubts_before: What is in doubt below this `oseq` was sent in a session before this one.
        """
        lives_ms = None if session.expires_in_s is None else int(session.expires_in_s * 1000)
        inside = _Sealed(
            sid=sid,
            session_id=session.session_id,
            token=session.token.reveal(),
            socket_base=session.socket_base,
            external_contact_id=session.external_contact_id,
            expires_ms=None if lives_ms is None else self._now_ms() + lives_ms,
            extensions=tuple(sorted(session.extensions)),
            doubts_before=doubts_before,
        )
        return self._close(inside)

    def moved(self, sid: SessionId, sealed: bytes, place: str) -> bytes:
        """Return the same session, sealed with the place in its history where a reader goes on.

        Raises:
            ValueError: It can't be opened.
        """
        inside = self._opened(sid, sealed)
        if inside is None:
            raise ValueError("Expected a provider session that these keys open.")
        return self._close(msgspec.structs.replace(inside, place=place))

    def place(self, sid: SessionId, sealed: bytes) -> str | None:
        """Return the place that `moved` was given last; None is the beginning."""
        inside = self._opened(sid, sealed)
        return None if inside is None else inside.place

    def doubts_before(self, sid: SessionId, sealed: bytes) -> int:
        """Return what `seal` was given."""
        inside = self._opened(sid, sealed)
        return 0 if inside is None else inside.doubts_before

    def open(self, sid: SessionId, sealed: bytes) -> GuestSession | None:
        """Return the provider session of `sid`; None for one that is expired, another session's, or of a lost key."""
        inside = self._opened(sid, sealed)
        if inside is None:
            return None
        left_s = None if inside.expires_ms is None else (inside.expires_ms - self._now_ms()) / 1000
        if left_s is not None and left_s <= 0:
            return None
        return GuestSession(
            session_id=SessionId(inside.session_id),
            token=Secret(inside.token),
            external_contact_id=inside.external_contact_id,
            socket_base=inside.socket_base,
            expires_in_s=left_s,
            extensions=frozenset(inside.extensions),
        )

    def _close(self, inside: _Sealed) -> bytes:
        return jwe.encrypt_compact(_HEADER, msgspec.msgpack.encode(inside), self._keys[0]).encode()

    def _opened(self, sid: SessionId, sealed: bytes) -> _Sealed | None:
        inside = next((found for key in self._keys if (found := _unsealed(sealed, key)) is not None), None)
        return inside if inside is not None and inside.sid == sid else None


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
