"""What many browsers at once cost a gateway: its memory, its other readers, and its end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from guestwire.errors import ChatError
from guestwire.model.ids import SessionId
from guestwire.net.transport import ClientSocket
from guestwire.testing import eventually
from tests.chaos.serving import TOKEN, Served, make_sessions, served

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process")

MIB = 1024 * 1024
SIDS = [SessionId(f"{number:032x}") for number in range(400)]
RELAY = "guestwire.protocols.guest_session.relay"


async def drained(tab: ClientSocket) -> tuple[list[str], int | None]:
    """Read to the end; return the kinds of frames and the close code."""
    kinds = []
    async for text in tab:
        kinds.append(json.loads(text)["type"])
    return kinds, tab.close_code


@pytest.mark.slow
async def test_every_browser_is_asked_to_move(tmp_path: Path, chaos_long: bool, figures: Callable[..., None]) -> None:
    """T-40: SIGTERM with sockets open: each gets `move` and 4409, and the process is gone within 10 s, with code 0."""
    sockets = 2000 if chaos_long else 200
    sids = SIDS[: sockets // 5]
    log_file = tmp_path / "log" / "sessions.sqlite3"
    await make_sessions(log_file, sids[:1])
    async with served(log_file) as gateway:
        opened = []
        for start in range(0, sockets, 50):
            opened += await asyncio.gather(*(gateway.hello(sids[0]) for _ in range(start, min(sockets, start + 50))))
        for each in opened:
            async for text in each:
                if json.loads(text)["type"] == "synced":
                    break
        reading = asyncio.gather(*(drained(each) for each in opened))
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        ends = await reading
        assert await gateway.process.wait() == 0
        took_s = time.monotonic() - began
    assert {code for _, code in ends} == {4409}
    assert all(kinds == ["move"] for kinds, _ in ends)
    assert took_s < 10
    figures("S-12 drain", sockets=sockets, exit_s=round(took_s, 2))


@pytest.mark.slow
async def test_a_long_log_is_replayed_to_many(tmp_path: Path, chaos_long: bool, figures: Callable[..., None]) -> None:
    """R-05: 5,000 records to 100 readers at once: in order, `synced` once, and no more than 50 MB for all of it."""
    readers, records = (100, 5000) if chaos_long else (100, 500)
    log_file = tmp_path / "log" / "sessions.sqlite3"
    await make_sessions(log_file, SIDS[:1], records)
    async with served(log_file) as gateway:

        async def replay() -> None:
            tab = await gateway.hello(SIDS[0])
            seq = 0
            async for text in tab:
                frame = json.loads(text)
                if frame["type"] == "message":
                    assert frame["seq"] == seq + 1
                    seq = frame["seq"]
                elif frame["type"] == "synced":
                    break
            assert seq == records
            await tab.send_text('{"type":"ping"}')
            assert json.loads(await anext(aiter(tab))) == {"type": "pong", "seq": records}
            await tab.aclose()

        await replay()  # what is loaded at first use is no cost of the many
        began = time.monotonic()
        async with gateway.watching() as before:
            await asyncio.gather(*(replay() for _ in range(readers)))
        took_s = time.monotonic() - began
        grown = (gateway.most_rss - before) / MIB
    figures("R-05 replay", readers=readers, records=records, grown_mib=round(max(0.1, grown), 1), s=round(took_s, 1))
    assert grown < 50


@pytest.mark.slow
async def test_readers_that_stop_reading(tmp_path: Path, chaos_long: bool, figures: Callable[..., None]) -> None:
    """D-03: 200 readers stop reading while an agent talks: all are closed with 4411, memory stays, others go on."""
    limit_s, size = (10.0, 10_000) if chaos_long else (2.0, 6_000)
    stalled, others = 200, 10
    log_file = tmp_path / "log" / "sessions.sqlite3"
    await make_sessions(log_file, SIDS[:1])
    orders = {
        "patches": {f"{RELAY}:BLOCKED_S": limit_s, "guestwire.net.uvicorn_protocols:STALLED_S": limit_s},
        "send_buffer": 256 * 1024 if chaos_long else 32 * 1024,
        "per_s": 100,
        "size": size,
    }
    async with served(log_file, child=orders, upstream_start="first-message") as gateway:
        held = [await stuck(gateway, SIDS[0]) for _ in range(stalled)]
        quick = [await gateway.hello(SIDS[0]) for _ in range(others)]
        seqs = [0] * others
        gaps_s: list[float] = []

        async def follow(number: int) -> None:
            last = None
            with suppress(ChatError):
                async for text in quick[number]:
                    frame = json.loads(text)
                    if frame["type"] == "message" and frame["from"] == "agent":
                        assert frame["seq"] == seqs[number] + 1 or seqs[number] == 0
                        seqs[number] = frame["seq"]
                        now = time.monotonic()
                        if last is not None:
                            gaps_s.append(now - last)
                        last = now

        following = [asyncio.create_task(follow(number)) for number in range(others)]
        async with gateway.watching() as before:
            began = time.monotonic()
            await quick[0].send_text(json.dumps({"type": "message", "text": "Talk!", "clientId": "c1"}))

            async def are_gone() -> bool:
                return await gateway.metric('guestwire_connections_closed_total{code="4411"}') == stalled

            await eventually(are_gone, within_s=60)
            took_s = time.monotonic() - began
        grown = (gateway.most_rss - before) / MIB
        head = max(seqs)
        await eventually(lambda: min(seqs) >= head)
        assert all(tab.close_code is None for tab in quick)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        for _, writer in held:
            writer.transport.abort()
        gaps_s.sort()
        p95_s = gaps_s[int(len(gaps_s) * 0.95)]
    figures(
        "D-03 stalled",
        readers=stalled,
        closed_s=round(took_s, 1),
        grown_mib=round(max(0.1, grown), 1),
        messages=head,
        gap_p95_ms=round(p95_s * 1000, 1),
    )
    assert took_s < limit_s + (5 if chaos_long else 25)
    assert grown < 30


async def stuck(gateway: Served, sid: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection by hand, say hello, and read nothing from then on."""
    host, port = gateway.url.removeprefix("http://").split(":")
    # The system's buffers are no memory of the gateway's; small ones are full sooner.
    with socket.socket() as plain:
        plain.setblocking(False)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=plain.dup(), limit=1024)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    hello = json.dumps({"type": "hello", "sessionId": sid, "token": TOKEN}).encode()
    assert len(hello) < 126
    writer.write(bytes((0x81, 0x80 | len(hello), 0, 0, 0, 0)) + hello)
    await reader.readuntil(b"synced")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return reader, writer
