"""The history over REST: newest first, by a key that `getJwt` gave (§1.4)."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.faults import FaultName
from guestwire.emulator.http import ApiError, json_response
from guestwire.emulator.org import Org
from guestwire.emulator.web_messaging.service import WebMessaging
from guestwire.model.times import parse_time
from guestwire.protocols.web_messaging.provider import ServedSession
from guestwire.protocols.web_messaging.rest import (
    HISTORY_PATH,
    BadRestRequest,
    bearer_of,
    history_page,
    parse_history_query,
)
from guestwire.protocols.web_messaging.wire import MessageBody

__all__ = ["history_routes", "refuse_by_fault"]


def history_routes(org: Org, service: WebMessaging) -> list[Route]:
    """Return the one call."""

    async def history(request: Request) -> Response:
        refuse_by_fault(org, FaultName.REFUSE_HISTORY)
        key = bearer_of(request.headers.get("authorization"))
        session = None if key is None else service.session_of_history_key(key)
        if session is None:
            raise ApiError(401, "bad.credentials", "The JWT is missing, not valid or over: ask for another.")
        wait_s = session.history_read.take(org.clock.utc().timestamp())
        if wait_s > 0:
            raise too_many(int(wait_s) + 1)
        try:
            query = parse_history_query(request.query_params)
        except BadRestRequest as error:
            raise ApiError(400, "bad.request", error.message) from None
        return json_response(history_page(_shown(org, session), query))

    return [Route(HISTORY_PATH, history, methods=["GET"])]


def refuse_by_fault(org: Org, name: FaultName) -> None:
    """Answer with a fault's status while it is on."""
    if not org.faults.is_on(name):
        return
    status = max(400, org.faults.value(name, "status"))
    if status == 429:
        raise too_many(org.faults.params(name).get("retryAfterS", 5))
    raise ApiError(status, "refused", f"The fault {name} is on.")


def too_many(retry_after_s: int) -> ApiError:
    """Return the refusal of one request too many."""
    words = f"Too many requests: wait {retry_after_s} s."
    return ApiError(429, "too.many.requests", words, headers={"retry-after": str(retry_after_s)})


def _shown(org: Org, session: ServedSession) -> list[MessageBody]:
    lag_s, spread_s = (org.faults.value(FaultName.HISTORY, name) / 1000 for name in ("lagMs", "spreadMs"))
    if not lag_s and not spread_s:
        return session.messages
    now = org.clock.utc()

    def is_shown(body: MessageBody) -> bool:
        said_at = parse_time(body.channel.time) if body.channel and body.channel.time else now
        late = timedelta(seconds=lag_s + spread_s * org.ids.named_draw("history lag", body.id or ""))
        return (said_at or now) + late <= now

    return [body for body in session.messages if is_shown(body)]
