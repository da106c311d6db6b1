"""Repeats, and what comes late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from guestwire.protocols.web_messaging import seen as module
from guestwire.protocols.web_messaging.seen import Seen

AT = datetime(2026, 5, 4, tzinfo=UTC)


def test_a_message_is_known_by_any_of_its_ids() -> None:
    """One without ids is always new (§8 row 23)."""
    seen = Seen()
    assert not seen
    seen.note({"a", "b"}, AT)
    seen.note(frozenset(), AT)
    assert seen
    assert seen.has({"b", "c"})
    assert not seen.has({"c"})
    assert not seen.has(frozenset())
    seen.forget()
    assert not seen.has({"a"})


def test_what_is_older_than_the_newest_is_late() -> None:
    """Without a time nobody can say."""
    seen = Seen()
    assert not seen.note({"a"}, AT)
    assert not seen.note({"b"}, None)
    assert seen.note({"c"}, AT - timedelta(milliseconds=1))
    assert not seen.note({"d"}, AT)
    seen.forget()
    assert not seen.note({"e"}, AT - timedelta(days=1))


def test_memory_is_bounded() -> None:
    """The oldest ids go first."""
    seen = Seen()
    for number in range(module.MOST_KEYS + 1):
        seen.note({str(number)}, None)
    assert not seen.has({"0"})
    assert seen.has({"1"})
