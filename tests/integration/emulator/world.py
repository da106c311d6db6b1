"""An emulator seen from outside: HTTP calls, guests' WebSockets, the desk's event socket. No client of ours is used."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from guestwire.emulator import Emulator
from guestwire.settings import EmulatorSettings

LIMIT_S = 5.0
"""Nothing on loopback takes this long; a test that waits longer has failed."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of an error body, whose shape is checked on the way."""
        body = self.json
        assert {"message", "code", "status", "contextId"} <= set(body), body
        assert body["status"] == self.status
        assert body["message"]
        return str(body["code"])


class Guest:
    """One connection of a guest."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: dict[str, Any]) -> None:
        self.socket = socket
        self.session = session

    async def raw(self) -> str:
        message = await self.socket.receive(timeout=LIMIT_S)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return str(message.data)

    async def frame(self) -> dict[str, Any]:
        frame = json.loads(await self.raw())
        assert isinstance(frame, dict)
        return frame

    async def until(self, kind: str, **members: object) -> dict[str, Any]:
        """Return the next frame of this kind with these members; those before it are dropped."""
        while True:
            frame = await self.frame()
            if frame.get("type") == kind and members.items() <= frame.items():
                return frame

    async def send(self, frame: object) -> None:
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def say(self, text: str, **members: object) -> None:
        await self.send({"type": "message", "text": text, **members})

    async def close_code(self) -> int:
        """Return the code that the connection was closed with; frames before it are dropped.

        From the close frame itself: aiohttp makes 1006 of it when the server is gone before its answer.
        """
        while True:
            message = await self.socket.receive(timeout=LIMIT_S)
            if message.type is aiohttp.WSMsgType.CLOSE:
                return int(message.data)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return 1006


class World:
    """One running emulator."""

    def __init__(self, emulator: Emulator, http: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.http = http

    async def call(
        self, method: str, path: str, json: object = None, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        if json is not None:
            more["json"] = json
        async with self.http.request(method, path, headers=headers, allow_redirects=False, **more) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.text())

    # --- the guest's side ----------------------------------------------------------------------------------------

    async def ask_token(self, path: str | None = None, **form: str | None) -> Answer:
        asked: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_id": "demo-client",
            "client_secret": "demo-secret",
            "scope": "chat:guest:create",
            **form,
        }
        sent = {name: value for name, value in asked.items() if value is not None}
        return await self.call("POST", path or "/api/v2/oauth/token", data=sent)

    async def access_token(self, **form: str | None) -> str:
        answer = await self.ask_token(**form)
        assert answer.status == 200, answer.text
        return str(answer.json["access_token"])

    async def ask_session(self, access_token: str, details: object | None = None, **more: Any) -> Answer:
        headers = {"authorization": f"Bearer {access_token}"}
        return await self.call("POST", "/api/v2/chat/guestsessions", details, headers=headers, **more)

    async def session(self, **details: str) -> dict[str, Any]:
        answer = await self.ask_session(await self.access_token(), details)
        assert answer.status == 200, answer.text
        session = answer.json
        assert isinstance(session, dict)
        return session

    async def check_session(self, session_id: str, token: str) -> Answer:
        headers = {"authorization": f"Bearer {token}"}
        return await self.call("GET", f"/api/v2/chat/guestsessions/{session_id}", headers=headers)

    async def open(self, session: dict[str, Any]) -> Guest:
        query = {"sessionId": session["sessionId"], "token": session["token"]}
        return Guest(await self.http.ws_connect(session["webSocketUrl"], params=query), session)

    async def refused_upgrade(self, query: Mapping[str, str]) -> int:
        """Return the status that the upgrade was refused with."""
        try:
            await self.http.ws_connect(self.emulator.ws_url, params=query)
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        raise AssertionError("Expected the upgrade to be refused, but it was not.")

    async def guest(self, **details: str) -> Guest:
        """Return a guest who has read the greeting."""
        guest = await self.open(await self.session(**details))
        await guest.until("bot-message")
        return guest

    async def guest_in_queue(self, question: str = "Where is my order?", **details: str) -> Guest:
        guest = await self.guest(**details)
        await guest.say(question)
        await guest.until("bot-message")
        return guest

    # --- the desk and the control API ----------------------------------------------------------------------------

    async def agent(self, name: str = "Ada", *, on_queue: bool = True) -> str:
        answer = await self.call("POST", "/desk/api/agents", {"name": name})
        assert answer.status in {200, 201}, answer.text
        agent_id = str(answer.json["id"])
        await self.call("PATCH", f"/desk/api/agents/{agent_id}", {"onQueue": on_queue})
        return agent_id

    async def conversation(self, guest: Guest) -> dict[str, Any]:
        """Return the guest's conversation as the desk sees it."""
        state = (await self.call("GET", "/desk/api/state")).json
        found = [one for one in state["conversations"] if one["sessionId"] == guest.session["sessionId"]]
        assert len(found) == 1, state["conversations"]
        conversation = found[0]
        assert isinstance(conversation, dict)
        return conversation

    async def command(self, conversation_id: str, command: str, agent_id: str, **members: object) -> Answer:
        path = f"/desk/api/conversations/{conversation_id}/{command}"
        return await self.call("POST", path, {"agentId": agent_id, **members})

    async def accepted(self, guest: Guest, agent_id: str) -> str:
        """Have the agent accept the guest's conversation; return its id."""
        conversation_id = str((await self.conversation(guest))["id"])
        answer = await self.command(conversation_id, "accept", agent_id)
        assert answer.status == 200, answer.text
        await guest.until("conversation-update", status="connected")
        return conversation_id

    async def switch(self, fault: str, *, on: bool = True, **params: object) -> None:
        answer = await self.call("PUT", f"/emulator/faults/{fault}", {"on": on, **params})
        assert answer.status == 200, answer.text
        assert answer.json["on"] is on

    async def fire(self, fault: str) -> None:
        answer = await self.call("POST", f"/emulator/faults/{fault}", {})
        assert answer.status == 200, answer.text

    async def desk_events(self) -> DeskEvents:
        return DeskEvents(await self.http.ws_connect("/desk/api/events"))


class DeskEvents:
    """The desk's event socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> dict[str, Any]:
        frame = await self.socket.receive_json(timeout=LIMIT_S)
        assert isinstance(frame, dict)
        return frame

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            frame = await self.next()
            if frame["type"] == kind:
                return frame


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[World]:
    """Run an emulator on a free port, without a demo agent unless told, and with an impatient one."""
    in_effect = {"port": 0, "demo_agent": False, "demo_agent_delay_s": 0.0, **settings}
    async with (
        Emulator(EmulatorSettings(**in_effect)) as emulator,
        aiohttp.ClientSession(emulator.url, timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as http,
    ):
        yield World(emulator, http)


async def nothing_more(guest: Guest) -> None:
    """Check that nothing is under way to the guest.

    Frames keep their order, so what was sent arrives before the answer to a bad frame; five round trips in the loop
    that the emulator shares are also time enough for an impatient demo agent to say what it should not.
    """
    for _ in range(5):
        await guest.send({"type": "anything-more"})
        frame = await guest.frame()
        assert frame.get("code") == "bad-frame", frame
