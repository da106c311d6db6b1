"""R-09: log, outbox and browsers together against a small model (reliability.md §5.2).

tests/unit/gateway/log/test_model.py holds the log alone to a model of all its calls. Here it has its real users above
it, the hub and browsers in memory, and a crash may come inside a commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import Phase, seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from guestwire.errors import LocalProtocolError
from guestwire.gateway.log import OutboxState
from guestwire.gateway.relay import bodies
from guestwire.model.events import Fate, Message
from guestwire.testing import eventually
from tests.chaos.case_browser import Browser
from tests.chaos.case_world import Light, examples, filled_session, light_gateway

T = TypeVar("T")
SHORT, SHORT_STEPS = 30, 20
LONG, LONG_STEPS = 2000, 60
TABS = st.integers(0, 1)
CLIENT_IDS = st.sampled_from([f"c{number}" for number in range(6)])
SAID = st.lists(st.integers(0, 9), min_size=1, max_size=4)
POINTS = st.sampled_from(["before-commit", "after-commit"])
COUNTS: Counter[str] = Counter()


class Reference:
    """What must be: four lists and the rules in as few words as possible."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self.floor = 0
        self.outbox: list[list[str]] = []
        self.heard: list[str] = []
        self.is_in_doubt = False

    @property
    def head(self) -> int:
        return len(self.records)

    def append(self, key: str) -> None:
        if key not in self.records:
            self.records.append(key)

    def accept(self, client_id: str) -> None:
        if client_id not in self.records:
            self.outbox.append([client_id, "accepted"])
        self.append(client_id)

    def says(self, numbers: list[int]) -> None:
        for number in numbers:
            self.append(f"p{number}")

    @property
    def open(self) -> list[str] | None:
        return next((entry for entry in self.outbox if entry[1] in {"accepted", "sending"}), None)

    def mark(self) -> None:
        if self.open is not None and self.open[1] == "accepted":
            self.open[1] = "sending"
            self.is_in_doubt = False

    def write(self) -> None:
        if self.open is not None:
            self.heard.append(self.open[0])

    def settle(self) -> None:
        if self.open is not None and self.open[1] == "sending":
            entry = self.open
            entry[1] = "unconfirmed" if self.is_in_doubt else "delivered"
            self.append(f"{entry[0]}:{entry[1]}")

    def trim(self, below: int) -> None:
        self.floor = max(self.floor, min(below - 1, self.head))

    def crash(self) -> None:
        self.is_in_doubt = True


class RelayMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.copies = itertools.count()
        self.path = self.folder / "first" / "log.db"
        self.path.parent.mkdir()
        self.ref = Reference()
        self.heard: list[str] = []
        self.armed: str | None = None
        self.crashed = threading.Event()
        self.released = threading.Event()
        self.stack = contextlib.AsyncExitStack()
        self.gateway: Light
        COUNTS["runs"] += 1

    def run_(self, call: Coroutine[object, object, T]) -> T:
        return self.runner.run(call)

    @initialize()
    def begin(self) -> None:
        self.run_(self.open())
        self.sid, token = self.run_(filled_session(self.gateway.log, []))
        self.tabs = [
            Browser(lambda: self.browser_socket(token), self.sid, token, f"tab{number}") for number in range(2)
        ]
        for tab in self.tabs:
            self.run_(tab.connect())

    async def browser_socket(self, token: str) -> Any:
        return await self.gateway.browser(self.sid, token)._open_socket()

    async def open(self) -> None:
        self.gateway = await self.stack.enter_async_context(
            light_gateway(self.path, delivers=False, fail_point=self.fail_point)
        )

    def teardown(self) -> None:
        if hasattr(self, "tabs"):
            for tab in self.tabs:
                self.run_(tab.drop())
                assert tab.problems == []
        self.run_(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    # --- crashes ------------------------------------------------------------------------------------------------------

    def fail_point(self, name: str) -> None:
        if name == self.armed:
            self.armed = None
            self.copy()
            self.crashed.set()
            assert self.released.wait(20)

    def copy(self) -> None:
        """Keep the files as they are now, as kill -9 would."""
        folder = self.folder / str(next(self.copies))
        folder.mkdir()
        for suffix in ("", "-wal", ".generation"):
            shutil.copy(self.path.with_name(f"log.db{suffix}"), folder / f"log.db{suffix}")
        self.next_path = folder / "log.db"

    async def die(self) -> None:
        """Go on with the copy; what the old gateway still did is seen by nobody."""
        for tab in self.tabs:
            await tab.drop()
        self.released.set()
        self.armed = None
        await self.stack.aclose()
        self.path = self.next_path
        await self.open()
        self.ref.crash()
        COUNTS["crashes"] += 1

    async def crashing(self, point: str, call: Coroutine[object, object, object]) -> bool:
        """Let the gateway die at its next commit, during this call; return whether there was one."""
        self.crashed.clear()
        self.released.clear()
        self.armed = point
        calling = asyncio.ensure_future(call)
        calling.add_done_callback(lambda done: done.cancelled() or done.exception())
        # No commit comes when there is nothing to write.
        await eventually(lambda: self.crashed.is_set() or (calling.done() and not self.tabs_wait))
        has_crashed = self.crashed.is_set()
        if not has_crashed:
            await asyncio.to_thread(self.copy)
        await self.die()
        await asyncio.gather(calling, return_exceptions=True)
        COUNTS[point.replace("-", "_")] += has_crashed
        return has_crashed

    @property
    def tabs_wait(self) -> bool:
        return any(not tab.is_closed and tab.unacknowledged for tab in self.tabs)

    def come_back(self) -> None:
        """The first tab comes back by itself."""
        self.reconnect_tab(self.tabs[0])

    @rule()
    def crash(self) -> None:
        """Between two calls."""
        self.copy()
        self.run_(self.die())
        self.come_back()

    @rule()
    def restart(self) -> None:
        async def again() -> None:
            await self.stack.aclose()
            await self.open()

        self.run_(again())
        for tab in self.tabs:
            self.run_(tab.drop())
        self.ref.crash()
        self.come_back()
        COUNTS["restarts"] += 1

    # --- the guest ----------------------------------------------------------------------------------------------------

    @rule(tab=TABS, client_id=CLIENT_IDS)
    def send(self, tab: int, client_id: str) -> None:
        """Say something, perhaps again, perhaps in another tab; or offline, where it waits in the browser's outbox."""
        browser = self.tabs[tab]
        self.run_(browser.send(client_id, client_id))
        if not browser.is_closed:
            self.ref.accept(client_id)
            self.run_(browser.until(lambda: client_id not in browser.unacknowledged))
            COUNTS["sent"] += 1

    @rule(tab=TABS, client_id=CLIENT_IDS, point=POINTS)
    def send_and_crash(self, tab: int, client_id: str, point: str) -> None:
        browser = self.tabs[tab]
        if browser.is_closed:
            return
        is_new = client_id not in self.ref.records
        has_crashed = self.run_(self.crashing(point, browser.send(client_id, client_id)))
        if has_crashed and point == "after-commit":
            self.ref.accept(client_id)
        assert has_crashed or not is_new
        self.come_back()

    @rule(tab=TABS)
    def drop(self, tab: int) -> None:
        self.run_(self.tabs[tab].drop())

    @rule(tab=TABS, reloads=st.booleans())
    def reconnect(self, tab: int, reloads: bool) -> None:
        """Come back: a resume if all that is lacking is kept, else a reset; what was not answered is said again."""
        browser = self.tabs[tab]
        if reloads:
            self.run_(browser.drop())
            browser.epoch = browser.last = None
            browser.view.clear()
        self.reconnect_tab(browser)

    def reconnect_tab(self, browser: Browser) -> None:
        can_resume = browser.last is not None and browser.last >= self.ref.floor
        for client_id in browser.unacknowledged:
            self.ref.accept(client_id)
        self.run_(browser.connect())
        self.run_(browser.until(lambda: not browser.unacknowledged))
        assert browser.mode == ("resume" if can_resume else "reset")
        COUNTS[browser.mode] += 1

    @rule(tab=TABS)
    def ack(self, tab: int) -> None:
        self.run_(self.tabs[tab].write(type="ack", seq=self.tabs[tab].last or 0))

    # --- the provider -------------------------------------------------------------------------------------------------

    async def say(self, numbers: list[int]) -> None:
        session = await self.gateway.hub.open(self.sid)
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        await session.provider_said(
            [Message(sender="agent", text=f"p{n}", id=f"{n}", sent_at=begin + timedelta(seconds=n)) for n in numbers]
        )

    @rule(numbers=SAID)
    def says(self, numbers: list[int]) -> None:
        """News, repetitions, in any order."""
        self.run_(self.say(numbers))
        self.ref.says(numbers)

    @rule(numbers=SAID, point=POINTS)
    def says_and_crash(self, numbers: list[int], point: str) -> None:
        if self.run_(self.crashing(point, self.say(numbers))) and point == "after-commit":
            self.ref.says(numbers)
        self.come_back()

    async def mark(self) -> str | None:
        """Return what may be written to the provider now; the log says so, not the reference."""
        outgoing = await self.gateway.log.next_outgoing(self.sid)
        if outgoing is None:
            return None
        try:
            await self.gateway.log.mark_sending(self.sid, outgoing.oseq, 1)
        except LocalProtocolError:
            return None
        return str(outgoing.client_id)

    async def settle(self) -> None:
        outgoing = await self.gateway.log.next_outgoing(self.sid)
        if outgoing is not None and outgoing.state is OutboxState.SENDING:
            state, fate = OutboxState.DELIVERED, Fate.DELIVERED
            if self.ref.is_in_doubt:
                state, fate = OutboxState.UNCONFIRMED, Fate.UNCONFIRMED
            receipt = bodies.receipt(self.sid, outgoing.client_id, outgoing.message_seq, fate)
            await self.gateway.log.settle(self.sid, outgoing.oseq, state, record=receipt)

    @precondition(lambda self: self.ref.open is not None)
    @rule()
    def deliver(self) -> None:
        """Write the oldest message to the provider, after it was marked."""
        before = self.ref.open
        is_due = before is not None and before[1] == "accepted"
        written = self.run_(self.mark())
        if written is not None:
            self.heard.append(written)
            COUNTS["delivered"] += 1
        if is_due:
            self.ref.mark()
            self.ref.write()

    @precondition(lambda self: self.ref.open is not None and self.ref.open[1] == "accepted")
    @rule(point=POINTS, is_written=st.booleans())
    def deliver_and_crash(self, point: str, is_written: bool) -> None:
        """F4 and F5: the mark is durable, and the message is written, or not."""
        before = self.ref.open
        has_crashed = self.run_(self.crashing(point, self.mark()))
        if has_crashed and point == "after-commit" and before is not None:
            self.ref.mark()
            if is_written:
                self.ref.write()
                self.heard.append(before[0])
            self.ref.crash()
        self.come_back()

    @precondition(lambda self: self.ref.open is not None and self.ref.open[1] == "sending")
    @rule()
    def settles(self) -> None:
        self.run_(self.settle())
        self.ref.settle()

    @precondition(lambda self: self.ref.open is not None and self.ref.open[1] == "sending")
    @rule(point=POINTS)
    def settles_and_crash(self, point: str) -> None:
        in_doubt = self.ref.is_in_doubt
        if self.run_(self.crashing(point, self.settle())) and point == "after-commit":
            self.ref.is_in_doubt = in_doubt
            self.ref.settle()
            self.ref.crash()
        self.come_back()

    @rule(below=st.integers(1, 20))
    def trim(self, below: int) -> None:
        self.run_(self.gateway.log.trim(self.sid, below))
        self.ref.trim(below)

    @rule(tab=TABS, numbers=SAID, by=st.integers(0, 3))
    def trim_behind(self, tab: int, numbers: list[int], by: int) -> None:
        """A tab goes, more is said, and what the tab lacks is trimmed, or just not."""
        browser = self.tabs[tab]
        if browser.is_closed or browser.last is None:
            return
        self.run_(browser.until(lambda: (browser.last or 0) >= self.ref.head))
        last = browser.last
        self.drop(tab)
        self.says(numbers)
        self.trim(last + by)
        COUNTS["trimmed_behind"] += 1

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def all_is_as_in_the_reference(self) -> None:
        if hasattr(self, "tabs"):
            COUNTS["steps"] += 1
            self.run_(self.compare())

    async def compare(self) -> None:
        ref, log = self.ref, self.gateway.log
        position = await log.head(self.sid)
        assert (position.floor, position.head) == (ref.floor, ref.head)
        page = await log.read(self.sid, ref.floor, 1000, 10**7)
        assert page is not None
        found = [_key(msgspec.json.decode(record.body)) for record in page.records]
        assert found == ref.records[ref.floor :]
        outgoing = await log.next_outgoing(self.sid)
        assert (None if outgoing is None else [outgoing.client_id, outgoing.state.value]) == ref.open
        assert self.heard == ref.heard
        assert len(set(self.heard)) == len(self.heard), "doubled at the provider"
        accepted = [key for key in ref.records if key.startswith("c") and ":" not in key]
        assert self.heard == [key for key in accepted if key in set(self.heard)], "reordered at the provider"
        for tab in self.tabs:
            if not tab.is_closed:
                # A trim may overtake who is just coming: then it is told so, and comes again.
                await tab.until(lambda tab=tab: tab.is_closed or (tab.last or 0) >= ref.head)  # type: ignore[misc]
            assert tab.problems == []
            assert tab.last is None or tab.last <= ref.head, "shown before it was durable"
            shown = [_key(frame) for frame in tab.view]
            assert shown == ref.records[tab.floor : tab.last] if tab.last is not None else shown == []


def _key(frame: dict[str, Any]) -> str:
    if frame["type"] == "receipt":
        return f"{frame['clientId']}:{frame['status']}"
    return str(frame.get("clientId") or frame["text"])


@pytest.mark.slow
def test_log_outbox_and_browsers_are_as_in_the_model(
    chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """R-09: send, answer, drop, repeat, reorder, trim, restart, and crash anywhere: no counter-example."""
    COUNTS.clear()
    runs, steps = (LONG, LONG_STEPS) if chaos_long else (SHORT, SHORT_STEPS)
    machine = seed(chaos_seed)(RelayMachine)
    # A counter-example of the short form has few steps, and shrinking it would take longer than a test may.
    phases = tuple(Phase) if chaos_long else (Phase.generate,)
    run_state_machine_as_test(machine, settings=examples(runs, stateful_step_count=steps, phases=phases))
    assert COUNTS["runs"] >= runs
    figures("R-09", **COUNTS)
