"""History, sign-in and uploads over REST: requests built, answers read, on both sides."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestwire.errors import (
    AuthError,
    ChatError,
    ConnectFailed,
    RateLimited,
    RemoteProtocolError,
    SessionExpired,
)
from guestwire.model.http import HttpAnswer
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.rest import (
    AuthorizedGuest,
    BadRestRequest,
    CodeGrant,
    HistoryPage,
    HistoryQuery,
    ImplicitGrant,
    JwtAnswer,
    bearer_of,
    exchange_request,
    history_page,
    history_request,
    parse_exchange_answer,
    parse_exchange_request,
    parse_history_answer,
    parse_history_query,
    parse_refresh_answer,
    parse_refresh_request,
    parse_revoke_answer,
    parse_upload_answer,
    refresh_request,
    revoke_request,
    upload_request,
)
from guestwire.protocols.web_messaging.wire import MessageBody

API = "https://api.mypurecloud.com"
KEY = Secret("s3cr3t")


def answer(status: int, body: object = None) -> HttpAnswer:
    return HttpAnswer(status, {"retry-after": "7"}, b"" if body is None else msgspec.json.encode(body))


def messages(count: int) -> list[MessageBody]:
    return [MessageBody(id=str(number), text="x") for number in range(count)]


# --- history -----------------------------------------------------------------------------------------------------


def test_the_request_for_a_page() -> None:
    """The key as Bearer, pages from 1 (§1.4)."""
    request = history_request(API, KEY, HistoryQuery(2, 100))
    assert (request.method, request.url) == ("GET", f"{API}/api/v2/webmessaging/messages?pageNumber=2&pageSize=100")
    assert request.headers == {"authorization": "Bearer s3cr3t", "accept": "application/json"}
    assert history_request(API, KEY, HistoryQuery(), origin="https://a.test").headers["origin"] == "https://a.test"
    assert "s3cr3t" not in repr(request)


@pytest.mark.parametrize("total", [0, 1, 3, 6, 7])
def test_pages_join_to_the_whole(total: int) -> None:
    """Client half and server half: every message once; the page past the end is empty and has all four numbers."""
    kept, seen, number = messages(total), list[MessageBody](), 1
    while True:
        query = parse_history_query({"pageNumber": str(number), "pageSize": "3"})
        body = json.loads(msgspec.json.encode(history_page(kept, query)))
        assert {
            "pageSize": 3,
            "pageNumber": number,
            "total": total,
            "pageCount": -(-total // 3),
        }.items() <= body.items()
        page = parse_history_answer(answer(200, body), query)
        seen = [*page.messages, *seen]
        assert page.has_more == (number * 3 < total)
        if not page.messages:
            break
        number += 1
    assert seen == kept


def test_the_example_of_the_page() -> None:
    """Newest first on the wire, oldest first for people (§1.4)."""
    body = {
        "entities": [{"id": "2", "type": "Text"}, 5, {"id": 6}, {"id": "1", "text": "\ud800", "mood": 1}],
        "pageSize": 25,
        "pageNumber": 1,
        "total": 4,
        "pageCount": 1,
    }
    reply = HttpAnswer(200, {}, json.dumps(body).encode())
    assert parse_history_answer(reply, HistoryQuery()) == HistoryPage(
        1, (MessageBody(id="1", text="\ufffd"), MessageBody(id="2", type="Text"))
    )


def test_without_a_count_a_full_page_may_have_another() -> None:
    """An older provider, or a part of one."""
    full = answer(200, {"entities": [{"id": "1"}, {"id": "2"}]})
    assert parse_history_answer(full, HistoryQuery(1, 2)).has_more
    assert not parse_history_answer(full, HistoryQuery(1, 3)).has_more
    assert parse_history_answer(answer(200, {}), HistoryQuery()) == HistoryPage(1)


@pytest.mark.parametrize(
    "reply, kind",
    [
        (answer(401), SessionExpired),
        (answer(429), RateLimited),
        (answer(503), ConnectFailed),
        (answer(302), RemoteProtocolError),
        (answer(404), RemoteProtocolError),
        (answer(200, []), RemoteProtocolError),
        (HttpAnswer(200, {}, b"s3cr3t"), RemoteProtocolError),
    ],
)
def test_what_else_the_history_may_answer(reply: HttpAnswer, kind: type[ChatError]) -> None:
    """401 means: another key."""
    with pytest.raises(kind) as caught:
        parse_history_answer(reply, HistoryQuery())
    assert type(caught.value) is kind
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "query", [{"pageNumber": "0"}, {"pageSize": "101"}, {"pageSize": "x"}, {"pageNumber": "9" * 9}]
)
def test_pages_that_are_none(query: dict[str, str]) -> None:
    """Refused with the member's name; without anything it is the first of 25."""
    with pytest.raises(BadRestRequest) as caught:
        parse_history_query(query)
    assert next(iter(query)) in caught.value.message
    assert parse_history_query({}) == HistoryQuery(1, 25)


# --- sign-in -----------------------------------------------------------------------------------------------------


