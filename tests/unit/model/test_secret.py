"""A secret is seen by nobody who does not ask for it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.secret import Secret

TEXTS = st.text(st.characters(codec="utf-8"))


@pytest.mark.parametrize("show", [repr, str, format, "{}".format, "{!r}".format, lambda secret: f"{[secret]}"])
def test_it_is_masked_wherever_it_is_shown(show: Callable[[Secret], str]) -> None:
    """The mask is the same for every value, so not even the length leaks."""
    assert show(Secret("s3cr3t")) == show(Secret("another, longer one"))
    assert "s3cr3t" not in show(Secret("s3cr3t"))
    assert "***" in show(Secret("s3cr3t"))


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode])
def test_it_is_not_stored_by_accident(store: Callable[[Secret], object]) -> None:
    """Neither pickle nor JSON takes it, and the refusal does not tell it."""
    with pytest.raises(TypeError) as caught:
        store(Secret("s3cr3t"))
    assert "s3cr3t" not in str(caught.value)


def test_it_has_no_dict() -> None:
    """What dumps an object's `__dict__` finds none."""
    assert not hasattr(Secret("s3cr3t"), "__dict__")


@given(TEXTS)
def test_reveal_returns_the_value(value: str) -> None:
    """It is kept as it came."""
    assert Secret(value).reveal() == value
    assert bool(Secret(value)) is bool(value)


@given(TEXTS, TEXTS)
def test_secrets_are_equal_when_their_values_are(one: str, other: str) -> None:
    """Equal ones are one key."""
    assert (Secret(one) == Secret(other)) is (one == other)
    assert hash(Secret(one)) == hash(Secret(one))
    assert len({Secret(one), Secret(one)}) == 1


def test_a_secret_is_not_its_text() -> None:
    """Comparing with a plain text is a mistake, so it is never equal."""
    assert Secret("x") != "x"
