"""The test's side of `case_gateway`: its process with its memory, and readers that cost little or do not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

__all__ = ["GatewayProcess", "RawReader", "gateway_process"]

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0

_SEQ = re.compile(rb'"seq":(\d+)')
_TYPE = re.compile(rb'"type":"([a-z-]+)"')
_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class GatewayProcess:
    """A running gateway."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    async def talk(self, sid: str, count: int, per_s: float, size: int) -> None:
        """Have the agent talk, and return when it has."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {"sid": sid, "count": count, "per_s": per_s, "size": size}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), count / per_s + LIMIT_S)
        assert line, "the gateway died"

    def forget_peak(self) -> None:
        """Measure the peak from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def memory_mib(self, which: str = "VmHWM") -> float:
        """Return its peak (`VmHWM`) or present (`VmRSS`) memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{which}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    async def metrics(self) -> dict[str, float]:
        """Return what it counts."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
        return {name: float(value) for name, value in re.findall(r"^(guestwire_\S+) (\S+)$", text, re.MULTILINE)}


@contextlib.asynccontextmanager
async def gateway_process(log_file: Path, **options: Any) -> AsyncIterator[GatewayProcess]:
    """Run a gateway for the length of an `async with`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.case_gateway", str(log_file), json.dumps(options),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), LIMIT_S)
        assert line, "the gateway did not start; its words are above"
        yield GatewayProcess(process, json.loads(line)["port"])
        process.stdin.close()
        await asyncio.wait_for(process.wait(), LIMIT_S)
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class RawReader(asyncio.Protocol):
    """A browser made of as little as possible: it says hello and counts what comes.

    Attributes:
        seqs: The numbers of the records, in the order in which they came.
        synced: Behind how many records each `synced` came.
        late_s: How old each message was, by the time in its text.
        close_code: Of the close; 1006 without one.
    """

    def __init__(self, sid: str, token: str, *, tab: str, measures: bool = False) -> None:
        self._hello = json.dumps({"type": "hello", "sessionId": sid, "token": token, "tab": tab}).encode()
        self._measures = measures
        self._buffer = bytearray()
        self._is_upgraded = False
        self._wake = asyncio.Event()
        self.seqs: list[int] = []
        self.synced: list[int] = []
        self.late_s: list[float] = []
        self.close_code: int | None = None
        self.transport: asyncio.Transport

    async def connect(self, port: int, *, receive_buffer: int | None = None) -> None:
        """Open the connection, with as small a buffer in the kernel as asked for."""
        raw = socket.socket()
        raw.setblocking(False)
        if receive_buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", port))
        await loop.create_connection(lambda: self, sock=raw)

    async def until(self, *, synced: bool = False, seq: int = 0, closed: bool = False) -> None:
        """Wait until all of that has come."""
        async with asyncio.timeout(LIMIT_S):
            while (
                (synced and not self.synced)
                or (seq and (not self.seqs or self.seqs[-1] < seq))
                or (closed and self.close_code is None)
            ):
                assert closed or self.close_code is None, f"closed with {self.close_code}"
                self._wake.clear()
                await self._wake.wait()

    def stop_reading(self) -> None:
        """Take nothing more from the network."""
        self.transport.pause_reading()

    def go_on(self) -> None:
        """Take everything that is there."""
        self.transport.resume_reading()

    def close(self) -> None:
        """Break the connection."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(_UPGRADE)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        if not self._is_upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert buffer.startswith(b"HTTP/1.1 101 "), bytes(buffer[:200])
            self._is_upgraded = True
            at = end + 4
            # A mask of zeros is a mask: RFC 6455 asks for one, and for chance only to protect proxies.
            header = struct.pack("!BBH", 0x81, 0x80 | 126, len(self._hello)) + bytes(4)
            self.transport.write(header + self._hello)
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1] & 0x7F, at + 2
            if size == 126:
                size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) < start + size or start > len(buffer):
                break
            self._take(buffer[at] & 0x0F, bytes(buffer[start : start + size]))
            at = start + size
        del buffer[:at]
        self._wake.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.close_code = self.close_code or 1006
        self._wake.set()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 8:
            self.close_code = int.from_bytes(payload[:2], "big") or 1005
        if opcode == 9:
            self.transport.write(struct.pack("!BB", 0x8A, 0x80 | len(payload)) + bytes(4) + payload)
        if opcode != 1:
            return
        found = _TYPE.search(payload)
        kind = found[1] if found is not None else b""
        if kind == b"synced":
            self.synced.append(len(self.seqs))
        elif kind not in {b"welcome", b"typing", b"pong"}:
            number = _SEQ.search(payload)
            if number is not None:
                self.seqs.append(int(number[1]))
            if self._measures:
                self.late_s.append(time.monotonic() - float(json.loads(payload)["text"].split()[0]))
