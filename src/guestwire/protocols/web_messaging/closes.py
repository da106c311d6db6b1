"""Why a connection is over: close codes, and the provider's `ConnectionClosedEvent`.

The provider gives its close codes no meaning of their own (§2.11), and a clean close that nothing announced stops the
vendor's mobile client for good; ours tries again, because the session lives on [D].

Source: web-messaging §2.6, §2.9, §2.10, §2.11, §4.3.
"""

from __future__ import annotations

from guestwire.protocols.web_messaging.wire import ConnectionClosedEvent

__all__ = ["CLOSE_CODES", "close_code_error", "closed_event_error"]

CLOSE_CODES: dict[int, str] = {
    1000: "connection-lost",
    1001: "connection-lost",
    1006: "connection-lost",
    1008: "rate-limited",
    1009: "frame-too-big",
    1011: "connection-lost",
    1012: "connection-lost",
    1013: "connection-lost",
}
"""Close code → error code; after each the client opens a new connection."""


def close_code_error(close_code: int) -> str:
    """Return the error code that explains a close; any that is not listed is a lost connection."""
    return CLOSE_CODES.get(close_code, "connection-lost")


def closed_event_error(body: ConnectionClosedEvent, *, was_cleared: bool) -> str:
    """Return the error code of a `ConnectionClosedEvent`.

    The only reason ever seen is `signedIn`. Without one the conversation was cleared, if the provider has just said
    so, or there are too many connections and this was the oldest.
    """
    if "signedIn" in {body.reason, body.reason_code}:
        return "signed-in-elsewhere"
    return "session-cleared" if was_cleared else "connection-replaced"
