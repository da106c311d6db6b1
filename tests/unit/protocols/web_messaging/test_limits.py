"""A window that counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestwire.protocols.web_messaging.limits import Window


@pytest.mark.parametrize("start", [0.0, 1e9 + 1 / 7])
def test_so_many_and_no_more(start: float) -> None:
    """Who comes back exactly when told is let in; asking takes nothing."""
    window = Window(2, 10.0)
    assert [window.take(start), window.take(start + 4)] == [0.0, 0.0]
    wait_s = window.take(start + 5)
    assert wait_s == pytest.approx(5.0, abs=1e-6)
    assert window.wait_s(start + 5 + wait_s) == 0.0
    assert window.take(start + 5 + wait_s) == 0.0
    assert window.wait_s(start + 5 + wait_s) > 0


@settings(max_examples=40)
@given(st.lists(st.floats(0.0, 3.0), max_size=60))
def test_never_more_than_the_limit_in_any_window(gaps: list[float]) -> None:
    """However the calls fall."""
    window, now, taken = Window(5, 1.0), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if window.take(now) == 0.0:
            taken.append(now)
    for first, sixth in zip(taken, taken[5:], strict=False):
        assert sixth - first >= 1.0 - 1e-5
