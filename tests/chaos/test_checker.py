"""The checker finds each thing that can go wrong, and nothing in a run that went well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.chaos.checker import Verdict, check, percentile
from tests.chaos.history import Event, History, digest, read_history

S = "g1"


class Story:
    """A history, told line by line."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, actor: str, kind: str, what: str, **members: object) -> None:
        fields = {"session": S, **members, "at": float(len(self.events)), "actor": actor, "kind": kind, "what": what}
        self.events.append(msgspec.convert(fields, Event))

    def welcome(self, tab: str = "g1/a", mode: str = "reset", after: int = -1) -> None:
        self.add(tab, "info", "welcome", mode=mode, epoch="e", after=after)

    def send(self, client: str, seq: int, text: str = "") -> None:
        self.add("g1/a", "invoke", "send", client=client, text=text or f"text of {client}")
        if seq:
            self.add("g1/a", "ok", "send", client=client, seq=seq)

    def own(self, seq: int, client: str, *tabs: str) -> None:
        for tab in tabs or ("g1/a", "g1/b"):
            text = f"text of {client}"
            self.add(tab, "info", "record", seq=seq, body=f"{seq}", sender="guest", client=client, text=text)

    def fate(self, seq: int, client: str, status: str, *tabs: str) -> None:
        for tab in tabs or ("g1/a", "g1/b"):
            self.add(tab, "info", "record", seq=seq, body=f"{seq}", client=client, status=status)

    def agent(self, seq: int, text: str, *tabs: str, order_key: str = "") -> None:
        for tab in tabs or ("g1/a", "g1/b"):
            self.add(tab, "info", "record", seq=seq, body=f"{seq}", sender="agent", text=text, order_key=order_key)

    def entry(self, text: str, sender: str = "guest", rank: str = "", **members: object) -> None:
        self.add(
            "provider", "info", "entry", text=text, sender=sender, rank=rank or f"{len(self.events):09}", **members
        )

    def verdict(self, *, has_history: bool = False) -> Verdict:
        return check(self.events, has_history=has_history)


def good() -> Story:
    """A guest in two tabs says two things and hears one; a connection is lost, and a message is in doubt."""
    story = Story()
    story.welcome("g1/a")
    story.welcome("g1/b")
    story.add("provider", "info", "connection", connection=1, status="open")
    story.send("c1", 1)
    story.own(1, "c1")
    story.entry("text of c1")
    story.fate(2, "c1", "delivered")
    story.entry("hello", "agent", connection=1)
    story.agent(3, "hello")
    story.send("c2", 4)
    story.own(4, "c2")
    story.add("provider", "info", "connection", connection=1, status="closed")
    story.add("driver", "info", "kill")
    story.entry("is anybody there?", "agent", connection=1, is_connected=False)
    story.welcome("g1/a", "resume", after=4)
    story.welcome("g1/b", "resume", after=4)
    story.add("g1/a", "info", "resend", client="c2")
    story.add("g1/a", "ok", "send", client="c2", seq=4)
    story.fate(5, "c2", "unconfirmed")
    return story


def test_a_good_run_is_clean() -> None:
    verdict = good().verdict()
    assert verdict.anomalies == {}
    assert (verdict.attempted, verdict.acknowledged, verdict.recovered, verdict.said, verdict.missed) == (2, 2, 1, 2, 1)
    assert verdict.outcomes == {"text of c1": ("delivered", 1), "text of c2": ("unconfirmed", 0)}
    assert (verdict.fates, verdict.kills) == ({"delivered": 1, "unconfirmed": 1}, 1)
    assert "attempted=2 acknowledged=2 recovered=1 delivered=1 unconfirmed=1 said=2 missed=1 lost=0" in str(verdict)


def lost_in_the_log(story: Story) -> None:
    story.send("c3", 6)


def lost_at_the_provider(story: Story) -> None:
    story.send("c3", 6)
    story.own(6, "c3")
    story.fate(7, "c3", "delivered")


