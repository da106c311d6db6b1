"""Addresses of files: sealed, bound to a session, and made of what the provider said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.gateway.relay.attachment_links import ATTACHMENTS_PATH, AttachmentLinks, FileRef
from guestwire.gateway.relay.envelope import Envelope
from guestwire.model.content import parse_content
from guestwire.model.ids import SessionId

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
LINKS = AttachmentLinks(Envelope([KEY]))
SID = SessionId("s1")
FILE = FileRef(sid=SID, id="f1", url="https://cdn.example/x?sig=1", name="x.png", mime="image/png")


class Another(msgspec.Struct):
    """Something else that is sealed, with the same members."""

    sid: str
    id: str


def sealed(links: AttachmentLinks = LINKS, file: FileRef = FILE) -> str:
    return links.path(file).removeprefix(f"{ATTACHMENTS_PATH}/")


def test_what_is_sealed_is_opened_and_tells_nothing() -> None:
    """Two addresses of one file differ; nothing of it can be read from them."""
    assert LINKS.open(sealed()) == FILE
    assert sealed() != sealed()
    assert "cdn" not in sealed()
    assert "s1" not in sealed()


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_address_opens_nothing(where: int, change: int) -> None:
    """Not one character of it."""
    text = sealed()
    at = where % len(text)
    changed = f"{text[:at]}{chr((ord(text[at]) + change) % 256)}{text[at + 1 :]}"
    opened = LINKS.open(changed)
    assert opened is None or (opened == FILE and changed != text)  # the last character has bits that say nothing


@pytest.mark.parametrize("text", ["", "x", "a.b.c.d.e", "....", "\x00", "é" * 10, "a" * 7000])
def test_what_is_no_address_opens_nothing(text: str) -> None:
    """Whatever it is."""
    assert LINKS.open(text) is None


def test_keys_and_kinds() -> None:
    """An old key opens, a foreign one does not, and nothing of another kind."""
    old = sealed(AttachmentLinks(Envelope([OTHER])))
    assert LINKS.open(old) is None
    assert AttachmentLinks(Envelope([KEY, OTHER])).open(old) == FILE
    assert LINKS.open(Envelope([KEY]).close(Another("s1", "f1"))) is None


def test_a_very_long_address_of_the_providers_is_asked_for_instead() -> None:
    """Ours must fit into a request line."""
    long = msgspec.structs.replace(FILE, url="https://cdn.example/" + "x" * 3000)
    opened = LINKS.open(sealed(file=long))
    assert opened == msgspec.structs.replace(FILE, url=None)


def shown(**file: Any) -> dict[str, Any]:
    (item,) = LINKS.rewritten(SID, parse_content([{"contentType": "Attachment", "attachment": file}]))
    kept = item["attachment"]
    assert isinstance(kept, dict)
    return kept


def test_what_browsers_get_of_content() -> None:
    """Files with an id get an address of ours, others keep https; the rest of an item stays as it was."""
    file = shown(id="f1", url="https://cdn.example/x", filename="x.png", mime="image/png", extra=1)
    assert {name: file[name] for name in ("id", "filename", "mime", "extra")} == {
        "id": "f1",
        "filename": "x.png",
        "mime": "image/png",
        "extra": 1,
    }
    assert LINKS.open(file["url"].removeprefix("/attachments/")) == msgspec.structs.replace(
        FILE, url="https://cdn.example/x"
    )
    assert shown(url="https://cdn.example/x") == {"url": "https://cdn.example/x"}
    for url in ("http://cdn.example/x", "javascript:alert(1)", "data:text/html,x", "https://", "https://[", 7, None):
        assert shown(url=url, id="") == {"id": ""}
    assert shown(id=7, url="https://cdn.example/x")["url"] == "https://cdn.example/x"
    card = [{"contentType": "Card", "card": {"title": "t", "image": "https://cdn.example/x"}}]
    odd = [{"contentType": "Attachment", "attachment": "x"}]
    assert LINKS.rewritten(SID, parse_content(card + odd)) == card + odd
