"""Access tokens: one broker that gets, keeps and renews them, or a function of the caller's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from guestwire.errors import AuthError, ChatError, RateLimited, RemoteProtocolError, TransportError
from guestwire.model.secret import Secret
from guestwire.net.clock import Clock, SystemClock
from guestwire.net.transport import Transport
from guestwire.protocols.oauth.client import AccessToken, CredentialsIn, parse_token_answer, token_request
from guestwire.settings import ProviderSettings

__all__ = ["FAILED_S", "CallerTokens", "TokenBroker", "TokenProvider", "TokenSource"]

REFRESH_AT = 0.8
"""Share of its life after which a token is renewed (reliability T-30): a fifth is left for a provider in trouble."""

ASK_AGAIN_S = 5.0
"""After a failed renewal the old token serves this long, while it is valid, before the next try."""

FAILED_S = 0.5
"""So long a failure to reach the provider is everybody's: hundreds of chats that come back ask it once, not each."""

TokenProvider: TypeAlias = Callable[[], Awaitable[str | Secret]]
"""A function of the caller's own that returns an access token, e.g. from the vendor's SDK (guest-session §2 [T])."""


class TokenSource(Protocol):
    """Where access tokens come from."""

    async def access_token(self) -> Secret:
        """Return a token that is good as far as we know.

        Raises:
            ChatError: There is none; `AuthError` when the client was refused.
        """

    def invalidate(self, token: Secret) -> None:
        """Take note that the provider answered 401 to `token`: it is not returned again."""


class TokenBroker:
    """Gets an access token with client credentials and keeps it until it is due for renewal.

    Many may ask at once: one request is in flight, and all get its answer, good or bad. A caller that is cancelled
    cancels nobody else. The secret is read from the settings for each request, so a rotated secret file is noticed.
    """

    def __init__(self, transport: Transport, settings: ProviderSettings, *, clock: Clock | None = None) -> None:
        """Start without a token; nothing is sent before the first `access_token`."""
        self._transport = transport
        self._settings = settings
        self._clock = clock or SystemClock()
        self._token: AccessToken | None = None
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._flight: asyncio.Future[Secret] | None = None
        self._failure: tuple[ChatError, float] | None = None

    async def access_token(self) -> Secret:
        """Return the token in hand, or get one.

        Raises:
            ConfigError: No client id or secret is set.
            OAuthRefused: The provider refused them, or the scope.
            RateLimited: It is asked too often.
            TransportError: It can't be reached.
            RemoteProtocolError: It answered something else.
        """
        while True:
            if self._token is not None and self._clock.now() < self._renew_at:
                return self._token.value
            flight = self._flight
            if flight is None:
                if self._failure is not None and self._clock.now() < self._failure[1]:
                    raise self._failure[0].with_traceback(None)
                return await self._lead()
            await asyncio.wait({flight})
            if not flight.cancelled():
                return flight.result()
            # Whoever sent the request was cancelled; the next one in line sends it again.

    def invalidate(self, token: Secret) -> None:
        """Forget `token`; does nothing when another one has taken its place, so a burst of 401s costs one request."""
        if self._token is not None and self._token.value == token:
            self._token = None

    async def _lead(self) -> Secret:
        flight = self._flight = asyncio.get_running_loop().create_future()
        try:
            value = await self._renew()
        except ChatError as error:
            if isinstance(error, TransportError):
                self._failure = error, self._clock.now() + FAILED_S
            flight.set_exception(error)
            flight.exception()  # marked as seen: perhaps nobody else waits
            raise
        except BaseException:
            flight.cancel()
            raise
        else:
            flight.set_result(value)
            return value
        finally:
            self._flight = None

    async def _renew(self) -> Secret:
        asked_at = self._clock.now()
        try:
            token = await self._fetch()
        except (TransportError, RateLimited, RemoteProtocolError):
            # Kept since before the request, so a 401 that came meanwhile still counts.
            if self._token is not None and self._clock.now() < self._expires_at:
                self._renew_at = self._clock.now() + ASK_AGAIN_S
                return self._token.value
            raise
        self._failure = None
        self._token = token
        self._renew_at = asked_at + token.expires_in_s * REFRESH_AT
        self._expires_at = asked_at + token.expires_in_s
        return token.value

    async def _fetch(self) -> AccessToken:
        if self._settings.client_secret_file is None:
            client_id, client_secret = self._settings.credentials()
        else:
            client_id, client_secret = await asyncio.to_thread(self._settings.credentials)
        request = token_request(
            self._settings.resolved_oauth_url,
            client_id,
            client_secret,
            credentials_in=CredentialsIn(self._settings.credentials_in),
        )
        return parse_token_answer(await self._transport.send(request))


class CallerTokens:
    """Access tokens of a caller's own function; how long they live and whether they are kept is its affair."""

    def __init__(self, provider: TokenProvider) -> None:
        """Take the function; it is called for every session, and once more after a 401."""
        self._provider = provider

    async def access_token(self) -> Secret:
        """Call the function.

        Raises:
            AuthError: It raised something that is no `ChatError`; that is the `__cause__`.
        """
        try:
            token = await self._provider()
        except ChatError:
            raise
        except Exception as error:
            raise AuthError(f"The token provider raised {type(error).__name__}.") from error
        return token if isinstance(token, Secret) else Secret(token)

    def invalidate(self, token: Secret) -> None:
        """Do nothing: the function is called again anyway."""
