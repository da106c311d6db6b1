"""What is measured, as processes: started and pinned here, ended here by their ids; loopback and free ports only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import string
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.provider import Provider

HERE = Path(__file__).parent
PEERS = HERE / "peers"
SCRATCH = HERE.parent / "build"  # on a disk, unlike /tmp on many machines: what is kept must reach one
READY_S = 30.0
RELAY_CORE, LOAD_CORE = 0, 1
RELAYS = ("gateway", "websockets", "ws", "nginx")
_READY = re.compile(r"^(?:ready |Chat page:  http://127\.0\.0\.1:)(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Running:
    """A process of ours that listens."""

    name: str
    port: int
    pid: int

    @property
    def base_url(self) -> str:
        """Where it is by HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """Where it is by WebSocket."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def keeps_sessions(self) -> bool:
        """Whether a chat begins with a session and hello."""
        return self.name == "gateway"

    def memory_kib(self) -> int:
        """Return the resident memory of the process and its children."""
        return sum(_memory_kib(pid) for pid in [self.pid, *_children(self.pid)])

    def cpu_s(self) -> float:
        """Return the processor time that the process and its children have used."""
        return sum(_cpu_s(pid) for pid in [self.pid, *_children(self.pid)])


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Return a folder for one measurement."""
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=SCRATCH) as folder:
        yield Path(folder)


@contextlib.asynccontextmanager
async def process(
    name: str,
    command: Sequence[str],
    *,
    core: int = RELAY_CORE,
    cwd: Path = HERE,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
    ready: re.Pattern[str] = _READY,
) -> AsyncIterator[Running]:
    """Run a server until the end of the block.

    Args:
        name: What to call it.
        command: What to start.
        core: Where to pin it.
        cwd: Its working directory.
        port: Where it will listen; None if it prints that.
        environment: More variables.
        ready: What it says when it listens; its first group is the port.
    """
    with tempfile.TemporaryFile() as output:
        child = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
        )
        try:
            with contextlib.suppress(AttributeError, OSError):  # no such call, or no such core
                os.sched_setaffinity(child.pid, {core})
            try:
                async with asyncio.timeout(READY_S):
                    while True:
                        said = os.pread(output.fileno(), 65536, 0).decode(errors="replace")
                        found = ready.search(said)
                        if port is None and found is not None:
                            port = int(found[1])
                        if child.returncode is not None:
                            raise RuntimeError(f"{name} did not start:\n{said[-2000:]}")
                        if port is not None and _listens(port):
                            break
                        await asyncio.sleep(0.005)
            except TimeoutError:
                raise RuntimeError(f"{name} did not start in {READY_S:g} s.") from None
            yield Running(name, port, child.pid)
            if child.returncode is not None:
                tail = os.pread(output.fileno(), 1 << 20, 0).decode(errors="replace")[-2000:]
                raise RuntimeError(f"{name} died:\n{tail}")
        finally:
            await _end(child)


@contextlib.asynccontextmanager
async def relay(name: str, provider: Provider, *, node: str) -> AsyncIterator[Running]:
    """Run one of `RELAYS` before the provider; `direct` is none at all."""
    match name:
        case "direct":
            yield Running(name, provider.socket_port, 0)
        case "gateway":
            with scratch_folder() as folder:
                async with gateway(provider, folder / "log.sqlite3") as it:
                    yield it
        case "websockets":
            command = [sys.executable, str(PEERS / "relay_websockets.py"), provider.socket_url]
            async with process(name, command) as it:
                yield it
        case "ws":
            async with process(name, [node, str(PEERS / "relay_ws.js"), provider.socket_url]) as it:
                yield it
        case "nginx":
            async with nginx(provider) as it:
                yield it
        case _:
            raise ValueError(f"no relay called {name}")


@contextlib.asynccontextmanager
async def gateway(provider: Provider, log_file: Path, **settings: str) -> AsyncIterator[Running]:
    """Run `guestwire serve`, with the limits that count addresses out of the way: here all guests have one.

    Args:
        provider: Where it goes.
        log_file: Its session log.
        settings: More of them.
    """
    options = {
        "base_url": provider.base_url,
        "socket_url": provider.socket_url,
        "client_id": "bench",
        "port": "0",
        "log_file": str(log_file),
        "log_level": "warning",
        "max_records": "1000000",
        "max_connections_per_address": "20000",
        "sessions_burst": "1000000",
        "sessions_per_minute": "1e9",
        "sessions_per_minute_total": "1e9",
        "sessions_per_day": "1e9",
        "sessions_per_day_total": "1e9",
        **settings,
    }
    command = [sys.executable, str(PEERS / "gateway.py"), "serve"]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", value]
    environment = {"GUESTWIRE_CLIENT_SECRET": "bench"}
    async with process("gateway", command, cwd=log_file.parent, environment=environment) as it:
        yield it


@contextlib.asynccontextmanager
async def http_proxy(provider: Provider, node: str) -> AsyncIterator[Running]:
    """Run Node's HTTP proxy."""
    async with process("node http", [node, str(PEERS / "proxy_http.js"), provider.base_url]) as it:
        yield it


def nginx_program() -> str | None:
    """Return where nginx is, if it is installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")


@contextlib.asynccontextmanager
async def nginx(provider: Provider) -> AsyncIterator[Running]:
    """Run nginx from a scratch directory."""
    program = nginx_program()
    assert program is not None, "nginx is not installed"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with scratch_folder() as folder:
        template = string.Template((PEERS / "nginx.conf").read_text())
        config = folder / "nginx.conf"
        config.write_text(template.safe_substitute(PORT=port, UPSTREAM=f"127.0.0.1:{provider.socket_port}"))
        command = [program, "-p", str(folder), "-c", str(config), "-e", "stderr"]
        async with process("nginx", command, cwd=folder, port=port) as it:
            yield it


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), 15.0)
        except TimeoutError:
            child.kill()
            await child.wait()


def _memory_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _children(pid: int) -> list[int]:
    try:
        direct = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return direct + [deeper for each in direct for deeper in _children(each)]
