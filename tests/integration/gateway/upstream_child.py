"""A process that relays for one session until it is killed, or has settled everything.

python upstream_child.py DATABASE PROVIDER_URL RUN MESSAGES [FAIL_POINT HIT]
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
from functools import partial
from pathlib import Path

from guestwire.client.tokens import TokenBroker
from guestwire.errors import OutboxFull
from guestwire.gateway.log import SessionRow, SqliteSessionLog
from guestwire.gateway.relay.sealed import KEY_BYTES, Seal
from guestwire.gateway.relay.session import RelaySession
from guestwire.gateway.relay.tokens import now_ms
from guestwire.gateway.relay.upstream import GuestSessionUpstreams
from guestwire.model.ids import ClientId, SessionId
from guestwire.model.secret import Secret
from guestwire.net.clock import SystemClock
from guestwire.net.http import HttpClient
from guestwire.settings import ProviderSettings
from guestwire.testing import eventually

SID = SessionId("a" * 32)


def say(*words: object) -> None:
    """Write one line at once, without a buffer that a kill would lose."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def accept(session: RelaySession, text: str) -> bool:
    try:
        await session.accept(ClientId(text), text)
    except OutboxFull:  # the gateways before us left much to do
        return False
    return True


async def main(path: Path, url: str, run: str, messages: int, *, fail_point: str, hit: int) -> None:
    hits = itertools.count(1)

    def fail(name: str) -> None:
        if name == fail_point and next(hits) == hit:
            say("hit", name)
            os.kill(os.getpid(), signal.SIGKILL)

    clock = SystemClock()
    provider = ProviderSettings(base_url=url, client_id="demo-client", client_secret=Secret("demo-secret"))
    async with SqliteSessionLog(path) as log, HttpClient() as transport:
        row = await log.get(SID)
        if row is None:
            row = SessionRow(sid=SID, epoch="e", created_ms=0)
            await log.create(row)
        upstreams = GuestSessionUpstreams(
            provider,
            transport=transport,
            tokens=TokenBroker(transport, provider),
            seal=Seal([b"k" * KEY_BYTES], now_ms=lambda: now_ms(clock)),
            clock=clock,
            rng=random.Random(run),
            fail_point=fail,
        )
        session = RelaySession(row, log, upstreams, clock=clock, retention_s=3600, lives_s=3600, fail_point=fail)
        await session.find_state()
        session.take_up()
        for number in range(messages):
            text = f"{run}.{number}"
            await eventually(partial(accept, session, text), within_s=30)
            say("accepted", text)

        async def settled() -> bool:
            return await log.next_outgoing(SID) is None

        await eventually(settled, within_s=30)
        say("settled")
        if fail_point:
            await eventually(lambda: False, within_s=30)  # the provider's answer is still to come
        await session.aclose()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        say("tasks", len(left), *(task.get_name() for task in left))


if __name__ == "__main__":
    point, count = (sys.argv[5], int(sys.argv[6])) if len(sys.argv) > 5 else ("", 0)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), fail_point=point, hit=count))
