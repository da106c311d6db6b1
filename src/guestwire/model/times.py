"""Times as the wire writes them: ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

__all__ = ["format_time", "parse_time"]

# The browser core uses the same pattern: both must call the same texts a time.
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)


def parse_time(text: str | None) -> datetime | None:
    """Return the aware UTC time that `text` writes; None when it writes none.

    A time without a zone is UTC (guest-session §4.1: "ISO 8601, UTC"). A message is worth more than its time, so a
    bad one is no error.
    """
    if text is None or not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day; or a day that UTC puts before year 1 or after year 9999
        return None


def format_time(moment: datetime) -> str:
    """Write a time with milliseconds and `Z`, as the provider does."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"
