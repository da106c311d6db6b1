"""For unit tests: properties are about results, not about how busy the machine is."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("guestwire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("guestwire")
