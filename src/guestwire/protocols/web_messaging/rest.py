"""The REST calls of Web Messaging as values, on both sides: history, sign-in, uploads.

Source: web-messaging §1.4, §1.5, §3.10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from guestwire.errors import (
    AuthError,
    ChatError,
    ConnectFailed,
    RateLimited,
    RemoteProtocolError,
    SessionExpired,
)
from guestwire.model.http import HttpAnswer, HttpRequest, retry_after_s
from guestwire.model.secret import Secret
from guestwire.model.wire_text import repaired_json
from guestwire.protocols.web_messaging.wire import MessageBody, Number

__all__ = [
    "DEFAULT_PAGE_SIZE",
    "EXCHANGE_PATH",
    "HISTORY_PATH",
    "MAX_PAGE_SIZE",
    "REFRESH_PATH",
    "REVOKE_PATH",
    "AuthorizedGuest",
    "BadRestRequest",
    "CodeGrant",
    "ExchangeRequest",
    "HistoryPage",
    "HistoryQuery",
    "ImplicitGrant",
    "JwtAnswer",
    "MessageEntityList",
    "OAuthParameters",
    "RefreshRequest",
    "bearer_of",
    "exchange_request",
    "history_page",
    "history_request",
    "parse_exchange_answer",
    "parse_exchange_request",
    "parse_history_answer",
    "parse_history_query",
    "parse_refresh_answer",
    "parse_refresh_request",
    "parse_revoke_answer",
    "parse_upload_answer",
    "refresh_request",
    "revoke_request",
    "upload_request",
]

HISTORY_PATH = "/api/v2/webmessaging/messages"
EXCHANGE_PATH = "/api/v2/webdeployments/token/oauthcodegrantjwtexchange"
REFRESH_PATH = "/api/v2/webdeployments/token/refresh"
REVOKE_PATH = "/api/v2/webdeployments/token/revoke"

DEFAULT_PAGE_SIZE = 25
MAX_PAGE_SIZE = 100
"""The largest page that the vendor's clients ask for."""


class BadRestRequest(ChatError):
    """A guest's REST request is malformed; the message names the member."""

    default_code = "bad-request"


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of the bodies; they hold secrets and what people wrote, so the repr shows neither."""

    def __repr__(self) -> str:
        """Show nothing but the kind."""
        return f"{type(self).__name__}()"


# --- history (§1.4) ----------------------------------------------------------------------------------------------


class MessageEntityList(_Body, frozen=True, kw_only=True):
    """A page of the history, newest first; the vendor's mobile SDK wants all four numbers."""

    # Written although it is empty: a page past the end says so.
    entities: tuple[MessageBody, ...] = msgspec.field(default_factory=lambda: ())
    page_size: int
    page_number: int
    total: int
    page_count: int


class _RawEntityList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    entities: list[msgspec.Raw] = msgspec.field(default_factory=list)
    page_count: Number | None = None


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which page is asked for; 1 is the newest."""

    page_number: int = 1
    page_size: int = DEFAULT_PAGE_SIZE


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of a session's messages.

    Attributes:
        number: Which page; 1 is the newest.
        messages: Oldest first, as people read; what could not be read is left out.
        has_more: Whether there are older ones.
    """

    number: int
    messages: tuple[MessageBody, ...] = ()
    has_more: bool = False


def history_request(api_base: str, jwt: Secret, query: HistoryQuery, *, origin: str | None = None) -> HttpRequest:
    """Build the request for a page of the history; `jwt` is what `getJwt` answered, good for about a minute."""
    headers = {"authorization": f"Bearer {jwt.reveal()}", "accept": "application/json"}
    if origin is not None:
        headers["origin"] = origin
    url = f"{api_base}{HISTORY_PATH}?pageNumber={query.page_number}&pageSize={query.page_size}"
    return HttpRequest("GET", url, headers)


def parse_history_answer(answer: HttpAnswer, query: HistoryQuery) -> HistoryPage:
    """Read the answer to `history_request`; an entity that can't be read loses only itself.

    Raises:
        SessionExpired: 401: the JWT is over, ask for another.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else.
    """
    _raise_for_trouble(answer, "The history")
    if answer.status == 401:
        raise SessionExpired
    body = _parse(answer, _RawEntityList, "The history")
    messages = [message for raw in body.entities if (message := _entity(raw)) is not None]
    messages.reverse()
    is_full = len(body.entities) >= query.page_size
    has_more = is_full if body.page_count is None else query.page_number < body.page_count
    return HistoryPage(query.page_number, tuple(messages), has_more=has_more and bool(body.entities))


