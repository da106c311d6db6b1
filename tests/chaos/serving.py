"""`guestwire serve` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from guestwire.gateway.log import SessionRow, SqliteSessionLog
from guestwire.gateway.relay.tokens import token_hash
from guestwire.model.ids import SessionId
from guestwire.net.http import HttpClient
from guestwire.net.transport import ClientSocket

__all__ = ["TOKEN", "Served", "make_session", "served"]

ROOT = Path(__file__).parents[2]
TOKEN = "t" * 43
READY_S = 60.0


class Served:
    """The process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, client: HttpClient) -> None:
        self.process = process
        self.url = url
        self.client = client

    async def hello(self, sid: str, *, epoch: str | None = None, after: int | None = None) -> ClientSocket:
        """Open a connection and say hello."""
        socket = await self.client.open_socket(f"{self.url.replace('http', 'ws')}/ws")
        hello = {"type": "hello", "sessionId": sid, "token": TOKEN, "epoch": epoch, "after": after}
        await socket.send_text(json.dumps(hello))
        return socket


async def make_session(path: Path, sid: SessionId) -> None:
    """Write a session that `TOKEN` opens into a log that nobody has open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    async with SqliteSessionLog(path) as log:
        await log.create(SessionRow(sid=sid, epoch="e", created_ms=0))
        await log.put_token(token_hash(TOKEN), sid, 1 << 50)


@asynccontextmanager
async def served(log_file: Path, **options: object) -> AsyncIterator[Served]:
    """Start it with these settings and wait until it serves; at the end it is killed if it still runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GUESTWIRE_")}
    settings = {
        "log_file": log_file,
        "port": 0,
        "base_url": "http://127.0.0.1:9",
        "client_id": "id",
        "client_secret": "secret",
        "max_tabs": 10_000,
        "max_connections_per_address": 10_000,
        "log_level": "error",
        **options,
    }
    variables = {f"GUESTWIRE_{name.upper()}": str(value) for name, value in settings.items()}
    command = ["-c", "from guestwire.cli import main; main()", "serve"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env={**kept, **variables}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S), HttpClient() as client:
            url = None
            while url is None:
                line = (await process.stdout.readline()).decode()
                assert line, "it ended before it served"
                url = re.search(r"http://127\.0\.0\.1:\d+", line)
        async with HttpClient() as client:
            yield Served(process, url[0], client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
