"""What the demo agent says: a small script with a memory of one conversation. No I/O, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

from guestwire.emulator.flow import TALK_TO_A_PERSON

__all__ = ["DemoScript", "Said"]

MAX_QUOTE_CHARS = 200

_BYE = re.compile(
    r"\b(good ?bye|bye|end (the |this )?(chat|conversation)|that['’]?s (all|it)|nothing else)\b"
    r"|^\s*(end|quit|stop)\s*[.!]?\s*$",
    re.IGNORECASE,
)

# The first that fits; each is a sentence that could be true of any shop.
_KNOWN = (
    (r"\b(hours?|open|close[sd]?|when)\b", "We are here from Monday to Friday, 8:00 to 18:00."),
    (r"\b(order|parcel|deliver\w*|track\w*|shipp\w*)\b", "I see your order here: it leaves our warehouse today."),
    (r"\b(invoice|bill|pay\w*|refund\w*|price|cost)\b", "I have sent the details to your e-mail address."),
    (r"\b(password|log ?in|account)\b", "You can set a new password with the link on the sign-in page."),
    (r"\b(bot|human|person|robot)\b", "I am the emulator's demo agent: a script, but one that listens."),
    (r"\b(thanks?|thank you|great|perfect)\b", "You are welcome!"),
    (r"^\s*(hi|hello|hey)\b", "Hello again!"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the demo agent; after one that `ends`, it ends the conversation."""

    text: str
    ends: bool = False


class DemoScript:
    """One conversation's worth of answers."""

    def __init__(self, agent_name: str, guest_name: str | None) -> None:
        """Begin; nothing was said yet."""
        self._agent_name = agent_name
        self._guest_name = guest_name
        self._questions: list[str] = []

    def greet(self, question: str | None) -> Said:
        """Return the first message: greets by name and takes up what the guest asked, if anything."""
        hello = f"Hello {self._guest_name}!" if self._guest_name else "Hello!"
        hello = f"{hello} This is {self._agent_name}."
        if question is None or question.strip().casefold() == TALK_TO_A_PERSON.casefold():
            return Said(f"{hello} How can I help you?")
        if _BYE.search(question):
            return self._goodbye()
        self._questions.append(question)
        return Said(f"{hello} You wrote “{_quote(question)}”. {_advice(question)} What else would you like to know?")

    def answer(self, text: str) -> Said:
        """Answer a later text, in the light of those before it."""
        if _BYE.search(text):
            return self._goodbye()
        earlier = self._questions[-1] if self._questions else None
        self._questions.append(text)
        if earlier is None:
            return Said(f"You ask about “{_quote(text)}”. {_advice(text)}")
        return Said(
            f"About “{_quote(text)}”, your question number {len(self._questions)} after “{_quote(earlier)}”: "
            f"{_advice(text)}"
        )

    def _goodbye(self) -> Said:
        name = f", {self._guest_name}" if self._guest_name else ""
        return Said(f"Thank you for the chat{name}. Goodbye!", ends=True)


def _advice(text: str) -> str:
    for pattern, words in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return words
    return "I have made a note of it and will look into it."


def _quote(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MAX_QUOTE_CHARS else f"{words[: MAX_QUOTE_CHARS - 1]}…"
