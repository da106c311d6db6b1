"""What every session log must do: one suite for all implementations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from guestwire.errors import (
    ChatError,
    ConversationEnded,
    LocalProtocolError,
    LogConflict,
    OutboxFull,
    ResumeGap,
    SessionExists,
    SessionGone,
)
from guestwire.gateway.log.interface import IDEMPOTENCY_MS, SessionLog
from guestwire.gateway.log.outbox import OutboxState
from guestwire.gateway.log.records import LogPosition, NewRecord, Outgoing, Page, Record, SessionRow, SessionState
from guestwire.model.ids import ClientId, SessionId

__all__ = ["CHECKS", "MakeLog", "check_session_log"]

MakeLog = Callable[[str], AbstractAsyncContextManager[SessionLog]]
"""Opens the store of that name; closing and opening the same name again is a restart, another name is another store."""

_SID = SessionId("a" * 32)
_OTHER = SessionId("b" * 32)


async def check_session_log(make_log: MakeLog) -> None:
    """Run every check on stores made by `make_log`.

    Raises:
        AssertionError: The log breaks a promise of `SessionLog`.
    """
    for check in CHECKS:
        await check(make_log)


def _row(sid: SessionId = _SID, **changes: object) -> SessionRow:
    return SessionRow(**{"sid": sid, "epoch": f"epoch-{sid[0]}", "created_ms": 1, **changes})  # type: ignore[arg-type]


def _record(text: str, key: str | None = None) -> NewRecord:
    return NewRecord(kind="message", body=text.encode(), dedup_key=key)


async def _bodies(log: SessionLog, after: int = 0) -> list[str]:
    page = await log.read(_SID, after)
    assert page is not None
    assert [record.seq for record in page.records] == list(range(after + 1, after + 1 + len(page.records)))
    at_hand = log.recent(_SID, after)
    assert at_hand is None or at_hand == (await log.head(_SID), page)
    return [record.body.decode() for record in page.records]


async def _refused(expected: type[ChatError], call: Callable[[], object]) -> ChatError:
    try:
        await call()  # type: ignore[misc]
    except expected as error:
        return error
    raise AssertionError(f"expected {expected.__name__}, nothing was raised")


async def sessions_are_kept(make_log: MakeLog) -> None:
    """A session comes back as it was made, after a restart too; a second one of its id is refused."""
    async with make_log("sessions") as log:
        assert await log.get(_SID) is None
        await log.create(_row(provider_ref=b"\0ref", details=b"{}", expires_ms=9))
        await _refused(SessionExists, lambda: log.create(_row()))
        await log.create(_row(_OTHER))
        await log.set_provider(_OTHER, b"other")
        await log.touch(_OTHER, details=b"d")
        await log.touch(_OTHER, expires_ms=7)
    async with make_log("sessions") as log:
        assert await log.get(_SID) == _row(provider_ref=b"\0ref", details=b"{}", expires_ms=9)
        assert await log.get(_OTHER) == _row(_OTHER, provider_ref=b"other", details=b"d", expires_ms=7)
        assert [row.sid for row in await log.open_sessions()] == [_SID, _OTHER]
        await log.touch(_OTHER, expires_ms=None)
        await log.end(_SID, _record("end"), 5, lambda _: _record("failed"), expires_ms=11)
        assert [row.sid for row in await log.open_sessions()] == [_OTHER]
        ended = await log.get(_SID)
        assert ended is not None
        assert (ended.state, ended.ended_ms, ended.expires_ms, ended.head) == (SessionState.ENDED, 5, 11, 1)


async def seq_has_no_hole(make_log: MakeLog) -> None:
    """Records are numbered 1, 2, 3 …; a key that was there takes no number, before or after a restart."""
    async with make_log("seq") as log:
        await log.create(_row())
        assert await log.head(_SID) == LogPosition("epoch-a", 0, 0)
        assert await log.read(_SID, 0) == Page((), 0)
        assert await log.append(_SID, [_record("1", "p:1"), _record("again", "p:1"), _record("2")]) == [1, None, 2]
        assert await log.append(_SID, [_record("again", "p:1"), _record("3"), _record("4", "p:4")]) == [None, 3, 4]
        assert await log.append(_SID, []) == []
    async with make_log("seq") as log:
        assert await log.append(_SID, [_record("again", "p:4"), _record("5", "p:5")]) == [None, 5]
        assert await _bodies(log) == ["1", "2", "3", "4", "5"]
        assert await _bodies(log, 3) == ["4", "5"]
        assert await log.head(_SID) == LogPosition("epoch-a", 0, 5)


async def records_keep_everything(make_log: MakeLog) -> None:
    """A record is read as it was appended, byte for byte."""
    async with make_log("fields") as log:
        await log.create(_row())
        new = NewRecord(kind="κind", body=bytes(range(256)), dedup_key="k", order_key="7:x", late=True)
        await log.append(_SID, [new, NewRecord(kind="", body=b"")])
        page = await log.read(_SID, 0)
        assert page is not None
        first, second = page.records
        assert first == Record(1, "κind", bytes(range(256)), "7:x", True, first.created_ms)  # noqa: FBT003
        assert second == Record(2, "", b"", None, False, second.created_ms)  # noqa: FBT003


async def pages_are_bounded(make_log: MakeLog) -> None:
    """A page holds at most so many records and bytes, but never nothing where there is something."""
    async with make_log("pages") as log:
        await log.create(_row())
        await log.append(_SID, [_record("x" * 100) for _ in range(10)])
        for unsubscribe in (None, log.subscribe(_SID, lambda: None)):
            if unsubscribe is not None:
                await log.append(_SID, [_record("x" * 100) for _ in range(10)])
            head = (await log.head(_SID)).head
            for after, limit, max_bytes, expected in (
                (0, 3, 10**6, 3), (0, 100, 250, 2), (0, 100, 1, 1),
                (head - 2, 1, 1, 1), (head, 9, 9, 0), (head + 5, 9, 9, 0),
            ):  # fmt: skip
                page = await log.read(_SID, after, limit, max_bytes)
                assert page is not None
                assert page.head == head
                assert [record.seq for record in page.records] == [after + 1 + n for n in range(expected)]


async def a_reader_below_the_floor_gets_a_gap(make_log: MakeLog) -> None:
    """What was trimmed is never skipped in silence, and its keys still keep duplicates out."""
    async with make_log("trim") as log:
        await log.create(_row())
        await log.append(_SID, [_record(str(n), f"p:{n}") for n in range(1, 7)])
        assert await log.trim(_SID, 4) == 3
        assert await log.trim(_SID, 2) == 3
        gap = await _refused(ResumeGap, lambda: log.read(_SID, 2))
        assert isinstance(gap, ResumeGap)
        assert (gap.after, gap.oldest, gap.newest) == (2, 4, 6)
        assert await _bodies(log, 3) == ["4", "5", "6"]
    async with make_log("trim") as log:
        await _refused(ResumeGap, lambda: log.read(_SID, 0))
        assert await log.append(_SID, [_record("again", "p:1"), _record("again", "p:5")]) == [None, None]
        assert await log.trim(_SID, 100) == 6
        assert await log.read(_SID, 6) == Page((), 6)
        assert await log.head(_SID) == LogPosition("epoch-a", 6, 6)
    async with make_log("trim") as log:
        assert await log.append(_SID, [_record("again", "p:6"), _record("7")]) == [None, 7]
        assert await _bodies(log, 6) == ["7"]


async def a_log_is_trimmed_to_size(make_log: MakeLog) -> None:
    """The oldest go until count and bytes fit, but none that somebody still needs; what fits is left alone."""
    async with make_log("trim_to") as log:
        await log.create(_row())
        await log.append(_SID, [_record("x" * 10, f"p:{n}") for n in range(1, 11)])
        assert await log.trim_to(_SID, max_records=10, max_bytes=100, up_to=10) == 0
        assert await log.trim_to(_SID, max_records=7, max_bytes=100, up_to=2) == 2
        assert await log.trim_to(_SID, max_records=7, max_bytes=100, up_to=10) == 3
    async with make_log("trim_to") as log:
        assert await log.trim_to(_SID, max_records=7, max_bytes=70, up_to=10) == 3
        assert await log.trim_to(_SID, max_records=7, max_bytes=69, up_to=10) == 4
        await log.append(_SID, [_record("y" * 50)])
        assert await log.trim_to(_SID, max_records=7, max_bytes=69, up_to=3) == 4
        assert await log.trim_to(_SID, max_records=7, max_bytes=69, up_to=11) == 9
        assert await log.append(_SID, [_record("again", "p:4"), _record("again", "p:10")]) == [None, None]
        assert await _bodies(log, 9) == ["x" * 10, "y" * 50]
        assert await log.trim_to(_SID, max_records=1, max_bytes=1, up_to=10**9) == 11
        await _refused(SessionGone, lambda: log.trim_to(_OTHER, max_records=1, max_bytes=1, up_to=1))


async def a_message_is_accepted_once(make_log: MakeLog) -> None:
    """The same client id with the same body gets the first answer, for ever; with another body it is refused."""
    async with make_log("accept") as log:
        await log.create(_row())
        one = ClientId("one")
        answers = await asyncio.gather(*(log.accept(_SID, one, b"hi", _record("hi")) for _ in range(8)))
        assert [answer.is_new for answer in answers] == [True] + [False] * 7
        assert {(answer.seq, answer.oseq, answer.state) for answer in answers} == {(1, 1, OutboxState.ACCEPTED)}
        await _refused(LogConflict, lambda: log.accept(_SID, one, b"other", _record("hi")))
        assert await log.append(_SID, [_record("copy", "own:one")]) == [None]
        await _refused(OutboxFull, lambda: log.accept(_SID, ClientId("2"), b"", _record("2"), max_open=1))
        await log.trim(_SID, 2)
    async with make_log("accept") as log:
        again = await log.accept(_SID, one, b"hi", _record("hi"), max_open=1)
        assert (again.seq, again.oseq, again.is_new) == (1, 1, False)
        second = await log.accept(_SID, ClientId("2"), b"", _record("2"))
        assert (second.seq, second.oseq, second.is_new) == (2, 2, True)


async def the_outbox_has_a_window_of_one(make_log: MakeLog) -> None:
    """Messages are sent in the order of acceptance, one at a time, and settled once."""
    state = OutboxState
    async with make_log("outbox") as log:
        await log.create(_row())
        assert await log.next_outgoing(_SID) is None
        for text in ("a", "b"):
            await log.accept(_SID, ClientId(text), text.encode(), _record(text))
        first = Outgoing(
            oseq=1, client_id=ClientId("a"), body=b"a", state=state.ACCEPTED, attempts=0,
            sent_at_ms=None, retry_at_ms=None, message_seq=1,
        )  # fmt: skip
        assert await log.next_outgoing(_SID) == first
        await _refused(LocalProtocolError, lambda: log.mark_sending(_SID, 2, 5))
        await _refused(LocalProtocolError, lambda: log.settle(_SID, 1, state.DELIVERED))
        await _refused(LocalProtocolError, lambda: log.settle(_SID, 9, state.FAILED))
        await log.mark_sending(_SID, 1, 5)
        await _refused(LocalProtocolError, lambda: log.mark_sending(_SID, 1, 6))
        assert await log.settle(_SID, 1, state.WAITING, record=_record("wait 1"), retry_at_ms=50) == 3
    async with make_log("outbox") as log:
        waiting = await log.next_outgoing(_SID)
        assert waiting is not None
        assert (waiting.state, waiting.attempts, waiting.sent_at_ms, waiting.retry_at_ms) == (state.WAITING, 1, 5, 50)
        assert await log.settle(_SID, 1, state.ACCEPTED) is None
        await log.mark_sending(_SID, 1, 60)
        assert await log.settle(_SID, 1, state.WAITING, record=_record("wait 2"), retry_at_ms=70) == 4
        assert await log.settle(_SID, 1, state.DELIVERED, record=_record("late echo"), provider_id="p") == 5
        assert await log.settle(_SID, 1, state.DELIVERED, record=_record("again"), provider_id="p") is None
        second = await log.next_outgoing(_SID)
        assert second is not None
        assert second.oseq == 2
        await log.mark_sending(_SID, 2, 80)
        assert await log.settle(_SID, 2, state.UNCONFIRMED, record=_record("doubt")) == 6
        assert await log.next_outgoing(_SID) is None
        assert await log.settle(_SID, 2, state.DELIVERED, record=_record("found")) == 7
        await _refused(LocalProtocolError, lambda: log.settle(_SID, 2, state.FAILED))
        again = await log.accept(_SID, ClientId("a"), b"a", _record("a"))
        assert (again.seq, again.is_new, again.state) == (1, False, state.DELIVERED)
        assert await _bodies(log) == ["a", "b", "wait 1", "wait 2", "late echo", "doubt", "found"]


async def what_is_sent_next_is_kept(make_log: MakeLog) -> None:
    """Whoever asks after a change gets the oldest open message as it was kept: the same as after a restart."""
    state = OutboxState
    steps: tuple[Callable[[SessionLog], Awaitable[object]], ...] = (
        lambda log: log.accept(_SID, ClientId("a"), b"a", _record("a")),
        lambda log: log.accept(_SID, ClientId("b"), b"b", _record("b")),
        lambda log: log.mark_sending(_SID, 1, 5),
        lambda log: log.settle(_SID, 1, state.WAITING, record=_record("wait"), retry_at_ms=50),
        lambda log: log.settle(_SID, 1, state.ACCEPTED),
        lambda log: log.mark_sending(_SID, 1, 60),
        lambda log: log.settle(_SID, 1, state.UNCONFIRMED, record=_record("doubt"), code="no-answer"),
        lambda log: log.settle(_SID, 1, state.DELIVERED, record=_record("found")),
        lambda log: log.mark_sending(_SID, 2, 70),
        lambda log: log.end(_SID, _record("end"), 80, lambda _: _record("in doubt")),
        lambda log: log.reopen(_SID, _record("again"), expires_ms=None),
        lambda log: log.accept(_SID, ClientId("c"), b"c", _record("c")),
    )
    async with make_log("next") as log:
        await log.create(_row())
    answers: list[Outgoing | None] = []
    for step in steps:
        async with make_log("next") as log:
            await step(log)
            answers.append(await log.next_outgoing(_SID))
            assert await log.next_outgoing(_SID) == answers[-1]
        async with make_log("next") as log:
            assert await log.next_outgoing(_SID) == answers[-1]
    async with make_log("at once") as log:
        await log.create(_row())
        assert await log.next_outgoing(_SID) is None
        for step, answer in zip(steps, answers, strict=True):
            await step(log)
            assert await log.next_outgoing(_SID) == answer
        await log.erase(_SID)
        await _refused(SessionGone, lambda: log.next_outgoing(_SID))


async def what_is_at_hand_is_what_is_read(make_log: MakeLog) -> None:
    """A log that answers without waiting says what it would say after waiting, of one session as of many."""
    async with make_log("at hand") as log:
        assert log.recent(_SID, 0) is None
        for sid in (_SID, _OTHER):
            await log.create(_row(sid))
            log.subscribe(sid, lambda: None)
        for number in range(1, 100):
            records = [_record("x" * (number + extra)) for extra in range(number % 4)]
            await asyncio.gather(log.append(_SID, records), log.append(_OTHER, records[:1]))
            if number % 7 == 0:
                await log.trim(_SID, number // 2)
            for sid in (_SID, _OTHER):
                position = await log.head(sid)
                for after in range(position.floor, position.head + 2):
                    for limit, max_bytes in ((100, 131072), (3, 131072), (100, number)):
                        at_hand = log.recent(sid, after, limit, max_bytes)
                        assert at_hand is None or at_hand == (position, await log.read(sid, after, limit, max_bytes))
                for after in range(position.floor):
                    assert log.recent(sid, after) is None
        await log.erase(_SID)
        assert log.recent(_SID, 0) is None


async def an_end_settles_everything(make_log: MakeLog) -> None:
    """When a session ends, what waited has failed, what was in flight is in doubt, and both are said before the end."""
    async with make_log("end") as log:
        await log.create(_row())
        for text in ("a", "b"):
            await log.accept(_SID, ClientId(text), text.encode(), _record(text))
        await log.mark_sending(_SID, 1, 5)

        def broken(message: Outgoing) -> NewRecord:
            raise LocalProtocolError(f"no receipt for {message.oseq}")

        await _refused(LocalProtocolError, lambda: log.end(_SID, _record("end"), 9, broken))
        assert await _bodies(log) == ["a", "b"]

        def receipt(message: Outgoing) -> NewRecord:
            return _record(f"{message.client_id} {message.state}")

        assert await log.end(_SID, _record("end", "sys:end"), 9, receipt) == [3, 4, 5]
        assert await log.end(_SID, _record("end", "sys:end"), 9, receipt) == []
        assert await _bodies(log, 2) == ["a unconfirmed", "b failed", "end"]
        assert await log.next_outgoing(_SID) is None
        await _refused(ConversationEnded, lambda: log.accept(_SID, ClientId("c"), b"c", _record("c")))
        assert not (await log.accept(_SID, ClientId("b"), b"b", _record("b"))).is_new
        assert await log.append(_SID, [_record("late history")]) == [6]


async def a_wish_to_end_is_kept(make_log: MakeLog) -> None:
    """From then on nothing is accepted, what waits is still sent, and a restart remembers it; then comes the end."""
    async with make_log("ending") as log:
        await log.create(_row())
        await log.accept(_SID, ClientId("a"), b"a", _record("a"))
        await log.request_end(_SID)
        await log.request_end(_SID)
        await _refused(ConversationEnded, lambda: log.accept(_SID, ClientId("b"), b"b", _record("b")))
        assert not (await log.accept(_SID, ClientId("a"), b"a", _record("a"))).is_new
    async with make_log("ending") as log:
        (row,) = await log.open_sessions()
        assert (row.state, row.head, row.ended_ms) == (SessionState.ENDING, 1, None)
        await _refused(ConversationEnded, lambda: log.accept(_SID, ClientId("b"), b"b", _record("b")))
        await log.mark_sending(_SID, 1, 5)
        assert await log.settle(_SID, 1, OutboxState.DELIVERED, record=_record("sent")) == 2
        assert await log.reopen(_SID, _record("anew"), expires_ms=1) is None
        assert await log.end(_SID, _record("end"), 9, lambda _: _record("failed")) == [3]
        await log.request_end(_SID)
        assert await log.open_sessions() == []


async def an_ended_session_starts_anew(make_log: MakeLog) -> None:
    """It is open again, with its records and keys and the provider's session that it is given; numbers go on."""
    async with make_log("reopen") as log:
        await log.create(_row(provider_ref=b"ref"))
        await log.accept(_SID, ClientId("a"), b"a", _record("a"))
        assert await log.reopen(_SID, _record("anew"), expires_ms=1) is None
        await log.end(_SID, _record("end"), 9, lambda _: _record("failed"), expires_ms=11)
        assert await log.reopen(_SID, _record("anew"), expires_ms=99) == 4
        assert await log.reopen(_SID, _record("anew"), expires_ms=100) is None
    async with make_log("reopen") as log:
        (row,) = await log.open_sessions()
        assert row == _row(expires_ms=99, head=4)
        assert not (await log.accept(_SID, ClientId("a"), b"a", _record("a"))).is_new
        second = await log.accept(_SID, ClientId("b"), b"b", _record("b"))
        assert (second.seq, second.oseq) == (5, 2)
        assert await log.end(_SID, _record("end"), 19, lambda _: _record("failed")) == [6, 7]
        assert await _bodies(log) == ["a", "failed", "end", "anew", "b", "failed", "end"]
        assert await log.reopen(_SID, _record("third"), expires_ms=99, provider_ref=b"other") == 8
    async with make_log("reopen") as log:
        (row,) = await log.open_sessions()
        assert row.provider_ref == b"other"
        await log.erase(_SID)
        await _refused(SessionGone, lambda: log.reopen(_SID, _record("anew"), expires_ms=None))
        await _refused(SessionGone, lambda: log.request_end(_SID))


