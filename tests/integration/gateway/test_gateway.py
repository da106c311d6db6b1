"""The gateway over real sockets: what a browser gets, whatever the provider does."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.responses import RedirectResponse, Response

import guestwire
from guestwire.emulator import Emulator
from guestwire.errors import ERRORS, ConfigError
from guestwire.gateway import create_gateway, serve
from guestwire.model.http import HttpAnswer, HttpRequest
from guestwire.model.secret import Secret
from guestwire.net.http import HttpClient
from guestwire.net.server import Server
from guestwire.settings import EMULATED_DEPLOYMENT, GatewaySettings, ProviderSettings
from guestwire.testing import FakeClock
from tests.integration.scripted_provider import CANARY, ScriptedProvider

SESSIONS = "/api/v2/chat/guestsessions"


@dataclass
class Browser:
    """Asks the gateway, and keeps every byte of what it got."""

    client: HttpClient
    url: str
    clock: FakeClock
    seen: list[bytes] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> HttpAnswer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named.setdefault("content-type", "application/json")
        answer = await self.client.send(HttpRequest(method, f"{self.url}{path}", named, body or b""))
        self.seen += [answer.body, repr(dict(answer.headers)).encode()]
        return answer

    async def create(self, body: bytes = b"{}", **headers: str) -> HttpAnswer:
        return await self.ask("POST", SESSIONS, body, **headers)


@asynccontextmanager
async def gateway_for(provider: ProviderSettings, **options: object) -> AsyncIterator[Browser]:
    clock = FakeClock(auto_jump=False)
    settings = GatewaySettings(provider=provider, **options)  # type: ignore[arg-type]
    async with Server(create_gateway(settings, clock=clock)) as server, HttpClient() as client:
        yield Browser(client, server.url, clock)


@asynccontextmanager
async def scripted(
    *, answer_timeout_s: float = 10.0, **options: object
) -> AsyncIterator[tuple[Browser, ScriptedProvider]]:
    options.setdefault("sessions_burst", 1000)
    options.setdefault("mode", "direct")
    async with (
        ScriptedProvider().serving() as provider,
        gateway_for(provider.settings(answer_timeout_s=answer_timeout_s), **options) as browser,
    ):
        yield browser, provider


def problem(answer: HttpAnswer) -> str:
    """Check the one error shape and return its code."""
    body = json.loads(answer.body)
    assert set(body) == {"message", "code", "status", "contextId"}
    assert body["status"] == answer.status == ERRORS[body["code"]].http_status
    assert body["message"]
    assert body["contextId"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return str(body["code"])


# --- sessions -----------------------------------------------------------------------------------------------------


async def test_a_session_of_the_emulator() -> None:
    """Direct mode: the browser gets the provider's session token and WebSocket, and can ask about the session."""
    async with Emulator() as emulator:
        provider = ProviderSettings(base_url=emulator.url, client_id="demo-client", client_secret=Secret("demo-secret"))
        async with gateway_for(provider, mode="direct") as browser:
            answer = await browser.create(b'{"name":"Ada","externalContactId":"crm-1"}')
            session = json.loads(answer.body)
            assert answer.status == 200
            assert answer.headers["cache-control"] == "no-store"
            assert session["webSocketUrl"] == emulator.ws_url
            assert session["externalContactId"] == "crm-1"
            assert session["extensions"] == ["end", "typing"]
            assert session["expiresIn"] == 86_400
            path = f"{SESSIONS}/{session['sessionId']}"
            good = await browser.ask("GET", path, authorization=f"Bearer {session['token']}")
            state = json.loads(good.body)
            assert (state["sessionId"], state["status"]) == (session["sessionId"], "waiting")
            assert 0 < state["expiresIn"] <= 86_400
            for authorization in ("", "Bearer", "Bearer wrong", f"Basic {session['token']}"):
                bad = await browser.ask("GET", path, authorization=authorization)
                assert problem(bad) == "session-expired"
                assert bad.headers["www-authenticate"] == "Bearer"
            socket = await browser.client.open_socket(
                f"{session['webSocketUrl']}?sessionId={session['sessionId']}&token={session['token']}"
            )
            await socket.aclose()


