"""The org's inbound flow: a bot that greets, answers what it offers, and hands everything else over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guestwire.model.content import ButtonResponse, ContentItem, quick_reply

__all__ = ["TALK_TO_A_PERSON", "BotSays", "Flow"]

TALK_TO_A_PERSON = "Talk to a person"


@dataclass(frozen=True, slots=True)
class BotSays:
    """One message of the bot; `hands_over` when the conversation goes to the queue after it."""

    text: str
    content: tuple[ContentItem, ...] = ()
    hands_over: bool = False


class Flow:
    """What the bot says. It has no memory and no state: whether it is published is the org's to say."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        """Take the replies that the bot offers and its answers to them."""
        self._answers = dict(_ANSWERS if answers is None else answers)
        self._labels = {label.casefold(): label for label in (*self._answers, TALK_TO_A_PERSON)}

    def greet(self, guest_name: str | None) -> BotSays:
        """Return the first message."""
        hello = f"Hello {guest_name}!" if guest_name else "Hello!"
        return BotSays(f"{hello} I am the virtual assistant. What can I do for you?", self._offers())

    def welcome_back(self) -> BotSays:
        """Return the message with which the bot takes a conversation back from an agent."""
        return BotSays("You are with the virtual assistant again. What else can I do for you?", self._offers())

    def answer(self, text: str, content: Sequence[ContentItem] = ()) -> BotSays:
        """Answer a guest's message: an offered reply by what belongs to it, anything else by handing over."""
        label = self._label(text, content)
        if label in self._answers:
            return BotSays(self._answers[label], self._offers())
        return BotSays("I will hand you over to a person. One moment, please.", hands_over=True)

    def understands(self, text: str, content: Sequence[ContentItem] = ()) -> bool:
        """Return whether a guest's message is one that the bot offers."""
        return self._label(text, content) is not None

    def _label(self, text: str, content: Sequence[ContentItem]) -> str | None:
        labels = (self._labels.get(said.strip().casefold()) for said in _said(text, content))
        return next((label for label in labels if label is not None), None)

    def _offers(self) -> tuple[ContentItem, ...]:
        return tuple(quick_reply(label) for label in self._labels.values())


_ANSWERS = {
    "Opening hours": "We are here from Monday to Friday, 8:00 to 18:00, and on Saturday from 9:00 to 13:00.",
    "Track an order": "Orders leave our warehouse within a day. The link in your confirmation shows where yours is.",
}


def _said(text: str, content: Sequence[ContentItem]) -> Iterator[str]:
    for item in content:
        if isinstance(item.value, ButtonResponse):
            yield item.value.payload
    yield text
