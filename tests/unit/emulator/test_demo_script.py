"""What the demo agent says."""

from __future__ import annotations

import pytest

from guestwire.emulator.demo_script import DemoScript


def script(name: str | None = "Tom") -> DemoScript:
    return DemoScript("Demo Agent", name)


def test_greets_by_name_and_quotes() -> None:
    """The first message has the guest's name, the agent's, and the question."""
    said = script().greet("Where is my order?")
    assert "Tom" in said.text
    assert "Demo Agent" in said.text
    assert "“Where is my order?”" in said.text
    assert not said.ends
    assert script(None).greet("x").text.startswith("Hello!")


@pytest.mark.parametrize("question", [None, "Talk to a person", " talk to a person "])
def test_nothing_asked_yet(question: str | None) -> None:
    """Who asked nothing yet is asked, and the first question is then no second one."""
    one = script()
    assert "How can I help" in one.greet(question).text
    assert "number" not in one.answer("My invoice").text


def test_later_texts_in_context() -> None:
    """A later text is answered with the one before it in mind."""
    one = script()
    one.greet("Where is my order?")
    second = one.answer("And the refund?").text
    assert "“And the refund?”" in second
    assert "“Where is my order?”" in second
    assert "number 2" in second
    assert "“And the refund?”" in one.answer("Hm").text


@pytest.mark.parametrize(
    "text", ["bye", "Good bye!", "ok, goodbye", "end", "End.", "please end the chat", "that's all", "That’s it", "stop"]
)
def test_ends_on_request(text: str) -> None:
    """Saying goodbye in any way ends it, politely."""
    said = script().answer(text)
    assert said.ends
    assert "Goodbye" in said.text
    assert script().greet(text).ends


@pytest.mark.parametrize("text", ["weekend", "I want to send it back", "the end date", "my bus stop", "bytes"])
def test_other_words_do_not_end(text: str) -> None:
    """Words that only look like it do not end a conversation."""
    assert not script().answer(text).ends


def test_long_texts_are_cut_in_the_quote() -> None:
    """A quote is one line and not longer than can be read."""
    said = script().greet("word\n" * 800)
    assert len(said.text) < 500
    assert "\n" not in said.text
    assert "…" in said.text
