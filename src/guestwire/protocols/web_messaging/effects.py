"""What the client's core tells its shell to do, and how the shell answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.rest import HistoryQuery
from guestwire.protocols.web_messaging.session import WebSession

__all__ = [
    "Authorize",
    "CloseSocket",
    "Effect",
    "KeepSession",
    "OpenSocket",
    "ReadDeployment",
    "ReadHistory",
    "SendFrame",
    "Upload",
]


@dataclass(frozen=True, slots=True)
class ReadDeployment:
    """Read `config.json` of the deployment; answer with `deployment_read` or `attempt_failed`."""

    deployment_id: str


@dataclass(frozen=True, slots=True)
class Authorize:
    """Get the guest's JWT; answer with `authorized` or `attempt_failed`.

    Attributes:
        is_stale: Whether the provider refused the one in use, which is then refreshed; else the guest signs in.
    """

    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class KeepSession:
    """Store the session, so that the guest comes back to it; None: forget the one that is stored."""

    session: WebSession | None


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open the WebSocket; answer with `opened`, then `closed`, or with `attempt_failed`."""

    session: WebSession


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Write `text` to the socket; when `client_id` is set, answer with `sent` once it is written."""

    text: str
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Read a page of the history with `jwt`; answer with `history_read` or `history_failed`."""

    jwt: Secret
    query: HistoryQuery


@dataclass(frozen=True, slots=True)
class Upload:
    """Put the file to `url` with all of `headers`; answer with `upload_failed` if it fails, else with nothing."""

    attachment_id: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close the socket, or give up what was asked for last; nothing of either is told to the core any more."""

    code: int = 1000


Effect: TypeAlias = (
    ReadDeployment | Authorize | KeepSession | OpenSocket | SendFrame | ReadHistory | Upload | CloseSocket
)
