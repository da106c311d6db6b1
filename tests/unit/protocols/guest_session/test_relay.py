"""Gateway half: one browser's connection as a reader of a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.errors import ERRORS, LocalProtocolError
from guestwire.model.events import Fate
from guestwire.protocols.guest_session.closes import CLOSE_CODES
from guestwire.protocols.guest_session.relay import (
    BLOCKED_S,
    ENDED_S,
    HELLO_S,
    MOST_BEHIND_BYTES,
    MOST_BEHIND_RECORDS,
    MOST_HELD,
    MOST_REFUSED,
    RELAY_STATES,
    CheckPair,
    ClearConversation,
    CloseSocket,
    NoteRead,
    NoteSeen,
    ProlongSession,
    RefuseMessage,
    RelayConnection,
    RelayInput,
    RelayState,
    ReportHead,
    SendFrame,
    StartNew,
    next_relay_state,
)
from guestwire.protocols.guest_session.server import EndConversation, SendMessage, ShowTyping
from guestwire.protocols.guest_session.wire import ConversationUpdateFrame, ErrorFrame, ReceiptFrame, TypingFrame

EPOCH = "e1"


class Entry(NamedTuple):
    seq: int
    kind: str = "message"
    body: bytes = b'{"type":"message","from":"agent","text":"Hi","id":"x"}'
    order_key: str | None = None
    late: bool = False


def entries(first: int, last: int) -> list[Entry]:
    return [
        Entry(seq, body=json.dumps({"type": "message", "from": "agent", "text": str(seq), "id": str(seq)}).encode())
        for seq in range(first, last + 1)
    ]


def own(seq: int, client_id: str) -> Entry:
    body = {"type": "message", "from": "guest", "text": "mine", "clientId": client_id, "id": "m"}
    return Entry(seq, body=json.dumps(body).encode())


class Browser:
    """A connection, and what it was told to write."""

    def __init__(self, *, is_plain: bool = False, now: float = 0.0) -> None:
        self.core = RelayConnection(now, is_plain=is_plain)
        self.frames: list[dict[str, Any]] = []
        self.close: tuple[int, str] | None = None

    def drain(self) -> list[dict[str, Any]]:
        fresh: list[dict[str, Any]] = []
        for effect in self.core.effects():
            assert self.close is None, "something follows the close"
            match effect:
                case SendFrame(text):
                    fresh.append(json.loads(text))
                case CloseSocket(code, reason):
                    self.close = (code, reason)
        self.frames += fresh
        return fresh

    def say(self, frame: object, now: float = 0.0) -> list[dict[str, Any]]:
        self.core.frame_received(frame if isinstance(frame, str) else json.dumps(frame), now)
        return self.drain()

    def hello(self, epoch: str | None = None, after: int | None = None) -> Browser:
        self.say({"type": "hello", "sessionId": "s", "token": "t", "epoch": epoch, "after": after, "tab": "tab"})
        return self

    def admit(self, head: int = 0, floor: int = 0, epoch: str = EPOCH, *, is_first: bool = False) -> Browser:
        self.core.admitted(epoch=epoch, floor=floor, head=head, is_first=is_first)
        self.drain()
        return self

    def page(self, *records: Entry) -> list[dict[str, Any]]:
        self.core.page_read(records)
        return self.drain()

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames if frame["type"] == "message"]


def live(head: int = 0) -> Browser:
    browser = Browser().hello().admit(head)
    browser.page(*entries(1, head))
    assert browser.core.state is RelayState.LIVE
    browser.core.commands()
    browser.frames.clear()
    return browser


def in_state(state: RelayState) -> Browser:
    match state:
        case RelayState.GREETING:
            return Browser()
        case RelayState.CHECKING:
            return Browser().hello()
        case RelayState.CATCHING_UP:
            return Browser().hello().admit(5)
        case RelayState.LIVE:
            return live(5)
        case RelayState.PLAIN:
            return Browser(is_plain=True).admit(5)
        case RelayState.CLOSED:
            browser = live(5)
            browser.core.closed()
            return browser


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", RelayInput)
@pytest.mark.parametrize("state", RelayState)
def test_every_state_and_every_input(state: RelayState, what: RelayInput) -> None:
    """What the table allows leads where it says; the rest is refused, with what was expected and what was got."""
    if what in RELAY_STATES[state]:
        assert next_relay_state(state, what) is RELAY_STATES[state][what]
        return
    with pytest.raises(LocalProtocolError, match=f"while {state}, got {what}"):
        next_relay_state(state, what)


def test_the_table_is_whole() -> None:
    """Every state is reached from one of the two beginnings, every input is used, and everything can be closed."""
    reached, front = set[RelayState](), [RelayState.GREETING]
    while front:
        state = front.pop()
        reached.add(state)
        front += set(RELAY_STATES[state].values()) - reached
    assert reached == set(RelayState) == set(RELAY_STATES)
    assert {what for row in RELAY_STATES.values() for what in row} == set(RelayInput)
    assert all(row[RelayInput.CLOSE] is RelayState.CLOSED for row in RELAY_STATES.values())


CALLS: dict[str, Callable[[RelayConnection], object]] = {
    "frame": lambda core: core.frame_received('{"type":"typing"}', 1.0),
    "ping": lambda core: core.frame_received('{"type":"ping","seq":1}', 1.0),
    "second hello": lambda core: core.frame_received('{"type":"hello","sessionId":"s","token":"t"}', 1.0),
    "garbage": lambda core: core.frame_received("{", 1.0),
    "page": lambda core: core.page_read(entries(core.cursor + 1, core.cursor + 2)),
    "wrong page": lambda core: core.page_read(entries(core.cursor + 2, core.cursor + 3)),
    "no page": lambda core: core.page_read([]),
    "other epoch": lambda core: core.position_seen(epoch="e2"),
    "same epoch": lambda core: core.position_seen(epoch=EPOCH),
    "ended": lambda core: core.session_ended(core.cursor, 1.0),
    "reopened": lambda core: core.session_reopened(),
    "typing": lambda core: core.show_volatile(TypingFrame(sender="agent"), core.cursor),
    "trouble": lambda core: core.show_volatile(ErrorFrame(code="upstream-busy"), core.cursor),
    "accepted": lambda core: core.accepted(ReceiptFrame(client_id="c", status=Fate.ACCEPTED, message_seq=1)),
    "refuse": lambda core: core.refuse("conflict", client_id="c"),
    "refuse for now": lambda core: core.refuse_for_now("log-unavailable", "c", retry_after=1.0),
    "may try": lambda core: core.may_try(SendMessage(text="x", client_id="c")),
    "may end": lambda core: core.may_try(EndConversation()),
    "done": lambda core: core.done(),
    "pong": lambda core: core.pong(5),
    "blocked": lambda core: core.blocked(1.0),
    "unblocked": lambda core: core.unblocked(),
    "lagging": lambda core: core.lagging(10_000, 0),
    "timer": lambda core: core.timer_due(1e9),
    "move": lambda core: core.move(1.0),
    "close": lambda core: core.close_for("session-expired"),
    "closed": lambda core: core.closed(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("state", RelayState)
def test_every_state_and_every_call(state: RelayState, call: str) -> None:
    """No call in any state breaks a rule: the table, nothing after the close, known codes, plain stays plain."""
    browser = in_state(state)
    CALLS[call](browser.core)
    fresh = browser.drain()
    after = browser.core.state
    assert after is state or after in RELAY_STATES[state].values()
    if browser.close is not None:
        assert after is RelayState.CLOSED
        assert browser.close[0] in CLOSE_CODES
    if state is RelayState.CLOSED:
        assert fresh == []
        assert browser.core.commands() == []
        assert browser.core.next_deadline() is None
    if state is RelayState.PLAIN:
        assert {frame["type"] for frame in fresh} <= {"message", "typing", "error", "pong"}
        assert all("seq" not in frame for frame in fresh if frame["type"] != "pong")
    for _ in range(2):  # whatever came before, a close is taken twice and is the end
        browser.core.close(1011)
        browser.drain()
    assert browser.core.is_closed


# --- hello and welcome ------------------------------------------------------------------------------------------------


def test_hello_is_checked_first_and_leaves_no_token_behind() -> None:
    browser = Browser().hello(EPOCH, 3)
    (command,) = browser.core.commands()
    assert isinstance(command, CheckPair)
    assert (command.session_id, command.token.reveal(), command.tab) == ("s", "t", "tab")
    assert browser.frames == []
    assert browser.core.mode is None


@pytest.mark.parametrize(
    "first", ["", "{", "[]", '{"type":"ping"}', '{"type":"message","text":"x"}', '{"type":"hello"}', '{"type":"x"}']
)
def test_anything_before_hello_is_a_bug_to_report(first: str) -> None:
    browser = Browser()
    assert browser.say(first) == []
    assert browser.close == (4400, "expected hello first")


def test_never_hello() -> None:
    """4408 after 5 s, not before, and not once it was said."""
    browser = Browser(now=100.0)
    assert browser.core.next_deadline() == 100.0 + HELLO_S
    browser.core.timer_due(100.0 + HELLO_S - 0.01)
    assert browser.drain() == []
    assert not browser.core.is_closed
    browser.core.timer_due(100.0 + HELLO_S)
    browser.drain()
    assert browser.close == (4408, "hello-timeout")
    greeted = Browser().hello()
    assert greeted.core.next_deadline() is None
    greeted.core.timer_due(1e9)
    greeted.drain()
    assert greeted.close is None


@pytest.mark.parametrize(
    "epoch, after, mode, cursor",
    [
        (None, None, "reset", 2),
        (EPOCH, None, "reset", 2),
        (None, 5, "reset", 2),
        ("other", 5, "reset", 2),
        (EPOCH, -1, "reset", 2),
        (EPOCH, 0, "reset", 2),
        (EPOCH, 1, "reset", 2),
        (EPOCH, 2, "resume", 2),
        (EPOCH, 5, "resume", 5),
        (EPOCH, 7, "resume", 7),
        (EPOCH, 8, "reset", 2),
        (EPOCH, 10**15, "reset", 2),
    ],
)
def test_resume_is_complete_or_a_reset(epoch: str | None, after: int | None, mode: str, cursor: int) -> None:
    """A log of 3 … 7: below the floor, from the future or of another epoch is a reset, which gets all that is kept."""
    browser = Browser().hello(epoch, after).admit(head=7, floor=2)
    welcome = browser.frames[0]
    assert welcome == {
        "type": "welcome",
        "mode": mode,
        "epoch": EPOCH,
        "seq": 7,
        "limits": {"maxTextBytes": 4096, "maxFrameBytes": 65536},
    }
    assert browser.core.mode == mode
    assert browser.core.cursor == cursor
    browser.page(*entries(cursor + 1, 7))
    assert browser.seqs == list(range(cursor + 1, 8))
    assert [frame["seq"] for frame in browser.frames if frame["type"] == "synced"] == [7]
    assert browser.frames[-1] == {"type": "synced", "seq": 7}


def test_what_follows_hello_at_once_waits_for_the_welcome() -> None:
    """A message right behind hello is not lost and not taken before the pair was checked."""
    browser = Browser().hello()
    browser.core.commands()
    assert browser.say({"type": "message", "text": "x", "clientId": "c"}) == []
    assert browser.core.commands() == []
    browser.admit()
    assert browser.core.commands() == [SendMessage(text="x", client_id="c")]
    flood = Browser().hello()
    for _ in range(MOST_HELD + 1):
        flood.say({"type": "typing"})
    assert flood.close == (4429, "rate-limited")


def test_synced_comes_once_and_does_not_run_after_a_log_that_grows() -> None:
    browser = Browser().hello().admit(head=3)
    browser.page(*entries(1, 2))
    assert [frame["type"] for frame in browser.frames] == ["welcome", "message", "message"]
    browser.page(*entries(3, 6))  # 4 … 6 came while the page was read
    assert browser.frames[-1] == {"type": "synced", "seq": 6}
    browser.page(*entries(7, 7))
    assert [frame["type"] for frame in browser.frames].count("synced") == 1


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seqs", [[2], [0], [1, 3], [1, 1], [2, 1]])
def test_a_page_that_does_not_follow_closes_and_sends_nothing(seqs: list[int]) -> None:
    browser = live()
    assert browser.core.page_read([Entry(seq) for seq in seqs]) is False
    assert browser.drain() == []
    assert browser.close == (4410, "position lost")


def test_a_record_gets_its_number_and_its_place() -> None:
    browser = live()
    (frame,) = browser.page(Entry(1, order_key='k"1', late=True))
    assert frame == {
        "type": "message", "from": "agent", "text": "Hi", "id": "x", "seq": 1, "orderKey": 'k"1', "late": True
    }  # fmt: skip


def test_another_epoch_resets() -> None:
    browser = live(3)
    browser.core.position_seen(epoch=EPOCH)
    assert not browser.core.is_closed
    browser.core.position_seen(epoch="restored")
    browser.drain()
    assert browser.close == (4410, "position lost")


def test_the_end_closes_after_its_record() -> None:
    """A plain connection: 1000, once the record of the end was sent; at once for who has it already."""
    browser = Browser(is_plain=True).admit(head=2)
    browser.core.session_ended(4, 0.0)
    browser.page(*entries(3, 3))
    assert not browser.core.is_closed
    browser.page(*entries(4, 4))
    assert browser.close == (1000, "the conversation has ended")
    late = Browser(is_plain=True).admit(head=4)
    late.core.session_ended(4, 0.0)
    late.drain()
    assert late.close == (1000, "the conversation has ended")


def test_who_said_hello_may_start_anew_after_the_end() -> None:
    """The connection stays for ten minutes, counted from the first note of the end, and takes `start-new`."""
    browser = live(2)
    browser.core.session_ended(4, 100.0)
    browser.page(*entries(3, 4))
    browser.core.session_ended(4, 300.0)
    assert browser.core.next_deadline() == 100.0 + ENDED_S
    browser.core.timer_due(99.0 + ENDED_S)
    assert not browser.core.is_closed
    browser.say({"type": "start-new"})
    assert browser.core.commands() == [StartNew()]
    browser.core.session_reopened()
    assert browser.core.next_deadline() is None
    browser.core.session_ended(5, 900.0)
    browser.core.timer_due(900.0 + ENDED_S)
    assert not browser.core.is_closed  # it has not seen the end yet
    browser.page(*entries(5, 5))
    assert browser.close == (1000, "the conversation has ended")


def test_who_comes_after_the_end_gets_everything_and_stays() -> None:
    late = Browser().hello().admit(head=2)
    late.core.session_ended(2, 0.0)
    late.page(*entries(1, 2))
    assert late.frames[-1] == {"type": "synced", "seq": 2}
    late.core.blocked(595.0)
    assert late.core.next_deadline() == ENDED_S
    late.core.timer_due(ENDED_S)
    late.drain()
    assert late.close == (1000, "the conversation has ended")


def test_of_each_kind_of_volatile_frames_one_waits() -> None:
    """Who types must not take away an error, or the place in the queue."""
    browser = live(2)
    for frame in (ErrorFrame(code="busy"), ConversationUpdateFrame(position=3), ConversationUpdateFrame(position=2)):
        browser.core.show_volatile(frame, 3)
    browser.core.show_volatile(TypingFrame(sender="agent"), 4)
    assert [frame["type"] for frame in browser.page(*entries(3, 3))] == ["message", "error", "conversation-update"]
    assert browser.frames[-1] == {"type": "conversation-update", "position": 2}
    assert [frame["type"] for frame in browser.page(*entries(4, 4))] == ["message", "typing"]


def test_volatile_frames_wait_for_what_came_before_them() -> None:
    """Only the newest waits; a blocked reader sees it when it takes frames again; nothing before synced."""
    browser = live(2)
    browser.core.show_volatile(TypingFrame(sender="agent"), 3)
    browser.core.show_volatile(TypingFrame(sender="bot"), 3)
    assert browser.drain() == []
    assert [frame.get("from") for frame in browser.page(*entries(3, 3))] == ["agent", "bot"]
    browser.core.blocked(0.0)
    browser.core.show_volatile(TypingFrame(sender="agent"), 3)
    assert browser.drain() == []
    browser.core.unblocked()
    assert [frame["type"] for frame in browser.page(*entries(4, 4))] == ["message", "typing"]
    early = Browser().hello().admit(1)
    early.core.show_volatile(TypingFrame(sender="agent"), 0)
    assert early.drain() == []
    early.page(*entries(1, 1))
    assert [frame["type"] for frame in early.frames[1:]] == ["message", "synced", "typing"]


def test_what_the_session_offers_comes_after_synced_and_the_newest_counts() -> None:
    """It waits for no record, and a slow reader gets it when it takes frames again."""
    early = Browser().hello().admit(1)
    early.core.show_session('{"type":"session","features":["old"]}', 0)
    early.core.show_session('{"type":"session","features":[]}', 0)
    early.page(*entries(1, 1))
    assert [frame["type"] for frame in early.frames[1:]] == ["message", "synced", "session"]
    assert early.frames[-1]["features"] == []
    browser = live(2)
    browser.core.blocked(0.0)
    browser.core.show_session('{"type":"session"}', 2)
    assert browser.drain() == []
    browser.core.unblocked()
    assert browser.page() == [{"type": "session"}]
    browser.core.show_session('{"type":"session"}', 3)
    assert browser.drain() == []
    assert [frame["type"] for frame in browser.page(*entries(3, 3))] == ["message", "session"]
    plain = Browser(is_plain=True).admit(head=0)
    plain.core.show_session('{"type":"session"}', 0)
    assert plain.page(*entries(1, 1))[-1]["type"] == "message"


def test_an_answer_names_what_it_answers() -> None:
    """A client of the tutorial names nothing, and sends no files."""
    file = {"contentType": "Attachment", "attachment": {"id": "f1", "filename": "a.png"}}
    frame = {"type": "message", "clientId": "c", "inReplyTo": "p1", "content": [file]}
    browser, plain = live(), Browser(is_plain=True).admit()
    browser.say(frame)
    (command,) = browser.core.commands()
    assert isinstance(command, SendMessage)
    assert (command.in_reply_to, [item.kind for item in command.content]) == ("p1", ["Attachment"])
    assert plain.say(frame)[0]["code"] == "message-blank"
    plain.say(frame | {"text": "x"})
    assert plain.core.commands() == [SendMessage(text="x", client_id="c")]


# --- plain connections ------------------------------------------------------------------------------------------------


def test_plain_gets_the_tutorials_four_and_not_its_own_words() -> None:
    browser = Browser(is_plain=True).admit(head=0)
    assert browser.frames == []
    browser.say({"type": "message", "text": "mine", "clientId": "a"})
    assert browser.core.commands() == [SendMessage(text="mine", client_id="a")]
    browser.core.sending("a")
    browser.core.accepted(ReceiptFrame(client_id="a", status=Fate.ACCEPTED, message_seq=1))
    update = Entry(4, "conversation-update", b'{"type":"conversation-update","status":"connected","id":"u"}')
    fresh = browser.page(own(1, "a"), own(2, "b"), Entry(3, "receipt", b'{"type":"receipt"}'), update)
    assert [frame.get("clientId", frame["type"]) for frame in fresh] == ["b", "conversation-update"]
    assert all("seq" not in frame for frame in fresh)
    assert browser.core.cursor == 4
    browser.core.show_volatile(TypingFrame(sender="agent"), 4)
    browser.core.show_volatile(ErrorFrame(code="upstream-busy"), 4)
    assert browser.drain() == [{"type": "typing", "from": "agent"}]


def test_plain_begins_at_the_first_record_or_at_what_comes() -> None:
    first = Browser(is_plain=True).admit(head=3, is_first=True)
    first.page(*entries(1, 3))
    assert len(first.frames) == 3
    later = Browser(is_plain=True).admit(head=3)
    assert later.core.cursor == 3


def test_what_a_plain_client_said_and_left_is_said() -> None:
    """Its pair was good already; a client that said hello has its answer to wait for, and comes back."""
    plain, other = Browser(is_plain=True), Browser().hello()
    other.core.commands()
    for browser in (plain, other):
        for text in ("one", "two"):
            browser.say({"type": "message", "text": text})
        browser.core.closed()
        browser.core.admitted(epoch=EPOCH, floor=0, head=0)
        assert browser.drain() == []
    said = plain.core.commands()
    assert [command.text for command in said if isinstance(command, SendMessage)] == ["one", "two"]
    assert other.core.commands() == plain.core.commands() == []


def test_plain_knows_no_extensions() -> None:
    browser = Browser(is_plain=True).admit()
    for kind in ("ping", "start-new", "clear", "stay"):
        assert browser.say({"type": kind})[0]["code"] == "bad-frame"
    for kind in ("ack", "read"):
        assert browser.say({"type": kind, "seq": 0})[0]["code"] == "bad-frame"
    browser.core.move(1.0)
    assert browser.drain() == []
    assert browser.close == (4409, "moved")


def test_plain_forgets_what_was_refused_or_said_before() -> None:
    """A refused message's id, sent again by another tab, is not its own any more."""
    browser = Browser(is_plain=True).admit(head=3)
    browser.core.sending("a")
    browser.core.refuse("too-many-waiting", client_id="a")
    browser.core.sending("b")
    browser.core.accepted(ReceiptFrame(client_id="b", status=Fate.ACCEPTED, message_seq=2))
    browser.drain()
    assert [frame["clientId"] for frame in browser.page(own(4, "a"), own(5, "b"))] == ["a", "b"]


