"""A guest by the book (reliability 2.11): what it has said is kept until it is accepted, under the same client id.

Its tabs write down every frame they get; whether the frames are right is the checker's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from random import Random
from typing import Any

from guestwire.errors import ChatError
from guestwire.model.http import HttpRequest
from guestwire.net.http import HttpClient
from guestwire.net.transport import ClientSocket
from tests.chaos.history import History, digest

__all__ = ["Guest", "Tab"]

SESSIONS = "/api/v2/chat/guestsessions"

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.5
"""A tenth of what real clients take (0.5 to 30 s), so that a run of seconds sees as many returns as one of minutes."""

SAY_AGAIN_S = 0.3
"""When what was refused for now is said again."""

RECORDS = frozenset({"message", "bot-message", "conversation-update", "receipt"})
FINAL = frozenset({"delivered", "failed", "unconfirmed", "read"})

LATER = frozenset({"too-many-waiting", "rate-limited", "log-unavailable", "busy"})
"""Errors that do not mean the message."""

FOR_GOOD = frozenset({4400, 4401, 4403, 4412, 4499})
"""Close codes after which a client stays away."""


class Guest:
    """Who has a session, and some tabs.

    Attributes:
        url: Where the gateway is, for this guest.
    """

    def __init__(self, name: str, url: str, client: HttpClient, history: History, rng: Random) -> None:
        self.name = name
        self.url = url
        self.client = client
        self.history = history
        self.rng = rng
        self.session_id = ""
        self.token = ""
        self.tabs: list[Tab] = []

    async def create(self) -> None:
        """Create the session; its name is how the provider's side knows whose it is."""
        body = json.dumps({"name": self.name}).encode()
        headers = {"content-type": "application/json", "idempotency-key": str(uuid.UUID(int=self.rng.getrandbits(128)))}
        answer = await self.client.send(HttpRequest("POST", f"{self.url}{SESSIONS}", headers, body))
        assert answer.status == 200, answer.body
        made = json.loads(answer.body)
        self.session_id, self.token = made["sessionId"], made["token"]

    def open_tab(self, *, ping_s: float = 5.0, pong_s: float = 10.0) -> Tab:
        """Open another tab; see `Tab.run`."""
        tab = Tab(self, chr(ord("a") + len(self.tabs)), ping_s=ping_s, pong_s=pong_s)
        self.tabs.append(tab)
        return tab


