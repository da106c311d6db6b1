"""The org: its state, and the one place that changes it.

What may be done, and by whom, is decided in `guest_side`, `desk` and `control`; this does it, and publishes every
change synchronously to those who subscribed. It is bounded: old ended conversations, sessions and tokens go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal
from uuid import UUID

from guestwire.emulator.changes import (
    AgentsChanged,
    Change,
    ConversationChanged,
    DeploymentChanged,
    EntryAdded,
    FaultsChanged,
    Listener,
    SessionsExpired,
    Typed,
    WasReset,
)
from guestwire.emulator.clock import EmulatorClock
from guestwire.emulator.deployment_switches import changed, checked
from guestwire.emulator.faults import CAPABILITIES, FaultName, Faults
from guestwire.emulator.files import FileRecord, Files
from guestwire.emulator.ids import Ids
from guestwire.emulator.records import (
    STAGES,
    AccessToken,
    Agent,
    Conversation,
    DeploymentRecord,
    Entry,
    GuestSessionRecord,
    GuestUser,
    OAuthClient,
    Sender,
    Stage,
)
from guestwire.emulator.signed_paths import SignedPaths
from guestwire.emulator.tokens import SessionTokens
from guestwire.errors import LocalProtocolError
from guestwire.model.content import ContentItem
from guestwire.model.ids import ConversationId, SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestDetails

__all__ = ["MAX_ENDED", "MAX_SESSIONS", "USERS", "Org"]

MAX_ENDED = 1000
"""Ended conversations that are kept, with their sessions; the oldest go first."""

MAX_SESSIONS = 10_000
"""Sessions kept in all; beyond it the oldest without an open connection go, with their conversations."""

MAX_ACCESS_TOKENS = 10_000
"""Access tokens kept; a client that asks for one per call must not fill the memory."""

MAX_DEPLOYMENTS = 100

DOWNLOAD_S = 600.0
"""A download URL is good for about ten minutes (web-messaging §5)."""

DOWNLOADS_PATH = "/api/v2/downloads/"

USERS = (
    GuestUser(id="nora", first_name="Nora", last_name="Berg", email="nora.berg@example.com"),
    GuestUser(id="tomas", first_name="Tomas", last_name="Lund", email="tomas.lund@example.com"),
)
"""Who can sign in at the emulator's identity provider."""


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
        deployments: Messenger deployments by id; changed by `add_deployment`, `change_deployment`, `delete_deployment`.
        users: Who can sign in, by id.
        files: All files, of guests and agents.
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
        deployments: Iterable[DeploymentRecord] = (),
    ) -> None:
        """Set the org up; lifetimes are in seconds of its clock, `capabilities` are on from the start."""
        self._initial_clients = tuple(clients)
        self._initial_deployments = tuple(deployments)
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
        self.signed_paths = SignedPaths(self.ids.signing_key("paths"))
        self.clients = {client.client_id: client for client in self._initial_clients}
        self._access_tokens: dict[str, AccessToken] = {}
        self.sessions: dict[SessionId, GuestSessionRecord] = {}
        self.conversations: dict[ConversationId, Conversation] = {}
        self.agents: dict[str, Agent] = {}
        self.deployments = {one.id: one for one in self._initial_deployments}
        self.users = {user.id: user for user in USERS}
        self.files = Files()

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

    # --- deployments ---------------------------------------------------------------------------------------------

    def add_deployment(self, deployment: DeploymentRecord) -> DeploymentRecord:
        """Add a deployment, or replace the one of that id.

        Raises:
            ValueError: There are too many, or a switch has a value that it can't have.
        """
        if deployment.id not in self.deployments and len(self.deployments) >= MAX_DEPLOYMENTS:
            raise ValueError(f"There are {MAX_DEPLOYMENTS} deployments already: delete one.")
        self.deployments[deployment.id] = checked(deployment)
        self.publish(DeploymentChanged(deployment.id))
        return deployment

    def change_deployment(self, deployment_id: str, **changes: object) -> DeploymentRecord:
        """Change switches of a deployment, by the names of `DeploymentRecord`; open sessions obey them at once.

        Raises:
            KeyError: There is no such deployment.
            ValueError: There is no such switch, or it can't have that value; nothing was changed.
        """
        after = changed(self.deployments[deployment_id], changes)
        self.deployments[deployment_id] = after
        self.publish(DeploymentChanged(deployment_id))
        return after

    def delete_deployment(self, deployment_id: str) -> None:
        """Delete a deployment; its sessions can't be opened again.

        Raises:
            KeyError: There is no such deployment.
        """
        del self.deployments[deployment_id]
        self.publish(DeploymentChanged(deployment_id))

    # --- files ---------------------------------------------------------------------------------------------------

    def add_file(self, name: str, mime: str, data: bytes) -> FileRecord:
        """Keep a file, for a while (`Files`)."""
        record = FileRecord(self.ids.new_id("file"), name, mime, data, self.clock.utc())
        self.files.add(record)
        return record

    def find_file(self, file_id: str) -> FileRecord | None:
        """Return a file; None when there is none, or none any more."""
        return self.files.find(file_id, self.clock.utc())

    def download_path(self, file_id: str) -> str:
        """Return the path, with a query, where a file can be downloaded for ten minutes."""
        return self.signed_paths.sign(f"{DOWNLOADS_PATH}{file_id}", until=self.clock.utc().timestamp() + DOWNLOAD_S)

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

    def begin_session(self, deployment_id: str) -> GuestSessionRecord:
        """Begin a session of Web Messaging, whose token the guest made; how long it lives is told afterwards."""
        session = GuestSessionRecord(
            id=SessionId(self.ids.new_id("session")),
            details=GuestDetails(),
            token_id="",
            expires_at=self.clock.utc(),
            protocol="web-messaging",
            deployment_id=deployment_id,
        )
        self.sessions[session.id] = session
        self._forget_old_sessions()
        return session

    def extend_session(self, session: GuestSessionRecord, expires_at: datetime) -> None:
        """Note until when a session of Web Messaging lives."""
        session.expires_at = expires_at

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
        if claims is None or session is None or not session.token_id or self.has_expired(session):
            return None
        is_own = claims.session_id == session.id and claims.token_id == session.token_id
        return session if is_own and claims.expires_at_s > self.clock.utc().timestamp() else None

    def has_expired(self, session: GuestSessionRecord) -> bool:
        """Return whether the session's token is worth nothing any more."""
        return session.expires_at <= self.clock.utc()

    def expire_sessions(self, session_ids: Iterable[str] | None = None) -> int:
        """Have these sessions expire now, None for every one that there is; return how many did."""
        now = self.clock.utc()
        wanted = None if session_ids is None else set(session_ids)
        valid = [
            session
            for session in self.sessions.values()
            if not self.has_expired(session) and (wanted is None or session.id in wanted)
        ]
        for session in valid:
            session.expires_at = now
        self.publish(SessionsExpired(frozenset(session.id for session in valid)))
        return len(valid)

    def advance_clock(self, seconds: float) -> None:
        """Let time pass; guest sessions that expire meanwhile are published.

        Those of Web Messaging learn it when they next ask something (web-messaging §2.7).

        Raises:
            ValueError: The clock can't go there.
        """
        valid = [one for one in self.sessions.values() if one.protocol == "guest-session" and not self.has_expired(one)]
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
        """Return the session's conversation; there is one from now on.

        With Web Messaging another one begins after the end of the last.
        """
        known = self.conversation_of(session.id)
        if known is not None and (known.stage is not Stage.ENDED or session.protocol == "guest-session"):
            return known
        if known is not None:
            session.earlier.append(known.id)
        conversation = Conversation(
            id=ConversationId(self.ids.new_id("conversation")),
            session_id=session.id,
            guest=session.details,
            started_at=self.clock.utc(),
            protocol=session.protocol,
            deployment_id=session.deployment_id,
        )
        session.conversation_id = conversation.id
        self.conversations[conversation.id] = conversation
        return conversation

    def count_connection(self, conversation: Conversation, change: Literal[1, -1]) -> None:
        """Note that the guest opened or lost a connection."""
        conversation.connections += change
        self.publish(ConversationChanged(conversation))

    def describe_guest(
        self, conversation: Conversation, *, attributes: Mapping[str, str], user: GuestUser | None
    ) -> None:
        """Note what the guest's page told of the guest, and who has signed in.

        The attributes `name`, `email` and `externalContactId` say who the guest is [D].
        """
        guest = GuestDetails(
            name=attributes.get("name"),
            email=user.email if user else attributes.get("email"),
            external_contact_id=attributes.get("externalContactId"),
        )
        known = (conversation.guest, conversation.attributes, conversation.user)
        if known != (guest, attributes, user):
            conversation.guest, conversation.attributes, conversation.user = guest, dict(attributes), user
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
        entry_id: str | None = None,
        in_reply_to: str | None = None,
        avatar: str | None = None,
        is_authenticated: bool = False,
        origin: object = None,
    ) -> Entry:
        """Add a line, whether or not there is one like it; `origin` is the guest's connection that it came by.

        Without an `entry_id` it gets one.
        """
        entry = Entry(
            id=entry_id or self._entry_id(conversation),
            sender=sender,
            text=text,
            at=self.clock.utc(),
            name=name,
            content=content,
            client_id=client_id,
            in_reply_to=in_reply_to,
            avatar=avatar,
            is_authenticated=is_authenticated,
        )
        conversation.entries.append(entry)
        self.publish(EntryAdded(conversation, entry, origin))
        return entry

    def _entry_id(self, conversation: Conversation) -> str:
        if self.faults.is_on(FaultName.REPEAT_IDS):
            entry_id = str(UUID(int=len(conversation.entries) + 1))
        else:
            entry_id = self.ids.ordered_id(f"entry of {conversation.id}")
        # Web Messaging's ids are 32 hexadecimal digits (web-messaging §4.4).
        return entry_id if conversation.protocol == "guest-session" else entry_id.replace("-", "")

    def transcript(self, session_id: SessionId) -> tuple[Entry, ...]:
        """Return what was said in a session, by whom, in order: the truth that tests compare with.

        A message that the guest wrote twice is there twice; of more than `MAX_ENTRIES` lines the last ones are.
        """
        session = self.sessions.get(session_id)
        if session is None:
            return ()
        conversations = (self.conversations.get(one) for one in (*session.earlier, session.conversation_id) if one)
        return tuple(e for one in conversations if one is not None for e in one.entries if e.sender != "system")

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

    def change_agent(self, agent: Agent, *, avatar: str | None) -> None:
        """Give an agent another picture, None for one that the emulator draws."""
        agent.avatar = avatar
        self.publish(AgentsChanged())

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
            session = self.sessions.get(conversation.session_id)
            if session is None:
                continue
            if session.conversation_id == conversation.id:
                del self.sessions[session.id]
            else:
                session.earlier.remove(conversation.id)

    def _forget_old_sessions(self) -> None:
        excess = len(self.sessions) - MAX_SESSIONS
        if excess <= 0:
            return
        idle = (session for session in self.sessions.values() if not self._is_connected(session))
        for session in list(islice(idle, excess)):
            del self.sessions[session.id]
            for conversation_id in (*session.earlier, session.conversation_id):
                if conversation_id is not None:
                    self.conversations.pop(conversation_id, None)

    def _is_connected(self, session: GuestSessionRecord) -> bool:
        conversation = self.conversation_of(session.id)
        return conversation is not None and conversation.connections > 0


def _ended_at(conversation: Conversation) -> datetime:
    return conversation.ended_at or conversation.started_at


def _forget_oldest(values: dict[str, AccessToken], limit: int) -> None:
    for key in list(islice(values, max(0, len(values) - limit))):
        del values[key]
