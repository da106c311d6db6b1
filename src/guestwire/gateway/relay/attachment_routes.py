"""Guests' files: uploads and their undoing, and the addresses under which browsers get all files of a chat.

Bytes pass through and are kept nowhere: what a guest sends is read as fast as the provider takes it, what the provider
has as fast as the guest does. So many at once, of one address, of one session, is all the memory that it can take.

Source: topics/protocol.md, "Rich chats on the gateway" [D].
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from guestwire.errors import ChatError, ConversationEnded, RateLimited, SessionExpired, SessionGone
from guestwire.gateway.errors import BUSY_RETRY_S, Problem, error_response, guests_problem
from guestwire.gateway.limits import AddressLimits, address_key
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay.attachment_links import ATTACHMENTS_PATH, AttachmentLinks
from guestwire.gateway.relay.file_downloads import FileDownloads, PassOn
from guestwire.gateway.relay.hub import Hub
from guestwire.gateway.relay.interface import Upload
from guestwire.gateway.relay.offers import MAX_UPLOAD_BYTES
from guestwire.gateway.relay.session import RelaySession
from guestwire.gateway.relay.tokens import Pair
from guestwire.gateway.sessions_routes import MAX_ID_CHARS, bearer_token
from guestwire.model.file_names import MAX_FILE_NAME_CHARS, clean_file_name, media_type_of
from guestwire.net.clock import Clock
from guestwire.protocols.guest_session.guest_content import clean_mime, is_provider_id
from guestwire.protocols.guest_session.rest import SESSIONS_PATH
from guestwire.protocols.web_messaging.uploads import AttachmentRejected, check_file

__all__ = ["AttachmentRoutes"]

UPLOADS_PER_MINUTE = 60.0
UPLOADS_BURST = 20
"""Of one address: an office of guests who send pictures."""

DOWNLOADS_PER_MINUTE = 300.0
DOWNLOADS_BURST = 100
"""Of one address; a browser that opens a long chat asks for all its pictures at once."""

TOTAL_TIMES = 20
"""All addresses together may ask for so many times as much as one."""

MOST_OF_SESSION = 2
MOST_OF_ADDRESS = 8
MOST_UPLOADS = 64
MOST_DOWNLOADS = 256
MOST_DOWNLOADS_OF_ADDRESS = 32
"""At once. Each holds some 200 KiB here, and a connection to the provider."""

CHUNK_S = 20.0
UPLOAD_S = 300.0
"""A body has to go on within the one and be there within the other: 25 MB in five minutes is 85 kB/s."""

MAX_NAME_HEADER_CHARS = 9 * MAX_FILE_NAME_CHARS
"""A character is at most three percent-escapes, but for those of two UTF-16 units."""


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Body of the answer to an upload: what goes into the message, and where the guest can see it."""

    id: str
    filename: str
    mime: str
    media_type: str
    file_size: int
    url: str


class AttachmentRoutes:
    """Takes files from guests, and gives out those of their chats."""

    def __init__(self, hub: Hub, downloads: FileDownloads, *, clock: Clock, metrics: Metrics) -> None:
        """Take what the calls need."""
        self._hub = hub
        self._downloads = downloads
        self._clock = clock
        self._metrics = metrics
        self._upload_limits = AddressLimits(
            per_minute=UPLOADS_PER_MINUTE, burst=UPLOADS_BURST, per_minute_total=UPLOADS_PER_MINUTE * TOTAL_TIMES
        )
        self._download_limits = AddressLimits(
            per_minute=DOWNLOADS_PER_MINUTE,
            burst=DOWNLOADS_BURST,
            per_minute_total=DOWNLOADS_PER_MINUTE * TOTAL_TIMES,
        )
        self._uploads = _Slots({"session": MOST_OF_SESSION, "address": MOST_OF_ADDRESS, "all": MOST_UPLOADS})
        self._passing = _Slots({"address": MOST_DOWNLOADS_OF_ADDRESS, "all": MOST_DOWNLOADS})

    def routes(self) -> list[Route]:
        """Return the routes; each path once."""
        files = f"{SESSIONS_PATH}/{{session_id}}/attachments"
        return [
            Route(files, self.upload, methods=["POST"]),
            Route(f"{files}/{{attachment_id}}", self.delete, methods=["DELETE"]),
            Route(f"{ATTACHMENTS_PATH}/{{sealed}}", self.download, methods=["GET"]),
        ]

    async def upload(self, request: Request) -> Response:
        """Answer `POST …/guestsessions/{sessionId}/attachments`."""
        try:
            answer = await self._upload(request)
        except ChatError as problem:
            self._metrics.uploads.labels(problem.code).inc()
            # What was not read must not be read either: the connection goes with the answer.
            return error_response(
                request.scope,
                problem.code,
                message=problem.message,
                retry_after_s=problem.retry_after_s,
                headers={"connection": "close"},
            )
        self._metrics.uploads.labels("taken").inc()
        self._metrics.upload_bytes.inc(answer.file_size)
        return Response(msgspec.json.encode(answer), status_code=201, media_type="application/json")

    async def delete(self, request: Request) -> Response:
        """Answer `DELETE …/guestsessions/{sessionId}/attachments/{id}`."""
        self._limit(self._upload_limits, request)
        pair = await self._authorised(request)
        attachment_id: str = request.path_params["attachment_id"]
        if is_provider_id(attachment_id):
            async with self._session(pair) as session:
                try:
                    await session.upstream.delete_attachment(attachment_id)
                except ChatError as error:
                    raise guests_problem(error) from None
        return Response(status_code=204)

    async def download(self, request: Request) -> ASGIApp:
        """Answer `GET /attachments/{sealed}`."""
        self._limit(self._download_limits, request)
        file = AttachmentLinks(self._hub.envelope).open(request.path_params["sealed"])
        if file is None:
            raise Problem(code="attachment-unknown")
        slot = self._passing.taken(address=_address(request), all="")
        return _InSlot(slot, PassOn(self._downloads, file, range_header=request.headers.get("range")))

    # --- within -------------------------------------------------------------------------------------------------------

    async def _upload(self, request: Request) -> _Answer:
        self._limit(self._upload_limits, request)
        pair = await self._authorised(request)
        size = _size(request)
        name, mime = _name(request), clean_mime(request.headers.get("content-type", "application/octet-stream"))
        if mime is None:
            raise AttachmentRejected(code="attachment-type")
        with self._uploads.taken(session=pair.sid, address=_address(request), all=""):
            async with self._session(pair) as session:
                _check(session, name, mime, size)
                upload = Upload(name=name, file_type=mime, size=size, data=_body(request, size))
                try:
                    async with asyncio.timeout(UPLOAD_S):
                        file, url = await session.attach(upload)
                except ChatError as error:
                    raise guests_problem(error) from None
                except TimeoutError:
                    raise Problem(f"The file was not there within {UPLOAD_S:g} s.", code="bad-request") from None
        return _Answer(id=file.id, filename=name, mime=mime, media_type=media_type_of(mime), file_size=size, url=url)

    async def _authorised(self, request: Request) -> Pair:
        session_id: str = request.path_params["session_id"]
        token = bearer_token(request)
        if token is None or len(session_id) > MAX_ID_CHARS:
            raise SessionExpired  # the same answer for "not there" and "not yours"
        pair = await self._hub.tokens.check(session_id, token)
        if pair is None:
            raise SessionExpired
        return pair

    @contextlib.asynccontextmanager
    async def _session(self, pair: Pair) -> AsyncIterator[RelaySession]:
        try:
            session = await self._hub.open(pair.sid)
        except SessionGone:
            raise SessionExpired from None
        with session.in_use():
            yield session
        self._hub.drop_if_idle(session)

    def _limit(self, limits: AddressLimits, request: Request) -> None:
        wait_s = limits.take(_host(request), self._clock.now())
        if wait_s > 0:
            raise RateLimited(retry_after_s=wait_s)


