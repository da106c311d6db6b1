"""What the desk answers to what an agent may not do now."""

from __future__ import annotations

__all__ = ["REFUSALS", "DeskRefused"]

REFUSALS: dict[str, int] = {
    "bad-request": 400,
    "not-found": 404,
    "not-your-conversation": 403,
    "already-taken": 409,
    "ended": 409,
    "off-queue": 409,
    "with-bot": 409,
    "no-agents": 409,
    "not-possible": 409,
}
"""Code of a refusal → status it is answered with."""


class DeskRefused(Exception):
    """An agent may not do that now.

    Attributes:
        code: A key of `REFUSALS`.
    """

    def __init__(self, code: str, message: str) -> None:
        """Say what was refused and why, in a sentence for the agent."""
        super().__init__(message)
        self.code = code
