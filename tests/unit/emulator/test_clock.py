"""The emulator's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from guestwire.emulator.clock import SEEDED_START, EmulatorClock
from guestwire.testing.fake_clock import FakeClock


def test_ticks_with_its_source() -> None:
    """Unseeded it shows the source's time, seeded it starts at the fixed instant."""
    source = FakeClock(utc=datetime(2026, 5, 1, tzinfo=UTC), auto_jump=False)
    clock, seeded = EmulatorClock(source), EmulatorClock(source, is_seeded=True)
    source.advance(10)
    assert clock.utc() == datetime(2026, 5, 1, 0, 0, 10, tzinfo=UTC)
    assert seeded.utc() == SEEDED_START + timedelta(seconds=10)
    assert (clock.is_seeded, seeded.is_seeded) == (False, True)


def test_can_be_advanced() -> None:
    """Both its times move by what it was advanced by, added up."""
    clock = EmulatorClock(FakeClock(auto_jump=False), is_seeded=True)
    began = clock.now()
    clock.advance(60)
    clock.advance(0.5)
    assert clock.now() - began == 60.5
    assert clock.utc() == SEEDED_START + timedelta(seconds=60.5)
    assert clock.advanced_s == 60.5


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), 1e12])
def test_can_not_be_turned_back(seconds: float) -> None:
    """A wrong advance changes nothing."""
    clock = EmulatorClock(FakeClock(auto_jump=False))
    with pytest.raises(ValueError, match="seconds"):
        clock.advance(seconds)
    assert clock.advanced_s == 0


def test_restart() -> None:
    """A restart forgets advances and begins at the start again."""
    source = FakeClock(auto_jump=False)
    clock = EmulatorClock(source)
    clock.advance(100)
    clock.restart(is_seeded=True)
    assert (clock.utc(), clock.advanced_s) == (SEEDED_START, 0)
    clock.restart(is_seeded=False)
    assert clock.utc() == source.utc()
