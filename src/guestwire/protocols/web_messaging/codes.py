"""The provider's error numbers as one table: our code, and what the error is about.

Source: web-messaging §4.7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CODES", "AuthTrouble", "CodeRule", "Concern", "auth_trouble", "code_rule"]


class Concern(StrEnum):
    """What an error is about, where the tracing id does not say."""

    REQUEST = "request"
    MESSAGE = "message"
    ATTRIBUTES = "attributes"
    ATTACHMENT = "attachment"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class CodeRule:
    """One row of the table.

    Attributes:
        code: A key of `errors.ERRORS`.
        concern: What it is about; `SESSION` is final for the session, whenever it comes.
    """

    code: str
    concern: Concern = Concern.REQUEST


CODES: dict[int, CodeRule] = {
    400: CodeRule("bad-request"),
    401: CodeRule("sign-in-needed"),
    403: CodeRule("refused-by-deployment"),
    404: CodeRule("not-found"),
    408: CodeRule("timed-out"),
    409: CodeRule("read-only"),
    429: CodeRule("rate-limited"),
    4000: CodeRule("attachments-off", Concern.ATTACHMENT),
    4001: CodeRule("attachment-type", Concern.ATTACHMENT),
    4002: CodeRule("attachment-too-large", Concern.ATTACHMENT),
    4003: CodeRule("attachment-invalid", Concern.ATTACHMENT),
    4004: CodeRule("attachment-name", Concern.ATTACHMENT),
    4005: CodeRule("attachment-name", Concern.ATTACHMENT),
    4006: CodeRule("session-expired", Concern.SESSION),
    4007: CodeRule("session-expired", Concern.SESSION),
    4008: CodeRule("attachment-expired", Concern.ATTACHMENT),
    4009: CodeRule("attachment-unknown", Concern.ATTACHMENT),
    4010: CodeRule("attachment-not-uploaded", Concern.ATTACHMENT),
    4011: CodeRule("message-too-long", Concern.MESSAGE),
    4013: CodeRule("attributes-too-large", Concern.ATTRIBUTES),
    4017: CodeRule("sign-in-needed", Concern.SESSION),
    4020: CodeRule("bad-request"),
    4029: CodeRule("rate-limited", Concern.MESSAGE),
    4102: CodeRule("attachment-empty", Concern.ATTACHMENT),
    5000: CodeRule("provider-error"),
}

_OTHER = CodeRule("provider-error")


def code_rule(number: int) -> CodeRule:
    """Return the row of an error number; a number that is not listed is a provider's error like any other."""
    return CODES.get(number, _OTHER)


class AuthTrouble(StrEnum):
    """Why the provider does not take the guest's JWT."""

    STALE = "stale"
    REFUSED = "refused"


_REFUSED = re.compile(r"\s*(?:session authentication failed|try to authenticate again)", re.IGNORECASE)


def auth_trouble(number: int, text: str) -> AuthTrouble | None:
    """Return whether an error says that the guest's JWT is stale (refresh it) or refused (sign in anew), or neither.

    Source: web-messaging §2.10.
    """
    if number == 401:
        return AuthTrouble.STALE
    return AuthTrouble.REFUSED if number == 403 and _REFUSED.match(text) else None
