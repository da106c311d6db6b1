"""Which page of the history is read when, and with which key."""

from __future__ import annotations

from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.reading import HISTORY_PAGE_SIZE, Reading
from guestwire.protocols.web_messaging.rest import HistoryQuery


def page(number: int) -> HistoryQuery:
    return HistoryQuery(number, HISTORY_PAGE_SIZE)


def test_pages_are_read_one_at_a_time() -> None:
    """In the order they were wanted, unless one is urgent; none twice."""
    reading = Reading()
    assert reading.wants_now(0.0) is None
    for number in (1, 2, 1):
        reading.want(number)
    reading.want(3, first=True)
    seen = []
    while (query := reading.wants_now(0.0)) is not None:
        reading.begin(0.0)
        assert reading.wants_now(0.0) is None
        assert reading.deadline is None
        seen.append(query)
        reading.done(query.page_number)
    assert seen == [page(3), page(1), page(2)]
    reading.done(7)


def test_a_key_is_used_while_it_is_good() -> None:
    """Not with 5 s or less left (§3.8)."""
    reading = Reading()
    assert reading.key(0.0) is None
    reading.is_busy = True
    reading.took_key(Secret("k"), 60.0)
    assert not reading.is_busy
    assert reading.key(54.9) == Secret("k")
    assert reading.key(55.0) is None


def test_ten_pages_a_minute() -> None:
    """The eleventh waits, and the deadline says until when (§5)."""
    reading = Reading()
    for number in range(11):
        reading.want(number)
        if reading.wants_now(float(number)) is not None:
            reading.begin(float(number))
            reading.done(number)
    assert reading.deadline == 60.0
    assert reading.wants_now(59.0) is None
    assert reading.wants_now(60.0) == page(10)


def test_a_page_that_fails_is_given_up_after_three_tries() -> None:
    """Each with another key."""
    reading = Reading()
    reading.want(1)
    reading.want(2)
    for now in (0.0, 2.0):
        reading.took_key(Secret("k"), 1e9)
        reading.begin(now)
        assert reading.failed(now, 2.0) is None
        assert reading.deadline == now + 2.0
        assert reading.key(now) is None
        assert reading.wants_now(now + 1.0) is None
    reading.begin(4.0)
    assert reading.failed(4.0, 2.0) == 1
    assert reading.wants_now(4.0) == page(2)


def test_a_drop_forgets_the_key_and_a_new_session_everything() -> None:
    """What is wanted stays wanted within a session."""
    reading = Reading()
    reading.want(1)
    reading.took_key(Secret("k"), 1e9)
    reading.begin(0.0)
    reading.disconnected()
    assert (reading.is_busy, reading.key(0.0), reading.wants_now(0.0)) == (False, None, page(1))
    reading.forget()
    assert reading.wants_now(0.0) is None
