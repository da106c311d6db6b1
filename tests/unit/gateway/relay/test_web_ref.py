"""A Web Messaging session and a sign-in at rest."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from guestwire.gateway.relay.web_ref import NOBODY, WebRef, pack_guest, unpack_guest, unpack_ref
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.rest import AuthorizedGuest
from guestwire.protocols.web_messaging.session import WebSession

SESSION = WebSession(Secret("canary-token"), "5f0c2a9e-6d1b-4f0e-9a77-0c1f2f3a4b5c", is_authenticated=True)
GUEST = AuthorizedGuest(Secret("canary-jwt"), Secret("canary-refresh"))


@pytest.mark.parametrize("starts_new", [False, True])
def test_a_packed_session_is_the_same(*, starts_new: bool) -> None:
    ref = unpack_ref(WebRef.of(SESSION, starts_new=starts_new).pack())
    assert ref is not None
    assert (ref.session, ref.starts_new, ref.has_left) == (SESSION, starts_new, False)
    assert "canary" not in repr(ref)


@pytest.mark.parametrize("guest", [GUEST, replace(GUEST, refresh_token=None)])
def test_a_packed_sign_in_is_the_same(guest: AuthorizedGuest) -> None:
    assert unpack_guest(pack_guest(guest)) == guest


@pytest.mark.parametrize("packed", [b"", b"x", b"\x80", msgspec.msgpack.encode([1])])
def test_garbage_is_nothing(packed: bytes) -> None:
    assert unpack_ref(packed) is None
    assert unpack_guest(packed) is None


def test_a_guest_whose_sign_in_is_over_is_not_an_unknown_one() -> None:
    assert unpack_guest(NOBODY) is None
    assert NOBODY
