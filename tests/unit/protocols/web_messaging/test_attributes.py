"""Custom attributes on their way."""

from __future__ import annotations

import pytest

from guestwire.protocols.web_messaging.attributes import (
    Attributes,
    AttributesTooLarge,
    attribute_bytes,
    attributes_of,
)
from guestwire.protocols.web_messaging.wire import Channel, ChannelMetadata


def channel(**attributes: str) -> Channel:
    return Channel(metadata=ChannelMetadata(custom_attributes=attributes))


def test_they_are_counted_as_the_provider_does() -> None:
    """UTF-8 bytes of keys and values (§5)."""
    assert attribute_bytes({"a": "é", "plan": "👩"}) == 1 + 2 + 4 + 4


def test_they_are_read_from_both_places() -> None:
    """The inner one wins (§3.4)."""
    assert attributes_of(channel(a="1", b="1"), None, Channel(), channel(b="2")) == {"a": "1", "b": "2"}
    assert attributes_of(Channel(metadata=ChannelMetadata())) == {}


def test_only_what_is_new_or_changed_is_sent() -> None:
    """Once it was told, it is told again only after a change."""
    attributes = Attributes()
    attributes.put({"a": "1", "b": "1"})
    assert attributes.take("t1") == {"a": "1", "b": "1"}
    attributes.confirm("t1")
    attributes.put({"a": "1", "b": "2"})
    assert attributes.take("t2") == {"b": "2"}
    assert attributes.take("t3") == {}


def test_what_did_not_arrive_is_sent_again() -> None:
    """Below what was changed since."""
    attributes = Attributes()
    attributes.put({"a": "1", "b": "1"})
    attributes.take("t1")
    attributes.put({"a": "2"})
    attributes.give_back("t1")
    assert attributes.take("t2") == {"b": "1", "a": "2"}
    attributes.give_back_all()
    attributes.give_back("unknown")
    assert attributes.take("t3") == {"b": "1", "a": "2"}


def test_what_the_provider_calls_too_large_is_forgotten() -> None:
    """And may be told anew (4013)."""
    attributes = Attributes()
    attributes.put({"a": "1"})
    attributes.take("t1")
    attributes.drop("t1")
    attributes.drop("t1")
    assert attributes.take("t2") == {}
    attributes.put({"a": "1"})
    assert attributes.take("t3") == {"a": "1"}


def test_a_new_session_is_told_everything() -> None:
    """It knows none of it."""
    attributes = Attributes()
    attributes.put({"a": "1"})
    attributes.take("t1")
    attributes.say_all_again()
    assert attributes.take("t2") == {"a": "1"}


def test_too_many_bytes_are_refused_and_change_nothing() -> None:
    """At once; what one message can't carry goes with the next."""
    attributes = Attributes()
    attributes.max_bytes = 10
    with pytest.raises(AttributesTooLarge) as caught:
        attributes.put({"key": "12345678"})
    assert "11 bytes" in caught.value.message
    attributes.put({"a": "12345"})
    attributes.put({"b": "12345"})
    assert attributes.take("t1") == {"a": "12345"}
    assert attributes.take("t2") == {"b": "12345"}
