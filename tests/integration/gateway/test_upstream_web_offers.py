"""What Web Messaging offers beside messages, through the relay: its deployment, files, clearing, signing in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from guestwire.emulator.changes import ConnectionLimitReached, LoggedOut, SignedInElsewhere
from guestwire.emulator.faults import FaultName
from guestwire.emulator.records import Stage
from guestwire.errors import ChatError
from guestwire.gateway.relay.farewell import Farewell
from guestwire.gateway.relay.interface import Authorization, Offer, Upload
from guestwire.gateway.relay.sealed import KEY_BYTES, Seal
from guestwire.gateway.relay.web_ref import unpack_guest
from guestwire.model.content import Attachment
from guestwire.model.content import attachment as attachment_item
from guestwire.model.http import HttpRequest
from guestwire.model.ids import ClientId
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from tests.integration.gateway.test_upstream_web_messaging import begin, end, kept_token, updates
from tests.integration.gateway.upstream_world import SID, World, provider_ref, world


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, api="web-messaging") as made:
        yield made


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def upload(data: bytes = b"x" * 3000, name: str = "door.png", file_type: str = "image/png") -> Upload:
    return Upload(name=name, file_type=file_type, size=len(data), data=pieces(data))


def offer(w: World) -> Offer:
    found = w.session.upstream.offer
    assert found is not None
    return found


@asynccontextmanager
async def flying(w: World) -> AsyncIterator[None]:
    """Let time pass while the block waits for something."""

    async def fly() -> None:
        while True:
            w._fly()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(fly())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


# --- the deployment ---------------------------------------------------------------------------------------------------


async def test_what_the_deployment_says_is_offered_before_and_after_the_first_word(w: World) -> None:
    async with w.gateway():
        await w.until(lambda: offer(w).features)
        assert offer(w).features == {"attachments", "clear", "markdown", "start-new", "stay", "typing"}
        assert (offer(w).bot_name, offer(w).colour) == ("Otto", "#22577A")
        await begin(w)
        assert offer(w).uploads.max_bytes == 10_240_000
        assert offer(w).expires_at is not None
        w.org.change_deployment(w.emulator.deployment_id, markdown=False, clear=False)
        await w.until(lambda: "markdown" not in offer(w).features)
        assert "clear" not in offer(w).features


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("unknown", "deployment-unknown"),
        ("inactive", "deployment-inactive"),
        ("refused", "deployment-unknown"),
        ("server", "upstream-unreachable"),
    ],
)
async def test_a_deployment_that_cannot_be_used_fails_with_words_and_comes_back(
    w: World, trouble: str, code: str
) -> None:
    """What was typed has failed with the reason, or waits; later messages go."""
    match trouble:
        case "unknown":
            w.switch(FaultName.REFUSE_CONFIG, status=403)
        case "inactive":
            w.switch(FaultName.INACTIVE_DEPLOYMENTS)
        case "refused":
            w.switch(FaultName.REFUSE_SESSIONS, code=400)
        case _:
            w.switch(FaultName.REFUSE_CONFIG, status=503)
    async with w.gateway():
        await w.send("one")
        if trouble == "server":
            for _ in range(40):
                w.clock.advance(1)
                await asyncio.sleep(0)
            assert await w.fates() == {}
        else:
            await w.settled(one="failed")
            (receipt,) = await w.frames("receipt")
            assert receipt["code"] == code
        for fault in (FaultName.REFUSE_CONFIG, FaultName.INACTIVE_DEPLOYMENTS, FaultName.REFUSE_SESSIONS):
            w.switch(fault, on=False)
        await w.until(lambda: w.session.upstream.offer.features or trouble == "refused")  # type: ignore[union-attr]
        await w.send("two")
        await w.settled(two="delivered")


async def test_an_old_configuration_is_better_than_none(w: World) -> None:
    async with w.gateway():
        await w.until(lambda: offer(w).features)
        w.switch(FaultName.REFUSE_CONFIG, status=503)
        for _ in range(400):
            w.clock.advance(1)
            await asyncio.sleep(0)
        await begin(w)


# --- files ------------------------------------------------------------------------------------------------------------


async def test_a_file_is_passed_on_and_sent(w: World) -> None:
    """It begins the provider's session; its address is asked for anew whenever it is needed, also after the end."""
    async with w.gateway():
        async with flying(w):
            file = await w.session.upstream.attach(upload())
        content = (attachment_item(Attachment(id=file.id)),)
        await w.session.accept(ClientId("one"), "", content)
        await w.settled(one="delivered")
        (conversation,) = w.org.conversations.values()
        (entry,) = [entry for entry in conversation.entries if entry.sender == "guest"]
        assert entry.content
        for has_ended in (False, True):
            if has_ended:
                end(w)
                await w.until(lambda: w.session.has_ended)
                await w.until(w.session.upstream._task.done)  # type: ignore[attr-defined]
            async with flying(w):
                url = await w.session.upstream.attachment_url(file.id)
            async with HttpClient() as client:
                answer = await client.send(HttpRequest("GET", url))
            assert (answer.status, answer.body) == (200, b"x" * 3000)


