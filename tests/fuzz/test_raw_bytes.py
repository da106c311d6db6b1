"""F-01: raw bytes over TCP against the handshake and the frames of our server (reliability.md §5.3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import pytest

from guestwire.net.http import HttpClient
from guestwire.testing.eventually import eventually
from tests.conformance.echo import echo_server
from tests.fuzz.raw_bytes import Attack, Attacker

_T = TypeVar("_T")

AT_ONCE = 8
HANG_S = 2.0

KNOWN_COMPLAINTS = {
    "Invalid HTTP request received.",  # uvicorn, WARNING
    "Invalid UTF-8 sequence received from client.",  # uvicorn, ERROR with a traceback, though it handles it (1007)
    "Unsupported upgrade request.",  # uvicorn, WARNING
    "socket.send() raised exception.",  # asyncio, WARNING: an echo to a connection that was reset a moment ago
}
"""What the server may write to its log about a broken peer."""


class FairClock:
    """Time, less what the machine took from us: a stall of the whole process is no hang of one connection.

    That we are not the stall ourselves is a second figure: `longest_cpu_s`, processor time between two ticks.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.longest_cpu_s = 0.0

    async def tick(self) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        while True:
            await asyncio.sleep(0.02)
            self.now += min(time.monotonic() - wall, 0.1)
            self.longest_cpu_s = max(self.longest_cpu_s, time.process_time() - cpu)
            wall, cpu = time.monotonic(), time.process_time()

    async def within(self, seconds: float, task: asyncio.Task[_T]) -> _T:
        """Return the task's result.

        Raises:
            TimeoutError: It took longer; it is cancelled then.
        """
        deadline = self.now + seconds
        while not task.done():
            await asyncio.wait([task], timeout=0.25)
            if not task.done() and self.now > deadline:
                task.cancel()
                raise TimeoutError
        return task.result()


@dataclass
class Run:
    """What happened in one run of the fuzzer."""

    frames: int = 0
    connections: int = 0
    upgraded: int = 0
    longest_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    clock: FairClock = field(default_factory=FairClock)
    endings: Counter[str] = field(default_factory=Counter)


class Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts[record.getMessage()] += 1


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_raw_bytes_neither_break_nor_hang_the_server(request: pytest.FixtureRequest) -> None:
    """No exception goes unhandled, no connection hangs, nothing is left over, and a healthy peer notices nothing."""
    frames = int(request.config.getoption("--fuzz-frames", default=100_000))
    rng = Random(int(request.config.getoption("--fuzz-seed", default=1)))
    attacker = Attacker(rng)
    run = Run()
    log = Log()
    loop = asyncio.get_running_loop()

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        run.problems.append(f"unhandled: {context.get('message')} {context.get('exception')!r}")

    async with echo_server() as echo:
        tasks_before = asyncio.all_tasks()
        loop.set_exception_handler(note)
        root = logging.getLogger()
        handlers, root.handlers = root.handlers, [log]  # pytest's would keep a traceback of every bad frame
        try:
            over = asyncio.Event()

            async def attack_until_done() -> None:
                while run.frames < frames:
                    await play(attacker.attack(), echo.server.port, run, rng)

            async with asyncio.TaskGroup() as peers:
                ticking = peers.create_task(run.clock.tick())
                healthy = peers.create_task(talk(f"{echo.server.ws_url}/ws", over, run.clock))
                await asyncio.wait([peers.create_task(attack_until_done()) for _ in range(AT_ONCE)])
                over.set()
                round_trips = await healthy
                ticking.cancel()
            await eventually(lambda: echo.opened == echo.closed)
            await eventually(lambda: asyncio.all_tasks() == tasks_before)
        finally:
            root.handlers = handlers
            loop.set_exception_handler(None)

    assert Counter(run.problems) == {}
    assert log.texts.keys() <= KNOWN_COMPLAINTS
    assert echo.broken_rules == []
    assert run.longest_s < HANG_S
    assert run.clock.longest_cpu_s < HANG_S / 2
    # That it was an attack at all: counts, never zero.
    assert run.frames >= frames
    assert run.upgraded > frames // 100
    assert echo.opened > run.upgraded, "and the healthy one"
    assert echo.frames > frames // 4
    assert min(attacker.kinds.values()) >= frames // 10_000
    assert len(attacker.kinds) == 3 + len(attacker._handshakes) + len(attacker._wrongs)
    assert min(run.endings[each] for each in ("server", "fin", "rst")) > frames // 1000
    assert len(round_trips) > 50
    assert max(round_trips) < HANG_S


async def talk(url: str, over: asyncio.Event, clock: FairClock) -> list[float]:
    """Be a healthy peer: send a text, wait for it, and so on; return the times it took."""
    times: list[float] = []
    async with HttpClient() as http:
        healthy = await http.open_socket(url)
        texts = aiter(healthy)
        while not over.is_set() or len(times) <= 50:
            started = clock.now
            text = f"fine, thanks: {len(times)}"
            await healthy.send_text(text)
            assert await anext(texts) == text
            times.append(clock.now - started)
            await asyncio.sleep(0.01)
        await healthy.aclose()
    return times


async def play(attack: Attack, port: int, run: Run, rng: Random) -> None:
    """Write one attack; then the server closes, or we do and it notices, within `HANG_S`."""
    run.connections += 1
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    step = "the handshake"
    try:
        started = run.clock.now
        writer.write(attack.handshake)
        if attack.is_upgrade:
            answer = await run.clock.within(HANG_S, asyncio.create_task(reader.readuntil(b"\r\n\r\n")))
            run.upgraded += 1
            if not answer.startswith(b"HTTP/1.1 101 "):
                run.problems.append(f"{attack.kind}: a good handshake was answered {answer[:40]!r}")
        run.longest_s = max(run.longest_s, run.clock.now - started)
        step = "the end"
        listening = asyncio.create_task(listen(reader))
        try:
            await write(attack.frames, writer, run, rng)
            started = run.clock.now
            if attack.ends_itself or writer.transport.is_closing():
                run.endings["server"] += 1
            elif rng.random() < 0.7:
                run.endings["fin"] += 1
                with contextlib.suppress(OSError):  # the server has reset it meanwhile
                    writer.write_eof()
            else:
                run.endings["rst"] += 1
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            await run.clock.within(HANG_S, listening)
            run.longest_s = max(run.longest_s, run.clock.now - started)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    except TimeoutError:
        run.problems.append(f"{attack.kind}: {step} did not come within {HANG_S:g} s")
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        run.problems.append(f"{attack.kind}: {error!r} instead of {step}")
    finally:
        writer.transport.abort()


async def listen(reader: asyncio.StreamReader) -> None:
    """Read and forget, until the connection has ended whichever way."""
    try:
        while await reader.read(65_536):
            pass
    except ConnectionError:
        pass


async def write(frames: list[bytes], writer: asyncio.StreamWriter, run: Run, rng: Random) -> None:
    """Write frame by frame, all at once, or cut at random places."""
    run.frames += len(frames)
    data = b"".join(frames)
    try:
        match rng.randrange(3):
            case 0:
                for each in frames:
                    if writer.transport.is_closing():
                        return
                    writer.write(each)
                    await writer.drain()
            case 1:
                writer.write(data)
                await writer.drain()
            case _:
                at = 0
                while at < len(data) and not writer.transport.is_closing():
                    size = rng.choice((1, 2, 7, 100, 4_000, 70_000))
                    writer.write(data[at : at + size])
                    await writer.drain()
                    await asyncio.sleep(0)
                    at += size
    except ConnectionError:
        pass  # closed in the middle, as it should be for many; `listen` sees the end too
