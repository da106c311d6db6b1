"""Relays side by side in one run: messages/s, added latency, memory per idle chat. See README.md.

Everything runs on this machine over loopback, bounded in count and time. Every process is started here and ended here,
by its id. With two cores or more the relay gets the first one, load and provider share the second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import string
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

HERE = Path(__file__).parent
PEERS = HERE / "peers"
FRAME = json.dumps({"type": "message", "clientId": "0" * 36, "text": "x" * 130}).encode()
READY_S = 15.0
CONNECTING_AT_ONCE = 64
MOST_CHATS, MOST_SECONDS = 10_000, 120.0
RELAY_CORE, LOAD_CORE = 0, 1


# --- processes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """A process that serves `url`."""

    url: str
    pid: int


@contextlib.asynccontextmanager
async def process(
    command: Sequence[str], *, core: int, cwd: Path = HERE, port: int | None = None
) -> AsyncIterator[Running]:
    """Run a server until the end of the block.

    Args:
        command: What to start.
        core: Where to pin it.
        cwd: Its working directory.
        port: Where it will listen; None if it prints `ready PORT`.
    """
    child = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=asyncio.subprocess.PIPE)
    try:
        with contextlib.suppress(AttributeError, OSError):  # no such call, or no such core
            os.sched_setaffinity(child.pid, {core})
        async with asyncio.timeout(READY_S):
            if port is None:
                assert child.stdout is not None
                word, _, number = (await child.stdout.readline()).decode().partition(" ")
                if word != "ready":
                    raise RuntimeError(f"{' '.join(command)} did not start.")
                port = int(number)
            else:
                await accepts_connections(port)
        yield Running(f"ws://127.0.0.1:{port}/", child.pid)
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), 5.0)
            except TimeoutError:
                child.kill()
                await child.wait()


async def accepts_connections(port: int) -> None:
    """Return once somebody listens on `port`."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


@contextlib.asynccontextmanager
async def relay(name: str, upstream: Running, node: str) -> AsyncIterator[Running]:
    """Run one of the relays before `upstream`; `direct` is none at all."""
    match name:
        case "direct":
            yield upstream
        case "websockets":
            async with process(
                [sys.executable, str(PEERS / "relay_websockets.py"), upstream.url], core=RELAY_CORE
            ) as it:
                yield it
        case "ws":
            async with process([node, str(PEERS / "relay_ws.js"), upstream.url], core=RELAY_CORE) as it:
                yield it
        case "nginx":
            async with nginx(upstream) as it:
                yield it
        case url:
            # Somebody else's process (the gateway): memory is not known then.
            yield Running(url, 0)


@contextlib.asynccontextmanager
async def nginx(upstream: Running) -> AsyncIterator[Running]:
    """Run nginx from a scratch directory."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as scratch:
        template = string.Template((PEERS / "nginx.conf").read_text())
        target = upstream.url.removeprefix("ws://").rstrip("/")
        config = Path(scratch, "nginx.conf")
        config.write_text(template.safe_substitute(PORT=port, UPSTREAM=target))
        command = [program, "-p", scratch, "-c", str(config), "-e", "stderr"]
        async with process(command, core=RELAY_CORE, cwd=Path(scratch), port=port) as it:
            yield it


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process and its children."""
    total = 0
    for each in [pid, *children(pid)]:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{each}/status").read_text()
            total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return total


def children(pid: int) -> list[int]:
    """Return the ids of all descendants."""
    try:
        direct = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return direct + [deeper for each in direct for deeper in children(each)]


# --- load -------------------------------------------------------------------------------------------------------------


