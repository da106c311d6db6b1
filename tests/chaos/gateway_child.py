"""A process that makes gateways: it has everything imported and forks, so that a start takes 0.1 s instead of 2.

It reads orders (`Order`, a JSON line each) from stdin and writes what becomes of its children to stdout (`Report`).
Each child is the real gateway, on the port and the file that its order names. At its fail-point it notes the hit in the
history, makes that durable, and kills itself with SIGKILL, as kindly as a power cut. When stdin ends, because the test
is over or dead, all children are killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import selectors
import signal
import socket
import ssl
import sys
import traceback
from collections import Counter
from pathlib import Path

import msgspec

from guestwire.gateway.app import create_gateway, drain
from guestwire.gateway.relay import hub, outbox_pump, settling
from guestwire.net.logs import configure_logging
from guestwire.net.server import Server
from guestwire.net.signals import stop_signals
from guestwire.settings import EMULATED_DEPLOYMENT, Api, GatewaySettings, ProviderSettings, Secret
from tests.chaos import ablations
from tests.chaos.history import History
from tests.chaos.minutes import quick_minutes

__all__ = ["SETTLE_S", "Order", "Report"]

SETTLE_S = 2.0
"""The relay's `T_settle`, shorter than in earnest, as is all else here."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway to start.

    Attributes:
        number: Whom the reports are about.
        log_file: Its session log.
        port: Where it listens.
        provider_url: Where its provider is.
        api: What that speaks.
        history: Where hits are noted.
        point: Its fail-point; none if empty.
        hit: At which time the fail-point kills.
        waits: Times are counted from SIGUSR1 on only.
        ablations: What is broken in it on purpose, names of `ablations.ABLATIONS`.
        options: Further settings.
    """

    number: int
    log_file: str
    port: int
    provider_url: str
    api: Api
    history: str
    point: str = ""
    hit: int = 0
    waits: bool = False
    ablations: tuple[str, ...] = ()
    options: dict[str, float | str | bool] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A child was forked, accepts connections, heard SIGUSR1, or has ended (`code` as `subprocess` has it)."""

    number: int
    pid: int = 0
    is_ready: bool = False
    is_armed: bool = False
    code: int | None = None


async def serve(order: Order, report: int) -> None:
    """Be a gateway until SIGTERM or the fail-point."""
    hits: Counter[str] = Counter()
    history = History(Path(order.history))
    is_armed = not order.waits

    def arm(_number: int, _frame: object) -> None:
        nonlocal is_armed
        is_armed = True
        _write(report, Report(number=order.number, is_armed=True))

    def fail(name: str) -> None:
        hits[name] += is_armed
        if name == order.point and hits[name] == order.hit:
            history.add(f"gateway-{order.number}", "info", "hit", text=name)
            history.sync()
            os.kill(os.getpid(), signal.SIGKILL)

    settings = GatewaySettings(
        provider=_provider(order),
        log_file=Path(order.log_file),
        dev=True,  # the browser files as they are: nobody reads them here
        sessions_burst=10_000,
        sessions_per_minute=1e6,
        sessions_per_minute_total=1e6,
        sessions_per_day=1e6,
        sessions_per_day_total=1e6,
        max_connections_per_address=10_000,
        max_records=1_000_000,
        **order.options,  # type: ignore[arg-type]
    )
    signal.signal(signal.SIGUSR1, arm)
    faulthandler.register(signal.SIGUSR2)  # where it hangs, if it does
    hub.TAKE_UP_PER_S = 200.0  # a life here is a second; of 16 chats all should be part of it
    outbox_pump.MESSAGES_PER_S = 60.0  # nor does anybody say 60 things in a minute here, but in a second
    settling.SETTLE_S, settling.READS_APART_S = SETTLE_S, SETTLE_S / 5
    with quick_minutes():
        app = create_gateway(settings, fail_point=fail)
        async with stop_signals() as stop, Server(app, port=order.port, graceful_s=2):
            _write(report, Report(number=order.number, is_ready=True))
            await stop.wait()
            await drain(app)


def _provider(order: Order) -> ProviderSettings:
    if order.api == "web-messaging":
        return ProviderSettings(api=order.api, base_url=order.provider_url, deployment_id=EMULATED_DEPLOYMENT)
    secret = Secret("demo-secret")
    return ProviderSettings(
        api="guest-session", base_url=order.provider_url, client_id="demo-client", client_secret=secret
    )


def _child(order: Order, report: int) -> int:
    for name in order.ablations:
        ablations.ABLATIONS[name]()
    configure_logging("text", "warning")
    import uvloop  # not on Windows, where these tests are left out

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(order, report))
    except Exception:  # noqa: BLE001 - the process's root
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0


def _write(report: int, message: Report) -> None:
    os.write(report, msgspec.json.encode(message) + b"\n")


def main() -> None:
    """Fork on order until stdin ends."""
    report = os.dup(1)
    os.dup2(2, 1)  # whatever a gateway prints must not look like a report
    # Without it a test that is killed while a child runs would leave the child: SIGCHLD wakes the loop below.
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    context = ssl.create_default_context()  # reading the system's certificates is most of what a start costs
    ssl.create_default_context = lambda *_args, **_kwargs: context
    gc.collect()
    gc.freeze()
    children: dict[int, int] = {}
    waiting = b""
    while True:
        ready = {key.fd for key, _ in selector.select()}
        if woken.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            _reap(children, report)
        if 0 not in ready:
            continue
        read = os.read(0, 65_536)
        if not read:
            break
        *lines, waiting = (waiting + read).split(b"\n")
        for line in lines:
            order = msgspec.json.decode(line, type=Order)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # orders are not for it; and libuv wants 0 taken
                code = _child(order, report)
                os._exit(code)
            children[pid] = order.number
            _write(report, Report(number=order.number, pid=pid))
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in children:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _reap(children: dict[int, int], report: int) -> None:
    for pid, number in list(children.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del children[pid]
            _write(report, Report(number=number, code=os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    main()
