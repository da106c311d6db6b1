"""Pages by number, newest first, as what was said behind a place."""

from __future__ import annotations

import pytest

from guestwire.client.web_messaging import ReadPage
from guestwire.gateway.relay.web_history import read_behind
from guestwire.model.events import ConversationStatus, ConversationUpdated, Event, Message, Presence


class History:
    """Messages "0", "1", … in pages of three; `says` more are said after each page was read."""

    def __init__(self, count: int, *, says: int = 0) -> None:
        self.said: list[Event] = [message(number) for number in range(count)]
        self.says = says
        self.asked: list[int] = []

    async def read(self, number: int) -> ReadPage:
        self.asked.append(number)
        end = len(self.said) - 3 * (number - 1)
        page = tuple(self.said[max(0, end - 3) : max(0, end)])
        has_more = end > 3
        self.said += [message(len(self.said) + more) for more in range(self.says)]
        return ReadPage(number, page, has_more)


def message(number: int) -> Message:
    return Message(sender="agent", text=str(number), id=str(number))


async def texts(history: History, place: str | None) -> list[str]:
    page = await read_behind(place, history.read)
    assert not page.has_more
    return [one.text for one in page.messages if isinstance(one, Message)]


@pytest.mark.parametrize(("place", "pages"), [("7", 1), ("6", 1), ("4", 2), ("0", 3), (None, 3), ("gone", 3)])
async def test_what_stands_behind_a_place_comes_oldest_first(place: str | None, pages: int) -> None:
    """Read is no more than it takes; a place that is not kept any more is the beginning."""
    history = History(8)
    wanted = [str(number) for number in range(8)]
    behind = wanted[wanted.index(place) + 1 :] if place in wanted else wanted
    assert await texts(history, place) == behind
    assert history.asked == list(range(1, pages + 1))


async def test_what_is_said_meanwhile_makes_nothing_missing_and_nothing_double() -> None:
    assert await texts(History(8, says=2), None) == [str(number) for number in range(8)]


async def test_an_empty_history_tells_nothing() -> None:
    assert await texts(History(0), None) == []


async def test_ends_belong_to_it_and_other_events_do_not() -> None:
    history = History(1)
    end = ConversationUpdated(status=ConversationStatus.ENDED, id="e1")
    history.said += [end, Presence(sender="guest", kind="join"), Message(sender="agent", text="no id")]
    assert (await read_behind(None, history.read)).messages == (message(0), end)
