"""One JWT after the other, for a guest who signs in."""

from __future__ import annotations

import pytest

from guestwire.client.sign_in import GuestSignIn, SignIn
from guestwire.errors import AuthError, ConnectFailed, LogUnavailable
from guestwire.model.http import HttpAnswer
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.rest import (
    EXCHANGE_PATH,
    REFRESH_PATH,
    REVOKE_PATH,
    AuthorizedGuest,
    CodeGrant,
    ImplicitGrant,
)
from tests.unit.client.web_world import SETTINGS, WebProvider

GRANT = CodeGrant(Secret("code"), "https://site.test/back")
GUEST = AuthorizedGuest(Secret("user-1"), Secret("refresh-1"))


class World:
    def __init__(self, given: SignIn | None) -> None:
        self.provider = WebProvider()
        self.kept: list[AuthorizedGuest | None] = []
        self.fails: list[LogUnavailable] = []
        self.guest = GuestSignIn(self.provider.network, SETTINGS, given, self.keep)

    async def keep(self, guest: AuthorizedGuest | None) -> None:
        if self.fails:
            raise self.fails.pop()
        self.kept.append(guest)

    async def jwt(self) -> str:
        return (await self.guest.jwt(None)).reveal()

    def asked(self) -> list[str]:
        return [call.url.rpartition("/")[2] for call in self.provider.calls]


async def test_a_grant_then_the_refresh_token() -> None:
    """No JWT is given out twice: who asks again was refused with the last one."""
    world = World(GRANT)
    assert [await world.jwt(), await world.jwt()] == ["user-1", "user-2"]
    assert world.asked() == ["oauthcodegrantjwtexchange", "refresh"]
    assert world.kept == [GUEST, AuthorizedGuest(Secret("user-2"), Secret("refresh-1"))]


async def test_what_was_kept_goes_on() -> None:
    world = World(GUEST)
    assert await world.jwt() == "user-1"
    assert world.asked() == []
    assert world.kept == []


async def test_what_could_not_be_kept_is_kept_before_it_is_used() -> None:
    """The code is spent, so what it brought must not get lost."""
    world = World(GRANT)
    world.fails = [LogUnavailable()]
    with pytest.raises(LogUnavailable):
        await world.jwt()
    assert await world.jwt() == "user-1"
    assert world.asked() == ["oauthcodegrantjwtexchange"]
    assert world.kept == [GUEST]


async def test_a_provider_that_is_down_spends_no_code() -> None:
    world = World(GRANT)
    world.provider.answers[EXCHANGE_PATH] = [HttpAnswer(503)]
    with pytest.raises(ConnectFailed):
        await world.jwt()
    del world.provider.answers[EXCHANGE_PATH]
    assert await world.jwt() == "user-1"


async def test_a_refused_refresh_token_is_forgotten() -> None:
    world = World(GUEST)
    await world.jwt()
    world.provider.answers[REFRESH_PATH] = [HttpAnswer(401)]
    with pytest.raises(AuthError):
        await world.jwt()
    assert world.kept == [None]
    with pytest.raises(AuthError) as caught:
        await world.jwt()
    assert caught.value.code == "sign-in-needed"
    assert len(world.asked()) == 1


async def test_an_implicit_grant_has_nothing_to_refresh_with() -> None:
    world = World(ImplicitGrant(Secret("id"), "nonce"))
    world.provider.answers[EXCHANGE_PATH] = [HttpAnswer(200, {}, b'{"jwt":"user-1"}')]
    assert await world.jwt() == "user-1"
    with pytest.raises(AuthError):
        await world.jwt()


async def test_signing_out_renews_an_old_jwt_first() -> None:
    world = World(GUEST)
    await world.jwt()
    world.provider.good_jwts = {"user-2"}
    await world.guest.revoke(None)
    assert world.asked() == ["revoke", "refresh", "revoke"]
    assert world.kept[-1] is None
    with pytest.raises(AuthError):
        await world.guest.revoke(None)


async def test_a_sign_out_that_fails_forgets_nothing() -> None:
    world = World(GUEST)
    world.provider.answers[REVOKE_PATH] = [HttpAnswer(500)]
    with pytest.raises(ConnectFailed):
        await world.guest.revoke(None)
    assert world.kept == []
    assert await world.jwt() == "user-1"
