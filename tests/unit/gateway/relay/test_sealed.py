"""The provider's session at rest."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from guestwire.errors import ConfigError
from guestwire.gateway.relay.sealed import KEY_BYTES, Kept, Seal, read_keys
from guestwire.model.ids import SessionId

OURS = SessionId("a" * 32)
KEPT = Kept(kind="guest-session", session=b"canary-session-token", place="p7", doubts_before=3)
OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES


def test_what_was_sealed_can_be_opened_and_tells_nothing() -> None:
    sealed = Seal([NEW]).seal(OURS, KEPT)
    assert Seal([NEW]).open(OURS, sealed) == KEPT
    assert b"canary" not in sealed
    assert sealed != Seal([NEW]).seal(OURS, KEPT)


def test_keys_change_without_a_loss() -> None:
    sealed = Seal([OLD]).seal(OURS, KEPT)
    assert Seal([NEW, OLD]).open(OURS, sealed) == KEPT
    assert Seal([OLD]).open(OURS, Seal([NEW, OLD]).seal(OURS, KEPT)) is None


def test_it_opens_for_its_own_session_only() -> None:
    assert Seal([NEW]).open(SessionId("b" * 32), Seal([NEW]).seal(OURS, KEPT)) is None


@pytest.mark.parametrize("sealed", [b"", b"x", b"\xff", b"a.b.c.d.e", Seal([NEW]).seal(OURS, KEPT)[:-2]])
def test_garbage_does_not_open(sealed: bytes) -> None:
    assert Seal([NEW]).open(OURS, sealed) is None


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
