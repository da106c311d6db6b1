"""Files in memory, and their bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from guestwire.emulator.files import FILE_LIFE, FileRecord, Files
from guestwire.model.content import Attachment

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def file(file_id: str, size: int = 1, mime: str = "text/plain") -> FileRecord:
    return FileRecord(file_id, f"{file_id}.txt", mime, b"x" * size, NOW)


def test_the_oldest_go() -> None:
    """Beyond the count, and beyond the bytes; one too large by itself is not kept at all."""
    files = Files(max_files=3, max_bytes=10)
    for name in "abcd":
        files.add(file(name))
    assert [name for name in "abcd" if files.find(name, NOW)] == ["b", "c", "d"]
    files.add(file("e", size=8))
    assert [name for name in "bcde" if files.find(name, NOW)] == ["c", "d", "e"]
    files.add(file("g", size=4))
    assert [name for name in "cdeg" if files.find(name, NOW)] == ["g"]
    files.add(file("e", size=5))
    files.add(file("f", size=11))
    assert files.find("f", NOW) is None
    assert files.find("e", NOW) is not None
    files.clear()
    assert len(files) == 0


def test_the_same_id_again_replaces() -> None:
    """And its bytes count once."""
    files = Files(max_files=3, max_bytes=10)
    for _ in range(5):
        files.add(file("a", size=6))
    found = files.find("a", NOW)
    assert found is not None
    assert (len(files), found.size) == (1, 6)
    files.remove("nobody")


def test_gone_after_its_life() -> None:
    """Fifteen days."""
    files = Files()
    files.add(file("a"))
    assert files.find("a", NOW + FILE_LIFE - timedelta(seconds=1)) is not None
    assert files.find("a", NOW + FILE_LIFE) is None


@pytest.mark.parametrize(
    ("mime", "kind"), [("image/png", "Image"), ("video/mp4", "Video"), ("audio/ogg", "Audio"), ("a/b", "File")]
)
def test_as_an_item(mime: str, kind: str) -> None:
    """In the platform's words, without an address: each reader is told its own. The repr shows no bytes."""
    record = file("a", mime=mime)
    value = record.as_item().value
    assert isinstance(value, Attachment)
    assert (value.media_type, value.url, value.file_size) == (kind, None, 1)
    assert "data" not in repr(record)
