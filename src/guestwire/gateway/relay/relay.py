"""The relay put together: log, hub and routes, for the length of the app's life."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from guestwire.errors import ConfigError
from guestwire.gateway.log import SqliteSessionLog
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.relay.attachment_routes import AttachmentRoutes
from guestwire.gateway.relay.envelope import Envelope
from guestwire.gateway.relay.farewell import Farewell
from guestwire.gateway.relay.file_downloads import FileDownloads
from guestwire.gateway.relay.hub import Hub
from guestwire.gateway.relay.interface import FailPoint, UpstreamFactory, no_fail_point
from guestwire.gateway.relay.routes import RelayRoutes
from guestwire.gateway.relay.sealed import read_keys
from guestwire.gateway.relay.tokens import now_ms
from guestwire.gateway.relay.upstream import Upstreams
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger
from guestwire.net.transport import Downloads
from guestwire.settings import GatewaySettings

__all__ = ["Relay"]

_log = get_logger("guestwire.gateway")


class Relay:
    """What a gateway in relay mode is made of."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        clock: Clock,
        metrics: Metrics,
        downloads: Downloads,
        fail_point: FailPoint = no_fail_point,
    ) -> None:
        """Put it together; nothing is opened.

        Raises:
            ConfigError: `mask_patterns` has one that can't be used.
        """
        self._folder = settings.log_file.parent
        self._key_file = settings.log_file.with_name(f"{settings.log_file.name}.key")
        self.log = SqliteSessionLog(
            settings.log_file, now_ms=lambda: now_ms(clock), on_failure=metrics.log_failures.inc
        )
        self.hub = Hub(settings, self.log, clock=clock, metrics=metrics, fail_point=fail_point)
        files = FileDownloads(self.hub, self.log, downloads, settings.provider, clock=clock, metrics=metrics)
        self.attachments = AttachmentRoutes(self.hub, files, clock=clock, metrics=metrics)
        self.routes = RelayRoutes(settings, self.hub, self.log, clock=clock, metrics=metrics)

    @contextlib.asynccontextmanager
    async def running(self, upstreams: Callable[[Sequence[bytes]], UpstreamFactory]) -> AsyncIterator[None]:
        """Open the log and take up what is in it; at the end stop everything and end nothing.

        Args:
            upstreams: Makes the factory; gets the keys in the file beside the log.

        Raises:
            ConfigError: The log is in use, or can't be opened.
            LogUnavailable: It can't be read or written.
        """
        await run_in_threadpool(_make_folder, self._folder)
        async with self.log:
            if self.log.lost_records:
                _log.error("the session log is older than it was: every browser will load its transcript again")
            keys = await run_in_threadpool(read_keys, self._key_file)
            made = upstreams(keys)
            ours = made if isinstance(made, Upstreams) else None
            async with ours.running() if ours else contextlib.nullcontext():
                await self.hub.start(made, Farewell(ours) if ours else None, envelope=Envelope(keys))
                try:
                    yield
                finally:
                    await self.hub.aclose()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"log_file: the folder {folder} can't be made: {error.strerror}.") from error
