"""What a browser is told of trouble between us and the provider."""

from __future__ import annotations

import pytest

from guestwire.errors import (
    ERRORS,
    ChatError,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    OAuthRefused,
    RateLimited,
    RemoteProtocolError,
    SessionExpired,
    SessionRefused,
    TimedOut,
)
from guestwire.gateway.errors import BUSY_RETRY_S, Problem, guests_problem, upstream_problem


@pytest.mark.parametrize(
    "error, code, retry_after_s",
    [
        (OAuthRefused(), "upstream-auth-failed", None),
        (OAuthRefused(code="scope-missing"), "upstream-scope-missing", None),
        (SessionRefused(), "upstream-auth-failed", None),
        (SessionRefused(code="scope-missing"), "upstream-scope-missing", None),
        (ConfigError("client_secret is not set"), "upstream-auth-failed", None),
        (RateLimited(retry_after_s=9), "upstream-busy", 9),
        (RateLimited(), "upstream-busy", BUSY_RETRY_S),
        (ConnectFailed(retry_after_s=3), "upstream-busy", 3),
        (ConnectFailed(), "upstream-unreachable", BUSY_RETRY_S),
        (ConnectFailed(code="tls-failed"), "upstream-invalid", None),
        (ConnectionLost(), "upstream-unreachable", BUSY_RETRY_S),
        (TimedOut("The answer", 10), "upstream-unreachable", BUSY_RETRY_S),
        (RemoteProtocolError(), "upstream-invalid", None),
        (RemoteProtocolError(code="redirected"), "upstream-invalid", None),
        (ChatError(), "upstream-invalid", None),
    ],
)
def test_each_error_has_its_code(error: ChatError, code: str, retry_after_s: float | None) -> None:
    problem = upstream_problem(error)
    assert (problem.code, problem.retry_after_s) == (code, retry_after_s)
    assert ERRORS[code].http_status in {502, 503}
    assert problem.message == ERRORS[code].summary


def test_an_expired_session_is_passed_on() -> None:
    error = SessionExpired()
    assert upstream_problem(error) is error


@pytest.mark.parametrize(
    "error, code",
    [
        (ChatError(code="attachment-type"), "attachment-type"),
        (ChatError(code="attachments-off"), "attachments-off"),
        (ChatError(code="upstream-busy"), "upstream-busy"),
        (RateLimited(retry_after_s=3), "rate-limited"),
        (ChatError(code="sign-in-needed"), "sign-in-needed"),
        (ChatError(code="read-only"), "read-only"),
        (Problem(code="bad-request"), "bad-request"),
        (SessionExpired(), "upstream-invalid"),
        (ChatError(code="session-expired"), "upstream-invalid"),
        (OAuthRefused(), "upstream-auth-failed"),
        (ConnectionLost(), "upstream-unreachable"),
        (ChatError(code="internal"), "upstream-invalid"),
    ],
)
def test_what_a_guest_asked_the_provider_for(error: ChatError, code: str) -> None:
    """Its reasons are passed on, its troubles are not; the end of its session is not the end of ours."""
    assert guests_problem(error).code == code
