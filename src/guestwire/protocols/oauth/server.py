"""Provider half of client credentials: read a token request, in both ways of sending the credentials."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_plus

from guestwire.model.secret import Secret
from guestwire.protocols.oauth.wire import OAuthErrorBody, OAuthErrorCode

__all__ = ["OAuthRequestError", "TokenRequest", "parse_token_request"]

_STATUS = {OAuthErrorCode.INVALID_CLIENT: 401}


class OAuthRequestError(Exception):
    """A refusal that becomes an RFC 6749 §5.2 answer.

    Attributes:
        status: 401 for `invalid_client`, else 400.
        body: The JSON body.
        is_basic: Whether the client used HTTP Basic, so that a 401 names that scheme.
    """

    def __init__(self, code: OAuthErrorCode, description: str, *, is_basic: bool = False) -> None:
        """Say what is wrong with the request."""
        super().__init__(description)
        self.status = _STATUS.get(code, 400)
        self.body = OAuthErrorBody(error=code, error_description=description)
        self.is_basic = is_basic


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A well-formed request; whether the client exists is the provider's to decide."""

    client_id: str
    client_secret: Secret
    scopes: frozenset[str]
    is_basic: bool


def parse_token_request(content_type: str, authorization: str | None, body: bytes) -> TokenRequest:
    """Read a token request.

    Raises:
        OAuthRequestError: It is malformed, asks for another grant, or has no credentials.
    """
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise OAuthRequestError(
            OAuthErrorCode.INVALID_REQUEST, "Expected Content-Type application/x-www-form-urlencoded."
        )
    form = _parse_form(body)
    grant = form.get("grant_type")
    if grant is None:
        raise OAuthRequestError(OAuthErrorCode.INVALID_REQUEST, "grant_type is missing.")
    if grant != "client_credentials":
        raise OAuthRequestError(OAuthErrorCode.UNSUPPORTED_GRANT_TYPE, "Only client_credentials is supported.")
    scopes = frozenset(form.get("scope", "").split())
    if authorization is not None:
        client_id, secret = _parse_basic(authorization)
        return TokenRequest(client_id, Secret(secret), scopes, is_basic=True)
    if "client_id" not in form or "client_secret" not in form:
        raise OAuthRequestError(
            OAuthErrorCode.INVALID_CLIENT, "client_id and client_secret are missing, in the form and as HTTP Basic."
        )
    return TokenRequest(form["client_id"], Secret(form["client_secret"]), scopes, is_basic=False)


def _parse_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=20)
    except (UnicodeDecodeError, ValueError):
        raise OAuthRequestError(OAuthErrorCode.INVALID_REQUEST, "The body is not a form.") from None
    repeated = sorted(name for name, values in pairs.items() if len(values) > 1)
    if repeated:
        raise OAuthRequestError(OAuthErrorCode.INVALID_REQUEST, "A parameter is there more than once.")
    return {name: values[0] for name, values in pairs.items()}


def _parse_basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        pair = ""
    client_id, colon, secret = pair.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise OAuthRequestError(
            OAuthErrorCode.INVALID_CLIENT, "Expected HTTP Basic with client id and secret.", is_basic=True
        )
    return unquote_plus(client_id), unquote_plus(secret)
