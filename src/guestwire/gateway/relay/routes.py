"""The calls about sessions of the relay (guest-session §3, §6 [D]): create, check, erase. None reaches the provider."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.errors import ChatError, RateLimited, SessionExists, SessionExpired
from guestwire.gateway.errors import Problem, guests_problem
from guestwire.gateway.identity import IdentityCheck
from guestwire.gateway.limits import AddressLimits, CreationLimits
from guestwire.gateway.log import SessionLog
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay.guest_details import pack_details, sealed_authorization
from guestwire.gateway.relay.hub import Hub
from guestwire.gateway.relay.tokens import now_ms
from guestwire.gateway.sessions_routes import CHECKS_BURST, CHECKS_PER_MINUTE, MAX_ID_CHARS, bearer_token, read_json
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.clock import Clock
from guestwire.protocols.guest_session.rest import SESSIONS_PATH, GatewayRequest, SessionAnswer, parse_gateway_request
from guestwire.settings import GatewaySettings

__all__ = ["EXTENSIONS", "SOCKET_PATH", "RelayRoutes"]

SOCKET_PATH = "/ws"

EXTENSIONS = ("typing", "end", "hello", "resume", "receipts", "content")
"""What a browser may use here (guest-session §6), …"""

RICH_EXTENSIONS = ("attachments", "clear", "stay")
"""… and with Web Messaging behind us, where the deployment allows it; the `session` frame says whether it does."""

MIN_KEY_CHARS = 16
MAX_KEY_CHARS = 255
"""An idempotency key gives a token to whoever repeats it, so it must be hard to guess; a UUID has 36 characters."""


class RelayRoutes:
    """Creates, checks and erases sessions in the log."""

    def __init__(self, settings: GatewaySettings, hub: Hub, log: SessionLog, *, clock: Clock, metrics: Metrics) -> None:
        """Take what the calls need; blocks where `identity_jwks_file` is read.

        Raises:
            ConfigError: See `IdentityCheck`.
        """
        self._settings = settings
        self._hub = hub
        self._log = log
        self._clock = clock
        self._metrics = metrics
        self._identity = IdentityCheck(settings)
        is_rich = settings.provider.resolved_api == "web-messaging"
        self._extensions = EXTENSIONS + (RICH_EXTENSIONS if is_rich else ())
        self._checks, self._erasures = (
            AddressLimits(
                per_minute=CHECKS_PER_MINUTE,
                burst=CHECKS_BURST,
                per_minute_total=settings.sessions_per_minute_total * 2,
            )
            for _ in range(2)
        )

    def routes(self) -> list[Route]:
        """Return the routes; each path once."""
        return [
            Route(SESSIONS_PATH, self.create, methods=["POST"]),
            Route(f"{SESSIONS_PATH}/{{session_id}}", self.check_or_erase, methods=["DELETE", "GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """Answer `POST /api/v2/chat/guestsessions`; the same key and body within 24 h give the same session."""
        body = await read_json(request)
        asked = parse_gateway_request(body)
        details = self._identity.applied(asked.details, asked.identity)
        asked = replace(asked, details=details)
        key = _idempotency_key(request)
        self._limit(self._hub.creations, request)
        sid, is_new = SessionId(secrets.token_hex(16)), True
        if key is not None:
            entry = await self._log.idempotency(key, _request_hash(asked), sid, now_ms(self._clock))
            if entry.request_hash != _request_hash(asked):
                raise Problem("The Idempotency-Key was used before with another body.", code="conflict")
            sid = entry.sid
        try:
            await self._hub.create(sid, self._packed(asked), epoch=secrets.token_hex(16))
        except SessionExists:
            is_new = False
        if asked.authorization is not None:
            await self._sign_in(sid)
        # A new token each time: the first one was never kept, only its hash.
        token = await self._hub.tokens.issue(sid)
        if is_new:
            self._metrics.sessions_created.inc()
        answer = SessionAnswer(
            session_id=sid,
            token=token.reveal(),
            external_contact_id=details.external_contact_id,
            web_socket_url=self._socket_url(request),
            expires_in=self._hub.tokens.ttl_ms / 1000,
            extensions=self._extensions,
        )
        return _json(answer)

    def _packed(self, asked: GatewayRequest) -> bytes:
        grant = asked.authorization
        sealed = None if grant is None else sealed_authorization(grant, self._hub.envelope)
        return pack_details(asked.details, dict(asked.attributes), sealed)

    async def _sign_in(self, sid: SessionId) -> None:
        """Have the provider take the guest's authorization; a session without it would be somebody else's chat."""
        session = await self._hub.open(sid)
        try:
            with session.in_use():
                await session.sign_in()
        except ChatError as error:
            await self._log.erase(sid)
            self._hub.gone(session)
            raise guests_problem(error) from None
        self._hub.drop_if_idle(session)

    async def check_or_erase(self, request: Request) -> Response:
        """Answer `GET` and `DELETE …/guestsessions/{sessionId}`; for both the session's own token is needed."""
        session_id: str = request.path_params["session_id"]
        token = bearer_token(request)
        if token is None or len(session_id) > MAX_ID_CHARS:
            raise SessionExpired  # the same answer for "not there" and "not yours"
        if request.method == "DELETE":
            return await self._erase(request, session_id, token)
        self._limit(self._checks, request)
        pair = await self._hub.tokens.check(session_id, token)
        if pair is None:
            raise SessionExpired
        left_s = max(0, pair.expires_ms - now_ms(self._clock)) // 1000
        return _json({"sessionId": pair.sid, "status": "valid", "expiresIn": left_s})

    async def _erase(self, request: Request, session_id: str, token: Secret) -> Response:
        pair = await self._hub.may_erase(session_id, token)
        if pair is None:
            self._limit(self._checks, request)
            raise SessionExpired
        # A bucket of its own, and only now: a neighbour's attempts must not keep anybody from being erased.
        self._limit(self._erasures, request)
        return Response(status_code=204 if await self._hub.erase(pair) else 202)

    def _limit(self, limits: AddressLimits | CreationLimits, request: Request) -> None:
        wait_s = limits.take(request.client.host if request.client else "", self._clock.now())
        if wait_s > 0:
            raise RateLimited(retry_after_s=wait_s)

    def _socket_url(self, request: Request) -> str:
        if self._settings.public_url is not None:
            base = self._settings.public_url.rstrip("/")
        else:
            host = request.headers.get("host", "")
            # Behind a proxy that ends TLS the request comes as http; the page's own origin knows better.
            is_tls = request.url.scheme == "https" or request.headers.get("origin") == f"https://{host}"
            base = f"http{'s' if is_tls else ''}://{host}"
        return f"ws{base.removeprefix('http')}{SOCKET_PATH}"


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not MIN_KEY_CHARS <= len(key) <= MAX_KEY_CHARS:
        raise Problem(
            f"Expected an Idempotency-Key of {MIN_KEY_CHARS} to {MAX_KEY_CHARS} characters, such as a UUID.",
            code="bad-request",
        )
    return hashlib.sha256(key.encode()).hexdigest()


def _request_hash(asked: GatewayRequest) -> bytes:
    # What was understood, not the bytes: another order of members is the same request, and so is a new identity token
    # of the same guest.
    details = asked.details
    parts: list[object] = [details.name, details.email, details.external_contact_id]
    if asked.attributes or asked.authorization is not None:
        code = None if asked.authorization is None else asked.authorization.code.reveal()
        parts += [sorted(asked.attributes.items()), code]
    return hashlib.sha256(msgspec.json.encode(parts)).digest()


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
