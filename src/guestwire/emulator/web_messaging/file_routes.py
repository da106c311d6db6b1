"""Where guests put files and where everybody gets them: addresses that carry their own permission (§1.7, §3.10)."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.deployment_switches import MAX_FILE_KB
from guestwire.emulator.faults import FaultName
from guestwire.emulator.http import ApiError, media_type, read_body
from guestwire.emulator.org import DOWNLOADS_PATH, Org
from guestwire.emulator.web_messaging.history_routes import refuse_by_fault
from guestwire.emulator.web_messaging.service import WebMessaging
from guestwire.emulator.web_messaging.uploads import UPLOADS_PATH, Upload, refusal_of

__all__ = ["file_routes"]

_WELL_FORMED = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,120}", re.ASCII)

# Shown in a page of ours or opened by itself, such a file can do no harm; anything else is saved.
_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "audio/ogg", "video/mp4"})


def file_routes(org: Org, service: WebMessaging) -> list[Route]:
    """Return upload and download."""

    async def upload(request: Request) -> Response:
        upload_id = request.path_params["upload_id"]
        asked = service.uploads.find(upload_id, request.query_params, request.headers)
        rules = None if asked is None else service.rules_of(asked)
        if asked is None or rules is None:
            raise ApiError(
                403, "forbidden", "The upload is not allowed: wrong or late signature, header, or a second try."
            )
        refuse_by_fault(org, FaultName.FAIL_UPLOADS)
        service.uploads.done(upload_id)
        # A guest may send one byte too many, so that the refusal comes as the platform's; no more is read.
        data = await read_body(request, code="entity.too.large", limit=MAX_FILE_KB * 1000 + 1)
        file_type = media_type(request) or asked.file.file_type.lower()
        if not _WELL_FORMED.fullmatch(file_type):
            file_type = "application/octet-stream"
        number = refusal_of(rules, asked.file, file_type=file_type, size=len(data))
        number = org.faults.value(FaultName.REJECT_UPLOADS, "code") or number
        delay_s = org.faults.value(FaultName.SLOW_UPLOADS, "delayMs") / 1000
        asyncio.get_running_loop().call_later(delay_s, _tell, service, asked, file_type, data, number)
        return Response(status_code=200)

    async def download(request: Request) -> Response:
        file_id = request.path_params["file_id"]
        now = org.clock.utc().timestamp()
        if not org.signed_paths.is_good(f"{DOWNLOADS_PATH}{file_id}", request.query_params, now=now):
            raise ApiError(403, "forbidden", "The address is not valid any more: ask for another with getAttachment.")
        record = org.find_file(file_id)
        if record is None:
            raise ApiError(404, "not.found", "The file is not kept any more.")
        kind = "inline" if record.mime in _INLINE else "attachment"
        disposition = f"{kind}; filename*=UTF-8''{quote(record.name, safe='')}"
        return Response(record.data, media_type=record.mime, headers={"content-disposition": disposition})

    return [
        Route(f"{UPLOADS_PATH}{{upload_id}}", upload, methods=["PUT"]),
        Route(f"{DOWNLOADS_PATH}{{file_id}}", download, methods=["GET"]),
    ]


def _tell(service: WebMessaging, upload: Upload, file_type: str, data: bytes, number: int | None) -> None:
    """Tell the guest of a file after the answer to its PUT, as the platform does once it has checked it."""
    if number:
        service.upload_refused(upload, number)
    else:
        service.uploaded(upload, file_type, data)