def lost_of_the_agent(story: Story) -> None:
    story.add("provider", "info", "connection", connection=2, status="open")
    story.entry("lost", "agent", connection=2)


def lost_before_what_came(story: Story) -> None:
    story.add("provider", "info", "connection", connection=2, status="open")
    story.entry("lost", "agent", connection=2)
    story.entry("came", "agent", connection=2)
    story.agent(6, "came")
    story.add("provider", "info", "connection", connection=2, status="closed")


def doubled_at_the_provider(story: Story) -> None:
    story.entry("text of c1")


def doubled_in_the_log(story: Story) -> None:
    story.own(6, "c1")


def doubled_by_the_agent(story: Story) -> None:
    story.agent(6, "hello")


def doubled_on_the_wire(story: Story) -> None:
    story.fate(5, "c2", "unconfirmed", "g1/b")


def reordered_at_the_provider(story: Story) -> None:
    for client, seq in (("c3", 6), ("c4", 7)):
        story.send(client, seq)
        story.own(seq, client)
    story.entry("text of c4")
    story.entry("text of c3")
    story.fate(8, "c3", "delivered")
    story.fate(9, "c4", "delivered")


def reordered_for_the_guest(story: Story) -> None:
    story.entry("one", "agent", connection=1)
    story.entry("two", "agent", connection=1)
    story.agent(6, "two")
    story.agent(7, "one")


def gap(story: Story) -> None:
    story.entry("far", "agent", connection=1)
    story.agent(7, "far")


def another_view(story: Story) -> None:
    story.entry("only here", "agent", connection=1)
    story.agent(6, "only here", "g1/a")


def changed_body(story: Story) -> None:
    story.welcome("g1/b")
    story.add("g1/b", "info", "record", seq=1, body="other", sender="guest", client="c1", text="text of c1")


def wrong_position(story: Story) -> None:
    story.welcome("g1/b", "resume", after=3)


def reset_for_nothing(story: Story) -> None:
    story.welcome("g1/b", "reset", after=5)


def another_epoch(story: Story) -> None:
    story.add("g1/b", "info", "welcome", mode="resume", epoch="other", after=5)


def from_nowhere(story: Story) -> None:
    story.agent(6, "who said that?")


def sent_and_never_accepted(story: Story) -> None:
    story.entry("nobody's")


def other_text(story: Story) -> None:
    story.send("c3", 6, "what was said")
    story.own(6, "c3")
    story.fate(7, "c3", "failed")


def two_places(story: Story) -> None:
    story.add("g1/a", "ok", "send", client="c1", seq=2)


def two_fates(story: Story) -> None:
    story.fate(6, "c1", "failed")


def failed_and_there(story: Story) -> None:
    story.send("c3", 6)
    story.own(6, "c3")
    story.entry("text of c3")
    story.fate(7, "c3", "failed")


def test_a_provider_that_is_too_late_leaves_doubts() -> None:
    story = good()
    in_doubt_without_a_reason(story)
    story.add("g1/a", "info", "left")
    assert check(story.events, has_history=False, shows_too_late=True).fates["unconfirmed"] == 2


def in_doubt_without_a_reason(story: Story) -> None:
    story.send("c3", 6)
    story.own(6, "c3")
    story.fate(7, "c3", "unconfirmed")


def overtaken_before_the_log(story: Story) -> None:
    story.send("c3", 7)
    story.send("c4", 6)
    for seq, client in ((6, "c4"), (7, "c3")):
        story.own(seq, client)
        story.entry(f"text of {client}")
    story.fate(8, "c4", "delivered")
    story.fate(9, "c3", "delivered")


def locked_out(story: Story) -> None:
    story.add("g1/a", "fail", "refused", status="4401")


def never_accepted(story: Story) -> None:
    story.send("c3", 0)


def never_settled(story: Story) -> None:
    story.send("c3", 6)
    story.own(6, "c3")


