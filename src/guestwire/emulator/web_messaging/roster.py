"""Which session of the org belongs to which guest's token, and where that guest finds the emulator."""

from __future__ import annotations

from collections.abc import Iterable

from guestwire.emulator.org import MAX_SESSIONS, Org
from guestwire.emulator.records import Conversation, GuestSessionRecord, Stage
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret

__all__ = ["Roster"]


class Roster:
    """All tokens that have been configured; the org may forget a session, its token then gets another one."""

    def __init__(self, org: Org) -> None:
        """Start with nobody."""
        self._org = org
        self._session_ids: dict[Secret, SessionId] = {}
        self._tokens: dict[SessionId, Secret] = {}
        self._bases: dict[Secret, str] = {}

    def enlist(self, token: Secret, deployment_id: str) -> GuestSessionRecord:
        """Return the org's session of a token; there is one from now on."""
        session_id = self._session_ids.get(token)
        known = None if session_id is None else self._org.sessions.get(session_id)
        if known is not None:
            return known
        if session_id is not None:
            del self._tokens[session_id]  # the org keeps no more than so many ended conversations
        record = self._org.begin_session(deployment_id)
        self._session_ids[token], self._tokens[record.id] = record.id, token
        return record

    def strike(self, token: Secret) -> None:
        """Forget a token."""
        session_id = self._session_ids.pop(token, None)
        self._bases.pop(token, None)
        if session_id is not None:
            self._tokens.pop(session_id, None)

    def strays(self) -> list[Secret]:
        """Strike the tokens whose session the org forgot, once there are too many; return them."""
        if len(self._tokens) <= MAX_SESSIONS:
            return []
        strays = [token for session_id, token in self._tokens.items() if session_id not in self._org.sessions]
        for token in strays:
            self.strike(token)
        return strays

    def session_id(self, token: Secret) -> SessionId | None:
        """Return which session a token has."""
        return self._session_ids.get(token)

    def record(self, token: Secret) -> GuestSessionRecord | None:
        """Return the org's session of a token; None when there is none, or none any more."""
        session_id = self._session_ids.get(token)
        return None if session_id is None else self._org.sessions.get(session_id)

    def token(self, session_id: SessionId) -> Secret | None:
        """Return whose session it is."""
        return self._tokens.get(session_id)

    def tokens(self, session_ids: Iterable[SessionId] | None = None) -> list[Secret]:
        """Return whose sessions these are; None for everybody's."""
        if session_ids is None:
            return list(self._session_ids)
        return [token for one in session_ids if (token := self._tokens.get(one)) is not None]

    def conversation(self, token: Secret) -> Conversation | None:
        """Return the conversation that goes on under a token."""
        session_id = self._session_ids.get(token)
        conversation = None if session_id is None else self._org.conversation_of(session_id)
        return conversation if conversation is not None and conversation.stage is not Stage.ENDED else None

    def base(self, token: Secret) -> str:
        """Return where this guest finds the emulator."""
        return self._bases[token]

    def take_base(self, token: Secret, base_url: str) -> None:
        """Note where this guest finds the emulator: where they asked last."""
        self._bases[token] = base_url