# --- what the guest says ----------------------------------------------------------------------------------------------


def test_commands_come_in_order_and_once() -> None:
    browser = live(4)
    for frame in (
        {"type": "message", "text": "x", "clientId": "c"},
        {"type": "typing"},
        {"type": "ping", "seq": 4},
        {"type": "ack", "seq": 3},
        {"type": "read", "seq": 99},
        {"type": "start-new"},
        {"type": "clear"},
        {"type": "stay"},
        {"type": "end"},
    ):
        assert browser.say(frame) == []
    assert browser.core.commands() == [
        SendMessage(text="x", client_id="c"),
        ShowTyping(),
        ReportHead(),
        NoteSeen(3),
        NoteRead(4),
        StartNew(),
        ClearConversation(),
        ProlongSession(),
        EndConversation(),
    ]
    assert browser.core.commands() == []
    browser.core.pong(7)
    receipt = ReceiptFrame(client_id="c", status=Fate.ACCEPTED, message_seq=5, id="m")
    browser.core.accepted(receipt)
    assert browser.drain() == [
        {"type": "pong", "seq": 7},
        {"type": "receipt", "clientId": "c", "status": "accepted", "id": "m", "messageSeq": 5},
    ]


@pytest.mark.parametrize(
    "frame, code, client_id",
    [
        ("{", "bad-frame", None),
        ("[]", "bad-frame", None),
        ('{"type":"nonsense"}', "bad-frame", None),
        ('{"type":"hello","sessionId":"s","token":"t"}', "bad-frame", None),
        ('{"type":"ack","seq":-1}', "bad-frame", None),
        ('{"type":"read"}', "bad-frame", None),
        ('{"type":"message","text":" ","clientId":"c"}', "message-blank", "c"),
        ('{"type":"message","text":"%s","clientId":"c"}' % ("x" * 4097), "message-too-long", "c"),
        ('{"type":"message","text":"x","clientId":"%s"}' % ("x" * 65), "bad-frame", None),
        ('{"type":"message","text":"x","clientId":""}', "bad-frame", None),
        ('{"type":"message","text":"x","clientId":"a\\nb"}', "bad-frame", None),
        ('{"type":"message","text":"x","clientId":"c","inReplyTo":""}', "bad-frame", "c"),
        ('{"type":"message","text":"x","clientId":"c","inReplyTo":"%s"}' % ("x" * 129), "bad-frame", "c"),
        ('{"type":"message","text":"x","clientId":"c","inReplyTo":7}', "bad-frame", None),
    ],
)
def test_what_is_refused_is_answered_and_asks_for_nothing(frame: str, code: str, client_id: str | None) -> None:
    browser = live()
    (answer,) = browser.say(frame)
    assert answer["type"] == "error"
    assert (answer["code"], answer.get("clientId")) == (code, client_id)
    assert browser.core.commands() == []
    assert browser.close is None


