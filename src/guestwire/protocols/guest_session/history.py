"""A session's earlier messages over REST: the request built, the answer read, on both sides.

A provider that has it says `history` when the session is created. Messages come in the provider's order (its time,
then the id), so the id of the last one is where to go on; what the provider shows late may come before that place, so
a careful reader asks again from a little earlier.

Source: topics/protocol.md, "Echo and history" [D]; no part of the tutorial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import msgspec

from guestwire.errors import RemoteProtocolError, SessionExpired
from guestwire.model.events import Message
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.wire_text import repaired_json
from guestwire.protocols.guest_session.rest import SESSIONS_PATH, BadSessionRequest, raise_for_trouble
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.protocols.guest_session.wire import BotMessageFrame, MessageFrame, decode_outbound, to_event

__all__ = [
    "MAX_HISTORY_LIMIT",
    "MAX_PAGE_BYTES",
    "HistoryAnswer",
    "HistoryPage",
    "HistoryQuery",
    "history_page",
    "history_request",
    "parse_history_answer",
    "parse_history_query",
]

MAX_HISTORY_LIMIT = 100
"""Messages of one page at most, and unless told."""

MAX_PAGE_BYTES = 524_288
"""A page that would be longer is cut short and says that there is more: clients read answers up to a megabyte."""

MAX_ID_CHARS = 256


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What is asked for: at most `limit` messages after the one of id `after`; None means from the first."""

    after: str | None = None
    limit: int = MAX_HISTORY_LIMIT


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of a session's messages, in the provider's order; each has its id.

    Attributes:
        messages: Empty when there are none after the place asked for.
        has_more: Whether to ask again after the last of them; False without any.
    """

    messages: tuple[Message, ...] = ()
    has_more: bool = False


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Body of the answer."""

    messages: list[MessageFrame | BotMessageFrame]
    has_more: bool


class _RawAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    messages: list[msgspec.Raw]
    has_more: bool = False


def history_request(base_url: str, session: GuestSession, *, after: str | None, limit: int) -> HttpRequest:
    """Build the request for a page of the history."""
    query = urlencode({**({} if after is None else {"after": after}), "limit": limit}, quote_via=quote)
    return HttpRequest(
        "GET",
        f"{base_url}{SESSIONS_PATH}/{quote(session.session_id, safe='')}/messages?{query}",
        {"authorization": f"Bearer {session.token.reveal()}"},
    )


def parse_history_answer(answer: HttpAnswer) -> HistoryPage:
    """Read the answer to `history_request`; what is no message, or has no id, is left out.

    Raises:
        SessionExpired: 401.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else; also 404, as only a provider that has a history is asked.
    """
    raise_for_trouble(answer, "The history")
    if answer.status == 401:
        raise SessionExpired
    if not answer.is_success:
        raise RemoteProtocolError(f"Expected 200 or 401 from the history, got {answer.status}.")
    try:
        body = msgspec.json.decode(repaired_json(answer.body.decode()), type=_RawAnswer)
        texts = [bytes(raw).decode() for raw in body.messages]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # What people wrote is not quoted.
        raise RemoteProtocolError("Expected messages and hasMore from the history, got another body.") from None
    events = [to_event(decode_outbound(text)) for text in texts]
    messages = tuple(event for event in events if isinstance(event, Message) and event.id)
    return HistoryPage(messages, has_more=body.has_more and bool(messages))


def parse_history_query(query: Mapping[str, str]) -> HistoryQuery:
    """Read what is asked for, on the server's side.

    Raises:
        BadSessionRequest: The limit is no whole number from 1 to 100, or the id is longer than 256 characters.
    """
    limit, after = query.get("limit", str(MAX_HISTORY_LIMIT)), query.get("after") or None
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= MAX_HISTORY_LIMIT):
        raise BadSessionRequest(f"Expected a limit from 1 to {MAX_HISTORY_LIMIT}.")
    if after is not None and len(after) > MAX_ID_CHARS:
        raise BadSessionRequest(f"after is longer than {MAX_ID_CHARS} characters.")
    return HistoryQuery(after, int(limit))


def history_page(frames: list[MessageFrame | BotMessageFrame], *, limit: int) -> HistoryAnswer:
    """Return the page that begins with the first of `frames`, on the server's side."""
    page: list[MessageFrame | BotMessageFrame] = []
    size = 0
    for frame in frames[:limit]:
        size += len(msgspec.json.encode(frame))
        if page and size > MAX_PAGE_BYTES:
            break
        page.append(frame)
    return HistoryAnswer(messages=page, has_more=len(page) < len(frames))
