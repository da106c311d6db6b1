"""The judge of a chaos run: a pure function from its history to a verdict.

There is one log per session and one writer to it, so no search for an order is needed: that `seq` is contiguous, that
what goes in comes out (total queue), that nothing comes out twice (unique ids), and that every reader has the same
(full set) is all that the relay promises (reliability 2.1).

What is judged, once the run is quiet:

- Each connection of a tab gets what follows the position it named, or 1, 2, 3 … when it named none; a `seq` has one
  body for ever, and a session one epoch (G1, G2).
- All tabs of a session show the same.
- What the provider says is in every view once (G3, G4). A provider without history says it to its socket only: what it
  said while it had none is nobody's loss, nor is the end of what it said to a socket that then broke.
- What the guest was told is accepted is in the view once and ends as delivered, failed or unconfirmed (G5); delivered
  is at the provider once, unconfirmed at most once, failed never (G6); in the order of the views (G7), which is the
  order in which each tab said it.
- A message is unconfirmed because a connection to the provider broke, not for comfort.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.chaos.history import Event

__all__ = ["Verdict", "check", "percentile"]

FINAL = (["delivered"], ["failed"], ["unconfirmed"], ["unconfirmed", "delivered"])
"""What may become of a message, apart from waiting (reliability 2.9)."""


@dataclass
class Verdict:
    """What was wrong, each as words with the session, and how much there was."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    attempted: int = 0
    acknowledged: int = 0
    recovered: int = 0
    """Acknowledged after having been said again."""
    fates: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Text of a guest's message → its fate, and how often the provider has it."""
    said: int = 0
    """By the provider."""
    missed: int = 0
    """Of it, what had no socket to go to, or died with one."""
    resumes: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    stale_s: list[float] = field(default_factory=list)
    resume_s: list[float] = field(default_factory=list)
    """From the attempt to `synced`."""
    back_s: list[float] = field(default_factory=list)
    """From when a tab learned that the network is back to `synced`."""

    @property
    def anomalies(self) -> dict[str, list[str]]:
        """What must be empty."""
        names = ("lost", "duplicated", "reordered", "gaps", "unexpected", "stuck")
        return {name: found for name in names if (found := getattr(self, name))}

    def __str__(self) -> str:
        stale = [f"{1000 * percentile(self.stale_s, part):.0f}" for part in (50, 99)]
        return (
            f"attempted={self.attempted} acknowledged={self.acknowledged} recovered={self.recovered}"
            f" {' '.join(f'{fate}={count}' for fate, count in sorted(self.fates.items()))} said={self.said}"
            f" missed={self.missed} lost={len(self.lost)} duplicated={len(self.duplicated)}"
            f" reordered={len(self.reordered)} gaps={len(self.gaps)} unexpected={len(self.unexpected)}"
            f" stuck={len(self.stuck)} kills={self.kills} resumes={self.resumes}"
            f" stale-ms={'/'.join(stale)} resume-p95-ms={1000 * percentile(self.resume_s, 95):.0f}"
            f" back-p95-ms={1000 * percentile(self.back_s, 95):.0f}"
        )


@dataclass
class _View:
    """What a tab shows: the records it has, in the order they came."""

    records: dict[int, Event] = field(default_factory=dict)
    next_seq: int = 1


@dataclass
class _Session:
    """All that the history says of one session."""

    views: dict[str, _View] = field(default_factory=lambda: defaultdict(_View))
    bodies: dict[tuple[str, int], str] = field(default_factory=dict)
    epochs: dict[str, str] = field(default_factory=dict)
    sends: dict[str, Event] = field(default_factory=dict)
    acks: dict[str, Event] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    entries: list[Event] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    first_seen: dict[str, float] = field(default_factory=dict)


