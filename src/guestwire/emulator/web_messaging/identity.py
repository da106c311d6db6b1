"""Who guests are: the identity provider of the emulated site, and the platform's JWTs that stand on its word.

Two parties in one place. The site's identity provider hands out codes and id tokens to its users, who need no password
here; the platform exchanges them for a JWT that configures sessions, renews it, and revokes it.

Source: web-messaging §1.5, §2.10; lifetimes are ours [D].
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from itertools import islice

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from guestwire.emulator.org import Org
from guestwire.emulator.records import GuestUser
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.rest import OAuthParameters

__all__ = ["CodeRequest", "Identity", "NotSignedIn"]

CODE_S = 600
ID_TOKEN_S = 600
JWT_S = 3600
MAX_KEPT = 1000
"""Codes and refresh tokens kept; the oldest go."""

_ALGORITHM = "HS256"


class NotSignedIn(Exception):
    """A code, an id token, a refresh token or a JWT is not good; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """What a page asks a code for; the challenge is PKCE's."""

    redirect_uri: str
    code_challenge: str | None = None
    code_challenge_method: str = "plain"
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class _Code:
    user: GuestUser
    asked: CodeRequest
    expires_at: float


class Identity:
    """Both parties."""

    def __init__(self, org: Org) -> None:
        """Start with nobody signed in."""
        self._org = org
        self.reset()

    def reset(self) -> None:
        """Forget who signed in; the org begins anew."""
        self._key = OctKey.import_key(self._org.ids.signing_key("guests"))
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self._rounds: dict[str, int] = {}

    # --- the site's identity provider ----------------------------------------------------------------------------

    def issue_code(self, user: GuestUser, asked: CodeRequest) -> str:
        """Return a code for a user who signed in."""
        code = self._org.ids.new_token("authorization-code")
        self._codes[code] = _Code(user, asked, self._now + CODE_S)
        _bound(self._codes)
        return code

    def issue_id_token(self, user: GuestUser, *, nonce: str | None) -> str:
        """Return an id token, for the implicit flow."""
        return self._sign({"use": "id", "sub": user.id, "nonce": nonce}, ID_TOKEN_S)

    # --- the platform --------------------------------------------------------------------------------------------

    def exchange(self, deployment_id: str, grant: OAuthParameters) -> tuple[str, str | None]:
        """Return the JWT and, for a code, the refresh token.

        Raises:
            NotSignedIn: The grant is not good.
        """
        if grant.code is None:
            user = self._user_of_id_token(grant)
            return self._issue(user, deployment_id), None
        user = self._user_of_code(grant)
        refresh_token = self._org.ids.new_token("guest-refresh-token")
        self._refresh[refresh_token] = (user.id, deployment_id)
        _bound(self._refresh)
        return self._issue(user, deployment_id), refresh_token

    def refresh(self, refresh_token: str) -> str:
        """Return another JWT.

        Raises:
            NotSignedIn: The refresh token is not good, or was revoked.
        """
        user_id, deployment_id = self._refresh.get(refresh_token, ("", ""))
        user = self._org.users.get(user_id)
        if user is None:
            raise NotSignedIn("The refresh token is not valid.")
        return self._issue(user, deployment_id)

    def user_of(self, token: Secret) -> GuestUser | None:
        """Return whose JWT it is; None when it is not genuine, over or revoked."""
        claims = self._verify(token.reveal(), "guest")
        user = self._org.users.get(str(claims.get("sub")))
        return user if user is not None and claims.get("round") == self._rounds.get(user.id, 0) else None

    def sign_out(self, user_id: str) -> None:
        """Make every JWT and refresh token of a user worthless."""
        self._rounds[user_id] = self._rounds.get(user_id, 0) + 1
        for refresh_token in [one for one, (owner, _) in self._refresh.items() if owner == user_id]:
            del self._refresh[refresh_token]

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._org.clock.utc().timestamp()

    def _user_of_code(self, grant: OAuthParameters) -> GuestUser:
        code = self._codes.pop(grant.code or "", None)
        if code is None or self._now >= code.expires_at:
            raise NotSignedIn("The code is not valid: it was used, is too old, or was never issued.")
        if grant.redirect_uri != code.asked.redirect_uri:
            raise NotSignedIn("The redirectUri is another one than the code was issued for.")
        if not _is_verified(code.asked, grant.code_verifier):
            raise NotSignedIn("The codeVerifier does not fit the code's challenge.")
        return code.user

    def _user_of_id_token(self, grant: OAuthParameters) -> GuestUser:
        claims = self._verify(grant.id_token or "", "id")
        user = self._org.users.get(str(claims.get("sub")))
        if user is None or claims.get("nonce") != grant.nonce:
            raise NotSignedIn("The idToken is not valid, or its nonce is another one.")
        return user

    def _issue(self, user: GuestUser, deployment_id: str) -> str:
        claims = {"use": "guest", "sub": user.id, "dep": deployment_id, "round": self._rounds.get(user.id, 0)}
        return self._sign({**claims, "jti": self._org.ids.new_id("guest-jwt")}, JWT_S)

    def _sign(self, claims: dict[str, object], life_s: int) -> str:
        now = int(self._now)
        return jwt.encode({"alg": _ALGORITHM, "typ": "JWT"}, {**claims, "iat": now, "exp": now + life_s}, self._key)

    def _verify(self, token: str, use: str) -> dict[str, object]:
        """Return what a token says; nothing when it is not genuine, for something else, or over."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError):
            return {}
        expires = claims.get("exp")
        is_good = claims.get("use") == use and isinstance(expires, int) and self._now < expires
        return claims if is_good else {}


def _is_verified(asked: CodeRequest, verifier: str | None) -> bool:
    if asked.code_challenge is None:
        return True
    if verifier is None:
        return False
    shown = verifier
    if asked.code_challenge_method == "S256":
        shown = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(shown.encode(), asked.code_challenge.encode())


def _bound(kept: dict[str, _Code] | dict[str, tuple[str, str]]) -> None:
    for oldest in list(islice(kept, max(0, len(kept) - MAX_KEPT))):
        del kept[oldest]
