"""Registration of mobile devices for push messages (§1.6): remembered and answered, no message is ever pushed."""

from __future__ import annotations

from itertools import islice

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.changes import Change, WasReset
from guestwire.emulator.http import ApiError, read_body
from guestwire.emulator.org import Org

__all__ = ["push_routes"]

MAX_DEVICES = 1000


class _Device(msgspec.Struct, kw_only=True, rename="camel"):
    device_token: str | None = None
    language: str | None = None
    device_type: str | None = None
    notification_provider: str | None = None


def push_routes(org: Org) -> list[Route]:
    """Return the three calls."""
    devices: dict[tuple[str, str], _Device] = {}

    def forget(change: Change) -> None:
        if isinstance(change, WasReset):
            devices.clear()

    org.subscribe(forget)

    async def register(request: Request) -> Response:
        key, device = _key(org, request), await _read(request)
        if not (device.device_token and device.language and device.device_type and device.notification_provider):
            raise ApiError(400, "required.fields.missing", "A device has token, language, type and provider.")
        if device.notification_provider not in {"APNS", "FCM"}:
            raise ApiError(400, "device.registration.failure", "The provider is APNS or FCM.")
        if key in devices:
            raise ApiError(409, "device.already.registered", "The session has a device: change it.")
        devices[key] = device
        for oldest in list(islice(devices, max(0, len(devices) - MAX_DEVICES))):
            del devices[oldest]
        return Response(status_code=204)

    async def change(request: Request) -> Response:
        known, told = _find(devices, _key(org, request)), await _read(request)
        if not told.device_token and not told.language:
            raise ApiError(400, "update.fields.missing", "Tell a token or a language.")
        known.device_token = told.device_token or known.device_token
        known.language = told.language or known.language
        return Response(status_code=204)

    async def remove(request: Request) -> Response:
        await read_body(request, code="request.too.large")
        key = _key(org, request)
        _find(devices, key)
        del devices[key]
        return Response(status_code=204)

    path = "/api/v2/webmessaging/deployments/{deployment_id}/pushdevices/{token}"
    return [
        Route(path, register, methods=["POST"]),
        Route(path, change, methods=["PATCH"]),
        Route(path, remove, methods=["DELETE"]),
    ]


def _key(org: Org, request: Request) -> tuple[str, str]:
    deployment_id, token = request.path_params["deployment_id"], request.path_params["token"]
    if deployment_id not in org.deployments:
        raise ApiError(404, "deployment.not.found", "There is no such deployment.")
    if token != token.lower() or len(token) > 256:
        raise ApiError(400, "invalid.path.parameter", "Expected the session's token in lower case.")
    return deployment_id, token


def _find(devices: dict[tuple[str, str], _Device], key: tuple[str, str]) -> _Device:
    device = devices.get(key)
    if device is None:
        raise ApiError(404, "device.not.found", "The session has no device.")
    return device


async def _read(request: Request) -> _Device:
    try:
        return msgspec.json.decode(await read_body(request, code="request.too.large"), type=_Device)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ApiError(400, "bad.request", "The body is not JSON of a device.") from None
