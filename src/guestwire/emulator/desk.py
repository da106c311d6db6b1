"""The desk: what agents may do, as commands on the org with clear refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from guestwire.emulator.changes import SignedInElsewhere
from guestwire.emulator.desk_content import check_content, check_text
from guestwire.emulator.desk_deployments import change_deployment
from guestwire.emulator.desk_refusals import DeskRefused
from guestwire.emulator.faults import FaultName
from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.org import Org
from guestwire.emulator.records import Agent, Conversation, Entry, Stage
from guestwire.model.ids import ConversationId

__all__ = ["Desk"]

MAX_NAME_CHARS = 64
MAX_URL_CHARS = 2048

MAX_PUSHED = 200
"""Messages at once: some pages of history, and far from what a socket's buffer takes."""


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
        agent = self.agent(agent_id)
        self._org.set_on_queue(agent, on_queue=on_queue)
        return agent

    def set_avatar(self, agent_id: str, avatar: str | None) -> Agent:
        """Give an agent a picture, by its address; None for the one that is drawn of the name."""
        agent = self.agent(agent_id)
        if avatar is not None and not _is_address(avatar):
            raise DeskRefused("bad-request", "Expected the address of a picture that begins with https:// or http://.")
        self._org.change_agent(agent, avatar=avatar)
        return agent

    def change_deployment(self, deployment_id: str, changes: Mapping[str, object]) -> dict[str, object]:
        """Change switches of a deployment; return it as it is now."""
        return change_deployment(self._org, deployment_id, changes)

    def sign_out(self, agent_id: str) -> None:
        """Take an agent from the desk."""
        self._org.remove_agent(self.agent(agent_id))

    def accept(self, conversation_id: str, agent_id: str) -> Conversation:
        """Take a conversation from the queue, or from an agent who has left the desk; one's own again is no error."""
        agent, conversation = self.agent(agent_id), self._conversation(conversation_id)
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

    def send(
        self,
        conversation_id: str,
        agent_id: str,
        text: str,
        content: Sequence[object] = (),
        *,
        as_bot: bool = False,
    ) -> Entry:
        """Send the guest a message, in the agent's name or the bot's; `content` as it stands on the wire."""
        conversation, agent = self._own(conversation_id, agent_id)
        if not text.strip() and not content:
            raise DeskRefused("bad-request", "The message is blank: write something first.")
        check_text(conversation, text)
        items = check_content(self._org, conversation, content)
        if as_bot:
            return self._org.add_entry(conversation, "bot", text, content=items)
        return self._org.add_entry(conversation, "agent", text, name=agent.name, avatar=agent.avatar, content=items)

    def push(self, conversation_id: str, agent_id: str, count: int, *, as_bot: bool = False) -> Conversation:
        """Send so many numbered messages at once, for who wants to see a long chat."""
        conversation, _ = self._own(conversation_id, agent_id)
        if not 1 <= count <= MAX_PUSHED:
            raise DeskRefused("bad-request", f"Expected a count of 1 to {MAX_PUSHED}.")
        for number in range(1, count + 1):
            self.send(conversation_id, agent_id, f"Message {number} of {count}", as_bot=as_bot)
        return conversation

    def transfer(self, conversation_id: str, agent_id: str, to: str = "bot") -> Conversation:
        """Put a conversation back to the bot, into the queue, or to the colleague of that id."""
        conversation, agent = self._own(conversation_id, agent_id)
        if to == "bot":
            self._org.add_entry(conversation, "system", f"Agent {agent.name} transferred the conversation to the bot.")
            self._guests.transfer_to_bot(conversation)
        elif to == "queue":
            self._org.add_entry(conversation, "system", f"Agent {agent.name} put the conversation back into the queue.")
            self._org.move(conversation, Stage.QUEUE)
        else:
            colleague = self.agent(to)
            if colleague is agent:
                raise DeskRefused("bad-request", "The conversation is yours already: choose a colleague.")
            words = f"Agent {agent.name} transferred the conversation to {colleague.name}."
            self._org.add_entry(conversation, "system", words)
            self._org.move(conversation, Stage.AGENT, agent=colleague)
        return conversation

    def expire(self, conversation_id: str, agent_id: str) -> Conversation:
        """Let the guest's session expire now, whoever has the conversation."""
        self.agent(agent_id)
        conversation = self._conversation(conversation_id)
        if not self._org.expire_sessions([conversation.session_id]):
            raise DeskRefused("not-possible", "The session has expired already.")
        return conversation

    def sign_in_elsewhere(self, conversation_id: str, agent_id: str) -> Conversation:
        """Have the guest sign in on another device, which ends the session here."""
        self.agent(agent_id)
        conversation = self._conversation(conversation_id)
        if conversation.protocol != "web-messaging":
            raise DeskRefused("not-possible", "This guest came by guest-session, where nobody signs in.")
        self._org.publish(SignedInElsewhere(frozenset({conversation.session_id})))
        return conversation

    def end(self, conversation_id: str, agent_id: str) -> Conversation:
        """End a conversation."""
        conversation, agent = self._own(conversation_id, agent_id)
        self._org.add_entry(conversation, "system", f"Agent {agent.name} ended the conversation.")
        self._org.move(conversation, Stage.ENDED, ended_by="agent")
        return conversation

    def agent(self, agent_id: str) -> Agent:
        """Return an agent, or refuse."""
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
        agent, conversation = self.agent(agent_id), self._conversation(conversation_id)
        if conversation.stage is not Stage.AGENT or conversation.agent_id != agent.id:
            raise DeskRefused("not-your-conversation", f"{agent.name} has not got this conversation: accept it first.")
        return conversation, agent


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    is_plain = text.isprintable() and " " not in text and len(text) <= MAX_URL_CHARS
    return is_plain and url.scheme in {"http", "https"} and bool(url.hostname)
