"""Close codes of the guest WebSocket and what a client does then (guest-session §4.4 [D])."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CLOSE_CODES", "CloseAction", "CloseRule", "close_rule"]


class CloseAction(StrEnum):
    """What a client does after a close."""

    STOP_ENDED = "stop-ended"
    STOP = "stop"
    RECONNECT = "reconnect"
    NEW_SESSION = "new-session"


@dataclass(frozen=True, slots=True)
class CloseRule:
    """One row of the table: what to do, and the error code that explains it to a person."""

    action: CloseAction
    code: str


_LOST = CloseRule(CloseAction.RECONNECT, "connection-lost")

CLOSE_CODES: dict[int, CloseRule] = {
    1000: _LOST,
    1001: _LOST,
    1006: _LOST,
    1007: CloseRule(CloseAction.STOP, "bad-frame"),
    1008: CloseRule(CloseAction.RECONNECT, "rate-limited"),
    1009: CloseRule(CloseAction.RECONNECT, "frame-too-big"),
    1011: _LOST,
    1012: _LOST,
    1013: _LOST,
    4400: CloseRule(CloseAction.STOP, "bad-frame"),
    4401: CloseRule(CloseAction.NEW_SESSION, "session-expired"),
    4403: CloseRule(CloseAction.STOP, "origin-not-allowed"),
    4408: CloseRule(CloseAction.RECONNECT, "hello-timeout"),
    4409: CloseRule(CloseAction.RECONNECT, "moved"),
    4410: CloseRule(CloseAction.RECONNECT, "position-lost"),
    4411: CloseRule(CloseAction.RECONNECT, "too-slow"),
    4412: CloseRule(CloseAction.STOP, "too-many-tabs"),
    4413: CloseRule(CloseAction.RECONNECT, "frame-too-big"),
    4429: CloseRule(CloseAction.RECONNECT, "rate-limited"),
    4499: CloseRule(CloseAction.STOP_ENDED, "conversation-ended"),
}


def close_rule(close_code: int, *, has_ended: bool) -> CloseRule:
    """Return what to do after a close; any code that is not listed is a lost connection.

    Args:
        close_code: The WebSocket close code; 1006 when there was no close frame.
        has_ended: Whether the conversation was said to have ended: a close after that is its natural end.
    """
    if has_ended:
        return CLOSE_CODES[4499]
    return CLOSE_CODES.get(close_code, _LOST)
