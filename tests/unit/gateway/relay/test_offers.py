"""What a provider's session offers, as a frame, and when it is news."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guestwire.gateway.relay.interface import Offer
from guestwire.gateway.relay.offers import MAX_UPLOAD_BYTES, is_news, session_frame
from guestwire.protocols.web_messaging.uploads import UploadRules

AT = datetime(2026, 5, 4, 9, 12, 31, tzinfo=UTC)
OFFER = Offer(features=frozenset({"attachments"}), uploads=UploadRules(("*/*",), 10**9), expires_at=AT)


def frame(offer: Offer, *, has_ended: bool = False) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(session_frame(offer, has_ended=has_ended))
    return decoded


def test_no_more_than_we_take_ourselves() -> None:
    """Whatever the provider would; rules that nobody knows yet are not there."""
    assert frame(OFFER)["limits"]["attachments"] == {
        "maxBytes": MAX_UPLOAD_BYTES,
        "types": ["*/*"],
        "blockedExtensions": [],
    }
    assert frame(replace(OFFER, uploads=UploadRules()))["limits"] == {"maxTextBytes": 4096}
    assert frame(replace(OFFER, features=frozenset()))["limits"] == {"maxTextBytes": 4096}


def test_what_is_not_known_is_not_there() -> None:
    """An empty offer still says that a new conversation can be begun here."""
    nothing = {"type": "session", "features": ["start-new"], "limits": {"maxTextBytes": 4096}, "readOnly": False}
    assert frame(Offer()) == nothing
    assert frame(Offer(), has_ended=True)["readOnly"] is True
    assert frame(Offer(read_only=True))["readOnly"] is True
    assert frame(Offer(bot_name="Otto"))["bot"] == {"name": "Otto"}


@pytest.mark.parametrize(
    "seconds, is_told", [(0, False), (60, False), (60.5, True), (-1, False), (-1.5, True), (None, True)]
)
def test_when_the_end_of_the_session_is_news(seconds: float | None, is_told: bool) -> None:
    """It moves with every message."""
    later = None if seconds is None else AT + timedelta(seconds=seconds)
    assert is_news(replace(OFFER, expires_at=later), OFFER) is is_told


def test_everything_else_is_news() -> None:
    """And what nobody was told."""
    assert is_news(OFFER, None)
    assert not is_news(OFFER, OFFER)
    assert not is_news(replace(OFFER), OFFER)
    assert is_news(OFFER, replace(OFFER, expires_at=None))
    for change in ({"read_only": True}, {"colour": "#000"}, {"bot_name": "x"}, {"features": frozenset({"clear"})}):
        assert is_news(replace(OFFER, **change), OFFER)