@pytest.mark.parametrize(
    ("fault", "params", "code"),
    [
        (FaultName.REFUSE_ATTACHMENTS, {"code": 4001}, "attachment-type"),
        (FaultName.REJECT_UPLOADS, {"code": 4003}, "attachment-invalid"),
        (FaultName.FAIL_UPLOADS, {"status": 500}, "attachment-failed"),
    ],
)
async def test_a_file_that_is_not_taken_says_why(w: World, fault: FaultName, params: dict[str, int], code: str) -> None:
    async with w.gateway():
        await begin(w)
        w.switch(fault, on=True, **params)
        async with flying(w):
            with pytest.raises(ChatError) as caught:
                await w.session.upstream.attach(upload())
        assert caught.value.code == code
        await w.send("two")
        await w.settled(two="delivered")


async def test_a_file_for_a_provider_that_is_not_there_says_so(w: World) -> None:
    w.switch(FaultName.REFUSE_SESSIONS, code=400)
    async with w.gateway():
        async with flying(w):
            with pytest.raises(ChatError) as caught:
                await w.session.upstream.attach(upload())
        assert caught.value.code == "deployment-unknown"


# --- clearing, staying, other places ----------------------------------------------------------------------------------


@pytest.mark.parametrize("has_ended", [False, True])
async def test_a_conversation_can_be_cleared(w: World, *, has_ended: bool) -> None:
    """At the provider and here; the next one is a new session there."""
    async with w.gateway():
        await begin(w)
        w.agent_says("a")
        await w.heard("a")
        if has_ended:
            end(w)
            await w.until(lambda: w.session.has_ended)
            await w.until(w.session.upstream._task.done)  # type: ignore[attr-defined]
        token = await kept_token(w)
        async with flying(w):
            await w.session.guest_clears()
        assert (await updates(w))[-1] == ("ended", "cleared")
        assert await w.frames("message") == []
        await w.session.starts_new()
        await w.send("two")
        await w.settled(two="delivered")
        assert await kept_token(w) != token


async def test_what_may_not_be_cleared_is_not(w: World) -> None:
    async with w.gateway():
        await begin(w)
        w.org.change_deployment(w.emulator.deployment_id, clear=False)
        async with flying(w):
            with pytest.raises(ChatError) as caught:
                await w.session.upstream.clear()
        assert caught.value.code == "refused-by-deployment"
        assert not w.session.has_ended


async def test_it_says_when_the_session_ends_and_the_guest_can_stay(w: World) -> None:
    w.org.change_deployment(w.emulator.deployment_id, session_duration_s=900)
    async with w.gateway():
        await begin(w)
        first = offer(w).expires_at
        assert first is not None
        await w.until(lambda: (first - w.clock.utc()).total_seconds() < 250)
        w.session.upstream.stay()
        await w.until(lambda: (offer(w).expires_at or first) > first)
        await w.send("two")
        await w.settled(two="delivered")
    assert len(w.org.sessions) == 1


async def test_a_session_that_is_open_in_too_many_places_is_opened_again(w: World) -> None:
    async with w.gateway():
        await begin(w)
        w.org.publish(ConnectionLimitReached())
        await w.send("two")
        await w.settled(two="delivered")
    assert len(w.org.sessions) == 1


