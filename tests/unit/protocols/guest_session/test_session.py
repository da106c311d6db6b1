"""The address of a guest's socket."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestSession, socket_url

BASE = "wss://chat.mypurecloud.com/ws"
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1)


def test_exactly_session_id_and_token_in_this_order() -> None:
    """Guest-session §1 [T]; characters that the tutorial may concatenate are not touched."""
    session = GuestSession(session_id=SessionId("aZ09-._~"), token=Secret("e30.e30.-_~"))
    assert socket_url(session, BASE) == f"{BASE}?sessionId=aZ09-._~&token=e30.e30.-_~"


@given(TEXTS, TEXTS)
def test_odd_characters_are_escaped(session_id: str, token: str) -> None:
    """Both come back as they were, and nothing else is in the query [D]."""
    url = socket_url(GuestSession(session_id=SessionId(session_id), token=Secret(token)), BASE)
    assert parse_qsl(urlsplit(url).query, strict_parsing=True) == [("sessionId", session_id), ("token", token)]
    assert re.fullmatch(r"[!-~]+", url)


def test_no_token_in_a_repr() -> None:
    """A session may be logged, its token not."""
    assert "s3cr3t" not in repr(GuestSession(session_id=SessionId("s"), token=Secret("s3cr3t")))
