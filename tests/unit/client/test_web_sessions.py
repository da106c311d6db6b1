"""Where the REST calls of Web Messaging go, and what they take along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestwire.client.web_sessions import (
    exchange_code,
    find_deployment,
    messaging_base,
    read_deployment,
    read_history_page,
    rest_base,
)
from guestwire.errors import ConfigError, SessionExpired
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.deployment import Deployment, Domains
from guestwire.protocols.web_messaging.rest import CodeGrant, HistoryQuery
from guestwire.settings import ProviderSettings
from tests.unit.client.web_world import DEPLOYMENT, SETTINGS, WebProvider

REGION = ProviderSettings(region="eu-central-1", deployment_id=DEPLOYMENT)
TOLD = Deployment(DEPLOYMENT, api_base="https://api.told.test", socket_base="wss://socket.told.test")


@pytest.mark.parametrize(
    "settings, deployment, rest, messaging",
    [
        (REGION, None, "https://api.mypurecloud.de", "wss://webmessaging.mypurecloud.de"),
        (
            replace(REGION, region="mypurecloud.de"),
            Deployment(DEPLOYMENT),
            "https://api.mypurecloud.de",
            "wss://webmessaging.mypurecloud.de",
        ),
        (REGION, TOLD, "https://api.told.test", "wss://socket.told.test"),
        (replace(REGION, base_url="https://mine.test/"), TOLD, "https://mine.test", "wss://mine.test"),
        (
            replace(REGION, messaging_url="wss://socket.mine.test"),
            TOLD,
            "https://api.told.test",
            "wss://socket.mine.test",
        ),
    ],
)
def test_the_operators_word_goes_first_then_the_deployments(
    settings: ProviderSettings, deployment: Deployment | None, rest: str, messaging: str
) -> None:
    assert rest_base(settings, deployment) == rest
    assert messaging_base(settings, deployment) == messaging


async def test_the_site_is_checked_only_where_there_is_one() -> None:
    provider = WebProvider()
    provider.domains = Domains()
    assert (await find_deployment(provider.network, SETTINGS)).deployment_id == DEPLOYMENT
    assert len(provider.calls) == 1
    with pytest.raises(ConfigError) as caught:
        await find_deployment(provider.network, replace(SETTINGS, origin="https://site.test"))
    assert caught.value.code == "domain-not-allowed"


async def test_without_a_deployment_nothing_is_asked() -> None:
    provider = WebProvider()
    with pytest.raises(ConfigError, match="deployment_id"):
        await read_deployment(provider.network, replace(SETTINGS, deployment_id=None))
    assert provider.calls == []


async def test_a_key_that_is_over_says_so() -> None:
    provider = WebProvider()
    with pytest.raises(SessionExpired):
        await read_history_page(provider.network, SETTINGS, Secret("old"), HistoryQuery())


async def test_a_code_takes_everything_along_that_it_was_asked_for_with() -> None:
    provider = WebProvider()
    grant = CodeGrant(Secret("code"), "https://site.test/back", Secret("verifier"), nonce="once", max_age=60)
    guest = await exchange_code(provider.network, SETTINGS, grant)
    assert (guest.jwt.reveal(), repr(guest)) == ("user-1", repr(guest).replace("user-1", "***"))
    [call] = provider.calls
    for member in (b'"codeVerifier":"verifier"', b'"nonce":"once"', b'"maxAge":60', DEPLOYMENT.encode()):
        assert member in call.body
