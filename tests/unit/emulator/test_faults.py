"""The catalogue of faults and their state."""

from __future__ import annotations

import pytest

from guestwire.emulator.faults import CAPABILITIES, CATALOGUE, FaultKind, FaultName, FaultRefused, Faults


def test_catalogue_is_complete() -> None:
    """Every name has a row with words for people; actions take no parameters; capabilities name extensions."""
    assert set(CATALOGUE) == set(FaultName)
    for name, info in CATALOGUE.items():
        assert info.name is name
        assert info.title
        assert info.help
        assert not info.params or info.kind is not FaultKind.ACTION
    assert CAPABILITIES == (FaultName.ECHO, FaultName.HISTORY)


def test_switching() -> None:
    """A switch goes on and off; its parameters stay until everything is cleared."""
    faults = Faults()
    assert not faults.is_on(FaultName.DELAY_FRAMES)
    faults.switch(FaultName.DELAY_FRAMES, on=True, params={"delayMs": 5.0})
    assert faults.is_on(FaultName.DELAY_FRAMES)
    assert faults.params(FaultName.DELAY_FRAMES) == {"delayMs": 5}
    faults.switch(FaultName.DELAY_FRAMES, on=False, params={})
    assert not faults.is_on(FaultName.DELAY_FRAMES)
    assert faults.params(FaultName.DELAY_FRAMES) == {"delayMs": 5}
    faults.switch(FaultName.NO_CORS, on=True, params={})
    faults.clear()
    assert not any(faults.is_on(name) for name in FaultName)
    assert faults.params(FaultName.DELAY_FRAMES) == {"delayMs": 2000}


@pytest.mark.parametrize("value", [-1, 60_001, 1.5, True, "5", None, float("nan"), float("inf")])
def test_bad_parameters(value: object) -> None:
    """A parameter is a whole number in its range; a wrong one changes nothing."""
    faults = Faults()
    with pytest.raises(FaultRefused, match="delayMs"):
        faults.switch(FaultName.DELAY_FRAMES, on=True, params={"delayMs": value})
    assert not faults.is_on(FaultName.DELAY_FRAMES)


def test_unknown_parameters_and_actions() -> None:
    """Unknown parameters are refused with those there are, and actions are no switches."""
    faults = Faults()
    with pytest.raises(FaultRefused, match="retryAfterS"):
        faults.switch(FaultName.RATE_LIMIT, on=True, params={"seconds": 1})
    with pytest.raises(FaultRefused, match="POST"):
        faults.switch(FaultName.DROP_SOCKETS, on=True, params={})


def test_what_was_on_at_the_start_stays_when_all_is_cleared() -> None:
    """It is how the org was set up; its parameters are forgotten like all others."""
    faults = Faults([FaultName.ECHO])
    faults.switch(FaultName.ECHO, on=False, params={"lossPercent": 5})
    faults.switch(FaultName.NO_CORS, on=True, params={})
    faults.clear()
    assert [name for name in FaultName if faults.is_on(name)] == [FaultName.ECHO]
    assert faults.params(FaultName.ECHO)["lossPercent"] == 0


def test_a_parameter_acts_while_its_switch_is_on() -> None:
    """Off, it is 0, whatever is kept of it."""
    faults = Faults()
    assert faults.value(FaultName.DELAY_FRAMES, "delayMs") == 0
    faults.switch(FaultName.DELAY_FRAMES, on=True, params={"delayMs": 7})
    assert faults.value(FaultName.DELAY_FRAMES, "delayMs") == 7
    faults.switch(FaultName.DELAY_FRAMES, on=False, params={})
    assert faults.value(FaultName.DELAY_FRAMES, "delayMs") == 0