class _Slots:
    """How much goes on at once, by several keys."""

    def __init__(self, most: dict[str, int]) -> None:
        """Take the most for each kind of key."""
        self._most = most
        self._taken: Counter[tuple[str, str]] = Counter()

    @contextlib.contextmanager
    def _held(self, keys: list[tuple[str, str]]) -> Iterator[None]:
        try:
            yield
        finally:
            for key in keys:
                self._taken[key] -= 1
                if self._taken[key] <= 0:
                    del self._taken[key]

    def taken(self, **keys: str) -> contextlib.AbstractContextManager[None]:
        """Take a slot; leaving the context gives it back.

        Raises:
            Problem: There is none: `rate-limited`, or `busy` when it is not the guest's fault.
        """
        for kind, key in keys.items():
            if self._taken[kind, key] >= self._most[kind]:
                raise Problem(code="busy" if kind == "all" else "rate-limited", retry_after_s=BUSY_RETRY_S)
        taken = list(keys.items())
        self._taken.update(taken)
        return self._held(taken)


class _InSlot:
    """An answer that holds a slot while it is given."""

    def __init__(self, slot: contextlib.AbstractContextManager[None], app: ASGIApp) -> None:
        self._slot = slot
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._slot:
            await self._app(scope, receive, send)


def _check(session: RelaySession, name: str, mime: str, size: int) -> None:
    """Refuse what is certain to be refused, before the provider is asked."""
    offer = session.upstream.offer
    if offer is None or "attachments" not in offer.features:
        raise AttachmentRejected(code="attachments-off")
    if session.has_ended:
        raise ConversationEnded
    if offer.read_only:
        raise Problem(code="read-only")
    if offer.uploads.is_on:
        check_file(offer.uploads, name=name, file_type=mime, size=size)


def _size(request: Request) -> int:
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise Problem("Expected a Content-Length.", code="bad-request")
    size = int(length[:20])
    if size > MAX_UPLOAD_BYTES:
        raise AttachmentRejected(code="attachment-too-large")
    if size == 0:
        raise AttachmentRejected(code="attachment-empty")
    return size


def _name(request: Request) -> str:
    given = request.headers.get("filename", "")
    try:
        name = clean_file_name(unquote_to_bytes(given[: MAX_NAME_HEADER_CHARS + 1]).decode())
    except UnicodeError:
        name = ""
    is_right = len(given) <= MAX_NAME_HEADER_CHARS and 0 < len(name) <= MAX_FILE_NAME_CHARS
    if not is_right or not PurePosixPath(name).suffix:
        raise AttachmentRejected(code="attachment-name")
    return name


async def _body(request: Request, size: int) -> AsyncIterator[bytes]:
    """Give out the body as it comes."""
    left = size
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout(CHUNK_S):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            left -= len(chunk)
            if left < 0:
                raise AttachmentRejected(code="attachment-too-large")
            if chunk:
                yield chunk
    except TimeoutError:
        raise Problem(f"The file did not go on within {CHUNK_S:g} s.", code="bad-request") from None
    except ClientDisconnect:
        raise AttachmentRejected(code="attachment-not-uploaded") from None
    if left:
        raise AttachmentRejected(code="attachment-not-uploaded")


def _host(request: Request) -> str:
    return request.client.host if request.client else ""


def _address(request: Request) -> str:
    return address_key(_host(request))
