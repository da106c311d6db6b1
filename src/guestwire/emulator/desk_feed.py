"""The desk's event socket: a snapshot, then every change that agents may see, to every desk page and the demo agent."""

from __future__ import annotations

import asyncio
import contextlib
from typing import assert_never

import msgspec

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
from guestwire.emulator.desk import Desk
from guestwire.emulator.desk_deployments import deployment_views
from guestwire.emulator.guards import OwnSite
from guestwire.emulator.http import ApiError, error_body
from guestwire.emulator.org import Org
from guestwire.emulator.records import Conversation
from guestwire.emulator.views import (
    AgentsFrame,
    ConversationFrame,
    DeploymentsFrame,
    EntryFrame,
    FaultsFrame,
    FlowView,
    SnapshotFrame,
    TypingFrame,
    agent_views,
    conversation_view,
    entry_view,
    fault_views,
    snapshot,
)
from guestwire.net.websocket import Refusal, Socket, SocketHandler, UpgradeRequest

__all__ = ["DeskFeed"]

_Frame = AgentsFrame | ConversationFrame | DeploymentsFrame | EntryFrame | FaultsFrame | SnapshotFrame | TypingFrame


SEAT_KEPT_S = 10.0
"""A page that is loaded again is back within this time."""


class SeatFrame(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="seat"):
    """Who sits at the page of this socket; scripts that send none keep their place in the queue."""

    agent_id: str


class DeskFeed:
    """Turns the org's changes into frames, once for all sockets."""

    def __init__(self, org: Org, desk: Desk, site: OwnSite) -> None:
        """Listen to the org."""
        self._seats: dict[Socket, str] = {}
        self._org = org
        self._desk = desk
        self._site = site
        self._sockets: set[Socket] = set()
        self._shown: set[str] = set()
        org.subscribe(self._changed)

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        """Let our own pages in, and whatever is no page."""
        reason = self._site.refusal_of(request)
        if reason is not None:
            return Refusal(403, error_body(ApiError(403, "origin-not-allowed", reason), self._org.ids))
        return _DeskConnection(self)

    def add(self, socket: Socket) -> None:
        """Send a snapshot now and every change from now on."""
        if not self._sockets:
            self._shown = set()  # nobody watched: what was shown is not known any more
        self._sockets.add(socket)
        socket.send(_encode(self._snapshot()))

    def discard(self, socket: Socket) -> None:
        """Send nothing more; a seat that no page has open by and by goes off queue, or guests would wait for nobody."""
        self._sockets.discard(socket)
        agent_id = self._seats.pop(socket, None)
        if agent_id is not None:
            asyncio.get_running_loop().call_later(SEAT_KEPT_S, self._leave_if_empty, agent_id)

    def take_seat(self, socket: Socket, agent_id: str) -> None:
        """Take note of who sits at a page."""
        self._seats[socket] = agent_id

    def _leave_if_empty(self, agent_id: str) -> None:
        agent = self._org.agents.get(agent_id)
        if agent is not None and agent.on_queue and agent_id not in self._seats.values():
            self._org.set_on_queue(agent, on_queue=False)

    def _snapshot(self) -> SnapshotFrame:
        now = snapshot(self._org, self._desk)
        self._shown = {one.id for one in now.conversations}
        return now

    def _changed(self, change: Change) -> None:
        if not self._sockets:
            return
        for frame in self._frames(change):
            text = _encode(frame)
            for socket in tuple(self._sockets):
                socket.send(text)

    def _frames(self, change: Change) -> list[_Frame]:
        match change:
            case AgentsChanged():
                return [AgentsFrame(agents=agent_views(self._org))]
            case ConversationChanged(conversation):
                return self._conversation_frames(conversation)
            case EntryAdded(conversation, entry, _):
                if not self._desk.is_shown(conversation):
                    return []
                frame = EntryFrame(conversation_id=conversation.id, entry=entry_view(entry))
                is_known = conversation.id in self._shown
                return [frame] if is_known else [*self._conversation_frames(conversation), frame]
            case Typed(conversation, sender, _):
                is_shown = self._desk.is_shown(conversation)
                return [TypingFrame(conversation_id=conversation.id, sender=sender)] if is_shown else []
            case FaultsChanged(is_flow_changed):
                faults = FaultsFrame(
                    faults=fault_views(self._org), flow=FlowView(published=self._org.is_flow_published)
                )
                # With the flow, conversations come into sight or leave it: only a snapshot can take them away.
                return [faults, self._snapshot()] if is_flow_changed else [faults]
            case WasReset():
                return [self._snapshot()]
            case SessionsExpired() | SocketsDropped() | GarbageSent():
                return []
            case DeploymentChanged():
                return [DeploymentsFrame(deployments=deployment_views(self._org))]
            case SignedInElsewhere() | LoggedOut() | ConnectionLimitReached():
                return []
            case _:
                assert_never(change)

    def _conversation_frames(self, conversation: Conversation) -> list[_Frame]:
        if self._desk.is_shown(conversation):
            self._shown.add(conversation.id)
            return [ConversationFrame(conversation=conversation_view(conversation, with_entries=False))]
        if conversation.id in self._shown:
            return [self._snapshot()]
        return []


class _DeskConnection:
    """One socket of a desk page."""

    def __init__(self, feed: DeskFeed) -> None:
        self._feed = feed
        self._socket: Socket | None = None

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        self._feed.add(socket)

    def text(self, frame: str) -> None:
        """Take who sits at the page; commands go by REST, and anything else is nothing."""
        with contextlib.suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            seat = msgspec.json.decode(frame, type=SeatFrame)
            if self._socket is not None:
                self._feed.take_seat(self._socket, seat.agent_id)

    def writable(self) -> None:
        """A page that is too slow is cut off by the socket itself (4411), comes back and gets a snapshot."""

    def closed(self, code: int) -> None:  # noqa: ARG002 - whatever the code, it is gone
        if self._socket is not None:
            self._feed.discard(self._socket)


def _encode(frame: _Frame) -> str:
    return msgspec.json.encode(frame).decode()
