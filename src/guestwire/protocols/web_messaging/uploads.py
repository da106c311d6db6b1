"""The guest's files on their way: the checks before, and what has become of each.

Source: web-messaging §3.10, §4.3; §2.2 for the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from guestwire.errors import ChatError
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.limits import MAX_FILE_NAME_CHARS
from guestwire.protocols.web_messaging.wire import AllowedMedia

__all__ = ["AttachmentRejected", "UploadRules", "check_file"]


class AttachmentRejected(ChatError):
    """A file can't be sent; the code says why."""

    default_code = "attachment-failed"


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What a guest may upload.

    Attributes:
        file_types: Media types, perhaps `image/*` or `*/*`; none at all: nothing may be uploaded.
        max_bytes: Of one file, of types that `max_bytes_of` does not name; 0: nothing may be uploaded.
        max_bytes_of: Media type → most bytes.
        blocked_extensions: With their dot; never allowed, whatever the type.
    """

    file_types: tuple[str, ...] = ()
    max_bytes: int = 0
    max_bytes_of: dict[str, int] = field(default_factory=dict)
    blocked_extensions: frozenset[str] = frozenset()

    @property
    def is_on(self) -> bool:
        """Whether files may be sent at all."""
        return bool(self.file_types) and self.max_bytes > 0

    @classmethod
    def of(
        cls,
        media: AllowedMedia | None,
        blocked: tuple[str, ...] | None,
        deployment: Deployment | None = None,
    ) -> UploadRules:
        """Read the session's rules; or the deployment's, where it is an old one that has them (§1.3.2)."""
        extensions = frozenset(extension.lower() for extension in blocked or ())
        if deployment is not None and not deployment.uploads_by_session:
            modes = dict(deployment.upload_modes)
            return cls(tuple(modes), max(modes.values(), default=0), modes, extensions)
        inbound = media.inbound if media else None
        if inbound is None:
            return cls(blocked_extensions=extensions)
        types = tuple(one.type for one in inbound.file_types or ())
        return cls(types, int((inbound.max_file_size_kb or 0) * 1000), {}, extensions)

    def allows_type(self, file_type: str) -> bool:
        """Return whether a media type is allowed, by itself or by a wildcard."""
        return any(_matches(file_type.lower(), allowed.lower()) for allowed in self.file_types)

    def most_bytes(self, file_type: str) -> int:
        """Return the most bytes of a file of this type."""
        named = [most for allowed, most in self.max_bytes_of.items() if _matches(file_type.lower(), allowed.lower())]
        return max(named, default=self.max_bytes)


def check_file(rules: UploadRules, *, name: str, file_type: str, size: int) -> None:
    """Check a file as the provider does, before it is asked.

    Raises:
        AttachmentRejected: `attachments-off`, `attachment-name`, `attachment-type`, `attachment-empty` or
            `attachment-too-large`.
    """
    extension = PurePosixPath(name).suffix.lower()
    if not rules.is_on:
        raise AttachmentRejected(code="attachments-off")
    if not extension or len(name) >= MAX_FILE_NAME_CHARS or not name.isprintable() or "/" in name:
        raise AttachmentRejected(code="attachment-name")
    if extension in rules.blocked_extensions or not rules.allows_type(file_type):
        raise AttachmentRejected(code="attachment-type")
    if size < 1:
        raise AttachmentRejected(code="attachment-empty")
    if size > rules.most_bytes(file_type):
        raise AttachmentRejected(code="attachment-too-large")


def _matches(file_type: str, allowed: str) -> bool:
    if allowed in {"*", "*/*", file_type}:
        return True
    return allowed.endswith("/*") and file_type.startswith(allowed[:-1])
