"""O-03: the same client id from racing connections (reliability.md §5.2), over real sockets and a real log on disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from guestwire.testing import FakeClock
from tests.chaos.case_browser import Browser
from tests.chaos.case_world import browser_of
from tests.integration.gateway.relay_world import relay_world

CONNECTIONS = 8
SHORT, LONG = 100, 1000


@pytest.mark.slow
async def test_the_same_client_id_from_racing_connections_is_one_message(
    tmp_path: Path, chaos_long: bool, chaos_seed: int, figures: Callable[..., None]
) -> None:
    """O-03: eight connections say the same at once: one row, one answer for all; other words are a conflict."""
    rng = Random(chaos_seed)
    rounds = LONG if chaos_long else SHORT
    counts: Counter[str] = Counter()
    winners: dict[str, str] = {}
    clock = FakeClock(auto_jump=False)
    async with relay_world(tmp_path, clock=clock, max_tabs=CONNECTIONS) as world:
        guest = await world.create()
        browsers = [browser_of(guest, str(number)) for number in range(CONNECTIONS)]
        for browser in browsers:
            await browser.connect()
        for number in range(rounds):
            client_id = f"c{number}"
            rivals = rng.sample(range(CONNECTIONS), rng.choice([0, 0, 1, 4]))
            texts = [f"{number} other" if n in rivals else f"{number} one" for n in range(CONNECTIONS)]
            again = rng.sample(range(CONNECTIONS), 2)
            writing = [(browsers[n], texts[n]) for n in [*range(CONNECTIONS), *again]]
            rng.shuffle(writing)
            await asyncio.gather(
                *(browser.write(type="message", text=text, clientId=client_id) for browser, text in writing)
            )
            wanted = Counter(id(browser) for browser, _ in writing)
            await asyncio.gather(*(_until_answered(browser, client_id, wanted[id(browser)]) for browser in browsers))
            winner = _check_round(browsers, texts, client_id, counts)
            winners[client_id] = winner
            clock.advance(1)  # so that nobody is over the rate
        for browser in browsers:
            await browser.until_seq(2 * rounds)
            assert browser.problems == []
            assert browser.view == browsers[0].view
            await browser.drop()
        own = [(frame["clientId"], frame["text"]) for frame in browsers[0].view if frame["type"] == "message"]
        assert own == list(winners.items())
        assert world.heard == list(winners.values())
    connection = apsw.Connection(str(world.settings.log_file), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute("SELECT count(*), count(DISTINCT client_id) FROM outbox").get
    assert rows == (rounds, rounds)
    assert connection.execute("SELECT count(*) FROM record WHERE kind = 'message'").get == rounds
    connection.close()
    figures("O-03", rounds=rounds, **counts)


async def _until_answered(browser: Browser, client_id: str, count: int) -> None:
    await browser.until(lambda: len(_answers(browser, client_id)) == count)


def _answers(browser: Browser, client_id: str) -> list[dict[str, Any]]:
    return [
        frame
        for frame in browser.frames
        if frame.get("clientId") == client_id and (frame["type"] == "error" or frame.get("status") == "accepted")
    ]


def _check_round(browsers: list[Browser], texts: list[str], client_id: str, counts: Counter[str]) -> str:
    """Return the words that won, after a look at who got which answer."""
    answers = [_answers(browser, client_id) for browser in browsers]
    accepted = {text for text, got in zip(texts, answers, strict=True) if got[0]["type"] == "receipt"}
    assert len(accepted) == 1, "one message, one body"
    (winner,) = accepted
    places = set()
    for text, got in zip(texts, answers, strict=True):
        for answer in got:
            if text == winner:
                assert answer["type"] == "receipt", answer
                places.add((answer["id"], answer["messageSeq"]))
                counts["accepted"] += 1
            else:
                assert answer.get("code") == "conflict", answer
                counts["conflicts"] += 1
    assert len(places) == 1, "one message, one place"
    counts["lost_by_the_first_words"] += winner.endswith("other")
    for browser in browsers:
        browser.frames.clear()
    return winner
