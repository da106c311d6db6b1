"""Rules of uploads, and files held to them."""

from __future__ import annotations

import pytest

from guestwire.protocols.web_messaging.answers import allowed_media
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.uploads import AttachmentRejected, UploadRules, check_file
from guestwire.protocols.web_messaging.wire import AllowedMedia, InboundMedia

RULES = UploadRules.of(allowed_media(["image/*", "application/pdf"], 10), (".EXE", ".svg"))


@pytest.mark.parametrize(
    "name, file_type, size, code",
    [
        ("door.png", "image/png", 10_000, None),
        ("DOOR.PNG", "Image/PNG", 1, None),
        ("a.pdf", "application/pdf", 1, None),
        ("door.png", "image/png", 10_001, "attachment-too-large"),
        ("door.png", "image/png", 0, "attachment-empty"),
        ("door.svg", "image/svg+xml", 1, "attachment-type"),
        ("setup.exe", "image/png", 1, "attachment-type"),
        ("a.txt", "text/plain", 1, "attachment-type"),
        ("door", "image/png", 1, "attachment-name"),
        ("a/b.png", "image/png", 1, "attachment-name"),
        ("a\nb.png", "image/png", 1, "attachment-name"),
        ("x" * 1020 + ".png", "image/png", 1, "attachment-name"),
    ],
)
def test_a_file_is_checked_before_the_provider_is_asked(name: str, file_type: str, size: int, code: str | None) -> None:
    """By its name, its type, its size (§3.10)."""
    if code is None:
        check_file(RULES, name=name, file_type=file_type, size=size)
        return
    with pytest.raises(AttachmentRejected) as caught:
        check_file(RULES, name=name, file_type=file_type, size=size)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "media",
    [None, AllowedMedia(), AllowedMedia(inbound=InboundMedia()), allowed_media([], 10), allowed_media(["*/*"], 0)],
)
def test_without_types_or_size_files_are_off(media: AllowedMedia | None) -> None:
    """Both are needed (§3.10)."""
    rules = UploadRules.of(media, None)
    assert not rules.is_on
    with pytest.raises(AttachmentRejected) as caught:
        check_file(rules, name="a.png", file_type="image/png", size=1)
    assert caught.value.code == "attachments-off"


def test_everything_may_be_allowed() -> None:
    """`*/*` (seen live)."""
    assert UploadRules.of(allowed_media(["*/*"], 1), None).allows_type("x/y")


def test_an_old_deployment_has_the_rules_itself() -> None:
    """Plain types, each with its size; the session's are not read (§1.3.2)."""
    modes = {"image/*": 2000, "text/plain": 10}
    deployment = Deployment("d", uploads_by_session=False, upload_modes=modes)
    rules = UploadRules.of(allowed_media(["*/*"], 99), None, deployment)
    assert (rules.most_bytes("image/png"), rules.most_bytes("text/plain"), rules.most_bytes("x/y")) == (2000, 10, 2000)
    assert not rules.allows_type("video/mp4")
    assert not UploadRules.of(allowed_media(["*/*"], 99), None, Deployment("d", uploads_by_session=False)).is_on
