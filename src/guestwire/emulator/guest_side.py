"""What a guest does in the org, and what the flow makes of it."""

from __future__ import annotations

from guestwire.emulator.flow import BotSays, Flow
from guestwire.emulator.org import Org
from guestwire.emulator.records import Conversation, GuestSessionRecord, Stage
from guestwire.emulator.showcase import Shown, show
from guestwire.model.content import ContentItem

__all__ = ["GuestSide"]


class GuestSide:
    """Commands of guests.

    `origin` is the connection that a command came by, whatever it is: what comes back to the guest's other connections
    is not sent to that one.
    """

    def __init__(self, org: Org, flow: Flow) -> None:
        """Let guests into `org`, where `flow` receives them."""
        self._org = org
        self._flow = flow

    def connected(self, session: GuestSessionRecord) -> None:
        """Count a new connection; the session's first one starts its conversation, and the bot greets."""
        conversation = self._org.open_conversation(session)
        self._org.count_connection(conversation, 1)
        self.joined(conversation)

    def joined(self, conversation: Conversation) -> None:
        """Have the bot greet whoever it has not greeted yet."""
        if self._org.is_flow_published and not conversation.is_greeted:
            self._greet(conversation)

    def disconnected(self, session: GuestSessionRecord) -> None:
        """Count a lost connection; nothing ends by it."""
        conversation = self._org.conversation_of(session.id)
        if conversation is not None and conversation.connections > 0:
            self._org.count_connection(conversation, -1)

    def said(
        self,
        conversation: Conversation,
        text: str,
        content: tuple[ContentItem, ...] = (),
        *,
        client_id: str | None = None,
        entry_id: str | None = None,
        in_reply_to: str | None = None,
        is_authenticated: bool = False,
        origin: object = None,
    ) -> None:
        """Add the guest's message; while the bot has the conversation, it answers. After the end nothing is said.

        Nothing is found to be a repetition: as at the platform, what is written twice was said twice. A guest whose
        first message comes before the greeting is greeted first, and then answered only if they were understood [D].
        """
        if conversation.stage is Stage.ENDED:
            return
        name = conversation.guest_name
        self._org.add_entry(
            conversation,
            "guest",
            text,
            name=name,
            content=content,
            client_id=client_id,
            entry_id=entry_id,
            in_reply_to=in_reply_to,
            is_authenticated=is_authenticated,
            origin=origin,
        )
        if conversation.stage is not Stage.BOT or not self._org.is_flow_published:
            return
        was_greeted = not conversation.is_greeted and self._greet(conversation)
        if not was_greeted or self._understands(text, content):
            self._answer(conversation, text, content)

    def typed(self, conversation: Conversation, *, origin: object = None) -> None:
        """Show the desk that the guest is typing."""
        if conversation.stage is not Stage.ENDED:
            self._org.show_typing(conversation, "guest", origin=origin)

    def ended(self, conversation: Conversation) -> None:
        """End the conversation, as the guest wishes."""
        if conversation.stage is Stage.ENDED:
            return
        self._org.add_entry(conversation, "system", "The guest left and ended the conversation.")
        self._org.move(conversation, Stage.ENDED, ended_by="guest")

    def route_waiting(self) -> None:
        """Let a flow that was just published take up what came in meanwhile.

        Who has said something is answered as if it were said now, in the order of arrival; who has not is greeted.
        """
        for conversation in list(self._org.conversations.values()):
            if conversation.stage is not Stage.BOT:
                continue
            spoken = [entry for entry in conversation.entries if entry.sender != "system"]
            if not conversation.is_greeted:
                self._greet(conversation)
            if spoken and spoken[-1].sender == "guest":
                self._answer(conversation, spoken[-1].text, spoken[-1].content)

    def transfer_to_bot(self, conversation: Conversation) -> None:
        """Put a conversation back to the bot, which says so; nobody does while the flow is not published."""
        self._org.move(conversation, Stage.BOT)
        if self._org.is_flow_published:
            self._say(conversation, self._flow.welcome_back())

    def _greet(self, conversation: Conversation) -> bool:
        """Greet, unless the deployment's bot does not speak first; return whether it did."""
        self._org.mark_greeted(conversation)
        deployment = self._org.deployments.get(conversation.deployment_id or "")
        if deployment is not None and not deployment.bot_greets:
            return False
        self._say(conversation, self._flow.greet(conversation.guest_name))
        return True

    def _understands(self, text: str, content: tuple[ContentItem, ...]) -> bool:
        return self._flow.understands(text, content) or bool(show(text, content, self._org.clock.utc()))

    def _answer(self, conversation: Conversation, text: str, content: tuple[ContentItem, ...]) -> None:
        shown = () if self._flow.understands(text, content) else show(text, content, self._org.clock.utc())
        for one in shown:
            self._show(conversation, one)
        if shown:
            return
        answer = self._flow.answer(text, content)
        self._say(conversation, answer)
        if answer.hands_over:
            self._org.add_entry(conversation, "system", f"Handed over to the queue {self._org.queue_name}.")
            self._org.move(conversation, Stage.QUEUE)

    def _show(self, conversation: Conversation, shown: Shown) -> None:
        content = shown.content
        if shown.file is not None:
            file = self._org.add_file(shown.file.name, shown.file.mime, shown.file.data)
            content = (*content, file.as_item())
        self._org.add_entry(conversation, "bot", shown.text, content=content)

    def _say(self, conversation: Conversation, said: BotSays) -> None:
        self._org.add_entry(conversation, "bot", said.text, content=said.content)
