"""Processes that write to a log and say what was acknowledged, until they are killed.

Starting Python and loading the package takes a hundred times as long as a run. So this process loads once, then forks
one for each line of its stdin, `{"path", "seed", "fail_point", "count", "says"}`; `says` is a FIFO that gets the
process's id and then what was acknowledged. What became of it goes to stdout.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from guestwire.gateway.log import NewRecord, OutboxState, SessionRow, SqliteSessionLog
from guestwire.model.ids import ClientId, SessionId

SESSIONS = 6


def say(*words: object) -> None:
    """Write one line at once, without a buffer that a kill would lose."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def write(log: SqliteSessionLog, sid: SessionId, seed: int, rng: random.Random) -> None:
    for number in itertools.count():
        key = f"{seed}.{number}"
        if number % 3 == 0:
            accepted = await log.accept(
                sid, ClientId(key), key.encode(), NewRecord(kind="m", body=key.encode()), max_open=10**6
            )
            say("accepted", sid, accepted.seq, f"own:{key}")
        elif number % 3 == 1:
            (seq,) = await log.append(sid, [NewRecord(kind="m", body=b"x" * rng.randrange(3000), dedup_key=key)])
            say("appended", sid, seq, key)
        else:
            outgoing = await log.next_outgoing(sid)
            if outgoing is not None:
                if outgoing.state is not OutboxState.SENDING:
                    await log.mark_sending(sid, outgoing.oseq, number)
                receipt = NewRecord(kind="receipt", body=b"{}")
                seq = await log.settle(sid, outgoing.oseq, OutboxState.DELIVERED, record=receipt)
                say("settled", sid, seq, f"st:{outgoing.oseq}:delivered")


async def main(path: Path, seed: int, fail_point: str, count: int) -> None:
    hits = itertools.count(1)

    def fail(name: str) -> None:
        if name == fail_point and next(hits) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    rng = random.Random(seed)
    async with SqliteSessionLog(path, fail_point=fail) as log:
        say("lost" if log.lost_records else "opened")
        sids = [SessionId(f"{number:032x}") for number in range(SESSIONS)]
        for sid in sids:
            if await log.get(sid) is None:
                await log.create(SessionRow(sid=sid, epoch=f"e{sid}", created_ms=0))
                say("created", sid)
        await asyncio.gather(*(write(log, sid, seed, rng) for sid in sids))


def run(order: dict[str, Any]) -> None:
    """Be the process."""
    os.dup2(os.open(order["says"], os.O_WRONLY), 1)
    say(os.getpid())
    asyncio.run(main(Path(order["path"]), order["seed"], order["fail_point"], order["count"]))


if __name__ == "__main__":
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            run(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        say(os.waitstatus_to_exitcode(status))
