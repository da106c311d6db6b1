"""The browser files: read once at start, kept small and compressed in memory.

The table of what is served is built from the folder, and a request is looked up in it. So a path that climbs out of the
folder is just a path that isn't there.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import rcssmin
import rjsmin
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["WEB", "StaticFiles", "files_below", "read_assets"]

WEB = Path(__file__).parent.parent / "web"
"""The browser files of the package."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED_ALREADY = frozenset({".png", ".woff2"})
_SMALLER: dict[str, Callable[[str], str]] = {".css": rcssmin.cssmin, ".js": rjsmin.jsmin}

# Modules import each other by plain names, so an old one must never meet a new one: ask each time, 304 costs little.
_KEEP_AND_ASK = "no-cache"
_DO_NOT_KEEP = "no-store"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent.

    Attributes:
        plain: The bytes.
        zipped: The same, gzip; None where that is no smaller.
        etag: Strong tag of `plain`; the compressed form has its own, as RFC 9110 §8.8.3.3 wants.
        content_type: With its charset.
    """

    plain: bytes
    zipped: bytes | None
    etag: str
    content_type: str

    @property
    def zipped_etag(self) -> str:
        """Strong tag of `zipped`."""
        return f'{self.etag[:-1]}-gzip"'


class StaticFiles:
    """Answers GET and HEAD for browser files, and raises 404 for everything else that reaches it."""

    def __init__(self, paths: Callable[[], Mapping[str, Path]], *, is_dev: bool, public: Sequence[str] = ()) -> None:
        """Prepare; `load` reads the files.

        Args:
            paths: Returns what is served: URL path → file.
            is_dev: Serve files as written, read anew for every request, and have browsers keep nothing.
            public: Beginnings of URL paths that pages of other sites load.
        """
        self._find = paths
        self._is_dev = is_dev
        self._public = tuple(public)
        self._paths: Mapping[str, Path] = {}
        self._assets: Mapping[str, Asset] = {}

    def load(self) -> None:
        """Read all files; blocks, so it is run in a thread at start."""
        self._paths = self._find()
        self._assets = {} if self._is_dev else read_assets(self._paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._respond(Request(scope))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.url.path
        if path not in self._paths:
            raise HTTPException(404)
        if request.method not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"allow": "GET, HEAD"})
        if self._is_dev:
            asset = await run_in_threadpool(_read, self._paths[path], is_small=False)
        else:
            asset = self._assets[path]
        return _respond(
            asset,
            request,
            cache_control=_DO_NOT_KEEP if self._is_dev else _KEEP_AND_ASK,
            is_public=path.startswith(self._public) if self._public else False,
        )


def read_assets(paths: Mapping[str, Path]) -> Mapping[str, Asset]:
    """Read the files, without comments and white space: URL path → asset."""
    return {path: _read(file, is_small=True) for path, file in paths.items()}


def files_below(web: Path, folder: str) -> dict[str, Path]:
    """Return every browser file in a folder of `web`, and below it: URL path → file."""
    return {
        f"/{file.relative_to(web).as_posix()}": file
        for file in sorted((web / folder).rglob("*"))
        if file.suffix in _TYPES and file.is_file()
    }


def _read(file: Path, *, is_small: bool) -> Asset:
    content = file.read_bytes()
    if is_small and (smaller := _SMALLER.get(file.suffix)) is not None:
        content = smaller(content.decode()).encode()
    zipped = None if file.suffix in _COMPRESSED_ALREADY else gzip.compress(content, mtime=0)
    return Asset(
        plain=content,
        zipped=zipped if zipped is not None and len(zipped) < len(content) else None,
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        content_type=_TYPES[file.suffix],
    )


def _respond(asset: Asset, request: Request, *, cache_control: str, is_public: bool) -> Response:
    headers = {"cache-control": cache_control, "vary": "Accept-Encoding"}
    if is_public:
        headers["access-control-allow-origin"] = "*"
        headers["cross-origin-resource-policy"] = "cross-origin"
    body, headers["etag"] = asset.plain, asset.etag
    if asset.zipped is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
        body, headers["etag"] = asset.zipped, asset.zipped_etag
        headers["content-encoding"] = "gzip"
    if _is_known(request.headers.get("if-none-match", ""), headers["etag"]):
        headers.pop("content-encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=asset.content_type)


def _takes_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        name, _, parameters = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_known(if_none_match: str, etag: str) -> bool:
    # Weak comparison (RFC 9110 §13.1.2): a proxy that compresses turns our tags into weak ones.
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in known or etag in known