async def test_the_settings_socket_where_the_provider_names_none() -> None:
    async with scripted() as (browser, provider):
        session = json.loads((await browser.create()).body)
    assert session == {
        "sessionId": "s",
        "token": "session-token",
        "webSocketUrl": f"{provider.url.replace('http', 'ws')}/ws",
        "expiresIn": 60,
    } | ({"extensions": []} if "extensions" in session else {})


@pytest.mark.parametrize(
    "body, content_type, code",
    [
        (b"not json", "application/json", "bad-request"),
        (b"[]", "application/json", "bad-request"),
        (b'{"name":1}', "application/json", "bad-request"),
        (b'{"email":"nobody"}', "application/json", "bad-request"),
        (b'{"name":"%s"}' % (b"x" * 257), "application/json", "bad-request"),
        (b"\xff", "application/json", "bad-request"),
        (b'{"name":"%s"}' % (b"x" * 60_000), "application/json", "too-large"),
        (b"{}", "text/plain", "unsupported-media-type"),
        (b"name=x", "application/x-www-form-urlencoded", "unsupported-media-type"),
        (b"", "", "unsupported-media-type"),
    ],
)
async def test_bad_bodies_never_reach_the_provider(body: bytes, content_type: str, code: str) -> None:
    async with scripted() as (browser, provider):
        answer = await browser.create(body, content_type=content_type or "x")
        assert problem(answer) == code
        assert provider.calls == []


async def test_the_sites_word_counts_in_direct_mode_too() -> None:
    """The provider gets what the site signed; signing in there is nobody's to pass on."""
    secret = "canary-1dentity-secret-of-32-bytes"
    claims = {"exp": int(time.time()) + 60, "name": "Ada"}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))
    async with scripted(identity_secret=Secret(secret)) as (browser, provider):
        answer = await browser.create(json.dumps({"name": "Mallory", "identity": token}).encode())
        assert answer.status == 200
        assert provider.bodies == [{"name": "Ada"}]
        called = len(provider.calls)
        answer = await browser.create(json.dumps({"identity": token[:-4]}).encode())
        assert problem(answer) == "identity-refused"
        grant = {"code": "c", "redirectUri": "https://www.example.com/cb"}
        answer = await browser.create(json.dumps({"authorization": grant}).encode())
        assert problem(answer) == "refused-by-deployment"
        assert len(provider.calls) == called


