"""Close codes against guest-session §4.4, copied here by hand from that page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.errors import ERRORS
from guestwire.protocols.guest_session.closes import CLOSE_CODES, CloseAction, CloseRule, close_rule

EXPECTED = {
    4499: CloseAction.STOP_ENDED,
    1000: CloseAction.RECONNECT,
    1001: CloseAction.RECONNECT,
    1006: CloseAction.RECONNECT,
    1011: CloseAction.RECONNECT,
    1012: CloseAction.RECONNECT,
    1013: CloseAction.RECONNECT,
    4400: CloseAction.STOP,
    1007: CloseAction.STOP,
    1009: CloseAction.RECONNECT,
    4413: CloseAction.RECONNECT,
    4401: CloseAction.NEW_SESSION,
    4403: CloseAction.STOP,
    4408: CloseAction.RECONNECT,
    4409: CloseAction.RECONNECT,
    4410: CloseAction.RECONNECT,
    4411: CloseAction.RECONNECT,
    4412: CloseAction.STOP,
    4429: CloseAction.RECONNECT,
    1008: CloseAction.RECONNECT,
}


@pytest.mark.parametrize("code, action", EXPECTED.items())
def test_what_a_client_does(code: int, action: CloseAction) -> None:
    """As the page says."""
    assert close_rule(code, has_ended=False).action is action


def test_no_code_is_listed_that_the_page_does_not_have() -> None:
    """And none is missing."""
    assert set(CLOSE_CODES) == set(EXPECTED)


@pytest.mark.parametrize("code", [1000, 1006, 4401, 4499, 3999])
def test_any_close_after_ended_is_the_natural_end(code: int) -> None:
    """1000 after `ended` says so, and a provider that uses another code changes nothing about it."""
    assert close_rule(code, has_ended=True).action is CloseAction.STOP_ENDED


@given(st.integers().filter(lambda code: code not in EXPECTED))
def test_a_code_that_is_not_listed_reconnects(code: int) -> None:
    """Whatever number comes."""
    assert close_rule(code, has_ended=False) == CloseRule(CloseAction.RECONNECT, "connection-lost")


def test_every_rule_has_an_error_code() -> None:
    """A key of the one table."""
    assert {rule.code for rule in CLOSE_CODES.values()} <= set(ERRORS)
