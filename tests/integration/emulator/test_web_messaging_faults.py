"""What goes wrong on purpose with Web Messaging: every error of §4.7 and of the network by a switch or a button."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.integration.emulator.messenger import (
    DEPLOYMENT,
    PNG,
    ask_history,
    configured,
    join,
    joined,
    messenger,
    put,
)
from tests.integration.emulator.world import World

pytestmark = pytest.mark.anyio

CONFIG = f"/webdeployments/v1/deployments/{DEPLOYMENT}/config.json"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 4006, 4007, 4017, 500])
async def test_configuring_is_refused(world: World, code: int) -> None:
    """By the error that was set, and taken again once it is off."""
    guest = await messenger(world)
    await world.switch("refuse-sessions", code=code)
    refused = await guest.configure()
    assert (refused["class"], refused["code"]) == ("string", code)
    await world.switch("refuse-sessions", on=False)
    assert (await guest.configure())["body"]["newSession"] is True


@pytest.mark.parametrize("code", [403, 409, 4007, 4011, 4013, 4020, 5000])
async def test_messages_are_refused(world: World, code: int) -> None:
    """Each onMessage; other requests go on."""
    guest = await joined(world)
    await world.switch("refuse-messages", code=code)
    assert (await guest.say("x"))["code"] == code
    assert (await guest.ask("echo"))["code"] == 200


@pytest.mark.parametrize("code", [429, 4029])
async def test_messages_are_too_many(world: World, code: int) -> None:
    """With the class of its own, and the time to wait."""
    guest = await joined(world)
    await world.switch("refuse-messages", code=code, retryAfterS=7)
    refused = await guest.say("x")
    assert (refused["class"], refused["code"]) == ("TooManyRequestsErrorMessage", 429)
    assert refused["body"]["retryAfter"] == 7


@pytest.mark.parametrize("code", [4000, 4001, 4002, 4003, 4004, 4005, 4008, 4102])
async def test_attachments_are_refused(world: World, code: int) -> None:
    """Asking for an upload and for a download, and giving one up."""
    guest = await configured(world)
    await world.switch("refuse-attachments", code=code)
    for action, members in (
        ("onAttachment", {"fileName": "a.png", "fileType": "image/png", "fileSize": 1}),
        ("getAttachment", {"attachmentId": "a1"}),
    ):
        refused = await guest.ask(action, **members)
        assert (refused["class"], refused["body"]["errorCode"]) == ("GenerateUrlError", code)
    assert (await guest.ask("deleteAttachment", attachmentId="a1"))["code"] == code


async def test_uploads_fail_are_rejected_and_late(world: World) -> None:
    """The PUT itself; the file after it; and the word about it."""
    guest = await configured(world)
    wanted = {"fileName": "a.png", "fileType": "image/png", "fileSize": len(PNG)}
    asked = (await guest.ask("onAttachment", **wanted))["body"]
    await world.switch("fail-uploads", status=503)
    assert (await put(world, asked, PNG, "image/png")).status == 503
    await world.switch("fail-uploads", on=False)
    await world.switch("reject-uploads", code=4003)
    assert (await put(world, asked, PNG, "image/png")).status == 200
    assert (await guest.until("UploadFailureEvent"))["body"]["errorCode"] == 4003
    await world.switch("reject-uploads", on=False)
    await world.switch("slow-uploads", delayMs=150)
    asked = (await guest.ask("onAttachment", **wanted))["body"]
    began = asyncio.get_running_loop().time()
    assert (await put(world, asked, PNG, "image/png")).status == 200
    await guest.until("UploadSuccessEvent")
    assert asyncio.get_running_loop().time() - began >= 0.15


async def test_the_history_is_refused_and_late(world: World) -> None:
    """Its key, its answer, and what it shows so far."""
    guest = await joined(world)
    jwt = (await guest.ask("getJwt"))["body"]["jwt"]
    for status in (401, 429, 500):
        await world.switch("refuse-history", status=status, retryAfterS=9)
        answer = await ask_history(world, jwt)
        assert answer.status == status
        assert answer.headers.get("retry-after") == ("9" if status == 429 else None)
    await world.switch("refuse-history", on=False)
    await world.switch("refuse-jwt", code=403)
    assert (await guest.ask("getJwt"))["code"] == 403
    await world.switch("history", lagMs=60_000)
    assert (await ask_history(world, jwt)).json["total"] == 0
    await world.switch("history", on=False)
    assert (await ask_history(world, jwt)).json["total"] == 2


async def test_echoes_are_lost_and_doubled(world: World) -> None:
    """The message arrived all the same; the history has it once."""
    guest = await joined(world)
    await world.switch("echo", lossPercent=100)
    await guest.send("onMessage", message={"type": "Text", "text": "lost"})
    assert "hand you over" in (await guest.bot())["text"]
    assert all(frame["body"].get("text") != "lost" for frame in guest.seen)
    guest.is_in_order = False
    await world.switch("echo", lossPercent=0, duplicatePercent=100)
    tracing_id = await guest.send("onMessage", message={"type": "Text", "text": "twice"})
    first = await guest.frame()
    assert (await guest.frame()) == first
    assert first["tracingId"] == tracing_id
    await world.switch("echo", on=False)
    said = [one.get("text") for one in (await guest.history())["entities"]]
    assert (said.count("lost"), said.count("twice")) == (1, 1)


async def test_messages_overtake_each_other_and_come_twice(world: World) -> None:
    """Clients sort by time; drops of the same message are theirs to find (§4.4)."""
    guest = await joined(world)
    guest.is_in_order = False
    await world.switch("duplicate-frames", percent=100)
    await guest.send("onMessage", message={"type": "Text", "text": "x"})
    first = await guest.frame()
    assert await guest.frame() == first
    await world.switch("duplicate-frames", on=False)
    await world.switch("reorder-frames", windowMs=50)
    await guest.send("onMessage", message={"type": "Text", "text": "y"})
    await guest.until("StructuredMessage", text="y")


async def test_garbage_drops_and_a_stalled_socket(world: World) -> None:
    """Text that is no frame, a class that nobody knows, a connection that breaks, one that is half open."""
    guest = await joined(world)
    await world.fire("garbage-frame")
    for _ in range(2):
        message = await guest.socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.TEXT
    await world.switch("stall-sockets")
    tracing_id = await guest.send("echo", message={"type": "Text", "text": "ping"})
    await world.switch("stall-sockets", on=False)
    assert (await guest.frame())["tracingId"] == tracing_id
    await world.switch("delay-frames", delayMs=50)
    assert (await guest.ask("getJwt"))["class"] == "JwtResponse"
    await world.fire("drop-sockets")
    assert await guest.closed() == 1006


async def test_sessions_end_by_a_button(world: World) -> None:
    """Expired, one connection too many, signed in elsewhere, signed out."""
    guest = await joined(world)
    await world.fire("connection-limit")
    assert (await guest.until("ConnectionClosedEvent"))["body"] == {}
    again = await configured(world, token=guest.token)
    await world.fire("expire-session-token")
    assert (await again.until("SessionExpiredEvent"))["type"] == "message"
    assert (await again.configure())["code"] == 4006
    other = await joined(world)
    await world.fire("sign-in-elsewhere")
    assert (await other.until("ConnectionClosedEvent"))["body"]["reason"] == "signedIn"
    code = (await world.call("POST", "/identity/codes", {"user": "nora", "redirectUri": "https://a.test"})).json["code"]
    body = {"deploymentId": DEPLOYMENT, "oauth": {"code": code, "redirectUri": "https://a.test"}}
    jwt = (await world.call("POST", "/api/v2/webdeployments/token/oauthcodegrantjwtexchange", body)).json["jwt"]
    known = await messenger(world)
    await known.ask("configureAuthenticatedSession", deploymentId=DEPLOYMENT, data={"code": jwt})
    await known.ask("onMessage", message=join())
    await world.fire("log-out-guests")
    await known.until("LogoutEvent")


async def test_nobody_gets_in(world: World) -> None:
    """Refused upgrades, no configuration, one of another type, inactive deployments, no sign-in, no CORS."""
    await world.switch("refuse-upgrade")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await messenger(world)
    assert refused.value.status == 403
    await world.switch("refuse-upgrade", on=False)
    await world.switch("refuse-config")
    answer = await world.call("GET", CONFIG)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (403, "*")
    await world.switch("refuse-config", on=False)
    await world.switch("config-as-text")
    assert (await world.call("GET", CONFIG)).headers["content-type"].startswith("text/plain")
    await world.switch("inactive-deployments")
    assert (await world.call("GET", CONFIG)).json["status"] == "Inactive"
    assert (await (await messenger(world)).configure())["code"] == 400
    await world.switch("refuse-sign-in", status=500)
    assert (await world.call("POST", "/api/v2/webdeployments/token/refresh", {"refreshToken": "x"})).status == 500
    await world.switch("no-cors")
    assert "access-control-allow-origin" not in (await world.call("GET", CONFIG)).headers
