"""The org: its state, and the one place that changes it.

What may be done, and by whom, is decided in `guest_side`, `desk` and `control`; this does it, and publishes every
change synchronously to those who subscribed. It is bounded: old ended conversations, sessions and tokens go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from guestwire.emulator.changes import (
    AgentsChanged,
    Change,
    ConversationChanged,
    EntryAdded,
    FaultsChanged,
    Listener,
    SessionsExpired,
    Typed,
    WasReset,
)
from guestwire.emulator.clock import EmulatorClock
from guestwire.emulator.faults import CAPABILITIES, FaultName, Faults
from guestwire.emulator.ids import Ids
from guestwire.emulator.records import (
    STAGES,
    AccessToken,
    Agent,
    Conversation,
    Entry,
    GuestSessionRecord,
    OAuthClient,
    Sender,
    Stage,
)
from guestwire.emulator.tokens import SessionTokens
from guestwire.errors import LocalProtocolError
from guestwire.model.content import ContentItem
from guestwire.model.ids import ConversationId, SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestDetails

__all__ = ["MAX_ENDED", "Org"]

MAX_ENDED = 1000
"""Ended conversations that are kept, with their sessions; the oldest go first."""

MAX_SESSIONS = 10_000
"""Sessions kept in all; beyond it the oldest without an open connection go, with their conversations."""

MAX_ACCESS_TOKENS = 10_000
"""Access tokens kept; a client that asks for one per call must not fill the memory."""


class Org:
    """One emulated org.

    Attributes:
        clock: The one clock.
        ids: The one source of ids and tokens.
        faults: What goes wrong on purpose; changed by `change_faults` only.
        clients: OAuth clients by id.
        sessions: Guest sessions by id, oldest first.
        conversations: By id, oldest first.
        agents: By id, in the order of their coming.
        queue_name: The one queue.
    """

    def __init__(
        self,
        clients: Iterable[OAuthClient],
        *,
        clock: EmulatorClock | None = None,
        seed: int | None = None,
        access_token_ttl_s: float = 3600.0,
        session_ttl_s: float = 86_400.0,
        capabilities: Iterable[FaultName] = (),
    ) -> None:
        """Set the org up; lifetimes are in seconds of its clock, `capabilities` are on from the start."""
        self._initial_clients = tuple(clients)
        self._access_token_ttl = timedelta(seconds=access_token_ttl_s)
        self._session_ttl = timedelta(seconds=session_ttl_s)
        self._listeners: list[Listener] = []
        self.queue_name = "Support"
        self.clock = clock or EmulatorClock(is_seeded=seed is not None)
        self.faults = Faults(capabilities)
        self._start(seed)

    def _start(self, seed: int | None) -> None:
        self.seed = seed
        self.ids = Ids(seed)
        self._session_tokens = SessionTokens(self.ids.signing_key())
        self.clients = {client.client_id: client for client in self._initial_clients}
        self._access_tokens: dict[str, AccessToken] = {}
        self.sessions: dict[SessionId, GuestSessionRecord] = {}
        self.conversations: dict[ConversationId, Conversation] = {}
        self.agents: dict[str, Agent] = {}

    # --- subscribers ---------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with every change, in order, in the middle of the call that makes it.

        Returns:
            A function that ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, change: Change) -> None:
        """Tell everybody; for changes that are no state of the org, such as sockets being dropped."""
        for listener in tuple(self._listeners):
            listener(change)

    # --- the whole -----------------------------------------------------------------------------------------------

    def reset(self, seed: int | None) -> None:
        """Forget everything, set the faults as they were at the start, and start again with `seed`."""
        self.faults.clear()
        self.clock.restart(is_seeded=seed is not None)
        self._start(seed)
        self.publish(WasReset())

    @property
    def is_flow_published(self) -> bool:
        """Whether the flow takes conversations up."""
        return not self.faults.is_on(FaultName.UNPUBLISH_FLOW)

    def change_faults(self, change: Callable[[Faults], None]) -> None:
        """Let `change` set faults, then publish it; what it raises is passed on, and nothing is published."""
        was_published = self.is_flow_published
        change(self.faults)
        self.publish(FaultsChanged(is_flow_changed=was_published != self.is_flow_published))

    # --- OAuth ---------------------------------------------------------------------------------------------------

    def add_client(self, client: OAuthClient) -> None:
        """Add an OAuth client, or replace the one of that id."""
        self.clients[client.client_id] = client

    def issue_access_token(self, client: OAuthClient, scopes: frozenset[str]) -> AccessToken:
        """Issue an access token with these scopes."""
        value = self.ids.new_token("access-token")
        expires_at = self.clock.utc() + self._access_token_ttl
        token = AccessToken(Secret(value), client.client_id, scopes, expires_at)
        self._access_tokens[value] = token
        _forget_oldest(self._access_tokens, MAX_ACCESS_TOKENS)
        return token

    @property
    def access_token_ttl_s(self) -> int:
        """Whole seconds that an access token lives."""
        return int(self._access_token_ttl.total_seconds())

    def find_access_token(self, value: str) -> AccessToken | None:
        """Return the token, expired or not; None when it was never issued, or revoked."""
        return self._access_tokens.get(value)

    def revoke_access_tokens(self, value: str | None = None) -> int:
        """Forget one token, or all of them; return how many."""
        if value is not None:
            return 0 if self._access_tokens.pop(value, None) is None else 1
        count = len(self._access_tokens)
        self._access_tokens.clear()
        return count

    def expire_access_tokens(self) -> int:
        """Have every token issued so far expire now; return how many."""
        now = self.clock.utc()
        for token in self._access_tokens.values():
            token.expires_at = min(token.expires_at, now)
        return len(self._access_tokens)

    # --- guest sessions ------------------------------------------------------------------------------------------

    def create_session(self, details: GuestDetails) -> tuple[GuestSessionRecord, Secret]:
        """Create a session; return it and its token, which is not kept."""
        now = self.clock.utc()
        session = GuestSessionRecord(
            id=SessionId(self.ids.new_id("session")),
            details=details,
            token_id=self.ids.new_id("session-token"),
            expires_at=now + self._session_ttl,
            capabilities=tuple(name for name in CAPABILITIES if self.faults.is_on(name)),
        )
        self.sessions[session.id] = session
        self._forget_old_sessions()
        token = self._session_tokens.sign(session.id, session.token_id, issued_at=now, expires_at=session.expires_at)
        return session, Secret(token)

    @property
    def session_ttl_s(self) -> int:
        """Whole seconds that a session token lives."""
        return int(self._session_ttl.total_seconds())

    def authorise_session(self, session_id: str, token: str) -> GuestSessionRecord | None:
        """Return the session when `token` is its own, genuine and has not expired; else None, whatever is wrong.

        The fault that refuses upgrades refuses every pair here: what the socket refuses, the session check must not
        call good, or a browser would try for ever.
        """
        if self.faults.is_on(FaultName.REFUSE_UPGRADE):
            return None
        claims = self._session_tokens.verify(token)
        session = self.sessions.get(SessionId(session_id))
        if claims is None or session is None or self.has_expired(session):
            return None
        is_own = claims.session_id == session.id and claims.token_id == session.token_id
        return session if is_own and claims.expires_at_s > self.clock.utc().timestamp() else None

    def has_expired(self, session: GuestSessionRecord) -> bool:
        """Return whether the session's token is worth nothing any more."""
        return session.expires_at <= self.clock.utc()

    def expire_sessions(self) -> int:
        """Have every session token issued so far expire now; return how many did."""
        now = self.clock.utc()
        valid = [session for session in self.sessions.values() if not self.has_expired(session)]
        for session in valid:
            session.expires_at = now
        self.publish(SessionsExpired(frozenset(session.id for session in valid)))
        return len(valid)

    def advance_clock(self, seconds: float) -> None:
        """Let time pass; sessions that expire meanwhile are published.

        Raises:
            ValueError: The clock can't go there.
        """
        valid = [session for session in self.sessions.values() if not self.has_expired(session)]
        self.clock.advance(seconds)
        expired = frozenset(session.id for session in valid if self.has_expired(session))
        if expired:
            self.publish(SessionsExpired(expired))

    # --- conversations -------------------------------------------------------------------------------------------

    def conversation_of(self, session_id: SessionId) -> Conversation | None:
        """Return the session's conversation; None before the guest first connected."""
        session = self.sessions.get(session_id)
        if session is None or session.conversation_id is None:
            return None
        return self.conversations.get(session.conversation_id)

    def open_conversation(self, session: GuestSessionRecord) -> Conversation:
        """Return the session's conversation; there is one from now on."""
        known = self.conversation_of(session.id)
        if known is not None:
            return known
        conversation = Conversation(
            id=ConversationId(self.ids.new_id("conversation")),
            session_id=session.id,
            guest=session.details,
            started_at=self.clock.utc(),
        )
        session.conversation_id = conversation.id
        self.conversations[conversation.id] = conversation
        return conversation

    def count_connection(self, conversation: Conversation, change: Literal[1, -1]) -> None:
        """Note that the guest opened or lost a connection."""
        conversation.connections += change
        self.publish(ConversationChanged(conversation))

    def mark_greeted(self, conversation: Conversation) -> None:
        """Note that the flow has taken the conversation up."""
        conversation.is_greeted = True

    def add_entry(
        self,
        conversation: Conversation,
        sender: Sender,
        text: str,
        *,
        name: str | None = None,
        content: tuple[ContentItem, ...] = (),
        client_id: str | None = None,
        origin: object = None,
    ) -> Entry:
        """Add a line, whether or not there is one like it; `origin` is the guest's connection that it came by."""
        entry = Entry(
            id=self.ids.ordered_id(f"entry of {conversation.id}"),
            sender=sender,
            text=text,
            at=self.clock.utc(),
            name=name,
            content=content,
            client_id=client_id,
        )
        conversation.entries.append(entry)
        self.publish(EntryAdded(conversation, entry, origin))
        return entry

    def transcript(self, session_id: SessionId) -> tuple[Entry, ...]:
        """Return what was said in a session, by whom, in order: the truth that tests compare with.

        A message that the guest wrote twice is there twice; of more than `MAX_ENTRIES` lines the last ones are.
        """
        conversation = self.conversation_of(session_id)
        return () if conversation is None else tuple(e for e in conversation.entries if e.sender != "system")

    def history(self, session_id: SessionId, after: str | None) -> list[Entry]:
        """Return what the history shows of a session by now, behind the id `after`, oldest first."""
        lag_s, spread_s = (self.faults.value(FaultName.HISTORY, name) / 1000 for name in ("lagMs", "spreadMs"))
        now = self.clock.utc()
        return [
            entry
            for entry in self.transcript(session_id)
            if (after is None or entry.id > after)
            and entry.at + timedelta(seconds=lag_s + spread_s * self.ids.named_draw("history lag", entry.id)) <= now
        ]

    def happens(self, percent: int, kind: str) -> bool:
        """Return whether something of this probability happens now; `kind` names the stream of draws."""
        return self.ids.draw(kind) * 100 < percent

    def show_typing(self, conversation: Conversation, sender: Sender, *, origin: object = None) -> None:
        """Publish that somebody is typing; nothing is kept of it."""
        self.publish(Typed(conversation, sender, origin))

    def move(
        self,
        conversation: Conversation,
        stage: Stage,
        *,
        agent: Agent | None = None,
        ended_by: Literal["agent", "guest"] | None = None,
    ) -> None:
        """Take a conversation to another stage, as the table `STAGES` allows.

        Args:
            agent: Who takes it, with `Stage.AGENT`.
            ended_by: With `Stage.ENDED`; the last agent's name then stays.

        Raises:
            LocalProtocolError: The table has no such step; nothing was changed.
        """
        if stage not in STAGES[conversation.stage]:
            allowed = ", ".join(sorted(STAGES[conversation.stage])) or "nothing"
            raise LocalProtocolError(f"Expected {allowed} after {conversation.stage}, got {stage}.")
        had_agent = conversation.agent_id is not None
        conversation.stage = stage
        if stage is Stage.AGENT and agent is not None:
            conversation.agent_id, conversation.agent_name = agent.id, agent.name
        elif stage is not Stage.ENDED:
            conversation.agent_id = conversation.agent_name = None
        if stage is Stage.QUEUE:
            conversation.queued_at = self.clock.utc()
        if stage is Stage.ENDED:
            conversation.ended_at, conversation.ended_by = self.clock.utc(), ended_by
        self.publish(ConversationChanged(conversation))
        if had_agent or agent is not None:
            self.publish(AgentsChanged())
        if stage is Stage.ENDED:
            self._forget_old_conversations()

    # --- agents --------------------------------------------------------------------------------------------------

    def add_agent(self, name: str, *, is_demo: bool = False) -> Agent:
        """Seat somebody at the desk, off queue; the id belongs to the name, so who comes back has their chats again."""
        agent = Agent(id=self.ids.named_id("agent", name), name=name, is_demo=is_demo)
        self.agents[agent.id] = agent
        self.publish(AgentsChanged())
        return agent

    def set_on_queue(self, agent: Agent, *, on_queue: bool) -> None:
        """Put an agent on or off queue; chats they have stay theirs."""
        if agent.on_queue is not on_queue:
            agent.on_queue = on_queue
            self.publish(AgentsChanged())

    def remove_agent(self, agent: Agent) -> None:
        """Take somebody from the desk; chats they have wait for them, or for a colleague who takes over."""
        self.agents.pop(agent.id, None)
        self.publish(AgentsChanged())

    def active_count(self, agent: Agent) -> int:
        """Return how many conversations an agent has now."""
        return sum(one.agent_id == agent.id and one.stage is Stage.AGENT for one in self.conversations.values())

    # --- bounds --------------------------------------------------------------------------------------------------

    def _forget_old_conversations(self) -> None:
        # By the time of their end: who ended last is looked at longest.
        ended = [one for one in self.conversations.values() if one.stage is Stage.ENDED]
        if len(ended) <= MAX_ENDED:
            return
        ended.sort(key=_ended_at)
        for conversation in ended[: len(ended) - MAX_ENDED]:
            del self.conversations[conversation.id]
            self.sessions.pop(conversation.session_id, None)

    def _forget_old_sessions(self) -> None:
        excess = len(self.sessions) - MAX_SESSIONS
        if excess <= 0:
            return
        idle = (session for session in self.sessions.values() if not self._is_connected(session))
        for session in list(islice(idle, excess)):
            del self.sessions[session.id]
            if session.conversation_id is not None:
                self.conversations.pop(session.conversation_id, None)

    def _is_connected(self, session: GuestSessionRecord) -> bool:
        conversation = self.conversation_of(session.id)
        return conversation is not None and conversation.connections > 0


def _ended_at(conversation: Conversation) -> datetime:
    return conversation.ended_at or conversation.started_at


def _forget_oldest(values: dict[str, AccessToken], limit: int) -> None:
    for key in list(islice(values, max(0, len(values) - limit))):
        del values[key]
