"""Half emoji in JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.wire_text import repaired_json, well_formed


@pytest.mark.parametrize(
    "text, repaired",
    [
        ('{"a":"plain"}', '{"a":"plain"}'),
        (r'{"a":"\ud83d"}', '{"a": "\ufffd"}'),
        (r'{"a":"\uD83D\uDE00"}', '{"a": "\U0001f600"}'),
        (r"\ud83d no JSON", r"\ud83d no JSON"),
        ("[" * 100_000 + r"\ud83d", "[" * 100_000 + r"\ud83d"),
    ],
    ids=["no escape", "half", "whole", "no JSON", "too deep"],
)
def test_half_emoji_are_replaced(text: str, repaired: str) -> None:
    """Whole ones stay, and what is no JSON is returned as it came."""
    assert repaired_json(text) == repaired


@given(st.text(st.characters()))
def test_any_text_becomes_one_that_utf8_can_write(text: str) -> None:
    """And a text that could be written is not changed."""
    assert well_formed(text).encode().decode() == well_formed(text)
    assert well_formed(json.dumps(text)) == json.dumps(text)