async def what_is_open_is_counted(make_log: MakeLog) -> None:
    """Messages that wait for the provider, of all sessions, whatever they wait for."""
    async with make_log("counted") as log:
        assert await log.count_open() == 0
        for sid in (_SID, _OTHER):
            await log.create(_row(sid))
            for name in ("a", "b", "c"):
                await log.accept(sid, ClientId(name), name.encode(), _record(name))
        await log.mark_sending(_SID, 1, 5)
        assert await log.count_open() == 6
        await log.settle(_SID, 1, OutboxState.WAITING, retry_at_ms=9)
        assert await log.count_open() == 6
        await log.settle(_SID, 1, OutboxState.FAILED)
        assert await log.count_open() == 5
        await log.erase(_OTHER)
        assert await log.count_open() == 2


async def what_the_provider_knows_is_found(make_log: MakeLog) -> None:
    """A provider's id is known as a record, trimmed or not, and as what became of the guest's own message."""
    async with make_log("known") as log:
        await log.create(_row())
        await log.create(_row(_OTHER))
        await log.append(_SID, [_record("1", "p:1"), _record("2", "p:2"), _record("x", "p")])
        for name in ("a", "b", "c"):
            accepted = await log.accept(_SID, ClientId(name), name.encode(), _record(name))
            await log.mark_sending(_SID, accepted.oseq, 5)
            state = OutboxState.DELIVERED if name == "a" else OutboxState.UNCONFIRMED
            await log.settle(_SID, accepted.oseq, state, provider_id="a'" if name == "a" else None)
        await log.trim(_SID, 2)
        wanted = ["1", "2", "3", "a'", "own:a", "", *(f"no{n}" for n in range(1200))]
        for _ in range(2):
            assert await log.known_ids(_SID, wanted) == {"1", "2", "a'"}
            assert await log.known_ids(_OTHER, wanted) == frozenset()
            assert await log.known_ids(_SID, []) == frozenset()
        assert [(m.oseq, m.body, m.message_seq) for m in await log.doubtful(_SID)] == [(2, b"b", 5), (3, b"c", 6)]
        assert await log.doubtful(_OTHER) == []
        await log.settle(_SID, 2, OutboxState.DELIVERED, provider_id="b'")
    async with make_log("known") as log:
        assert await log.known_ids(_SID, ["b'", "1"]) == {"b'", "1"}
        assert [message.client_id for message in await log.doubtful(_SID)] == ["c"]
        await log.erase(_SID)
        await _refused(SessionGone, lambda: log.known_ids(_SID, ["1"]))
        await _refused(SessionGone, lambda: log.doubtful(_SID))


