"""Client half of client credentials: the request as a value, the answer as an access token or an error."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote_plus, urlencode

import msgspec

from guestwire.errors import ConnectFailed, OAuthRefused, RateLimited, RemoteProtocolError
from guestwire.model.http import HttpAnswer, HttpRequest, retry_after_s
from guestwire.model.secret import Secret
from guestwire.protocols.oauth.wire import GUEST_SCOPE, OAuthErrorBody, OAuthErrorCode, TokenAnswer

__all__ = ["DEFAULT_LIFETIME_S", "AccessToken", "CredentialsIn", "parse_token_answer", "token_request"]

DEFAULT_LIFETIME_S = 3600.0
"""The tutorial: a token lives for about an hour; used where the answer doesn't say."""


class CredentialsIn(StrEnum):
    """Where the client's id and secret go: in the form [T], or as HTTP Basic, as real orgs want it [D]."""

    FORM = "form"
    BASIC = "basic"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An OAuth access token; it creates sessions and never reaches a browser."""

    value: Secret
    expires_in_s: float
    scope: str | None = None


def token_request(
    url: str, client_id: str, client_secret: Secret, *, credentials_in: CredentialsIn = CredentialsIn.FORM
) -> HttpRequest:
    """Build the request for an access token with the guest scope."""
    form = {"grant_type": "client_credentials", "scope": GUEST_SCOPE}
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if credentials_in is CredentialsIn.BASIC:
        # RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
        pair = f"{quote_plus(client_id)}:{quote_plus(client_secret.reveal())}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": client_id, "client_secret": client_secret.reveal()}
    return HttpRequest("POST", url, headers, urlencode(form).encode())


def parse_token_answer(answer: HttpAnswer) -> AccessToken:
    """Read the answer to `token_request`.

    Raises:
        OAuthRefused: The client, its secret or its scope was refused; `scope-missing` for the scope.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else, a redirect among it.
    """
    if answer.is_success:
        return _parse_token(answer)
    if answer.status == 429:
        raise RateLimited(retry_after_s=retry_after_s(answer))
    if answer.status >= 500:
        raise ConnectFailed(f"The token endpoint answered {answer.status}.", retry_after_s=retry_after_s(answer))
    if 300 <= answer.status < 400:
        raise RemoteProtocolError(f"The token endpoint answered with a redirect ({answer.status}).", code="redirected")
    error = _parse_error(answer)
    if error == OAuthErrorCode.INVALID_SCOPE:
        raise OAuthRefused(code="scope-missing")
    if answer.status in {400, 401, 403}:
        # The peer's description is not quoted: some endpoints repeat the credentials in it.
        known = f" ({OAuthErrorCode(error)})" if error in set(OAuthErrorCode) else ""
        raise OAuthRefused(f"The token endpoint refused the client with {answer.status}{known}.")
    raise RemoteProtocolError(f"Expected a token from the token endpoint, got status {answer.status}.")


def _parse_token(answer: HttpAnswer) -> AccessToken:
    try:
        body = msgspec.json.decode(answer.body, type=TokenAnswer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        body = None
    if body is None or not body.access_token:
        raise RemoteProtocolError("Expected JSON with access_token from the token endpoint, got another body.")
    return AccessToken(
        value=Secret(body.access_token),
        expires_in_s=DEFAULT_LIFETIME_S if body.expires_in is None else body.expires_in,
        scope=body.scope,
    )


def _parse_error(answer: HttpAnswer) -> str | None:
    try:
        return msgspec.json.decode(answer.body, type=OAuthErrorBody).error
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
