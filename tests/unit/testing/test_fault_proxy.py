"""The fault proxy, between real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from random import Random

import pytest

from guestwire.testing.eventually import eventually
from guestwire.testing.fake_clock import FakeClock
from guestwire.testing.fault_proxy import Direction, FaultProxy

TO_TARGET, TO_CLIENT = Direction.TO_TARGET, Direction.TO_CLIENT


class Peer:
    """A program at one end of a connection: remembers what it read, piece by piece, and how the connection ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.pieces: list[bytes] = []
        self.end = "open"
        self._reader = reader
        self.task = asyncio.create_task(self._read())

    @property
    def got(self) -> bytes:
        return b"".join(self.pieces)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65_536):
                self.pieces.append(data)
            self.end = "fin"
        except ConnectionResetError:
            self.end = "rst"


class Link:
    """A server, a proxy before it, and whoever connects."""

    def __init__(self, proxy: FaultProxy, clock: FakeClock) -> None:
        self.proxy = proxy
        self.clock = clock
        self.servers: list[Peer] = []
        self.clients: list[Peer] = []

    async def connect(self) -> tuple[Peer, Peer]:
        """Return both ends of a new connection."""
        count = len(self.servers)
        client = await self.connect_only()
        await eventually(lambda: len(self.servers) > count)
        return client, self.servers[-1]

    async def connect_only(self) -> Peer:
        client = Peer(*await asyncio.open_connection(self.proxy.host, self.proxy.port))
        self.clients.append(client)
        return client


