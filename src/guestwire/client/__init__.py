"""The async client: `connect` for a whole chat; tokens, sessions and REST for whoever wants one step alone."""

from guestwire.client.chat import AnySession, Chat
from guestwire.client.connecting import KeepSession, connect
from guestwire.client.sessions import check_guest_session, create_guest_session
from guestwire.client.tokens import CallerTokens, TokenBroker, TokenProvider, TokenSource
from guestwire.client.web_messaging import ReadPage
from guestwire.client.web_sessions import read_deployment, read_domains
from guestwire.protocols.web_messaging.rest import AuthorizedGuest, CodeGrant, ImplicitGrant
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.protocols.web_messaging.uploads import AttachmentRejected

__all__ = [
    "AnySession",
    "AttachmentRejected",
    "AuthorizedGuest",
    "CallerTokens",
    "Chat",
    "CodeGrant",
    "ImplicitGrant",
    "KeepSession",
    "ReadPage",
    "TokenBroker",
    "TokenProvider",
    "TokenSource",
    "WebSession",
    "check_guest_session",
    "connect",
    "create_guest_session",
    "read_deployment",
    "read_domains",
]
