"""Files of a chat on their way from the provider to a browser.

An address of the provider's is good for some minutes. It is tried, and when it is good no longer the provider is asked
for another one, which is remembered for as long as it may be good.

What is shown where it is must be harmless as such: pictures made of dots, sound and video. Anything else, and first of
all what could hold a script, is only ever saved. A browser that opens an address directly gets it in a sandbox.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from guestwire.errors import ChatError, SessionGone
from guestwire.gateway.context import context_id
from guestwire.gateway.errors import Problem, guests_problem
from guestwire.gateway.log import SessionLog
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.origins import is_loopback_host
from guestwire.gateway.relay.attachment_links import FileRef
from guestwire.gateway.relay.hub import Hub
from guestwire.model.file_names import clean_file_name
from guestwire.model.http import HttpRequest
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger
from guestwire.net.transport import Download, Downloads
from guestwire.protocols.guest_session.guest_content import clean_mime
from guestwire.settings import ProviderSettings

__all__ = ["INLINE_TYPES", "FileDownloads", "PassOn", "file_headers", "may_fetch"]

INLINE_TYPES = re.compile(r"image/(png|jpeg|gif|webp|avif|bmp)|audio/[a-z0-9.+-]+|video/[a-z0-9.+-]+")
"""No SVG: it is a document with scripts."""

MAX_DOWNLOAD_BYTES = 100_000_000
"""A larger file is cut off; agents may send larger ones than guests."""

DOWNLOAD_S = 600.0
"""A reader that has not taken a file in this time is cut off."""

URL_LIVES_S = 300.0
"""An address that the provider has just given is used for so long; Genesys Cloud's live 10 minutes."""

MOST_URLS = 2000

_IS_OLD = frozenset({400, 401, 403, 404, 410})
"""What a provider says to an address whose time is over; which of them, nobody tells."""

_RANGE = re.compile(r"bytes=\d{0,15}-\d{0,15}")
_CONTENT_RANGE = re.compile(r"bytes \d{1,15}-\d{1,15}/(\d{1,15}|\*)")

_ALWAYS = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",  # the widget is on other sites
    "cache-control": "private, max-age=600",
}

_log = get_logger("guestwire.gateway")


