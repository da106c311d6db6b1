"""R-06: a provider that sends its frames in another order (reliability.md §5.2); the real hub and log, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from guestwire.model.events import Message
from tests.chaos.case_browser import display_order
from tests.chaos.case_world import Light, filled_session, light_gateway

SHORT, LONG = 150, 1000
MESSAGES = 24
WINDOW_S = 2.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def conversation(rng: Random) -> list[Message]:
    """Return what a provider has, in its own order: by time, then id; some fall into one millisecond."""
    said: list[Message] = []
    at = BEGIN
    for number in range(MESSAGES):
        at += timedelta(milliseconds=rng.choice([0, 0, 1, 7, 300, 900]))
        said.append(
            Message(
                sender=rng.choice(["agent", "bot"]), text=f"m{number}", id=f"{rng.getrandbits(64):016x}", sent_at=at
            )
        )
    return sorted(said, key=lambda message: (message.sent_at, message.id))


def arrivals(said: list[Message], rng: Random) -> list[list[Message]]:
    """Return how it arrives: each message up to `WINDOW_S` late, some twice, one to three in a batch."""
    lag_s = rng.choice([0.0, 0.3, WINDOW_S, WINDOW_S])
    timed = [(message.sent_at.timestamp() + rng.uniform(0, lag_s), message) for message in said if message.sent_at]
    timed += [(at + rng.uniform(0, WINDOW_S), message) for at, message in timed if rng.random() < 0.2]
    order = [message for _, message in sorted(timed, key=lambda each: each[0])]
    batches = []
    while order:
        count = rng.randrange(1, 4)
        batches.append(order[:count])
        order = order[count:]
    return batches


async def play(gateway: Light, rng: Random, counts: Counter[str]) -> None:
    """Let a conversation arrive before two browsers, one of which comes and goes."""
    sid, token = await filled_session(gateway.log, [])
    steady, restless = gateway.browser(sid, token, "steady"), gateway.browser(sid, token, "restless")
    await steady.connect()
    said = conversation(rng)
    arrived: set[str | None] = set()
    newest = (BEGIN - timedelta(days=1), "")
    for number, batch in enumerate(arrivals(said, rng)):
        if rng.random() < 0.1:
            await steady.send(f"own {number}", f"c{number}")
        if rng.random() < 0.2:
            await restless.connect()
        if rng.random() < 0.05:
            # What a restart leaves of a session: its records.
            await steady.drop()
            await restless.drop()
            await gateway.hub._forget(sid)
            await steady.connect()
            counts["taken_up_again"] += 1
        await gateway.upstreams[sid].says(*batch)
        for message in batch:
            assert message.sent_at is not None
            assert message.id is not None
            if message.id not in arrived:
                counts["late"] += (message.sent_at, message.id) < newest
            newest = max(newest, (message.sent_at, message.id))
            arrived.add(message.id)
    await steady.until(lambda: not steady.unacknowledged)
    await restless.connect()
    head = (await gateway.log.head(sid)).head
    expected = [message.text for message in said]
    for browser in (steady, restless):
        await browser.until_seq(head)
        assert browser.problems == []
        assert browser.seqs == list(range(1, len(browser.seqs) + 1))
        shown = [frame for frame in display_order(browser.view) if frame.get("from") != "guest"]
        assert [frame["text"] for frame in shown] == expected, "not the provider's order"
        keys = [(frame["orderKey"], frame["seq"]) for frame in shown]
        assert keys == sorted(keys)
        await browser.drop()
    provided = [frame for frame in steady.view if "orderKey" in frame and frame["type"] != "receipt"]
    highest = ""
    for frame in provided:
        assert frame.get("late", False) == (frame["orderKey"] < highest), frame
        highest = max(highest, frame["orderKey"])
        counts["marked_late"] += frame.get("late", False)
    counts["out_of_order"] += [frame["text"] for frame in provided] != expected
    counts["messages"] += len(provided)


@pytest.mark.slow
async def test_the_display_order_is_the_providers_order(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """R-06: frames permuted within two seconds, some twice: `seq` has no hole, and what is shown is in order."""
    counts: Counter[str] = Counter()
    schedules = LONG if chaos_long else SHORT
    async with light_gateway(tmp_path / "log.sqlite3") as gateway:
        for number in range(schedules):
            await play(gateway, Random(f"{chaos_seed}.{number}"), counts)
    figures("R-06", schedules=schedules, **counts)
    assert counts["late"] == counts["marked_late"]
    assert counts["out_of_order"] > schedules / 3
