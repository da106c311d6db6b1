"""What `guestwire serve` does around the app."""

from __future__ import annotations

import logging

import pytest

from guestwire.gateway import run
from guestwire.settings import GatewaySettings, ProviderSettings


@pytest.mark.parametrize(("allowed", "let_in"), [(None, 1000), (2100, 1000), (500, 200), (20, 1)])
def test_no_more_browsers_are_let_in_than_there_may_be_sockets(
    allowed: int | None, let_in: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two sockets a chat; where they don't suffice the log says what to do."""
    asked: list[int] = []

    def raised(wanted: int) -> int | None:
        asked.append(wanted)
        return allowed

    monkeypatch.setattr(run, "raise_open_files", raised)
    with caplog.at_level(logging.WARNING):
        settings = run._within_open_files(GatewaySettings(max_connections=1000, provider=ProviderSettings()))
    assert settings.max_connections == let_in
    assert asked == [2100]
    assert ("LimitNOFILE=2100" in caplog.text) == (let_in < 1000)


def test_in_direct_mode_there_are_no_sockets_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "raise_open_files", lambda _wanted: 20)
    assert run._within_open_files(GatewaySettings(mode="direct")).max_connections == 20_000