async def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestwire.gateway.sessions_routes.BODY_S", 0.2)
    async with scripted() as (browser, provider):
        host, port = browser.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {SESSIONS} HTTP/1.1\r\nHost: {host}:{port}\r\n".encode())
        writer.write(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
        async with asyncio.timeout(10):
            assert b" 400 " in await reader.readline()
        writer.close()
        assert provider.calls == []


@pytest.mark.parametrize(
    "which, answers, status, code",
    [
        ("tokens", [Response(b'{"error":"invalid_client"}', status_code=401)], 502, "upstream-auth-failed"),
        ("tokens", [Response(b'{"error":"invalid_scope"}', status_code=400)], 502, "upstream-scope-missing"),
        ("tokens", [Response(status_code=429, headers={"retry-after": "7"})], 503, "upstream-busy"),
        ("tokens", [Response(status_code=500)], 503, "upstream-unreachable"),
        ("tokens", [None], 503, "upstream-unreachable"),
        ("tokens", [RedirectResponse("/")], 502, "upstream-invalid"),
        ("tokens", [Response("<html>")], 502, "upstream-invalid"),
        ("sessions", [Response(status_code=401)] * 2, 502, "upstream-auth-failed"),
        ("sessions", [Response(b'{"code":"missing.scope"}', status_code=401)] * 2, 502, "upstream-scope-missing"),
        ("sessions", [Response(status_code=429)], 503, "upstream-busy"),
        ("sessions", [Response(status_code=400)], 400, "bad-request"),
        ("sessions", [Response(status_code=429, headers={"retry-after": "9" * 400})], 503, "upstream-busy"),
        ("sessions", [Response(status_code=404)], 502, "upstream-invalid"),
        ("sessions", [Response("{}")], 502, "upstream-invalid"),
        (
            "sessions",
            [Response(b'{"sessionId":"s","token":"t","webSocketUrl":"javascript:alert(1)"}')],
            502,
            "upstream-invalid",
        ),
    ],
)
async def test_trouble_upstream_has_its_code_and_is_no_401(
    which: str, answers: list[Response | None], status: int, code: str
) -> None:
    async with scripted(answer_timeout_s=0.2 if None in answers else 10.0) as (browser, provider):
        setattr(provider, which, list(answers))
        answer = await browser.create()
        assert (answer.status, problem(answer)) == (status, code)
        assert ("retry-after" in answer.headers) == (status == 503)


async def test_trouble_upstream_while_checking() -> None:
    async with scripted() as (browser, provider):
        provider.checks = [Response(status_code=500), Response(status_code=403), Response(status_code=401)]
        answers = [await browser.ask("GET", f"{SESSIONS}/s", authorization="Bearer t") for _ in range(3)]
    assert [problem(answer) for answer in answers] == ["upstream-unreachable", "upstream-invalid", "session-expired"]


async def test_an_expired_access_token_is_renewed_unseen() -> None:
    async with scripted() as (browser, provider):
        assert (await browser.create()).status == 200
        provider.sessions = [Response(status_code=401)]
        assert (await browser.create()).status == 200
        assert provider.calls.count("token") == 2


async def test_a_hundred_guests_at_once_cost_one_token() -> None:
    async with scripted(sessions_per_minute_total=6000) as (browser, provider):
        answers = await asyncio.gather(*(browser.create() for _ in range(100)))
        assert {answer.status for answer in answers} == {200}
        assert provider.calls.count("token") == 1


async def test_rate_limit_names_its_time_and_costs_nothing_upstream() -> None:
    async with scripted(sessions_burst=2, sessions_per_minute=6) as (browser, provider):
        answers = [await browser.create() for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert problem(answers[2]) == "rate-limited"
        assert answers[2].headers["retry-after"] == "10"
        browser.clock.advance(10.1)
        assert (await browser.create()).status == 200
        assert sum(call.startswith("session") for call in provider.calls) == 3


# --- origins ------------------------------------------------------------------------------------------------------


async def test_origins() -> None:
    """Foreign origins are refused before anything else is looked at; allowed ones get CORS, errors included."""
    async with scripted(allowed_origins=("https://shop.example",)) as (browser, provider):
        for foreign in ("https://evil.example", "null", "https://shop.example.evil.example"):
            answer = await browser.create(b"not json", origin=foreign, content_type="text/plain")
            assert problem(answer) == "origin-not-allowed"
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["vary"] == "Origin"
        assert provider.calls == []
        for ours in ("https://shop.example", browser.url):
            answer = await browser.create(origin=ours)
            assert answer.status == 200
            assert answer.headers["access-control-allow-origin"] == ours
            assert answer.headers["access-control-expose-headers"] == "Retry-After"
            assert "access-control-allow-credentials" not in answer.headers
            refused = await browser.create(b"[]", origin=ours)
            assert problem(refused) == "bad-request"
            assert refused.headers["access-control-allow-origin"] == ours
        assert "access-control-allow-origin" not in (await browser.create()).headers


async def test_preflight() -> None:
    async with scripted(allowed_origins=("https://shop.example",)) as (browser, _):
        for path in (SESSIONS, f"{SESSIONS}/s"):
            answer = await browser.ask(
                "OPTIONS", path, origin="https://shop.example", access_control_request_method="POST"
            )
            assert answer.status == 204
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            allowed = answer.headers["access-control-allow-headers"].split(", ")
            assert allowed == ["Authorization", "Content-Type", "Filename", "Idempotency-Key"]
            assert "POST" in answer.headers["access-control-allow-methods"]
            refused = await browser.ask(
                "OPTIONS", path, origin="https://evil.example", access_control_request_method="POST"
            )
            assert problem(refused) == "origin-not-allowed"
        assert problem(await browser.ask("OPTIONS", SESSIONS)) == "method-not-allowed"


async def test_every_site_when_so_set() -> None:
    async with scripted(allowed_origins=("*",)) as (browser, _):
        answer = await browser.create(origin="null")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "null")


# --- every route --------------------------------------------------------------------------------------------------


async def test_every_route_has_the_one_error_shape() -> None:
    async with scripted() as (browser, _):
        for path in ("/", "/guest-chat.js", "/health", "/metrics", "/page/index.html", SESSIONS, f"{SESSIONS}/s"):
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
                answer = await browser.ask(method, path)
                assert problem(answer) == "method-not-allowed", (method, path)
                assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]
        for path in (
            "/nothing",
            "/widget",
            "/widget/",
            "/widget/../page/index.html",
            "/widget/..%2f..%2ferrors.py",
            "/page/%2e%2e/%2e%2e/settings.py",
            "/..%5csettings.py",
            "/desk/index.html",
            "/api/v2/nothing",
            f"{SESSIONS}/",
            f"{SESSIONS}/a/b",
            "/health/",
            "/%00",
            "/%ff",
        ):
            answer = await browser.ask("GET", path)
            assert problem(answer) == "not-found", path
            assert "location" not in answer.headers


