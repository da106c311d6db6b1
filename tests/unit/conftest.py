"""For unit tests: properties are about results, not about how busy the machine is.

CI tries the same examples every time; elsewhere each run looks for new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "guestwire",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("guestwire")
