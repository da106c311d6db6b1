"""Times as the wire writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.events import epoch_ms
from guestwire.model.times import format_time, parse_time

MOMENTS = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize(
    "text, moment",
    [
        ("2023-10-27T10:00:00Z", datetime(2023, 10, 27, 10, tzinfo=UTC)),
        ("2023-10-27T10:00Z", datetime(2023, 10, 27, 10, tzinfo=UTC)),
        ("2023-10-27T10:00:00.25Z", datetime(2023, 10, 27, 10, microsecond=250_000, tzinfo=UTC)),
        ("2023-10-27T10:00:00.123456789Z", datetime(2023, 10, 27, 10, microsecond=123_456, tzinfo=UTC)),
        ("2023-10-27T10:00:00", datetime(2023, 10, 27, 10, tzinfo=UTC)),
        ("2023-10-27T10:00:00+02:00", datetime(2023, 10, 27, 8, tzinfo=UTC)),
        ("2023-10-27T10:00:00-05:30", datetime(2023, 10, 27, 15, 30, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_aware_utc(text: str, moment: datetime) -> None:
    """With any zone or none the result is the same moment in UTC."""
    parsed = parse_time(text)
    assert parsed == moment
    assert parsed is not None
    assert parsed.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        "2023-10-27",
        "2023-10-27 10:00:00Z",
        "2023-10-27T10:00:00Z ",
        "2023-10-27T10:00:00Z\n",
        "20231027T100000Z",
        "2023-02-29T00:00:00Z",
        "2023-10-27T24:00:00Z",
        "2023-10-27T10:60:00Z",
        "2023-10-27T10:00:00+25:00",
        "2023-10-27T10:00:00,5Z",
        "٢٠٢٣-10-27T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "1698400800",
    ],
)
def test_what_is_no_time_is_none(text: str | None) -> None:
    """A message is worth more than its time, so a bad one is no error."""
    assert parse_time(text) is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_utc_cannot_write_is_none(text: str) -> None:
    """A zone may push a time out of the years 1 to 9999."""
    assert parse_time(text) is None


def test_a_time_is_written_with_milliseconds_and_z() -> None:
    """That is the provider's own form, whatever zone the value has."""
    moment = datetime(2023, 10, 27, 12, 0, 0, 250_999, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == "2023-10-27T10:00:00.250Z"


@given(MOMENTS)
def test_writing_then_reading_keeps_the_milliseconds(moment: datetime) -> None:
    """Only what is below a millisecond is lost."""
    parsed = parse_time(format_time(moment))
    assert parsed == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(st.integers(min_value=-62_135_596_800_000 + 86_400_000, max_value=253_402_300_799_000))
def test_epoch_milliseconds_are_exact(ms: int) -> None:
    """No millisecond is lost to binary fractions."""
    assert epoch_ms(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)) == ms


@given(st.text(max_size=40))
def test_reading_never_raises(text: str) -> None:
    """Any text is a time or none."""
    parse_time(text)