def answer(size: int) -> dict[str, object]:
    button = {"type": "QuickReply", "text": "Yes", "payload": "x" * size}
    return {"contentType": "ButtonResponse", "buttonResponse": button}


def test_a_guest_answers_and_sends_no_other_content() -> None:
    """Answers of 8 KiB at most; a card of the guest's own is left out, and is nothing to say without words."""
    browser = live()
    card = {"contentType": "Card", "card": {"title": "Pay here"}}
    odd = {"contentType": "ButtonResponse", "buttonResponse": {"text": 1}}
    browser.say(
        {"type": "message", "text": "x", "clientId": "c", "content": [card, answer(10), odd, {"contentType": "Y"}]}
    )
    (command,) = browser.core.commands()
    assert isinstance(command, SendMessage)
    assert [item.raw for item in command.content] == [answer(10)]
    for content, code in (
        ([card], "message-blank"),
        ([answer(9000)], "message-too-long"),
        ([answer(99)] * 90, "message-too-long"),
    ):
        (error,) = browser.say({"type": "message", "text": "", "clientId": "c", "content": content})
        assert (error["code"], error["clientId"]) == (code, "c")
    assert browser.say({"type": "message", "text": "", "content": [answer(8000)]}) == []


@pytest.mark.parametrize("tab", ["t" * 65, "a\nb"])
def test_a_tab_s_name_is_short(tab: str) -> None:
    browser = Browser()
    browser.say({"type": "hello", "sessionId": "s", "token": "t", "tab": tab})
    assert browser.close is not None
    assert browser.close[0] == 4400
    assert browser.core.commands() == []
    assert len(browser.close[1].encode()) <= 123


