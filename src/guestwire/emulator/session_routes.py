"""Guest sessions over REST: created with an access token, asked about and read with the session token.

Source: guest-session §3 [T]; the history is ours (topics/protocol.md, "Echo and history") [D].
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.faults import FaultName
from guestwire.emulator.guest_frames import entry_frame
from guestwire.emulator.http import ApiError, json_response, media_type, read_body
from guestwire.emulator.oauth_routes import refuse_when_rate_limited
from guestwire.emulator.org import Org
from guestwire.emulator.records import EXTENSIONS, GuestSessionRecord
from guestwire.model.events import ConversationStatus
from guestwire.protocols.guest_session.history import history_page, parse_history_query
from guestwire.protocols.guest_session.rest import (
    SESSIONS_PATH,
    BadSessionRequest,
    SessionAnswer,
    parse_session_request,
)
from guestwire.protocols.oauth.wire import GUEST_SCOPE

__all__ = ["SOCKET_PATH", "session_routes"]

SOCKET_PATH = "/ws"


def session_routes(org: Org, *, public_url: str | None) -> list[Route]:
    """Return the three calls; `public_url` is where guests find the emulator, None means where they asked."""

    async def create(request: Request) -> Response:
        body = await read_body(request, code="request.too.large")
        refuse_when_rate_limited(org)
        _check_access(org, request)
        if body and media_type(request) != "application/json":
            raise ApiError(415, "unsupported.media.type", "The body must be JSON: send Content-Type: application/json.")
        try:
            details = parse_session_request(body)
        except BadSessionRequest as error:
            raise ApiError(400, "bad.request", error.message) from None
        session, token = org.create_session(details)
        answer = SessionAnswer(
            session_id=session.id,
            token=token.reveal(),
            external_contact_id=details.external_contact_id,
            web_socket_url=_socket_url(request, public_url),
            expires_in=org.session_ttl_s,
            extensions=(*EXTENSIONS, *session.capabilities),
        )
        return json_response(answer)

    async def check(request: Request) -> Response:
        session = _session(org, request)
        conversation = org.conversation_of(session.id)
        status = ConversationStatus.WAITING if conversation is None else conversation.status
        expires_in = int((session.expires_at - org.clock.utc()).total_seconds())
        return json_response({"sessionId": session.id, "status": status, "expiresIn": expires_in})

    async def history(request: Request) -> Response:
        refuse_when_rate_limited(org)
        session = _session(org, request)
        if FaultName.HISTORY not in session.capabilities:
            raise ApiError(404, "not.found", "This session has no history: it was created without.")
        try:
            query = parse_history_query(request.query_params)
        except BadSessionRequest as error:
            raise ApiError(400, "bad.request", error.message) from None
        with_client_id = org.faults.value(FaultName.HISTORY, "withClientId") == 1
        shown = (
            entry_frame(entry, with_id=True, with_client_id=with_client_id)
            for entry in org.history(session.id, query.after)
        )
        return json_response(history_page([frame for frame in shown if frame is not None], limit=query.limit))

    return [
        Route(SESSIONS_PATH, create, methods=["POST"]),
        Route(SESSIONS_PATH + "/{session_id}", check, methods=["GET"]),
        Route(SESSIONS_PATH + "/{session_id}/messages", history, methods=["GET"]),
    ]


def _check_access(org: Org, request: Request) -> None:
    token = org.find_access_token(_bearer(request))
    if token is None:
        raise _unauthorised("The access token is not valid.")
    if token.expires_at <= org.clock.utc():
        raise _unauthorised("The access token has expired.")
    if GUEST_SCOPE not in token.scopes:
        raise ApiError(401, "missing.scope", f"The access token lacks the scope {GUEST_SCOPE}.")


def _session(org: Org, request: Request) -> GuestSessionRecord:
    session = org.authorise_session(request.path_params["session_id"], _bearer(request))
    if session is None:
        raise _unauthorised("The session token is not valid for this session, or has expired.")
    return session


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(
            401,
            "authentication.required",
            "There is no Authorization header with a Bearer token.",
            headers={"www-authenticate": "Bearer"},
        )
    return token.strip()


def _unauthorised(message: str) -> ApiError:
    return ApiError(401, "bad.credentials", message, headers={"www-authenticate": 'Bearer error="invalid_token"'})


def _socket_url(request: Request, public_url: str | None) -> str:
    base = urlsplit(public_url or str(request.base_url))
    scheme = "wss" if base.scheme == "https" else "ws"
    return f"{scheme}://{base.netloc}{base.path.rstrip('/')}{SOCKET_PATH}"