@contextlib.asynccontextmanager
async def linked() -> AsyncIterator[Link]:
    servers: list[Peer] = []
    clock = FakeClock(auto_jump=False)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        servers.append(Peer(reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        async with FaultProxy(*server.sockets[0].getsockname(), clock=clock, rng=Random(1)) as proxy:
            link = Link(proxy, clock)
            link.servers = servers
            yield link
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("fault-proxy")]
    finally:
        server.close()
        for peer in [*servers, *link.clients]:
            peer.writer.transport.abort()
            await peer.task


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    async with linked() as running:
        yield running


async def settle() -> None:
    """Give bytes that should not come every chance to come."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_passes_bytes_both_ways_and_counts_them(link: Link) -> None:
    client, server = await link.connect()
    client.say(b"question")
    await eventually(lambda: server.got == b"question")
    server.say(b"answer!")
    await eventually(lambda: client.got == b"answer!")
    assert link.proxy.passed_bytes == {TO_TARGET: 8, TO_CLIENT: 7}
    assert link.proxy.lost_bytes == {}
    assert (link.proxy.accepted, link.proxy.open_connections) == (1, 1)


async def test_passes_ten_megabytes_whole_to_a_slow_reader(link: Link) -> None:
    client, server = await link.connect()
    data = Random(2).randbytes(10_000_000)
    client.say(data)
    await eventually(lambda: len(server.got) == len(data), within_s=20)
    assert server.got == data


async def test_half_close_passes_and_the_other_way_stays_open(link: Link) -> None:
    client, server = await link.connect()
    client.writer.write_eof()
    await eventually(lambda: server.end == "fin")
    server.say(b"still here")
    await eventually(lambda: client.got == b"still here")
    server.writer.close()
    await eventually(lambda: client.end == "fin")
    await eventually(lambda: link.proxy.open_connections == 0)


async def test_a_reset_by_one_end_is_a_reset_at_the_other(link: Link) -> None:
    client, server = await link.connect()
    client.reset()
    await eventually(lambda: server.end == "rst")
    await eventually(lambda: link.proxy.open_connections == 0)


async def test_a_reset_after_a_half_close_passes_too(link: Link) -> None:
    client, server = await link.connect()
    server.writer.write_eof()
    await eventually(lambda: client.end == "fin")
    server.reset()

    def noticed() -> bool:
        client.say(b"anybody there?")  # asyncio looks no more at a socket that has sent its FIN, but writing tells
        return link.proxy.open_connections == 0

    await eventually(noticed)


async def test_reset_breaks_both_ends(link: Link) -> None:
    client, server = await link.connect()
    assert link.proxy.reset() == 1
    await eventually(lambda: (client.end, server.end) == ("rst", "rst"))
    assert link.proxy.open_connections == 0


async def test_cut_closes_both_ends_with_fin(link: Link) -> None:
    client, server = await link.connect()
    assert link.proxy.cut() == 1
    await eventually(lambda: (client.end, server.end) == ("fin", "fin"))
    client.writer.close()
    server.writer.close()
    await eventually(lambda: link.proxy.open_connections == 0)


async def test_cut_and_reset_do_not_wait_for_a_delay(link: Link) -> None:
    """What is held by the proxy is lost, and a clock that stands still holds nobody up."""
    for trouble, end in ((link.proxy.cut, "fin"), (link.proxy.reset, "rst")):
        client, server = await link.connect()
        with link.proxy.delaying(60.0):
            client.say(b"too late")
            await eventually(lambda: link.clock.sleepers)
            trouble()
            await eventually(lambda: server.end == end)  # noqa: B023 - awaited here
            assert server.got == b""
        client.writer.close()
        server.writer.close()
        await eventually(lambda: link.proxy.open_connections == 0)


async def test_delay_holds_bytes_until_the_clock_says_so(link: Link) -> None:
    client, server = await link.connect()
    with link.proxy.delaying(2.0, direction=TO_TARGET):
        client.say(b"slow")
        server.say(b"quick")
        await eventually(lambda: client.got == b"quick")
        await eventually(lambda: link.clock.sleepers)
        link.clock.advance(1.9)
        await settle()
        assert server.got == b""
        link.clock.advance(0.2)
        await eventually(lambda: server.got == b"slow")


async def test_delay_is_latency_not_throughput(link: Link) -> None:
    """Chunks sent a second apart through a delay of ten arrive a second apart, not ten."""
    client, server = await link.connect()
    with link.proxy.delaying(10.0):
        for each in range(3):
            client.say(b"%d" % each)
            passed = link.clock.now()
            await settle()
            assert passed == link.clock.now()
            link.clock.advance(1.0)
        link.clock.advance(7.0)
        await eventually(lambda: server.got == b"0")
        await eventually(lambda: link.clock.sleepers)
        link.clock.advance(1.0)
        await eventually(lambda: server.got == b"01")


async def test_jitter_keeps_the_order(link: Link) -> None:
    client, server = await link.connect()
    sent = bytes(range(64))
    with link.proxy.delaying(0.1, jitter=5.0):
        for each in sent:
            client.say(bytes([each]))
            await asyncio.sleep(0)

        def turned() -> bool:
            link.clock.advance(0.5)
            return len(server.got) == len(sent)

        await eventually(turned)
    assert server.got == sent


async def test_black_hole_holds_everything_and_delivers_it_afterwards(link: Link) -> None:
    client, server = await link.connect()
    with link.proxy.black_hole():
        client.say(b"one")
        server.say(b"two")
        client.writer.write_eof()
        await settle()
        assert (client.got, server.got, server.end) == (b"", b"", "open")
    await eventually(lambda: (client.got, server.got, server.end) == (b"two", b"one", "fin"))


async def test_a_connection_made_in_a_black_hole_reaches_the_target_afterwards(link: Link) -> None:
    with link.proxy.black_hole():
        client = await link.connect_only()
        client.say(b"hello")
        await settle()
        assert link.servers == []
    await eventually(lambda: link.servers and link.servers[0].got == b"hello")


@pytest.mark.parametrize("trouble, end", [("reset", "rst"), ("cut", "fin")])
async def test_a_connection_still_on_its_way_can_be_broken(link: Link, trouble: str, end: str) -> None:
    with link.proxy.black_hole():
        client = await link.connect_only()
        await eventually(lambda: link.proxy.open_connections == 1)
        await settle()
        getattr(link.proxy, trouble)()
        await eventually(lambda: client.end == end)
    assert link.servers == []


@pytest.mark.parametrize("trouble, end", [("reset", "rst"), ("cut", "fin")])
async def test_a_connection_just_accepted_can_be_broken(link: Link, trouble: str, end: str) -> None:
    """Before its task has run once."""
    with socket.create_connection((link.proxy.host, link.proxy.port)) as raw:
        link.proxy._accept(link.proxy._listener)  # type: ignore[arg-type]  # as the event loop would
        getattr(link.proxy, trouble)()
        client = Peer(*await asyncio.open_connection(sock=raw))
        link.clients.append(client)
        await eventually(lambda: client.end == end)
        await eventually(lambda: link.proxy.open_connections == 0)


async def test_a_full_black_hole_pauses_the_sender(link: Link) -> None:
    """The proxy's memory stays bounded, and all of it arrives in the end."""
    client, server = await link.connect()
    data = bytes(20_000_000)
    with link.proxy.black_hole():
        client.say(data)
        await settle()
        assert client.writer.transport.get_write_buffer_size() > 1_000_000
    await eventually(lambda: len(server.got) == len(data), within_s=20)


async def test_one_way_loses_for_good_and_keeps_the_connection(link: Link) -> None:
    client, server = await link.connect()
    with link.proxy.one_way(TO_TARGET):
        client.say(b"lost")
        await eventually(lambda: link.proxy.lost_bytes == {TO_TARGET: 4})
        server.say(b"heard")
        await eventually(lambda: client.got == b"heard")
    client.say(b"after a hole")
    await settle()
    assert (server.got, server.end) == (b"", "open")
    server.writer.close()
    await eventually(lambda: client.end == "fin")


async def test_one_way_loses_a_close_too(link: Link) -> None:
    client, server = await link.connect()
    with link.proxy.one_way(TO_TARGET):
        client.writer.close()
        await settle()
    assert server.end == "open"
    link.proxy.reset()
    await eventually(lambda: server.end == "rst")


async def test_slicing_delivers_small_pieces_in_order(link: Link) -> None:
    client, server = await link.connect()
    with link.proxy.slicing(3, delay=1.0):
        client.say(b"abcdefghijkl")

        def turned() -> bool:
            link.clock.advance(1.0)
            return server.got == b"abcdefghijkl"

        await eventually(turned)
    assert len(server.pieces) >= 4
    assert max(map(len, server.pieces)) <= 3


async def test_limiting_lets_through_what_the_rate_allows(link: Link) -> None:
    client, server = await link.connect()
    with link.proxy.limiting(1000.0):
        client.say(bytes(500))
        started = link.clock.now()

        def turned() -> bool:
            if link.clock.sleepers:
                link.clock.advance(0.01)
            return len(server.got) == 500

        await eventually(turned)
        assert 0.4 <= link.clock.now() - started <= 0.6


async def test_refusing_is_a_closed_port_and_open_connections_go_on(link: Link) -> None:
    client, server = await link.connect()
    port = link.proxy.port
    with link.proxy.refusing():
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await link.connect_only()
        client.say(b"open")
        await eventually(lambda: server.got == b"open")
    assert link.proxy.port == port
    await link.connect()
    assert link.proxy.accepted == 2


@pytest.mark.parametrize("with_reset, end", [(False, "fin"), (True, "rst")])
async def test_truncating_closes_in_the_middle(link: Link, *, with_reset: bool, end: str) -> None:
    client, server = await link.connect()
    client.say(b"before")
    await eventually(lambda: server.got == b"before")
    with link.proxy.truncating(4, direction=TO_TARGET, with_reset=with_reset):
        client.say(b"abcdefgh")
        await eventually(lambda: (server.end, client.end) == (end, end))
    assert server.got == b"beforeabcd"


async def test_a_target_that_refuses_resets_the_client(link: Link) -> None:
    link.proxy.target = ("127.0.0.1", 1)
    client = await link.connect_only()
    await eventually(lambda: client.end == "rst")


async def test_a_target_that_moved_is_found(link: Link) -> None:
    other: list[Peer] = []
    server = await asyncio.start_server(lambda *streams: other.append(Peer(*streams)), "127.0.0.1", 0)
    link.proxy.target = server.sockets[0].getsockname()
    await link.connect_only()
    await eventually(lambda: other)
    server.close()
    other[0].writer.transport.abort()
    await other[0].task


async def test_trouble_may_be_nested(link: Link) -> None:
    client, server = await link.connect()
    with link.proxy.slicing(2), link.proxy.delaying(1.0), link.proxy.delaying(2.0), link.proxy.black_hole():
        client.say(b"abcdef")
        await eventually(lambda: link.clock.sleepers)
        link.clock.advance(3.0)
        await settle()
        assert server.got == b""
    await eventually(lambda: server.got == b"abcdef")


async def test_leaving_closes_connections_in_every_state() -> None:
    """Delayed, held, silent, half closed, half made, just accepted: nothing survives the proxy."""
    async with linked() as link:
        for _ in range(3):
            await link.connect()
        with link.proxy.delaying(60.0), link.proxy.one_way(TO_CLIENT):
            for client, server in zip(link.clients, link.servers, strict=True):
                client.say(b"x")
                server.say(b"x")
            link.clients[0].writer.write_eof()
            await eventually(lambda: link.clock.sleepers >= 3)
        hole = contextlib.ExitStack()
        hole.enter_context(link.proxy.black_hole())
        await link.connect_only()
        await eventually(lambda: link.proxy.accepted == 4)
        await link.connect_only()
    await eventually(lambda: all(server.end != "open" for server in link.servers))
    hole.close()


@pytest.mark.parametrize("size", [0, -1])
async def test_slices_have_a_size(link: Link, size: int) -> None:
    with pytest.raises(ValueError, match="at least 1 byte"), link.proxy.slicing(size):
        pass


async def test_a_rate_is_positive(link: Link) -> None:
    with pytest.raises(ValueError, match="black_hole"), link.proxy.limiting(0):
        pass


async def test_the_port_is_known_only_while_it_runs() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = FaultProxy("127.0.0.1", 1).port