async def test_a_bug_is_a_500_with_an_id_that_is_in_the_log(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    async def explode(*_args: object) -> None:
        raise RuntimeError("a bug")

    async with scripted(allowed_origins=("https://shop.example",)) as (browser, _):
        monkeypatch.setattr("guestwire.gateway.sessions_routes.create_guest_session", explode)
        answer = await browser.create(origin="https://shop.example")
    assert problem(answer) == "internal"
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    context_id = json.loads(answer.body)["contextId"]
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines if line.get("context_id") == context_id] == ["request failed", "request"]
    assert "RuntimeError: a bug" in log.getvalue()


async def test_health_and_metrics() -> None:
    async with scripted(sessions_burst=1) as (browser, _):
        await browser.create()
        await browser.create()
        health = await browser.ask("GET", "/health")
        assert json.loads(health.body) == {"status": "ok", "version": guestwire.__version__}
        metrics = (await browser.ask("GET", "/metrics")).body.decode()
    for line in (
        "guestwire_sessions_created_total 1.0",
        'guestwire_sessions_refused_total{code="rate-limited"} 1.0',
        'guestwire_upstream_seconds_count{call="create-session"} 1.0',
        f'guestwire_requests_total{{route="{SESSIONS}",status="200"}} 1.0',
        'guestwire_requests_total{route="/health",status="200"} 1.0',
    ):
        assert line in metrics.splitlines()
    async with scripted() as (browser, _):
        assert "guestwire_sessions_created_total 0.0" in (await browser.ask("GET", "/metrics")).body.decode()


# --- pages and files ----------------------------------------------------------------------------------------------


