"""Names of files that people send: what is left of one before anybody else gets to see it."""

from __future__ import annotations

import unicodedata

from guestwire.model.wire_text import well_formed

__all__ = ["MAX_FILE_NAME_CHARS", "clean_file_name", "media_type_of"]

MAX_FILE_NAME_CHARS = 255
"""What file systems take of one; Genesys Cloud would take 1,023."""

_MEDIA_TYPES = {"image": "Image", "video": "Video", "audio": "Audio"}


def clean_file_name(name: str) -> str:
    """Return a file's name without folders and without characters that are not shown; may be empty.

    Controls could end a header's line, changes of direction show `exe.png` for `gnp.exe`, and the dots and spaces at
    the end, which some systems drop, would hide an extension.
    """
    last = unicodedata.normalize("NFC", well_formed(name)).replace("\\", "/").rsplit("/", 1)[-1]
    shown = (
        character if character.isprintable() else " " * (unicodedata.category(character) == "Zs") for character in last
    )
    return "".join(shown).strip().rstrip(". ")


def media_type_of(mime: str) -> str:
    """Return Web Messaging's word for a media type: `Image`, `Video`, `Audio` or `File`."""
    return _MEDIA_TYPES.get(mime.partition("/")[0].lower(), "File")
