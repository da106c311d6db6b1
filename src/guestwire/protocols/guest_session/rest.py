"""The REST calls of the guest-session protocol as values: requests built, answers read, for both sides.

Source: guest-session §3 [T], marks there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from guestwire.errors import (
    ChatError,
    ConnectFailed,
    RateLimited,
    RemoteProtocolError,
    SessionExpired,
    SessionRefused,
)
from guestwire.model.http import HttpAnswer, HttpRequest, retry_after_s
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import Authorization, GuestDetails, GuestSession

__all__ = [
    "MAX_ATTRIBUTE_BYTES",
    "MAX_MEMBER_CHARS",
    "SESSIONS_PATH",
    "BadSessionRequest",
    "GatewayRequest",
    "SessionAnswer",
    "SessionCheck",
    "SessionRequest",
    "check_session_request",
    "create_session_request",
    "parse_check_answer",
    "parse_gateway_request",
    "parse_session_answer",
    "parse_session_request",
    "raise_for_trouble",
]

SESSIONS_PATH = "/api/v2/chat/guestsessions"
MAX_MEMBER_CHARS = 256

MAX_ATTRIBUTE_BYTES = 2048
"""UTF-8 bytes of all keys and values of the custom attributes; what Web Messaging takes in one message."""

MAX_TOKEN_CHARS = 8192
"""Of an identity token; one with a certificate chain in its header has some 5,000."""

MAX_CODE_CHARS = 2048
"""Of each member of an authorization."""


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Body of `POST /api/v2/chat/guestsessions`."""

    external_contact_id: str | None = None
    name: str | None = None
    email: str | None = None


class _AuthorizationBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    code: str
    redirect_uri: str
    code_verifier: str | None = None
    nonce: str | None = None
    max_age: int | None = None


class _GatewayBody(SessionRequest, frozen=True, kw_only=True, rename="camel"):
    custom_attributes: dict[str, str] | None = None
    identity: str | None = None
    authorization: _AuthorizationBody | None = None


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """What a browser asks a gateway for; see topics/protocol.md, "Rich chats on the gateway" [D].

    Attributes:
        details: Who the guest says it is.
        attributes: What the site tells agent and flow.
        identity: The site's JWT, not checked yet.
        authorization: What the guest signed in with.
    """

    details: GuestDetails = field(default_factory=GuestDetails)
    attributes: Mapping[str, str] = field(default_factory=dict)
    identity: Secret | None = None
    authorization: Authorization | None = None


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Body of its answer; holds the session token, so it is never logged."""

    session_id: str
    token: str
    external_contact_id: str | None = None
    web_socket_url: str | None = None
    expires_in: float | None = None
    extensions: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"SessionAnswer(session_id={self.session_id!r})"


class PlatformError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The platform's error body; only the code is used."""

    code: str | None = None


class BadSessionRequest(ChatError):
    """A session request's body is malformed, or a member of it too large; the message names it."""

    default_code = "bad-request"


def create_session_request(base_url: str, access_token: Secret, details: GuestDetails) -> HttpRequest:
    """Build the request that creates a guest session."""
    body = SessionRequest(external_contact_id=details.external_contact_id, name=details.name, email=details.email)
    return HttpRequest(
        "POST",
        f"{base_url}{SESSIONS_PATH}",
        {"authorization": f"Bearer {access_token.reveal()}", "content-type": "application/json"},
        msgspec.json.encode(body),
    )