def test_a_flood_is_refused_then_closed() -> None:
    """30 at once, then `rate-limited` with a time; who goes on regardless loses the connection (4429)."""
    browser = live()
    answers = [browser.say({"type": "message", "text": "x"}, 0.0) for _ in range(31)]
    assert answers[:29] == [[]] * 29  # hello was one of them
    assert answers[30] == [{"type": "error", "code": "rate-limited", "text": answers[30][0]["text"], "retryAfter": 1}]
    for _ in range(MOST_REFUSED):
        browser.say({"type": "typing"}, 0.0)
    assert browser.close == (4429, "rate-limited")


def handle(browser: Browser, *client_ids: str, refuse: str | None = None) -> list[str]:
    """Say messages, and do what is asked: with a code nothing is accepted. Return what was tried."""
    tried: list[str] = []
    for client_id in client_ids:
        browser.say({"type": "message", "text": "x", "clientId": client_id}, 1.0)
        for command in browser.core.commands():
            if isinstance(command, RefuseMessage):
                browser.core.refuse_for_now(command.code, command.client_id, retry_after=command.retry_after)
                continue
            assert isinstance(command, SendMessage)
            if not browser.core.may_try(command):
                continue
            assert command.client_id is not None
            tried.append(command.client_id)
            if refuse is None:
                browser.core.accepted(ReceiptFrame(client_id=command.client_id, status=Fate.ACCEPTED, message_seq=1))
            else:
                browser.core.refuse(refuse, client_id=command.client_id, retry_after=3.0)
    browser.drain()
    return tried


