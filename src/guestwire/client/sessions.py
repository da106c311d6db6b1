"""The second step alone: create a guest session, ask whether one is still good, and read what was said in it."""

from __future__ import annotations

from guestwire.client.tokens import TokenSource
from guestwire.errors import SessionRefused
from guestwire.model.secret import Secret
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.history import (
    MAX_HISTORY_LIMIT,
    HistoryPage,
    history_request,
    parse_history_answer,
)
from guestwire.protocols.guest_session.rest import (
    SessionCheck,
    check_session_request,
    create_session_request,
    parse_check_answer,
    parse_session_answer,
    parse_session_request,
)
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession
from guestwire.settings import ProviderSettings

__all__ = [
    "HistoryPage",
    "check_details",
    "check_guest_session",
    "create_guest_session",
    "read_history",
    "socket_base",
]


async def create_guest_session(
    transport: Transport, tokens: TokenSource, settings: ProviderSettings, details: GuestDetails
) -> GuestSession:
    """Create a guest session with an access token of `tokens`; after a 401 once more with a new token.

    Raises:
        SessionRefused: 401 twice; code `scope-missing` when the provider says that it is the scope.
        RateLimited: 429.
        ChatError: What `TokenSource.access_token` and `Transport.send` raise.

    Source: guest-session §3 [T].
    """
    token = await tokens.access_token()
    try:
        return await _create(transport, settings, token, details)
    except SessionRefused:
        tokens.invalidate(token)
    return await _create(transport, settings, await tokens.access_token(), details)


def socket_base(session: GuestSession, settings: ProviderSettings) -> str:
    """Return where to connect, without a query: the operator's word before the provider's, that before the region's."""
    return settings.socket_url or session.socket_base or settings.resolved_socket_url


async def check_guest_session(transport: Transport, settings: ProviderSettings, session: GuestSession) -> SessionCheck:
    """Return what the provider says of `session` while it is still good.

    Raises:
        SessionExpired: It is not, or the provider doesn't know it.
        RateLimited: 429.
        ChatError: What `Transport.send` raises.

    Source: guest-session §3 [D].
    """
    return parse_check_answer(await transport.send(check_session_request(settings.resolved_base_url, session)), session)


async def read_history(
    transport: Transport,
    settings: ProviderSettings,
    session: GuestSession,
    *,
    after: str | None,
    limit: int = MAX_HISTORY_LIMIT,
) -> HistoryPage:
    """Return messages of `session` in the provider's order; only for a session whose extensions name `history`.

    A message may come to the history later than to the socket, and then before the place where a reader was.

    Args:
        transport: The network.
        settings: The provider.
        session: Whose messages.
        after: The provider's id of a message; those behind it are read. None: from the first.
        limit: 1 to 100; a page may hold fewer though there are more.

    Raises:
        SessionExpired: The session is not good any more, or the provider doesn't know it.
        RateLimited: 429.
        ChatError: What `Transport.send` raises.

    Source: topics/protocol.md, "Echo and history" [D].
    """
    request = history_request(settings.resolved_base_url, session, after=after, limit=limit)
    return parse_history_answer(await transport.send(request))


def check_details(details: GuestDetails) -> None:
    """Find before any I/O what a provider would answer with 400.

    Raises:
        BadSessionRequest: The message names the member.
    """
    parse_session_request(create_session_request("", Secret(""), details).body)


async def _create(
    transport: Transport, settings: ProviderSettings, token: Secret, details: GuestDetails
) -> GuestSession:
    request = create_session_request(settings.resolved_base_url, token, details)
    return parse_session_answer(await transport.send(request))
