"""Messages that agents send with one click: quick replies and a card."""

from __future__ import annotations

from dataclasses import dataclass

from guestwire.model.content import Card, CardAction, ContentItem, card, quick_reply

__all__ = ["TEMPLATES", "Template"]


@dataclass(frozen=True, slots=True)
class Template:
    """One of them; `title` is for the agent, `text` for a guest whose page can't draw the content."""

    name: str
    title: str
    text: str
    content: tuple[ContentItem, ...] = ()


TEMPLATES = (
    Template(
        "solved",
        "Was that all?",
        "Have I answered your question?",
        (quick_reply("Yes, thank you"), quick_reply("No, there is more")),
    ),
    Template(
        "topic",
        "Which topic?",
        "What is it about?",
        (quick_reply("An order"), quick_reply("An invoice"), quick_reply("Something else")),
    ),
    Template(
        "parcel",
        "Card: a parcel",
        "Your parcel is on its way. It arrives tomorrow between 10:00 and 12:00.",
        (
            card(
                Card(
                    title="Your parcel",
                    description="It arrives tomorrow between 10:00 and 12:00.",
                    actions=(
                        CardAction(type="Link", text="Track it", url="https://example.com/parcels/4711"),
                        CardAction(type="Postback", text="Deliver on another day", payload="Deliver on another day"),
                    ),
                )
            ),
        ),
    ),
)
