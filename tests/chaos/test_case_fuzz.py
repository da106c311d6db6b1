"""F-02: frames by the grammar of the wire types, and mutations of them, in every state (reliability.md §5.3)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, seed
from hypothesis import strategies as st

from guestwire.errors import ERRORS, ConnectionLost
from guestwire.gateway.log import SessionLog
from guestwire.model.events import ConversationStatus, ConversationUpdated
from guestwire.protocols.guest_session.wire import InboundFrame, OutboundFrame
from guestwire.testing import FakeClock, eventually
from tests.chaos.case_browser import CLOSE_CODES
from tests.chaos.case_schema import problems_of
from tests.chaos.case_world import examples, log_of
from tests.integration.gateway.relay_world import Guest, Tab, World, relay_world

SHORT, LONG = 140, 20_000
STATES = ("greeting", "live", "live", "live", "plain", "ended")
SILENT = {"typing", "ack", "read", "end", "start-new", "stay"}
"""Taken without an answer, when they are what they must be."""

# --- the grammar ------------------------------------------------------------------------------------------------------

_TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "",
        " ",
        "\u2028",
        "x" * 4096,
        "x" * 4097,
        "é" * 2049,
        "\x00",
        "Robert'); DROP TABLE record;--",
        "<img src=x>",
        "👋",
    ]
)
_NUMBERS = st.integers(-3, 12) | st.integers() | st.sampled_from([2**31, 2**53, 2**63, 2**64, -(2**63)])
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_CONTENT = st.lists(
    st.fixed_dictionaries({"contentType": st.sampled_from(["ButtonResponse", "QuickReply", "Card", "Nonsense"])})
    | st.dictionaries(st.sampled_from(["contentType", "buttonResponse", "text"]), _JSON, max_size=3),
    max_size=3,
)
_BY_TYPE: dict[object, st.SearchStrategy[Any]] = {"str": _TEXTS, "int": _NUMBERS, "object": _CONTENT | _JSON}


def _member(field: msgspec.structs.FieldInfo) -> st.SearchStrategy[Any]:
    words = str(field.type)
    if field.encode_name == "clientId":
        return st.sampled_from(["c1", "c2", "c3", "x" * 64, "x" * 65, "", "a\nb", "\ud83d"]) | _TEXTS
    if words == "typing.Any" or field.type is object:
        return _BY_TYPE["object"]
    return _BY_TYPE["int"] if "int" in words else _BY_TYPE["str"]


def _frame_of(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    members = {field.encode_name: _member(field) for field in msgspec.structs.fields(kind)}
    tag = {"type": st.just(kind.__struct_config__.tag)}
    return st.fixed_dictionaries(tag, optional=members)


_GOOD = st.one_of(*(_frame_of(kind) for kind in InboundFrame.__args__))
_SAID = st.fixed_dictionaries(
    {"type": st.just("message"), "text": st.sampled_from(["Hi", "Bye", "x" * 4096, "é" * 2049])},
    optional={"clientId": st.sampled_from(["c1", "c2", "c3", "c4"])},
)
_OURS = st.one_of(*(_frame_of(kind) for kind in OutboundFrame.__args__))


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    """Return the text of a frame with something wrong in it, or perhaps not."""
    frame = draw(_GOOD | _OURS)
    match draw(st.integers(0, 5)):
        case 0:
            frame[draw(st.sampled_from([*frame, "type", "seq", "clientId"]))] = draw(_JSON)
        case 1:
            frame.pop(draw(st.sampled_from(list(frame))))
        case 2:
            frame[draw(st.text(max_size=6))] = draw(_JSON)
        case 3:
            frame["type"] = draw(st.text(max_size=10) | st.sampled_from(["Message", "hello", "close", "__proto__"]))
        case _:
            text = json.dumps(frame, ensure_ascii=draw(st.booleans()))
            at = draw(st.integers(0, len(text)))
            piece = draw(st.sampled_from(["", "{", "}", '"', "\\", ",", "[" * 2000, "\\ud800", "\x00", "0", "null"]))
            return text[:at] + piece + text[at + draw(st.integers(0, 3)) :]
    return json.dumps(frame)


_RAW = st.sampled_from(
    ["", "null", "[]", '"message"', "0", "{}", "{" * 500, "[" * 30_000, "NaN", '{"type":null}', "\ufeff{}"]
)
_ANY = _GOOD.map(json.dumps) | _SAID.map(json.dumps) | _mutated() | _RAW | st.text(max_size=20)
_TWICE = st.sampled_from(["Hi", "Bye"]).map(
    lambda text: [json.dumps({"type": "message", "clientId": "c1", "text": each}) for each in ("Hi", text)]
)
FRAMES = st.lists(_ANY, max_size=7) | st.tuples(_TWICE, st.lists(_ANY, max_size=4)).map(lambda both: both[0] + both[1])

# --- one example ------------------------------------------------------------------------------------------------------


@dataclass
class Fuzz:
    """The world of all examples."""

    world: World
    log: SessionLog
    clock: FakeClock
    counts: Counter[str]

    async def play(self, state: str, texts: list[str]) -> None:
        """Write frames in a state: each is answered as the table says, and the log has what was accepted, only."""
        self.clock.advance(3600)
        guest = await self.world.create()
        tab, witness = await _enter(guest, state)
        reading = asyncio.create_task(tab.rest())
        texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
        try:
            with contextlib.suppress(ConnectionLost):
                for text in texts:
                    await tab.socket.send_text(text)
                await _until_looked_at(tab, witness, reading, state, bool(texts))
        finally:
            code = tab.socket.close_code
            await tab.drop()
            await asyncio.gather(reading, return_exceptions=True)
        self.counts["frames"] += len(texts)
        self._check_answers(tab, state, texts, code)
        await self._check_log(guest, tab, state)
        assert witness.socket.close_code in {None, 1000}
        await witness.drop()
        self.counts[state] += 1

    def _check_answers(self, tab: Tab, state: str, texts: list[str], code: int | None) -> None:
        if code is not None:
            self.counts[f"closed_{code}"] += 1
            assert code in CLOSE_CODES
        if state == "greeting" and texts:
            # Before the welcome there is one answer to anything but a good hello: the close.
            assert (tab.frames, code in {4400, 4401}) == ([], True)
        for frame in tab.frames:
            assert problems_of(frame, "plain" if state == "plain" else "browser") == [], frame
        errors = [frame for frame in tab.frames if frame["type"] == "error"]
        assert {frame["code"] for frame in errors} <= ERRORS.keys()
        self.counts["errors"] += len(errors)
        self.counts.update(frame["code"] for frame in errors)
        if state in {"live", "ended"} and code is None:
            # Nothing is swallowed: each frame has its answer, but for those that have none.
            receipts = [frame for frame in tab.frames if frame["type"] == "receipt" and "seq" not in frame]
            pongs = [frame for frame in tab.frames if frame["type"] == "pong"]
            silent = sum(_kind(text) in SILENT for text in texts)
            answered = len(errors) + len(receipts) + len(pongs)
            assert len(texts) + 1 - silent <= answered <= len(texts) + 1

    async def _check_log(self, guest: Guest, tab: Tab, state: str) -> None:
        """What was refused has left no trace; what was accepted is there once."""
        page = await self.log.read(guest.sid, 0, 1000, 10**7)
        assert page is not None
        assert [record.seq for record in page.records] == list(range(1, page.head + 1))
        found: list[dict[str, Any]] = [msgspec.json.decode(record.body) for record in page.records]
        own = [frame["clientId"] for frame in found if frame["type"] == "message"]
        assert len(own) == len(set(own))
        assert {frame["type"] for frame in found} <= {"message", "receipt", "conversation-update"}
        if state == "greeting":
            assert own == []
        elif state != "plain":
            accepted = {f["clientId"] for f in tab.frames if f["type"] == "receipt" and f["status"] == "accepted"}
            assert set(own) - {"first"} == accepted - {"first"}
            self.counts["accepted"] += len(accepted)


async def _until_looked_at(
    tab: Tab, witness: Tab, reading: asyncio.Task[int | None], state: str, has_written: bool
) -> None:
    """Return when every frame was looked at and all answers were read, or the connection is closed."""
    if state == "greeting":
        if has_written:
            await asyncio.wait_for(asyncio.shield(reading), 10)
        return
    await tab.say(type="message", text="barrier", clientId="barrier")
    seeing = asyncio.create_task(witness.rest())

    def is_done() -> bool:
        seen = witness.frames if state == "plain" else tab.frames
        return reading.done() or any(
            frame.get("clientId") == "barrier" and ("seq" not in frame or state == "plain")
            for frame in [*seen, *(each for each in tab.frames if each["type"] == "error")]
        )

    try:
        await eventually(is_done, within_s=10)
    finally:
        seeing.cancel()
        await asyncio.gather(seeing, return_exceptions=True)
    await tab.socket.ping()  # its pong comes behind all answers


def _kind(text: str) -> str | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


async def _enter(guest: Guest, state: str) -> tuple[Tab, Tab]:
    """Return a connection in that state, and another one that watches."""
    witness = await guest.open(tab="witness")
    match state:
        case "greeting":
            return await guest.knock(), witness
        case "plain":
            return await guest.plain(), witness
        case "ended":
            tab = await guest.open(tab="tab")
            await witness.say(type="message", text="Hello", clientId="first")
            await witness.until_seq(2)
            ended = ConversationUpdated(status=ConversationStatus.ENDED)
            await guest.upstream.says(ended)
            await tab.until("conversation-update", status="ended")
            return tab, witness
        case _:
            return await guest.open(tab="tab"), witness


@pytest.mark.slow
def test_every_frame_has_an_answer_of_the_table(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """F-02: whatever is written in whatever state, the answer is a frame or close of the table, the log is whole."""
    counts: Counter[str] = Counter()
    clock = FakeClock(auto_jump=False)
    count = LONG if chaos_long else SHORT
    with asyncio.Runner() as runner:
        context = relay_world(tmp_path, clock=clock, max_connections_per_address=1000, sessions_per_day=10**9)
        world = runner.run(context.__aenter__())
        try:
            fuzz = Fuzz(world, runner.run(log_of(world)), clock, counts)

            @seed(chaos_seed)
            @examples(count)
            @example("live", [json.dumps({"type": "message", "clientId": "c1", "text": "é" * 2049})])
            @example(
                "live", [json.dumps({"type": "message", "clientId": "c1", "text": each}) for each in ("Hi", "Bye")]
            )
            @given(st.sampled_from(STATES), FRAMES)
            def frames(state: str, texts: list[str]) -> None:
                runner.run(fuzz.play(state, texts))

            frames()
        finally:
            runner.run(context.__aexit__(None, None, None))
    wanted = ("frames", "errors", "accepted", "greeting", "live", "plain", "ended", "closed_4400")
    codes = ("bad-frame", "message-blank", "message-too-long", "local-protocol", "conflict", "conversation-ended")
    named = {name.replace("-", "_"): counts[name] for name in (*wanted, *codes)}
    figures("F-02", **named)
