"""The one error body of the HTTP API, and how an exception becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guestwire.errors import (
    ERRORS,
    AuthError,
    ChatError,
    ConfigError,
    RateLimited,
    SessionExpired,
    TransportError,
)
from guestwire.gateway.context import context_id, note_code
from guestwire.net.logs import get_logger
from guestwire.protocols.guest_session.rest import BadSessionRequest

__all__ = [
    "BUSY_RETRY_S",
    "CatchErrors",
    "NotAllowed",
    "Problem",
    "error_response",
    "guests_problem",
    "show_http_exception",
    "show_problem",
    "upstream_problem",
]

BUSY_RETRY_S = 5.0
"""Retry-After where the provider names none: about as long as a restart takes."""

_log = get_logger("guestwire.gateway")

_CODES = {401: "session-expired", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every error answer has; `context_id` finds the line in the log."""

    message: str
    code: str
    status: int
    context_id: str


class Problem(ChatError):
    """A code of the HTTP API, for the one who asked; raised by routes, answered by `show_problem`."""


def upstream_problem(error: ChatError) -> ChatError:
    """Say to a browser what went wrong between us and the provider; never as a 401 of our own.

    What the guest can act on is passed on: a session's own end, and details that the provider refuses.

    Source: guest-session §6 [D].
    """
    match error:
        case SessionExpired() | BadSessionRequest():
            return error
        case RateLimited():
            return Problem(code="upstream-busy", retry_after_s=error.retry_after_s or BUSY_RETRY_S)
        case TransportError() if error.code == "tls-failed":
            return Problem(code="upstream-invalid")  # a certificate does not mend itself
        case TransportError():
            # A provider that answers 5xx and names a time is busy, not away.
            code = "upstream-unreachable" if error.retry_after_s is None else "upstream-busy"
            return Problem(code=code, retry_after_s=error.retry_after_s or BUSY_RETRY_S)
        case AuthError() | ConfigError():
            is_scope = error.code == "scope-missing"
            return Problem(code="upstream-scope-missing" if is_scope else "upstream-auth-failed")
        case _:
            return Problem(code="upstream-invalid")


# What a guest can act on, or must know of, though it is the provider that says it.
_GUESTS = frozenset(
    {"busy", "conversation-ended", "rate-limited", "read-only", "refused-by-deployment", "sign-in-needed"}
)


def guests_problem(error: ChatError) -> ChatError:
    """Say to a browser why the provider did not do what the guest asked for, or why it could not be asked.

    The end of the provider's session is not that of ours, so it is no 401 here.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, SessionExpired):
        return Problem(code="upstream-invalid")
    is_guests = error.code in _GUESTS or error.code.startswith(("attachment", "upstream-"))
    return error if is_guests and ERRORS[error.code].http_status is not None else upstream_problem(error)


def error_response(
    scope: Scope,
    code: str,
    *,
    message: str | None = None,
    retry_after_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Build the answer for a code of `ERRORS`; `message` defaults to its summary."""
    info = ERRORS[code]
    status = info.http_status or 500
    note_code(scope, code)
    body = ErrorBody(message=message or info.summary, code=code, status=status, context_id=context_id(scope))
    all_headers = dict(headers or {})
    if retry_after_s is not None:
        all_headers["retry-after"] = str(max(1, ceil(retry_after_s)))
    if status == 401:
        all_headers["www-authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body), status_code=status, headers=all_headers, media_type="application/json")


def show_problem(request: Request, error: Exception) -> Response:
    """Answer a `ChatError` that a route raised."""
    if not isinstance(error, ChatError) or ERRORS[error.code].http_status is None:
        raise error
    return error_response(request.scope, error.code, message=error.message, retry_after_s=error.retry_after_s)


def show_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: an unknown path, a method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return error_response(request.scope, _CODES.get(error.status_code, "bad-request"), headers=error.headers)


class NotAllowed:
    """Answers 405: routed after the methods that a path does take, so that it is not "not found" for the others."""

    def __init__(self, allow: str) -> None:
        """Take the Allow header."""
        self._allow = allow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await error_response(scope, "method-not-allowed", headers={"allow": self._allow})(scope, receive, send)


class CatchErrors:
    """Answers what nothing else caught with 500, and logs it once."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        has_started = False

        async def watch(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception:  # noqa: BLE001 - the root of a request
            _log.exception("request failed", context_id=context_id(scope))
            if has_started:
                return  # the server ends the answer short
            await error_response(scope, "internal")(scope, receive, send)
