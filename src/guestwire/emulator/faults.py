"""Faults: what can be made to go wrong on purpose, as a table, and which of it is on.

Capabilities stand in the same table: they are switched like faults, but nothing is wrong with them. A session has those
that were on when it was created; their parameters, which are faults indeed, act as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "CAPABILITIES",
    "CATALOGUE",
    "FaultGroup",
    "FaultInfo",
    "FaultKind",
    "FaultName",
    "FaultParam",
    "FaultRefused",
    "Faults",
]


class FaultName(StrEnum):
    """The faults there are."""

    BAD_CREDENTIALS = "bad-credentials"
    MISSING_SCOPE = "missing-scope"
    EXPIRE_OAUTH_TOKEN = "expire-oauth-token"
    EXPIRE_SESSION_TOKEN = "expire-session-token"
    REFUSE_UPGRADE = "refuse-upgrade"
    NO_CORS = "no-cors"
    RATE_LIMIT = "rate-limit"
    UNPUBLISH_FLOW = "unpublish-flow"
    NO_AGENTS = "no-agents"
    ECHO = "echo"
    HISTORY = "history"
    REPEAT_IDS = "repeat-ids"
    DROP_SOCKETS = "drop-sockets"
    STALL_SOCKETS = "stall-sockets"
    DELAY_FRAMES = "delay-frames"
    REORDER_FRAMES = "reorder-frames"
    DUPLICATE_FRAMES = "duplicate-frames"
    GARBAGE_FRAME = "garbage-frame"
    CONNECTION_LIMIT = "connection-limit"
    REFUSE_CONFIG = "refuse-config"
    CONFIG_AS_TEXT = "config-as-text"
    INACTIVE_DEPLOYMENTS = "inactive-deployments"
    REFUSE_SESSIONS = "refuse-sessions"
    REFUSE_SIGN_IN = "refuse-sign-in"
    SIGN_IN_ELSEWHERE = "sign-in-elsewhere"
    LOG_OUT_GUESTS = "log-out-guests"
    REFUSE_MESSAGES = "refuse-messages"
    REFUSE_JWT = "refuse-jwt"
    REFUSE_HISTORY = "refuse-history"
    REFUSE_ATTACHMENTS = "refuse-attachments"
    FAIL_UPLOADS = "fail-uploads"
    REJECT_UPLOADS = "reject-uploads"
    SLOW_UPLOADS = "slow-uploads"
    EXPIRE_FILES = "expire-files"


class FaultKind(StrEnum):
    """A switch lasts until it is turned off; an action happens once; a capability is a switch that is no fault."""

    SWITCH = "switch"
    CAPABILITY = "capability"
    ACTION = "action"


class FaultGroup(StrEnum):
    """What a fault is about, in words for people."""

    CONFIGURATION = "Configuration"
    CREDENTIALS = "Credentials"
    SESSIONS = "Sessions"
    CONVERSATION = "Conversation"
    HISTORY = "Echo and history"
    ATTACHMENTS = "Attachments"
    CONNECTION = "Connection"


class FaultRefused(Exception):
    """A fault can't be set like that; the text says why."""


@dataclass(frozen=True, slots=True)
class FaultParam:
    """A whole number that a switch takes: its value unless told, and the largest one."""

    default: int
    maximum: int


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """One row of the catalogue; title and help are for people at the desk."""

    name: FaultName
    kind: FaultKind
    group: FaultGroup
    title: str
    help: str
    params: Mapping[str, FaultParam] = field(default_factory=dict)


