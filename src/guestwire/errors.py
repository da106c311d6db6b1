"""Every error of Guestwire: the tree of exceptions and the one table of error codes.

The tree says what a caller can do; the table says what each stable code means to a person, to HTTP, to a WebSocket and
to a retry loop. Python, the browser code (generated from it), the docs and the tests all read the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "ERRORS",
    "AuthError",
    "ChatError",
    "ConfigError",
    "ConnectFailed",
    "ConnectionClosed",
    "ConnectionLost",
    "ConversationEnded",
    "ErrorInfo",
    "LocalProtocolError",
    "LogConflict",
    "LogUnavailable",
    "MessageRejected",
    "NotWritten",
    "OAuthRefused",
    "OutboxFull",
    "ProtocolError",
    "RateLimited",
    "RemoteProtocolError",
    "ResumeGap",
    "Retry",
    "SessionExists",
    "SessionExpired",
    "SessionGone",
    "SessionRefused",
    "TimedOut",
    "TransportError",
]


class Retry(StrEnum):
    """Whether trying again can help, and what to change first."""

    NEVER = "never"
    LATER = "later"
    NEW_SESSION = "new-session"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What one error code means, wherever it shows up.

    Attributes:
        summary: What happened, one sentence for a person.
        hint: The next step, one sentence.
        retry: Whether an automatic retry makes sense.
        http_status: The status our HTTP API answers with, where the code can occur there.
        close_code: The WebSocket close code that means it, where there is one (guest-session §4.4).
    """

    summary: str
    hint: str
    retry: Retry = Retry.NEVER
    http_status: int | None = None
    close_code: int | None = None