async def test_signed_in_elsewhere_it_ends_and_is_not_fought_for(w: World) -> None:
    async with w.gateway():
        await begin(w)
        w.org.publish(SignedInElsewhere(frozenset(w.org.sessions)))
        await w.until(lambda: w.session.has_ended)
        assert (await updates(w))[-1] == ("ended", "signed-in-elsewhere")
        await w.session.starts_new()
        await w.send("two")
        await w.settled(two="delivered")
    assert len(w.org.conversations) == 2


# --- signing in -------------------------------------------------------------------------------------------------------


async def code_for(w: World, user: str) -> Authorization:
    body = json.dumps({"user": user, "redirectUri": "https://shop.example/back"}).encode()
    async with HttpClient() as client:
        request = HttpRequest("POST", f"{w.emulator.url}/identity/codes", {"content-type": "application/json"}, body)
        answer = await client.send(request)
    assert answer.is_success, answer.body
    return Authorization(code=Secret(json.loads(answer.body)["code"]), redirect_uri="https://shop.example/back")


async def sign_in(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    authorization = await code_for(w, "nora")
    monkeypatch.setattr(type(w.session), "authorization", property(lambda _session: authorization))
    async with flying(w):
        await w.session.upstream.sign_in()


async def test_a_guest_who_signed_in_is_known_to_the_provider(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a restart, when the JWT of before is over; erased, the guest is signed out. No token is in the log."""
    async with w.gateway(before=partial(sign_in, w, monkeypatch)):
        await begin(w)
        (conversation,) = w.org.conversations.values()
        assert conversation.user is not None
        assert conversation.user.id == "nora"
        secrets = [await kept_token(w), *await kept_sign_in(w)]
    w.clock.advance(7200)
    async with w.gateway():
        await w.send("two")
        await w.settled(two="delivered")
        secrets += await kept_sign_in(w)
        ref = await provider_ref(w)
        async with flying(w):
            await Farewell(w.upstreams)(SID, ref)
        await w.until(lambda: w.session.has_ended)
        assert (await updates(w))[-1] == ("ended", "signed-out")
    assert len(set(secrets)) == 4  # the session's, the refresh token, and two JWTs
    written = b"".join(file.read_bytes() for file in w.path.parent.glob("log.db*"))
    assert not [secret for secret in secrets if secret.encode() in written]


async def kept_sign_in(w: World) -> list[str]:
    kept = Seal([b"k" * KEY_BYTES]).open(SID, await provider_ref(w))
    assert kept is not None
    guest = unpack_guest(kept.guest)
    assert guest is not None
    assert guest.refresh_token is not None
    return [guest.jwt.reveal(), guest.refresh_token.reveal()]


async def test_a_code_that_is_refused_says_so_at_once(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with w.gateway():
        w.switch(FaultName.REFUSE_SIGN_IN, status=401)
        with pytest.raises(ChatError) as caught:
            await sign_in(w, monkeypatch)
        assert caught.value.code == "sign-in-needed"


async def test_a_guest_whose_sign_in_is_over_must_sign_in_again(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not taken for an unknown one meanwhile."""
    async with w.gateway(before=partial(sign_in, w, monkeypatch)):
        await begin(w)
    w.switch(FaultName.REFUSE_SIGN_IN, status=401)
    w.switch(FaultName.REFUSE_SESSIONS, code=401)
    async with w.gateway():
        await w.send("two")
        await w.settled(two="failed")
        receipts = [frame for frame in await w.frames("receipt") if frame["status"] == "failed"]
        assert [frame["code"] for frame in receipts] == ["sign-in-needed"]
        w.switch(FaultName.REFUSE_SESSIONS, on=False)
        await w.send("three")
        await w.settled(three="failed")
    assert len(w.org.sessions) == 1


async def test_signed_out_at_the_provider_it_ends(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with w.gateway(before=partial(sign_in, w, monkeypatch)):
        await begin(w)
        w.org.publish(LoggedOut("nora"))
        await w.until(lambda: w.session.has_ended)
        assert (await updates(w))[-1] == ("ended", "signed-out")


# --- farewell ---------------------------------------------------------------------------------------------------------


async def test_erased_the_provider_forgets_it_too(w: World) -> None:
    async with w.gateway():
        await begin(w)
        ref = await provider_ref(w)
        async with flying(w):
            await Farewell(w.upstreams)(SID, ref)
        (conversation,) = w.org.conversations.values()
        assert conversation.stage is Stage.ENDED
