"""Ids and tokens from one seeded source."""

from __future__ import annotations

import re
import uuid

from guestwire.emulator.ids import Ids


def test_same_seed_same_values() -> None:
    """Two sources with one seed give the same values; another seed, or none, gives others."""
    one, same, other = Ids(7), Ids(7), Ids(8)
    values = [(one.new_id("session"), one.new_token("access-token"), one.signing_key()) for _ in range(3)]
    assert values == [(same.new_id("session"), same.new_token("access-token"), same.signing_key()) for _ in range(3)]
    assert values[0] != (other.new_id("session"), other.new_token("access-token"), other.signing_key())
    assert Ids().new_id("session") != Ids().new_id("session")
    assert Ids().signing_key() != Ids().signing_key()


def test_streams_do_not_shift_each_other() -> None:
    """What is drawn of one kind does not change what comes of another."""
    busy, quiet = Ids(1), Ids(1)
    for _ in range(5):
        busy.new_id("context")
    assert busy.new_id("session") == quiet.new_id("session")


def test_values_are_unique_and_well_formed() -> None:
    """Ids are UUIDs, tokens are URL-safe, and none comes twice."""
    ids = Ids(1)
    drawn = [ids.new_id("a") for _ in range(100)] + [ids.new_id("b") for _ in range(100)]
    assert len(set(drawn)) == 200
    assert all(uuid.UUID(one).version == 4 for one in drawn)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", ids.new_token("access-token"))


def test_named_ids() -> None:
    """A name has one id for ever, whatever else is drawn."""
    ids = Ids(1)
    first = ids.named_id("agent", "Ada")
    ids.new_id("agent")
    assert ids.named_id("agent", "Ada") == first
    assert ids.named_id("agent", "Bob") != first


def test_ordered_ids() -> None:
    """As texts they are in the order in which they were drawn, and no kind has another's."""
    ids, again = Ids(1), Ids(1)
    drawn = [ids.ordered_id("a") for _ in range(300)]
    assert drawn == sorted(drawn)
    assert drawn == [again.ordered_id("a") for _ in range(300)]
    assert not set(drawn) & {ids.ordered_id("b") for _ in range(300)}
    assert all(uuid.UUID(one).version == 4 for one in drawn)


def test_random_numbers() -> None:
    """From 0 up to 1, spread out, the same for a seed, and always the same for a name."""
    ids, again = Ids(1), Ids(1)
    drawn = [ids.draw("loss") for _ in range(1000)]
    assert drawn == [again.draw("loss") for _ in range(1000)]
    assert all(0 <= one < 1 for one in drawn)
    assert 400 < sum(one < 0.5 for one in drawn) < 600
    assert ids.named_draw("lag", "x") == again.named_draw("lag", "x") != ids.named_draw("lag", "y")
