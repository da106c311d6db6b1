"""Regions by name or domain, and their socket hosts."""

from __future__ import annotations

import pytest

from guestwire.errors import ConfigError
from guestwire.model.regions import REGIONS, region_domain, socket_host


@pytest.mark.parametrize("name, domain", REGIONS.items())
def test_a_region_is_known_by_name_and_by_domain(name: str, domain: str) -> None:
    """Both give the domain, in any case and with space around."""
    assert region_domain(name) == region_domain(domain) == region_domain(f" {name.upper()} ") == domain


def test_an_unknown_region_is_refused_with_the_names() -> None:
    """The message says what was given and what there is."""
    with pytest.raises(ConfigError) as caught:
        region_domain("mars-1")
    assert "'mars-1'" in caught.value.message
    assert all(name in caught.value.message for name in REGIONS)


@pytest.mark.parametrize(
    "domain, host",
    [
        ("mypurecloud.com", "chat.mypurecloud.com"),
        ("mypurecloud.ie", "chat.mypurecloud.com"),
        ("mypurecloud.de", "chat.mypurecloud.com"),
        ("mypurecloud.jp", "chat.ap.mypurecloud.com"),
        ("mypurecloud.com.au", "chat.ap.mypurecloud.com"),
        ("cac1.pure.cloud", "chat.cac1.pure.cloud"),
        ("aps1.pure.cloud", "chat.aps1.pure.cloud"),
    ],
)
def test_socket_host(domain: str, host: str) -> None:
    """US and EU share one host, Asia Pacific has its own [T]; the rest follows from the domain [D]."""
    assert socket_host(domain) == host
