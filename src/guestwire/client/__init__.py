"""The async client: `connect` for a whole chat; tokens, sessions and REST for whoever wants one step alone."""

from guestwire.client.chat import AnySession, Chat
from guestwire.client.connecting import KeepSession, connect
from guestwire.client.sessions import check_guest_session, create_guest_session
from guestwire.client.tokens import CallerTokens, TokenBroker, TokenProvider, TokenSource
from guestwire.client.web_messaging import ReadPage
from guestwire.client.web_sessions import read_deployment, read_domains

__all__ = [
    "AnySession",
    "CallerTokens",
    "Chat",
    "KeepSession",
    "ReadPage",
    "TokenBroker",
    "TokenProvider",
    "TokenSource",
    "check_guest_session",
    "connect",
    "create_guest_session",
    "read_deployment",
    "read_domains",
]
