"""The guest's side read by pages of other origins (guest-session §3, the tutorial's fourth error)."""

from __future__ import annotations

import pytest

from tests.integration.emulator.world import Answer, World

PATHS = ["/api/v2/oauth/token", "/oauth/token", "/api/v2/chat/guestsessions"]
ORIGINS = ["https://shop.example.com", "http://localhost:3000", "null"]


async def preflight(world: World, path: str, origin: str, method: str = "POST") -> Answer:
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
    }
    return await world.call("OPTIONS", path, headers=headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", ORIGINS)
async def test_preflight_is_answered_for_every_origin(world: World, path: str, origin: str) -> None:
    """Every origin may send Authorization and Content-Type, a page opened from disk included."""
    answer = await preflight(world, path, origin)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] in {"*", origin}
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_session_check_can_be_called_from_a_page(world: World) -> None:
    """A page asks why its upgrade was refused: that call has a preflight, too."""
    answer = await preflight(world, "/api/v2/chat/guestsessions/some-id", ORIGINS[0], "GET")
    assert answer.status == 204
    assert "GET" in answer.headers["access-control-allow-methods"]


async def test_answers_can_be_read(world: World) -> None:
    """Answers can be read by the page, refusals too, and so can Retry-After."""
    token = await world.call("POST", "/oauth/token", headers={"origin": "null"}, data={"grant_type": "x"})
    session = await world.call("POST", "/api/v2/chat/guestsessions", {}, headers={"origin": "null"})
    check = await world.call("GET", "/api/v2/chat/guestsessions/x", headers={"origin": "null"})
    unknown = await world.call("GET", "/api/v2/nothing", headers={"origin": "null"})
    for answer, status in ((token, 400), (session, 401), (check, 401), (unknown, 404)):
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", PATHS)
async def test_no_cors_fault(world: World, path: str) -> None:
    """With the fault on no preflight is answered and no answer can be read; off, all is as before."""
    await world.switch("no-cors")
    asked = await preflight(world, path, ORIGINS[0])
    assert asked.status == 405
    assert "access-control-allow-origin" not in asked.headers
    answer = await world.call("POST", path, headers={"origin": ORIGINS[0]})
    assert "access-control-allow-origin" not in answer.headers
    await world.switch("no-cors", on=False)
    assert (await preflight(world, path, ORIGINS[0])).status == 204


@pytest.mark.parametrize("path", ["/desk/api/state", "/emulator/state", "/desk"])
async def test_desk_and_control_have_no_cors(world: World, path: str) -> None:
    """Pages of other origins can't read the desk's and the control API's answers."""
    answer = await world.call("GET", path)
    assert "access-control-allow-origin" not in answer.headers
    assert (await preflight(world, path, ORIGINS[0])).status in {403, 405}