class Tab:
    """One tab: a view that follows the log, and an outbox."""

    def __init__(self, guest: Guest, letter: str, *, ping_s: float, pong_s: float) -> None:
        self.guest = guest
        self.name = f"{guest.name}/{letter}"
        self.outbox: dict[str, str] = {}
        self.last = 0
        self.head = 0
        self.texts: set[str] = set()
        self.status = ""
        """The conversation's."""
        self.open: set[str] = set()
        """Client ids of messages that are in the view and not settled."""
        self.is_synced = False
        self.is_welcome = False
        self.is_over = False
        self.losses = 0
        self._online = asyncio.Event()
        self._attempt: asyncio.Task[bool] | None = None
        self._epoch: str | None = None
        self._asked: int | None = None
        self._socket: ClientSocket | None = None
        self._ping_s = ping_s
        self._pong_s = pong_s
        self._heard_at = 0.0
        self._said = 0
        self._written: set[str] = set()
        """What some connection was given."""
        self._under_way: set[str] = set()
        """What this connection was given and has not answered."""
        self._turn = asyncio.Lock()
        """Of this connection: one that hangs must not hold up the next one."""
        self._work: set[asyncio.Task[None]] = set()

    # --- what the guest does ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Be connected, again and again, until `close` or for good."""
        attempt = 0
        while not self.is_over:
            self._online.clear()
            self._attempt = asyncio.create_task(self._connect())
            try:
                await asyncio.wait({self._attempt})
            except asyncio.CancelledError:
                self._attempt.cancel()
                raise
            if not self._attempt.cancelled() and self._attempt.result():
                attempt = 0
            if not self.is_over:
                most_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
                attempt += 1
                await self._wait(self.guest.rng.uniform(0.0, most_s))
        while self._work:
            await asyncio.wait(self._work)

    async def say(self, text: str = "") -> str:
        """Say something; it is kept until it is accepted."""
        self._said += 1
        client = str(uuid.UUID(int=self.guest.rng.getrandbits(128)))
        text = text or f"{self.name} says {self._said}"
        self._note("invoke", "send", client=client, text=text)
        self.outbox[client] = text
        await self._send_waiting()
        return client

    async def talk(self, *, per_s: float, most_open: int = 4) -> None:
        """Go on saying something until cancelled, but wait while much is not accepted."""
        while True:
            await asyncio.sleep(self.guest.rng.uniform(0.0, 2.0 / per_s))
            if len(self.outbox) < most_open:
                await self.say()

    def reload(self) -> None:
        """Load the page again: the view is gone and comes again; the outbox stays."""
        self._epoch = self._asked = None
        self.drop()

    def drop(self) -> None:
        """Leave the connection; a new one follows."""
        if self._socket is not None:
            self._spawn(self._close(self._socket))

    def be_online(self) -> None:
        """Learn that the network is back: what was begun without it is given up, and the next attempt made at once."""
        if not self.is_synced:
            self._note("info", "online")
            self._online.set()
            if self._attempt is not None:
                self._attempt.cancel()

    def close(self) -> None:
        """Close the tab."""
        self.is_over = True
        self._online.set()
        self.drop()

    async def ping(self) -> None:
        """Ask where the log stands."""
        if self.is_welcome:
            await self._write(type="ping", seq=self.last)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is expected any more, as far as this tab can know."""
        return self.is_synced and not self.outbox and not self.open

    # --- connections --------------------------------------------------------------------------------------------------

    async def _connect(self) -> bool:
        """Have one connection; return whether it came to `synced`."""
        self._note("invoke", "resume")
        try:
            async with asyncio.timeout(self._pong_s):
                socket = await self.guest.client.open_socket(f"{self.guest.url.replace('http', 'ws')}/ws")
        except (ChatError, TimeoutError):
            return False
        self._socket = socket
        was_synced = False
        self._heard_at = asyncio.get_running_loop().time()
        tasks = {asyncio.create_task(self._read(socket)), asyncio.create_task(self._watch())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_synced = self.is_synced
            self.is_synced = self.is_welcome = False
            self._socket = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            code = socket.close_code
            self._spawn(self._close(socket))
        self.losses += 1
        self._note("info", "lost", status=str(code))
        if code in FOR_GOOD:
            self._note("fail", "refused", status=str(code))
            self.is_over = True
        return was_synced

    async def _read(self, socket: ClientSocket) -> None:
        self._asked = None if self._epoch is None else self.last
        await self._write(
            type="hello",
            sessionId=self.guest.session_id,
            token=self.guest.token,
            epoch=self._epoch,
            after=self._asked,
            tab=self.name,
        )
        async for text in socket:
            self._heard_at = asyncio.get_running_loop().time()
            await self._take(text, json.loads(text))

    async def _watch(self) -> None:
        """Return when the connection is dead."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(self._ping_s, self._pong_s))
            if loop.time() - self._heard_at > self._pong_s:
                return
            await self.ping()

    async def _close(self, socket: ClientSocket) -> None:
        await socket.aclose()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._online.wait()

    async def _write(self, **frame: Any) -> None:
        if self._socket is not None:
            with contextlib.suppress(ChatError):
                await self._socket.send_text(json.dumps(frame))

    async def _send_waiting(self) -> None:
        """Send what waits, from the first to the last: what is said again must not be overtaken."""
        turn = self._turn
        async with turn:
            for client, text in list(self.outbox.items()):
                if not self.is_welcome or self._turn is not turn:
                    return
                if client not in self.outbox or client in self._under_way:
                    continue
                if client in self._written:
                    self._note("info", "resend", client=client)
                self._written.add(client)
                self._under_way.add(client)
                await self._write(type="message", text=text, clientId=client)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    # --- frames -------------------------------------------------------------------------------------------------------

    async def _take(self, text: str, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "welcome":
            await self._take_welcome(frame)
        elif kind == "synced":
            self.is_synced = True
            self._note("ok", "resume")
        elif kind == "pong":
            self.head = frame["seq"]
        elif kind == "error":
            self._take_error(frame)
        elif kind == "receipt" and "seq" not in frame:
            self._written.discard(frame["clientId"])
            self._under_way.discard(frame["clientId"])
            if self.outbox.pop(frame["clientId"], None) is not None:
                self._note("ok", "send", client=frame["clientId"], seq=frame["messageSeq"])
        elif kind in RECORDS:
            self._take_record(text, frame)

    async def _take_welcome(self, frame: dict[str, Any]) -> None:
        if frame["mode"] == "reset":
            self.last = 0
            self.texts.clear()
            self.open.clear()
        self._epoch = frame["epoch"]
        self.is_welcome = True
        asked = -1 if self._asked is None else self._asked
        self._note("info", "welcome", mode=frame["mode"], epoch=frame["epoch"], after=asked, seq=frame["seq"])
        self._under_way.clear()
        self._turn = asyncio.Lock()
        await self._send_waiting()

    def _take_error(self, frame: dict[str, Any]) -> None:
        client = frame.get("clientId", "")
        if client not in self.outbox:
            return
        if frame["code"] in LATER:
            self._spawn(self._say_again(client, self._turn))
        else:
            self._under_way.discard(client)
            del self.outbox[client]
            self._note("fail", "send", client=client, status=frame["code"])

    async def _say_again(self, client: str, turn: asyncio.Lock) -> None:
        await asyncio.sleep(SAY_AGAIN_S)
        if self._turn is turn:  # a new connection has said everything again, from the first on
            self._under_way.discard(client)
            await self._send_waiting()

    def _take_record(self, text: str, frame: dict[str, Any]) -> None:
        seq, kind, client = frame["seq"], frame["type"], frame.get("clientId", "")
        sender = "bot" if kind == "bot-message" else frame.get("from", "")
        self._note(
            "info",
            "record",
            seq=seq,
            body=digest(text),
            client=client,
            text=frame.get("text", "") if kind != "receipt" else "",
            sender=sender,
            status=frame["status"] if kind == "receipt" else "",
            order_key=frame.get("orderKey", "") if kind != "receipt" else "",
        )
        if seq <= self.last:
            return
        self.last = seq
        if kind == "receipt":
            (self.open.discard if frame["status"] in FINAL else self.open.add)(client)
        elif client:
            self.open.add(client)
        if kind == "conversation-update":
            self.status = frame.get("status", self.status)
        if sender in {"agent", "bot"}:
            self.texts.add(frame["text"])

    def _note(self, kind: Any, what: str, **members: Any) -> None:
        self.guest.history.add(self.name, kind, what, session=self.guest.name, **members)
