"""Whose requests desk and control answer."""

from __future__ import annotations

import pytest

from guestwire.emulator.guards import OwnSite, is_guest_path

LOCAL = OwnSite(host="127.0.0.1", public_url=None)
PUBLIC = OwnSite(host="0.0.0.0", public_url="https://emulator.example.com/")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8001"},
        {"host": "localhost:8001", "origin": "http://localhost:8001"},
        {"host": "[::1]:8001", "origin": "http://[::1]:8001"},
        {"host": "127.0.0.1:8001", "sec-fetch-site": "none"},
        {"host": "127.0.0.1:8001", "sec-fetch-site": "same-origin"},
    ],
)
def test_own_requests(headers: dict[str, str]) -> None:
    """Our pages, by any of this machine's names, and terminals."""
    assert LOCAL.refusal(headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "evil.example.com"},
        {"host": "127.0.0.1.evil.example.com"},
        {"host": "[broken"},
        {"host": "127.0.0.1:8001", "origin": "http://localhost:8001"},
        {"host": "127.0.0.1:8001", "origin": "http://127.0.0.1:8000"},
        {"host": "127.0.0.1:8001", "origin": "null"},
        {"host": "127.0.0.1:8001", "origin": ""},
        {"host": "127.0.0.1:8001", "origin": "http://127.0.0.1:8001, http://evil.example.com"},
        {"host": "127.0.0.1:8001", "sec-fetch-site": "cross-site"},
    ],
)
def test_foreign_requests(headers: dict[str, str]) -> None:
    """Other origins, rebound names, pages of disk."""
    assert LOCAL.refusal(headers) is not None


def test_listening_on_the_network() -> None:
    """Names can't be known there, origins still count; the public one may differ from Host."""
    assert PUBLIC.refusal({"host": "10.0.0.5:8001"}) is None
    assert PUBLIC.refusal({"host": "10.0.0.5:8001", "origin": "https://emulator.example.com"}) is None
    assert PUBLIC.refusal({"host": "10.0.0.5:8001", "origin": "https://evil.example.com"}) is not None


def test_other_loopback_addresses() -> None:
    """Every loopback address is this machine's own."""
    site = OwnSite(host="127.0.0.2", public_url=None)
    assert site.refusal({"host": "127.0.0.2:8001"}) is None
    assert site.refusal({"host": "evil.example.com"}) is not None


def test_guest_paths() -> None:
    """The platform's own paths are the guest's side, and nothing else."""
    assert is_guest_path("/api/v2/chat/guestsessions")
    assert is_guest_path("/oauth/token")
    assert not is_guest_path("/desk/api/state")
    assert not is_guest_path("/emulator/faults")
