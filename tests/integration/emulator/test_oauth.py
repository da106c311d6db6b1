"""The token endpoint from outside (guest-session §2)."""

from __future__ import annotations

import base64

import pytest

from guestwire.emulator import Emulator, OAuthClient
from guestwire.model.secret import Secret
from tests.integration.emulator.world import World, running

PATHS = ["/api/v2/oauth/token", "/oauth/token"]
FORM = "application/x-www-form-urlencoded"


def basic(client_id: str = "demo-client", secret: str = "demo-secret") -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


@pytest.mark.parametrize("path", PATHS)
async def test_form_credentials_give_a_token(world: World, path: str) -> None:
    """Both paths take id and secret in the form, as the tutorial sends them."""
    answer = await world.ask_token(path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json
    assert body.pop("access_token")
    assert body == {"token_type": "bearer", "expires_in": 3600, "scope": "chat:guest:create"}


@pytest.mark.parametrize("path", PATHS)
async def test_basic_credentials_give_a_token(world: World, path: str) -> None:
    """Both paths take HTTP Basic, as real orgs want it."""
    answer = await world.call("POST", path, data={"grant_type": "client_credentials"}, headers=basic())
    assert answer.status == 200
    assert answer.json["scope"] == "chat:guest:create webchat:guest"


async def test_implied_scope_is_accepted(world: World) -> None:
    """webchat:guest may be asked for and is never required."""
    answer = await world.ask_token(scope="chat:guest:create webchat:guest")
    assert answer.json["scope"] == "chat:guest:create webchat:guest"


@pytest.mark.parametrize(
    "form, status, error",
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "chat:guest:create admin"}, 400, "invalid_scope"),
    ],
)
async def test_refusals_have_the_shape_of_rfc_6749(
    world: World, form: dict[str, str | None], status: int, error: str
) -> None:
    """A refusal has RFC 6749's members, and the platform's beside them."""
    answer = await world.ask_token(**form)
    assert answer.status == status
    assert answer.json["error"] == error
    assert answer.json["error_description"]
    assert answer.code == error.replace("_", ".")
    assert "demo-secret" not in answer.text
    assert "wrong" not in answer.json["error_description"].split()


async def test_wrong_basic_credentials_name_the_scheme(world: World) -> None:
    """A 401 to HTTP Basic says so (RFC 6749 §5.2)."""
    answer = await world.call(
        "POST", "/oauth/token", data={"grant_type": "client_credentials"}, headers=basic(secret="wrong")
    )
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


async def test_json_body_is_refused(world: World) -> None:
    """The endpoint takes forms only."""
    answer = await world.call("POST", "/oauth/token", {"grant_type": "client_credentials"})
    assert answer.status == 400
    assert answer.json["error"] == "invalid_request"


async def test_large_body_is_refused(world: World) -> None:
    """A body over 64 KiB is not read to its end."""
    answer = await world.call("POST", "/oauth/token", data=b"a" * 70_000, headers={"content-type": FORM})
    assert answer.status == 413
    assert answer.code == "request.too.large"


async def test_get_is_refused(world: World) -> None:
    """Credentials never come in a query string."""
    answer = await world.call("GET", "/oauth/token")
    assert answer.status == 405
    assert answer.code == "method.not.allowed"
    assert answer.headers["allow"] == "POST"


async def test_several_clients() -> None:
    """Each client has its own secret and its own scopes."""
    narrow = OAuthClient("narrow", Secret("its own"), frozenset({"webchat:guest"}))
    async with running() as world:
        world.emulator.org.add_client(narrow)
        answer = await world.ask_token(client_id="narrow", client_secret="its own", scope=None)
        assert answer.json["scope"] == "webchat:guest"
        assert (await world.ask_token(client_id="narrow", client_secret="demo-secret")).status == 401
        refused = await world.ask_session(answer.json["access_token"], {})
        assert (refused.status, refused.code) == (401, "missing.scope")


async def test_clients_given_in_process_survive_a_reset() -> None:
    """Clients given at the start belong to the org; those added later go with a reset."""
    async with Emulator(clients=[OAuthClient("second", Secret("s"))]) as emulator:
        emulator.org.add_client(OAuthClient("third", Secret("s")))
        emulator.org.reset(None)
        assert set(emulator.org.clients) == {"demo-client", "second"}
