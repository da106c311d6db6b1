"""A gateway in a process of its own, alone in it, whose memory is measured: `guestwire serve` or `serving_child`."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from guestwire.gateway.log import NewRecord, SessionRow, SqliteSessionLog
from guestwire.gateway.relay.tokens import token_hash
from guestwire.model.http import HttpRequest
from guestwire.model.ids import SessionId
from guestwire.net.http import HttpClient
from guestwire.net.transport import ClientSocket

__all__ = ["TOKEN", "Served", "make_sessions", "served"]

ROOT = Path(__file__).parents[2]
TOKEN = "t" * 43
READY_S = 60.0


class Served:
    """The process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, client: HttpClient) -> None:
        self.process = process
        self.url = url
        self.client = client
        self.most_rss = self.rss()

    def rss(self) -> int:
        """Return the bytes of memory it has now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) * 1024

    async def watch(self) -> None:
        """Note the most that it has, until cancelled."""
        while True:
            self.most_rss = max(self.most_rss, await asyncio.to_thread(self.rss))
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[int]:
        """Watch its memory within; gives what it had before."""
        before = self.most_rss = self.rss()
        task = asyncio.create_task(self.watch())
        try:
            yield before
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def metric(self, line: str) -> float:
        """Return the value of a line of `/metrics`; 0 where there is none."""
        answer = await self.client.send(HttpRequest("GET", f"{self.url}/metrics"))
        found = re.search(rf"^{re.escape(line)} (\S+)$", answer.body.decode(), re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    async def hello(self, sid: str, *, epoch: str | None = None, after: int | None = None) -> ClientSocket:
        """Open a connection and say hello."""
        socket = await self.client.open_socket(f"{self.url.replace('http', 'ws')}/ws")
        hello = {"type": "hello", "sessionId": sid, "token": TOKEN, "epoch": epoch, "after": after}
        await socket.send_text(json.dumps(hello))
        return socket


async def make_sessions(path: Path, sids: list[SessionId], records: int = 0, size: int = 200) -> None:
    """Write sessions that `TOKEN` opens, with so many records, into a log that nobody has open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps({"type": "message", "from": "agent", "text": "x" * size, "id": "i"}).encode()
    async with SqliteSessionLog(path) as log:
        for sid in sids:
            await log.create(SessionRow(sid=sid, epoch="e", created_ms=0))
            await log.put_token(token_hash(TOKEN), sid, 1 << 50)
            await log.append(sid, [NewRecord(kind="message", body=body)] * records)


@asynccontextmanager
async def served(log_file: Path, *, child: dict[str, Any] | None = None, **options: object) -> AsyncIterator[Served]:
    """Start it and wait until it serves; at the end it is killed if it still runs.

    Args:
        child: Orders for `serving_child`; without them it is the command.
        options: Settings of the gateway.
    """
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
    cli = ["-c", "from guestwire.cli import main; main()", "serve"]
    command = ["-m", "tests.chaos.serving_child", json.dumps(child)] if child else cli
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