def test_the_exchange_of_a_code() -> None:
    """With PKCE or without; nulls are left out (§1.5)."""
    grant = CodeGrant(Secret("c0de"), "https://site.test/back", Secret("v3rifier"))
    request = exchange_request(API, "d1", grant)
    path = "/api/v2/webdeployments/token/oauthcodegrantjwtexchange"
    assert (request.method, request.url) == ("POST", f"{API}{path}")
    assert request.headers == {"content-type": "application/json"}
    assert json.loads(request.body) == {
        "deploymentId": "d1",
        "oauth": {"code": "c0de", "redirectUri": "https://site.test/back", "codeVerifier": "v3rifier"},
    }
    bare = exchange_request(API, "d1", CodeGrant(Secret("c0de"), "u"))
    assert json.loads(bare.body)["oauth"] == {"code": "c0de", "redirectUri": "u"}
    assert parse_exchange_request(request.body).oauth.code == "c0de"
    assert "c0de" not in repr([grant, request, parse_exchange_request(request.body)])


def test_the_exchange_of_an_id_token() -> None:
    """The implicit flow."""
    request = exchange_request(API, "d1", ImplicitGrant(Secret("1d"), "n0nce"))
    assert json.loads(request.body)["oauth"] == {"idToken": "1d", "nonce": "n0nce"}
    assert parse_exchange_request(request.body).oauth.id_token == "1d"


def test_a_guest_who_signed_in() -> None:
    """With a refresh token, which stays in use, or without."""
    signed_in = parse_exchange_answer(answer(200, {"jwt": "j", "refreshToken": "r"}))
    assert signed_in == AuthorizedGuest(Secret("j"), Secret("r"))
    assert parse_exchange_answer(answer(200, {"jwt": "j"})) == AuthorizedGuest(Secret("j"))
    assert json.loads(refresh_request(API, Secret("r")).body) == {"refreshToken": "r"}
    assert parse_refresh_request(refresh_request(API, Secret("r")).body).refresh_token == "r"
    assert parse_refresh_answer(answer(200, {"jwt": "k"}), Secret("r")) == AuthorizedGuest(Secret("k"), Secret("r"))
    assert json.loads(msgspec.json.encode(JwtAnswer(jwt="j"))) == {"jwt": "j"}


def test_signing_out() -> None:
    """Any 2xx is success; 401 means: renew and try again (§1.5)."""
    request = revoke_request(API, Secret("j"))
    assert (request.method, request.url) == ("DELETE", f"{API}/api/v2/webdeployments/token/revoke")
    assert request.headers == {"authorization": "Bearer j"}
    parse_revoke_answer(answer(204))
    with pytest.raises(AuthError) as caught:
        parse_revoke_answer(answer(401))
    assert caught.value.code == "sign-in-needed"


@pytest.mark.parametrize(
    "reply, kind, code",
    [
        (answer(400, {"code": "bad"}), AuthError, "sign-in-needed"),
        (answer(401), AuthError, "sign-in-needed"),
        (answer(429), RateLimited, "rate-limited"),
        (answer(500), ConnectFailed, "unreachable"),
        (answer(307), RemoteProtocolError, "redirected"),
        (answer(100), RemoteProtocolError, "bad-answer"),
        (answer(200, {"jwt": ""}), RemoteProtocolError, "bad-answer"),
        (answer(200, {"token": "s3cr3t"}), RemoteProtocolError, "bad-answer"),
    ],
)
def test_what_else_a_sign_in_may_answer(reply: HttpAnswer, kind: type[ChatError], code: str) -> None:
    """4xx means: sign in again."""
    for parse in (parse_exchange_answer, lambda given: parse_refresh_answer(given, KEY)):
        with pytest.raises(kind) as caught:
            parse(reply)
        assert caught.value.code == code
        assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "body, word",
    [
        (b"x", "JSON"),
        (b"\xff", "JSON"),
        (b"{}", "deploymentId"),
        (b'{"deploymentId":"d","oauth":{}}', "code"),
        (b'{"deploymentId":"d","oauth":5}', "oauth"),
    ],
)
def test_a_malformed_exchange_is_refused(body: bytes, word: str) -> None:
    """With the member's name."""
    with pytest.raises(BadRestRequest) as caught:
        parse_exchange_request(body)
    assert word in caught.value.message


@pytest.mark.parametrize(
    "header, token",
    [
        ("Bearer x", "x"),
        ("bearer  x ", "x"),
        ("Basic x", None),
        ("Bearer", None),
        ("Bearer ", None),
        (None, None),
    ],
)
def test_the_bearer_of_a_header(header: str | None, token: str | None) -> None:
    """In either case of letters: clients differ (§1.4)."""
    found = bearer_of(header)
    assert (None if found is None else found.reveal()) == token


# --- uploads -----------------------------------------------------------------------------------------------------


def test_an_upload() -> None:
    """Every header that came with the URL, and the type (§3.10)."""
    request = upload_request("https://f.test/1?sig=x", {"X-Amz-Tagging": "t"}, file_type="image/png", body=b"png")
    assert (request.method, request.url, request.body) == ("PUT", "https://f.test/1?sig=x", b"png")
    assert request.headers == {"x-amz-tagging": "t", "content-type": "image/png"}
    parse_upload_answer(answer(200))
    for status, code in ((403, "attachment-failed"), (429, "rate-limited"), (500, "unreachable"), (301, "redirected")):
        with pytest.raises(ChatError) as caught:
            parse_upload_answer(answer(status))
        assert caught.value.code == code


@settings(max_examples=40)
@given(st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Never another exception."""
    for parse in (parse_exchange_request, parse_refresh_request):
        with contextlib.suppress(BadRestRequest):
            parse(body)
    with contextlib.suppress(RemoteProtocolError):
        parse_history_answer(HttpAnswer(200, {}, body), HistoryQuery())
    with contextlib.suppress(RemoteProtocolError):
        parse_exchange_answer(HttpAnswer(200, {}, body))