def parse_history_query(query: Mapping[str, str]) -> HistoryQuery:
    """Read what is asked for, on the server's side.

    Raises:
        BadRestRequest: A number is none, or out of range.
    """
    number = _count(query.get("pageNumber", "1"), 1_000_000, "pageNumber")
    return HistoryQuery(number, _count(query.get("pageSize", str(DEFAULT_PAGE_SIZE)), MAX_PAGE_SIZE, "pageSize"))


def history_page(messages: Sequence[MessageBody], query: HistoryQuery) -> MessageEntityList:
    """Return a page, on the server's side; past the end it is empty.

    Args:
        messages: All of the session's, oldest first.
        query: Which page.
    """
    newest_first = messages[::-1]
    start = (query.page_number - 1) * query.page_size
    return MessageEntityList(
        entities=tuple(newest_first[start : start + query.page_size]),
        page_size=query.page_size,
        page_number=query.page_number,
        total=len(messages),
        page_count=-(-len(messages) // query.page_size),
    )


# --- sign-in (§1.5) ----------------------------------------------------------------------------------------------


class OAuthParameters(_Body, frozen=True, kw_only=True):
    """What the guest's identity provider gave; either a code or an id token."""

    code: str | None = None
    redirect_uri: str | None = None
    code_verifier: str | None = None
    id_token: str | None = None
    nonce: str | None = None
    max_age: Number | None = None
    iss: str | None = None


class ExchangeRequest(_Body, frozen=True, kw_only=True):
    """Body of the exchange."""

    deployment_id: str
    oauth: OAuthParameters
    journey_context: object = None


class RefreshRequest(_Body, frozen=True, kw_only=True):
    """Body of the refresh."""

    refresh_token: str


class JwtAnswer(_Body, frozen=True, kw_only=True):
    """Answer to both."""

    jwt: str
    refresh_token: str | None = None


@dataclass(frozen=True, slots=True)
class CodeGrant:
    """A code of the site's identity provider, perhaps with PKCE.

    Attributes:
        code: The code; good once.
        redirect_uri: As it was in the request for the code.
        code_verifier: PKCE's.
        nonce: As it was in the request for the code.
        max_age: The same, in seconds.
    """

    code: Secret
    redirect_uri: str
    code_verifier: Secret | None = None
    nonce: str | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class ImplicitGrant:
    """An id token of the site's identity provider."""

    id_token: Secret
    nonce: str
    redirect_uri: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizedGuest:
    """A guest who signed in: the JWT configures sessions, the refresh token (not of an implicit grant) renews it."""

    jwt: Secret
    refresh_token: Secret | None = None


def exchange_request(api_base: str, deployment_id: str, grant: CodeGrant | ImplicitGrant) -> HttpRequest:
    """Build the request that exchanges a grant for a JWT."""
    if isinstance(grant, CodeGrant):
        oauth = OAuthParameters(
            code=grant.code.reveal(),
            redirect_uri=grant.redirect_uri,
            code_verifier=grant.code_verifier.reveal() if grant.code_verifier else None,
            nonce=grant.nonce,
            max_age=grant.max_age,
        )
    else:
        oauth = OAuthParameters(id_token=grant.id_token.reveal(), nonce=grant.nonce, redirect_uri=grant.redirect_uri)
    return _post(f"{api_base}{EXCHANGE_PATH}", ExchangeRequest(deployment_id=deployment_id, oauth=oauth))


def parse_exchange_answer(answer: HttpAnswer) -> AuthorizedGuest:
    """Read the answer to `exchange_request`.

    Raises:
        AuthError: 4xx; the guest must sign in again.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else.
    """
    body = _parse_jwt(answer, "The sign-in")
    return AuthorizedGuest(Secret(body.jwt), Secret(body.refresh_token) if body.refresh_token else None)


def refresh_request(api_base: str, refresh_token: Secret) -> HttpRequest:
    """Build the request for another JWT."""
    return _post(f"{api_base}{REFRESH_PATH}", RefreshRequest(refresh_token=refresh_token.reveal()))


def parse_refresh_answer(answer: HttpAnswer, refresh_token: Secret) -> AuthorizedGuest:
    """Read the answer to `refresh_request`; the refresh token stays in use.

    Raises:
        AuthError: 4xx; the guest must sign in again.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else.
    """
    return AuthorizedGuest(Secret(_parse_jwt(answer, "The sign-in's renewal").jwt), refresh_token)


def revoke_request(api_base: str, jwt: Secret) -> HttpRequest:
    """Build the request that signs the guest out everywhere; a `LogoutEvent` follows on every connection."""
    return HttpRequest("DELETE", f"{api_base}{REVOKE_PATH}", {"authorization": f"Bearer {jwt.reveal()}"})


def parse_revoke_answer(answer: HttpAnswer) -> None:
    """Read the answer to `revoke_request`; any 2xx is success.

    Raises:
        AuthError: 401: renew the JWT and try again; other 4xx.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: A redirect.
    """
    _raise_for_trouble(answer, "The sign-out")
    if not answer.is_success:
        raise AuthError(f"The sign-out answered {answer.status}.", code="sign-in-needed")


def parse_exchange_request(body: bytes) -> ExchangeRequest:
    """Read the body of an exchange, on the server's side.

    Raises:
        BadRestRequest: It does not fit, or has neither a code nor an id token.
    """
    request = _read(body, ExchangeRequest)
    if not request.oauth.code and not request.oauth.id_token:
        raise BadRestRequest("oauth needs a code or an idToken.")
    return request


def parse_refresh_request(body: bytes) -> RefreshRequest:
    """Read the body of a refresh, on the server's side.

    Raises:
        BadRestRequest: It does not fit.
    """
    return _read(body, RefreshRequest)


def bearer_of(authorization: str | None) -> Secret | None:
    """Return the token of an Authorization header, whose scheme some clients write in lower case; None without one."""
    scheme, _, value = (authorization or "").strip().partition(" ")
    return Secret(value.strip()) if scheme.lower() == "bearer" and value.strip() else None


# --- uploads (§3.10) ---------------------------------------------------------------------------------------------


def upload_request(url: str, headers: Mapping[str, str], *, file_type: str, body: bytes = b"") -> HttpRequest:
    """Build the upload of a file to its presigned URL: every header that came with it, and the file's type."""
    given = {name.lower(): value for name, value in headers.items()}
    return HttpRequest("PUT", url, given | {"content-type": file_type}, body)


def parse_upload_answer(answer: HttpAnswer) -> None:
    """Read the answer to an upload; the provider's word on the file comes over the socket.

    Raises:
        RateLimited: 429.
        ConnectFailed: 5xx; trying again may help.
        ChatError: `attachment-failed`: anything else.
    """
    _raise_for_trouble(answer, "The upload")
    if not answer.is_success:
        raise ChatError(f"The upload answered {answer.status}.", code="attachment-failed")


# --- inside ------------------------------------------------------------------------------------------------------


def _raise_for_trouble(answer: HttpAnswer, what: str) -> None:
    if 300 <= answer.status < 400:
        raise RemoteProtocolError(f"{what} answered with a redirect ({answer.status}).", code="redirected")
    if answer.status == 429:
        raise RateLimited(retry_after_s=retry_after_s(answer))
    if answer.status >= 500:
        raise ConnectFailed(f"{what} answered {answer.status}.", retry_after_s=retry_after_s(answer))


def _parse_jwt(answer: HttpAnswer, what: str) -> JwtAnswer:
    _raise_for_trouble(answer, what)
    if 400 <= answer.status < 500:
        raise AuthError(f"{what} was refused with {answer.status}.", code="sign-in-needed")
    body = _parse(answer, JwtAnswer, what)
    if not body.jwt:
        raise RemoteProtocolError(f"{what} answered without a jwt.")
    return body


_T = TypeVar("_T", bound=msgspec.Struct)


def _parse(answer: HttpAnswer, kind: type[_T], what: str) -> _T:
    if not answer.is_success:
        raise RemoteProtocolError(f"{what} answered {answer.status}.")
    try:
        return msgspec.json.decode(repaired_json(answer.body.decode()), type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # What people wrote, and tokens, are not quoted.
        raise RemoteProtocolError(f"{what} answered with another body than expected.") from None


def _read(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadRestRequest(f"The body does not fit: {error}.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadRestRequest("The body is not JSON.") from None


def _post(url: str, body: _Body) -> HttpRequest:
    return HttpRequest("POST", url, {"content-type": "application/json"}, msgspec.json.encode(body))


def _entity(raw: msgspec.Raw) -> MessageBody | None:
    try:
        return msgspec.json.decode(raw, type=MessageBody)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _count(text: str, most: int, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= most):
        raise BadRestRequest(f"Expected {name} from 1 to {most}.")
    return int(text)