_ROWS = (
    FaultInfo(
        FaultName.BAD_CREDENTIALS,
        FaultKind.SWITCH,
        FaultGroup.CREDENTIALS,
        "Bad credentials",
        "The token endpoint answers 401 invalid_client to everybody; tokens issued before expire.",
    ),
    FaultInfo(
        FaultName.MISSING_SCOPE,
        FaultKind.SWITCH,
        FaultGroup.CREDENTIALS,
        "Missing scope",
        "Access tokens come without chat:guest:create, so creating a session answers 401; those issued before expire.",
    ),
    FaultInfo(
        FaultName.EXPIRE_OAUTH_TOKEN,
        FaultKind.ACTION,
        FaultGroup.CREDENTIALS,
        "Expire access tokens",
        "Every OAuth access token issued so far expires now: the next session creation with one answers 401.",
    ),
    FaultInfo(
        FaultName.EXPIRE_SESSION_TOKEN,
        FaultKind.ACTION,
        FaultGroup.SESSIONS,
        "Expire session tokens",
        "Every session expires now: guest sockets close with 4401, later ones are refused with 403; with Web Messaging "
        "guests get a SessionExpiredEvent, and 4006 when they come back.",
    ),
    FaultInfo(
        FaultName.REFUSE_UPGRADE,
        FaultKind.SWITCH,
        FaultGroup.SESSIONS,
        "Refuse the upgrade",
        "Every new guest socket is refused with 403, as if session id and token were no pair, or the site were not "
        "allowed; the session check answers 401.",
    ),
    FaultInfo(
        FaultName.NO_CORS,
        FaultKind.SWITCH,
        FaultGroup.CONFIGURATION,
        "No CORS",
        "The guest's HTTP calls answer no preflight and send no Access-Control-Allow-Origin.",
    ),
    FaultInfo(
        FaultName.RATE_LIMIT,
        FaultKind.SWITCH,
        FaultGroup.CREDENTIALS,
        "Too many requests",
        "Token endpoints, session creation and history answer 429 with Retry-After.",
        {"retryAfterS": FaultParam(default=5, maximum=3600)},
    ),
    FaultInfo(
        FaultName.UNPUBLISH_FLOW,
        FaultKind.SWITCH,
        FaultGroup.CONVERSATION,
        "Unpublish the flow",
        "No bot answers and no agent sees the conversation; once published again, those who wait are routed.",
    ),
    FaultInfo(
        FaultName.NO_AGENTS,
        FaultKind.SWITCH,
        FaultGroup.CONVERSATION,
        "No agents",
        "Nobody can take a conversation, the demo agent falls silent; the queue keeps everybody waiting.",
    ),
    FaultInfo(
        FaultName.ECHO,
        FaultKind.CAPABILITY,
        FaultGroup.HISTORY,
        "Echo",
        "Guest sessions created from now on say a guest's message back, with its id: lost, doubled or late as set "
        "here. Web Messaging always does; there the settings act on it.",
        {
            "lossPercent": FaultParam(default=0, maximum=100),
            "duplicatePercent": FaultParam(default=0, maximum=100),
            "delayMs": FaultParam(default=0, maximum=60_000),
        },
    ),
    FaultInfo(
        FaultName.HISTORY,
        FaultKind.CAPABILITY,
        FaultGroup.HISTORY,
        "History",
        "Messages of guest sessions created from now on can be read over REST, each after the lag and a part of the "
        "spread. Web Messaging always has a history; there lag and spread act on it.",
        {
            "lagMs": FaultParam(default=0, maximum=60_000),
            "spreadMs": FaultParam(default=0, maximum=60_000),
            "withClientId": FaultParam(default=0, maximum=1),
        },
    ),
    FaultInfo(
        FaultName.REPEAT_IDS,
        FaultKind.SWITCH,
        FaultGroup.HISTORY,
        "Ids that repeat",
        "From now on ids are numbers from 1 in each conversation, so that a guest's next one has the same ids again.",
    ),
    FaultInfo(
        FaultName.DROP_SOCKETS,
        FaultKind.ACTION,
        FaultGroup.CONNECTION,
        "Drop the sockets",
        "Every guest's connection breaks without a close frame.",
    ),
    FaultInfo(
        FaultName.STALL_SOCKETS,
        FaultKind.SWITCH,
        FaultGroup.CONNECTION,
        "Stall the sockets",
        "Guest sockets open, but are neither read nor answered, pings included; what waits goes on once it is off.",
    ),
    FaultInfo(
        FaultName.DELAY_FRAMES,
        FaultKind.SWITCH,
        FaultGroup.CONNECTION,
        "Delay frames",
        "Every frame to a guest arrives this much later.",
        {"delayMs": FaultParam(default=2000, maximum=60_000)},
    ),
    FaultInfo(
        FaultName.REORDER_FRAMES,
        FaultKind.SWITCH,
        FaultGroup.CONNECTION,
        "Reorder messages",
        "Messages to a guest overtake each other: each comes later by a part of this time.",
        {"windowMs": FaultParam(default=2000, maximum=60_000)},
    ),
    FaultInfo(
        FaultName.DUPLICATE_FRAMES,
        FaultKind.SWITCH,
        FaultGroup.CONNECTION,
        "Double frames",
        "This share of the frames to a guest comes twice.",
        {"percent": FaultParam(default=50, maximum=100)},
    ),
    FaultInfo(
        FaultName.GARBAGE_FRAME,
        FaultKind.ACTION,
        FaultGroup.CONNECTION,
        "Send garbage",
        "Every open guest socket gets a frame that is not JSON, and one of an unknown type.",
    ),
    FaultInfo(
        FaultName.CONNECTION_LIMIT,
        FaultKind.ACTION,
        FaultGroup.CONNECTION,
        "One connection too many",
        "Every session of Web Messaging loses its oldest connection, as if a fourth one had come.",
    ),
    FaultInfo(
        FaultName.REFUSE_CONFIG,
        FaultKind.SWITCH,
        FaultGroup.CONFIGURATION,
        "No configuration",
        "config.json and domains.json answer with this status; 403 is what an unknown deployment gets.",
        {"status": FaultParam(default=403, maximum=599)},
    ),
    FaultInfo(
        FaultName.CONFIG_AS_TEXT,
        FaultKind.SWITCH,
        FaultGroup.CONFIGURATION,
        "Configuration as text",
        "config.json and domains.json come as text/plain, which some clients do not read.",
    ),
    FaultInfo(
        FaultName.INACTIVE_DEPLOYMENTS,
        FaultKind.SWITCH,
        FaultGroup.CONFIGURATION,
        "Inactive deployments",
        "Every deployment is inactive: config.json says so, and configureSession answers 400.",
    ),
    FaultInfo(
        FaultName.REFUSE_SESSIONS,
        FaultKind.SWITCH,
        FaultGroup.SESSIONS,
        "Refuse configureSession",
        "configureSession and configureAuthenticatedSession answer with this error, e.g. 400, 401, 403, 4006, 4007, "
        "4017 or 500.",
        {"code": FaultParam(default=401, maximum=5999), "retryAfterS": FaultParam(default=5, maximum=3600)},
    ),
    FaultInfo(
        FaultName.REFUSE_SIGN_IN,
        FaultKind.SWITCH,
        FaultGroup.SESSIONS,
        "Refuse signing in",
        "The exchange, refresh and revocation of guests' tokens answer with this status.",
        {"status": FaultParam(default=401, maximum=599)},
    ),
    FaultInfo(
        FaultName.SIGN_IN_ELSEWHERE,
        FaultKind.ACTION,
        FaultGroup.SESSIONS,
        "Sign in elsewhere",
        "Every session of Web Messaging is given up, as if its guest had signed in on another device.",
    ),
    FaultInfo(
        FaultName.LOG_OUT_GUESTS,
        FaultKind.ACTION,
        FaultGroup.SESSIONS,
        "Sign guests out",
        "Every guest who signed in gets a LogoutEvent; their tokens are worth nothing any more.",
    ),
    FaultInfo(
        FaultName.REFUSE_MESSAGES,
        FaultKind.SWITCH,
        FaultGroup.CONVERSATION,
        "Refuse messages",
        "onMessage answers with this error, e.g. 403, 409, 4007, 4011, 4013 or 5000; 429 and 4029 tell when to come "
        "again.",
        {"code": FaultParam(default=4011, maximum=5999), "retryAfterS": FaultParam(default=5, maximum=3600)},
    ),
    FaultInfo(
        FaultName.REFUSE_JWT,
        FaultKind.SWITCH,
        FaultGroup.HISTORY,
        "Refuse getJwt",
        "getJwt answers with this error instead of the key to the history.",
        {"code": FaultParam(default=403, maximum=5999), "retryAfterS": FaultParam(default=5, maximum=3600)},
    ),
    FaultInfo(
        FaultName.REFUSE_HISTORY,
        FaultKind.SWITCH,
        FaultGroup.HISTORY,
        "Refuse the history",
        "Web Messaging's history answers with this status: 401 as for a key that is over, 429 with Retry-After, 500.",
        {"status": FaultParam(default=500, maximum=599), "retryAfterS": FaultParam(default=5, maximum=3600)},
    ),
    FaultInfo(
        FaultName.REFUSE_ATTACHMENTS,
        FaultKind.SWITCH,
        FaultGroup.ATTACHMENTS,
        "Refuse attachments",
        "onAttachment, getAttachment and deleteAttachment answer with this error, e.g. 4000 to 4005, 4008 or 4102.",
        {"code": FaultParam(default=4001, maximum=5999)},
    ),
    FaultInfo(
        FaultName.FAIL_UPLOADS,
        FaultKind.SWITCH,
        FaultGroup.ATTACHMENTS,
        "Fail uploads",
        "Putting a file at its upload address answers with this status, and nothing is kept.",
        {"status": FaultParam(default=500, maximum=599)},
    ),
    FaultInfo(
        FaultName.REJECT_UPLOADS,
        FaultKind.SWITCH,
        FaultGroup.ATTACHMENTS,
        "Reject uploaded files",
        "A file is taken, and then refused by an UploadFailureEvent with this error.",
        {"code": FaultParam(default=4003, maximum=5999)},
    ),
    FaultInfo(
        FaultName.SLOW_UPLOADS,
        FaultKind.SWITCH,
        FaultGroup.ATTACHMENTS,
        "Slow uploads",
        "The event that a file was taken or refused comes this much later.",
        {"delayMs": FaultParam(default=3000, maximum=60_000)},
    ),
    FaultInfo(
        FaultName.EXPIRE_FILES,
        FaultKind.ACTION,
        FaultGroup.ATTACHMENTS,
        "Expire files",
        "Every file is forgotten, as after its 15 days: downloads answer 404, getAttachment 4008.",
    ),
)

