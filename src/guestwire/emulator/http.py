"""The small HTTP kit of the emulator: one error body everywhere, limited bodies, JSON by msgspec."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from guestwire.emulator.ids import Ids

__all__ = ["MAX_BODY_BYTES", "ApiError", "error_body", "json_response", "read_body", "read_json"]

MAX_BODY_BYTES = 65_536
"""Largest request body; a frame's limit too."""

T = TypeVar("T")


class ApiError(Exception):
    """A refusal that becomes an answer `{message, code, status, contextId}`.

    Attributes:
        status: The HTTP status.
        code: Dotted on the platform's side, kebab-case at desk and control.
        message: For a person; never holds a secret.
        headers: Further headers, e.g. Retry-After.
        members: Further members of the body, e.g. RFC 6749's `error`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def error_body(error: ApiError, ids: Ids) -> bytes:
    """Return the body of a refusal; each has a context id of its own, as on the platform."""
    return msgspec.json.encode(
        {
            **error.members,
            "message": error.message,
            "code": error.code,
            "status": error.status,
            "contextId": ids.new_id("context"),
        }
    )


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(
        msgspec.json.encode(value), status_code=status, headers=dict(headers or {}), media_type="application/json"
    )


async def read_body(request: Request, *, code: str, limit: int = MAX_BODY_BYTES) -> bytes:
    """Read the body, at most `limit` bytes; a longer one is not read to its end.

    Raises:
        ApiError: 413, with `code`.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in _chunks(request):
        size += len(chunk)
        if size > limit:
            # The rest is not read: the connection can't be used again.
            headers = {"connection": "close"}
            raise ApiError(413, code, f"The body is longer than {limit} bytes.", headers=headers)
        chunks.append(chunk)
    return b"".join(chunks)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise ApiError(400, "bad-request", "The connection ended in the middle of the body.") from None


async def read_json(request: Request, kind: type[T]) -> T:
    """Read a JSON body of a desk or control call; an empty one counts as `{}`.

    Raises:
        ApiError: 413, 415, or 400 with the member that does not fit.
    """
    body = await read_body(request, code="too-large")
    if body and media_type(request) != "application/json":
        raise ApiError(415, "unsupported-media-type", "The body must be JSON: send Content-Type: application/json.")
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise ApiError(400, "bad-request", f"The body does not fit: {error}.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ApiError(400, "bad-request", "The body is not JSON.") from None


def media_type(request: Request) -> str:
    """Return the body's media type without its parameters, lower case."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()
