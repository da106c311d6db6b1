"""The tree of exceptions and the one table of error codes."""

from __future__ import annotations

import re

import pytest

from guestwire import errors
from guestwire.errors import ERRORS, ChatError, Retry
from guestwire.protocols.guest_session.closes import CLOSE_CODES, CloseAction
from guestwire.protocols.guest_session.rest import BadSessionRequest

# style.md §4, copied by hand: class → its base.
TREE = {
    "ConfigError": "ChatError",
    "AuthError": "ChatError",
    "OAuthRefused": "AuthError",
    "SessionRefused": "AuthError",
    "TransportError": "ChatError",
    "ConnectFailed": "TransportError",
    "TimedOut": "TransportError",
    "ConnectionLost": "TransportError",
    "NotWritten": "ConnectionLost",
    "ProtocolError": "ChatError",
    "LocalProtocolError": "ProtocolError",
    "RemoteProtocolError": "ProtocolError",
    "ConnectionClosed": "ChatError",
    "SessionExpired": "ChatError",
    "ConversationEnded": "ChatError",
    "ResumeGap": "ChatError",
    "RateLimited": "ChatError",
    "MessageRejected": "ChatError",
    # Of the gateway's log, which the style guide does not draw.
    "LogUnavailable": "ChatError",
    "LogConflict": "ChatError",
    "OutboxFull": "ChatError",
    "SessionExists": "ChatError",
    "SessionGone": "SessionExpired",
}

# Internal error, try again later (RFC 6455 and its registry).
STANDARD_CLOSES = {1011, 1013}

MADE: list[ChatError] = [
    ChatError(),
    errors.ConfigError(),
    errors.AuthError(),
    errors.OAuthRefused(),
    errors.SessionRefused(),
    errors.TransportError(),
    errors.ConnectFailed(),
    errors.TimedOut("connect", 10.0),
    errors.ConnectionLost(),
    errors.NotWritten(),
    errors.ProtocolError(),
    errors.LocalProtocolError(),
    errors.RemoteProtocolError(),
    errors.ConnectionClosed(1006),
    errors.SessionExpired(),
    errors.ConversationEnded(),
    errors.ResumeGap(1, 5, 9),
    errors.RateLimited(),
    errors.MessageRejected("c1"),
    errors.LogUnavailable(),
    errors.LogConflict(),
    errors.OutboxFull(),
    errors.SessionExists(),
    errors.SessionGone(),
    BadSessionRequest(),
]


def classes() -> dict[str, type[ChatError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ChatError) and value is not ChatError
    }


def test_the_tree() -> None:
    """As drawn in the style guide, each directly below its base."""
    assert {name: kind.__base__.__name__ for name, kind in classes().items() if kind.__base__} == TREE
    assert ChatError.__base__ is Exception


def test_every_class_is_public() -> None:
    """And each of them is made below."""
    assert {*classes(), "ChatError", "ERRORS", "ErrorInfo", "Retry"} == set(errors.__all__)
    assert {type(error).__name__ for error in MADE} == {*classes(), "ChatError", "BadSessionRequest"}


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_every_error_stands_in_the_table(error: ChatError) -> None:
    """Its code, retry and hint are the table's, its text is its message."""
    info = ERRORS[error.code]
    assert error.code == type(error).default_code
    assert (error.retry, error.hint) == (info.retry, info.hint)
    assert str(error) == error.message
    assert error.message.endswith(".")
    assert error.retry_after_s is None


def test_message_code_and_wait_may_be_given() -> None:
    """Without a message it is the summary of the code."""
    error = errors.RateLimited(retry_after_s=3.0)
    assert (error.message, error.retry_after_s) == (ERRORS["rate-limited"].summary, 3.0)
    other = errors.SessionRefused("No.", code="socket-refused")
    assert (other.message, other.code, other.retry) == ("No.", "socket-refused", Retry.NEW_SESSION)


def test_what_errors_carry() -> None:
    """Values that help, and words with them."""
    timed_out = errors.TimedOut("connect", 2.5)
    assert (timed_out.phase, timed_out.limit_s, timed_out.message) == (
        "connect",
        2.5,
        "connect took longer than 2.5 s.",
    )
    closed = errors.ConnectionClosed(4401, "bye", by_us=True, code="session-expired")
    assert (closed.close_code, closed.reason, closed.by_us, closed.code) == (4401, "bye", True, "session-expired")
    assert "bye" not in closed.message
    gap = errors.ResumeGap(1, 5, 9)
    assert (gap.after, gap.oldest, gap.newest) == (1, 5, 9)
    assert all(number in gap.message for number in ("1", "5", "9"))
    rejected = errors.MessageRejected("c1", "Too long.", code="message-too-long")
    assert (rejected.client_id, rejected.message) == ("c1", "Too long.")


@pytest.mark.parametrize("code", ERRORS)
def test_every_row_of_the_table(code: str) -> None:
    """Kebab-case, whole sentences, statuses and close codes that exist."""
    info = ERRORS[code]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    for words in (info.summary, info.hint):
        assert words[0].isupper()
        assert words.endswith(".")
    assert info.http_status is None or 400 <= info.http_status < 600
    close = info.close_code
    assert close is None or close in STANDARD_CLOSES or 4400 <= close < 4500


def test_no_two_codes_share_a_close_code() -> None:
    """One of them would never be told."""
    closes = [info.close_code for info in ERRORS.values() if info.close_code is not None]
    assert len(set(closes)) == len(closes)


def test_our_close_codes_are_the_same_in_both_tables() -> None:
    """What the gateway closes with is what the client reads; a standard code is only "lost" to it, and tried again."""
    ours = {code: rule.code for code, rule in CLOSE_CODES.items() if code >= 4400}
    assert {
        info.close_code: code for code, info in ERRORS.items() if info.close_code not in {None, *STANDARD_CLOSES}
    } == ours


@pytest.mark.parametrize("close_code", CLOSE_CODES)
def test_a_close_is_tried_again_when_its_error_may_be(close_code: int) -> None:
    """Except that after a frame too big the message is final and the connection goes on."""
    rule = CLOSE_CODES[close_code]
    expected = {
        CloseAction.RECONNECT: Retry.NEVER if rule.code == "frame-too-big" else Retry.LATER,
        CloseAction.NEW_SESSION: Retry.NEW_SESSION,
        CloseAction.STOP: Retry.NEVER,
        CloseAction.STOP_ENDED: Retry.NEVER,
    }
    assert ERRORS[rule.code].retry is expected[rule.action]


@pytest.mark.parametrize(
    "code, status",
    [
        ("upstream-auth-failed", 502),
        ("upstream-scope-missing", 502),
        ("upstream-invalid", 502),
        ("upstream-busy", 503),
        ("upstream-unreachable", 503),
        ("origin-not-allowed", 403),
        ("rate-limited", 429),
        ("conflict", 409),
        ("socket-refused", 403),
    ],
)
def test_statuses_of_the_protocol(code: str, status: int) -> None:
    """Guest-session §3, §4 and §6."""
    assert ERRORS[code].http_status == status