@pytest.mark.parametrize("code", ["too-many-waiting", "log-unavailable", "rate-limited"])
def test_nothing_overtakes_what_was_refused_for_now(code: str) -> None:
    """What is on its way behind a refused message is refused like it, until that one came again and was accepted."""
    browser = live()
    assert handle(browser, "a", refuse=code) == ["a"]
    assert handle(browser, "b", "c") == []
    errors = [(frame["code"], frame["clientId"], frame["retryAfter"]) for frame in browser.frames]
    assert errors == [(code, "a", 3.0), (code, "b", 3.0), (code, "c", 3.0)]
    assert handle(browser, "a", "d", "b", "c", "d") == ["a", "b", "c", "d"]
    assert handle(browser, "e") == ["e"]


def test_who_says_it_all_again_before_the_answers_came_keeps_the_order() -> None:
    """A whole run is refused, and the next one was sent before the guest knew."""
    browser = live()
    handle(browser, "a", "b", "c", refuse="log-unavailable")
    assert handle(browser, "a", refuse="log-unavailable") == ["a"]
    assert handle(browser, "b", "c") == []
    assert handle(browser, "a", "b", "c") == ["a", "b", "c"]


@pytest.mark.parametrize("command", [EndConversation(), StartNew()])
def test_end_and_start_new_keep_their_place(command: EndConversation | StartNew) -> None:
    """Neither overtakes what was refused for now, and nothing overtakes them."""
    browser = live()
    handle(browser, "a", refuse="log-unavailable")
    assert not browser.core.may_try(command)
    (refusal,) = browser.drain()
    assert (refusal["code"], refusal["retryAfter"], "clientId" in refusal) == ("log-unavailable", 3.0, False)
    assert handle(browser, "a") == ["a"]
    assert handle(browser, "b") == []
    assert browser.core.may_try(command)
    browser.core.refuse("log-unavailable", retry_after=3.0)
    assert handle(browser, "b") == [], "it may come again first"
    assert handle(browser, "b") == ["b"], "it did not: it was given up"
    assert browser.core.may_try(command)
    browser.core.refuse("log-unavailable", retry_after=3.0)
    assert browser.core.may_try(command)
    browser.core.done()
    assert handle(browser, "c") == ["c"]
    assert browser.core.may_try(command)
    browser.core.refuse("local-protocol")
    assert handle(browser, "d") == ["d"]


