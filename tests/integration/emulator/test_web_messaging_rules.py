"""The rules for every client, those that the scripts of single clients do not show (web-messaging §7.2, §7.4)."""

from __future__ import annotations

import asyncio
import base64
import json
import os

import aiohttp
import pytest

from tests.integration.emulator.messenger import (
    DEPLOYMENT,
    agent_with,
    configured,
    conversation,
    join,
    joined,
    messenger,
    presence,
)
from tests.integration.emulator.world import LIMIT_S, World

pytestmark = pytest.mark.anyio

TEXT, CLOSE = 0x1, 0x8


class RawSocket:
    """A WebSocket by its bytes, to see how frames are cut."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, world: World, *, headers: str = "") -> RawSocket:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.emulator.port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /v1?deploymentId={DEPLOYMENT} HTTP/1.1\r\nHost: 127.0.0.1:{world.emulator.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{headers}\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT_S)
        assert head.startswith(b"HTTP/1.1 101"), head
        assert b"sec-websocket-extensions" not in head.lower()
        assert b"sec-websocket-protocol" not in head.lower()
        return cls(reader, writer)

    def send(self, frame: dict[str, object]) -> None:
        data = json.dumps(frame).encode()
        self.writer.write(bytes((0x80 | TEXT, 0x80 | 126)) + len(data).to_bytes(2, "big") + bytes(4) + data)

    async def frame(self) -> tuple[bool, int, bytes]:
        """Return whether it is the last piece of a message, the opcode, and the payload."""
        first, second = await asyncio.wait_for(self.reader.readexactly(2), LIMIT_S)
        assert not second & 0x80, "a server does not mask"
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return bool(first & 0x80), first & 0x0F, await self.reader.readexactly(size)


async def test_one_object_a_frame_and_never_in_pieces(world: World) -> None:
    """UTF-8 text, whole, also when it is long: the Java SDK takes each piece for a frame of its own (rule 1)."""
    raw = await RawSocket.open(world)
    token = {"token": "raw"}
    raw.send({"action": "configureSession", "deploymentId": DEPLOYMENT, **token})
    for text in ("ä" * 2048, "everything"):
        raw.send({"action": "onMessage", "message": {"type": "Text", "text": text}, **token})
    for _ in range(13):
        is_whole, opcode, payload = await raw.frame()
        assert (is_whole, opcode) == (True, TEXT)
        assert isinstance(json.loads(payload.decode()), dict)
    raw.writer.close()


async def test_a_binary_frame_and_one_too_big_close(world: World) -> None:
    """Nothing of the protocol is binary, and no frame longer than 64 KiB (§2.11)."""
    binary = await messenger(world)
    await binary.socket.send_bytes(b"x")
    assert await binary.closed() == 1003
    big = await messenger(world)
    await big.socket.send_str("x" * 70_000)
    assert await big.closed() == 1009


async def test_metadata_comes_back(world: World) -> None:
    """The client's own, as strings, and a correlation id; two ids that differ (rules 6 and 7, §8 row 23)."""
    guest = await joined(world)
    echo = (await guest.say("Hello", metadata={"id": "m1", "customMessageId": "c1", "odd": 5}))["body"]
    assert echo["metadata"] == {"id": "m1", "customMessageId": "c1", "correlationId": echo["metadata"]["correlationId"]}
    assert len(echo["id"]) == 32
    assert echo["channel"]["messageId"] not in {"", echo["id"]}


async def test_quick_replies_in_both_forms(world: World) -> None:
    """Text with no words from the mobile SDK, Structured with the label from the browser's (rule 10, §3.7)."""
    guest = await joined(world)
    chosen = {"type": "QuickReply", "text": "Opening hours", "payload": "Opening hours"}
    content = [{"contentType": "ButtonResponse", "buttonResponse": chosen}]
    mobile = await guest.say("", content=content)
    assert (mobile["body"]["type"], mobile["body"]["content"]) == ("Text", content)
    assert "Monday" in (await guest.bot())["text"]
    browser = await guest.say("Opening hours", type="Structured", content=content)
    assert (browser["body"]["type"], browser["body"]["text"]) == ("Structured", "Opening hours")
    assert "Monday" in (await guest.bot())["text"]


async def test_requests_of_a_connection_are_limited(world: World) -> None:
    """Sixty a minute, with a time to wait; another connection has its own (§5)."""
    guest = await configured(world)
    for _ in range(60):
        await guest.send("getJwt")
    slow = await guest.until("TooManyRequestsErrorMessage")
    assert 0 < slow["body"]["retryAfter"] <= 60
    assert (await (await configured(world, token=guest.token)).ask("getJwt"))["class"] == "JwtResponse"


async def test_a_connection_goes_over_to_another_session(world: World) -> None:
    """It gets nothing more of the one it left; frames of that one are refused (§7.4 steps 3 and 4)."""
    guest = await joined(world)
    await guest.say("Talk to a person")
    conversation_id, agent_id = await agent_with(world, guest)
    left, guest.token = guest.token, "another"
    guest.last_time = ""
    assert (await guest.configure())["body"]["newSession"] is True
    assert (await conversation(world, guest))["connections"] == 0
    await world.command(conversation_id, "messages", agent_id, text="Are you there?")
    guest.token = left
    assert (await guest.ask("getJwt"))["code"] == 4007
    assert all(frame["body"] and "Are you there?" not in str(frame) for frame in guest.seen)


async def test_a_read_only_session_can_be_cleared(world: World) -> None:
    """Everything else is refused (§7.4 step 7)."""
    guest = await joined(world)
    await guest.say("Talk to a person")
    conversation_id, agent_id = await agent_with(world, guest)
    await world.command(conversation_id, "end", agent_id)
    await guest.event("Disconnect")
    for message in (join(), {"type": "Text", "text": "x"}):
        assert (await guest.ask("onMessage", message=message))["code"] == 409
    await guest.ask("onMessage", message=presence("Clear"))
    await guest.until("SessionClearedEvent")


async def test_detaching_one_connection(world: World) -> None:
    """`closeSession` for this one alone: the others stay, and so does the session (§3.11)."""
    guest = await joined(world)
    other = await configured(world, token=guest.token)
    answer = await guest.ask("closeSession", closeAllConnections=False)
    assert (answer["body"]["connected"], answer["body"]["readOnly"]) == (False, False)
    await other.say("Hello")
    assert (await guest.ask("echo"))["type"] == "response"
    assert all(frame["body"].get("text") != "Hello" for frame in guest.seen)
    assert (await guest.configure())["body"]["newSession"] is False


@pytest.mark.parametrize("action", ["resumeToken", "disconnectCustomer"])
async def test_actions_that_nobody_uses(world: World, action: str) -> None:
    """Refused, and nothing ends (§8 row 9)."""
    guest = await configured(world)
    assert (await guest.ask(action))["code"] == 400
    assert (await guest.ask("getJwt"))["class"] == "JwtResponse"


async def test_too_many_new_connections(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one deployment in a minute (§5)."""
    monkeypatch.setattr("guestwire.protocols.web_messaging.limits.Window.take", lambda _self, _now: 5.0)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await messenger(world)
    assert refused.value.status == 429