def check(events: Iterable[Event], *, has_history: bool, shows_too_late: bool = False) -> Verdict:
    """Judge a run.

    Args:
        events: In the order of time, up to when all was quiet.
        has_history: The provider shows its messages later to who was away.
        shows_too_late: It shows them later than the relay waits: any message may be called unconfirmed.
    """
    verdict = Verdict()
    sessions: dict[str, _Session] = defaultdict(_Session)
    resuming: dict[str, float] = {}
    online: dict[str, float] = {}
    for event in events:
        match event.what:
            case "hit":
                verdict.hits[event.text] += 1
            case "kill":
                verdict.kills += 1
            case "online":
                online[event.actor] = event.at
            case "resume" if event.kind == "invoke":
                resuming[event.actor] = event.at
            case "resume" if event.actor in resuming:
                verdict.resumes += 1
                verdict.resume_s.append(event.at - resuming.pop(event.actor))
                if event.actor in online:
                    verdict.back_s.append(event.at - online.pop(event.actor))
            case "refused":
                verdict.unexpected.append(f"{event.actor} was refused: {event.status}")
            case _ if event.session:
                _take(event, sessions[event.session], verdict)
    for name, session in sorted(sessions.items()):
        _judge_views(name, session, verdict)
        _judge_guest(name, session, verdict, may_doubt=shows_too_late)
        _judge_provider(name, session, verdict, has_history=has_history)
    return verdict


def _take(event: Event, session: _Session, verdict: Verdict) -> None:
    match event.what, event.kind:
        case "send", "invoke":
            session.sends[event.client] = event
        case "send", "ok":
            known = session.acks.setdefault(event.client, event)
            if known.seq != event.seq:
                verdict.unexpected.append(f"{event.client} was accepted as {known.seq} and as {event.seq}")
        case "send", "fail":
            session.refused.add(event.client)
        case "resend", _:
            session.again.add(event.client)
        case "welcome", _:
            if any(epoch != event.epoch for epoch in session.epochs.values()):
                verdict.unexpected.append(f"{event.actor} was told of another epoch")
            session.epochs[event.actor] = event.epoch
            if event.mode == "reset":
                session.views[event.actor] = _View()
                if event.after >= 0:
                    verdict.unexpected.append(f"{event.actor} asked for what follows {event.after} and was reset")
            elif event.after + 1 != session.views[event.actor].next_seq:
                verdict.unexpected.append(f"{event.actor} resumed after {event.after}, which is not its position")
        case "record", _:
            _take_record(event, session, verdict)
        case "entry", _:
            session.entries.append(event)
        case "left", _:
            session.views.pop(event.actor, None)
        case "connection", _ if event.status == "closed":
            session.closed.add(event.connection)


def _take_record(event: Event, session: _Session, verdict: Verdict) -> None:
    view = session.views[event.actor]
    body = session.bodies.setdefault((session.epochs.get(event.actor, ""), event.seq), event.body)
    if body != event.body:
        verdict.unexpected.append(f"{event.actor}: record {event.seq} has changed")
    if event.seq < view.next_seq:
        verdict.duplicated.append(f"{event.actor}: record {event.seq} came again")
        return  # as a client drops it
    if event.seq > view.next_seq:
        verdict.gaps.append(f"{event.actor}: records {view.next_seq} to {event.seq - 1} did not come")
    view.records[event.seq] = event
    view.next_seq = event.seq + 1
    session.first_seen.setdefault(event.text, event.at)


def _judge_views(name: str, session: _Session, verdict: Verdict) -> None:
    shown = {actor: {seq: record.body for seq, record in view.records.items()} for actor, view in session.views.items()}
    whole = max(shown.values(), key=len, default={})
    for actor, view in shown.items():
        if view != whole:
            missing = sorted(whole.keys() - view.keys())
            verdict.unexpected.append(f"{name}: {actor} shows {len(view)} records of {len(whole)}, not {missing[:5]}")


def _records(session: _Session) -> list[Event]:
    view = max(session.views.values(), key=lambda view: len(view.records), default=_View())
    return list(view.records.values())


