"""Relays side by side, and how the gateway's figures grow: `make bench`. See README.md.

Everything runs on this machine over loopback, bounded in count and time. Rounds are interleaved, so that a noisy minute
hits every target; medians are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop
from picows import WSError

from bench import measures, report, session_log
from bench.load import most_chats, pin
from bench.peers.provider import Provider
from bench.servers import (
    LOAD_CORE,
    READY_S,
    RELAY_CORE,
    RELAYS,
    gateway,
    http_proxy,
    nginx_program,
    process,
    relay,
    scratch_folder,
)

HERE = Path(__file__).parent
MOST_SECONDS = 60.0

Values = dict[str, object]


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    seconds: float
    rounds: int
    chats: tuple[int, ...]
    idle_chats: tuple[int, ...]
    grown_chats: tuple[int, ...]
    in_flight: int
    rate: float
    rate_chats: int
    lengths: tuple[int, ...]
    ballast: int


FULL = Sizes(
    seconds=3.0,
    rounds=3,
    chats=(50, 1000),
    idle_chats=(1000, 2000),
    grown_chats=(100, 1000, 10_000),
    in_flight=200,
    rate=1000.0,
    rate_chats=250,
    lengths=(100, 1000, 5000),
    ballast=200_000,
)
QUICK = Sizes(
    seconds=0.5,
    rounds=1,
    chats=(20, 50),
    idle_chats=(50,),
    grown_chats=(20, 100),
    in_flight=40,
    rate=200.0,
    rate_chats=20,
    lengths=(10, 200),
    ballast=2000,
)


class Bench:
    """One run of the parts that were asked for."""

    def __init__(self, sizes: Sizes, *, node: str) -> None:
        self.sizes = sizes
        self.node = node
        self.failures: list[str] = []
        self.targets = [name for name in ("direct", *RELAYS) if name != "nginx" or nginx_program() is not None]
        if "nginx" not in self.targets:
            print("nginx is not installed, so it is left out (Debian, Ubuntu: apt-get install nginx-light).")

    @contextlib.contextmanager
    def _step(self, what: str) -> Iterator[None]:
        """Announce a measurement; one that fails is noted, and the rest goes on."""
        print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)
        try:
            yield
        except (AssertionError, OSError, RuntimeError, WSError) as error:  # TimeoutError is an OSError
            self.failures.append(f"{what}: {str(error) or type(error).__name__}")
            print(f"         failed: {self.failures[-1]}", file=sys.stderr, flush=True)

    async def relay(self) -> Values:
        """Throughput, latency and memory of all targets."""
        sizes = self.sizes
        found = _Table()
        for number in range(sizes.rounds):
            for way in ("both", "up", "down"):
                for name in self.targets:
                    for chats in sizes.chats if way == "both" else sizes.chats[:1]:
                        with self._step(f"relay, round {number + 1}: {name}, {way}, {chats} chats"):
                            async with (
                                Provider().serving() as provider,
                                relay(name, provider, node=self.node) as server,
                            ):
                                per_s, cpu_us = await measures.throughput(
                                    server,
                                    provider,
                                    chats=chats,
                                    in_flight=sizes.in_flight,
                                    seconds=sizes.seconds,
                                    way=way,
                                )
                            found.add(name, f"{way}_per_s_{chats}", per_s)
                            found.add(name, f"{way}_cpu_us_{chats}", cpu_us)
                for name in self.targets:
                    with self._step(f"relay, round {number + 1}: {name}, {way}, latency"):
                        async with Provider().serving() as provider, relay(name, provider, node=self.node) as server:
                            p50, p99 = await measures.latency(
                                server,
                                provider,
                                chats=sizes.rate_chats,
                                rate=sizes.rate / (2 if way == "both" else 1),
                                seconds=sizes.seconds,
                                way=way,
                            )
                        found.add(name, f"{way}_p50_ms", p50)
                        found.add(name, f"{way}_p99_ms", p99)
            for name in self.targets[1:]:
                for chats in sizes.idle_chats:
                    with self._step(f"relay, round {number + 1}: {name}, {chats} idle chats"):
                        async with Provider().serving() as provider, relay(name, provider, node=self.node) as server:
                            found.add(name, f"kib_{chats}", await measures.memory(server, provider, chats=chats))
        return found.medians()

    async def growth(self) -> Values:
        """What a message costs as chats become more."""
        sizes = self.sizes
        found = _Table()
        for number in range(min(2, sizes.rounds)):
            for chats in sizes.grown_chats:
                count = min(chats, most_chats())
                for name in ("gateway", "ws"):
                    with self._step(f"growth, round {number + 1}: {name}, {count} chats"):
                        async with Provider().serving() as provider, relay(name, provider, node=self.node) as server:
                            per_s, cpu_us = await measures.throughput(
                                server,
                                provider,
                                chats=count,
                                in_flight=min(sizes.in_flight, count),
                                seconds=sizes.seconds,
                                way="both",
                            )
                        found.add(name, f"per_s_{count}", per_s)
                        found.add(name, f"cpu_us_{count}", cpu_us)
        return found.medians()

    async def sessions(self) -> Values:
        """Session creations."""
        sizes = self.sizes
        found = _Table()

        async def one(name: str, upstream_start: str, mode: str) -> None:
            async with Provider().serving() as provider:
                if name == "node http":
                    async with http_proxy(provider, self.node) as server:
                        found.add(name, "per_s", await measures.creations(server, at_once=32, seconds=sizes.seconds))
                    return
                with scratch_folder() as folder:
                    settings = {"upstream_start": upstream_start, "mode": mode}
                    async with gateway(provider, folder / "log.sqlite3", **settings) as server:
                        if name == "relay, whole start":
                            rate = await measures.starts(server, provider, at_once=32, seconds=sizes.seconds)
                        else:
                            rate = await measures.creations(server, at_once=32, seconds=sizes.seconds)
                        found.add(name, "per_s", rate)

        for number in range(sizes.rounds):
            for name, upstream_start, mode in (
                ("node http", "", ""),
                ("direct mode", "first-message", "direct"),
                ("relay", "first-message", "relay"),
                ("relay, whole start", "open", "relay"),
            ):
                with self._step(f"sessions, round {number + 1}: {name}"):
                    await one(name, upstream_start, mode)
        return found.medians()

    async def resume(self) -> Values:
        """Resume and append by the length of the log."""
        sizes = self.sizes
        found = _Table()
        for ballast in (0, sizes.ballast):
            with scratch_folder() as folder:
                path = folder / "log.sqlite3"
                pairs: dict[int, tuple[str, str]] = {}
                with self._step(f"resume: filling a log, {ballast} records beside"):
                    pairs = await session_log.fill(path, sizes.lengths, ballast=ballast)
                    async with Provider().serving() as provider, gateway(provider, path) as server:
                        epoch = session_log.EPOCH
                        for _ in range(3 * sizes.rounds):
                            for length, pair in pairs.items():
                                row = f"{length} records, {ballast} beside"
                                whole = await measures.resume(server, pair, records=length, after=0, epoch=epoch)
                                last = await measures.resume(server, pair, records=5, after=length - 5, epoch=epoch)
                                found.add(row, "resume_all_ms", whole)
                                found.add(row, "resume_last_5_ms", last)
                with self._step("resume: appends"):
                    grown = await session_log.in_grown_logs(path, pairs, seconds=sizes.seconds / 2)
                    for length_text, values in grown.items():
                        for key, value in values.items():
                            found.add(f"{length_text} records, {ballast} beside", key, value)
        return found.medians()

    async def log(self) -> Values:
        """The session log alone."""
        figures: dict[str, float] = {}
        with self._step("log"), scratch_folder() as folder:
            figures = await session_log.measure(folder, seconds=self.sizes.seconds / 2, runs=self.sizes.rounds)
        return {name: _short(value) for name, value in figures.items()}

    async def start(self) -> Values:
        """How long it takes to begin: the import, and the demo."""
        found = _Table()
        clock = "import time; t = time.perf_counter(); import guestwire; print((time.perf_counter() - t) * 1000)"
        for number in range(3 * self.sizes.rounds):
            with self._step(f"start, round {number + 1}"):
                out = await asyncio.create_subprocess_exec(sys.executable, "-c", clock, stdout=subprocess.PIPE)
                said, _ = await asyncio.wait_for(out.communicate(), READY_S)
                found.add("import guestwire", "ms", float(said))
                found.add("guestwire demo", "ms", await self._demo_ms())
        return found.medians()

    async def _demo_ms(self) -> float:
        demo = [
            str(Path(sys.executable).with_name("guestwire")),
            "demo",
            "--port",
            "0",
            "--emulator-port",
            "0",
            "--no-browser",
        ]
        begun = time.perf_counter()
        async with process("demo", demo, core=RELAY_CORE, ready=DEMO_READY) as server:
            await asyncio.to_thread(_get, f"{server.base_url}/")
            return (time.perf_counter() - begun) * 1000


DEMO_READY = re.compile(r"http://127\.0\.0\.1:(\d+)/\n")


class _Table:
    """Values by row and column, one a round."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[float]]] = {}

    def add(self, row: str, column: str, value: float) -> None:
        self._values.setdefault(row, {}).setdefault(column, []).append(value)

    def medians(self) -> Values:
        return {
            row: {column: _short(statistics.median(values)) for column, values in columns.items()}
            for row, columns in self._values.items()
        }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=READY_S) as answer:
        assert answer.status == 200
        answer.read()


