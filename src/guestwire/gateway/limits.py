"""How often one address, and all together, may ask for what costs money upstream."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network

from guestwire.model.token_bucket import TokenBucket

__all__ = ["AddressLimits", "address_key"]

MOST_ADDRESSES = 50_000
"""Buckets kept at once, some 10 MB; the one used longest ago goes first."""

_IPV6_PREFIX = 64


class AddressLimits:
    """A token bucket for each address and one for all; time is passed in."""

    def __init__(
        self, *, per_minute: float, burst: float, per_minute_total: float, burst_total: float | None = None
    ) -> None:
        """Start with nothing used; the bucket for all lets ten seconds' worth through at once, unless told."""
        self._rate = per_minute / 60
        self._burst = burst
        self._total = TokenBucket(rate=per_minute_total / 60, burst=burst_total or max(burst, per_minute_total / 6))
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """Take one.

        Args:
            address: The peer's IP address; anything else is a key of its own.
            now: Monotonic seconds.

        Returns:
            0.0 when allowed, else the seconds until it may be.
        """
        key = address_key(address)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(rate=self._rate, burst=self._burst)
            if len(self._buckets) > MOST_ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        # The address first: one that asks too often must not use up what all share.
        return bucket.take(now) or self._total.take(now)


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