async def an_erased_session_is_gone(make_log: MakeLog) -> None:
    """After an erasure every call says that there is no such session, and its id starts from nothing."""
    async with make_log("erase") as log:
        await log.create(_row())
        await log.create(_row(_OTHER))
        await log.accept(_SID, ClientId("a"), b"a", _record("a"))
        await log.put_token(b"t", _SID, 99)
        await log.idempotency("key", b"h", _SID, 1)
        assert await log.erase(_SID) is True
        assert await log.erase(_SID) is True
    async with make_log("erase") as log:
        assert await log.get(_SID) is None
        assert await log.read(_SID, 0) is None
        assert await log.find_token(b"t") is None
        assert (await log.idempotency("key", b"h", _OTHER, 1)).is_new
        for call in (
            lambda: log.append(_SID, [_record("x")]),
            lambda: log.head(_SID),
            lambda: log.accept(_SID, ClientId("a"), b"a", _record("a")),
            lambda: log.next_outgoing(_SID),
            lambda: log.mark_sending(_SID, 1, 1),
            lambda: log.settle(_SID, 1, OutboxState.FAILED),
            lambda: log.end(_SID, _record("end"), 1, lambda _: _record("")),
            lambda: log.trim(_SID, 2),
            lambda: log.set_provider(_SID, b""),
            lambda: log.touch(_SID, expires_ms=1),
            lambda: log.put_token(b"t", _SID, 1),
            lambda: log.bump_epochs(_SID),
        ):
            await _refused(SessionGone, call)
        await log.create(_row())
        assert await log.append(_SID, [_record("new", "own:a")]) == [1]


