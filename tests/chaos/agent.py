"""An agent at the emulator's desk: takes every conversation that waits, and says numbered things in all of them."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

from guestwire.errors import ConnectionLost
from guestwire.model.http import HttpRequest
from guestwire.net.http import HttpClient
from tests.chaos.history import History

__all__ = ["Agent"]


class Agent:
    """Somebody who works with the desk's HTTP API."""

    def __init__(self, url: str, client: HttpClient, history: History, rng: Random) -> None:
        self._url = f"{url}/desk/api"
        self._client = client
        self._history = history
        self._rng = rng
        self._id = ""
        self._conversations: dict[str, str] = {}
        self._said = 0

    async def sign_in(self) -> None:
        """Come to the desk, on queue."""
        self._id = (await self._call("POST", "/agents", name="Alex"))["id"]
        await self._call("PATCH", f"/agents/{self._id}", onQueue=True)

    async def accept(self, conversation: str, session: str) -> None:
        """Take a conversation."""
        path = f"/conversations/{conversation}/accept"
        try:
            await self._call("POST", path, agentId=self._id)
        except ConnectionLost:
            await self._call("POST", path, agentId=self._id)  # again is no error
        self._conversations[session] = conversation

    async def say(self, session: str) -> None:
        """Say something to a guest; the history tells whether the provider has it."""
        self._said += 1
        text = f"to {session}: {self._said}"
        self._history.add("agent", "invoke", "say", session=session, text=text)
        path = f"/conversations/{self._conversations[session]}/messages"
        try:
            await self._call("POST", path, agentId=self._id, text=text)
        except ConnectionLost:  # a server may close an idle connection just when it is used again
            self._history.add("agent", "info", "say", session=session, text=text)
        else:
            self._history.add("agent", "ok", "say", session=session, text=text)

    async def talk(self, *, per_s: float) -> None:
        """Go on until cancelled, `per_s` in each conversation on average."""
        while True:
            count = len(self._conversations)
            await asyncio.sleep(self._rng.uniform(0.0, 2.0 / (per_s * max(1, count))))
            if count:
                await self.say(self._rng.choice(list(self._conversations)))

    async def _call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        answer = await self._client.send(HttpRequest(method, f"{self._url}{path}", headers, json.dumps(body).encode()))
        assert 200 <= answer.status < 300, answer.body
        decoded: dict[str, Any] = json.loads(answer.body)
        return decoded
