"""The two calls about guest sessions (guest-session §3 [T], §6 [D]); the Origin was checked before (`origins`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.client.sessions import check_guest_session, create_guest_session, socket_base
from guestwire.client.tokens import TokenSource
from guestwire.errors import ChatError, RateLimited, SessionExpired
from guestwire.gateway.context import context_id
from guestwire.gateway.errors import Problem, upstream_problem
from guestwire.gateway.identity import IdentityCheck
from guestwire.gateway.limits import AddressLimits
from guestwire.gateway.metrics import Metrics
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.rest import SESSIONS_PATH, SessionAnswer, parse_gateway_request
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession
from guestwire.settings import GatewaySettings

__all__ = ["CHECKS_BURST", "CHECKS_PER_MINUTE", "MAX_ID_CHARS", "SessionRoutes", "bearer_token", "read_json"]

MAX_BODY_BYTES = 48 * 1024
"""Who the guest is has at most 5 KiB, what the site tells about it 12, its identity 8 and what it signed in with 8."""

BODY_S = 10.0
"""A body must be there in this time; the head's is bounded by the server (net/uvicorn_protocols.py)."""

CHECKS_PER_MINUTE = 60.0
"""A browser checks once after a refused upgrade; this is for a household of them."""

CHECKS_BURST = 20

MAX_ID_CHARS = 512

_log = get_logger("guestwire.gateway")


class SessionRoutes:
    """Creates sessions at the provider with our access token, and asks it about them with the guest's own."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        transport: Transport,
        tokens: TokenSource,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Take what the calls need; blocks where `identity_jwks_file` is read.

        Raises:
            ConfigError: See `IdentityCheck`.
        """
        self._settings = settings
        self._transport = transport
        self._tokens = tokens
        self._clock = clock
        self._metrics = metrics
        self._identity = IdentityCheck(settings)
        self._creations = AddressLimits(
            per_minute=settings.sessions_per_minute,
            burst=settings.sessions_burst,
            per_minute_total=settings.sessions_per_minute_total,
        )
        self._checks = AddressLimits(
            per_minute=CHECKS_PER_MINUTE,
            burst=CHECKS_BURST,
            per_minute_total=settings.sessions_per_minute_total * 2,
        )

    def routes(self) -> list[Route]:
        """Return both routes."""
        return [
            Route(SESSIONS_PATH, self.create, methods=["POST"]),
            Route(f"{SESSIONS_PATH}/{{session_id}}", self.check, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """Answer `POST /api/v2/chat/guestsessions`."""
        asked = parse_gateway_request(await read_json(request))
        if asked.authorization is not None:
            raise Problem(code="refused-by-deployment")
        details = self._identity.applied(asked.details, asked.identity)
        self._limit(self._creations, request)
        with self._upstream("create-session", request):
            session = await create_guest_session(self._transport, self._tokens, self._settings.provider, details)
        answer = self._answer(session, details)
        self._metrics.sessions_created.inc()
        return Response(msgspec.json.encode(answer), media_type="application/json")

    async def check(self, request: Request) -> Response:
        """Answer `GET /api/v2/chat/guestsessions/{sessionId}`: a browser can't see why an upgrade was refused."""
        session_id: str = request.path_params["session_id"]
        token = bearer_token(request)
        if token is None or len(session_id) > MAX_ID_CHARS:
            raise SessionExpired  # the same answer for "not there" and "not yours"
        self._limit(self._checks, request)
        session = GuestSession(session_id=SessionId(session_id), token=token)
        with self._upstream("check-session", request):
            check = await check_guest_session(self._transport, self._settings.provider, session)
        return Response(msgspec.json.encode(check), media_type="application/json")

    def _limit(self, limits: AddressLimits, request: Request) -> None:
        wait_s = limits.take(request.client.host if request.client else "", self._clock.now())
        if wait_s > 0:
            raise RateLimited(retry_after_s=wait_s)

    @contextmanager
    def _upstream(self, call: str, request: Request) -> Iterator[None]:
        began = self._clock.now()
        try:
            yield
        except ChatError as error:
            problem = upstream_problem(error)
            if problem is not error:
                # The provider's side of it is for the operator; the browser gets the code and what to do.
                _log.warning(
                    "upstream failed",
                    call=call,
                    code=problem.code,
                    cause=error.code,
                    detail=_without_id(error.message, request),
                    context_id=context_id(request.scope),
                )
            raise problem from None
        finally:
            self._metrics.upstream_seconds.labels(call).observe(self._clock.now() - began)

    def _answer(self, session: GuestSession, details: GuestDetails) -> SessionAnswer:
        return SessionAnswer(
            session_id=session.session_id,
            token=session.token.reveal(),
            external_contact_id=session.external_contact_id or details.external_contact_id,
            web_socket_url=socket_base(session, self._settings.provider),
            expires_in=session.expires_in_s,
            extensions=tuple(sorted(session.extensions)),
        )


def _without_id(text: str, request: Request) -> str:
    """Leave out what the caller put in the session id's place: people paste secrets into addresses, too."""
    session_id = request.path_params.get("session_id")
    return text if session_id is None else text.replace(quote(session_id, safe=""), "{sessionId}")


def bearer_token(request: Request) -> Secret | None:
    """Return the token of the Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return Secret(token.strip()) if scheme.lower() == "bearer" and token.strip() else None


async def read_json(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        Problem: It is not declared as JSON, too large, or too slow.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(code="unsupported-media-type")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise Problem(f"The body is larger than {MAX_BODY_BYTES} bytes.", code="too-large")
    except TimeoutError:
        raise Problem(f"The body was not there within {BODY_S:g} s.", code="bad-request") from None
    return bytes(body)
