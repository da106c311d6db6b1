"""Limits per address and in total."""

from __future__ import annotations

import pytest

from guestwire.gateway.limits import AddressLimits, ArrivalLimits, DailyLimits, address_key


@pytest.mark.parametrize(
    "address, key",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(address: str, key: str) -> None:
    assert address_key(address) == key


def test_arrivals_count_for_each_session() -> None:
    """A minute's worth at once, then one at a time; a session's own tabs take it from nobody else."""
    limits = ArrivalLimits(per_minute=12)
    assert [limits.take("s", 0.0) for _ in range(12)] == [0.0] * 12
    assert limits.take("s", 0.0) == pytest.approx(5.0)
    assert limits.take("other", 0.0) == 0.0
    assert limits.take("s", 5.0) == 0.0


def test_burst_then_rate() -> None:
    limits = AddressLimits(per_minute=6, burst=3, per_minute_total=1000)
    assert [limits.take("a", 0.0) for _ in range(3)] == [0.0] * 3
    assert limits.take("a", 0.0) == pytest.approx(10.0)
    assert limits.take("b", 0.0) == 0.0
    assert limits.take("a", 10.1) == 0.0


def test_the_total_holds_for_all_together() -> None:
    limits = AddressLimits(per_minute=60, burst=5, per_minute_total=60)
    taken = [limits.take(f"192.0.2.{number}", 0.0) for number in range(20)]
    assert taken.count(0.0) == 10
    assert max(taken) > 0


def test_one_greedy_address_leaves_the_total_alone() -> None:
    limits = AddressLimits(per_minute=1, burst=1, per_minute_total=60)
    for _ in range(100):
        limits.take("greedy", 0.0)
    assert limits.take("other", 0.0) == 0.0


@pytest.mark.parametrize("pause_s", [0.0, 7.0, 400.0, 1799.0, 30_000.0])
def test_a_day_is_any_24_hours(pause_s: float) -> None:
    """Whoever takes as soon as it may: never more than the limit in 24 hours, and not much less."""
    limits = DailyLimits(per_day=40, per_day_total=1e9)
    taken: list[float] = []
    now = 12_345.6
    while now < 5 * 86_400:
        wait_s = limits.take("a", now)
        if wait_s == 0.0:
            taken.append(now)
        now += max(wait_s, pause_s)
    for number, begin in enumerate(taken):
        assert sum(begin <= at < begin + 86_400 for at in taken[number:]) <= 40
    assert len(taken) >= min(4 * 40, len(range(12_345, 5 * 86_400, max(1, int(pause_s)))) - 1)


def test_a_day_of_all_together() -> None:
    """One that was refused for the total has not used up its own, and comes when it was told to."""
    limits = DailyLimits(per_day=2, per_day_total=5)
    taken = [limits.take(f"192.0.2.{number % 10}", 0.0) for number in range(20)]
    assert taken.count(0.0) == 5
    wait_s = limits.take("192.0.2.9", 60.0)
    assert 86_400 - 60 <= wait_s <= 88_200
    assert [limits.take("192.0.2.9", 60.0 + wait_s) for _ in range(2)] == [0.0, 0.0]
    assert limits.take("192.0.2.9", 60.0 + wait_s) > 0
    assert DailyLimits(per_day=0.5, per_day_total=5).take("a", 0.0) > 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestwire.gateway.limits.MOST_ADDRESSES", 100)
    limits = AddressLimits(per_minute=1, burst=1, per_minute_total=1e9)
    for number in range(110):
        limits.take(str(number), 0.0)
    assert len(limits._buckets) == 100
    days = DailyLimits(per_day=1, per_day_total=1e9)
    for number in range(110):
        days.take(str(number), 0.0)
    assert len(days._days) == 100
