"""The guest's files: their bytes on the way to the provider, and whoever waits for what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from guestwire.client.adapter import Shell
from guestwire.errors import ERRORS, ChatError, ConnectionLost, LocalProtocolError, TimedOut
from guestwire.model.events import AttachmentStatus, AttachmentUpdated
from guestwire.model.http import Stream
from guestwire.net.clock import Clock
from guestwire.protocols.web_messaging.client import WebMessagingClient
from guestwire.protocols.web_messaging.effects import Upload
from guestwire.protocols.web_messaging.uploads import AttachmentRejected

__all__ = ["FileData", "Files"]

FileData: TypeAlias = bytes | AsyncIterable[bytes]

PIECE_BYTES = 64 * 1024
"""Bytes of a file that are in the socket's hands at a time, when it is given as a whole."""

PROGRESS_STEPS = 20
"""An event for each twentieth of a file: enough for a bar that moves, too few to be in the way."""

ANSWER_LIMIT_S = 10.0
"""A provider that does not answer a request of ours in this time is not there any more."""

MOST_FATES = 100
"""Files whose fate is remembered for `uploaded`; older ones were asked about long ago, or never will be."""

PutFile: TypeAlias = Callable[[str, Mapping[str, str], str, Stream], Awaitable[None]]
"""Puts a stream to a URL with headers, as a media type."""

_SETTLED = frozenset({AttachmentStatus.UPLOADED, AttachmentStatus.FAILED, AttachmentStatus.DELETED})


@dataclass(slots=True)
class _File:
    file_type: str
    size: int
    chunks: AsyncGenerator[bytes]
    upload: asyncio.Task[None] | None = None


