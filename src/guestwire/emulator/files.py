"""Files of guests, agents and the bot: bytes in memory, bounded in count and size, gone after 15 days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from guestwire.model.content import Attachment, ContentItem, attachment

__all__ = ["FileRecord", "Files"]

MAX_FILES = 500
MAX_BYTES = 128 * 1024 * 1024
"""Beyond either, the oldest files go; more than one conversation's worth of the largest that a guest may send."""

FILE_LIFE = timedelta(days=15)
"""As on the platform (web-messaging §5)."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file; the repr leaves its bytes out."""

    id: str
    name: str
    mime: str
    data: bytes = field(repr=False)
    added_at: datetime

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def media_type(self) -> str:
        """The platform's word for the kind (web-messaging §4.5)."""
        kind = self.mime.partition("/")[0].capitalize()
        return kind if kind in {"Image", "Video", "Audio"} else "File"

    def as_item(self) -> ContentItem:
        """Return the item with which a message carries it; where it can be downloaded is told to each reader anew."""
        return attachment(
            Attachment(id=self.id, media_type=self.media_type, filename=self.name, file_size=self.size, mime=self.mime)
        )


class Files:
    """All files of an org, oldest first."""

    def __init__(self, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
        """Start with none."""
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._files: dict[str, FileRecord] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._files)

    def add(self, record: FileRecord) -> None:
        """Keep a file; the oldest go where it gets too much. One that is too large by itself is not kept."""
        self.remove(record.id)
        if record.size > self._max_bytes:
            return
        self._files[record.id] = record
        self._bytes += record.size
        while len(self._files) > self._max_files or self._bytes > self._max_bytes:
            self.remove(next(islice(self._files, 1)))

    def find(self, file_id: str, now: datetime) -> FileRecord | None:
        """Return a file; None when there is none of that id, or its time is over."""
        record = self._files.get(file_id)
        return record if record is not None and now < record.added_at + FILE_LIFE else None

    def remove(self, file_id: str) -> None:
        """Forget a file."""
        record = self._files.pop(file_id, None)
        self._bytes -= record.size if record is not None else 0

    def clear(self) -> None:
        """Forget all."""
        self._files.clear()
        self._bytes = 0
