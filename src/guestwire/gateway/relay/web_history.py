"""Web Messaging's history, which comes in pages by number, newest first, as what was said behind a place.

While pages are read more may be said, which moves what is on one page to the next: so a message may be met twice, and
none is missed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeGuard

from guestwire.client.web_messaging import ReadPage
from guestwire.gateway.relay.history import Said
from guestwire.model.events import ConversationStatus, ConversationUpdated, Message

__all__ = ["SaidBehind", "read_behind"]

MOST_PAGES = 100
"""10,000 messages; a conversation that is longer is not read again from its beginning."""


@dataclass(frozen=True, slots=True)
class SaidBehind:
    """All that was said behind a place, in the provider's order (a `history.Page`)."""

    messages: tuple[Said, ...]
    has_more: bool = False


async def read_behind(place: str | None, read: Callable[[int], Awaitable[ReadPage]]) -> SaidBehind:
    """Return what was said after the message of that id; None, and one that is not kept any more, is the beginning.

    Args:
        place: An id of the provider's.
        read: Reads a page, 1 being the newest.
    """
    newest_first: dict[str, Said] = {}
    for number in range(1, MOST_PAGES + 1):
        page = await read(number)
        for event in reversed(page.events):
            if not _is_said(event) or event.id is None:
                continue
            if event.id == place:
                return SaidBehind(tuple(reversed(newest_first.values())))
            newest_first.setdefault(event.id, event)
        if not page.has_more:
            break
    return SaidBehind(tuple(reversed(newest_first.values())))


def _is_said(event: object) -> TypeGuard[Said]:
    """Return whether it belongs to the transcript: what somebody said, or the end of a conversation."""
    match event:
        case Message():
            return True
        case ConversationUpdated():
            return event.status is ConversationStatus.ENDED
        case _:
            return False
