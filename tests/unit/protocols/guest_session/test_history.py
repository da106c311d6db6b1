"""A session's history: requests built, answers read, on both sides."""

from __future__ import annotations

import contextlib
import json
import traceback
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.errors import ChatError, ConnectFailed, RateLimited, RemoteProtocolError, SessionExpired
from guestwire.model.events import Message
from guestwire.model.http import HttpAnswer
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.history import (
    MAX_PAGE_BYTES,
    HistoryPage,
    HistoryQuery,
    history_page,
    history_request,
    parse_history_answer,
    parse_history_query,
)
from guestwire.protocols.guest_session.rest import BadSessionRequest
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.protocols.guest_session.wire import BotMessageFrame, MessageFrame

BASE = "https://api.mypurecloud.com"
SESSION = GuestSession(session_id=SessionId("s/1"), token=Secret("s3cr3t"))
FRAME = {"type": "message", "from": "agent", "text": "x", "id": "p1"}


def answer(body: object, status: int = 200, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, headers, msgspec.json.encode(body))


def test_the_request() -> None:
    """The session token as Bearer, id and place escaped; without a place it begins at the first message."""
    request = history_request(BASE, SESSION, after="a&b/c", limit=20)
    path = "https://api.mypurecloud.com/api/v2/chat/guestsessions/s%2F1/messages"
    assert (request.method, request.url) == ("GET", f"{path}?after=a%26b%2Fc&limit=20")
    assert request.headers == {"authorization": "Bearer s3cr3t"}
    assert history_request(BASE, SESSION, after=None, limit=100).url == f"{path}?limit=100"


@given(st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=256), st.integers(1, 100))
def test_a_request_is_read_as_it_was_built(after: str | None, limit: int) -> None:
    """Client half and server half agree."""
    url = history_request(BASE, SESSION, after=after, limit=limit).url
    assert parse_history_query(dict(parse_qsl(urlsplit(url).query))) == HistoryQuery(after, limit)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "ten", "", "٣", "1000000"])
def test_a_limit_out_of_range_is_refused(limit: str) -> None:
    """A whole number from 1 to 100, in ASCII digits."""
    with pytest.raises(BadSessionRequest, match="limit"):
        parse_history_query({"limit": limit})


def test_what_else_may_be_asked() -> None:
    """Nothing at all, or an empty place, is everything from the first; an endless place is refused."""
    assert parse_history_query({}) == parse_history_query({"after": ""}) == HistoryQuery(None, 100)
    with pytest.raises(BadSessionRequest, match="after"):
        parse_history_query({"after": "x" * 257})


def test_a_page_is_read_as_it_was_written() -> None:
    """Messages of everybody, in order, with id and time; the guest's with the client id where it is told."""
    page = history_page(
        [
            BotMessageFrame(text="Hello", id="p1", timestamp="2030-01-01T12:00:00.000Z"),
            MessageFrame(sender="guest", text="Hi", id="p2", client_id="c1"),
            MessageFrame(sender="agent", text="Yes?", id="p3"),
        ],
        limit=2,
    )
    assert parse_history_answer(answer(page)) == HistoryPage(
        (
            Message(sender="bot", text="Hello", id="p1", sent_at=datetime(2030, 1, 1, 12, tzinfo=UTC)),
            Message(sender="guest", text="Hi", id="p2", client_id="c1"),
        ),
        has_more=True,
    )


def test_a_page_is_bounded_in_bytes() -> None:
    """It is cut short, says that there is more, and is never empty for it."""
    long = MessageFrame(sender="agent", text="x" * 100_000, id="p")
    page = history_page([long] * 10, limit=10)
    assert 0 < len(msgspec.json.encode(page)) < MAX_PAGE_BYTES + 1000
    assert page.has_more
    huge = MessageFrame(sender="agent", text="x" * (MAX_PAGE_BYTES + 1), id="p")
    assert len(history_page([huge, huge], limit=10).messages) == 1


def test_what_is_no_message_is_left_out() -> None:
    """Unknown kinds, other frames, and messages that nobody could tell from their copies."""
    odd: list[object] = [5, {"type": "weather"}, {"type": "typing"}, {**FRAME, "id": None}, {**FRAME, "id": ""}]
    page = parse_history_answer(answer({"messages": [*odd, FRAME, *odd], "hasMore": True}))
    assert page == HistoryPage((Message(sender="agent", text="x", id="p1"),), has_more=True)


def test_half_an_emoji_loses_no_page() -> None:
    """Some providers cut texts in the middle of one; the other messages are as good as ever."""
    half = {"type": "message", "from": "agent", "text": "a\ud83d", "id": "p2"}
    page = parse_history_answer(HttpAnswer(200, {}, json.dumps({"messages": [FRAME, half], "hasMore": False}).encode()))
    assert [message.text for message in page.messages] == ["x", "a\ufffd"]


def test_an_empty_page_has_nothing_to_go_on_from() -> None:
    """So there is no more, whatever the provider says: a reader would ask the same for ever."""
    assert parse_history_answer(answer({"messages": [], "hasMore": True})) == HistoryPage()
    assert parse_history_answer(answer({"messages": [{"type": "weather"}], "hasMore": True})) == HistoryPage()
    assert parse_history_answer(answer({"messages": []})) == HistoryPage()


@pytest.mark.parametrize(
    "status, kind",
    [
        (401, SessionExpired),
        (404, RemoteProtocolError),
        (403, RemoteProtocolError),
        (302, RemoteProtocolError),
        (429, RateLimited),
        (502, ConnectFailed),
    ],
)
def test_what_else_may_be_answered(status: int, kind: type[ChatError]) -> None:
    """Refused, in trouble, or none of that."""
    with pytest.raises(kind) as caught:
        parse_history_answer(answer({"code": "x"}, status, **{"retry-after": "7"}))
    assert type(caught.value) is kind
    assert caught.value.retry_after_s == (7.0 if status in {429, 502} else None)


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"null", b"[]", b"\xff", b"{}", b'{"messages":5}', b'{"messages":[1],"hasMore":"s3cr3t"}'],
)
def test_garbage_is_refused_and_not_quoted(body: bytes) -> None:
    """What people wrote is in no error."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_history_answer(HttpAnswer(200, {}, body))
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@given(st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Never another exception, in the messages neither."""
    for one in (body, b'{"messages":[' + body + b"]}"):
        with contextlib.suppress(RemoteProtocolError):
            parse_history_answer(HttpAnswer(200, {}, one))