async def sessions_expire(make_log: MakeLog) -> None:
    """A session is erased from its time on and not before; without a time it stays."""
    async with make_log("expire") as log:
        await log.create(_row(expires_ms=100))
        await log.create(_row(_OTHER))
        await log.put_token(b"t", _OTHER, 100)
        assert await log.expire(99) == []
        assert await log.find_token(b"t") is not None
        assert await log.expire(100) == [_row(expires_ms=100)]
        assert await log.find_token(b"t") is None
        assert await log.get(_SID) is None
        assert await log.get(_OTHER) is not None


async def epochs_change_on_demand_only(make_log: MakeLog) -> None:
    """An epoch survives restarts; bumping one leaves the others."""
    async with make_log("epochs") as log:
        await log.create(_row())
        await log.create(_row(_OTHER))
        await log.append(_SID, [_record("1")])
    async with make_log("epochs") as log:
        assert await log.head(_SID) == LogPosition("epoch-a", 0, 1)
        await log.bump_epochs(_SID)
        bumped = (await log.head(_SID)).epoch
        assert bumped != "epoch-a"
        assert (await log.head(_OTHER)).epoch == "epoch-b"
        await log.bump_epochs()
        assert len({bumped, (await log.head(_SID)).epoch, (await log.head(_OTHER)).epoch, "epoch-b"}) == 4
        assert await log.append(_SID, [_record("2")]) == [2]
        now = await log.head(_SID)
    async with make_log("epochs") as log:
        assert await log.head(_SID) == now


