"""The control API from outside: health, state, reset, seed, clock, clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guestwire import __version__
from guestwire.emulator import Emulator
from guestwire.errors import ConfigError
from guestwire.settings import EmulatorSettings
from tests.integration.emulator.world import World, running


async def test_health(world: World) -> None:
    """Health says that it runs, and which version."""
    assert (await world.call("GET", "/emulator/health")).json == {"status": "ok", "version": __version__}


async def test_state_has_everything_but_secrets(world: World) -> None:
    """The state shows the whole org, and neither secret nor token."""
    token = await world.access_token()
    guest = await world.guest(name="Tom")
    await world.agent("Ada")
    answer = await world.call("GET", "/emulator/state")
    state = answer.json
    assert state["oauthClients"] == [{"clientId": "demo-client", "scopes": ["chat:guest:create", "webchat:guest"]}]
    assert [one["sessionId"] for one in state["sessions"]] == [guest.session["sessionId"]]
    assert state["sessions"][0]["conversationId"] == state["conversations"][0]["id"]
    assert state["agents"][0]["name"] == "Ada"
    assert state["flow"] == {"published": True}
    assert state["queue"] == {"name": "Support"}
    for secret in (token, guest.session["token"], "demo-secret"):
        assert secret not in answer.text


async def test_reset(world: World) -> None:
    """A reset forgets everything, faults and the clock's advance included; sockets close with 1012."""
    token = await world.access_token()
    guest = await world.guest()
    await world.agent("Ada")
    await world.switch("rate-limit", retryAfterS=9)
    await world.call("POST", "/emulator/clock", {"advanceS": 60})
    answer = await world.call("POST", "/emulator/reset", {})
    assert answer.status == 200
    assert (answer.json["sessions"], answer.json["agents"], answer.json["conversations"]) == ([], [], [])
    assert answer.json["clock"]["advancedS"] == 0
    assert not any(fault.get("on") for fault in answer.json["faults"])
    assert await guest.close_code() == 1012
    session = guest.session
    assert await world.refused_upgrade({"sessionId": session["sessionId"], "token": session["token"]}) == 403
    assert (await world.ask_session(token, {})).status == 401
    await world.guest()


async def test_reset_needs_no_body(world: World) -> None:
    """A bare POST from a terminal will do."""
    assert (await world.call("POST", "/emulator/reset")).status == 200


async def test_clock(world: World) -> None:
    """The clock tells its time and can be advanced, never turned back."""
    before = (await world.call("GET", "/emulator/clock")).json
    assert before["seeded"] is False
    after = (await world.call("POST", "/emulator/clock", {"advanceS": 3600})).json
    assert after["advancedS"] == 3600
    assert after["nowMs"] - before["nowMs"] >= 3_600_000
    for bad in (-1, 1e12, "1", None):
        answer = await world.call("POST", "/emulator/clock", {"advanceS": bad})
        assert (answer.status, answer.code) == (400, "bad-request")
    assert (await world.call("GET", "/emulator/clock")).json["advancedS"] == 3600


async def story(world: World) -> Any:
    """Return everything that a little story leaves behind, ids and tokens included."""
    left: list[object] = [(await world.access_token()), await world.session(name="Anna")]
    guest = await world.guest_in_queue(name="Tom")
    ada = await world.agent("Ada")
    conversation_id = await world.accepted(guest, ada)
    await world.command(conversation_id, "messages", ada, text="Hello")
    left += [guest.session, (await world.ask_token(client_secret="wrong")).json, await world.conversation(guest)]
    return json.loads(json.dumps(left))


def without_times(value: Any) -> Any:
    """Leave out what follows the clock: times, and the tokens that carry them."""
    if isinstance(value, dict):
        moving = {"at", "startedAt", "queuedAt", "token", "webSocketUrl"}
        return {key: without_times(one) for key, one in value.items() if key not in moving}
    return [without_times(one) for one in value] if isinstance(value, list) else value


async def test_same_seed_same_story() -> None:
    """Two emulators with one seed give the same ids and access tokens in the same order, from the same instant."""
    stories = []
    for seed in (7, 7, 8):
        async with running(seed=seed) as world:
            clock = (await world.call("GET", "/emulator/clock")).json
            assert clock["seeded"] is True
            assert clock["now"].startswith("2030-01-01T12:00:0")
            stories.append(without_times(await story(world)))
    assert stories[0] == stories[1]
    assert stories[0] != stories[2]


async def test_seed_can_be_set(world: World) -> None:
    """Setting a seed resets everything, and so does setting it again."""
    stories = []
    for _ in range(2):
        answer = await world.call("POST", "/emulator/seed", {"seed": 7})
        assert (answer.status, answer.json["seed"]) == (200, 7)
        stories.append(without_times(await story(world)))
    assert stories[0] == stories[1]
    await world.call("POST", "/emulator/reset", {})
    assert without_times(await story(world)) == stories[0]
    assert (await world.call("POST", "/emulator/seed", {"seed": "x"})).status == 400
    world.emulator.org.reset(None)


async def test_demo_agent_does_not_shift_ids() -> None:
    """With a seed, what the demo agent does in between leaves sessions and tokens the same."""
    ids = []
    for demo_agent in (False, True):
        async with running(seed=7, demo_agent=demo_agent) as world:
            guest = await world.guest_in_queue()
            if demo_agent:
                await guest.until("message")
            ids.append((await world.access_token(), (await world.session())["sessionId"]))
    assert ids[0] == ids[1]


async def test_further_client(world: World) -> None:
    """An OAuth client can be added; the answer does not repeat its secret."""
    answer = await world.call("POST", "/emulator/oauth/clients", {"clientId": "shop", "clientSecret": "its own"})
    assert answer.status == 201
    assert "its own" not in answer.text
    assert (await world.ask_token(client_id="shop", client_secret="its own")).status == 200
    assert (await world.call("POST", "/emulator/oauth/clients", {"clientId": "", "clientSecret": "x"})).status == 400


@pytest.mark.parametrize(
    "method, path",
    [("POST", "/emulator/reset"), ("POST", "/emulator/seed"), ("PUT", "/emulator/faults/no-cors")],
)
async def test_bodies_are_json(world: World, method: str, path: str) -> None:
    """A form or a text, which any page could send, is refused."""
    answer = await world.call(method, path, data=b'{"on": true}', headers={"content-type": "text/plain"})
    assert (answer.status, answer.code) == (415, "unsupported-media-type")


async def test_unknown_addresses(world: World) -> None:
    """Unknown addresses and methods answer in the one shape."""
    assert (await world.call("GET", "/emulator/nothing")).code == "not-found"
    assert (await world.call("GET", "/nothing")).code == "not-found"
    assert (await world.call("GET", "/emulator/reset")).code == "method-not-allowed"


async def test_port_in_use(world: World) -> None:
    """A taken port is one clear error, before anything runs."""
    with pytest.raises(ConfigError) as taken:
        async with Emulator(EmulatorSettings(port=world.emulator.port)):
            raise AssertionError("unreachable")
    assert taken.value.code == "port-in-use"


async def test_not_running_yet() -> None:
    """Before `async with` there is no address; the defaults are known."""
    emulator = Emulator()
    assert (emulator.client_id, emulator.client_secret.reveal()) == ("demo-client", "demo-secret")
    with pytest.raises(RuntimeError, match="async with"):
        _ = emulator.url


async def test_sockets_close_when_it_stops() -> None:
    """Guests are told to come again later (1012) when the emulator stops."""
    async with running() as world:
        guest = await world.guest()
        await world.emulator.__aexit__(None, None, None)
        assert await guest.close_code() == 1012