def test_frames_that_are_wrong_change_nothing_for_the_message_being_tried() -> None:
    """What is refused at once, while a message is on its way to the log, is not what the log's refusal is about."""
    one = SendMessage(text="x", client_id="a")
    browser, other = live(), live()
    for each in (browser, other):
        assert each.core.may_try(one)
        for _ in range(40):
            each.say({"type": "message", "text": ""})
        assert each.frames[-1]["code"] == "rate-limited"
    browser.core.refuse("log-unavailable", client_id="a")
    assert handle(browser, "b") == []
    other.core.accepted(ReceiptFrame(client_id="a", status=Fate.ACCEPTED, message_seq=1))
    other.core.refuse("log-unavailable")  # of a ping
    assert handle(other, "b") == ["b"]


def test_what_was_given_up_holds_nothing_back() -> None:
    """A guest who comes again with a later one, after all the answers, has taken the first one back."""
    browser = live()
    handle(browser, "a", "b", "c", refuse="too-many-waiting")
    assert handle(browser, "c") == ["c"]
    handle(browser, "d", refuse="too-many-waiting")
    assert handle(browser, "e") == [], "nobody knows yet whether the guest has given it up"
    assert handle(browser, "e", "f") == ["e", "f"]


def test_what_is_refused_for_good_holds_nothing_back() -> None:
    browser = live()
    handle(browser, "a", refuse="conflict")
    assert handle(browser, "b", refuse="log-unavailable") == ["b"]
    assert handle(browser, "b", refuse="conversation-ended") == ["b"]
    assert handle(browser, "c") == ["c"]
    browser.say({"type": "message", "text": "x"}, 1.0)
    (command,) = browser.core.commands()
    assert isinstance(command, SendMessage)
    handle(browser, "d", refuse="log-unavailable")
    assert browser.core.may_try(command), "one without an id can't be said again"


