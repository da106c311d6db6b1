"""Ids are texts on the wire and types of their own for the checker."""

from __future__ import annotations

from guestwire.model import ids


def test_an_id_is_its_text() -> None:
    """A NewType costs nothing at run time."""
    made = [ids.SessionId("s"), ids.ConversationId("c"), ids.ClientId("x")]
    assert [type(value) for value in made] == [str, str, str]
    assert made == ["s", "c", "x"]


def test_every_kind_is_public() -> None:
    """`__all__` lists each."""
    assert ids.__all__ == ["ClientId", "ConversationId", "SessionId"]
