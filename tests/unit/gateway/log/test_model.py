"""The log against a small model of it: any calls, restarts and crashes in any order."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from guestwire.errors import (
    ConversationEnded,
    LocalProtocolError,
    LogConflict,
    OutboxFull,
    ResumeGap,
    SessionExists,
    SessionGone,
)
from guestwire.gateway.log import NewRecord, OutboxState, SessionRow, SqliteSessionLog
from guestwire.gateway.log.outbox import OPEN_STATES, after_end, can_become
from guestwire.model.ids import ClientId, SessionId

T = TypeVar("T")
S = OutboxState
SIDS = st.sampled_from([SessionId("a" * 32), SessionId("b" * 32)])
KEYS = st.none() | st.sampled_from([f"k{n}" for n in range(6)])
CLIENT_IDS = st.sampled_from([ClientId(f"c{n}") for n in range(5)])


@dataclass
class Message:
    client_id: ClientId
    body: bytes
    seq: int
    state: OutboxState = S.ACCEPTED
    attempts: int = 0


@dataclass
class Session:
    """The model: lists and sets, and the rules in as few words as possible."""

    bodies: list[bytes] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    outbox: list[Message] = field(default_factory=list)
    floor: int = 0
    is_open: bool = True
    is_ending: bool = False

    def append(self, body: bytes, key: str | None) -> int | None:
        if key in self.keys:
            return None
        if key is not None:
            self.keys.add(key)
        self.bodies.append(body)
        return len(self.bodies)

    def next_outgoing(self) -> int | None:
        return next((n for n, message in enumerate(self.outbox, 1) if message.state in OPEN_STATES), None)


class LogMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.copies = itertools.count()
        self.model: dict[SessionId, Session] = {}
        self.path = self.folder / "log.db"
        self.log = self.run_(SqliteSessionLog(self.path).__aenter__())

    def run_(self, call: Coroutine[object, object, T]) -> T:
        return self.runner.run(call)

    def teardown(self) -> None:
        self.run_(self.log.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    def call(self, call: Coroutine[object, object, T]) -> T | type[Exception]:
        try:
            return self.run_(call)
        except (
            ConversationEnded, LocalProtocolError, LogConflict, OutboxFull, ResumeGap, SessionExists, SessionGone,
        ) as error:  # fmt: skip
            return type(error)

    @rule(sid=SIDS)
    def create(self, sid: SessionId) -> None:
        got = self.call(self.log.create(SessionRow(sid=sid, epoch="e", created_ms=0)))
        assert got == (SessionExists if sid in self.model else None)
        self.model.setdefault(sid, Session())

    @rule(sid=SIDS, records=st.lists(st.tuples(st.binary(max_size=9), KEYS), max_size=4), wants_tail=st.booleans())
    def append(self, sid: SessionId, records: list[tuple[bytes, str | None]], wants_tail: bool) -> None:
        if wants_tail:
            self.log.subscribe(sid, lambda: None)
        got = self.call(self.log.append(sid, [NewRecord(kind="m", body=b, dedup_key=k) for b, k in records]))
        session = self.model.get(sid)
        assert got == (SessionGone if session is None else [session.append(b, k) for b, k in records])

    @rule(sid=SIDS, client_id=CLIENT_IDS, body=st.sampled_from([b"x", b"y"]))
    def accept(self, sid: SessionId, client_id: ClientId, body: bytes) -> None:
        got = self.call(self.log.accept(sid, client_id, body, NewRecord(kind="m", body=body), max_open=2))
        session = self.model.get(sid)
        if session is None:
            assert got is SessionGone
            return
        for oseq, known in enumerate(session.outbox, 1):
            if known.client_id == client_id:
                if known.body != body:
                    assert got is LogConflict
                else:
                    assert not isinstance(got, type)
                    assert (got.seq, got.oseq, got.is_new, got.state) == (known.seq, oseq, False, known.state)
                return
        if not session.is_open or session.is_ending:
            assert got is ConversationEnded
        elif sum(message.state in OPEN_STATES for message in session.outbox) >= 2:
            assert got is OutboxFull
        else:
            seq = session.append(body, f"own:{client_id}")
            assert seq is not None
            session.outbox.append(Message(client_id, body, seq))
            assert not isinstance(got, type)
            assert (got.seq, got.oseq, got.is_new, got.state) == (seq, len(session.outbox), True, S.ACCEPTED)

    @rule(sid=SIDS, oseq=st.integers(1, 5))
    def mark_sending(self, sid: SessionId, oseq: int) -> None:
        session = self.model.get(sid)
        got = self.call(self.log.mark_sending(sid, oseq, 1))
        if session is None:
            assert got is SessionGone
        elif session.next_outgoing() == oseq and session.outbox[oseq - 1].state is S.ACCEPTED:
            assert got is None
            session.outbox[oseq - 1].state = S.SENDING
            session.outbox[oseq - 1].attempts += 1
        else:
            assert got is LocalProtocolError

    @rule(sid=SIDS, oseq=st.integers(1, 5), state=st.sampled_from(S), has_record=st.booleans())
    def settle(self, sid: SessionId, oseq: int, state: OutboxState, has_record: bool) -> None:
        session = self.model.get(sid)
        record = NewRecord(kind="r", body=b"r") if has_record else None
        got = self.call(self.log.settle(sid, oseq, state, record=record))
        if session is None:
            assert got is SessionGone
        elif oseq > len(session.outbox):
            assert got is LocalProtocolError
        elif session.outbox[oseq - 1].state is state:
            assert got is None
        elif not can_become(session.outbox[oseq - 1].state, state, session.outbox[oseq - 1].attempts):
            assert got is LocalProtocolError
        else:
            message = session.outbox[oseq - 1]
            message.state = state
            key = f"st:{oseq}:{state}" + (f":{message.attempts}" if state is S.WAITING else "")
            assert got == (session.append(b"r", key) if has_record else None)

    @rule(sid=SIDS)
    def end(self, sid: SessionId) -> None:
        record = NewRecord(kind="end", body=b"end")
        got = self.call(self.log.end(sid, record, 1, lambda m: NewRecord(kind="r", body=m.state.encode())))
        session = self.model.get(sid)
        if session is None:
            assert got is SessionGone
        elif not session.is_open:
            assert got == []
        else:
            expected = []
            for oseq, message in enumerate(session.outbox, 1):
                if message.state in OPEN_STATES:
                    message.state = after_end(message.state)
                    expected.append(session.append(message.state.encode(), f"st:{oseq}:{message.state}"))
            expected.append(session.append(b"end", None))
            assert got == [seq for seq in expected if seq is not None]
            session.is_open = False

    @rule(sid=SIDS)
    def request_end(self, sid: SessionId) -> None:
        got = self.call(self.log.request_end(sid))
        session = self.model.get(sid)
        assert got is (SessionGone if session is None else None)
        if session is not None:
            session.is_ending = session.is_open

    @rule(sid=SIDS, key=KEYS)
    def reopen(self, sid: SessionId, key: str | None) -> None:
        got = self.call(self.log.reopen(sid, NewRecord(kind="m", body=b"anew", dedup_key=key), expires_ms=None))
        session = self.model.get(sid)
        if session is None:
            assert got is SessionGone
        elif session.is_open:
            assert got is None
        else:
            assert got == session.append(b"anew", key)
            session.is_open, session.is_ending = True, False

    @rule(sid=SIDS, max_records=st.integers(0, 8), max_bytes=st.integers(0, 40), up_to=st.integers(0, 12))
    def trim_to(self, sid: SessionId, max_records: int, max_bytes: int, up_to: int) -> None:
        got = self.call(self.log.trim_to(sid, max_records=max_records, max_bytes=max_bytes, up_to=up_to))
        session = self.model.get(sid)
        if session is None:
            assert got is SessionGone
            return
        while session.floor < min(up_to, len(session.bodies)) and (
            len(session.bodies) - session.floor > max_records
            or sum(map(len, session.bodies[session.floor :])) > max_bytes
        ):
            session.floor += 1
        assert got == session.floor

    @rule(sid=SIDS, below_seq=st.integers(0, 12))
    def trim(self, sid: SessionId, below_seq: int) -> None:
        got = self.call(self.log.trim(sid, below_seq))
        session = self.model.get(sid)
        if session is None:
            assert got is SessionGone
        else:
            session.floor = max(session.floor, min(below_seq - 1, len(session.bodies)))
            assert got == session.floor

    @rule(sid=SIDS)
    def erase(self, sid: SessionId) -> None:
        assert self.call(self.log.erase(sid)) is True
        self.model.pop(sid, None)

    @rule()
    def restart(self) -> None:
        self.run_(self.log.aclose())
        self.log = self.run_(SqliteSessionLog(self.path).__aenter__())
        assert not self.log.lost_records

    @rule()
    def crash(self) -> None:
        """Go on with a copy of the files as they are now, as after kill -9."""
        folder = self.folder / str(next(self.copies))
        folder.mkdir()
        for suffix in ("", "-wal", ".generation"):
            shutil.copy(self.path.with_name(f"log.db{suffix}"), folder / f"log.db{suffix}")
        self.run_(self.log.aclose())
        self.path = folder / "log.db"
        self.log = self.run_(SqliteSessionLog(self.path).__aenter__())
        assert not self.log.lost_records

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        for sid in ("a" * 32, "b" * 32):
            self.compare(SessionId(sid))

    def compare(self, sid: SessionId) -> None:
        session = self.model.get(sid)
        if session is None:
            assert self.call(self.log.read(sid, 0)) is None
            assert self.call(self.log.head(sid)) is SessionGone
            return
        position = self.run_(self.log.head(sid))
        assert (position.epoch, position.floor, position.head) == ("e", session.floor, len(session.bodies))
        for after in {session.floor, (session.floor + len(session.bodies)) // 2}:
            page = self.run_(self.log.read(sid, after))
            assert page is not None
            assert [(r.seq, r.body) for r in page.records] == list(enumerate(session.bodies, 1))[after:][:100]
        if session.floor:
            assert self.call(self.log.read(sid, session.floor - 1)) is ResumeGap
        outgoing = self.run_(self.log.next_outgoing(sid))
        assert (outgoing and outgoing.oseq) == session.next_outgoing()
        if outgoing is not None:
            message = session.outbox[outgoing.oseq - 1]
            assert (outgoing.client_id, outgoing.body, outgoing.state, outgoing.attempts, outgoing.message_seq) == (
                message.client_id, message.body, message.state, message.attempts, message.seq,
            )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(180)
class TestLog(LogMachine.TestCase):  # type: ignore[misc, valid-type]  # a class made at run time
    settings = settings(max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
