"""The public files of a deployment, as the platform's CDN serves them, and the pictures they name (§1.3).

An unknown deployment is answered 403, with the CORS header that every answer of the guest's side has.
"""

from __future__ import annotations

from html import escape

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.faults import FaultName
from guestwire.emulator.http import ApiError
from guestwire.emulator.org import Org
from guestwire.emulator.records import DeploymentRecord
from guestwire.emulator.web_messaging.deployments import config_of, domains_of

__all__ = ["base_url_of", "config_routes"]

_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
    '<circle cx="32" cy="32" r="32" fill="hsl({hue} 45% 35%)"/>'
    '<text x="32" y="43" font-family="sans-serif" font-size="30" text-anchor="middle" fill="#fff">{letter}</text></svg>'
)


def config_routes(org: Org, *, public_url: str | None) -> list[Route]:
    """Return both files and the pictures."""

    async def config(request: Request) -> Response:
        record = _deployment(org, request)
        is_active = record.is_active and not org.faults.is_on(FaultName.INACTIVE_DEPLOYMENTS)
        return _file(
            org,
            config_of(
                record,
                config_id=org.ids.named_id("configuration", record.id),
                base_url=base_url_of(request, public_url),
                is_active=is_active,
            ),
        )

    async def domains(request: Request) -> Response:
        return _file(org, domains_of(_deployment(org, request)))

    async def picture(request: Request) -> Response:
        name = request.path_params["name"]
        drawn = _PICTURE.format(hue=sum(name.encode()) % 360, letter=escape(name[:1].upper()))
        return Response(drawn, media_type="image/svg+xml", headers={"cache-control": "public, max-age=86400"})

    files = "/webdeployments/v1/deployments/{deployment_id}"
    return [
        Route(f"{files}/config.json", config, methods=["GET"]),
        Route(f"{files}/domains.json", domains, methods=["GET"]),
        Route("/avatars/{name}.svg", picture, methods=["GET"]),
    ]


def base_url_of(request: Request, public_url: str | None) -> str:
    """Return where guests find the emulator: as set, else where they asked."""
    return (public_url or str(request.base_url)).rstrip("/")


def _deployment(org: Org, request: Request) -> DeploymentRecord:
    if org.faults.is_on(FaultName.REFUSE_CONFIG):
        status = org.faults.value(FaultName.REFUSE_CONFIG, "status")
        raise ApiError(max(status, 400), "refused", "The fault refuse-config is on.")
    record = org.deployments.get(request.path_params["deployment_id"])
    if record is None:
        raise ApiError(403, "forbidden", "There is no such deployment.")
    return record


def _file(org: Org, body: msgspec.Struct) -> Response:
    kind = "text/plain" if org.faults.is_on(FaultName.CONFIG_AS_TEXT) else "application/json"
    return Response(msgspec.json.encode(body), media_type=kind)
