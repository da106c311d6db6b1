"""Faults: what can be made to go wrong on purpose, as a table, and which of it is on.

Capabilities stand in the same table: they are switched like faults, but nothing is wrong with them. A session has those
that were on when it was created; their parameters, which are faults indeed, act as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["CAPABILITIES", "CATALOGUE", "FaultInfo", "FaultKind", "FaultName", "FaultParam", "FaultRefused", "Faults"]


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
    DROP_SOCKETS = "drop-sockets"
    STALL_SOCKETS = "stall-sockets"
    DELAY_FRAMES = "delay-frames"
    REORDER_FRAMES = "reorder-frames"
    DUPLICATE_FRAMES = "duplicate-frames"
    GARBAGE_FRAME = "garbage-frame"


class FaultKind(StrEnum):
    """A switch lasts until it is turned off; an action happens once; a capability is a switch that is no fault."""

    SWITCH = "switch"
    CAPABILITY = "capability"
    ACTION = "action"


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
    title: str
    help: str
    params: Mapping[str, FaultParam] = field(default_factory=dict)


_ROWS = (
    FaultInfo(
        FaultName.BAD_CREDENTIALS,
        FaultKind.SWITCH,
        "Bad credentials",
        "The token endpoint answers 401 invalid_client to everybody; tokens issued before expire.",
    ),
    FaultInfo(
        FaultName.MISSING_SCOPE,
        FaultKind.SWITCH,
        "Missing scope",
        "Access tokens come without chat:guest:create, so creating a session answers 401; those issued before expire.",
    ),
    FaultInfo(
        FaultName.EXPIRE_OAUTH_TOKEN,
        FaultKind.ACTION,
        "Expire access tokens",
        "Every OAuth access token issued so far expires now: the next session creation with one answers 401.",
    ),
    FaultInfo(
        FaultName.EXPIRE_SESSION_TOKEN,
        FaultKind.ACTION,
        "Expire session tokens",
        "Every session token issued so far expires now: open sockets close with 4401, later ones are refused with 403.",
    ),
    FaultInfo(
        FaultName.REFUSE_UPGRADE,
        FaultKind.SWITCH,
        "Refuse the upgrade",
        "Every new guest socket is refused with 403, as if session id and token were no pair; the check answers 401.",
    ),
    FaultInfo(
        FaultName.NO_CORS,
        FaultKind.SWITCH,
        "No CORS",
        "Token endpoints and session creation answer no preflight and send no Access-Control-Allow-Origin.",
    ),
    FaultInfo(
        FaultName.RATE_LIMIT,
        FaultKind.SWITCH,
        "Too many requests",
        "Token endpoints, session creation and history answer 429 with Retry-After.",
        {"retryAfterS": FaultParam(default=5, maximum=3600)},
    ),
    FaultInfo(
        FaultName.UNPUBLISH_FLOW,
        FaultKind.SWITCH,
        "Unpublish the flow",
        "No bot answers and no agent sees the conversation; once published again, those who wait are routed.",
    ),
    FaultInfo(
        FaultName.NO_AGENTS,
        FaultKind.SWITCH,
        "No agents",
        "Nobody can take a conversation, the demo agent falls silent; the queue keeps everybody waiting.",
    ),
    FaultInfo(
        FaultName.ECHO,
        FaultKind.CAPABILITY,
        "Echo",
        "Sessions created from now on say a guest's message back, with its id: lost, doubled or late as set here.",
        {
            "lossPercent": FaultParam(default=0, maximum=100),
            "duplicatePercent": FaultParam(default=0, maximum=100),
            "delayMs": FaultParam(default=0, maximum=60_000),
        },
    ),
    FaultInfo(
        FaultName.HISTORY,
        FaultKind.CAPABILITY,
        "History",
        "Messages of sessions created from now on can be read over REST, each after the lag and a part of the spread.",
        {
            "lagMs": FaultParam(default=0, maximum=60_000),
            "spreadMs": FaultParam(default=0, maximum=60_000),
            "withClientId": FaultParam(default=0, maximum=1),
        },
    ),
    FaultInfo(
        FaultName.DROP_SOCKETS,
        FaultKind.ACTION,
        "Drop the sockets",
        "Every guest's connection breaks without a close frame.",
    ),
    FaultInfo(
        FaultName.STALL_SOCKETS,
        FaultKind.SWITCH,
        "Stall the sockets",
        "Guest sockets open, but are neither read nor answered, pings included; what waits goes on once it is off.",
    ),
    FaultInfo(
        FaultName.DELAY_FRAMES,
        FaultKind.SWITCH,
        "Delay frames",
        "Every frame to a guest arrives this much later.",
        {"delayMs": FaultParam(default=2000, maximum=60_000)},
    ),
    FaultInfo(
        FaultName.REORDER_FRAMES,
        FaultKind.SWITCH,
        "Reorder messages",
        "Messages to a guest overtake each other: each comes later by a part of this time.",
        {"windowMs": FaultParam(default=2000, maximum=60_000)},
    ),
    FaultInfo(
        FaultName.DUPLICATE_FRAMES,
        FaultKind.SWITCH,
        "Double frames",
        "This share of the frames to a guest comes twice.",
        {"percent": FaultParam(default=50, maximum=100)},
    ),
    FaultInfo(
        FaultName.GARBAGE_FRAME,
        FaultKind.ACTION,
        "Send garbage",
        "Every open guest socket gets a frame that is not JSON, and one of an unknown type.",
    ),
)

CATALOGUE: Mapping[FaultName, FaultInfo] = {row.name: row for row in _ROWS}
"""In the order of a chat: credentials, session, conversation, connection."""

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