# Order: configuration, credentials, session and socket, transport, limits, messages, the HTTP API of the gateway.
ERRORS: dict[str, ErrorInfo] = {
    "bad-settings": ErrorInfo(
        "A setting is missing or wrong.",
        "Run `guestwire serve --print-config` to see every setting and where it comes from.",
    ),
    "port-in-use": ErrorInfo(
        "The port is taken by another program.",
        "Stop that program, or choose another port with --port.",
    ),
    "oauth-refused": ErrorInfo(
        "The provider refused the client id or the secret.",
        "Check GUESTWIRE_CLIENT_ID and GUESTWIRE_CLIENT_SECRET against the OAuth client in Genesys Cloud Admin.",
    ),
    "scope-missing": ErrorInfo(
        "The OAuth client lacks the scope chat:guest:create.",
        "Add chat:guest:create to the OAuth client's scopes in Genesys Cloud Admin, then try again.",
    ),
    "session-refused": ErrorInfo(
        "The provider refused to create a guest session (401).",
        "The access token is expired, invalid or lacks chat:guest:create: check the OAuth client and its scopes.",
    ),
    "bad-request": ErrorInfo(
        "The request was not understood.",
        "Correct what the message names and send it again.",
        http_status=400,
    ),
    "socket-refused": ErrorInfo(
        "The chat server refused the connection (403).",
        "Use the token from the session-creation answer, not the OAuth access token; a new session is tried once.",
        Retry.NEW_SESSION,
        http_status=403,
    ),
    "session-expired": ErrorInfo(
        "The session has expired or its token is not valid.",
        "Start a new chat.",
        Retry.NEW_SESSION,
        http_status=401,
        close_code=4401,
    ),
    "not-found": ErrorInfo("There is nothing at this address.", "Check the path of the request.", http_status=404),
    "method-not-allowed": ErrorInfo(
        "This address does not take that method.", "See the Allow header.", http_status=405
    ),
    "unreachable": ErrorInfo(
        "The chat server can't be reached.",
        "Check the network and the address; it is tried again by itself.",
        Retry.LATER,
    ),
    "blocked-or-unreachable": ErrorInfo(
        "The chat server is blocked (CORS) or unreachable.",
        "Add this page's origin to the gateway's allowed_origins, or check that the gateway runs.",
        Retry.LATER,
    ),
    "tls-failed": ErrorInfo(
        "The secure connection failed: the server's certificate could not be verified.",
        "Check the host name and the certificate; name a private authority's certificate in ca_file.",
    ),
    "timed-out": ErrorInfo("The chat server did not answer in time.", "It is tried again by itself.", Retry.LATER),
    "connection-lost": ErrorInfo("The connection to the chat was lost.", "It is opened again by itself.", Retry.LATER),
    "closed": ErrorInfo("The connection is closed.", "Open a new one.", Retry.LATER),
    "redirected": ErrorInfo(
        "The server answered with a redirect, which is never followed.",
        "Set the final address in base_url, oauth_url or socket_url.",
    ),
    "bad-answer": ErrorInfo(
        "The server's answer was not understood.",
        "Check that base_url is the address of the provider's API.",
    ),
    "bad-frame": ErrorInfo(
        "A frame was not understood.",
        "Report this as a bug, with the frame's type.",
        close_code=4400,
    ),
    "frame-too-big": ErrorInfo("A frame was too big.", "Send a shorter message.", close_code=4413),
    "local-protocol": ErrorInfo("That can't be done now.", "See the message for what is expected first."),
    "conversation-ended": ErrorInfo(
        "The conversation has ended.", "Start a new chat.", http_status=409, close_code=4499
    ),
    "hello-timeout": ErrorInfo("No hello came in time.", "It is opened again by itself.", Retry.LATER, close_code=4408),
    "moved": ErrorInfo("The gateway asks to reconnect.", "It is done by itself.", Retry.LATER, close_code=4409),
    "position-lost": ErrorInfo(
        "The position in the chat was lost.", "The transcript is loaded again.", Retry.LATER, close_code=4410
    ),
    "too-slow": ErrorInfo(
        "The connection was too slow to keep up.", "It is opened again by itself.", Retry.LATER, close_code=4411
    ),
    "too-many-tabs": ErrorInfo(
        "The chat is open in too many tabs.", "Close some of them and use this one again.", close_code=4412
    ),
    "origin-not-allowed": ErrorInfo(
        "This web site may not use the chat.",
        "Add the page's origin to the gateway's allowed_origins.",
        http_status=403,
        close_code=4403,
    ),
    "rate-limited": ErrorInfo(
        "Too many requests in a short time.",
        "Wait for the time given, then go on.",
        Retry.LATER,
        http_status=429,
        close_code=4429,
    ),
    "message-too-long": ErrorInfo(
        "The message is longer than 4,096 bytes.", "Shorten it or send it in parts.", http_status=413
    ),
    "message-blank": ErrorInfo("The message is blank.", "Write something first.", http_status=400),
    "conflict": ErrorInfo(
        "That id was used before with other content.", "Use a new id for new content.", http_status=409
    ),
    "too-many-waiting": ErrorInfo(
        "Too many messages wait to be sent.", "Wait until the others are delivered.", Retry.LATER, http_status=429
    ),
    "log-unavailable": ErrorInfo(
        "The chat server can't store anything now.",
        "It is tried again by itself; the operator must look at the disk of the session log.",
        Retry.LATER,
        http_status=503,
        close_code=1013,
    ),
    "busy": ErrorInfo("The chat server is busy.", "It is tried again by itself.", Retry.LATER, http_status=503),
    "deployment-unknown": ErrorInfo(
        "There is no such messaging deployment in this region.",
        "The operator must check deployment_id and region against the deployment's page in Genesys Cloud Admin.",
        http_status=502,
    ),
    "deployment-inactive": ErrorInfo(
        "The messaging deployment is switched off.",
        "The operator must set its status to Active in Genesys Cloud Admin.",
        http_status=502,
    ),
    "deployment-refused": ErrorInfo(
        "The provider refused the connection to the messaging deployment (403).",
        "The operator must check the deployment's id, region, status and allowed domains in Genesys Cloud Admin.",
        http_status=502,
    ),
    "domain-not-allowed": ErrorInfo(
        "The messaging deployment does not allow this web site.",
        "The operator must add the site's domain to the deployment's allowed domains in Genesys Cloud Admin.",
        http_status=403,
    ),
    "refused-by-deployment": ErrorInfo(
        "The messaging deployment does not allow that.",
        "The operator can allow it in the deployment's configuration.",
        http_status=403,
    ),
    "read-only": ErrorInfo(
        "The conversation has ended and takes no more messages.", "Start a new conversation.", http_status=409
    ),
    "session-cleared": ErrorInfo("The conversation was cleared.", "Start a new chat."),
    "connection-replaced": ErrorInfo(
        "The chat was opened in too many places.", "Close it elsewhere, then use it here again."
    ),
    "signed-in-elsewhere": ErrorInfo("You signed in to the chat on another device.", "Sign in here to go on here."),
    "signed-out": ErrorInfo("You were signed out of the chat.", "Sign in again, or start a new chat."),
    "sign-in-needed": ErrorInfo("The chat needs you to sign in.", "Sign in again.", http_status=401),
    "identity-refused": ErrorInfo(
        "The site's word for who you are was not accepted.",
        "The site must send a new identity token; its operator finds the reason in the gateway's log.",
        http_status=401,
    ),
    "attributes-too-large": ErrorInfo(
        "The custom attributes are larger than the provider allows.", "Send fewer or shorter ones.", http_status=413
    ),
    "attachments-off": ErrorInfo("This chat takes no files.", "Describe it in words.", http_status=403),
    "attachment-type": ErrorInfo(
        "Files of this type are not allowed.", "Choose a file of another type.", http_status=415
    ),
    "attachment-too-large": ErrorInfo("The file is too large.", "Choose a smaller file.", http_status=413),
    "attachment-empty": ErrorInfo("The file is empty.", "Choose another file.", http_status=400),
    "attachment-invalid": ErrorInfo(
        "The file's content is not valid.", "Check the file, or choose another one.", http_status=400
    ),
    "attachment-name": ErrorInfo(
        "The file's name is not allowed.", "Rename the file, with an extension.", http_status=400
    ),
    "attachment-expired": ErrorInfo("The file is no longer kept.", "Attach it again.", http_status=410),
    "attachment-unknown": ErrorInfo("There is no such file.", "Attach it again.", http_status=404),
    "attachment-not-uploaded": ErrorInfo("The file was not uploaded completely.", "Attach it again.", http_status=400),
    "attachment-failed": ErrorInfo("The file could not be uploaded.", "Try again.", http_status=502),
    "provider-error": ErrorInfo("The provider reported an error.", "Try again; if it stays, tell the operator."),
    "too-large": ErrorInfo("The request is too large.", "Send less at once.", http_status=413),
    "unsupported-media-type": ErrorInfo(
        "The body must be JSON.", "Send Content-Type: application/json.", http_status=415
    ),
    "upstream-auth-failed": ErrorInfo(
        "The chat server could not sign in at the provider.",
        "The operator must check the OAuth client id and secret of the gateway.",
        http_status=502,
    ),
    "upstream-scope-missing": ErrorInfo(
        "The chat server's OAuth client lacks the scope chat:guest:create.",
        "The operator must add chat:guest:create to the OAuth client.",
        http_status=502,
    ),
    "upstream-invalid": ErrorInfo(
        "The provider's answer was not understood.",
        "The operator must check the provider's address and the gateway's log.",
        http_status=502,
    ),
    "upstream-busy": ErrorInfo("The provider is busy.", "It is tried again by itself.", Retry.LATER, http_status=503),
    "upstream-unreachable": ErrorInfo(
        "The chat server can't reach the provider.", "It is tried again by itself.", Retry.LATER, http_status=503
    ),
    "internal": ErrorInfo(
        "Something went wrong in the server.",
        "Try again; the operator finds the contextId of the answer in the log.",
        Retry.LATER,
        http_status=500,
        close_code=1011,
    ),
}