def _machine(node: str) -> Values:
    nginx = nginx_program()
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "node": _output([node, "--version"]).strip(),
        "nginx": None if nginx is None else _output([nginx, "-v"]).rpartition("/")[2].split()[0],
    }


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=READY_S, check=True)
    return done.stdout + done.stderr


async def run(parts: list[str], sizes: Sizes, out: Path, node: str) -> int:
    """Measure the parts, and write each to its file as soon as it is done; return how many measurements failed."""
    failed = 0
    bench = Bench(sizes, node=node)
    measure: dict[str, Callable[[], Awaitable[Values]]] = {name: getattr(bench, name) for name in PARTS}
    for name in parts:
        load_before = os.getloadavg()[0]
        begun = time.monotonic()
        figures = await measure[name]()
        written = {
            "machine": _machine(node),
            "load_average": [round(load_before, 2), round(os.getloadavg()[0], 2)],
            "took_s": round(time.monotonic() - begun),
            "sizes": vars(sizes),
            "failures": bench.failures,
            "figures": figures,
        }
        failed += len(bench.failures)
        bench.failures = []
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.json").write_text(json.dumps(written, indent=1) + "\n")
    return failed


PARTS = ("start", "log", "sessions", "resume", "relay", "growth")


def main() -> None:
    """Read the command line, measure, write results, table and plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works; goes to build/bench")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--chats", type=int, nargs="+", help="at which throughput is measured")
    parser.add_argument("--idle-chats", type=int, nargs="+", help="at which memory is measured")
    parser.add_argument("--grown-chats", type=int, nargs="+", help="at which growth is measured")
    parser.add_argument("--rate", type=float, help="messages/s for the latency")
    parser.add_argument("--node", default=str(HERE.parent / ".venv/nodejs/bin/node"), help="which Node runs the peers")
    parser.add_argument("--out", type=Path, help="where results go: bench by default")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    asked = {
        name: tuple(value) if isinstance(value, list) else value
        for name in ("seconds", "rounds", "chats", "idle_chats", "grown_chats", "rate")
        if (value := getattr(options, name)) is not None
    }
    sizes = Sizes(**{**vars(sizes), **asked})
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part called {', '.join(sorted(unknown))}")
    most = max(*sizes.chats, *sizes.idle_chats, *sizes.grown_chats)
    if most > 10_000 or not 0 < sizes.seconds <= MOST_SECONDS or not 0 < sizes.rounds <= 20:
        parser.error(f"at most 10000 chats, {MOST_SECONDS:g} seconds and 20 rounds")
    out = options.out or (HERE.parent / "build" / "bench" if options.quick else HERE)
    pin(LOAD_CORE)
    most_chats()
    failed = uvloop.run(run(options.parts or list(PARTS), sizes, out / "results", options.node))
    report.write(out)
    if failed:
        sys.exit(f"{failed} measurements failed; see above, and `failures` in {out}/results.")


if __name__ == "__main__":
    main()
