"""R-10: what came piece by piece is what a fresh reset shows; every frame is in the schema (reliability.md §5.2)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec
import pytest

from guestwire.errors import ERRORS
from guestwire.model.content import parse_content
from guestwire.model.events import ConversationStatus, ConversationUpdated, Event, Message, ProviderError, Typing
from guestwire.model.transcript import Transcript
from guestwire.protocols.guest_session.wire import OutboundFrame, decode_outbound, to_event
from guestwire.testing import FakeClock, eventually
from tests.chaos.case_browser import Browser
from tests.chaos.case_schema import SCHEMA, problems_of
from tests.chaos.case_world import browser_of, is_delivered
from tests.integration.gateway.relay_world import Guest, Tab, World, relay_world

SHORT, LONG = 12, 300
STEPS = 30
CONTENT = parse_content(
    [{"contentType": "QuickReply", "quickReply": {"text": "Yes", "payload": "y"}}, {"contentType": "New", "x": 1}]
)


class Fold:
    """A transcript that grows with every frame, also with those that are not kept; a reset begins anew."""

    def __init__(self) -> None:
        self.transcript = Transcript()

    def take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "welcome" and frame["mode"] == "reset":
            self.transcript = Transcript()
        event = to_event(decode_outbound(json.dumps(frame)))
        if event is not None:
            self.transcript.apply(event)

    @property
    def shown(self) -> tuple[object, ...]:
        """Everything but who types: whoever reloads does not see that."""
        transcript = self.transcript
        return (transcript.rows, transcript.status, transcript.agent_name, transcript.reason)


def anything_said(rng: Random, number: int) -> Event:
    """Return an event of any kind, with any of its members."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number, milliseconds=rng.randrange(1000))
    maybe = rng.random() < 0.5
    match rng.randrange(8):
        case 0 | 1:
            return Message(
                sender=rng.choice(["agent", "agent", "supervisor"]),
                text=rng.choice(["Hi", "", "ä" * 300, "line\nline", '"<b>&\u2028']) or "x",
                sent_at=at if maybe else None,
                name="Ada" if maybe else None,
                id=f"p{rng.randrange(number + 3)}",
            )
        case 2:
            return Message(sender="bot", text="Choose" if maybe else "", content=CONTENT, name="Bot", id=f"b{number}")
        case 3:
            return Message(sender="guest", text="said elsewhere", id=f"g{number}" if maybe else None, sent_at=at)
        case 4:
            return ConversationUpdated(
                status=rng.choice([ConversationStatus.WAITING, ConversationStatus.CONNECTED]),
                agent_name=rng.choice(["Ada", "Bo", None]),
                agent_avatar="https://example.com/a.png" if maybe else None,
                expires_at=at if maybe else None,
                read_only=rng.choice([None, True, False]),
                reason="no-agents" if maybe else None,
            )
        case 5:
            return ConversationUpdated(position=rng.randrange(1, 9), estimated_wait=30.5 if maybe else None)
        case 6:
            return Typing(sender="agent", duration=5000 if maybe else None)
        case _:
            code = rng.choice(["rate-limited", "no-such-code", ""])
            return ProviderError(code=code, text="Slow down." if maybe else "", retry_after=2.0 if maybe else None)


async def play(world: World, clock: FakeClock, rng: Random, counts: Counter[str]) -> None:
    """Let a chat take its course before three witnesses, and fold what each of them saw."""
    guest = await world.create()
    clock.advance(60)
    steady, restless, fresh = (browser_of(guest, tab) for tab in ("steady", "restless", "fresh"))
    folds = {browser: Fold() for browser in (steady, restless, fresh)}
    for browser, folded in folds.items():
        browser.listener = folded.take
    for browser in (steady, restless):
        await browser.connect()
    plain = await guest.plain()
    await steady.send("Hello", "c")
    await steady.until_seq(1)
    for number in range(STEPS):
        clock.advance(1)
        await step(guest, rng, number, steady, restless)
    await steady.until(lambda: not steady.unacknowledged)
    session = guest.upstream.session
    await eventually(partial(is_delivered, guest))
    has_ended = rng.random() < 0.5
    if has_ended:
        await guest.upstream.says(ConversationUpdated(status=ConversationStatus.ENDED, reason="agent-left"))
    head = (await session.log.head(guest.sid)).head
    for browser in (steady, restless):
        if (browser.last or 0) < head and browser.is_closed:
            await browser.connect()
        await browser.until_seq(head)
    await fresh.connect()
    await fresh.until_seq(head)
    for browser, folded in folds.items():
        assert browser.problems == []
        assert browser.view == fresh.view
        assert folded.shown == folds[fresh].shown
        counts["frames"] += len(browser.view)
        await browser.drop()
    counts["rows"] += len(folds[fresh].transcript.rows)
    counts["resumes"] += restless.counts["resume"]
    counts["plain_frames"] += await _check_plain(plain, has_ended=has_ended)