async def idempotency_keys_last_a_day(make_log: MakeLog) -> None:
    """The first request under a key decides the session; a day later the key is free."""
    async with make_log("idempotency") as log:
        first = await log.idempotency("key", b"h", _SID, 1000)
        assert (first.sid, first.request_hash, first.is_new) == (_SID, b"h", True)
    async with make_log("idempotency") as log:
        again = await log.idempotency("key", b"other", _OTHER, 999 + IDEMPOTENCY_MS)
        assert (again.sid, again.request_hash, again.is_new) == (_SID, b"h", False)
        assert (await log.idempotency("key", b"other", _OTHER, 1000 + IDEMPOTENCY_MS)).is_new


async def tokens_open_their_session(make_log: MakeLog) -> None:
    """A token's hash finds the session; putting it again changes the expiry."""
    async with make_log("tokens") as log:
        await log.create(_row())
        assert await log.find_token(b"\0t") is None
        await log.put_token(b"\0t", _SID, 5)
        await log.put_token(b"\0t", _SID, 6)
    async with make_log("tokens") as log:
        found = await log.find_token(b"\0t")
        assert found is not None
        assert (found.sid, found.expires_ms) == (_SID, 6)


async def subscribers_are_woken_after_the_commit(make_log: MakeLog) -> None:
    """A wake-up comes when the log moved, with everything readable, and no more once unsubscribed."""
    async with make_log("wake") as log:
        await log.create(_row())
        woken = asyncio.Event()
        calls = []

        def wake() -> None:
            calls.append(1)
            woken.set()

        unsubscribe = log.subscribe(_SID, wake)
        for number in range(1, 41):
            woken.clear()
            appending = asyncio.ensure_future(log.append(_SID, [_record(str(number))]))
            await woken.wait()
            assert await _bodies(log, number - 1) == [str(number)]
            await appending
        woken.clear()
        erasing = asyncio.ensure_future(log.erase(_SID))
        await woken.wait()
        await erasing
        assert await log.read(_SID, 40) is None
        count = len(calls)
        unsubscribe()
        unsubscribe()
        await log.create(_row())
        await log.append(_SID, [_record("unheard")])
        assert len(calls) == count


