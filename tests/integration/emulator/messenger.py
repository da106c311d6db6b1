"""A guest of Web Messaging, frame by frame: no client of ours is used, and every frame is held to the strictness."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.integration.emulator.strictness import check_frame, check_history
from tests.integration.emulator.world import LIMIT_S, Answer, World

DEPLOYMENT = "c0ffee00-0000-4000-8000-000000000001"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 24

_numbers = itertools.count(1)


def join() -> dict[str, Any]:
    return {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": "Join"}}]}


def presence(kind: str) -> dict[str, Any]:
    return {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": kind}}]}


class Messenger:
    """One connection."""

    def __init__(self, world: World, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.world = world
        self.socket = socket
        self.token = token
        self.seen: list[dict[str, Any]] = []
        self.last_time = ""
        self.is_in_order = True

    async def frame(self) -> dict[str, Any]:
        """Return the next frame, which has everything that the vendor's clients want."""
        message = await self.socket.receive(timeout=LIMIT_S)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        frame: dict[str, Any] = json.loads(message.data)
        check_frame(frame)
        if self.is_in_order and frame["class"] == "StructuredMessage" and frame["type"] == "message":
            assert frame["body"]["channel"]["time"] > self.last_time, "times grow within a session (§7.2 rule 5)"
            self.last_time = frame["body"]["channel"]["time"]
        self.seen.append(frame)
        return frame

    async def until(self, kind: str, **members: object) -> dict[str, Any]:
        """Return the next frame of this class whose body has these members; those before it are dropped."""
        while True:
            frame = await self.frame()
            body = frame["body"]
            if frame["class"] == kind and (not members or members.items() <= body.items()):
                return frame

    async def send(self, action: str, **members: object) -> str:
        """Send a frame; return its tracing id."""
        tracing_id = f"t{next(_numbers)}"
        await self.socket.send_json({"action": action, "token": self.token, "tracingId": tracing_id, **members})
        return tracing_id

    async def ask(self, action: str, **members: object) -> dict[str, Any]:
        """Send a frame and return its answer; what comes before it is dropped."""
        tracing_id = await self.send(action, **members)
        while True:
            frame = await self.frame()
            if frame.get("tracingId") == tracing_id:
                return frame

    async def configure(self, deployment_id: str = DEPLOYMENT, **members: object) -> dict[str, Any]:
        return await self.ask("configureSession", deploymentId=deployment_id, **members)

    async def say(self, text: str | None, **message: object) -> dict[str, Any]:
        """Say something and return its echo, or the error."""
        said = {"type": "Text", **({} if text is None else {"text": text}), **message}
        return await self.ask("onMessage", message=said)

    async def bot(self) -> dict[str, Any]:
        """Return the body of the next message of the bot or an agent."""
        while True:
            frame = await self.until("StructuredMessage", direction="Outbound")
            if frame["body"]["type"] != "Event":
                body: dict[str, Any] = frame["body"]
                return body

    async def event(self, kind: str, event_type: str = "Presence") -> dict[str, Any]:
        """Return the frame of the next event of a kind."""
        while True:
            frame = await self.until("StructuredMessage", type="Event")
            (event,) = frame["body"]["events"]
            if event["eventType"] == event_type and event[event_type.lower()]["type"] == kind:
                return frame

    async def closed(self) -> int:
        """Return the code that the connection was closed with; frames before it are dropped."""
        while True:
            message = await self.socket.receive(timeout=LIMIT_S)
            if message.type is aiohttp.WSMsgType.CLOSE:
                return int(message.data)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return 1006

    async def history(self, **query: int) -> dict[str, Any]:
        """Ask for a key and a page of the history."""
        answer = await self.ask_history(**query)
        assert answer.status == 200, answer.text
        page: dict[str, Any] = answer.json
        check_history(page)
        return page

    async def ask_history(self, **query: int) -> Answer:
        jwt = (await self.ask("getJwt"))["body"]["jwt"]
        return await ask_history(self.world, jwt, **query)

    async def upload(
        self, name: str = "door.png", data: bytes = PNG, file_type: str = "image/png", **members: object
    ) -> str:
        """Upload a file; return its id once the provider took it."""
        asked = await self.ask("onAttachment", fileName=name, fileType=file_type, fileSize=len(data), **members)
        assert asked["class"] == "PresignedUrlResponse", asked
        answer = await put(self.world, asked["body"], data, file_type)
        assert answer.status == 200, answer.text
        attachment_id = str(asked["body"]["attachmentId"])
        await self.until("UploadSuccessEvent", attachmentId=attachment_id)
        return attachment_id


def file(attachment_id: str) -> list[dict[str, Any]]:
    """Return the content with which a guest sends a file."""
    return [{"contentType": "Attachment", "attachment": {"id": attachment_id}}]


async def put(world: World, asked: Mapping[str, Any], data: bytes, file_type: str | None) -> Answer:
    headers = {**asked["headers"], **({} if file_type is None else {"content-type": file_type})}
    return await world.call("PUT", asked["url"], headers=headers, data=data)


async def ask_history(world: World, jwt: str, **query: int) -> Answer:
    path = "/api/v2/webmessaging/messages"
    return await world.call("GET", path, headers={"authorization": f"bearer {jwt}"}, params=query)


async def messenger(
    world: World,
    *,
    token: str | None = None,
    deployment_id: str = DEPLOYMENT,
    headers: Mapping[str, str] | None = None,
    **query: str,
) -> Messenger:
    """Open a connection, not configured yet."""
    asked = {"deploymentId": deployment_id, **query}
    socket = await world.http.ws_connect(f"{world.emulator.messaging_url}/v1", params=asked, headers=headers)
    return Messenger(world, socket, token or f"guest-{next(_numbers)}")


async def configured(world: World, *, token: str | None = None, **members: Any) -> Messenger:
    """Open and configure a connection."""
    guest = await messenger(world, token=token)
    answer = await guest.configure(**members)
    assert answer["body"]["connected"] is True, answer
    return guest


async def joined(world: World, **members: Any) -> Messenger:
    """Return a guest who has joined and read the greeting."""
    guest = await configured(world, **members)
    await guest.ask("onMessage", message=join())
    await guest.bot()
    return guest


async def change(world: World, **switches: object) -> None:
    """Change switches of the deployment."""
    answer = await world.call("PATCH", f"/emulator/deployments/{DEPLOYMENT}", switches)
    assert answer.status == 200, answer.text


async def conversation(world: World, guest: Messenger) -> dict[str, Any]:
    """Return the newest conversation as the desk sees it."""
    state = (await world.call("GET", "/desk/api/state")).json
    found: dict[str, Any] = state["conversations"][-1]
    return found


async def agent_with(world: World, guest: Messenger, name: str = "Mia") -> tuple[str, str]:
    """Have an agent take the newest conversation from the queue; return conversation and agent."""
    agent_id = await world.agent(name)
    conversation_id = str((await conversation(world, guest))["id"])
    answer = await world.command(conversation_id, "accept", agent_id)
    assert answer.status == 200, answer.text
    return conversation_id, agent_id
