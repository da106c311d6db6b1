"""R-02: a reload with any position (reliability.md §5.2), over real sockets and a real log on disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from guestwire.gateway.log import SessionLog
from tests.chaos.case_browser import Browser
from tests.chaos.case_world import examples, filled_session, log_of, said
from tests.integration.gateway.relay_world import World, relay_world

SHORT, LONG = 200, 10_000
MOST = 130
"""More than a page holds."""

EPOCHS = st.sampled_from(["own", "own", "own", "own", "former", "none"]) | st.text(max_size=40)
PLACES = (
    st.none()
    | st.tuples(st.sampled_from(["floor", "head"]), st.integers(-3, 3))
    | st.tuples(st.just("between"), st.integers(0, 100))
    | st.tuples(st.just("number"), st.integers() | st.sampled_from([-1, 0, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63)]))
)
GARBAGE = st.floats(allow_nan=False) | st.text(max_size=5) | st.booleans() | st.lists(st.integers(), max_size=2)
RECORDS = [said(f"a{number}") for number in range(MOST + 8)]
TEXTS = [f"a{number}" for number in range(MOST + 8)]


async def look(
    world: World,
    log: SessionLog,
    counts: Counter[str],
    *,
    epoch: str,
    place: Any,
    head: int,
    floor: int,
    bumps: bool,
    races: int,
) -> None:
    """Come with a position, and compare all that is shown with what must be."""
    sid, token = await filled_session(log, RECORDS[:head], floor=floor, epoch="first")
    if bumps:
        await log.bump_epochs(sid)
    own = (await log.head(sid)).epoch
    after = None
    if place is not None:
        base = {"floor": floor, "head": head, "number": 0, "between": floor}[place[0]]
        after = base + (place[1] if place[0] != "between" else place[1] * (head - floor) // 100)
    named = {"own": own, "former": "first", "none": None}.get(epoch, epoch)
    reader = Browser(partial(world.client.open_socket, f"{world.url.replace('http', 'ws')}/ws"), sid, token, "t")
    appending = asyncio.ensure_future(log.append(sid, RECORDS[head : head + races])) if races else None
    await reader.connect(hello={"epoch": named, "after": after})
    if appending is not None:
        await appending
        counts["raced"] += 1
    whole = head + races
    if not reader.is_closed:
        await reader.until(lambda: reader.is_closed or (reader.last or 0) >= whole)
    await reader.drop()
    assert reader.problems == []
    if reader.mode is None:
        # Refused as a whole, and only where it is no number that JSON readers agree on.
        assert after is not None
        assert not -(2**63) <= after < 2**64
        assert (reader.close_code, reader.view) == (4400, [])
        counts["refused"] += 1
        return
    is_known = named == own and after is not None and floor <= after
    modes = {"resume" if is_known and after is not None and after <= head else "reset"}
    if is_known and after is not None and head < after <= whole:
        modes.add("resume")  # from the future when it was written, and perhaps no longer when it was read
    assert reader.mode in modes
    first = after if reader.mode == "resume" and after is not None else floor
    assert [(frame["seq"], frame["text"]) for frame in reader.view] == list(enumerate(TEXTS[:whole], 1))[first:]
    counts[reader.mode] += 1
    counts["records"] += len(reader.view)


async def look_with_garbage(world: World, log: SessionLog, value: Any, *, as_epoch: bool) -> int:
    """A place that is no place is refused as a whole: nothing is shown."""
    sid, token = await filled_session(log, RECORDS[:5], epoch="first")
    hello = {"epoch": value, "after": 0} if as_epoch else {"epoch": "first", "after": value}
    reader = Browser(partial(world.client.open_socket, f"{world.url.replace('http', 'ws')}/ws"), sid, token, "t")
    await reader.connect(hello=hello)
    await reader.drop()
    if as_epoch and isinstance(value, str):
        assert reader.mode == ("resume" if value == "first" else "reset")
        return 0
    assert (reader.close_code, reader.frames) == (4400, [])
    return 1


@pytest.mark.slow
def test_any_position_gets_everything_that_follows_or_a_reset(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """R-02: empty, stale, future, foreign and garbage positions: the right mode each time, never a partial view."""
    count = LONG if chaos_long else SHORT
    counts: Counter[str] = Counter()
    with asyncio.Runner() as runner:
        context = relay_world(tmp_path, max_connections_per_address=1000)
        world = runner.run(context.__aenter__())
        try:
            log = runner.run(log_of(world))

            @seed(chaos_seed)
            @examples(count)
            @given(
                epoch=EPOCHS,
                place=PLACES,
                head=st.integers(0, 12) | st.integers(0, MOST),
                trimmed=st.integers(0, 100),
                bumps=st.booleans(),
                races=st.sampled_from([0, 0, 0, 1, 8]),
            )
            def positions(*, head: int, trimmed: int, **others: Any) -> None:
                counts["examples"] += 1
                runner.run(look(world, log, counts, head=head, floor=head * trimmed // 100, **others))

            @seed(chaos_seed)
            @examples(count // 10)
            @given(GARBAGE, st.booleans())
            def garbage(value: Any, as_epoch: bool) -> None:
                counts["garbage"] += runner.run(look_with_garbage(world, log, value, as_epoch=as_epoch))

            positions()
            garbage()
        finally:
            runner.run(context.__aexit__(None, None, None))
    figures("R-02", **counts)
    assert counts["examples"] >= count
    assert min(counts["resume"], counts["reset"]) > count / 10
