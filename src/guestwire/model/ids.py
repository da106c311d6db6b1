"""Ids, each its own type, so that one kind can't be passed for another."""

from __future__ import annotations

from typing import NewType

__all__ = ["ClientId", "ConversationId", "SessionId"]

SessionId = NewType("SessionId", str)
"""A guest session, as its provider names it."""

ConversationId = NewType("ConversationId", str)
"""A conversation between a guest and agents."""

ClientId = NewType("ClientId", str)
"""The guest's own id of a message: the idempotency key that every automatic resend keeps."""
