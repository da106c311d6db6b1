"""Uploads that were asked for: whose file may be put at which address, with which headers (web-messaging §3.10)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from guestwire.emulator.org import Org
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.provider import ServedDeployment, ServedFile
from guestwire.protocols.web_messaging.uploads import UploadRules

__all__ = ["UPLOADS_PATH", "Upload", "Uploads", "refusal_of"]

UPLOADS_PATH = "/api/v2/uploads/"

UPLOAD_S = 600.0
"""How long an upload URL is good; nobody tells [D]."""

MAX_UPLOADS = 1000

TAGGING = "x-amz-tagging"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that may come; `tagging` must come with it as it was given."""

    token: Secret
    file: ServedFile
    tagging: str


class Uploads:
    """What was asked for and has not come yet."""

    def __init__(self, org: Org) -> None:
        """Start with none."""
        self._org = org
        self._uploads: dict[str, Upload] = {}

    def ask(self, token: Secret, file: ServedFile) -> tuple[str, dict[str, str]]:
        """Return the path to put a file at, with its signature, and the headers to put it with."""
        upload_id = self._org.ids.new_id("upload")
        tagging = f"organizationId=emulated&originPlatform=guestwire&attachmentId={upload_id}"
        self._uploads[upload_id] = Upload(token, file, tagging)
        for oldest in list(islice(self._uploads, max(0, len(self._uploads) - MAX_UPLOADS))):
            del self._uploads[oldest]
        path = self._org.signed_paths.sign(
            f"{UPLOADS_PATH}{upload_id}", until=self._org.clock.utc().timestamp() + UPLOAD_S
        )
        return path, {TAGGING: tagging}

    def find(self, upload_id: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Upload | None:
        """Return what may be put there; None when it was not asked for, came already, is late or lacks its header."""
        upload = self._uploads.get(upload_id)
        now = self._org.clock.utc().timestamp()
        if upload is None or not self._org.signed_paths.is_good(f"{UPLOADS_PATH}{upload_id}", query, now=now):
            return None
        is_tagged = hmac.compare_digest(headers.get(TAGGING, "").encode(), upload.tagging.encode())
        return upload if is_tagged else None

    def done(self, upload_id: str) -> None:
        """Take no other file there."""
        self._uploads.pop(upload_id, None)


def refusal_of(rules: ServedDeployment, file: ServedFile, *, file_type: str, size: int) -> int | None:
    """Return the number of what is wrong with a file that came, None for nothing (web-messaging §4.7)."""
    allowed = UploadRules(file_types=rules.file_types)
    if size == 0:
        return 4102
    if size > rules.max_file_size_kb * 1000:
        return 4002
    if not allowed.allows_type(file_type):
        return 4001
    return 4003 if file.size and size != file.size else None
