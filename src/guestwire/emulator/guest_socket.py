"""The guests' WebSockets: each connection a `GuestSessionServer` core, all of them fed by the org's changes.

A connection by query is plain: it gets the four kinds of frame of guest-session §4.1, without numbers, nothing of what
it sent itself, and after a reconnect the current conversation-update only [D]. A session with echo or history gets its
messages with ids, one with echo what it sent itself, too.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import assert_never

from guestwire.emulator.changes import (
    AgentsChanged,
    Change,
    ConnectionLimitReached,
    ConversationChanged,
    DeploymentChanged,
    EntryAdded,
    FaultsChanged,
    GarbageSent,
    LoggedOut,
    SessionsExpired,
    SignedInElsewhere,
    SocketsDropped,
    Typed,
    WasReset,
)
from guestwire.emulator.faults import FaultName
from guestwire.emulator.faulty_socket import FaultySocket
from guestwire.emulator.guest_frames import entry_frame
from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.http import ApiError, error_body
from guestwire.emulator.org import Org
from guestwire.emulator.records import EXTENSIONS, Conversation, Entry, GuestSessionRecord, Stage
from guestwire.model.ids import SessionId
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest
from guestwire.protocols.guest_session.server import (
    EndConversation,
    GuestSessionServer,
    SendMessage,
    ShowTyping,
)
from guestwire.protocols.guest_session.wire import (
    BotMessageFrame,
    ConversationUpdateFrame,
    MessageFrame,
    OutboundFrame,
    TypingFrame,
    encode,
)

__all__ = ["GuestSockets"]

ENDED_NORMALLY = 1000
RESTARTED = 1012
SESSION_EXPIRED = 4401

GARBAGE = ("this is <not> JSON {", '{"type":"emulated-nonsense","text":"A frame of a type that nobody knows."}')


class GuestSockets:
    """All open connections, by session."""

    def __init__(self, org: Org, guests: GuestSide) -> None:
        """Listen to the org."""
        self.org = org
        self.guests = guests
        self._open: defaultdict[SessionId, set[_GuestConnection]] = defaultdict(set)
        org.subscribe(self._changed)

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        """Let a connection in that brings a session id and this session's own token; any other gets 403 [T]."""
        session_id, token = request.query.get("sessionId", ""), request.query.get("token", "")
        session = self.org.authorise_session(session_id, token)
        if session is None:
            # The same words for every reason: not yours, not there and expired look alike.
            error = ApiError(403, "forbidden", "The session id and the token are not a valid pair.")
            return Refusal(403, error_body(error, self.org.ids))
        return _GuestConnection(self, session)

    def add(self, connection: _GuestConnection) -> None:
        """Feed a connection from now on."""
        self._open[connection.session.id].add(connection)

    def discard(self, connection: _GuestConnection) -> None:
        """Feed it no more."""
        connections = self._open[connection.session.id]
        connections.discard(connection)
        if not connections:
            del self._open[connection.session.id]

    def _all(self) -> list[_GuestConnection]:
        return [connection for connections in self._open.values() for connection in connections]

    def _of(self, session_id: SessionId) -> list[_GuestConnection]:
        return list(self._open.get(session_id, ()))

    def _changed(self, change: Change) -> None:
        match change:
            case ConversationChanged(conversation):
                for connection in self._of(conversation.session_id):
                    connection.show_status(conversation)
            case EntryAdded(conversation, entry, origin):
                self._show(conversation.session_id, entry, origin)
            case Typed(conversation, sender, origin):
                for connection in self._of(conversation.session_id):
                    if connection is not origin and sender != "guest":
                        connection.send(TypingFrame(sender=sender))
            case SessionsExpired(session_ids):
                for session_id in session_ids:
                    for connection in self._of(session_id):
                        connection.close(SESSION_EXPIRED, "session token expired")
            case SocketsDropped():
                for connection in self._all():
                    connection.drop()
            case GarbageSent():
                for connection in self._all():
                    for text in GARBAGE:
                        connection.send_text(text)
            case WasReset():
                for connection in self._all():
                    connection.stall_or_go_on()
                    connection.close(RESTARTED, "the emulator was reset")
            case FaultsChanged():
                for connection in self._all():
                    connection.stall_or_go_on()
            case AgentsChanged() | DeploymentChanged() | SignedInElsewhere() | LoggedOut() | ConnectionLimitReached():
                pass
            case _:
                assert_never(change)

    def _show(self, session_id: SessionId, entry: Entry, origin: object) -> None:
        connections = self._of(session_id)
        if not connections:
            return
        capabilities = connections[0].session.capabilities
        has_echo = FaultName.ECHO in capabilities
        frame = entry_frame(entry, with_id=bool(capabilities), with_client_id=has_echo)
        if frame is None:
            return
        if has_echo and entry.client_id is not None:
            self._echo(connections, frame)
            return
        for connection in connections:
            if connection is not origin:
                connection.send(frame)

    def _echo(self, connections: list[_GuestConnection], frame: MessageFrame | BotMessageFrame) -> None:
        faults, session_id = self.org.faults, connections[0].session.id
        is_lost = self.org.happens(faults.value(FaultName.ECHO, "lossPercent"), f"lost echo of {session_id}")
        is_double = self.org.happens(faults.value(FaultName.ECHO, "duplicatePercent"), f"double echo of {session_id}")
        delay_s = faults.value(FaultName.ECHO, "delayMs") / 1000
        for connection in connections:
            for _ in range(0 if is_lost else 1 + is_double):
                connection.send(frame, delay_s=delay_s)


