"""HTTP as values."""

from __future__ import annotations

import pytest

from guestwire.model.http import HttpAnswer, HttpRequest, retry_after_s


@pytest.mark.parametrize("status, is_success", [(199, False), (200, True), (201, True), (299, True), (300, False)])
def test_success_is_2xx(status: int, is_success: bool) -> None:
    """Any 2xx is, nothing else."""
    assert HttpAnswer(status).is_success is is_success


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_retry_after_in_seconds_only(value: str, seconds: float | None) -> None:
    """A date or nonsense is as good as no header."""
    assert retry_after_s(HttpAnswer(429, {"retry-after": value})) == seconds


def test_without_the_header_there_is_no_wait() -> None:
    """None, not zero."""
    assert retry_after_s(HttpAnswer(429)) is None


def test_no_secret_in_a_repr() -> None:
    """Headers and body of a request and the body of an answer stay out."""
    request = HttpRequest("POST", "https://example.com", {"authorization": "Bearer s3cr3t"}, b"s3cr3t")
    assert "s3cr3t" not in repr(request)
    assert "s3cr3t" not in repr(HttpAnswer(200, {}, b"s3cr3t"))
