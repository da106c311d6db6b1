"""Deployments: what is public about them, who may use them, and how testers change them (§1.2, §1.3, §1.6)."""

from __future__ import annotations

import uuid

import aiohttp
import pytest

from guestwire.emulator import Emulator
from guestwire.settings import EmulatorSettings
from tests.integration.emulator.messenger import (
    DEPLOYMENT,
    change,
    configured,
    conversation,
    file,
    join,
    joined,
    messenger,
)
from tests.integration.emulator.world import World, running

pytestmark = pytest.mark.anyio

FILES = f"/webdeployments/v1/deployments/{DEPLOYMENT}"

MOBILE_NEEDS = {
    "id": str,
    "version": str,
    "languages": list,
    "defaultLanguage": str,
    "apiEndpoint": str,
    "status": str,
    "messenger.enabled": bool,
    "messenger.apps.conversations.messagingEndpoint": str,
    "messenger.apps.conversations.showAgentTypingIndicator": bool,
    "messenger.apps.conversations.showUserTypingIndicator": bool,
    "messenger.apps.conversations.autoStart.enabled": bool,
    "messenger.apps.conversations.conversationDisconnect.enabled": bool,
    "messenger.apps.conversations.conversationDisconnect.type": str,
    "messenger.apps.conversations.conversationClear.enabled": bool,
    "messenger.apps.conversations.markdown.enabled": bool,
    "messenger.apps.conversations.humanize.enabled": bool,
    "messenger.apps.conversations.notifications.enabled": bool,
    "messenger.apps.conversations.notifications.notificationContentType": str,
    "messenger.fileUpload": dict,
    "messenger.styles.primaryColor": str,
    "messenger.launcherButton.visibility": str,
    "journeyEvents.enabled": bool,
    "auth.enabled": bool,
    "auth.allowSessionUpgrade": bool,
}
"""Path in `config.json` → JSON type; the mobile SDK refuses the file without some of them (§1.3.2, «K»)."""


@pytest.mark.parametrize("disconnect", ["off", "Send", "ReadOnly"])
async def test_the_configuration_is_complete(world: World, disconnect: str) -> None:
    """Whatever is switched, as JSON, for every origin; addresses are those that the guest used."""
    await change(world, disconnect=disconnect)
    answer = await world.call("GET", f"{FILES}/config.json", headers={"origin": "https://shop.example.test"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    for path, kind in MOBILE_NEEDS.items():
        value = answer.json
        for name in path.split("."):
            value = value[name]
        assert type(value) is kind, path
    config = answer.json
    conversations = config["messenger"]["apps"]["conversations"]
    assert config["apiEndpoint"] == world.emulator.url
    assert conversations["messagingEndpoint"] == world.emulator.messaging_url
    assert config["version"].isdigit()
    assert str(uuid.UUID(config["id"])) == config["id"]
    assert config["status"] == "Active"
    ending = {"enabled": disconnect != "off", "type": "Send" if disconnect == "off" else disconnect}
    assert conversations["conversationDisconnect"] == ending
    assert conversations["notifications"]["notificationContentType"] == "ExcludeMessagesContent"
    assert type(conversations["sessionDurationSeconds"]) is int


async def test_switches_show_in_the_configuration(world: World) -> None:
    """Each change counts the version up."""
    before = (await world.call("GET", f"{FILES}/config.json")).json
    await change(
        world,
        isActive=False,
        autoStart=False,
        clear=False,
        markdown=False,
        humanize=False,
        agentTyping=False,
        guestTyping=False,
        attachments=False,
        auth=False,
        colour="#123456",
        sessionDurationS=900,
    )
    after = (await world.call("GET", f"{FILES}/config.json")).json
    conversations = after["messenger"]["apps"]["conversations"]
    assert int(after["version"]) == int(before["version"]) + 1
    assert after["status"] == "Inactive"
    switched = ("autoStart", "conversationClear", "markdown", "humanize")
    assert [conversations[name]["enabled"] for name in switched] == [False] * 4
    assert (conversations["showAgentTypingIndicator"], conversations["showUserTypingIndicator"]) == (False, False)
    assert "name" not in conversations["humanize"]["bot"]
    assert after["messenger"]["fileUpload"]["enableAttachments"] is False
    assert (after["auth"], after["messenger"]["styles"]["primaryColor"]) == (
        {"enabled": False, "allowSessionUpgrade": False},
        "#123456",
    )
    guest = await messenger(world)
    assert (await guest.configure())["code"] == 400


async def test_an_unknown_deployment(world: World) -> None:
    """403 with the CORS header from the CDN; the socket opens, and the configure is refused by a frame (§8 row 19)."""
    for name in ("config.json", "domains.json"):
        answer = await world.call("GET", f"/webdeployments/v1/deployments/{uuid.uuid4()}/{name}")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (403, "*")
    guest = await messenger(world, deployment_id="nobody")
    assert (await guest.configure("nobody"))["code"] == 400


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://example.test", True),
        ("https://EXAMPLE.test:8443", True),
        ("example.test", True),
        ("https://shop.example.test", True),
        ("https://notexample.test", False),
        ("null", False),
        (None, False),
    ],
)
async def test_the_socket_checks_the_origin(world: World, origin: str | None, *, is_allowed: bool) -> None:
    """By the deployment's domains, sub-domains meant, with or without a scheme (§1.2, §1.3.1, §8 row 20)."""
    await change(world, allowAllDomains=False, allowedDomains=["example.test"])
    domains = (await world.call("GET", f"{FILES}/domains.json")).json
    assert domains == {"allowAllDomains": False, "allowedDomains": ["example.test"]}
    headers = {} if origin is None else {"origin": origin}
    if is_allowed:
        await (await messenger(world, headers=headers)).configure()
        return
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await messenger(world, headers=headers)
    assert refused.value.status == 403


