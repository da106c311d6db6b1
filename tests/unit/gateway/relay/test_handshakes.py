"""WebSockets are opened at a limited rate, in turn."""

from __future__ import annotations

import asyncio
from typing import cast

from guestwire.gateway.relay.handshakes import PacedTransport
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.net.transport import ClientSocket
from guestwire.testing import FakeClock


class Network:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.opened: list[tuple[float, str]] = []

    async def send(self, request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(204)

    async def open_socket(self, url: str, *, origin: str | None = None) -> ClientSocket:
        self.opened.append((self.clock.now(), url))
        return cast("ClientSocket", None)


async def test_a_second_takes_so_many_in_the_order_of_asking() -> None:
    clock = FakeClock()
    network = Network(clock)
    paced = PacedTransport(network, clock, per_s=20)
    began = clock.now()
    await asyncio.gather(*(paced.open_socket(str(number)) for number in range(100)))
    assert [url for _, url in network.opened] == [str(number) for number in range(100)]
    for second in range(5):
        assert sum(at - began <= second + 1e-6 for at, _ in network.opened) <= 20 * (second + 1)
    assert clock.now() - began <= 4.01


async def test_who_gives_up_does_not_hold_up_the_others() -> None:
    clock = FakeClock()
    network = Network(clock)
    paced = PacedTransport(network, clock, per_s=1)
    tasks = [asyncio.ensure_future(paced.open_socket(str(number))) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert [url for _, url in network.opened] == ["0", "2", "3"]


async def test_requests_are_not_paced() -> None:
    clock = FakeClock()
    paced = PacedTransport(Network(clock), clock, per_s=1)
    for _ in range(10):
        assert (await paced.send(HttpRequest("GET", "http://localhost"))).status == 204
    assert clock.now() == 1000.0
