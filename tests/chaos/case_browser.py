"""A browser that takes nobody's word: it keeps its view by the rules of guest-session §6 and notes every broken one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from guestwire.errors import ERRORS, ConnectionLost
from guestwire.net.transport import ClientSocket
from tests.chaos.case_schema import problems_of

__all__ = ["CLOSE_CODES", "Browser", "display_order"]

LIMIT_S = 60.0
"""A generous bound on anything that is waited for."""

CLOSE_CODES = {info.close_code for info in ERRORS.values() if info.close_code is not None} | {
    1000, 1001, 1003, 1005, 1006, 1009, 1011, 1012, 1013,
}  # fmt: skip
"""Of the table of error codes, and of RFC 6455."""

_VIEWLESS = {"welcome", "synced", "pong"}


class Browser:
    """One tab over all its connections and reloads.

    Attributes:
        view: The frames of the transcript, in the order of their `seq`.
        unacknowledged: What the guest said and nobody has answered yet, by client id.
        problems: Broken rules; must stay empty.
        counts: What happened.
        listener: Told every frame, after it was taken.
    """

    def __init__(self, open_socket: Callable[[], Awaitable[ClientSocket]], sid: str, token: str, tab: str) -> None:
        self._open_socket = open_socket
        self._sid = sid
        self._token = token
        self.tab = tab
        self.epoch: str | None = None
        self.view: list[dict[str, Any]] = []
        self.last: int | None = None
        self.floor = 0
        self.unacknowledged: dict[str, str] = {}
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.frames: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self.is_synced = False
        self.listener: Callable[[dict[str, Any]], None] = lambda frame: None
        self._socket: ClientSocket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._mode: str | None = None
        self._changed = asyncio.Event()

    # --- what a person does -------------------------------------------------------------------------------------------

    async def connect(self, *, waits: bool = True, hello: dict[str, Any] | None = None) -> None:
        """Open a connection, say hello with the place that is known, and say again what was not answered.

        Args:
            waits: Return at `synced`, or when the connection was closed instead.
            hello: Takes the place of the position.
        """
        await self.drop()
        self.frames.clear()
        self.close_code = self._mode = None
        self.is_synced = False
        self._asked = hello or {"epoch": self.epoch, "after": self.last}
        self._socket = await self._open_socket()
        self._reader = asyncio.create_task(self._read(self._socket))
        self.counts["connections"] += 1
        await self._write(type="hello", sessionId=self._sid, token=self._token, tab=self.tab, **self._asked)
        if waits:
            await self.until(lambda: self.is_synced or self.is_closed)
        for client_id, text in tuple(self.unacknowledged.items()):
            await self._write(type="message", text=text, clientId=client_id)

    async def reload(self) -> None:
        """Come back with nothing but the outbox, as after F5 in a browser without storage for positions."""
        await self.drop()
        self.epoch = self.last = None
        self.view.clear()
        await self.connect()

    async def send(self, text: str, client_id: str) -> None:
        """Say something; it stays in `unacknowledged` until it is answered."""
        self.unacknowledged[client_id] = text
        await self._write(type="message", text=text, clientId=client_id)

    async def write(self, **members: Any) -> None:
        """Write any frame."""
        await self._write(**members)

    async def drop(self) -> None:
        """Close the connection, if there is one."""
        socket, reader, self._socket, self._reader = self._socket, self._reader, None, None
        if socket is not None:
            await socket.aclose()
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    # --- what a test asks ---------------------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether there is no connection."""
        return self._socket is None or self.close_code is not None

    @property
    def mode(self) -> str | None:
        """Of the last welcome."""
        return self._mode

    @property
    def seqs(self) -> list[int]:
        """The numbers of what is shown."""
        return [frame["seq"] for frame in self.view]

    async def until(self, condition: Callable[[], object], *, within_s: float = LIMIT_S) -> None:
        """Wait for something that this browser sees."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"Tab {self.tab} waited in vain: last={self.last} code={self.close_code}"
                f" unacknowledged={self.unacknowledged} {self.frames[-3:]}"
            ) from None

    async def until_seq(self, seq: int) -> None:
        """Wait until it has everything up to `seq`."""
        await self.until(lambda: (self.last or 0) >= seq or self.is_closed)
        assert (self.last or 0) >= seq, f"closed with {self.close_code} at {self.last}, waiting for {seq}"

    # --- within -------------------------------------------------------------------------------------------------------

    async def _write(self, **members: Any) -> None:
        if self._socket is not None:
            with suppress(ConnectionLost):  # closed by the other side; what was said is still unacknowledged
                await self._socket.send_text(json.dumps(members))

    async def _read(self, socket: ClientSocket) -> None:
        async for text in socket:
            frame = json.loads(text)
            self.frames.append(frame)
            self.problems += problems_of(frame)
            self._take(frame)
            self.listener(frame)
            self._changed.set()
        self.close_code = socket.close_code
        if self.close_code not in CLOSE_CODES:
            self._broken(f"closed with {self.close_code}")
        self.counts[f"closed-{self.close_code}"] += 1
        self._changed.set()

    def _take(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if self._mode is None and kind != "welcome":
            self._broken(f"{kind} before the welcome")
        match kind:
            case "welcome":
                self._take_welcome(frame)
            case "synced":
                if self.is_synced:
                    self._broken("synced twice")
                if self.last is None:
                    self.last = self.floor = frame["seq"]  # nothing is kept
                if frame["seq"] != self.last or frame["seq"] < self._welcomed_at:
                    self._broken(f"synced at {frame['seq']}, has {self.last}, was promised {self._welcomed_at}")
                self.is_synced = True
            case "receipt" if "seq" not in frame:
                self.unacknowledged.pop(frame["clientId"], None)
                self.counts["accepted"] += 1
            case "error":
                if frame["code"] not in ERRORS:
                    self._broken(f"error {frame['code']} is not in the table")
                self.counts[f"error-{frame['code']}"] += 1
        if "seq" in frame and kind not in _VIEWLESS:
            self._take_record(frame)
        elif kind == "typing" and not self.is_synced:
            self._broken("typing in the middle of a replay")

    def _take_welcome(self, frame: dict[str, Any]) -> None:
        if self._mode is not None:
            self._broken("welcome twice")
        self._mode = frame["mode"]
        self._welcomed_at = frame["seq"]
        self.counts[frame["mode"]] += 1
        if frame["mode"] == "resume":
            if (self._asked["epoch"], frame["epoch"]) != (frame["epoch"], self._asked["epoch"]):
                self._broken("resumed in another epoch")
            self.last = self._asked["after"]
        else:
            self.view.clear()
            self.last = None
        self.epoch = frame["epoch"]

    def _take_record(self, frame: dict[str, Any]) -> None:
        seq = frame["seq"]
        if self.last is not None and seq != self.last + 1:
            self._broken(f"{seq} follows {self.last}")
        if self.last is None:
            self.floor = seq - 1
        self.last = seq
        self.view.append(frame)

    def _broken(self, words: str) -> None:
        self.problems.append(f"tab {self.tab}: {words}")


def display_order(view: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages as people read them (reliability 2.6).

    Those with a place in the provider's order stand in it, ties by `seq`; the others stand behind what they came after.
    """
    shown: list[dict[str, Any]] = []
    for frame in view:
        if frame["type"] not in {"message", "bot-message"}:
            continue
        place = len(shown)
        if "orderKey" in frame:
            later = (n for n, other in enumerate(shown) if other.get("orderKey", "") > frame["orderKey"])
            place = next(later, place)
        shown.insert(place, frame)
    return shown
