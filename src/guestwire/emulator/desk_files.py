"""Files at the desk: an agent's own, to be sent, and every file of a conversation, to be looked at.

Guests get addresses that run out; the desk has its own, for our own page only.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.emulator.files import FileRecord
from guestwire.emulator.http import ApiError, json_response, media_type, read_body
from guestwire.emulator.org import Org
from guestwire.model.file_names import MAX_FILE_NAME_CHARS, clean_file_name

__all__ = ["file_routes"]

MAX_FILE_BYTES = 25_000_000
"""Agents may send more than guests, as far as the memory for files is not filled by a few of them."""

_SHOWN = re.compile(r"image/(?:png|jpeg|gif|webp|avif)|(?:audio|video)/[\w.+-]{1,60}", re.ASCII)
_WELL_FORMED = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,120}", re.ASCII)
_ANYTHING = "application/octet-stream"


class FileView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file, in the words of an attachment."""

    id: str
    filename: str
    mime: str
    media_type: str
    file_size: int


def file_routes(org: Org) -> list[Route]:
    """Return the calls about files, below `/desk/api`."""

    async def add(request: Request) -> Response:
        name = clean_file_name(unquote(request.headers.get("filename", "")))
        if not name or len(name) > MAX_FILE_NAME_CHARS:
            raise ApiError(
                400,
                "bad-request",
                f"Expected a header Filename, percent-encoded, of 1 to {MAX_FILE_NAME_CHARS} characters.",
            )
        data = await read_body(request, code="too-large", limit=MAX_FILE_BYTES)
        if not data:
            raise ApiError(400, "bad-request", "The file is empty: choose another one.")
        return json_response(_view(org.add_file(name, _mime(media_type(request)), data)), 201)

    async def read(request: Request) -> Response:
        file = org.find_file(request.path_params["file_id"])
        if file is None:
            raise ApiError(404, "not-found", "There is no such file, or none any more.")
        mime = _mime(file.mime)
        # What could run in our own page's origin is only ever saved.
        place = "inline" if _SHOWN.fullmatch(mime) else "attachment"
        headers = {"content-disposition": f"{place}; filename*=UTF-8''{quote(file.name, safe='')}"}
        return Response(file.data, media_type=mime, headers=headers)

    return [Route("/files", add, methods=["POST"]), Route("/files/{file_id}", read, methods=["GET"])]


def _mime(text: str) -> str:
    mime = text.lower()
    return mime if _WELL_FORMED.fullmatch(mime) else _ANYTHING


def _view(file: FileRecord) -> FileView:
    return FileView(id=file.id, filename=file.name, mime=file.mime, media_type=file.media_type, file_size=file.size)
