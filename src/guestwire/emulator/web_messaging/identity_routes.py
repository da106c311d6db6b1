"""The emulated site's identity provider: a page where a guest says who they are, without a password, and gets a code.

It stands for the site's own OpenID provider, which a real deployment names; its codes go to the platform's exchange
(web-messaging §1.5). Nothing here is the platform's, so the addresses are ours [D].
"""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from guestwire.emulator.http import ApiError, json_response, read_json
from guestwire.emulator.org import Org
from guestwire.emulator.records import GuestUser
from guestwire.emulator.web_messaging.identity import CodeRequest, Identity

__all__ = ["AUTHORIZE_PATH", "identity_routes"]

AUTHORIZE_PATH = "/identity/authorize"
CODES_PATH = "/identity/codes"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in</title>
<h1>Who are you?</h1>
<p>This is the emulator's identity provider. It asks for no password.</p>
<ul>{users}</ul>
</html>"""


class _Ask(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    user: str
    redirect_uri: str
    code_challenge: str | None = None
    code_challenge_method: str = "plain"
    nonce: str | None = None


def identity_routes(org: Org, identity: Identity) -> list[Route]:
    """Return the page, and the same for scripts."""

    async def authorize(request: Request) -> Response:
        query = request.query_params
        redirect_uri = _redirect_uri(query.get("redirect_uri", ""))
        if "user" not in query:
            return HTMLResponse(_PAGE.format(users="".join(_link(request, user) for user in org.users.values())))
        user = _user(org, query["user"])
        state = {"state": query["state"]} if "state" in query else {}
        if query.get("response_type", "code") == "id_token":
            token = identity.issue_id_token(user, nonce=query.get("nonce"))
            return RedirectResponse(f"{redirect_uri}#{urlencode({'id_token': token, **state})}", status_code=303)
        code = identity.issue_code(
            user,
            CodeRequest(
                redirect_uri=redirect_uri,
                code_challenge=query.get("code_challenge"),
                code_challenge_method=query.get("code_challenge_method", "plain"),
                nonce=query.get("nonce"),
            ),
        )
        joint = "&" if urlsplit(redirect_uri).query else "?"
        return RedirectResponse(f"{redirect_uri}{joint}{urlencode({'code': code, **state})}", status_code=303)

    async def codes(request: Request) -> Response:
        asked = await read_json(request, _Ask)
        user = _user(org, asked.user)
        code = identity.issue_code(
            user,
            CodeRequest(
                redirect_uri=_redirect_uri(asked.redirect_uri),
                code_challenge=asked.code_challenge,
                code_challenge_method=asked.code_challenge_method,
                nonce=asked.nonce,
            ),
        )
        return json_response({"code": code, "idToken": identity.issue_id_token(user, nonce=asked.nonce)}, 201)

    return [Route(AUTHORIZE_PATH, authorize, methods=["GET"]), Route(CODES_PATH, codes, methods=["POST"])]


def _user(org: Org, user_id: str) -> GuestUser:
    user = org.users.get(user_id)
    if user is None:
        raise ApiError(400, "bad-request", f"There is no such user; there are {', '.join(org.users)}.")
    return user


def _redirect_uri(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ApiError(400, "bad-request", "Expected redirect_uri as an http or https address without a fragment.")
    return text


def _link(request: Request, user: GuestUser) -> str:
    query = urlencode([*request.query_params.multi_items(), ("user", user.id)])
    return f'<li><a href="{escape(f"{AUTHORIZE_PATH}?{query}")}">{escape(user.name)}</a> ({escape(user.email)})</li>'
