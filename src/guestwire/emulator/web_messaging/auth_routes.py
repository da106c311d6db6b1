"""Signed-in guests: a code becomes a JWT, the JWT is renewed and revoked (§1.5)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.changes import LoggedOut
from guestwire.emulator.faults import FaultName
from guestwire.emulator.http import ApiError, json_response, read_body
from guestwire.emulator.org import Org
from guestwire.emulator.web_messaging.history_routes import refuse_by_fault
from guestwire.emulator.web_messaging.identity import Identity, NotSignedIn
from guestwire.protocols.web_messaging.rest import (
    EXCHANGE_PATH,
    REFRESH_PATH,
    REVOKE_PATH,
    BadRestRequest,
    JwtAnswer,
    bearer_of,
    parse_exchange_request,
    parse_refresh_request,
)

__all__ = ["auth_routes"]


def auth_routes(org: Org, identity: Identity) -> list[Route]:
    """Return the three calls."""

    async def exchange(request: Request) -> Response:
        refuse_by_fault(org, FaultName.REFUSE_SIGN_IN)
        try:
            asked = parse_exchange_request(await read_body(request, code="request.too.large"))
            deployment = org.deployments.get(asked.deployment_id)
            if deployment is None:
                raise ApiError(404, "deployment.not.found", "There is no such deployment.")
            if not deployment.auth:
                raise ApiError(400, "authentication.disabled", "Guests of this deployment can't sign in.")
            jwt, refresh_token = identity.exchange(deployment.id, asked.oauth)
        except BadRestRequest as error:
            raise ApiError(400, "bad.request", error.message) from None
        except NotSignedIn as error:
            raise ApiError(401, "bad.credentials", str(error)) from None
        return json_response(JwtAnswer(jwt=jwt, refresh_token=refresh_token))

    async def refresh(request: Request) -> Response:
        refuse_by_fault(org, FaultName.REFUSE_SIGN_IN)
        try:
            asked = parse_refresh_request(await read_body(request, code="request.too.large"))
            return json_response(JwtAnswer(jwt=identity.refresh(asked.refresh_token)))
        except BadRestRequest as error:
            raise ApiError(400, "bad.request", error.message) from None
        except NotSignedIn as error:
            raise ApiError(401, "bad.credentials", str(error)) from None

    async def revoke(request: Request) -> Response:
        refuse_by_fault(org, FaultName.REFUSE_SIGN_IN)
        await read_body(request, code="request.too.large")
        jwt = bearer_of(request.headers.get("authorization"))
        user = None if jwt is None else identity.user_of(jwt)
        if user is None:
            raise ApiError(401, "bad.credentials", "The JWT is missing, not valid, over or revoked.")
        org.publish(LoggedOut(user.id))
        return Response(status_code=204)

    return [
        Route(EXCHANGE_PATH, exchange, methods=["POST"]),
        Route(REFRESH_PATH, refresh, methods=["POST"]),
        Route(REVOKE_PATH, revoke, methods=["DELETE"]),
    ]