class Files:
    """All of one chat's."""

    def __init__(self, core: WebMessagingClient, clock: Clock, put: PutFile) -> None:
        """Start with none."""
        self._core = core
        self._clock = clock
        self._put = put
        self._files: dict[str, _File] = {}
        self._fates: dict[str, AttachmentUpdated] = {}
        self._waiters: list[tuple[str, frozenset[AttachmentStatus], asyncio.Future[AttachmentUpdated]]] = []

    # --- what the app wants -----------------------------------------------------------------------------------

    def attach(self, shell: Shell, name: str, file_type: str, data: FileData, size: int | None) -> str:
        """Begin to send a file, and return its id."""
        if isinstance(data, bytes):
            size = len(data)
            data = _pieces(data)
        elif size is None:
            raise LocalProtocolError("Expected size= for a file that is not given as bytes.")
        attachment_id = str(uuid.uuid4())
        total = size
        shell.tell(
            lambda: self._core.attach(attachment_id, self._clock.now(), name=name, file_type=file_type, size=total)
        )
        self._files[attachment_id] = _File(file_type, total, self._counted(attachment_id, data, total, shell))
        return attachment_id

    async def uploaded(self, attachment_id: str) -> str:
        """Return where the file can be downloaded, once the provider has it."""
        fate = self._fates.get(attachment_id)
        if fate is None and attachment_id not in self._files:
            raise AttachmentRejected(code="attachment-unknown")
        return _url(fate or await self._wait_for(attachment_id, _SETTLED))

    async def refreshed(self, shell: Shell, attachment_id: str) -> str:
        """Ask for another download URL and return it."""
        shell.tell(lambda: self._core.refresh_attachment(attachment_id, self._clock.now()))
        limit = asyncio.ensure_future(self._clock.sleep(ANSWER_LIMIT_S))
        answer = asyncio.ensure_future(
            self._wait_for(attachment_id, frozenset({AttachmentStatus.REFRESHED, AttachmentStatus.FAILED}))
        )
        try:
            await asyncio.wait({limit, answer}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise TimedOut("The answer about an attachment", ANSWER_LIMIT_S)
            return _url(answer.result())
        finally:
            limit.cancel()
            answer.cancel()

    def delete(self, shell: Shell, attachment_id: str) -> None:
        """Give a file up, also while it is being uploaded."""
        self._stop(attachment_id)
        shell.tell(lambda: self._core.delete_attachment(attachment_id, self._clock.now()))

    # --- what the core wants ----------------------------------------------------------------------------------

    def upload(self, effect: Upload, shell: Shell) -> None:
        """Begin to upload a file to where the provider said."""
        file = self._files.get(effect.attachment_id)
        if file is not None and file.upload is None:
            file.upload = shell.spawn(self._upload(effect, file, shell))

    def note(self, event: AttachmentUpdated) -> None:
        """Tell those who wait, and stop an upload that is of no use any more."""
        attachment_id, status = event.attachment_id, event.status
        if status in _SETTLED:
            self._stop(attachment_id)
            self._fates[attachment_id] = event
            if len(self._fates) > MOST_FATES:
                del self._fates[next(iter(self._fates))]
        for wanted_id, statuses, waiter in self._waiters:
            if wanted_id == attachment_id and status in statuses and not waiter.done():
                waiter.set_result(event)

    def disconnected(self) -> None:
        """Nothing that was asked is answered any more; uploads have failed by their own events."""
        for attachment_id, _, waiter in self._waiters:
            if attachment_id not in self._files and not waiter.done():
                waiter.set_exception(ConnectionLost())

    def let_go(self) -> None:
        """Stop all of them."""
        for attachment_id in list(self._files):
            self._stop(attachment_id)
        self.disconnected()

    # --- inside -----------------------------------------------------------------------------------------------

    async def _upload(self, effect: Upload, file: _File, shell: Shell) -> None:
        failure: ChatError
        try:
            await self._put(effect.url, effect.headers, file.file_type, Stream(file.chunks, file.size))
        except ChatError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever the app's stream raises
            failure = ChatError(f"The file could not be read ({type(error).__name__}).", code="attachment-failed")
        else:
            return  # the provider tells over the socket what has become of it
        finally:
            with contextlib.suppress(RuntimeError):  # the transport is in it still: cancelled, it closes it itself
                await file.chunks.aclose()
        shell.tell(lambda: self._core.upload_failed(effect.attachment_id, failure))

    async def _counted(
        self, attachment_id: str, data: AsyncIterable[bytes], total: int, shell: Shell
    ) -> AsyncGenerator[bytes]:
        sent = told = 0
        try:
            async for chunk in data:
                yield chunk
                sent += len(chunk)
                if sent - told >= total / PROGRESS_STEPS or sent == total:
                    told = sent
                    shell.show(
                        AttachmentUpdated(
                            attachment_id=attachment_id,
                            status=AttachmentStatus.UPLOADING,
                            sent_bytes=sent,
                            total_bytes=total,
                        )
                    )
        finally:
            if isinstance(data, AsyncGenerator):
                await data.aclose()

    async def _wait_for(self, attachment_id: str, statuses: frozenset[AttachmentStatus]) -> AttachmentUpdated:
        waiter: asyncio.Future[AttachmentUpdated] = asyncio.get_running_loop().create_future()
        entry = attachment_id, statuses, waiter
        self._waiters.append(entry)
        try:
            return await waiter
        finally:
            self._waiters.remove(entry)

    def _stop(self, attachment_id: str) -> None:
        file = self._files.pop(attachment_id, None)
        if file is not None and file.upload is not None and file.upload is not asyncio.current_task():
            file.upload.cancel()


async def _pieces(data: bytes) -> AsyncGenerator[bytes]:
    view = memoryview(data)
    for start in range(0, len(view), PIECE_BYTES):
        yield bytes(view[start : start + PIECE_BYTES])


def _url(event: AttachmentUpdated) -> str:
    if event.status is AttachmentStatus.FAILED:
        code = event.code if event.code in ERRORS else "attachment-failed"
        raise AttachmentRejected(event.text or None, code=code)
    if event.status is AttachmentStatus.DELETED or not event.url:
        raise AttachmentRejected(code="attachment-unknown")
    return event.url
