"""Why a connection is over."""

from __future__ import annotations

import pytest

from guestwire.errors import ERRORS
from guestwire.protocols.web_messaging.closes import CLOSE_CODES, close_code_error, closed_event_error
from guestwire.protocols.web_messaging.wire import ConnectionClosedEvent


def test_every_close_code_has_an_error() -> None:
    """Also one that is not listed (§2.11)."""
    assert set(CLOSE_CODES.values()) <= set(ERRORS)
    assert {code: close_code_error(code) for code in CLOSE_CODES} == CLOSE_CODES
    assert close_code_error(4999) == "connection-lost"


@pytest.mark.parametrize(
    "body, was_cleared, code",
    [
        (ConnectionClosedEvent(), False, "connection-replaced"),
        (ConnectionClosedEvent(), True, "session-cleared"),
        (ConnectionClosedEvent(reason="signedIn"), False, "signed-in-elsewhere"),
        (ConnectionClosedEvent(reason_code="signedIn"), True, "signed-in-elsewhere"),
        (ConnectionClosedEvent(reason="weather"), False, "connection-replaced"),
    ],
)
def test_the_reason_of_a_closed_event(body: ConnectionClosedEvent, was_cleared: bool, code: str) -> None:
    """Under either name; without one, what was said before decides (§4.3)."""
    assert closed_event_error(body, was_cleared=was_cleared) == code
    assert code in ERRORS
