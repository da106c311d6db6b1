"""The policy of our pages."""

from __future__ import annotations

from guestwire.gateway.security_headers import page_policy


def test_a_page_that_talks_to_us_only() -> None:
    assert "connect-src 'self'" in page_policy(None).split("; ")


def test_page_policy_allows_ourselves_and_the_providers_socket() -> None:
    directives = page_policy("wss://chat.example.com:8443/ws").split("; ")
    assert "connect-src 'self' wss://chat.example.com:8443" in directives
    assert "script-src 'self'" in directives
    assert "require-trusted-types-for 'script'" in directives
    assert not any("unsafe" in directive or "*" in directive for directive in directives)


def test_page_policy_takes_an_emulators_pictures_and_nobody_elses_without_tls() -> None:
    assert "img-src 'self' https: data: http://127.0.0.1:*" in page_policy(None, "http://127.0.0.1:8090").split("; ")
    assert "img-src 'self' https: data:" in page_policy(None, "https://api.example.com").split("; ")
