"""Provider half: shape, length and rate of what a guest sends."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestwire.errors import ERRORS
from guestwire.model.content import ButtonResponse, button_response, parse_content, quick_reply
from guestwire.protocols.guest_session.server import EndConversation, GuestSessionServer, SendMessage, ShowTyping
from guestwire.protocols.guest_session.wire import MAX_TEXT_BYTES


def tell(server: GuestSessionServer, frame: object, now: float = 0.0) -> list[dict[str, Any]]:
    """Feed one frame and return the replies."""
    server.frame_received(frame if isinstance(frame, str) else json.dumps(frame), now)
    return [json.loads(reply) for reply in server.effects()]


def test_what_the_guest_wants_comes_in_order_and_once() -> None:
    """Nothing is answered to what is understood."""
    server = GuestSessionServer()
    assert tell(server, {"type": "message", "text": "one", "clientId": "c1"}) == []
    assert tell(server, {"type": "typing"}) == []
    assert tell(server, {"type": "message", "text": "two", "from": "guest"}) == []
    assert tell(server, {"type": "end"}) == []
    assert server.commands() == [
        SendMessage("one", client_id="c1"),
        ShowTyping(),
        SendMessage("two"),
        EndConversation(),
    ]
    assert server.commands() == []


@pytest.mark.parametrize("client_id", ["", "x" * 65, "a\nb"])
def test_a_client_id_that_is_said_back_is_bounded(client_id: str) -> None:
    """64 printable characters; a server without echo ignores it like an unknown member."""
    server = GuestSessionServer(extensions=frozenset({"echo"}))
    assert tell(server, {"type": "message", "text": "x", "clientId": "x" * 64}) == []
    (refused,) = tell(server, {"type": "message", "text": "x", "clientId": client_id})
    assert (refused["type"], refused["code"]) == ("error", "bad-frame")
    assert "clientId" not in refused
    assert server.commands() == [SendMessage("x", client_id="x" * 64)]
    assert tell(GuestSessionServer(), {"type": "message", "text": "x", "clientId": client_id}) == []


def test_a_choice_may_have_no_text() -> None:
    """The content says enough."""
    server = GuestSessionServer()
    item = button_response(ButtonResponse(type="QuickReply", text="A", payload="a"))
    assert tell(server, {"type": "message", "content": [item.raw]}) == []
    assert server.commands() == [SendMessage("", content=parse_content([item.raw]))]


def test_a_guest_answers_and_offers_nothing() -> None:
    """Content that is no answer is left out: it would be kept without a bound."""
    server = GuestSessionServer()
    tell(server, {"type": "message", "text": "x", "content": [quick_reply("A", "a").raw, {"contentType": "Odd"}]})
    assert server.commands() == [SendMessage("x")]


def test_answers_are_bounded() -> None:
    """Some kilobytes of choices are enough for any list."""
    server = GuestSessionServer()
    item = button_response(ButtonResponse(type="ListPicker", text="x" * 3000, payload="y"))
    (refused,) = tell(server, {"type": "message", "text": "x", "content": [item.raw] * 3})
    assert refused["code"] == "message-too-long"
    assert server.commands() == []


@pytest.mark.parametrize("character", ["a", "é", "你", "👩"])
def test_the_limit_of_a_text_counts_bytes(character: str) -> None:
    """4,096 bytes of UTF-8 are taken, one more is not (guest-session §4.2)."""
    server = GuestSessionServer()
    size = len(character.encode())
    fits = character * (4096 // size) + "a" * (4096 % size)
    assert len(fits.encode()) == MAX_TEXT_BYTES == 4096
    assert tell(server, {"type": "message", "text": fits}) == []
    assert tell(server, {"type": "message", "text": fits + "a", "clientId": "c1"}) == [
        {"type": "error", "code": "message-too-long", "text": ERRORS["message-too-long"].summary, "clientId": "c1"}
    ]
    assert tell(server, {"type": "message", "text": fits[1:] + character}) == []
    assert [command.text for command in server.commands() if isinstance(command, SendMessage)] == [
        fits,
        fits[1:] + character,
    ]


@pytest.mark.parametrize("frame", [{"type": "message"}, {"type": "message", "text": " \n\t"}])
def test_blank_text_is_refused(frame: dict[str, Any]) -> None:
    """Without content there is nothing to say."""
    server = GuestSessionServer()
    (reply,) = tell(server, frame)
    assert reply["code"] == "message-blank"
    assert server.commands() == []


@pytest.mark.parametrize(
    "frame, word",
    [
        ("hello", "not JSON"),
        ("", "not JSON"),
        ([], "another JSON value"),
        ({"text": "x"}, "'type'"),
        ({"type": "weather"}, "another"),
        ({"type": "message", "text": 5}, "another kind"),
        ({"type": "hello", "sessionId": "s", "token": "t"}, ERRORS["bad-frame"].summary),
        ({"type": "ping"}, ERRORS["bad-frame"].summary),
    ],
)
def test_a_bad_frame_is_answered_and_the_connection_goes_on(frame: object, word: str) -> None:
    """The answer says what is wrong with it and quotes nothing."""
    server = GuestSessionServer()
    (reply,) = tell(server, frame)
    assert (reply["type"], reply["code"]) == ("error", "bad-frame")
    assert word in reply["text"]
    assert tell(server, {"type": "message", "text": "still here"}) == []
    assert server.commands() == [SendMessage("still here")]


@pytest.mark.parametrize("frame", [{"type": "typing"}, {"type": "end"}])
def test_without_the_extension_a_frame_is_not_understood(frame: dict[str, Any]) -> None:
    """A provider of the tutorial knows `message` only."""
    server = GuestSessionServer(extensions=frozenset())
    (reply,) = tell(server, frame)
    assert reply["code"] == "bad-frame"
    assert server.commands() == []


def test_ten_frames_a_second_are_always_taken() -> None:
    """For as long as the guest likes."""
    server = GuestSessionServer()
    assert all(tell(server, {"type": "message", "text": "x"}, tick / 10) == [] for tick in range(600))
    assert len(server.commands()) == 600


def test_a_flood_is_told_to_slow_down_and_may_go_on_later() -> None:
    """20 frames a second: after 3 s they are refused, with the seconds to wait; then they are taken again."""
    server = GuestSessionServer()
    refused_at, reply = next(
        (tick / 20, replies[0]) for tick in count() if (replies := tell(server, {"type": "typing"}, tick / 20))
    )
    assert refused_at == pytest.approx(3.0, abs=0.1)
    assert reply == {
        "type": "error",
        "code": "rate-limited",
        "text": ERRORS["rate-limited"].summary,
        "retryAfter": 1.0,
    }
    assert len(server.commands()) == refused_at * 20
    later = refused_at + reply["retryAfter"]
    assert tell(server, {"type": "message", "text": "again"}, later) == []
    assert server.commands() == [SendMessage("again")]


def test_thirty_frames_at_once_are_taken() -> None:
    """A flush after a drop is no flood; the frame after it names the message it refuses."""
    server = GuestSessionServer()
    for number in range(30):
        assert tell(server, {"type": "message", "text": str(number)}, 5.0) == []
    (reply,) = tell(server, {"type": "message", "text": "30", "clientId": "c30"}, 5.0)
    assert (reply["code"], reply["clientId"]) == ("rate-limited", "c30")
    assert len(server.commands()) == 30


def test_bad_frames_count_too() -> None:
    """Nonsense is no way around the limit."""
    server = GuestSessionServer()
    codes = [tell(server, "nonsense")[0]["code"] for _ in range(31)]
    assert codes == ["bad-frame"] * 30 + ["rate-limited"]


@given(st.lists(st.text() | st.dictionaries(st.text(max_size=3), st.text()).map(json.dumps), max_size=40))
def test_any_text_is_answered_or_taken(texts: list[str]) -> None:
    """Never both, never neither, never an exception; every answer is an `error` frame with a code of the table."""
    server = GuestSessionServer()
    for text in texts:
        server.frame_received(text, 0.0)
        replies = [json.loads(reply) for reply in server.effects()]
        assert len(replies) + len(server.commands()) == 1
        assert all(reply["type"] == "error" and reply["code"] in ERRORS for reply in replies)
