"""What a desk page knows: a snapshot and every change after it, folded. The demo agent's only knowledge of the org."""

from __future__ import annotations

from typing import assert_never

import msgspec

from guestwire.emulator.views import (
    AgentsFrame,
    AgentView,
    ConversationFrame,
    ConversationView,
    DeploymentsFrame,
    EntryFrame,
    EntryView,
    FaultsFrame,
    FaultView,
    FlowView,
    SnapshotFrame,
    TypingFrame,
)

__all__ = ["DeskView"]

_SILENCING = "no-agents"

_decoder = msgspec.json.Decoder(
    SnapshotFrame | AgentsFrame | ConversationFrame | EntryFrame | TypingFrame | FaultsFrame | DeploymentsFrame
)


class DeskView:
    """The desk as last heard of.

    Attributes:
        agents: Everybody at the desk, by id.
        conversations: Without their entries, by id, in the order of arrival.
    """

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self.agents: dict[str, AgentView] = {}
        self.conversations: dict[str, ConversationView] = {}
        self._entries: dict[str, list[EntryView]] = {}
        self._is_silenced = False

    def fold(self, text: str) -> None:
        """Take one frame of the event socket.

        Raises:
            msgspec.DecodeError: It is none.
        """
        frame = _decoder.decode(text)
        match frame:
            case SnapshotFrame():
                self._take_agents(frame.agents)
                self.conversations = {one.id: one for one in frame.conversations}
                self._entries = {one.id: list(one.entries or []) for one in frame.conversations}
                self._take_faults(frame.faults, frame.flow)
            case AgentsFrame():
                self._take_agents(frame.agents)
            case ConversationFrame(conversation=conversation):
                self.conversations[conversation.id] = conversation
            case EntryFrame():
                self._entries.setdefault(frame.conversation_id, []).append(frame.entry)
            case FaultsFrame():
                self._take_faults(frame.faults, frame.flow)
            case TypingFrame() | DeploymentsFrame():
                pass
            case _:
                assert_never(frame)

    def entries(self, conversation_id: str) -> list[EntryView]:
        """Return the lines of a conversation; the caller must not change them."""
        return self._entries.get(conversation_id, [])

    @property
    def has_person(self) -> bool:
        """Whether a person is on queue."""
        return any(agent.on_queue and not agent.is_demo for agent in self.agents.values())

    @property
    def is_silenced(self) -> bool:
        """Whether a fault forbids the demo agent to say anything."""
        return self._is_silenced

    def _take_agents(self, agents: list[AgentView]) -> None:
        self.agents = {agent.id: agent for agent in agents}

    def _take_faults(self, faults: list[FaultView], flow: FlowView) -> None:
        self._is_silenced = not flow.published or any(one.name == _SILENCING and one.on is True for one in faults)
