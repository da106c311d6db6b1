"""Exact matches only: the forms that a hostile origin takes."""

from __future__ import annotations

import pytest

from guestwire.gateway.origins import may_use

ALLOWED = ("https://shop.example.com", "http://localhost:3000")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "https://shop.example.com",
        "http://localhost:3000",
        "http://chat.example.com:8000",
        "https://chat.example.com:8000",
    ],
)
def test_allowed(origin: str | None) -> None:
    assert may_use(origin, host="chat.example.com:8000", scheme="http", allowed=ALLOWED)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "https://evil.example",
        "http://shop.example.com",
        "https://shop.example.com:443",
        "https://shop.example.com/",
        "https://shop.example.com.",
        "https://SHOP.example.com",
        "https://shop.example.com.evil.example",
        "https://evilshop.example.com",
        "https://a.shop.example.com",
        "https://shop.example.com@evil.example",
        "https://shop.example.com, https://evil.example",
        "https://shop.example.com https://evil.example",
        "http://localhost",
        "http://localhost:30000",
        "http://127.0.0.1:3000",
        "http://chat.example.com",
        "http://chat.example.com:80",
        "http://[::1]:8000",
        "file://",
        "https://xn--shp-sna.example.com",
    ],
)
def test_refused(origin: str) -> None:
    assert not may_use(origin, host="chat.example.com:8000", scheme="http", allowed=ALLOWED)


def test_a_star_allows_every_site_and_pages_from_disk() -> None:
    assert may_use("https://anything.example", host="h", scheme="http", allowed=("*",))
    assert may_use("null", host="h", scheme="http", allowed=("*",))


def test_without_a_host_nothing_is_our_own() -> None:
    assert not may_use("http://", host="", scheme="http", allowed=())


@pytest.mark.parametrize(
    "host, is_allowed",
    [
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("[::1]:8000", True),
        ("evil.example:8000", False),
        ("[", False),
    ],
)
def test_on_loopback_a_name_that_points_here_is_not_our_own(host: str, is_allowed: bool) -> None:
    """DNS rebinding: a foreign page has its own name resolve to this machine, and sends it as Host and Origin."""
    assert may_use(f"http://{host}", host=host, scheme="http", allowed=(), is_loopback=True) is is_allowed
    assert may_use(f"https://{host}", host=host, scheme="http", allowed=(), is_loopback=True), "it has a certificate"
