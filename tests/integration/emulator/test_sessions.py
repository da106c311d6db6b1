"""Guest sessions over REST from outside (guest-session §3)."""

from __future__ import annotations

import re

import pytest

from tests.integration.emulator.world import World, running

PATH = "/api/v2/chat/guestsessions"


async def test_session_has_everything_a_guest_needs(world: World) -> None:
    """The answer has id, token and contact id of the tutorial, and our three members beside them."""
    session = await world.session(name="Tom", email="tom@example.com", externalContactId="crm-1")
    assert session["externalContactId"] == "crm-1"
    assert session["webSocketUrl"] == world.emulator.ws_url
    assert session["expiresIn"] == 86_400
    assert session["extensions"] == ["typing", "end"]
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", session["sessionId"] + session["token"])


async def test_public_url_is_where_guests_connect() -> None:
    """Behind a proxy the socket's address is the public one."""
    async with running(public_url="https://chat.example.com/genesys") as world:
        session = await world.session()
        assert session["webSocketUrl"] == "wss://chat.example.com/genesys/ws"
        assert world.emulator.desk_url == "https://chat.example.com/genesys/desk"
        assert world.emulator.url == f"http://127.0.0.1:{world.emulator.port}"


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic YTpi"])
async def test_missing_access_token(world: World, authorization: str | None) -> None:
    """Without a Bearer token the answer is 401 and says what is missing."""
    headers = {} if authorization is None else {"authorization": authorization}
    answer = await world.call("POST", PATH, {}, headers=headers)
    assert (answer.status, answer.code) == (401, "authentication.required")


async def test_invalid_access_token(world: World) -> None:
    """A token that was never issued, a session token among them, is refused; it is not quoted."""
    session = await world.session()
    for token in ("no-such-token", session["token"]):
        answer = await world.ask_session(token, {})
        assert (answer.status, answer.code) == (401, "bad.credentials")
        assert token not in answer.text


async def test_access_token_without_the_scope(world: World) -> None:
    """A token without chat:guest:create is refused as such."""
    token = await world.access_token(scope="webchat:guest")
    answer = await world.ask_session(token, {})
    assert (answer.status, answer.code) == (401, "missing.scope")


async def test_access_token_expires(world: World) -> None:
    """After an hour of the emulator's clock the token is worth nothing."""
    token = await world.access_token()
    await world.call("POST", "/emulator/clock", {"advanceS": 3599})
    assert (await world.ask_session(token, {})).status == 200
    await world.call("POST", "/emulator/clock", {"advanceS": 1.5})
    answer = await world.ask_session(token, {})
    assert (answer.status, answer.code) == (401, "bad.credentials")
    assert "expired" in answer.json["message"]


async def test_revoked_access_token(world: World) -> None:
    """A token can be revoked, alone or with all others."""
    first, second, third = [await world.access_token() for _ in range(3)]
    answer = await world.call("POST", "/emulator/oauth/revoke", {"accessToken": first})
    assert answer.json == {"revoked": 1}
    assert (await world.ask_session(first, {})).status == 401
    assert (await world.ask_session(second, {})).status == 200
    assert (await world.call("POST", "/emulator/oauth/revoke", {})).json == {"revoked": 2}
    assert (await world.ask_session(third, {})).status == 401


@pytest.mark.parametrize("body", [b"", b"{}", b'{"unknown": 1, "name": null}'])
async def test_every_member_is_optional(world: World, body: bytes) -> None:
    """No body, an empty one and unknown members are fine."""
    headers = {"authorization": f"Bearer {await world.access_token()}", "content-type": "application/json"}
    answer = await world.call("POST", PATH, headers=headers, data=body)
    assert answer.status == 200
    assert "externalContactId" not in answer.json


@pytest.mark.parametrize(
    "body, word",
    [
        (b"{", "JSON"),
        (b"[]", "fit"),
        (b'{"name": 1}', "name"),
        (b'{"email": "tom.example.com"}', "@"),
        (b'{"name": "' + b"a" * 257 + b'"}', "256"),
        (b'{"externalContactId": "' + b"a" * 257 + b'"}', "externalContactId"),
        (b"\xff", "JSON"),
    ],
)
async def test_malformed_body(world: World, body: bytes, word: str) -> None:
    """A malformed body gets 400 in the platform's shape, with a word that helps."""
    headers = {"authorization": f"Bearer {await world.access_token()}", "content-type": "application/json"}
    answer = await world.call("POST", PATH, headers=headers, data=body)
    assert (answer.status, answer.code) == (400, "bad.request")
    assert word in answer.json["message"]


async def test_other_media_type(world: World) -> None:
    """A body that is not called JSON is refused."""
    headers = {"authorization": f"Bearer {await world.access_token()}", "content-type": "text/plain"}
    answer = await world.call("POST", PATH, headers=headers, data=b"{}")
    assert (answer.status, answer.code) == (415, "unsupported.media.type")


async def test_large_body(world: World) -> None:
    """A body over 64 KiB is refused, with or without its length."""
    headers = {"authorization": f"Bearer {await world.access_token()}", "content-type": "application/json"}
    answer = await world.call("POST", PATH, headers=headers, data=b" " * 70_000)
    assert (answer.status, answer.code) == (413, "request.too.large")


async def test_check_tells_the_status(world: World) -> None:
    """The session's own token asks for its state, before, while and after the conversation."""
    session = await world.session()
    answer = await world.check_session(session["sessionId"], session["token"])
    assert answer.status == 200
    assert answer.json.items() >= {"sessionId": session["sessionId"], "status": "waiting"}.items()
    guest = await world.open(session)
    await guest.send({"type": "end"})
    await guest.close_code()
    answer = await world.check_session(session["sessionId"], session["token"])
    assert answer.json["status"] == "ended"


async def test_check_refuses_every_other_token(world: World) -> None:
    """Not this session's, not genuine, not there, expired: all are 401 and look alike."""
    session, other = await world.session(), await world.session()
    access_token = await world.access_token()
    answers = [
        await world.check_session(session["sessionId"], other["token"]),
        await world.check_session(session["sessionId"], access_token),
        await world.check_session(session["sessionId"], session["token"][:-2]),
        await world.check_session("no-such-session", session["token"]),
    ]
    await world.call("POST", "/emulator/clock", {"advanceS": 86_401})
    answers.append(await world.check_session(session["sessionId"], session["token"]))
    assert {(answer.status, answer.code, answer.json["message"]) for answer in answers} == {
        (401, "bad.credentials", answers[0].json["message"])
    }
    missing = await world.call("GET", f"{PATH}/{session['sessionId']}")
    assert (missing.status, missing.code) == (401, "authentication.required")


async def test_unknown_address(world: World) -> None:
    """The platform's side answers unknown addresses and methods in its own shape."""
    answer = await world.call("GET", "/api/v2/nothing")
    assert (answer.status, answer.code) == (404, "not.found")
    answer = await world.call("DELETE", PATH)
    assert (answer.status, answer.code) == (405, "method.not.allowed")
