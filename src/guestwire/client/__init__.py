"""The async client: `connect` for a whole chat; tokens and sessions for whoever wants one step alone."""

from guestwire.client.chat import Chat, connect
from guestwire.client.sessions import check_guest_session, create_guest_session
from guestwire.client.tokens import CallerTokens, TokenBroker, TokenProvider, TokenSource

__all__ = [
    "CallerTokens",
    "Chat",
    "TokenBroker",
    "TokenProvider",
    "TokenSource",
    "check_guest_session",
    "connect",
    "create_guest_session",
]
