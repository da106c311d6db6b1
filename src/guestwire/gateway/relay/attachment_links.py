"""Addresses of files for browsers: ours instead of the provider's, which are good for minutes and open to everybody.

An address holds, sealed, whose file it is and where the provider has it. So nothing of it need be kept here, the log's
records stay good for as long as the session is there, and nobody can make one or change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from guestwire.gateway.relay.envelope import Envelope
from guestwire.model.content import ContentItem
from guestwire.model.ids import SessionId

__all__ = ["ATTACHMENTS_PATH", "AttachmentLinks", "FileRef"]

ATTACHMENTS_PATH = "/attachments"

MAX_URL_CHARS = 2048
"""A longer address of the provider's is left out, and asked for when the file is: ours must fit into a request line."""

MAX_SEALED_CHARS = 6000


class FileRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a session: its id at the provider, and what the provider said about it."""

    sid: SessionId
    id: str
    url: str | None = None
    name: str | None = None
    mime: str | None = None


class AttachmentLinks:
    """Makes addresses of files, and reads them."""

    def __init__(self, envelope: Envelope) -> None:
        """Take what seals."""
        self._envelope = envelope

    def path(self, file: FileRef) -> str:
        """Return the address of a file, as a path of the gateway."""
        if file.url is not None and len(file.url) > MAX_URL_CHARS:
            file = msgspec.structs.replace(file, url=None)
        return f"{ATTACHMENTS_PATH}/{self._envelope.close(file)}"

    def open(self, sealed: str) -> FileRef | None:
        """Return the file of the last part of an address; None when it is not one of ours."""
        return self._envelope.open(sealed, FileRef) if len(sealed) <= MAX_SEALED_CHARS else None

    def rewritten(self, sid: SessionId, content: Sequence[ContentItem]) -> list[dict[str, object]]:
        """Return the raw items of a message with our addresses of its files; what has no id keeps an https address."""
        return [self._rewritten(sid, item) if item.kind == "Attachment" else item.raw for item in content]

    def _rewritten(self, sid: SessionId, item: ContentItem) -> dict[str, object]:
        file = item.raw.get("attachment")
        if not isinstance(file, dict):
            return item.raw
        kept = {name: value for name, value in file.items() if name != "url"}
        url, file_id = file.get("url"), file.get("id")
        if isinstance(file_id, str) and file_id:
            name, mime = file.get("filename"), file.get("mime")
            kept["url"] = self.path(
                FileRef(
                    sid=sid,
                    id=file_id,
                    url=url if isinstance(url, str) else None,
                    name=name if isinstance(name, str) else None,
                    mime=mime if isinstance(mime, str) else None,
                )
            )
        elif isinstance(url, str) and _is_https(url):
            kept["url"] = url
        return item.raw | {"attachment": kept}


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)
