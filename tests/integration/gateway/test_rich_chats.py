"""What a provider with more than messages adds, over real sockets: what it offers, clear, stay, identity, sign-in."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from guestwire.errors import ChatError
from guestwire.gateway.relay.interface import Authorization, Offer
from guestwire.model.events import ConversationStatus, ConversationUpdated
from guestwire.model.http import HttpAnswer
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.uploads import UploadRules
from guestwire.settings import ProviderSettings
from guestwire.testing import eventually

from .relay_world import SESSIONS, FakeUpstream, Guest, Tab, World, relay_world

EXPIRES = datetime(2026, 5, 4, 9, 12, 31, tzinfo=UTC)
OFFER = Offer(
    features=frozenset({"attachments", "clear", "markdown", "stay", "typing"}),
    uploads=UploadRules(("image/*",), 10_240_000, {}, frozenset({".exe", ".bat"})),
    expires_at=EXPIRES,
    bot_name="Otto",
    bot_avatar="https://cdn.example.com/otto.png",
    colour="#22577A",
)
SECRET = "canary-1dentity-secret-of-32-bytes"
CLEARED = ConversationUpdated(status=ConversationStatus.ENDED, reason="cleared")


class RichUpstream(FakeUpstream):
    """One that has an offer."""

    offered: Offer | None = OFFER
    refuses: ChatError | None = None
    tells_of_clear = True
    signed_in: Authorization | None = None
    ref = b""

    @property
    def offer(self) -> Offer | None:
        return self.offered

    async def clear(self) -> None:
        self.calls.append("clear")
        if self.refuses is not None:
            raise self.refuses
        if self.tells_of_clear:
            await self.says(CLEARED)

    def stay(self) -> None:
        self.calls.append("stay")

    async def sign_in(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.signed_in = self.session.authorization
        await self.session.log.set_provider(self.session.sid, b"signed in")

    def ref_for_new(self) -> bytes:
        return self.ref

    def offers(self, offer: Offer) -> None:
        self.offered = offer
        self.session.offer_changed()


def rich(world: World) -> None:
    world.upstream_class = RichUpstream


def upstream_of(guest: Guest) -> RichUpstream:
    upstream = guest.upstream
    assert isinstance(upstream, RichUpstream)
    return upstream


async def silent(tab: Tab) -> list[str]:
    """Return the kinds of frames that are on their way; nothing that comes later."""
    before = len(tab.frames)
    await tab.say(type="ping", seq=0)
    await tab.until("pong")
    return tab.kinds[before:-1]


async def test_every_connection_is_told_what_the_session_offers(tmp_path: Path) -> None:
    """After it has caught up, and at each change; always all of it."""
    async with relay_world(tmp_path) as world:
        rich(world)
        guest = await world.create()
        tab = await guest.open()
        whole = {
            "type": "session",
            "features": ["attachments", "clear", "markdown", "start-new", "stay", "typing"],
            "limits": {
                "maxTextBytes": 4096,
                "attachments": {
                    "maxBytes": 10_240_000,
                    "types": ["image/*"],
                    "blockedExtensions": [".bat", ".exe"],
                },
            },
            "expiresAt": "2026-05-04T09:12:31.000Z",
            "readOnly": False,
            "bot": {"name": "Otto", "avatar": "https://cdn.example.com/otto.png"},
            "colour": "#22577A",
        }
        assert await tab.next() == whole
        other = await guest.open(tab="u")
        assert await other.next() == whole
        upstream_of(guest).offers(Offer(features=frozenset({"typing"}), uploads=OFFER.uploads))
        for each in (tab, other):
            assert await each.next() == {
                "type": "session",
                "features": ["start-new", "typing"],
                "limits": {"maxTextBytes": 4096},
                "readOnly": False,
            }


async def test_only_changes_that_matter_are_told(tmp_path: Path) -> None:
    """The end of the session moves with every message: not before it has moved by a minute, or came nearer."""
    async with relay_world(tmp_path) as world:
        rich(world)
        guest = await world.create()
        tab = await guest.open()
        await tab.until("session")
        upstream = upstream_of(guest)
        for seconds, is_told in ((0, False), (30, False), (60, False), (61, True), (90, False), (10, True), (9, False)):
            upstream.offers(replace(OFFER, expires_at=EXPIRES + timedelta(seconds=seconds)))
            assert await silent(tab) == ["session"] * is_told, seconds
        upstream.offers(replace(OFFER, expires_at=None))
        assert await silent(tab) == ["session"]


async def test_a_client_of_the_tutorial_is_told_nothing(tmp_path: Path) -> None:
    """And may not ask for it."""
    async with relay_world(tmp_path) as world:
        rich(world)
        guest = await world.create()
        plain = await guest.plain()
        await plain.say(type="message", text="hi")
        await eventually(lambda: guest.sid in world.upstreams and "start" in guest.upstream.calls)
        upstream_of(guest).offers(Offer())
        await plain.say(type="clear")
        assert (await plain.next())["code"] == "bad-frame"
        await guest.upstream.agent("hello")
        assert (await plain.next())["text"] == "hello"


async def test_a_provider_of_the_tutorials_api_offers_nothing(tmp_path: Path) -> None:
    """There is no frame, no clear, and the answer names none of it; with Web Messaging it does."""
    async with relay_world(tmp_path) as world:
        guest = await world.create()
        tab = await guest.open()
        await tab.say(type="clear")
        assert (await tab.next())["code"] == "refused-by-deployment"
        await tab.say(type="stay")
        assert await silent(tab) == []
        assert not {"attachments", "clear", "stay"} & set(guest.answer["extensions"])
        provider = ProviderSettings(base_url="http://127.0.0.1:9", deployment_id="c0ffee00-0000-4000-8000-000000000001")
        await world.restart(provider=provider)
        rich_guest = await world.create()
        assert {"content", "attachments", "clear", "stay"} <= set(rich_guest.answer["extensions"])


async def talked(guest: Guest, tab: Tab) -> None:
    await tab.say(type="message", text="s3cret words", clientId="c1")
    await tab.until("receipt", status="delivered")
    await guest.upstream.agent("an answer")
    await tab.until("message", text="an answer")


async def assert_cleared(guest: Guest) -> Tab:
    tab = await guest.open(tab="new")
    assert tab.welcome["mode"] == "reset"
    (record,) = tab.records
    assert (record["status"], record["reason"]) == ("ended", "cleared")
    return tab


@pytest.mark.parametrize("by_guest", [True, False])
@pytest.mark.parametrize("tells", [True, False])
async def test_clear_leaves_nothing_but_that_it_was(tmp_path: Path, by_guest: bool, tells: bool) -> None:
    """Every tab is reset, whoever cleared it; a place of before resumes nothing; a new conversation can be begun."""
    async with relay_world(tmp_path) as world:
        rich(world)
        guest = await world.create()
        tab, other = await guest.open(), await guest.open(tab="u")
        await talked(guest, tab)
        upstream_of(guest).tells_of_clear = tells
        if by_guest:
            await tab.say(type="clear")
        else:
            await guest.upstream.says(CLEARED)
        assert await tab.rest() == await other.rest() == 4410
        assert ("clear" in guest.upstream.calls) is by_guest
        again = await guest.open(tab.welcome["epoch"], tab.last)
        assert again.welcome["mode"] == "reset"
        assert again.welcome["epoch"] != tab.welcome["epoch"]
        new = await assert_cleared(guest)
        assert (await new.until("session"))["readOnly"] is True
        await new.say(type="start-new")
        await new.until("conversation-update", status="waiting")
        await new.say(type="message", text="fresh", clientId="c2")
        await new.until("receipt", status="delivered")
        assert world.heard[-1] == "fresh"


async def test_a_clear_that_is_refused_clears_nothing(tmp_path: Path) -> None:
    """The guest is told why, and everything is as before."""
    async with relay_world(tmp_path) as world:
        rich(world)
        guest = await world.create()
        tab = await guest.open()
        await talked(guest, tab)
        upstream = upstream_of(guest)
        upstream.refuses = ChatError(code="upstream-unreachable")
        await tab.say(type="clear")
        assert (await tab.until("error"))["code"] == "upstream-unreachable"
        upstream.refuses, upstream.offered = None, Offer()
        await tab.say(type="clear")
        assert (await tab.until("error"))["code"] == "refused-by-deployment"
        again = await guest.open(tab.welcome["epoch"], 0, tab="v")
        assert again.welcome["mode"] == "resume"
        assert again.texts == ["s3cret words", "an answer"]


async def test_clear_before_the_first_word_and_after_the_end(tmp_path: Path) -> None:
    """The provider is not asked about a conversation it never heard of."""
    async with relay_world(tmp_path) as world:
        rich(world)
        fresh = await world.create()
        tab = await fresh.open()
        await tab.say(type="clear")
        assert await tab.rest() == 4410
        assert not {"clear", "start"} & set(fresh.upstream.calls)
        await assert_cleared(fresh)
        ended = await world.create()
        tab = await ended.open()
        await talked(ended, tab)
        await tab.say(type="end")
        await tab.until("conversation-update", status="ended")
        await tab.say(type="clear")
        assert await tab.rest() == 4410
        await assert_cleared(ended)
        again = await ended.open(tab="w")
        await again.say(type="clear")
        assert await silent(again) in ([], ["session"])


async def test_a_clear_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    """The gateway dies between the end and the forgetting: the next one forgets."""

    def die(name: str) -> None:
        if name == "before-clear":
            raise ChatError(code="log-unavailable")

    async with relay_world(tmp_path, fail_point=die) as world:
        rich(world)
        guest = await world.create()
        tab = await guest.open()
        await talked(guest, tab)
        await tab.say(type="clear")
        await tab.until("conversation-update", reason="cleared")
        world.fail_point = lambda _: None
        await world.restart()
        new = await guest.open(tab.welcome["epoch"], tab.last)
        assert new.welcome["mode"] == "reset"
        await assert_cleared(guest)


async def test_stay_is_passed_on_and_not_too_often(tmp_path: Path) -> None:
    """While there is a conversation."""
    async with relay_world(tmp_path) as world:
        rich(world)
        guest = await world.create()
        tab = await guest.open()
        await tab.until("session")
        await tab.say(type="stay")
        assert await silent(tab) == []
        assert "stay" not in guest.upstream.calls
        await talked(guest, tab)
        await tab.say(type="stay")
        await tab.say(type="stay")
        assert await silent(tab) == []
        assert guest.upstream.calls.count("stay") == 1


async def test_an_end_is_read_only_and_a_new_conversation_goes_on_with_the_providers_session(tmp_path: Path) -> None:
    """The new upstream gets what the old one leaves it."""
    async with relay_world(tmp_path) as world:
        rich(world)
        guest = await world.create()
        tab = await guest.open()
        await talked(guest, tab)
        first = upstream_of(guest)
        first.ref = b"same session"
        await first.says(ConversationUpdated(status=ConversationStatus.ENDED, read_only=True))
        ended = await tab.until("conversation-update", status="ended")
        assert ended["readOnly"] is True
        assert (await tab.until("session"))["readOnly"] is True
        await tab.say(type="start-new")
        await tab.until("session", readOnly=False)
        await tab.say(type="message", text="again", clientId="c2")
        await tab.until("receipt", status="delivered", clientId="c2")
        assert guest.upstream is not first
        assert guest.upstream.session.provider_ref == b"same session"


# --- session creation -------------------------------------------------------------------------------------------------


async def created(world: World, **body: Any) -> HttpAnswer:
    return await world.ask("POST", SESSIONS, json.dumps(body).encode())


def code(answer: HttpAnswer) -> str:
    return str(json.loads(answer.body)["code"])


async def link_of(world: World, answer: HttpAnswer) -> RichUpstream:
    assert answer.status == 200, answer.body
    made = json.loads(answer.body)
    guest = Guest(world, made["sessionId"], made["token"], made)
    await guest.open()
    return upstream_of(guest)


async def test_custom_attributes_reach_the_provider(tmp_path: Path) -> None:
    """After a restart, too; too many are refused."""
    async with relay_world(tmp_path) as world:
        rich(world)
        answer = await created(world, name="Ada", customAttributes={"plan": "gold"})
        session = (await link_of(world, answer)).session
        assert (session.attributes, session.details.name) == ({"plan": "gold"}, "Ada")
        await world.restart()
        assert (await link_of(world, answer)).session.attributes == {"plan": "gold"}
        refused = await created(world, customAttributes={"k": "x" * 2048})
        assert (refused.status, code(refused)) == (413, "attributes-too-large")


def identity(**claims: Any) -> str:
    exp = int(datetime.now(UTC).timestamp()) + 60
    return jwt.encode({"alg": "HS256"}, {"exp": exp, "name": "Ada"} | claims, OctKey.import_key(SECRET))


async def test_the_sites_word_wins(tmp_path: Path, log: io.StringIO) -> None:
    """What it claims is taken, what is not good is refused with the next step, and nothing of it is logged."""
    async with relay_world(tmp_path, identity_secret=Secret(SECRET)) as world:
        rich(world)
        signed = identity(email="ada@example.com", externalContactId="c-1")
        answer = await created(world, name="Mallory", identity=signed)
        assert json.loads(answer.body)["externalContactId"] == "c-1"
        details = (await link_of(world, answer)).session.details
        assert (details.name, details.email) == ("Ada", "ada@example.com")
        for bad in (identity(exp=1), "x.y.z", signed[:-3]):
            refused = await created(world, identity=bad)
            assert (refused.status, code(refused)) == (401, "identity-refused")
        key = "0123456789abcdef"
        first = await world.ask("POST", SESSIONS, json.dumps({"identity": signed}).encode(), idempotency_key=key)
        renewed = identity(email="ada@example.com", externalContactId="c-1", jti="2")
        second = await world.ask("POST", SESSIONS, json.dumps({"identity": renewed}).encode(), idempotency_key=key)
        assert json.loads(first.body)["sessionId"] == json.loads(second.body)["sessionId"]
    out = log.getvalue()
    assert "identity refused" in out
    assert signed.split(".")[2] not in out
    assert "ada@example.com" not in out


GRANT = {"code": "canary-c0de", "redirectUri": "https://www.example.com/cb", "codeVerifier": "v" * 43}


async def test_signing_in_comes_before_the_answer(tmp_path: Path) -> None:
    """The provider gets what the guest brought, once; it lies sealed in the log."""
    async with relay_world(tmp_path) as world:
        rich(world)
        key = "0123456789abcdef"
        body = json.dumps({"authorization": GRANT}).encode()
        answer = await world.ask("POST", SESSIONS, body, idempotency_key=key)
        session_id = json.loads(answer.body)["sessionId"]
        upstream = world.upstreams[session_id]
        assert isinstance(upstream, RichUpstream)
        assert upstream.signed_in is not None
        assert upstream.signed_in.code.reveal() == "canary-c0de"
        made = json.loads(answer.body)
        tab = await Guest(world, made["sessionId"], made["token"], made).open()
        upstream = upstream_of(Guest(world, session_id, "", {}))
        upstream.signed_in = None
        both = [world.ask("POST", SESSIONS, body, idempotency_key=key) for _ in range(2)]
        for again in await asyncio.gather(*both):
            assert json.loads(again.body)["sessionId"] == session_id
        assert await silent(tab) in ([], ["session"])
        assert all(up.signed_in is None for up in world.upstreams.values() if isinstance(up, RichUpstream))
        await world.stop()
    for file in (tmp_path / "log").iterdir():
        assert b"canary-c0de" not in file.read_bytes()


async def test_a_sign_in_that_is_refused_leaves_no_session(tmp_path: Path) -> None:
    """401 with a code of its own; the provider's trouble is another."""
    async with relay_world(tmp_path) as world:
        for error, status, told in (
            (ChatError(code="sign-in-needed"), 401, "sign-in-needed"),
            (ChatError(code="upstream-unreachable"), 503, "upstream-unreachable"),
        ):

            class Refusing(RichUpstream):
                refuses = error

            world.upstream_class = Refusing
            refused = await created(world, authorization=GRANT)
            assert (refused.status, code(refused)) == (status, told)
        assert (await world.ask("GET", "/metrics")).body.count(b"guestwire_sessions_in_use 0.0") == 1
        world.upstream_class = FakeUpstream
        refused = await created(world, authorization=GRANT)
        assert (refused.status, code(refused)) == (403, "refused-by-deployment")
