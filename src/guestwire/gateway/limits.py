"""How often one address, and all together, may ask for what costs money upstream."""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from guestwire.model.token_bucket import TokenBucket
from guestwire.settings import GatewaySettings

__all__ = ["AddressLimits", "ArrivalLimits", "CreationLimits", "DailyLimits", "address_key"]

MOST_ADDRESSES = 50_000
"""Buckets kept at once, some 10 MB; the one used longest ago goes first."""

_IPV6_PREFIX = 64


class AddressLimits:
    """A token bucket for each address and one for all; time is passed in."""

    def __init__(self, *, per_minute: float, burst: float, per_minute_total: float) -> None:
        """Start with nothing used; the bucket for all lets ten seconds' worth through at once."""
        self._rate = per_minute / 60
        self._burst = burst
        self._total = TokenBucket(rate=per_minute_total / 60, burst=max(burst, per_minute_total / 6))
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """Take one.

        Args:
            address: The peer's IP address; anything else is a key of its own.
            now: Monotonic seconds.

        Returns:
            0.0 when allowed, else the seconds until it may be.
        """
        bucket = _bucket(self._buckets, address_key(address), rate=self._rate, burst=self._burst)
        # The address first: one that asks too often must not use up what all share.
        return bucket.take(now) or self._total.take(now)


class ArrivalLimits:
    """How often a session may be joined: each time everything it has kept may be read; time is passed in."""

    def __init__(self, *, per_minute: float) -> None:
        """Start with nothing used; a minute's worth may come at once."""
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, sid: str, now: float) -> float:
        """Take one, as `AddressLimits.take`."""
        return _bucket(self._buckets, sid, rate=self._per_minute / 60, burst=self._per_minute).take(now)


class DailyLimits:
    """At most so many in any 24 hours, for each address and for all; time is passed in.

    A token bucket would not do: one that starts full gives its burst and a day's refill in the first day.
    """

    def __init__(self, *, per_day: float, per_day_total: float) -> None:
        """Start with nothing used."""
        self._per_day = per_day
        self._total = _Day(per_day_total)
        self._days: OrderedDict[str, _Day] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """Take one, as `AddressLimits.take`."""
        key = address_key(address)
        day = self._days.get(key)
        if day is None:
            day = self._days[key] = _Day(self._per_day)
            if len(self._days) > MOST_ADDRESSES:
                self._days.popitem(last=False)
        self._days.move_to_end(key)
        wait_s = day.wait_s(now) or self._total.wait_s(now)
        if wait_s == 0.0:
            day.note(now)
            self._total.note(now)
        return wait_s


class CreationLimits:
    """How many conversations may be begun: by the minute and by the day; time is passed in."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Start with nothing used."""
        self._minutes = AddressLimits(
            per_minute=settings.sessions_per_minute,
            burst=settings.sessions_burst,
            per_minute_total=settings.sessions_per_minute_total,
        )
        self._days = DailyLimits(per_day=settings.sessions_per_day, per_day_total=settings.sessions_per_day_total)

    def take(self, address: str, now: float) -> float:
        """Take one, as `AddressLimits.take`."""
        return self._minutes.take(address, now) or self._days.take(address, now)


def _bucket(buckets: OrderedDict[str, TokenBucket], key: str, *, rate: float, burst: float) -> TokenBucket:
    """Return the bucket of a key, a full one where there is none."""
    bucket = buckets.get(key)
    if bucket is None:
        bucket = buckets[key] = TokenBucket(rate=rate, burst=burst)
        if len(buckets) > MOST_ADDRESSES:
            buckets.popitem(last=False)
    buckets.move_to_end(key)
    return bucket


_PART_S = 1800.0
_PARTS_A_DAY = 48


class _Day:
    """What was taken in the last 24 hours, in parts of half an hour: a part counts until its last moment is a day old.

    So the limit holds in any 24 hours, and what was taken is given back 24 to 24.5 hours later.
    """

    __slots__ = ("_most", "_parts", "_taken")

    def __init__(self, most: float) -> None:
        self._most = most
        self._parts: deque[list[int]] = deque()  # [number of the part, taken in it]
        self._taken = 0

    def wait_s(self, now: float) -> float:
        """Return the seconds until one may be taken, 0.0 for now."""
        part = int(now // _PART_S)
        while self._parts and self._parts[0][0] < part - _PARTS_A_DAY:
            self._taken -= self._parts.popleft()[1]
        if self._taken + 1 <= self._most:
            return 0.0
        first = self._parts[0][0] if self._parts else part  # none: the limit is below one
        return (first + _PARTS_A_DAY + 1) * _PART_S - now

    def note(self, now: float) -> None:
        """Count one."""
        part = int(now // _PART_S)
        if not self._parts or self._parts[-1][0] != part:
            self._parts.append([part, 0])
        self._parts[-1][1] += 1
        self._taken += 1


@lru_cache(maxsize=4096)  # asked for twice with each session and each connection
def address_key(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 one, which is one household."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, _IPV6_PREFIX), strict=False))