def _judge_guest(name: str, session: _Session, verdict: Verdict, *, may_doubt: bool) -> None:
    records = _records(session)
    own: dict[str, Event] = {}
    fates: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.status:
            fates[record.client].append(record.status)
        elif record.client in own:
            verdict.duplicated.append(f"{name}: {record.client} is in the log twice")
        elif record.client:
            own[record.client] = record
            if record.client not in session.sends or record.text != session.sends[record.client].text:
                verdict.unexpected.append(f"{name}: {record.client} is not what the guest said")
    verdict.attempted += len(session.sends)
    verdict.acknowledged += len(session.acks)
    verdict.recovered += len(session.again & session.acks.keys())
    verdict.stuck += [
        f"{name}: {client} was never accepted"
        for client in session.sends.keys() - session.acks.keys() - session.refused
    ]
    for client, ack in session.acks.items():
        if client not in own:
            verdict.lost.append(f"{name}: {client} was accepted and is not in the log")
        elif own[client].seq != ack.seq:
            verdict.unexpected.append(f"{name}: {client} was accepted as {ack.seq} and is {own[client].seq}")
    said: dict[str, list[int]] = defaultdict(list)
    for client, sent in session.sends.items():
        if client in own:
            said[sent.actor].append(own[client].seq)
    for actor, seqs in said.items():
        verdict.reordered += [f"{actor}: said as {late} what it said after {seq}" for late, seq in _inversions(seqs)]
    arrived = [entry for entry in session.entries if entry.sender == "guest"]
    counts = Counter(entry.text for entry in arrived)
    texts = {record.text: record for record in own.values()}
    for text, count in counts.items():
        if text not in texts:
            verdict.unexpected.append(f"{name}: the provider has {text!r}, which is not in the log")
        if count > 1:
            verdict.duplicated.append(f"{name}: the provider has {text!r} {count} times")
    in_doubt = 0
    for client, record in own.items():
        steps = [status for status in fates[client] if status != "waiting"]
        fate = steps[-1] if steps else "open"
        verdict.fates[fate] += 1
        in_doubt += "unconfirmed" in steps
        verdict.outcomes[record.text] = (fate, counts[record.text])
        is_there = counts[record.text] > 0
        if not steps:
            verdict.stuck.append(f"{name}: {client} is still open")
        elif steps not in FINAL:
            verdict.unexpected.append(f"{name}: {client} was {', '.join(steps)}")
        if fate == "delivered" and not is_there:
            verdict.lost.append(f"{name}: {client} is called delivered and is not at the provider")
        if fate == "failed" and is_there:
            verdict.unexpected.append(f"{name}: {client} is called failed and is at the provider")
    if in_doubt > len(session.closed) and not may_doubt:
        verdict.unexpected.append(f"{name}: {in_doubt} messages in doubt after {len(session.closed)} lost connections")
    in_turn = [texts[text].seq for text in counts if text in texts]  # a Counter keeps the order of first arrival
    verdict.reordered += [f"{name}: at the provider {late} came after {seq}" for late, seq in _inversions(in_turn)]


def _judge_provider(name: str, session: _Session, verdict: Verdict, *, has_history: bool) -> None:
    said = [entry for entry in session.entries if entry.sender in {"agent", "bot"}]
    seen = [record for record in _records(session) if record.sender in {"agent", "bot"}]
    counts, views = Counter(entry.text for entry in said), Counter(record.text for record in seen)
    verdict.said += len(said)
    for text, count in views.items():
        if text not in counts:
            verdict.unexpected.append(f"{name}: {text!r} is in the log, and nobody said it")
        elif count > counts[text]:
            verdict.duplicated.append(f"{name}: {text!r} is in the log {count} times")
    heard: dict[int, int] = {}  # connection → place of the last of its messages that arrived
    for place, entry in enumerate(said):
        if entry.text in views:
            heard[entry.connection] = place
            verdict.stale_s.append(session.first_seen[entry.text] - entry.at)
    for place, entry in enumerate(said):
        if views[entry.text] >= counts[entry.text]:
            continue
        died = entry.connection in session.closed and place > heard.get(entry.connection, -1)
        if not has_history and (died or not entry.is_connected):
            verdict.missed += 1
        else:
            verdict.lost.append(f"{name}: {entry.text!r} is not in the log")
    ranks = {entry.text: entry.rank for entry in said}
    shown = [record for record in sorted(seen, key=_display_order) if record.text in ranks]
    by_rank = sorted({ranks[record.text] for record in shown})
    places = [bisect_left(by_rank, ranks[record.text]) for record in shown]
    verdict.reordered += [f"{name}: {places[late]} is shown after {place}" for late, place in _inversions(places)]


def _display_order(record: Event) -> tuple[str, int]:
    return record.order_key, record.seq


def _inversions(places: Sequence[int]) -> list[tuple[int, int]]:
    """Return each that is smaller than one before it, with the largest before it."""
    found, largest = [], -1
    for place in places:
        if place < largest:
            found.append((place, largest))
        largest = max(largest, place)
    return found


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value below which `part` percent lie; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))] if ordered else 0.0