class ChatError(Exception):
    """Base of every error that Guestwire raises on purpose.

    Attributes:
        code: Stable kebab-case code, a key of `ERRORS`.
        retry: Whether trying again can help.
        retry_after_s: Seconds to wait before a retry, where the other side named them.
        hint: The next step for a person.
    """

    default_code = "internal"

    def __init__(
        self, message: str | None = None, *, code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        """Make the error; `message` defaults to the code's own summary."""
        self.code = code or self.default_code
        info = ERRORS[self.code]
        self.retry = info.retry
        self.retry_after_s = retry_after_s
        self.hint = info.hint
        self.message = message or info.summary
        super().__init__(self.message)


class ConfigError(ChatError):
    """A setting is missing or wrong; found before any I/O."""

    default_code = "bad-settings"


class AuthError(ChatError):
    """The provider did not accept who we say we are."""

    default_code = "oauth-refused"


class OAuthRefused(AuthError):
    """The token endpoint refused the client (RFC 6749 §5.2)."""


class SessionRefused(AuthError):
    """Session creation answered 401, or the WebSocket's upgrade 403."""

    default_code = "session-refused"


class TransportError(ChatError):
    """The network did not carry it."""

    default_code = "unreachable"


class ConnectFailed(TransportError):
    """No connection could be opened."""


class TimedOut(TransportError):
    """Something took longer than its limit.

    Attributes:
        phase: What was being done, e.g. "connect".
        limit_s: The limit in seconds.
    """

    default_code = "timed-out"

    def __init__(self, phase: str, limit_s: float) -> None:
        """Name what took too long and the limit it had."""
        super().__init__(f"{phase} took longer than {limit_s:g} s.")
        self.phase = phase
        self.limit_s = limit_s


class ConnectionLost(TransportError):
    """An open connection broke."""

    default_code = "connection-lost"


class NotWritten(ConnectionLost):
    """The connection was closed before anything was written to it: the other side certainly has nothing of it."""


class ProtocolError(ChatError):
    """Somebody broke the rules of the protocol."""

    default_code = "bad-frame"


class LocalProtocolError(ProtocolError):
    """We may not do that now."""

    default_code = "local-protocol"


class RemoteProtocolError(ProtocolError):
    """The other side may not send that."""

    default_code = "bad-answer"


class ConnectionClosed(ChatError):
    """The connection is closed.

    Attributes:
        close_code: The WebSocket close code.
        reason: The peer's words; untrusted text.
        by_us: Whether our side closed it.
    """

    default_code = "closed"

    def __init__(self, close_code: int, reason: str = "", *, by_us: bool = False, code: str | None = None) -> None:
        """Record how the connection ended."""
        super().__init__(f"The connection was closed with {close_code}.", code=code)
        self.close_code = close_code
        self.reason = reason
        self.by_us = by_us


class SessionExpired(ChatError):
    """The guest session is over; a new one is needed."""

    default_code = "session-expired"


class ConversationEnded(ChatError):
    """The conversation has ended; nothing more can be sent in it."""

    default_code = "conversation-ended"


class ResumeGap(ChatError):
    """A reader asked for records that are no longer kept.

    Attributes:
        after: The position asked for.
        oldest: The oldest `seq` still kept.
        newest: The newest `seq`.
    """

    default_code = "position-lost"

    def __init__(self, after: int, oldest: int, newest: int) -> None:
        """Say what was asked for and what there is."""
        super().__init__(f"Asked for records after {after}, but {oldest} to {newest} are kept.")
        self.after = after
        self.oldest = oldest
        self.newest = newest


class RateLimited(ChatError):
    """Too much in too short a time; `retry_after_s` says how long to wait."""

    default_code = "rate-limited"


class MessageRejected(ChatError):
    """One message can't be sent; the others are not touched.

    Attributes:
        client_id: The message's client id.
    """

    default_code = "message-too-long"

    def __init__(self, client_id: str, message: str | None = None, *, code: str | None = None) -> None:
        """Name the message that was rejected."""
        super().__init__(message, code=code)
        self.client_id = client_id


class LogUnavailable(ChatError):
    """The session log could not write or read: disk full, I/O error, database locked.

    A write that ends so has changed nothing that can be seen. Trying again is safe with the same client ids and dedup
    keys: should the machine crash in the middle of a failing commit, the write may be found after all.
    """

    default_code = "log-unavailable"


class LogConflict(ChatError):
    """A client id was used before with another body."""

    default_code = "conflict"


class OutboxFull(ChatError):
    """Too many of the session's messages wait for the provider."""

    default_code = "too-many-waiting"


class SessionExists(ChatError):
    """A session of that id is in the log already."""

    default_code = "conflict"


class SessionGone(SessionExpired):
    """The log has no such session: erased, expired or never created, which look the same."""
