"""The control API under `/emulator/`: what a test harness needs, and nothing that a guest would call."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire import __version__
from guestwire.emulator.control import Control
from guestwire.emulator.desk import Desk
from guestwire.emulator.faults import CATALOGUE, FaultInfo, FaultName, FaultRefused
from guestwire.emulator.http import ApiError, json_response, read_body, read_json
from guestwire.emulator.org import Org
from guestwire.emulator.records import GUEST_SCOPES, Entry, OAuthClient
from guestwire.emulator.views import fault_view, fault_views, snapshot
from guestwire.model.events import epoch_ms
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.model.times import format_time

__all__ = ["control_routes"]

MAX_MEMBER_CHARS = 256


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the bodies; unknown members are ignored."""


class _Seed(_Body, frozen=True, kw_only=True):
    seed: int


class _Advance(_Body, frozen=True, kw_only=True):
    advance_s: float = msgspec.field(name="advanceS")


class _Revoke(_Body, frozen=True, kw_only=True):
    access_token: str | None = None


class _Client(_Body, frozen=True, kw_only=True):
    client_id: str
    client_secret: str
    scopes: list[str] | None = None


def control_routes(org: Org, control: Control, desk: Desk) -> list[Route]:
    """Return the calls of the control API."""

    async def health(_request: Request) -> Response:
        return json_response({"status": "ok", "version": __version__})

    async def state(_request: Request) -> Response:
        return json_response(_state(org, desk))

    async def transcript(request: Request) -> Response:
        session = org.sessions.get(SessionId(request.path_params["session_id"]))
        if session is None:
            raise ApiError(404, "not-found", "There is no such session.")
        return json_response({"messages": [_line(entry) for entry in org.transcript(session.id)]})

    async def reset(request: Request) -> Response:
        await read_json(request, dict[str, object])
        control.reset()
        return json_response(_state(org, desk))

    async def seed(request: Request) -> Response:
        control.seed((await read_json(request, _Seed)).seed)
        return json_response(_state(org, desk))

    async def clock(_request: Request) -> Response:
        return json_response(_clock(org))

    async def advance(request: Request) -> Response:
        body = await read_json(request, _Advance)
        try:
            org.advance_clock(body.advance_s)
        except ValueError as error:
            raise ApiError(400, "bad-request", str(error)) from None
        return json_response(_clock(org))

    async def faults(_request: Request) -> Response:
        return json_response({"faults": fault_views(org)})

    async def clear_faults(request: Request) -> Response:
        await read_body(request, code="too-large")
        control.clear_faults()
        return json_response({"faults": fault_views(org)})

    async def switch(request: Request) -> Response:
        fault = _fault(request)
        body = await read_json(request, dict[str, object])
        on = body.pop("on", None)
        if not isinstance(on, bool):
            raise ApiError(400, "bad-request", "Expected a member on, true or false.")
        try:
            control.switch(fault.name, on=on, params=body)
        except FaultRefused as error:
            raise ApiError(400, "bad-request", str(error)) from None
        return json_response(fault_view(org, fault))

    async def fire(request: Request) -> Response:
        fault = _fault(request)
        await read_json(request, dict[str, object])
        try:
            control.fire(fault.name)
        except FaultRefused as error:
            raise ApiError(400, "bad-request", str(error)) from None
        return json_response(fault_view(org, fault))

    async def revoke(request: Request) -> Response:
        body = await read_json(request, _Revoke)
        return json_response({"revoked": org.revoke_access_tokens(body.access_token)})

    async def add_client(request: Request) -> Response:
        body = await read_json(request, _Client)
        if not body.client_id or not body.client_secret or len(body.client_id) > MAX_MEMBER_CHARS:
            raise ApiError(400, "bad-request", f"Expected clientId (up to {MAX_MEMBER_CHARS}) and clientSecret.")
        scopes = GUEST_SCOPES if body.scopes is None else frozenset(body.scopes)
        org.add_client(OAuthClient(body.client_id, Secret(body.client_secret), scopes))
        return json_response({"clientId": body.client_id, "scopes": sorted(scopes)}, 201)

    return [
        Route("/emulator/health", health, methods=["GET"]),
        Route("/emulator/state", state, methods=["GET"]),
        Route("/emulator/sessions/{session_id}/messages", transcript, methods=["GET"]),
        Route("/emulator/reset", reset, methods=["POST"]),
        Route("/emulator/seed", seed, methods=["POST"]),
        Route("/emulator/clock", clock, methods=["GET"]),
        Route("/emulator/clock", advance, methods=["POST"]),
        Route("/emulator/faults", faults, methods=["GET"]),
        Route("/emulator/faults", clear_faults, methods=["DELETE"]),
        Route("/emulator/faults/{name}", switch, methods=["PUT"]),
        Route("/emulator/faults/{name}", fire, methods=["POST"]),
        Route("/emulator/oauth/revoke", revoke, methods=["POST"]),
        Route("/emulator/oauth/clients", add_client, methods=["POST"]),
    ]


def _fault(request: Request) -> FaultInfo:
    name = request.path_params["name"]
    if name not in set(FaultName):
        raise ApiError(404, "not-found", f"There is no such fault; there are {', '.join(FaultName)}.")
    return CATALOGUE[FaultName(name)]


def _clock(org: Org) -> dict[str, object]:
    now = org.clock.utc()
    return {
        "now": format_time(now),
        "nowMs": epoch_ms(now),
        "advancedS": org.clock.advanced_s,
        "seeded": org.clock.is_seeded,
    }


def _line(entry: Entry) -> dict[str, object]:
    line: dict[str, object] = {"id": entry.id, "from": entry.sender, "text": entry.text, "at": epoch_ms(entry.at)}
    more = {
        "clientId": entry.client_id,
        "inReplyTo": entry.in_reply_to,
        "content": [item.raw for item in entry.content] or None,
    }
    return line | {name: value for name, value in more.items() if value is not None}


def _state(org: Org, desk: Desk) -> dict[str, object]:
    """Return the whole state; tokens and secrets are left out."""
    seen = msgspec.to_builtins(snapshot(org, desk))
    return {
        "seed": org.seed,
        "clock": _clock(org),
        "oauthClients": [
            {"clientId": client.client_id, "scopes": sorted(client.scopes)} for client in org.clients.values()
        ],
        "sessions": [
            {
                "sessionId": session.id,
                "expiresAt": epoch_ms(session.expires_at),
                "expired": org.has_expired(session),
                "protocol": session.protocol,
                **({"conversationId": session.conversation_id} if session.conversation_id else {}),
            }
            for session in org.sessions.values()
        ],
        **{name: seen[name] for name in ("agents", "conversations", "faults", "flow", "queue")},
    }