CATALOGUE: Mapping[FaultName, FaultInfo] = {row.name: row for row in _ROWS}
"""In the order of a chat: credentials, session, conversation, connection; then what only Web Messaging has."""

CAPABILITIES = tuple(row.name for row in _ROWS if row.kind is FaultKind.CAPABILITY)
"""What a session may announce in its `extensions`."""


class Faults:
    """Which switches are on, and with what parameters."""

    def __init__(self, on: Iterable[FaultName] = ()) -> None:
        """Start with these on and everything else off."""
        self._at_start = frozenset(on)
        self._on = set(self._at_start)
        self._params = _defaults()

    def is_on(self, name: FaultName) -> bool:
        """Return whether a switch is on."""
        return name in self._on

    def params(self, name: FaultName) -> Mapping[str, int]:
        """Return a switch's parameters; they are kept while it is off."""
        return self._params[name]

    def value(self, name: FaultName, param: str) -> int:
        """Return a parameter as it acts now: 0 while its switch is off."""
        return self._params[name][param] if name in self._on else 0

    def switch(self, name: FaultName, *, on: bool, params: Mapping[str, object]) -> None:
        """Turn a switch on or off.

        Raises:
            FaultRefused: It is an action, or a parameter is unknown or out of range; nothing was changed.
        """
        info = CATALOGUE[name]
        if info.kind is FaultKind.ACTION:
            raise FaultRefused(f"{name} is no switch: fire it with POST.")
        checked = {param: _check(info, param, value) for param, value in params.items()}
        self._params[name].update(checked)
        (self._on.add if on else self._on.discard)(name)

    def clear(self) -> None:
        """Turn everything off but what was on at the start, and forget the parameters."""
        self._on = set(self._at_start)
        self._params = _defaults()


def _defaults() -> dict[FaultName, dict[str, int]]:
    return {name: {param: spec.default for param, spec in info.params.items()} for name, info in CATALOGUE.items()}


def _check(info: FaultInfo, param: str, value: object) -> int:
    spec = info.params.get(param)
    if spec is None:
        known = ", ".join(["on", *info.params])
        raise FaultRefused(f"{info.name} knows {known}; got another member.")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= spec.maximum or value % 1:
        raise FaultRefused(f"Expected {param} as a whole number from 0 to {spec.maximum}.")
    return int(value)