def test_what_came_too_fast_is_answered_in_its_turn_and_holds_back() -> None:
    browser = live()
    for number in range(40):
        browser.say({"type": "message", "text": "x", "clientId": f"c{number}"}, 0.0)
    commands = browser.core.commands()
    kinds = [type(command) for command in commands]
    assert kinds == sorted(kinds, key=lambda kind: kind is RefuseMessage)
    assert SendMessage in kinds
    first = commands[kinds.index(RefuseMessage)]
    assert isinstance(first, RefuseMessage)
    assert (first.code, first.retry_after) == ("rate-limited", 1.0)
    assert browser.drain() == []
    browser.core.refuse_for_now(first.code, first.client_id, retry_after=first.retry_after)
    assert handle(browser, "z") == []
    assert handle(browser, first.client_id, "z") == [first.client_id, "z"]


def test_so_much_is_refused_for_now_and_no_more() -> None:
    """Who goes on regardless loses the connection; what is still on its way does not overtake even then."""
    browser = live()
    for number in range(MOST_REFUSED + 1):
        assert browser.close is None
        browser.core.refuse_for_now("log-unavailable", f"c{number}", retry_after=3.0)
        browser.drain()
    assert browser.close == (4429, "rate-limited")
    assert not browser.core.may_try(SendMessage(text="x", client_id="later"))
    assert browser.drain() == []


@given(data=st.data())
def test_the_order_of_one_tab_is_kept_whatever_is_refused(data: st.DataObject) -> None:
    """A guest who says again what was not accepted, first to last: each is accepted once, in the order it was said."""
    browser = live()
    outbox = [f"c{number}" for number in range(data.draw(st.integers(1, 8)))]
    said, accepted = list(outbox), []
    now = 1.0
    for _ in range(200):
        if not outbox:
            break
        # A run from the first, of any length; it does not wait for the answers.
        run = outbox[: data.draw(st.integers(1, len(outbox)))]
        for client_id in run:
            now += 1.0
            browser.say({"type": "message", "text": "x", "clientId": client_id}, now)
            for command in browser.core.commands():
                assert isinstance(command, SendMessage)
                if not browser.core.may_try(command):
                    continue
                if data.draw(st.booleans()):
                    browser.core.accepted(ReceiptFrame(client_id=client_id, status=Fate.ACCEPTED, message_seq=1))
                    accepted.append(client_id)
                else:
                    browser.core.refuse("too-many-waiting", client_id=client_id)
        outbox = [client_id for client_id in outbox if client_id not in accepted]
    assert accepted == said[: len(accepted)]


# --- slow readers, drain ----------------------------------------------------------------------------------------------


def test_no_progress_for_ten_seconds() -> None:
    browser = live()
    browser.core.blocked(100.0)
    browser.core.blocked(105.0)
    assert browser.core.next_deadline() == 100.0 + BLOCKED_S
    browser.core.unblocked()
    assert browser.core.next_deadline() is None
    browser.core.blocked(106.0)
    browser.core.timer_due(106.0 + BLOCKED_S)
    browser.drain()
    assert browser.close == (4411, "too-slow")


@pytest.mark.parametrize(
    "behind, size, is_cut",
    [
        (MOST_BEHIND_RECORDS, MOST_BEHIND_BYTES, False),
        (MOST_BEHIND_RECORDS + 1, 0, True),
        (1, MOST_BEHIND_BYTES + 1, True),
    ],
)
def test_too_far_behind(behind: int, size: int, is_cut: bool) -> None:
    """What a reader lacked when it came does not count: 5,000 records are replayed to whoever takes them."""
    browser = live(3)
    browser.core.lagging(3 + behind, size)
    browser.drain()
    assert (browser.close == (4411, "too-slow")) is is_cut
    returning = Browser().hello().admit(head=5000)
    returning.core.lagging(5000 + MOST_BEHIND_RECORDS, 0)
    assert returning.close is None
    assert returning.core.counts_from == 5000


