"""Names of files, cleaned."""

from __future__ import annotations

import pytest

from guestwire.model.file_names import clean_file_name, media_type_of


@pytest.mark.parametrize(
    "name, cleaned",
    [
        ("door.png", "door.png"),
        ("Straße 7 – Plan.pdf", "Straße 7 – Plan.pdf"),
        ("図面.png", "図面.png"),
        ("u\u0308ber.txt", "über.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\x.doc", "x.doc"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie: x.png"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\u200b\u2066\ufeffb.png", "ab.png"),
        ("a\u00a0b.png", "a b.png"),
        ("evil.exe. . ", "evil.exe"),
        ("half \ud83d.png", "half \ufffd.png"),
        ("..", ""),
        ("a/", ""),
        ("\x00", ""),
    ],
)
def test_clean(name: str, cleaned: str) -> None:
    """No folders, nothing that is not shown; cleaning twice changes nothing more."""
    assert clean_file_name(name) == cleaned
    assert clean_file_name(cleaned) == cleaned


def test_media_types() -> None:
    """In Web Messaging's words."""
    assert [media_type_of(mime) for mime in ("image/png", "VIDEO/mp4", "audio/ogg", "text/html", "")] == [
        "Image",
        "Video",
        "Audio",
        "File",
        "File",
    ]
