"""Back-off: full jitter from 0.5 s, doubling, to 30 s."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from guestwire.net.backoff import full_jitter


@given(seed=st.integers(), attempt=st.integers(0, 10_000))
def test_wait_is_within_the_growing_limit(seed: int, attempt: int) -> None:
    assert 0.0 <= full_jitter(Random(seed))(attempt) <= min(30.0, 0.5 * 2 ** min(attempt, 10))


def test_waits_use_the_whole_range() -> None:
    delay_s = full_jitter(Random(1))
    waits = [delay_s(10) for _ in range(1000)]
    assert min(waits) < 1.0
    assert max(waits) > 29.0