class FileDownloads:
    """Opens files at the provider."""

    def __init__(
        self,
        hub: Hub,
        log: SessionLog,
        downloads: Downloads,
        provider: ProviderSettings,
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Take what it needs."""
        self._hub = hub
        self._log = log
        self._downloads = downloads
        self._provider = provider
        self._clock = clock
        self._metrics = metrics
        self._urls: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    async def open(self, file: FileRef, stack: AsyncExitStack, *, range_header: str | None) -> Download:
        """Return a file that is being read; the stack lets go of it.

        Raises:
            ChatError: It can't be had; for the one who asked.
        """
        if await self._log.get(file.sid) is None:
            raise Problem(code="attachment-unknown")
        try:
            download = await self._opened(file, stack, range_header)
        except SessionGone:
            raise Problem(code="attachment-unknown") from None
        except ChatError as error:
            raise guests_problem(error) from None
        length = download.answer.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_DOWNLOAD_BYTES:
            raise Problem("The file is larger than what is passed on.", code="upstream-invalid")
        return download

    def count(self, outcome: str) -> None:
        """Count a file that was passed on, or was not, by error code."""
        self._metrics.downloads.labels(outcome).inc()

    async def _opened(self, file: FileRef, stack: AsyncExitStack, range_header: str | None) -> Download:
        headers = {"accept-encoding": "identity"}
        if range_header is not None and _RANGE.fullmatch(range_header):
            headers["range"] = range_header
        known = self._known(file)
        if known is not None and may_fetch(known, self._provider):
            download = await self._tried(known, headers, stack)
            if download is not None:
                return download
            self._urls.pop((file.sid, file.id), None)
        fresh = await self._fresh(file)
        if not may_fetch(fresh, self._provider):
            raise Problem(code="upstream-invalid")
        download = await self._tried(fresh, headers, stack)
        if download is None:
            raise Problem(code="attachment-expired")
        return download

    async def _tried(self, url: str, headers: dict[str, str], stack: AsyncExitStack) -> Download | None:
        """Begin to read an address; None when its time is over."""
        attempt = await stack.enter_async_context(AsyncExitStack())
        download = await attempt.enter_async_context(self._downloads.download(HttpRequest("GET", url, headers)))
        status = download.answer.status
        if status in {200, 206}:
            return download
        await attempt.aclose()
        if status in _IS_OLD:
            return None
        raise Problem(code="upstream-busy" if status in {429, 503} else "upstream-invalid")

    def _known(self, file: FileRef) -> str | None:
        url, until = self._urls.get((file.sid, file.id), (file.url, float("inf")))
        return url if until > self._clock.now() else file.url

    async def _fresh(self, file: FileRef) -> str:
        session = await self._hub.open(file.sid)
        try:
            with session.in_use():
                url = await session.upstream.attachment_url(file.id)
        finally:
            self._hub.drop_if_idle(session)
        self._urls[file.sid, file.id] = url, self._clock.now() + URL_LIVES_S
        self._urls.move_to_end((file.sid, file.id))
        if len(self._urls) > MOST_URLS:
            self._urls.popitem(last=False)
        return url


class PassOn:
    """The answer that is a file (an ASGI app); what can't be had is raised before it begins."""

    def __init__(self, downloads: FileDownloads, file: FileRef, *, range_header: str | None) -> None:
        """Take what is asked for."""
        self._downloads = downloads
        self._file = file
        self._range = range_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fetch the file and pass it on, piece by piece."""
        async with AsyncExitStack() as stack:
            try:
                download = await self._downloads.open(self._file, stack, range_header=self._range)
            except ChatError as error:
                self._downloads.count(error.code)
                raise
            answer = download.answer
            headers = file_headers(self._file, answer.headers)
            has_range = answer.status == 206 and "content-range" in headers
            body = StreamingResponse(
                self._chunks(download, scope), status_code=206 if has_range else 200, headers=headers
            )
            try:
                async with asyncio.timeout(DOWNLOAD_S):
                    await body(scope, receive, send)
            except TimeoutError:
                raise ClientDisconnect from None  # as good as gone
            self._downloads.count("passed-on")

    async def _chunks(self, download: Download, scope: Scope) -> AsyncIterator[bytes]:
        left = MAX_DOWNLOAD_BYTES
        try:
            async for chunk in download.chunks:
                left -= len(chunk)
                if left < 0:
                    raise Problem(code="upstream-invalid")
                yield chunk
        except ChatError as error:
            _log.warning("a file was not passed on completely", code=error.code, context_id=context_id(scope))
            self._downloads.count(error.code)
            raise ClientDisconnect from None  # the answer has begun; it ends short


def may_fetch(url: str, provider: ProviderSettings) -> bool:
    """Return whether we ask for what a provider calls the address of a file.

    Encrypted, and no address of a private network; anything on this machine only for a provider that is there, too.
    """
    try:
        parts = urlsplit(url)
        host, is_named = parts.hostname or "", parts.username is None and parts.password is None
        _ = parts.port
    except ValueError:
        return False
    if not host or not is_named:
        return False
    is_here = is_loopback_host(host)
    if is_here:
        return parts.scheme in {"http", "https"} and is_loopback_host(
            urlsplit(provider.resolved_base_url).hostname or ""
        )
    try:
        is_public = ip_address(host).is_global
    except ValueError:
        is_public = True
    return parts.scheme == "https" and is_public


def file_headers(file: FileRef, theirs: object) -> dict[str, str]:
    """Return the headers of a file's answer; of the provider's only length and range are passed on."""
    given = theirs if isinstance(theirs, dict) else {}
    mime = clean_mime(file.mime or "") or clean_mime(given.get("content-type", ""))
    is_inline = mime is not None and INLINE_TYPES.fullmatch(mime) is not None
    headers = dict(_ALWAYS)
    headers["content-type"] = mime if mime is not None and is_inline else "application/octet-stream"
    headers["content-disposition"] = _disposition("inline" if is_inline else "attachment", file.name)
    if given.get("content-length", "").isdigit():
        headers["content-length"] = given["content-length"]
    if _CONTENT_RANGE.fullmatch(given.get("content-range", "")):
        headers["content-range"] = given["content-range"]
    if given.get("accept-ranges") == "bytes":
        headers["accept-ranges"] = "bytes"
    return headers


def _disposition(kind: str, name: str | None) -> str:
    """Write a Content-Disposition (RFC 6266): a plain name for what is old, and the real one."""
    cleaned = clean_file_name(name or "") or "file"
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in cleaned)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(cleaned, safe='')}"
