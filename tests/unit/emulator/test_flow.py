"""The bot."""

from __future__ import annotations

import pytest

from guestwire.emulator.flow import TALK_TO_A_PERSON, Flow
from guestwire.model.content import ButtonResponse, QuickReply, button_response

OFFERS = ["Opening hours", "Track an order", TALK_TO_A_PERSON]


def labels(flow: Flow, text: str) -> list[str]:
    return [item.value.text for item in flow.answer(text).content if isinstance(item.value, QuickReply)]


def test_greets_by_name_and_offers() -> None:
    """The greeting has the guest's name, where known, and every reply."""
    flow = Flow()
    assert "Tom" in flow.greet("Tom").text
    greeting = flow.greet(None)
    assert greeting.text.startswith("Hello!")
    assert [item.value.text for item in greeting.content if isinstance(item.value, QuickReply)] == OFFERS
    assert flow.welcome_back().content == greeting.content


@pytest.mark.parametrize("text", ["Opening hours", " opening HOURS ", "track an order"])
def test_answers_what_it_offers(text: str) -> None:
    """Case and space around do not matter; the replies are offered again."""
    answer = Flow().answer(text)
    assert not answer.hands_over
    assert labels(Flow(), text) == OFFERS


@pytest.mark.parametrize("text", [TALK_TO_A_PERSON, "talk to a person", "Opening hours?", "", "anything"])
def test_hands_everything_else_over(text: str) -> None:
    """Any other text goes to a person, and so does the wish for one."""
    assert Flow().answer(text).hands_over


def test_payload_counts() -> None:
    """A button's payload says what was chosen, whatever its text."""
    chosen = button_response(ButtonResponse(type="QuickReply", text="When?", payload="Opening hours"))
    assert not Flow().answer("When?", (chosen,)).hands_over
    person = button_response(ButtonResponse(type="QuickReply", text="…", payload=TALK_TO_A_PERSON))
    assert Flow().answer("…", (person,)).hands_over


def test_own_answers() -> None:
    """A flow can be given other replies."""
    flow = Flow({"Prices": "All prices are on the page."})
    assert flow.answer("prices").text == "All prices are on the page."
    assert flow.answer("Opening hours").hands_over
