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