class Chat(WSListener):
    """One chat: counts the answers and how long they took; `window` > 0 answers each with the next message."""

    def __init__(self) -> None:
        self.window = 0
        self.answers = 0
        self.times: list[float] = []
        self._sent: deque[float] = deque()
        self._transport: WSTransport
        self.is_open = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the socket."""
        self._transport = transport
        self.is_open = True

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Stop."""
        self.is_open = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count an answer; they come in order."""
        if frame.msg_type == WSMsgType.TEXT and self._sent:
            self.times.append(time.perf_counter() - self._sent.popleft())
            self.answers += 1
            if self.window:
                self.send()

    def send(self) -> None:
        """Send one message."""
        if self.is_open:
            self._sent.append(time.perf_counter())
            self._transport.send(WSMsgType.TEXT, FRAME)

    def start(self, window: int) -> None:
        """Keep `window` messages in flight from now on."""
        self.window = window
        for _ in range(window):
            self.send()

    async def idle(self) -> None:
        """Wait for the answers still missing."""
        self.window = 0
        while self._sent and self.is_open:  # noqa: ASYNC110 - an event would cost something with every message
            await asyncio.sleep(0.01)

    def disconnect(self) -> None:
        """Close."""
        self._transport.disconnect()


@contextlib.asynccontextmanager
async def open_chats(url: str, count: int) -> AsyncIterator[list[Chat]]:
    """Open chats; each has sent a message and has its answer."""
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def open_one() -> Chat:
        async with gate:
            _, chat = await ws_connect(Chat, url, websocket_handshake_timeout=READY_S)
            assert isinstance(chat, Chat)
            chat.send()
            async with asyncio.timeout(READY_S):
                await chat.idle()
            return chat

    chats = await asyncio.gather(*(open_one() for _ in range(count)))
    try:
        yield list(chats)
        lost = sum(not chat.is_open for chat in chats)
        if lost:
            raise RuntimeError(f"{lost} of {count} chats were lost.")
    finally:
        for chat in chats:
            chat.disconnect()
        await asyncio.sleep(0.1)


async def throughput(url: str, *, chats: int, window: int, seconds: float) -> float:
    """Return relayed messages/s, both directions counted, with `window` messages in flight on each chat."""
    async with open_chats(url, chats) as opened:
        for chat in opened:
            chat.start(window)
        await asyncio.sleep(seconds / 4)  # warm-up
        before, started = sum(chat.answers for chat in opened), time.perf_counter()
        await asyncio.sleep(seconds)
        answers, took = sum(chat.answers for chat in opened) - before, time.perf_counter() - started
        for chat in opened:
            chat.window = 0
        async with asyncio.timeout(READY_S):
            await asyncio.gather(*(chat.idle() for chat in opened))
    return 2 * answers / took


async def latency(url: str, *, chats: int, rate: float, seconds: float) -> tuple[float, float]:
    """Return p50 and p99 of the round trip in ms at `rate` messages/s over all chats, sent whatever the answers do."""
    async with open_chats(url, chats) as opened:
        for chat in opened:
            chat.times.clear()
        started = time.perf_counter()
        for number in range(int(rate * seconds)):
            wait_s = started + number / rate - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            opened[number % chats].send()
        async with asyncio.timeout(READY_S):
            await asyncio.gather(*(chat.idle() for chat in opened))
        times = sorted(each for chat in opened for each in chat.times)
    return times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000


async def memory(server: Running, *, chats: int) -> float:
    """Return KiB per idle chat."""
    async with open_chats(server.url, 10):
        pass  # what is loaded with the first connection is not a chat's
    before = memory_kib(server.pid)
    async with open_chats(server.url, chats):
        await asyncio.sleep(0.5)
        return (memory_kib(server.pid) - before) / chats


# --- one run ----------------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What was measured of one target, a value a round."""

    per_s: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    kib: list[float] = field(default_factory=list)


async def measure(options: argparse.Namespace) -> dict[str, Figures]:
    """Measure all targets, in rounds, so that a noisy minute hits all of them."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {LOAD_CORE})
    figures = {name: Figures() for name in options.targets}
    async with process([sys.executable, str(PEERS / "echo.py")], core=LOAD_CORE) as upstream:
        for number in range(options.rounds):
            for name, figure in figures.items():
                print(f"round {number + 1}: {name}", file=sys.stderr)
                async with relay(name, upstream, options.node) as server:
                    if server.pid and name != "direct":
                        figure.kib.append(await memory(server, chats=options.idle_chats))
                    figure.per_s.append(
                        await throughput(
                            server.url, chats=options.chats, window=options.window, seconds=options.seconds
                        )
                    )
                    p50, p99 = await latency(
                        server.url, chats=options.chats, rate=options.rate, seconds=options.seconds
                    )
                    figure.p50_ms.append(p50)
                    figure.p99_ms.append(p99)
    return figures


def table(figures: dict[str, Figures], options: argparse.Namespace) -> str:
    """Return the medians as a Markdown table; latency as what a target adds to the direct connection."""
    median = {
        name: {key: statistics.median(values) for key, values in vars(figure).items() if values}
        for name, figure in figures.items()
    }
    base = median.get("ws", {}).get("per_s")
    direct = median.get("direct", {"p50_ms": 0.0, "p99_ms": 0.0})
    title = (
        f"{options.chats} chats, {options.window} messages in flight on each; latency at {options.rate:g} messages/s,"
        f" what a relay adds to direct; memory over {options.idle_chats} idle chats; medians of {options.rounds}."
    )
    lines = [
        title,
        "",
        "| target | messages/s | vs Node `ws` | p50 ms | p99 ms | KiB per idle chat |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, each in median.items():
        ratio = f"{each['per_s'] / base:.2f} ×" if base else "–"
        added = (each["p50_ms"], each["p99_ms"])
        if name != "direct":
            added = (added[0] - direct["p50_ms"], added[1] - direct["p99_ms"])
        kib = f"{each['kib']:.1f}" if "kib" in each else "–"
        lines.append(f"| {name} | {each['per_s']:,.0f} | {ratio} | {added[0]:.2f} | {added[1]:.2f} | {kib} |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("targets", nargs="*", default=["direct", "websockets", "ws", "nginx"], help="or a ws:// URL")
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--idle-chats", type=int, default=500)
    parser.add_argument("--window", type=int, default=4, help="messages in flight on each chat")
    parser.add_argument("--rate", type=float, default=1000.0, help="messages/s for the latency")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--node", default=shutil.which("node") or "node", help="which Node runs the relay on `ws`")
    parser.add_argument("--json", type=Path, help="write all values there")
    options = parser.parse_args()
    if max(options.chats, options.idle_chats) > MOST_CHATS or options.seconds > MOST_SECONDS:
        parser.error(f"at most {MOST_CHATS} chats and {MOST_SECONDS:g} seconds")
    figures = uvloop.run(measure(options))
    print(table(figures, options))
    if options.json:
        options.json.write_text(json.dumps({name: vars(each) for name, each in figures.items()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
