"""The token endpoint, at both of its paths (guest-session §2): client credentials, as form or HTTP Basic.

Refusals carry RFC 6749's members (`error`, `error_description`) and the platform's beside them.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.faults import FaultName
from guestwire.emulator.http import ApiError, json_response, read_body
from guestwire.emulator.org import Org
from guestwire.emulator.records import OAuthClient
from guestwire.model.secret import Secret
from guestwire.protocols.oauth.server import OAuthRequestError, TokenRequest, parse_token_request
from guestwire.protocols.oauth.wire import GUEST_SCOPE, OAuthErrorBody, OAuthErrorCode

__all__ = ["oauth_routes", "refuse_when_rate_limited"]

_NOBODY = OAuthClient("", Secret(""))


def oauth_routes(org: Org) -> list[Route]:
    """Return both token endpoints."""

    async def token(request: Request) -> Response:
        body = await read_body(request, code="request.too.large")
        refuse_when_rate_limited(org)
        try:
            asked = parse_token_request(
                request.headers.get("content-type", ""), request.headers.get("authorization"), body
            )
            client = _authenticate(org, asked)
            scopes = _grant(org, client, asked)
        except OAuthRequestError as error:
            raise _refusal(error.status, error.body, is_basic=error.is_basic) from None
        issued = org.issue_access_token(client, scopes)
        # Not `TokenAnswer`: it leaves a token type out that is "bearer", and RFC 6749 §5.1 requires the member.
        answer = {
            "access_token": issued.value.reveal(),
            "token_type": "bearer",
            "expires_in": org.access_token_ttl_s,
            "scope": " ".join(sorted(scopes)),
        }
        return json_response(answer, headers={"pragma": "no-cache"})

    return [Route(path, token, methods=["POST"]) for path in ("/api/v2/oauth/token", "/oauth/token")]


def refuse_when_rate_limited(org: Org) -> None:
    """Answer 429 while the fault is on."""
    if org.faults.is_on(FaultName.RATE_LIMIT):
        seconds = org.faults.params(FaultName.RATE_LIMIT)["retryAfterS"]
        raise ApiError(
            429,
            "too.many.requests",
            f"Too many requests: wait {seconds} s.",
            headers={"retry-after": str(seconds)},
        )


def _authenticate(org: Org, asked: TokenRequest) -> OAuthClient:
    client = org.clients.get(asked.client_id, _NOBODY)
    # The secret of an unknown client is compared as well, so that time does not tell which ids there are.
    is_right = asked.client_secret == client.client_secret and client is not _NOBODY
    if not is_right or org.faults.is_on(FaultName.BAD_CREDENTIALS):
        raise OAuthRequestError(
            OAuthErrorCode.INVALID_CLIENT, "The client id or the secret is wrong.", is_basic=asked.is_basic
        )
    return client


def _grant(org: Org, client: OAuthClient, asked: TokenRequest) -> frozenset[str]:
    if not asked.scopes <= client.scopes:
        raise OAuthRequestError(OAuthErrorCode.INVALID_SCOPE, "The client may not ask for one of these scopes.")
    scopes = asked.scopes or client.scopes
    return scopes - {GUEST_SCOPE} if org.faults.is_on(FaultName.MISSING_SCOPE) else scopes


def _refusal(status: int, body: OAuthErrorBody, *, is_basic: bool) -> ApiError:
    description = body.error_description or body.error
    return ApiError(
        status,
        body.error.replace("_", "."),
        description,
        headers={"www-authenticate": 'Basic realm="oauth"'} if status == 401 and is_basic else None,
        members={"error": body.error, "error_description": description},
    )
