"""The demo agent: answers when nobody is at the desk, as a client of the desk's own API over loopback.

It knows what any desk page knows (`DeskView`). After each change it looks at the whole and does what is due: goes off
queue when a person is on queue and back when nobody is, takes who waits, answers what is unanswered. The faults
no-agents and unpublish-flow silence it; what was asked meanwhile it answers afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec

from guestwire.emulator.demo_script import DemoScript, Said
from guestwire.emulator.desk_view import DeskView
from guestwire.emulator.views import ConversationView, EntryView
from guestwire.model.content import Attachment, ButtonResponse, parse_content
from guestwire.net.clock import Clock, SystemClock

__all__ = ["DEMO_AGENT_NAME", "DemoAgent"]

DEMO_AGENT_NAME = "Demo Agent"

MAX_TAKE_DELAY_S = 1.0
"""It takes a chat after this at the latest, however slowly it then answers: within two seconds is the promise."""

RETRY_S = 0.5
"""Between two attempts to come to the desk."""

CALL_LIMIT_S = 10.0


class _Refused(Exception):
    """The desk refused a command; the next change tells why."""


class _AgentAnswer(msgspec.Struct, frozen=True):
    id: str


class DemoAgent:
    """Works at one desk until cancelled.

    Attributes:
        is_ready: Set once it is at the desk and has taken its place, on queue or off it.
    """

    def __init__(self, url: str, *, delay_s: float = 1.0, clock: Clock | None = None) -> None:
        """Prepare; `url` is the emulator's, `delay_s` how long each answer takes to write."""
        self._url = url
        self._delay_s = delay_s
        self._clock = clock or SystemClock()
        self._desk = DeskView()
        self._id = ""
        self._chats: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self.is_ready = asyncio.Event()

    async def run(self) -> None:
        """Work; come back to the desk after a lost connection. Ends by cancellation only."""
        timeout = aiohttp.ClientTimeout(total=CALL_LIMIT_S)
        async with aiohttp.ClientSession(self._url, trust_env=False, timeout=timeout) as http:
            while True:
                try:
                    await self._work(http)
                except (aiohttp.ClientError, TimeoutError, _Refused):
                    pass  # the server is going away, or was reset under our hands: come again
                finally:
                    await self._leave_chats()
                await self._clock.sleep(RETRY_S)

    async def _work(self, http: aiohttp.ClientSession) -> None:
        async with http.ws_connect("/desk/api/events", max_msg_size=0) as events:
            async for event in events:
                if event.type is aiohttp.WSMsgType.TEXT:
                    self._desk.fold(event.data)
                    self._changed.set()
                    self._changed = asyncio.Event()
                    await self._attend(http)

    async def _attend(self, http: aiohttp.ClientSession) -> None:
        desk = self._desk
        me = desk.agents.get(self._id)
        if me is None:
            # At the start, and after a reset, which forgets everybody. The desk tells of us next.
            body = await _call(http, "POST", "/desk/api/agents", {"name": DEMO_AGENT_NAME, "isDemo": True})
            self._id = msgspec.json.decode(body, type=_AgentAnswer).id
        elif me.on_queue is desk.has_person:
            await _call(http, "PATCH", f"/desk/api/agents/{self._id}", {"onQueue": not desk.has_person})
        else:
            self.is_ready.set()
            for conversation in desk.conversations.values():
                if conversation.id not in self._chats and (self._has(conversation) or self._may_take(conversation)):
                    chat = self._see_through(http, conversation.id)
                    self._chats[conversation.id] = asyncio.create_task(chat, name="demo agent's chat")

    # --- one conversation ----------------------------------------------------------------------------------------

    async def _see_through(self, http: aiohttp.ClientSession, conversation_id: str) -> None:
        try:
            if await self._take(http, conversation_id):
                await self._talk(http, conversation_id)
        except (aiohttp.ClientError, TimeoutError, _Refused):
            pass  # ended, transferred or taken meanwhile; if it is still ours, the next change starts this again
        finally:
            self._chats.pop(conversation_id, None)

    async def _take(self, http: aiohttp.ClientSession, conversation_id: str) -> bool:
        if self._has(self._find(conversation_id)):
            return True
        await self._clock.sleep(min(self._delay_s / 2, MAX_TAKE_DELAY_S))
        if not self._may_take(self._find(conversation_id)):
            return False
        await self._command(http, conversation_id, "accept")
        await self._until(lambda: self._has(self._find(conversation_id)))
        return True

    async def _talk(self, http: aiohttp.ClientSession, conversation_id: str) -> None:
        conversation = self._desk.conversations[conversation_id]
        script = DemoScript(DEMO_AGENT_NAME, conversation.guest.name or None)
        question, answered, has_greeted = _take_up(self._desk.entries(conversation_id))

        def is_due() -> bool:
            if not self._has(self._find(conversation_id)):
                return True
            has_work = not has_greeted or _next_open(self._desk.entries(conversation_id), answered) is not None
            return has_work and not self._desk.is_silenced

        while True:
            await self._until(is_due)
            if not self._has(self._find(conversation_id)):
                return
            entry = _next_open(self._desk.entries(conversation_id), answered)
            if entry is None or not has_greeted:
                said = script.greet(question)
                has_greeted = True
            else:
                answered.add(entry.id)
                said = script.answer(_words(entry))
            await self._say(http, conversation_id, said)
            if said.ends:
                return

    async def _say(self, http: aiohttp.ClientSession, conversation_id: str, said: Said) -> None:
        await self._command(http, conversation_id, "typing")
        await self._clock.sleep(self._delay_s)
        # A fault that came on while it wrote silences it before it sends.
        await self._until(lambda: not self._desk.is_silenced or not self._has(self._find(conversation_id)))
        await self._command(http, conversation_id, "messages", text=said.text)
        if said.ends:
            await self._command(http, conversation_id, "end")

    async def _command(self, http: aiohttp.ClientSession, conversation_id: str, command: str, **members: str) -> None:
        path = f"/desk/api/conversations/{conversation_id}/{command}"
        await _call(http, "POST", path, {"agentId": self._id, **members})

    # --- what it knows -------------------------------------------------------------------------------------------

    def _find(self, conversation_id: str) -> ConversationView | None:
        return self._desk.conversations.get(conversation_id)

    def _has(self, conversation: ConversationView | None) -> bool:
        return conversation is not None and conversation.stage == "agent" and conversation.agent_id == self._id

    def _may_take(self, conversation: ConversationView | None) -> bool:
        me = self._desk.agents.get(self._id)
        is_free = me is not None and me.on_queue and not self._desk.has_person and not self._desk.is_silenced
        return is_free and conversation is not None and conversation.stage == "queue"

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    async def _leave_chats(self) -> None:
        chats = list(self._chats.values())
        for chat in chats:
            chat.cancel()
        await asyncio.gather(*chats, return_exceptions=True)