async def test_open_sessions_obey_a_change_at_once(world: World) -> None:
    """Clearing is forbidden from now on, in the words that the mobile SDK looks for (§2.9)."""
    guest = await joined(world)
    await change(world, clear=False)
    message = {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": "Clear"}}]}
    refused = await guest.ask("onMessage", message=message)
    assert refused["code"] == 403
    assert "Conversation Clear" in refused["body"]


async def test_testers_add_change_and_delete(world: World) -> None:
    """With the names that the desk uses; what can't be is refused, and changes nothing."""
    listed = (await world.call("GET", "/emulator/deployments")).json["deployments"]
    assert [one["id"] for one in listed] == [DEPLOYMENT]
    added = await world.call("POST", "/emulator/deployments", {"name": "Shop", "disconnect": "Send"})
    assert (added.status, added.json["disconnect"]) == (201, "Send")
    path = f"/emulator/deployments/{added.json['id']}"
    assert (await world.call("GET", path)).json["name"] == "Shop"
    guest = await messenger(world, deployment_id=added.json["id"])
    assert (await guest.configure(added.json["id"]))["body"]["connected"] is True
    assert (await guest.configure())["code"] == 400
    for bad in ({"disconnect": "maybe"}, {"sessionDurationS": 0}, {"clear": "yes"}, {"what": 1}, {"id": "x"}):
        assert (await world.call("PATCH", path, bad)).status == 400
    assert (await world.call("POST", "/emulator/deployments", {"id": DEPLOYMENT})).status == 400
    assert (await world.call("POST", "/emulator/deployments", {"id": "new", "clear": 1})).status == 400
    assert (await world.call("GET", "/emulator/deployments/new")).status == 404
    assert (await world.call("DELETE", path)).status == 204
    assert (await world.call("DELETE", path)).status == 404
    assert (await guest.configure(added.json["id"]))["code"] == 400


async def test_testers_put_words_into_a_conversation(world: World) -> None:
    """Whoever has it; as bot or agent, with content."""
    guest = await joined(world)
    session_id = (await conversation(world, guest))["sessionId"]
    path = f"/emulator/sessions/{session_id}/messages"
    chip = {"contentType": "QuickReply", "quickReply": {"text": "A", "payload": "a"}}
    pushed = await world.call("POST", path, {"from": "agent", "name": "Eve", "text": "Hello", "content": [chip]})
    assert pushed.status == 201
    body = await guest.bot()
    assert (body["originatingEntity"], body["channel"]["from"]["nickname"], body["text"]) == ("Human", "Eve", "Hello")
    assert (await world.call("POST", path, {"from": "guest"})).status == 400
    silent = await configured(world)
    state = (await world.call("GET", "/emulator/state")).json["sessions"]
    assert [one["protocol"] for one in state] == ["web-messaging"] * 2
    quiet = await world.call("POST", f"/emulator/sessions/{state[1]['sessionId']}/messages", {"text": "x"})
    assert quiet.status == 404
    assert (await world.call("POST", f"/emulator/sessions/{state[1]['sessionId']}/expire", {})).json == {"expired": 1}
    expired = await silent.until("SessionExpiredEvent")
    assert expired["type"] == "message"


async def test_mobile_devices(world: World) -> None:
    """Registered, changed and removed, with the platform's codes for what is wrong (§1.6)."""
    path = f"/api/v2/webmessaging/deployments/{DEPLOYMENT}/pushdevices/token-1"
    device = {"deviceToken": "d", "language": "en-us", "deviceType": "android", "notificationProvider": "FCM"}
    assert (await world.call("PATCH", path, {"language": "de"})).code == "device.not.found"
    assert (await world.call("POST", path, {"deviceToken": "d"})).code == "required.fields.missing"
    odd = await world.call("POST", path, {**device, "notificationProvider": "X"})
    assert odd.code == "device.registration.failure"
    assert (await world.call("POST", path, data=b"{")).code == "bad.request"
    assert (await world.call("POST", path, device)).status == 204
    assert (await world.call("POST", path, device)).code == "device.already.registered"
    assert (await world.call("PATCH", path, {"language": "de"})).status == 204
    assert (await world.call("PATCH", path, {})).code == "update.fields.missing"
    assert (await world.call("DELETE", path)).status == 204
    assert (await world.call("DELETE", path)).code == "device.not.found"
    elsewhere = path.replace(DEPLOYMENT, "nobody")
    assert (await world.call("POST", elsewhere, device)).code == "deployment.not.found"
    assert (await world.call("POST", f"{path}A", device)).code == "invalid.path.parameter"


async def test_addresses_of_a_proxied_emulator() -> None:
    """With a public address guests get that one, everywhere."""
    async with running(public_url="https://chat.example.test/") as world:
        config = (await world.call("GET", f"{FILES}/config.json")).json
        assert config["apiEndpoint"] == "https://chat.example.test"
        assert config["messenger"]["apps"]["conversations"]["messagingEndpoint"] == "wss://chat.example.test"
        guest = await configured(world)
        asked = await guest.ask("onAttachment", fileName="a.png", fileType="image/png", fileSize=1)
        assert asked["body"]["url"].startswith("https://chat.example.test/api/v2/uploads/")


async def test_what_a_program_is_told() -> None:
    """The deployment's id, and where its configuration, sockets and sign-in are."""
    async with Emulator(EmulatorSettings(port=0, demo_agent=False, deployment_id=str(uuid.UUID(int=1)))) as emulator:
        assert emulator.deployment_id == str(uuid.UUID(int=1))
        assert emulator.messaging_url == f"ws://127.0.0.1:{emulator.port}"
        assert emulator.config_url.startswith(emulator.url)
        async with aiohttp.ClientSession() as http, http.get(emulator.config_url) as answer:
            assert answer.status == 200
        async with aiohttp.ClientSession() as http, http.get(emulator.authorize_url) as answer:
            assert answer.status == 400


async def test_a_demo_agent_talks_with_a_guest(demo_world: World) -> None:
    """As with any other guest: takes over from the bot, answers, ends."""
    guest = await joined(demo_world)
    await guest.say("Where is my order?")
    await guest.bot()
    assert "order" in (await guest.bot())["text"]
    attachment_id = await guest.upload()
    await guest.say(None, content=file(attachment_id))
    assert "door.png" in (await guest.bot())["text"]
    await guest.say("bye")
    assert "Goodbye" in (await guest.bot())["text"]
    assert (await guest.event("Disconnect"))["body"]["metadata"]["readOnly"] == "true"
    assert (await guest.ask("closeSession", closeAllConnections=True))["body"]["readOnly"] is True
    assert (await guest.configure(startNew=True))["body"]["newSession"] is True
    await guest.ask("onMessage", message=join())
    assert "virtual assistant" in (await guest.bot())["text"]