@pytest.mark.parametrize(
    "wrong, anomaly",
    [
        (lost_in_the_log, "lost"),
        (lost_at_the_provider, "lost"),
        (lost_of_the_agent, "lost"),
        (lost_before_what_came, "lost"),
        (doubled_at_the_provider, "duplicated"),
        (doubled_in_the_log, "duplicated"),
        (doubled_by_the_agent, "duplicated"),
        (doubled_on_the_wire, "duplicated"),
        (reordered_at_the_provider, "reordered"),
        (reordered_for_the_guest, "reordered"),
        (overtaken_before_the_log, "reordered"),
        (gap, "gaps"),
        (another_view, "unexpected"),
        (changed_body, "unexpected"),
        (wrong_position, "unexpected"),
        (reset_for_nothing, "unexpected"),
        (another_epoch, "unexpected"),
        (from_nowhere, "unexpected"),
        (sent_and_never_accepted, "unexpected"),
        (other_text, "unexpected"),
        (two_places, "unexpected"),
        (two_fates, "unexpected"),
        (failed_and_there, "unexpected"),
        (in_doubt_without_a_reason, "unexpected"),
        (locked_out, "unexpected"),
        (never_accepted, "stuck"),
        (never_settled, "stuck"),
    ],
)
def test_each_anomaly_is_found(wrong: Callable[[Story], None], anomaly: str) -> None:
    story = good()
    wrong(story)
    anomalies = story.verdict().anomalies
    assert anomaly in anomalies
    assert f"{anomaly}={len(anomalies[anomaly])}" in str(story.verdict())


def test_with_history_nothing_may_be_missed() -> None:
    """What a provider said while nobody listened comes later, if it keeps a history."""
    story = good()
    assert story.verdict(has_history=True).anomalies == {"lost": ["g1: 'is anybody there?' is not in the log"]}
    story.agent(6, "is anybody there?")
    assert story.verdict(has_history=True).anomalies == {}


def test_the_provider_s_order_is_what_is_shown() -> None:
    """A message that came late is shown in its place, and is no disorder there."""
    story = good()
    story.entry("one", "agent", rank="5 a", connection=1)
    story.entry("two", "agent", rank="6 b", connection=1)
    story.agent(6, "two", order_key="6 b")
    story.agent(7, "one", order_key="5 a")
    assert "reordered" not in story.verdict().anomalies


def test_what_was_unconfirmed_may_be_found() -> None:
    story = good()
    story.entry("text of c2")
    story.fate(6, "c2", "delivered")
    assert story.verdict().anomalies == {}
    assert story.verdict().fates == {"delivered": 2}


def test_a_reload_begins_anew_and_a_closed_tab_is_nobody() -> None:
    story = good()
    story.welcome("g1/b")
    assert "unexpected" in story.verdict().anomalies
    story.add("g1/b", "info", "left")
    assert story.verdict().anomalies == {}


def test_a_history_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    """Several writers append to one file."""
    path = tmp_path / "history.jsonl"
    with History(path) as one, History(path) as two:
        one.add("a", "info", "second", at=2.0)
        two.add("b", "info", "first", at=1.0, session="s", text="gruß", seq=4)
        two.sync()
    assert [event.what for event in read_history(path)] == ["first", "second"]
    assert read_history(path)[0] == Event(at=1.0, actor="b", kind="info", what="first", session="s", text="gruß", seq=4)
    assert digest("x") != digest("y")


def test_a_resume_is_measured_from_when_the_network_is_back() -> None:
    story = Story()
    for kind, what in (
        ("invoke", "resume"),
        ("info", "online"),
        ("ok", "resume"),
        ("invoke", "resume"),
        ("ok", "resume"),
    ):
        story.add("g1/a", kind, what)
    assert story.verdict().resume_s == [2.0, 1.0]
    assert story.verdict().back_s == [1.0]
    assert story.verdict().resumes == 2


def test_percentiles() -> None:
    assert percentile([], 99) == 0
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([3, 1, 2], 100) == 3
