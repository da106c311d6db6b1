"""The end of a session, and the moments around it."""

from __future__ import annotations

from datetime import UTC, datetime

from guestwire.protocols.web_messaging.expiry import Due, Expiry

EPOCH = 1_777_600_000.0


def expiry(*, duration_s: int | None = 1000, expires: float | None = None, now: float = 0.0) -> Expiry:
    made = Expiry(epoch_s=EPOCH)
    made.told(now, duration_s=duration_s, expires=expires)
    return made


def test_without_a_word_nothing_ends() -> None:
    """An older provider tells nothing."""
    nothing = expiry(duration_s=None)
    assert (nothing.moment, nothing.next_deadline(), nothing.due(1e9)) == (None, None, [])
    assert not nothing.active(5.0)


def test_the_three_moments() -> None:
    """A check 310 s before the end, the notice 300 s before it, a check 2 s after it (§2.7)."""
    one = expiry(expires=EPOCH + 1000)
    assert one.moment == datetime.fromtimestamp(EPOCH + 1000, UTC)
    seen = []
    while (deadline := one.next_deadline()) is not None:
        assert one.due(deadline - 0.001) == []
        seen.append((deadline, one.due(deadline)))
    assert seen == [(690.0, [Due.CHECK]), (700.0, [Due.NOTICE]), (1002.0, [Due.CHECK])]
    assert one.is_noticed


def test_the_duration_alone_counts_from_now() -> None:
    """And what was told stays, when nothing is told again."""
    one = expiry(now=50.0)
    assert one.next_deadline() == 50.0 + 690.0
    one.told(500.0, duration_s=None, expires=None)
    assert one.next_deadline() == 50.0 + 690.0


def test_a_message_moves_the_end_and_takes_back_the_notice() -> None:
    """By the duration, from now (§2.7)."""
    one = expiry(expires=EPOCH + 1000)
    assert not one.active(100.0)
    assert one.next_deadline() == 790.0
    assert one.due(800.0) == [Due.CHECK, Due.NOTICE]
    assert one.active(900.0)
    assert not one.is_noticed
    assert one.next_deadline() == 900.0 + 690.0


def test_the_same_word_again_changes_nothing() -> None:
    """A check that confirms the end is no reason for another notice; a second's rounding is none either."""
    one = expiry(expires=EPOCH + 1000)
    one.due(750.0)
    one.told(760.0, duration_s=1000, expires=EPOCH + 1000.7)
    assert one.is_noticed
    assert one.next_deadline() == 1002.0
    one.told(770.0, duration_s=1000, expires=EPOCH + 2000)
    assert not one.is_noticed


def test_another_session_has_another_end() -> None:
    """Everything is forgotten."""
    one = expiry(expires=EPOCH + 1000)
    one.due(750.0)
    one.forget()
    assert (one.moment, one.next_deadline(), one.is_noticed) == (None, None, False)
    assert not one.active(760.0)
