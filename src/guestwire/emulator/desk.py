"""The desk: what agents may do, as commands on the org with clear refusals."""

from __future__ import annotations

from guestwire.emulator.faults import FaultName
from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.org import Org
from guestwire.emulator.records import Agent, Conversation, Entry, Stage
from guestwire.model.content import ContentItem
from guestwire.model.ids import ConversationId
from guestwire.protocols.guest_session.wire import MAX_TEXT_BYTES

__all__ = ["REFUSALS", "Desk", "DeskRefused"]

MAX_NAME_CHARS = 64

REFUSALS: dict[str, int] = {
    "bad-request": 400,
    "not-found": 404,
    "not-your-conversation": 403,
    "already-taken": 409,
    "ended": 409,
    "off-queue": 409,
    "with-bot": 409,
    "no-agents": 409,
}
"""Code of a refusal → status it is answered with."""


class DeskRefused(Exception):
    """An agent may not do that now.

    Attributes:
        code: A key of `REFUSALS`.
    """

    def __init__(self, code: str, message: str) -> None:
        """Say what was refused and why, in a sentence for the agent."""
        super().__init__(message)
        self.code = code


class Desk:
    """Commands of agents, the demo agent included; every refusal is a `DeskRefused` and changes nothing."""

    def __init__(self, org: Org, guests: GuestSide) -> None:
        """Open the desk of `org`."""
        self._org = org
        self._guests = guests

    def is_shown(self, conversation: Conversation) -> bool:
        """Return whether agents see a conversation: not while it sits in a flow that is not published."""
        return conversation.stage is not Stage.BOT or self._org.is_flow_published

    def sign_in(self, name: str, *, is_demo: bool = False) -> tuple[Agent, bool]:
        """Return the agent of that name, and whether they have only now come to the desk (off queue)."""
        name = name.strip()
        if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
            raise DeskRefused("bad-request", f"Expected a name of 1 to {MAX_NAME_CHARS} printable characters.")
        known = next((one for one in self._org.agents.values() if one.name == name), None)
        if known is None:
            return self._org.add_agent(name, is_demo=is_demo), True
        if known.is_demo is not is_demo:
            raise DeskRefused("already-taken", f"{name} is the demo agent's name: choose another one.")
        return known, False

    def set_on_queue(self, agent_id: str, *, on_queue: bool) -> Agent:
        """Put an agent on or off queue."""
        agent = self._agent(agent_id)
        self._org.set_on_queue(agent, on_queue=on_queue)
        return agent

    def sign_out(self, agent_id: str) -> None:
        """Take an agent from the desk."""
        self._org.remove_agent(self._agent(agent_id))

    def accept(self, conversation_id: str, agent_id: str) -> Conversation:
        """Take a conversation from the queue, or from an agent who has left the desk; one's own again is no error."""
        agent, conversation = self._agent(agent_id), self._conversation(conversation_id)
        if conversation.stage is Stage.AGENT and conversation.agent_id == agent.id:
            return conversation
        if conversation.stage is Stage.BOT:
            raise DeskRefused("with-bot", "The bot still has this conversation: wait until it hands over.")
        if conversation.stage is Stage.AGENT and conversation.agent_id in self._org.agents:
            raise DeskRefused("already-taken", f"{conversation.agent_name} has this conversation already.")
        if self._org.faults.is_on(FaultName.NO_AGENTS):
            raise DeskRefused("no-agents", "The fault no-agents is on: nobody can take a conversation.")
        if not agent.on_queue:
            raise DeskRefused("off-queue", f"{agent.name} is off queue: go on queue first.")
        self._org.move(conversation, Stage.AGENT, agent=agent)
        self._org.add_entry(conversation, "system", f"Agent {agent.name} joined.")
        return conversation

    def typing(self, conversation_id: str, agent_id: str) -> Conversation:
        """Show the guest that the agent is typing."""
        conversation, _ = self._own(conversation_id, agent_id)
        self._org.show_typing(conversation, "agent")
        return conversation

    def send(self, conversation_id: str, agent_id: str, text: str, content: tuple[ContentItem, ...] = ()) -> Entry:
        """Send the guest a message."""
        conversation, agent = self._own(conversation_id, agent_id)
        if not text.strip() and not content:
            raise DeskRefused("bad-request", "The message is blank: write something first.")
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise DeskRefused("bad-request", f"The text is longer than {MAX_TEXT_BYTES} bytes: send it in parts.")
        return self._org.add_entry(conversation, "agent", text, name=agent.name, content=content)

    def transfer(self, conversation_id: str, agent_id: str) -> Conversation:
        """Put a conversation back to the bot."""
        conversation, agent = self._own(conversation_id, agent_id)
        self._org.add_entry(conversation, "system", f"Agent {agent.name} transferred the conversation to the bot.")
        self._guests.transfer_to_bot(conversation)
        return conversation

    def end(self, conversation_id: str, agent_id: str) -> Conversation:
        """End a conversation."""
        conversation, agent = self._own(conversation_id, agent_id)
        self._org.add_entry(conversation, "system", f"Agent {agent.name} ended the conversation.")
        self._org.move(conversation, Stage.ENDED, ended_by="agent")
        return conversation

    def _agent(self, agent_id: str) -> Agent:
        agent = self._org.agents.get(agent_id)
        if agent is None:
            raise DeskRefused("not-found", "There is no such agent: sign in first.")
        return agent

    def _conversation(self, conversation_id: str) -> Conversation:
        conversation = self._org.conversations.get(ConversationId(conversation_id))
        if conversation is None or not self.is_shown(conversation):
            raise DeskRefused("not-found", "There is no such conversation.")
        if conversation.stage is Stage.ENDED:
            raise DeskRefused("ended", "The conversation has ended.")
        return conversation

    def _own(self, conversation_id: str, agent_id: str) -> tuple[Conversation, Agent]:
        agent, conversation = self._agent(agent_id), self._conversation(conversation_id)
        if conversation.stage is not Stage.AGENT or conversation.agent_id != agent.id:
            raise DeskRefused("not-your-conversation", f"{agent.name} has not got this conversation: accept it first.")
        return conversation, agent
