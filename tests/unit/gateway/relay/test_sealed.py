"""The provider's session at rest."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from guestwire.errors import ConfigError
from guestwire.gateway.relay.sealed import KEY_BYTES, Seal, read_keys
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestSession

OURS = SessionId("a" * 32)
SESSION = GuestSession(
    session_id=SessionId("their-session"),
    token=Secret("canary-session-token"),
    external_contact_id="crm",
    socket_base="wss://chat.example/ws",
    expires_in_s=60.0,
    extensions=frozenset({"typing", "end"}),
)
OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES


def seal(*keys: bytes, now_ms: int = 0) -> Seal:
    return Seal(keys, now_ms=lambda: now_ms)


def test_what_was_sealed_can_be_opened_and_tells_nothing() -> None:
    sealed = seal(NEW).seal(OURS, SESSION)
    assert seal(NEW).open(OURS, sealed) == SESSION
    assert b"canary" not in sealed
    assert sealed != seal(NEW).seal(OURS, SESSION)


def test_keys_change_without_a_loss() -> None:
    sealed = seal(OLD).seal(OURS, SESSION)
    assert seal(NEW, OLD).open(OURS, sealed) == SESSION
    assert seal(OLD).open(OURS, seal(NEW, OLD).seal(OURS, SESSION)) is None


def test_it_opens_for_its_own_session_only() -> None:
    assert seal(NEW).open(SessionId("b" * 32), seal(NEW).seal(OURS, SESSION)) is None


@pytest.mark.parametrize("sealed", [b"", b"x", b"\xff", b"a.b.c.d.e", seal(NEW).seal(OURS, SESSION)[:-2]])
def test_garbage_does_not_open(sealed: bytes) -> None:
    assert seal(NEW).open(OURS, sealed) is None


def test_an_expired_token_is_not_tried() -> None:
    sealed = seal(NEW).seal(OURS, SESSION)
    opened = seal(NEW, now_ms=59_000).open(OURS, sealed)
    assert opened is not None
    assert opened.expires_in_s == 1.0
    assert seal(NEW, now_ms=60_000).open(OURS, sealed) is None


def test_the_place_in_its_history_moves_and_nothing_else() -> None:
    sealed = seal(NEW).seal(OURS, SESSION)
    assert seal(NEW).place(OURS, sealed) is None
    moved = seal(NEW, OLD, now_ms=30_000).moved(OURS, sealed, "p7")
    assert seal(NEW).place(OURS, moved) == "p7"
    assert seal(NEW).open(OURS, moved) == SESSION
    assert seal(NEW, now_ms=60_000).open(OURS, moved) is None
    assert seal(OLD).place(OURS, moved) is None
    with pytest.raises(ValueError, match="Expected a provider session"):
        seal(OLD).moved(OURS, moved, "p8")


def test_what_was_in_doubt_before_it_is_known_and_kept() -> None:
    sealed = seal(NEW).seal(OURS, SESSION, doubts_before=7)
    moved = seal(NEW).moved(OURS, sealed, "p7")
    assert [seal(NEW).doubts_before(OURS, one) for one in (sealed, moved)] == [7, 7]
    assert seal(NEW).doubts_before(OURS, seal(NEW).seal(OURS, SESSION)) == 0
    assert seal(OLD).doubts_before(OURS, sealed) == 0


def test_a_key_file_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keys = read_keys(path)
    assert [len(key) for key in keys] == [KEY_BYTES]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path) == keys


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "not base64!", "ä"])
def test_a_key_file_that_holds_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="Expected keys"):
        read_keys(path)


def test_a_key_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be used"):
        read_keys(tmp_path / "missing" / "keys")
