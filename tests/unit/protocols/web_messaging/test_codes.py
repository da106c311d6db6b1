"""The provider's error numbers."""

from __future__ import annotations

import pytest

from guestwire.errors import ERRORS
from guestwire.protocols.web_messaging.codes import (
    CODES,
    AuthTrouble,
    Concern,
    auth_trouble,
    code_rule,
)

# web-messaging §4.7, copied by hand: every number with a meaning.
NUMBERS = {
    400, 401, 403, 404, 408, 409, 429, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 4011, 4013,
    4017, 4020, 4029, 4102, 5000,
}  # fmt: skip


def test_every_number_with_a_meaning_has_a_row() -> None:
    """And each row a code of ours; those about files are about files."""
    assert set(CODES) == NUMBERS
    assert {rule.code for rule in CODES.values()} <= set(ERRORS)
    for number, rule in CODES.items():
        assert (rule.concern is Concern.ATTACHMENT) == rule.code.startswith("attachment"), number


@pytest.mark.parametrize("number", [0, 302, 4012, 4016, 5001, -9])
def test_a_number_without_a_meaning_is_a_providers_error(number: int) -> None:
    """It is never silently dropped."""
    assert code_rule(number).code == "provider-error"
    assert code_rule(number).concern is Concern.REQUEST


@pytest.mark.parametrize(
    "number, text, trouble",
    [
        (401, "", AuthTrouble.STALE),
        (403, "Session authentication failed: x", AuthTrouble.REFUSED),
        (403, "  try to authenticate again", AuthTrouble.REFUSED),
        (403, "Typing: session authentication failed", None),
        (400, "Session authentication failed", None),
    ],
)
def test_what_a_refused_jwt_looks_like(number: int, text: str, trouble: AuthTrouble | None) -> None:
    """By the beginning of the text, in any case (§2.10)."""
    assert auth_trouble(number, text) is trouble