def test_drain() -> None:
    for state in RelayState:
        browser = in_state(state)
        browser.core.move(2.5)
        fresh = browser.drain()
        if state is RelayState.CLOSED:
            assert (fresh, browser.close) == ([], None)
            continue
        assert browser.close == (4409, "moved")
        assert fresh == ([] if state is RelayState.PLAIN else [{"type": "move", "retryAfter": 2.5}])


# --- properties -------------------------------------------------------------------------------------------------------

_KINDS = ["hello", "message", "typing", "end", "ping", "ack", "read", "start-new", "synced", "nonsense"]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    ["text", "clientId", "seq", "content", "sessionId", "token", "epoch", "after", "tab", "from"]
)
_FRAMES = (
    st.builds(
        lambda kind, members: json.dumps({"type": kind, **members}),
        st.sampled_from(_KINDS),
        st.dictionaries(_MEMBERS, _VALUES, max_size=5),
    )
    | st.text(max_size=60)
    | _VALUES.map(json.dumps)
)


@given(
    frames=st.lists(st.tuples(_FRAMES, st.floats(0, 2)), max_size=40),
    is_plain=st.booleans(),
    admit_at=st.integers(0, 40),
    head=st.integers(0, 3),
)
def test_any_frames(frames: list[tuple[str, float]], is_plain: bool, admit_at: int, head: int) -> None:
    """Whatever comes: no exception, every answer an error or a close of the tables, nothing after a close."""
    browser = Browser(is_plain=is_plain)
    now = 0.0
    if is_plain:
        browser.admit(head)
    for number, (frame, wait) in enumerate(frames):
        now += wait
        if number == admit_at and browser.core.state is RelayState.CHECKING:
            browser.admit(head)
            browser.page(*entries(browser.core.cursor + 1, head))
        for answer in browser.say(frame, now):
            assert answer["type"] in {"error", "welcome", "synced", "message"}
            assert answer.get("code", "bad-frame") in ERRORS
        for command in browser.core.commands():
            assert is_plain or browser.core.mode is not None or isinstance(command, CheckPair)
            if isinstance(command, SendMessage):
                assert len(command.text.encode()) <= 4096
                assert command.text.strip() or command.content
    if browser.close is not None:
        assert browser.close[0] in CLOSE_CODES


class ModelClient:
    """A browser's core in a dozen lines: it keeps what it has seen and where it stands."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.after: int | None = None
        self.view: list[int] = []

    def read(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "welcome":
                if frame["mode"] == "reset":
                    self.view = []
                self.epoch = frame["epoch"]
                if frame["mode"] == "reset":
                    self.after = None
            case "message":
                assert frame["seq"] not in self.view, "shown twice"
                assert not self.view or frame["seq"] == self.view[-1] + 1, "a gap"
                self.view.append(frame["seq"])
                self.after = frame["seq"]
            case "synced" if self.after is None:
                self.after = frame["seq"]


@given(st.data())
def test_a_client_that_resumes_has_no_gap_and_no_double(data: st.DataObject) -> None:
    """Joined with a model of a client through growth, trims, drops in the middle of pages, and changes of epoch."""
    head, floor, epoch = 0, 0, 0
    client = ModelClient()
    for _ in range(data.draw(st.integers(1, 8))):
        browser = Browser()
        browser.hello(client.epoch, client.after)
        browser.core.commands()
        had_position = client.epoch == f"e{epoch}" and client.after is not None and floor <= client.after <= head
        browser.core.admitted(epoch=f"e{epoch}", floor=floor, head=head)
        assert (browser.core.mode == "resume") is had_position
        arrived: list[dict[str, Any]] = browser.drain()
        for _ in range(data.draw(st.integers(0, 6))):
            match data.draw(st.sampled_from(["append", "page", "page", "trim"])):
                case "append":
                    head += data.draw(st.integers(1, 4))
                case "trim":
                    floor = max(floor, data.draw(st.integers(0, head)))
                case _:
                    if browser.core.cursor < floor:  # the log would raise ResumeGap
                        browser.core.close_for("position-lost")
                        browser.drain()
                        break
                    last = min(head, browser.core.cursor + data.draw(st.integers(1, 5)))
                    arrived += browser.page(*entries(browser.core.cursor + 1, last))
        # The socket breaks somewhere: a prefix has arrived.
        cut = data.draw(st.integers(0, len(arrived)))
        for frame in arrived[:cut]:
            client.read(frame)
        if data.draw(st.integers(0, 9)) == 0:
            epoch += 1
            head = data.draw(st.integers(floor, head))
    # At last a connection that holds: the client has all that is kept, or all since where it stood.
    browser = Browser().hello(client.epoch, client.after)
    browser.core.admitted(epoch=f"e{epoch}", floor=floor, head=head)
    browser.core.page_read(entries(browser.core.cursor + 1, head))
    for frame in browser.drain():
        client.read(frame)
    assert client.view[-(head - floor) :] == list(range(floor + 1, head + 1)) or head == floor
    assert browser.core.state is RelayState.LIVE
