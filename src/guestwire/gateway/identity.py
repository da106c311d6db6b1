"""The site's word for who its guest is: a JWT that only the site can sign, checked when a session is created.

Without it name, e-mail and external contact id are whatever somebody typed into a page.

Source: topics/protocol.md, "Rich chats on the gateway" [D].
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from guestwire.errors import AuthError, ConfigError
from guestwire.model.secret import Secret
from guestwire.net.logs import get_logger
from guestwire.protocols.guest_session.rest import MAX_MEMBER_CHARS
from guestwire.protocols.guest_session.session import GuestDetails
from guestwire.settings import GatewaySettings

__all__ = ["IdentityCheck", "IdentityRefused"]

SKEW_S = 60
"""Clocks may differ by so much."""

_SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"]
_KEY_ALGORITHMS = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
]  # fmt: skip
# Never both with one key: a public key must not be taken for a shared secret.

_CLAIMS = {"name": "name", "email": "email", "externalContactId": "external_contact_id"}

_log = get_logger("guestwire.gateway")


class IdentityRefused(AuthError):
    """The site's identity token is not good; the message says why, without quoting it."""

    default_code = "identity-refused"


class IdentityCheck:
    """Checks identity tokens with the keys of the settings."""

    def __init__(self, settings: GatewaySettings, *, now_s: Callable[[], float] = time.time) -> None:
        """Read the keys; blocks.

        Args:
            settings: The four that begin with `identity_`.
            now_s: Epoch seconds.

        Raises:
            ConfigError: The file of keys can't be read or holds no keys.
        """
        self._issuer = settings.identity_issuer
        self._audience = settings.identity_audience
        self._now_s = now_s
        self._key: OctKey | KeySet | None = None
        self._algorithms: list[str] = []
        if settings.identity_secret is not None:
            self._key = OctKey.import_key(settings.identity_secret.reveal())
            self._algorithms = _SECRET_ALGORITHMS
        elif settings.identity_jwks_file is not None:
            try:
                self._key = KeySet.import_key_set(json.loads(settings.identity_jwks_file.read_text(encoding="utf-8")))
            except OSError as error:
                raise ConfigError(f"identity_jwks_file can't be read: {error.strerror}.") from None
            except (ValueError, TypeError, KeyError, JoseError):
                self._key = None
            if self._key is None or not self._key.keys or any(isinstance(key, OctKey) for key in self._key.keys):
                raise ConfigError('identity_jwks_file holds no public keys; expected JSON like {"keys": [{"kty": …}]}.')
            self._algorithms = _KEY_ALGORITHMS

    def applied(self, details: GuestDetails, identity: Secret | None) -> GuestDetails:
        """Return the details with those of the token in their place; without a token they stay what they are.

        Raises:
            IdentityRefused: The token is expired, signed by somebody else, for somebody else, or can't be checked.
        """
        if identity is None:
            return details
        if self._key is None:
            raise IdentityRefused("Expected no identity: the gateway has no identity_secret or identity_jwks_file.")
        refusal: str
        try:
            claims = self._claims(identity, self._key)
        except (JoseError, ValueError, TypeError, KeyError, UnicodeError, RecursionError) as error:
            # Its kind only: texts of the library may quote the token. Not chained, for the same reason.
            refusal = type(error).__name__
        else:
            return replace(details, **claims)
        _log.warning("identity refused", reason=refusal)
        raise IdentityRefused

    def _claims(self, identity: Secret, key: OctKey | KeySet) -> dict[str, str]:
        token = jwt.decode(identity.reveal(), key, algorithms=self._algorithms)
        options: dict[str, jwt.ClaimsOption] = {"exp": {"essential": True}}
        if self._issuer is not None:
            options["iss"] = {"essential": True, "value": self._issuer}
        if self._audience is not None:
            options["aud"] = {"essential": True, "value": self._audience}
        jwt.JWTClaimsRegistry(now=int(self._now_s()), leeway=SKEW_S, **options).validate(token.claims)
        claims = {
            ours: token.claims[theirs] for theirs, ours in _CLAIMS.items() if token.claims.get(theirs) is not None
        }
        if any(not isinstance(value, str) or len(value) > MAX_MEMBER_CHARS for value in claims.values()):
            raise ValueError("a claim is no text, or too long")
        return claims