async def test_pages_have_their_policy_and_other_answers_a_stricter_one() -> None:
    async with scripted() as (browser, provider):
        page = await browser.ask("GET", "/")
        policy = page.headers["content-security-policy"]
        assert f"connect-src 'self' {provider.url.replace('http', 'ws')};" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        for path in ("/", "/guest-chat.js", "/health", "/nothing", SESSIONS):
            headers = (await browser.ask("GET", path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert "camera=()" in headers["permissions-policy"]
            assert "server" not in headers
            if path != "/":
                assert "connect-src" not in headers["content-security-policy"]


async def test_files_are_compressed_tagged_and_asked_about() -> None:
    async with scripted() as (browser, _):
        for path in ("/", "/guest-chat.js", "/widget/define.js", "/page/page.css"):
            plain = await browser.ask("GET", path, accept_encoding="identity")
            assert plain.status == 200
            assert "content-encoding" not in plain.headers
            assert plain.headers["cache-control"] == "no-cache"
            again = await browser.ask("GET", path, accept_encoding="identity", if_none_match=plain.headers["etag"])
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == plain.headers["etag"]
            head = await browser.ask("HEAD", path, accept_encoding="identity")
            assert (head.status, head.body) == (200, b"")
            is_public = path in {"/guest-chat.js", "/widget/define.js"}
            assert (plain.headers.get("access-control-allow-origin") == "*") is is_public
        module = await browser.ask("GET", "/widget/define.js")
        assert module.headers["content-type"] == "text/javascript; charset=utf-8"
        assert module.headers["vary"] == "Accept-Encoding"
        assert b"/**" not in module.body


async def test_dev_serves_what_is_written() -> None:
    async with scripted(dev=True) as (browser, _):
        answer = await browser.ask("GET", "/widget/define.js")
        assert b"/**" in answer.body
        assert answer.headers["cache-control"] == "no-store"


# --- secrets and settings -----------------------------------------------------------------------------------------


async def test_no_secret_in_any_answer_or_log_line(log: io.StringIO) -> None:
    """Every way to fail, with a canary for each secret: none of them in a byte to the browser or in the log."""
    asked_with = "canary-in-query"
    troubles: Mapping[str, list[Response | None]] = {
        "tokens": [
            Response(f'{{"error":"invalid_client","error_description":"{CANARY}"}}', status_code=401),
            Response(CANARY, status_code=500),
            Response(CANARY),
            RedirectResponse(f"/{CANARY}"),
            None,
        ],
        "sessions": [
            Response(f'{{"code":"{CANARY}"}}', status_code=401),
            Response(CANARY, status_code=401),
            Response(CANARY, status_code=400),
            Response(f'{{"token":"{CANARY}"}}'),
        ],
    }
    async with scripted(answer_timeout_s=0.3) as (browser, provider):
        for which, answers in troubles.items():
            for answer in answers:
                setattr(provider, which, [answer, answer])
                browser.clock.advance(4000)
                assert (await browser.create()).status >= 400
                provider.tokens.clear()
                provider.sessions.clear()
        await browser.create()
        await browser.ask("GET", f"/?token={asked_with}")
        await browser.ask("GET", f"{SESSIONS}/{asked_with}?token={asked_with}", authorization=f"Bearer {asked_with}")
        await browser.ask("GET", f"/{asked_with}")
        await browser.create(f'{{"name":"{asked_with}"}}'.encode())
    lines = log.getvalue()
    assert lines.count("upstream failed") >= 8
    for secret in (CANARY, "access-1", "session-token", asked_with):
        assert secret not in lines
    to_browser = b"".join(browser.seen)
    assert CANARY.encode() not in to_browser
    assert b"access-" not in to_browser.replace(b"access-control-", b"")


async def test_missing_credentials_are_found_at_the_start() -> None:
    settings = GatewaySettings(provider=ProviderSettings(), mode="direct")
    with pytest.raises(ConfigError, match="client_id"):
        await Server(create_gateway(settings)).__aenter__()


async def test_web_messaging_needs_a_deployment_and_nothing_else() -> None:
    settings = GatewaySettings(provider=ProviderSettings(api="web-messaging"))
    with pytest.raises(ConfigError, match="deployment_id is not set"):
        await Server(create_gateway(settings)).__aenter__()


def test_web_messaging_has_no_direct_mode() -> None:
    provider = ProviderSettings(deployment_id=EMULATED_DEPLOYMENT)
    with pytest.raises(ConfigError, match="Set mode to relay"):
        create_gateway(GatewaySettings(provider=provider, mode="direct"))


async def test_serve_announces_and_ends_at_a_signal(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestwire.gateway.run.configure_logging", lambda *_: None)
    announced: list[str] = []

    def announce(server: Server) -> None:
        announced.append(server.url)
        os.kill(os.getpid(), signal.SIGTERM)

    provider = ProviderSettings(client_id="id", client_secret=Secret(CANARY))
    await serve(GatewaySettings(provider=provider, port=0, mode="direct"), announce=announce)
    assert announced[0].startswith("http://127.0.0.1:")