def _take_up(entries: list[EntryView]) -> tuple[str | None, set[str], bool]:
    """Find out where a conversation stands that has just been taken.

    Returns:
        The text that the bot handed over, ids of the guest's texts that need no answer any more, and whether this agent
        has greeted already (it comes back to a chat it had).
    """
    handed_over = _last(entries, lambda entry: entry.sender == "bot")
    spoken = _last(entries, lambda entry: entry.sender == "agent" and entry.name == DEMO_AGENT_NAME)
    since = max(handed_over, spoken)
    answered = {entry.id for entry in entries[: since + 1] if entry.sender == "guest"}
    questions = [_words(entry) for entry in entries[: handed_over + 1] if entry.sender == "guest"]
    return (questions[-1] if questions else None), answered, spoken > handed_over


def _words(entry: EntryView) -> str:
    """Return what a guest said; without words, what they chose, filled in or sent."""
    if entry.text.strip() or not entry.content:
        return entry.text
    found = []
    for item in parse_content(entry.content):
        match item.value:
            case ButtonResponse(text=text, payload=payload):
                found.append(text or payload)
            case Attachment(filename=name):
                found.append(name or "a file")
            case _:
                found.append(item.kind)
    return ", ".join(found)


def _last(entries: list[EntryView], fits: Callable[[EntryView], bool]) -> int:
    return next((index for index in reversed(range(len(entries))) if fits(entries[index])), -1)


def _next_open(entries: list[EntryView], answered: set[str]) -> EntryView | None:
    return next((entry for entry in entries if entry.sender == "guest" and entry.id not in answered), None)


async def _call(http: aiohttp.ClientSession, method: str, path: str, body: dict[str, object]) -> bytes:
    async with http.request(method, path, json=body) as answer:
        if answer.status >= 400:
            raise _Refused(f"{method} {path}: {answer.status}")
        return await answer.read()
