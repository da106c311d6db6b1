"""A guest-session provider's session at rest."""

from __future__ import annotations

import pytest

from guestwire.gateway.relay.guest_session_upstream import pack_session, unpack_session
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestSession
from guestwire.testing import FakeClock

SESSION = GuestSession(
    session_id=SessionId("their-session"),
    token=Secret("canary-session-token"),
    external_contact_id="crm",
    socket_base="wss://chat.example/ws",
    expires_in_s=60.0,
    extensions=frozenset({"typing", "end"}),
)


def test_a_packed_session_is_the_same_with_less_time_left() -> None:
    clock = FakeClock(auto_jump=False)
    packed = pack_session(SESSION, clock)
    assert unpack_session(packed, clock) == SESSION
    clock.advance(59)
    left = unpack_session(packed, clock)
    assert left is not None
    assert left.expires_in_s == pytest.approx(1.0)


def test_an_expired_token_is_not_tried() -> None:
    clock = FakeClock(auto_jump=False)
    packed = pack_session(SESSION, clock)
    clock.advance(60)
    assert unpack_session(packed, clock) is None


@pytest.mark.parametrize("packed", [b"", b"x", b"\x80"])
def test_garbage_is_no_session(packed: bytes) -> None:
    assert unpack_session(packed, FakeClock()) is None