def parse_session_answer(answer: HttpAnswer) -> GuestSession:
    """Read the answer to `create_session_request`; any 2xx is success.

    Raises:
        SessionRefused: 401; code `scope-missing` when the provider says so.
        BadSessionRequest: 400.
        RateLimited: 429.
        ConnectFailed: 5xx; the provider is in trouble, later may help.
        RemoteProtocolError: Anything else.
    """
    raise_for_trouble(answer, "Session creation")
    if answer.status == 401:
        raise SessionRefused(code="scope-missing" if _platform_code(answer) == "missing.scope" else None)
    if answer.status == 400:
        raise BadSessionRequest("The provider refused the guest's details (400).")
    if not answer.is_success:
        raise RemoteProtocolError(f"Expected 2xx from session creation, got {answer.status}.")
    try:
        body = msgspec.json.decode(answer.body, type=SessionAnswer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        body = None
    if body is None or not body.session_id or not body.token:
        # The body may hold the token, so it is not quoted.
        raise RemoteProtocolError("Expected sessionId and token from session creation, got another body.")
    if body.web_socket_url is not None and not _is_socket_base(body.web_socket_url):
        raise RemoteProtocolError("Expected a webSocketUrl that begins with wss:// and has no query, got another one.")
    return GuestSession(
        session_id=SessionId(body.session_id),
        token=Secret(body.token),
        external_contact_id=body.external_contact_id,
        socket_base=body.web_socket_url,
        expires_in_s=body.expires_in,
        extensions=frozenset(body.extensions),
    )


def check_session_request(base_url: str, session: GuestSession) -> HttpRequest:
    """Build the request that asks whether a session is still good [D]."""
    return HttpRequest(
        "GET",
        f"{base_url}{SESSIONS_PATH}/{quote(session.session_id, safe='')}",
        {"authorization": f"Bearer {session.token.reveal()}"},
    )


class SessionCheck(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Body of a good session's check; `status` is the conversation's, `expires_in` in seconds, where told [D]."""

    session_id: str
    status: str | None = None
    expires_in: float | None = None


def parse_check_answer(answer: HttpAnswer, session: GuestSession) -> SessionCheck:
    """Read the answer to `check_session_request`; returning means the session is good.

    Raises:
        SessionExpired: 401; also 404, from a provider without this call: then a refused upgrade can't be told from a
            lost one, and a new session, made once, settles it.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else.
    """
    raise_for_trouble(answer, "The session check")
    if answer.status in {401, 404}:
        raise SessionExpired
    if not answer.is_success:
        raise RemoteProtocolError(f"Expected 200 or 401 from the session check, got {answer.status}.")
    try:
        body = msgspec.json.decode(answer.body, type=SessionCheck)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return SessionCheck(session_id=session.session_id)  # the status says enough
    return SessionCheck(session_id=session.session_id, status=body.status, expires_in=body.expires_in)


def parse_session_request(body: bytes) -> GuestDetails:
    """Read the body of a session request, on the server's side.

    Raises:
        BadSessionRequest: Not JSON, a wrong type, an e-mail without `@`, a member longer than 256 characters.
    """
    return _details(_decoded(body, SessionRequest))


def parse_gateway_request(body: bytes) -> GatewayRequest:
    """Read the body of a session request to a gateway.

    Raises:
        BadSessionRequest: As with `parse_session_request`; `attributes-too-large` for that.
    """
    request = _decoded(body, _GatewayBody)
    details = _details(request)
    attributes = request.custom_attributes or {}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())
    if size > MAX_ATTRIBUTE_BYTES:
        raise BadSessionRequest(
            f"customAttributes have {size} bytes, at most {MAX_ATTRIBUTE_BYTES} are allowed.",
            code="attributes-too-large",
        )
    if request.identity is not None and len(request.identity) > MAX_TOKEN_CHARS:
        raise BadSessionRequest(f"identity is longer than {MAX_TOKEN_CHARS} characters.")
    return GatewayRequest(
        details,
        attributes,
        None if request.identity is None else Secret(request.identity),
        None if request.authorization is None else _authorization(request.authorization),
    )


def _authorization(body: _AuthorizationBody) -> Authorization:
    texts = (body.code, body.redirect_uri, body.code_verifier or "", body.nonce or "")
    if not body.code or not body.redirect_uri or any(len(text) > MAX_CODE_CHARS for text in texts):
        raise BadSessionRequest(f"authorization needs code and redirectUri, of at most {MAX_CODE_CHARS} characters.")
    if body.max_age is not None and body.max_age < 0:
        raise BadSessionRequest("authorization.maxAge must not be negative.")
    return Authorization(
        code=Secret(body.code),
        redirect_uri=body.redirect_uri,
        code_verifier=None if body.code_verifier is None else Secret(body.code_verifier),
        nonce=body.nonce,
        max_age=body.max_age,
    )


_Body = TypeVar("_Body", bound=SessionRequest)


def _decoded(body: bytes, kind: type[_Body]) -> _Body:
    if not body.strip():
        return kind()
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadSessionRequest(f"The body does not fit: {error}.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadSessionRequest("The body is not JSON.") from None


def _details(request: SessionRequest) -> GuestDetails:
    for name, value in (
        ("externalContactId", request.external_contact_id),
        ("name", request.name),
        ("email", request.email),
    ):
        if value is not None and len(value) > MAX_MEMBER_CHARS:
            raise BadSessionRequest(f"{name} is longer than {MAX_MEMBER_CHARS} characters.")
    if request.email is not None and "@" not in request.email:
        raise BadSessionRequest("email has no @.")
    return GuestDetails(name=request.name, email=request.email, external_contact_id=request.external_contact_id)


def raise_for_trouble(answer: HttpAnswer, what: str) -> None:
    """Raise for what is the same in every answer: a redirect, 429 and 5xx; `what` begins the sentence."""
    if 300 <= answer.status < 400:
        raise RemoteProtocolError(f"{what} answered with a redirect ({answer.status}).", code="redirected")
    if answer.status == 429:
        raise RateLimited(retry_after_s=retry_after_s(answer))
    if answer.status >= 500:
        raise ConnectFailed(f"{what} answered {answer.status}.", retry_after_s=retry_after_s(answer))


def _is_socket_base(url: str) -> bool:
    """Return whether the session token may go there: encrypted, or on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_safe = parts.scheme == "wss" or (parts.scheme == "ws" and parts.hostname in {"127.0.0.1", "localhost", "::1"})
    return is_safe and bool(parts.hostname) and parts.username is None and not parts.query and not parts.fragment


def _platform_code(answer: HttpAnswer) -> str | None:
    try:
        return msgspec.json.decode(answer.body, type=PlatformError).code
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