class _GuestConnection:
    """One connection: `SocketHandler` towards the network, `origin` of its commands towards the org."""

    def __init__(self, sockets: GuestSockets, session: GuestSessionRecord) -> None:
        self.session = session
        self._sockets = sockets
        self._org = sockets.org
        self._guests = sockets.guests
        self._core = GuestSessionServer(extensions=frozenset({*EXTENSIONS, *session.capabilities}))
        self._socket: FaultySocket | None = None
        self._shown: tuple[str, str | None] | None = None
        self._expiry: asyncio.TimerHandle | None = None

    # --- from the network ----------------------------------------------------------------------------------------

    def opened(self, socket: Socket) -> None:
        self._socket = FaultySocket(self._org, socket, self._take)
        conversation = self._org.open_conversation(self.session)
        self._sockets.add(self)
        self.stall_or_go_on()
        self.show_status(conversation)
        self._guests.connected(self.session)
        self._watch_expiry()

    def text(self, frame: str) -> None:
        if self._socket is not None:
            self._socket.received(frame)

    def _take(self, frame: str) -> None:
        self._core.frame_received(frame, self._org.clock.now())
        for reply in self._core.effects():
            self.send_text(reply)
        for command in self._core.commands():
            conversation = self._org.conversation_of(self.session.id)
            if conversation is None:
                return
            match command:
                case SendMessage(text, content, client_id):
                    known_id = client_id if FaultName.ECHO in self.session.capabilities else None
                    self._guests.said(conversation, text, content, client_id=known_id, origin=self)
                case ShowTyping():
                    self._guests.typed(conversation, origin=self)
                case EndConversation():
                    self._guests.ended(conversation)
                case _:
                    assert_never(command)

    def writable(self) -> None:
        """Nothing waits here: what a slow reader can't take is cut off by the socket itself (4411)."""

    def closed(self, code: int) -> None:  # noqa: ARG002 - whatever the code, it is gone
        if self._expiry is not None:
            self._expiry.cancel()
        if self._socket is not None:
            self._socket.stop()
        self._sockets.discard(self)
        self._guests.disconnected(self.session)

    # --- from the org --------------------------------------------------------------------------------------------

    def show_status(self, conversation: Conversation) -> None:
        """Tell the guest the conversation's state, unless this connection was told it already; close at the end."""
        now = (str(conversation.status), conversation.agent_name if conversation.stage is Stage.AGENT else None)
        if now == self._shown:
            return
        self._shown = now
        status, agent_name = now
        if conversation.stage is Stage.ENDED and self._socket is not None:
            self._socket.hurry()
        self.send(ConversationUpdateFrame(status=status, agent_name=agent_name))
        if conversation.stage is Stage.ENDED:
            self.close(ENDED_NORMALLY, "the conversation has ended")

    def send(self, frame: OutboundFrame, *, delay_s: float = 0.0) -> None:
        """Send a frame, after `delay_s`; the faults act on it."""
        if self._socket is not None:
            # Nobody could put other frames in order again: they have neither id nor time.
            is_message = isinstance(frame, MessageFrame | BotMessageFrame)
            self._socket.send(encode(frame), session=self.session.id, may_be_overtaken=is_message, delay_s=delay_s)

    def send_text(self, text: str) -> None:
        """Send anything, garbage too."""
        if self._socket is not None:
            self._socket.send_plain(text)

    def stall_or_go_on(self) -> None:
        """Neither read nor write while the fault is on."""
        if self._socket is not None:
            self._socket.stall_or_go_on()

    def close(self, code: int, reason: str) -> None:
        """Close after what was sent."""
        if self._socket is not None:
            self._socket.close(code, reason)

    def drop(self) -> None:
        """Break the connection now, without a close frame."""
        if self._socket is not None:
            self._socket.drop()

    def _watch_expiry(self) -> None:
        left_s = (self.session.expires_at - self._org.clock.utc()).total_seconds()
        if left_s <= 0:
            self.close(SESSION_EXPIRED, "session token expired")
        else:
            self._expiry = asyncio.get_running_loop().call_later(left_s, self._watch_expiry)
