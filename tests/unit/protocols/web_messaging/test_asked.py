"""Requests on their way."""

from __future__ import annotations

from guestwire.protocols.web_messaging.asked import MOST_ASKED, Asked, Kind, Questions


def test_an_answer_is_about_what_was_asked_and_comes_once() -> None:
    """By the tracing id; without one, or with another's, it is about nothing."""
    asked = Questions()
    one = Asked(Kind.MESSAGE, "c1")
    asked.ask("t1", one)
    assert (asked.get("t1"), asked.get("t2"), asked.get(None)) == (one, None, None)
    assert (asked.answered(None), asked.answered("t1"), asked.answered("t1")) == (None, one, None)


def test_what_is_overdue_is_told_once() -> None:
    """Requests without a limit may stay unanswered."""
    asked = Questions()
    assert asked.next_deadline() is None
    asked.ask("t1", Asked(Kind.TYPING))
    asked.ask("t2", Asked(Kind.JWT, limit_at=10.0))
    asked.ask("t3", Asked(Kind.HEALTH, limit_at=12.0))
    assert asked.next_deadline() == 10.0
    assert asked.overdue(9.9) == set()
    assert asked.overdue(10.0) == {Kind.JWT}
    assert asked.next_deadline() == 12.0
    assert len(asked) == 2
    asked.clear()
    assert (len(asked), asked.next_deadline()) == (0, None)


def test_memory_is_bounded() -> None:
    """The oldest go first."""
    asked = Questions()
    for number in range(MOST_ASKED + 1):
        asked.ask(str(number), Asked(Kind.TYPING))
    assert len(asked) == MOST_ASKED
    assert asked.get("0") is None