async def step(guest: Guest, rng: Random, number: int, steady: Browser, restless: Browser) -> None:
    match rng.randrange(6):
        case 0 | 1 | 2:
            await guest.upstream.says(*(anything_said(rng, number) for _ in range(rng.randrange(1, 4))))
        case 3:
            await steady.send(f"words {number}", f"c{number}")
        case 4:
            await (restless.connect() if rng.random() < 0.8 else restless.reload())
        case _:
            await steady.write(type=rng.choice(["ping", "typing", "nonsense", "message", "start-new"]), seq=number)


async def _check_plain(plain: Tab, *, has_ended: bool) -> int:
    """Hold what a client of the tutorial got against its part of the schema."""
    if has_ended:
        assert await plain.rest() == 1000
    else:
        await plain.say(type="nonsense")
        await plain.until("error", code="bad-frame")
        await plain.drop()
    for frame in plain.frames:
        assert problems_of(frame, "plain") == []
    return len(plain.frames)


@pytest.mark.slow
async def test_the_fold_of_the_log_is_a_fresh_snapshot(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """R-10: whole, in pieces or twice, the transcript is the same; every frame that was sent is valid."""
    counts: Counter[str] = Counter()
    clock = FakeClock(auto_jump=False)
    schedules = LONG if chaos_long else SHORT
    async with relay_world(tmp_path, clock=clock) as world:
        for number in range(schedules):
            await play(world, clock, Random(f"{chaos_seed}.{number}"), counts)
    figures("R-10", schedules=schedules, **counts)


# --- the schema itself ------------------------------------------------------------------------------------------------


def test_the_schema_has_the_members_of_the_wire_types() -> None:
    """Each frame of the wire types is in the schema, with the same members and none beside them."""
    wire = {
        str(kind.__struct_config__.tag): {"type", *(member.encode_name for member in msgspec.structs.fields(kind))}
        for kind in OutboundFrame.__args__
    }
    ours: dict[str, set[str]] = {}
    for reference in SCHEMA["$defs"]["browser"]["oneOf"]:
        schema = SCHEMA["$defs"][reference["$ref"].split("/")[-1]]
        ours.setdefault(schema["properties"]["type"]["const"], set()).update(schema["properties"])
    assert ours.keys() == wire.keys()
    for kind, names in ours.items():
        # Who a bot is stands in its type; a provider may say it all the same.
        assert wire[kind] - names <= ({"from"} if kind == "bot-message" else set())
        assert names <= wire[kind]


GOOD: dict[str, Any] = {
    "type": "message",
    "from": "agent",
    "text": "Hi",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "id": "0" * 32,
    "seq": 1,
}


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0}, {"seq": None}, {"seq": True}, {"id": "x"}, {"from": "nobody"}, {"from": None}, {"text": None},
        {"timestamp": "yesterday"}, {"late": False}, {"more": 1}, {"content": []}, {"type": "other"}, {"clientId": "c"},
    ],
)  # fmt: skip
def test_the_schema_refuses(change: dict[str, Any]) -> None:
    assert problems_of(GOOD) == []
    bad = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    assert problems_of(bad) != []


def test_error_codes_are_of_the_table() -> None:
    """The schema's pattern lets every code of the table through."""
    for code in ERRORS:
        assert problems_of({"type": "error", "code": code, "text": "Words."}) == []
    assert problems_of(cast("dict[str, Any]", {"type": "error", "code": "Nope!", "text": "Words."}))
