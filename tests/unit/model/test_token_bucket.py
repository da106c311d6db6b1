"""The token bucket, told the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.token_bucket import TokenBucket


def test_burst_at_once_then_the_rate() -> None:
    """The burst is there at once; the wait that is told is the wait that is needed."""
    bucket = TokenBucket(rate=2.0, burst=3.0)
    assert [bucket.take(10.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(10.0) == 0.5
    assert bucket.take(10.25) == 0.25
    assert bucket.take(10.5) == 0.0
    assert bucket.take(10.5) == 0.5


def test_a_refused_take_costs_nothing() -> None:
    """Asking again and again does not push the next token away."""
    bucket = TokenBucket(rate=1.0, burst=1.0)
    bucket.take(0.0)
    for tenth in range(1, 10):
        assert bucket.take(tenth / 10) > 0
    assert bucket.take(1.0) == 0.0


def test_it_fills_up_to_the_burst_only() -> None:
    """A long pause saves nothing up."""
    bucket = TokenBucket(rate=10.0, burst=2.0)
    bucket.take(0.0)
    assert [bucket.take(1000.0) == 0.0 for _ in range(3)] == [True, True, False]


def test_a_new_one_is_full() -> None:
    """The burst is there at once, and no more than that."""
    bucket = TokenBucket(rate=1.0, burst=3.0)
    assert [bucket.take(5.0) == 0.0 for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("now", [0.0, 1e3, 86_400.3, 1e6 + 1 / 3, 1e9 + 1 / 7])
@pytest.mark.parametrize("rate", [0.1, 1 / 6, 8.0, 10.0, 100.0])
def test_who_comes_back_when_told_gets_one(now: float, rate: float) -> None:
    """However large the clock's numbers are: a timer that jumps from deadline to deadline never stands still."""
    bucket = TokenBucket(rate=rate, burst=1.0)
    for _ in range(100):
        assert bucket.take(now) == 0.0
        wait_s = bucket.take(now)
        assert wait_s > 0
        now += wait_s


@given(
    st.floats(min_value=0.1, max_value=100.0),
    st.floats(min_value=1.0, max_value=100.0),
    st.lists(st.floats(min_value=0.0, max_value=2.0), max_size=200),
)
def test_never_more_than_burst_and_rate(rate: float, burst: float, pauses: list[float]) -> None:
    """Over any time t at most burst + rate × t are taken."""
    bucket, now, taken = TokenBucket(rate=rate, burst=burst), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now) == 0.0
        assert taken <= burst + rate * now + 0.01
