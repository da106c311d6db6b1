"""HTTP requests and answers as values, so that protocol cores can build and read them without a network."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field

__all__ = ["HttpAnswer", "HttpRequest", "Stream", "retry_after_s"]


LONGEST_RETRY_S = 86_400.0
"""A day: nobody is served by a longer wait."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is too large to be held, or not there yet; it can be sent once.

    Attributes:
        chunks: The bytes, in order; what it raises ends the request and reaches the caller as it is.
        size: How many bytes there are in all.
    """

    chunks: AsyncIterable[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; `headers` and `body` may hold secrets and are left out of the repr.

    Attributes:
        method: In upper case.
        url: Absolute.
        headers: Any case.
        body: All of it; empty when there is a `stream`.
        stream: The body, piece by piece.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    stream: Stream | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def retry_after_s(answer: HttpAnswer) -> float | None:
    """Return the seconds of the Retry-After header; None without one or when it is a date, which we don't use."""
    value = answer.headers.get("retry-after", "").strip()
    is_seconds = value.isascii() and value.isdigit() and len(value) <= 9
    return min(float(value), LONGEST_RETRY_S) if is_seconds else None
