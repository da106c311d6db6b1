"""The deployment's configuration: read once for all, kept fresh, and kept when it can't be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from guestwire.errors import ChatError, ConfigError, ConnectFailed
from guestwire.gateway.relay import deployments
from guestwire.gateway.relay.deployments import AGAIN_S, REFRESH_S, Deployments, Watcher
from guestwire.net.http import HttpClient
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.settings import EMULATED_DEPLOYMENT, ProviderSettings
from guestwire.testing import FakeClock, eventually


class Cdn(Watcher):
    """Answers as told, counts how often it is asked, and looks when told of a change."""

    def __init__(self) -> None:
        self.answer: Deployment | ChatError = Deployment(EMULATED_DEPLOYMENT)
        self.asked = 0
        self.changes = 0

    async def find(self, _transport: object, _settings: object) -> Deployment:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, ChatError):
            raise self.answer
        return self.answer

    def deployment_changed(self) -> None:
        self.changes += 1


@pytest.fixture
def cdn(monkeypatch: pytest.MonkeyPatch) -> Cdn:
    made = Cdn()
    monkeypatch.setattr(deployments, "find_deployment", made.find)
    return made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(auto_jump=False)


@pytest.fixture
async def found(cdn: Cdn, clock: FakeClock) -> AsyncIterator[Deployments]:
    settings = ProviderSettings(deployment_id=EMULATED_DEPLOYMENT)
    async with HttpClient() as transport:
        made = Deployments(settings, transport=transport, clock=clock)
        made.watch(cdn)
        yield made


async def test_it_is_read_once_for_all(cdn: Cdn, found: Deployments) -> None:
    everybody = await asyncio.gather(*(found.get() for _ in range(20)))
    assert {id(one) for one in everybody} == {id(cdn.answer)}
    assert cdn.asked == 1


async def test_a_failure_is_everybodys_for_a_moment(cdn: Cdn, found: Deployments, clock: FakeClock) -> None:
    cdn.answer = ConfigError(code="deployment-unknown")
    for _ in range(3):
        with pytest.raises(ConfigError) as caught:
            await found.get()
        assert caught.value.code == "deployment-unknown"
    assert cdn.asked == 1
    cdn.answer = Deployment(EMULATED_DEPLOYMENT)
    clock.advance(AGAIN_S)
    assert await found.get() == cdn.answer


async def test_it_is_read_again_and_changes_are_told(cdn: Cdn, found: Deployments, clock: FakeClock) -> None:
    async with found.running():
        await eventually(lambda: found.current is not None)
        assert cdn.changes == 1
        cdn.answer = Deployment(EMULATED_DEPLOYMENT, markdown=True)
        await eventually(lambda: clock.sleepers)
        clock.advance(REFRESH_S)
        await eventually(lambda: found.current == cdn.answer)
        assert cdn.changes == 2
        await eventually(lambda: clock.sleepers)
        clock.advance(REFRESH_S)
        await eventually(lambda: cdn.asked == 3)
    assert cdn.changes == 2


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        (ConnectFailed(), True),
        (ConfigError(code="deployment-unknown"), True),
        (ConfigError(code="deployment-inactive"), False),
        (ConfigError(code="domain-not-allowed"), False),
    ],
)
async def test_an_old_one_is_kept_unless_the_provider_says_no(
    cdn: Cdn, found: Deployments, clock: FakeClock, error: ChatError, *, is_kept: bool
) -> None:
    async with found.running():
        await eventually(lambda: found.current is not None)
        cdn.answer = error
        await eventually(lambda: clock.sleepers)
        clock.advance(REFRESH_S)
        await eventually(lambda: cdn.asked == 2)
        await eventually(lambda: clock.sleepers)
        assert (found.current is not None) == is_kept
