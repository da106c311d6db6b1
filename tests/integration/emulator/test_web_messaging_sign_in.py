"""Guests who sign in: the identity provider's page, exchange, renewal, step-up, sign-out (§1.5, §2.10)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.emulator.messenger import (
    DEPLOYMENT,
    Messenger,
    change,
    configured,
    conversation,
    join,
    messenger,
)
from tests.integration.emulator.world import Answer, World

pytestmark = pytest.mark.anyio

REDIRECT = "https://shop.example.test/signed-in"
VERIFIER = "a-verifier-that-nobody-else-knows-0123456789abc"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
TOKENS = "/api/v2/webdeployments/token"


async def code_for(world: World, user: str = "nora", **more: str) -> str:
    answer = await world.call("POST", "/identity/codes", {"user": user, "redirectUri": REDIRECT, **more})
    assert answer.status == 201, answer.text
    return str(answer.json["code"])


async def exchange(world: World, deployment_id: str = DEPLOYMENT, **oauth: Any) -> Answer:
    body = {"deploymentId": deployment_id, "oauth": oauth}
    return await world.call("POST", f"{TOKENS}/oauthcodegrantjwtexchange", body)


async def signed_in(world: World, user: str = "nora") -> dict[str, Any]:
    answer = await exchange(world, code=await code_for(world, user), redirectUri=REDIRECT)
    assert answer.status == 200, answer.text
    tokens: dict[str, Any] = answer.json
    return tokens


async def configure(guest: Messenger, jwt: str, **members: object) -> dict[str, Any]:
    return await guest.ask("configureAuthenticatedSession", deploymentId=DEPLOYMENT, data={"code": jwt}, **members)


async def test_signing_in_by_the_page(world: World) -> None:
    """It lists who there is, and sends the browser back with a code and its state; PKCE is checked."""
    query = {
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "state": "s 1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    page = await world.call("GET", world.emulator.authorize_url, params=query)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Nora Berg" in page.text
    assert "script" not in page.text
    back = await world.call("GET", world.emulator.authorize_url, params={**query, "user": "nora"})
    assert back.status == 303
    parts = urlsplit(back.headers["location"])
    given = parse_qs(parts.query)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == REDIRECT
    assert given["state"] == ["s 1"]
    (code,) = given["code"]
    assert (await exchange(world, code=code, redirectUri=REDIRECT)).code == "bad.credentials"
    back = await world.call("GET", world.emulator.authorize_url, params={**query, "user": "nora"})
    (code,) = parse_qs(urlsplit(back.headers["location"]).query)["code"]
    answer = await exchange(world, code=code, redirectUri=REDIRECT, codeVerifier=VERIFIER)
    assert set(answer.json) == {"jwt", "refreshToken"}
    assert (await exchange(world, code=code, redirectUri=REDIRECT, codeVerifier=VERIFIER)).status == 401


async def test_the_implicit_flow(world: World) -> None:
    """An id token in the fragment, bound to its nonce, gives a JWT without a refresh token."""
    query = {"response_type": "id_token", "redirect_uri": REDIRECT, "nonce": "n1", "user": "tomas"}
    back = await world.call("GET", world.emulator.authorize_url, params=query)
    (token,) = parse_qs(urlsplit(back.headers["location"]).fragment)["id_token"]
    assert (await exchange(world, idToken=token, nonce="n2")).status == 401
    assert set((await exchange(world, idToken=token, nonce="n1")).json) == {"jwt"}


@pytest.mark.parametrize(
    "address", ["", "javascript:alert(1)", "https://a.test/#x", "/relative", "http://[", "ftp://a"]
)
async def test_bad_ways_back(world: World, address: str) -> None:
    """Only an absolute address of the web, without a fragment."""
    answer = await world.call("GET", world.emulator.authorize_url, params={"redirect_uri": address, "user": "nora"})
    assert (answer.status, answer.code) == (400, "bad-request")


async def test_what_the_exchange_refuses(world: World) -> None:
    """Another address than the code's, an old code, nobody's deployment, one without sign-in, a body that is none."""
    code = await code_for(world)
    assert (await exchange(world, code=code, redirectUri="https://other.test")).status == 401
    old = await code_for(world)
    await world.call("POST", "/emulator/clock", {"advanceS": 601})
    assert (await exchange(world, code=old, redirectUri=REDIRECT)).status == 401
    assert (await exchange(world, "nobody", code="x")).code == "deployment.not.found"
    assert (await exchange(world)).code == "bad.request"
    await change(world, auth=False)
    assert (await exchange(world, code="x")).code == "authentication.disabled"
    assert (await world.call("POST", "/identity/codes", {"user": "who", "redirectUri": REDIRECT})).status == 400


async def test_an_authenticated_session(world: World) -> None:
    """The desk sees who it is; echoes say so; there is no way back to an unknown guest (4017)."""
    tokens = await signed_in(world)
    guest = await messenger(world)
    session = await configure(guest, tokens["jwt"])
    assert (session["class"], session["body"]["newSession"]) == ("SessionResponse", True)
    await guest.ask("onMessage", message=join())
    greeting = await guest.bot()
    assert "Nora Berg" in greeting["text"]
    echo = await guest.say("Hello")
    assert echo["body"]["metadata"]["authenticated"] == "true"
    seen = await conversation(world, guest)
    assert (seen["guest"]["name"], seen["guest"]["signedInAs"]) == ("Nora Berg", "nora")
    assert next(one for one in seen["entries"] if one["text"] == "Hello")["authenticated"] is True
    assert (await guest.configure())["code"] == 4017
    other = await signed_in(world, "tomas")
    assert (await configure(guest, other["jwt"]))["code"] == 401


async def test_renewing_and_expiring(world: World) -> None:
    """A JWT lives an hour; the refresh token stays in use; 401 tells a client to renew (§2.10)."""
    tokens = await signed_in(world)
    await world.call("POST", "/emulator/clock", {"advanceS": 3601})
    guest = await messenger(world)
    assert (await configure(guest, tokens["jwt"]))["code"] == 401
    again = await world.call("POST", f"{TOKENS}/refresh", {"refreshToken": tokens["refreshToken"]})
    assert set(again.json) == {"jwt"}
    assert (await configure(guest, again.json["jwt"]))["class"] == "SessionResponse"
    assert (await world.call("POST", f"{TOKENS}/refresh", {"refreshToken": "x"})).status == 401
    assert (await world.call("POST", f"{TOKENS}/refresh", {})).code == "bad.request"


async def test_stepping_up(world: World) -> None:
    """Other device first, then SignIn with names, then the answer; on the same socket and token (§2.10)."""
    tokens = await signed_in(world)
    elsewhere = await messenger(world)
    await configure(elsewhere, tokens["jwt"])
    await elsewhere.ask("onMessage", message=join())
    guest = await configured(world)
    await guest.ask("onMessage", message=join())
    await guest.bot()
    await guest.send("configureAuthenticatedSession", deploymentId=DEPLOYMENT, data={"code": tokens["jwt"]})
    signed = await guest.event("SignIn")
    assert signed["body"]["direction"] == "Inbound"
    assert signed["body"]["channel"]["from"] == {"firstName": "Nora", "lastName": "Berg"}
    session = await guest.frame()
    assert session["body"]["clearedExistingSession"] is True
    closed = await elsewhere.until("ConnectionClosedEvent")
    assert closed["body"] == {"reason": "signedIn", "reasonCode": "signedIn"}
    assert await elsewhere.closed() == 1000
    state = (await world.call("GET", "/desk/api/state")).json["conversations"]
    assert [one["stage"] for one in state] == ["ended", "bot"]
    assert state[1]["entries"][-1]["text"] == "The guest signed in as Nora Berg."
    await change(world, stepUp=False)
    third = await configured(world)
    assert (await configure(third, tokens["jwt"]))["code"] == 403


async def test_signing_out(world: World) -> None:
    """A LogoutEvent to every connection of the user; JWT and refresh token are dead (§2.10)."""
    tokens = await signed_in(world)
    guests = [await messenger(world) for _ in range(2)]
    for guest in guests:
        await configure(guest, tokens["jwt"])
    bystander = await configured(world)
    headers = {"authorization": f"bearer {tokens['jwt']}"}
    assert (await world.call("DELETE", f"{TOKENS}/revoke", headers=headers)).status == 204
    for guest in guests:
        assert (await guest.until("LogoutEvent"))["body"] == {}
    assert (await world.call("DELETE", f"{TOKENS}/revoke", headers=headers)).status == 401
    assert (await world.call("POST", f"{TOKENS}/refresh", {"refreshToken": tokens["refreshToken"]})).status == 401
    assert (await configure(guests[0], tokens["jwt"]))["code"] == 401
    await bystander.ask("echo")
    assert all(frame["class"] != "LogoutEvent" for frame in bystander.seen)


async def test_signed_out_and_signed_in_elsewhere_by_the_control_api(world: World) -> None:
    """A tester does to a session what its guest would on another device."""
    tokens = await signed_in(world)
    guest = await messenger(world)
    await configure(guest, tokens["jwt"])
    await guest.ask("onMessage", message=join())
    assert (await world.call("POST", "/emulator/users/nora/log-out", {})).status == 204
    await guest.until("LogoutEvent")
    assert (await world.call("POST", "/emulator/users/who/log-out", {})).status == 404
    assert (await conversation(world, guest))["endReason"] == "guest"
    other = await configured(world)
    await other.ask("onMessage", message=join())
    session_id = (await conversation(world, other))["sessionId"]
    assert (await world.call("POST", f"/emulator/sessions/{session_id}/sign-in-elsewhere", {})).status == 204
    assert (await other.until("ConnectionClosedEvent"))["body"]["reason"] == "signedIn"
    assert (await world.call("POST", "/emulator/sessions/nobody/sign-in-elsewhere", {})).status == 404
