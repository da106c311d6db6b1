"""How long to wait before the next attempt (guest-session §4.3 rule 5 [D])."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

__all__ = ["FIRST_S", "LONGEST_S", "full_jitter"]

FIRST_S = 0.5
"""Upper limit of the first wait; it doubles with every attempt …"""

LONGEST_S = 30.0
"""… up to this."""

_MOST_DOUBLINGS = 6  # 0.5 s × 2⁶ = 32 s is past the longest wait; more would overflow a float in the end


def full_jitter(rng: Random) -> Callable[[int], float]:
    """Return the seconds to wait before attempt n of a series: anything from 0 to 0.5 s × 2ⁿ, at most 30 s.

    The whole range is random, not a part of it, so that guests who lost their socket in the same moment don't come back
    in the same moment.
    """

    def delay_s(attempt: int) -> float:
        return rng.uniform(0.0, min(LONGEST_S, FIRST_S * 2 ** min(attempt, _MOST_DOUBLINGS)))

    return delay_s
