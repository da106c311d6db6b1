"""A guest who signs in: one JWT after the other, from the site's grant and then from the refresh token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from guestwire.client.web_sessions import exchange_code, refresh_guest, revoke_guest
from guestwire.errors import AuthError
from guestwire.model.secret import Secret
from guestwire.net.transport import Transport
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.rest import AuthorizedGuest, CodeGrant, ImplicitGrant
from guestwire.settings import ProviderSettings

__all__ = ["GuestSignIn", "KeepGuest", "SignIn"]

SignIn: TypeAlias = CodeGrant | ImplicitGrant | AuthorizedGuest
"""What the site's identity provider gave, or what an earlier chat kept."""

KeepGuest: TypeAlias = Callable[[AuthorizedGuest | None], Awaitable[None]]
"""Called with a guest's JWT and refresh token whenever they change, None when they are good for nothing any more."""


class GuestSignIn:
    """Gets JWTs for one guest; a grant is used once, a JWT that was refused is never given out again."""

    def __init__(
        self, transport: Transport, settings: ProviderSettings, given: SignIn | None, keep: KeepGuest | None
    ) -> None:
        """Take what there is; nothing is sent before the first `jwt`."""
        self._transport = transport
        self._settings = settings
        self._grant = None if isinstance(given, AuthorizedGuest) else given
        self._guest = given if isinstance(given, AuthorizedGuest) else None
        self._keep = keep
        self._given_out: Secret | None = None
        self._is_kept = True

    async def jwt(self, deployment: Deployment | None) -> Secret:
        """Return a JWT that was not given out before.

        Raises:
            AuthError: `sign-in-needed`: there is none to be had; the guest must sign in again.
            ChatError: What `exchange_code` and `refresh_guest` raise.
        """
        if self._guest is None or self._guest.jwt == self._given_out:
            self._guest = await self._renew(deployment)
            self._is_kept = False
        if not self._is_kept and self._keep is not None:
            await self._keep(self._guest)
        self._is_kept = True
        self._given_out = self._guest.jwt
        return self._given_out

    async def exchange(self, grant: SignIn, deployment: Deployment | None) -> Secret:
        """Take another grant and return its JWT; raises what `jwt` does."""
        fresh = GuestSignIn(self._transport, self._settings, grant, self._keep)
        jwt = await fresh.jwt(deployment)
        self._guest, self._given_out = fresh._guest, jwt
        return jwt

    async def revoke(self, deployment: Deployment | None) -> None:
        """Sign the guest out everywhere, and forget everything.

        Raises:
            AuthError: Nobody signed in, or the JWT is old and there is no other.
            ChatError: What `revoke_guest` raises.
        """
        if self._guest is None:
            raise AuthError("Expected a guest who signed in.", code="sign-in-needed")
        try:
            await revoke_guest(self._transport, self._settings, self._guest.jwt, deployment=deployment)
        except AuthError:
            self._given_out = self._guest.jwt
            jwt = await self.jwt(deployment)
            await revoke_guest(self._transport, self._settings, jwt, deployment=deployment)
        await self.forget()

    async def forget(self) -> None:
        """Forget everything: it is good for nothing any more."""
        self._guest = self._grant = None
        if self._keep is not None:
            await self._keep(None)

    async def _renew(self, deployment: Deployment | None) -> AuthorizedGuest:
        refresh_token = None if self._guest is None else self._guest.refresh_token
        try:
            if refresh_token is not None:
                return await refresh_guest(self._transport, self._settings, refresh_token, deployment=deployment)
            if self._grant is not None:
                return await exchange_code(self._transport, self._settings, self._grant, deployment=deployment)
        except AuthError:
            await self.forget()
            raise
        raise AuthError("The guest must sign in: there is nothing to get a JWT with.", code="sign-in-needed")
