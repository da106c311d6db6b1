"""Access tokens: cached, renewed in time, one request in flight."""

from __future__ import annotations

import asyncio

import pytest

from guestwire.client.tokens import FAILED_S, CallerTokens, TokenBroker
from guestwire.errors import AuthError, ConfigError, ConnectFailed, OAuthRefused, RateLimited
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.secret import Secret
from guestwire.net.memory import MemoryNetwork
from guestwire.net.websocket import Refusal, SocketHandler, UpgradeRequest
from guestwire.settings import ProviderSettings
from guestwire.testing import FakeClock

SETTINGS = ProviderSettings(base_url="http://localhost", client_id="id", client_secret=Secret("canary-secret"))


class Endpoint:
    """A token endpoint that numbers its tokens, and takes a moment to answer."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.answers: list[HttpAnswer] = []
        self.clock = FakeClock()
        self.network = MemoryNetwork(self.answer, self.refuse)
        self.broker = TokenBroker(self.network, SETTINGS, clock=self.clock)

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        number = len(self.requests)
        await self.clock.sleep(1)
        if self.answers:
            return self.answers.pop(0)
        return HttpAnswer(200, {}, b'{"access_token":"token-%d","expires_in":100}' % number)

    async def refuse(self, _request: UpgradeRequest) -> SocketHandler | Refusal:
        return Refusal(403)


async def test_token_is_kept_until_four_fifths_of_its_life() -> None:
    endpoint = Endpoint()
    assert (await endpoint.broker.access_token()).reveal() == "token-1"
    endpoint.clock.advance(78)
    assert (await endpoint.broker.access_token()).reveal() == "token-1"
    endpoint.clock.advance(2)
    assert (await endpoint.broker.access_token()).reveal() == "token-2"
    assert len(endpoint.requests) == 2


async def test_a_hundred_callers_send_one_request() -> None:
    endpoint = Endpoint()
    tokens = await asyncio.gather(*(endpoint.broker.access_token() for _ in range(100)))
    assert {token.reveal() for token in tokens} == {"token-1"}
    assert len(endpoint.requests) == 1


async def test_all_get_the_failure_of_the_one_request() -> None:
    endpoint = Endpoint()
    endpoint.answers = [HttpAnswer(401, {}, b'{"error":"invalid_client"}')]
    results = await asyncio.gather(*(endpoint.broker.access_token() for _ in range(10)), return_exceptions=True)
    assert all(isinstance(result, OAuthRefused) for result in results)
    assert len(endpoint.requests) == 1
    assert (await endpoint.broker.access_token()).reveal() == "token-2"


async def test_a_provider_that_is_away_is_not_asked_by_each_chat() -> None:
    """For half a second everybody gets the failure of the one who asked; then the next one asks."""
    endpoint = Endpoint()
    endpoint.answers = [HttpAnswer(503)]
    for _ in range(20):
        with pytest.raises(ConnectFailed):
            await endpoint.broker.access_token()
    assert len(endpoint.requests) == 1
    endpoint.clock.advance(FAILED_S)
    assert (await endpoint.broker.access_token()).reveal() == "token-2"


async def test_a_cancelled_leader_hands_over_to_the_next() -> None:
    endpoint = Endpoint()
    leader = asyncio.ensure_future(endpoint.broker.access_token())
    followers = [asyncio.ensure_future(endpoint.broker.access_token()) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()
    assert {(await follower).reveal() for follower in followers} == {"token-2"}
    assert len(endpoint.requests) == 2


async def test_a_cancelled_follower_cancels_nobody() -> None:
    endpoint = Endpoint()
    leader = asyncio.ensure_future(endpoint.broker.access_token())
    follower = asyncio.ensure_future(endpoint.broker.access_token())
    await asyncio.sleep(0)
    follower.cancel()
    assert (await leader).reveal() == "token-1"
    with pytest.raises(asyncio.CancelledError):
        await follower


async def test_invalidate_forgets_only_that_token() -> None:
    endpoint = Endpoint()
    first = await endpoint.broker.access_token()
    endpoint.broker.invalidate(first)
    second = await endpoint.broker.access_token()
    assert second.reveal() == "token-2"
    endpoint.broker.invalidate(first)
    assert await endpoint.broker.access_token() == second
    assert len(endpoint.requests) == 2


async def test_a_failed_renewal_leaves_the_valid_token_in_use() -> None:
    endpoint = Endpoint()
    await endpoint.broker.access_token()
    endpoint.clock.advance(85)
    endpoint.answers = [HttpAnswer(503)]
    assert (await endpoint.broker.access_token()).reveal() == "token-1"
    assert (await endpoint.broker.access_token()).reveal() == "token-1"
    assert len(endpoint.requests) == 2
    endpoint.clock.advance(20)
    endpoint.answers = [HttpAnswer(429, {"retry-after": "7"})]
    with pytest.raises(RateLimited) as caught:
        await endpoint.broker.access_token()
    assert caught.value.retry_after_s == 7


async def test_missing_credentials_are_found_before_any_request() -> None:
    endpoint = Endpoint()
    with pytest.raises(ConfigError):
        await TokenBroker(endpoint.network, ProviderSettings(), clock=endpoint.clock).access_token()
    assert not endpoint.requests


async def test_a_callers_function_is_asked_each_time() -> None:
    given: list[str | Secret] = ["one", Secret("two")]
    tokens = iter(given)

    async def provide() -> str | Secret:
        return next(tokens)

    source = CallerTokens(provide)
    first = await source.access_token()
    source.invalidate(first)
    assert first == Secret("one")
    assert await source.access_token() == Secret("two")


async def test_a_callers_error_is_kept_as_the_cause() -> None:
    async def provide() -> str:
        raise KeyError("no token")

    with pytest.raises(AuthError, match="KeyError") as caught:
        await CallerTokens(provide).access_token()
    assert isinstance(caught.value.__cause__, KeyError)


async def test_a_callers_chat_error_passes() -> None:
    async def provide() -> str:
        raise RateLimited(retry_after_s=3)

    with pytest.raises(RateLimited):
        await CallerTokens(provide).access_token()