async def writers_do_not_disturb_each_other(make_log: MakeLog) -> None:
    """Many writers on one session get 1 … n without a hole, also when some of the calls between are refused."""
    async with make_log("race") as log:
        await log.create(_row())

        async def writer(name: int) -> list[int]:
            seqs: list[int] = []
            for number in range(25):
                results = await asyncio.gather(
                    log.append(_SID, [_record(f"{name}.{number}", f"{name}.{number}"), _record("dup", f"d:{number}")]),
                    log.append(_OTHER, [_record("nowhere")]),
                    return_exceptions=True,
                )
                assert isinstance(results[0], list)
                assert isinstance(results[1], SessionGone)
                seqs += [seq for seq in results[0] if seq is not None]
            return seqs

        seqs = [seq for seqs in await asyncio.gather(*map(writer, range(32))) for seq in seqs]
        assert sorted(seqs) == list(range(1, 32 * 25 + 25 + 1))


CHECKS = (
    sessions_are_kept,
    seq_has_no_hole,
    records_keep_everything,
    pages_are_bounded,
    a_reader_below_the_floor_gets_a_gap,
    a_log_is_trimmed_to_size,
    a_message_is_accepted_once,
    the_outbox_has_a_window_of_one,
    what_is_sent_next_is_kept,
    what_is_at_hand_is_what_is_read,
    an_end_settles_everything,
    a_wish_to_end_is_kept,
    an_ended_session_starts_anew,
    what_is_open_is_counted,
    what_the_provider_knows_is_found,
    an_erased_session_is_gone,
    sessions_expire,
    epochs_change_on_demand_only,
    idempotency_keys_last_a_day,
    tokens_open_their_session,
    subscribers_are_woken_after_the_commit,
    writers_do_not_disturb_each_other,
)
"""Every check, for a test that runs them one by one."""
