"""Addresses that carry their own permission."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from guestwire.emulator.signed_paths import SignedPaths

PATHS = SignedPaths(b"k" * 32)


def query_of(path: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(path).query))


def test_good_until_then() -> None:
    """For its own path, before its moment."""
    query = query_of(PATHS.sign("/files/1", until=100.9))
    assert PATHS.is_good("/files/1", query, now=99.9)
    assert not PATHS.is_good("/files/1", query, now=100.0)
    assert not PATHS.is_good("/files/2", query, now=0.0)


@pytest.mark.parametrize(
    "change", [{"expires": "999"}, {"expires": "x"}, {"signature": "ä"}, {"signature": ""}, {"expires": ""}]
)
def test_changed_it_is_nothing(change: dict[str, str]) -> None:
    """Neither a later moment nor anything that is no number gets through."""
    query = query_of(PATHS.sign("/files/1", until=100.0)) | change
    assert not PATHS.is_good("/files/1", query, now=0.0)
    assert not PATHS.is_good("/files/1", {}, now=0.0)


def test_another_key_signs_for_itself() -> None:
    """What one org allowed, another does not."""
    query = query_of(SignedPaths(b"l" * 32).sign("/files/1", until=100.0))
    assert not PATHS.is_good("/files/1", query, now=0.0)
