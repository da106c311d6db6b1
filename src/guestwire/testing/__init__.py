"""Tools for tests, ours and yours: a clock that jumps, conditions to wait for, conformance suites."""

from guestwire.testing.check_transport import TRANSPORT_CHECKS, check_transport
from guestwire.testing.eventually import eventually
from guestwire.testing.fake_clock import FakeClock

__all__ = ["TRANSPORT_CHECKS", "FakeClock", "check_transport", "eventually"]
