"""The site's word for who its guest is."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from guestwire.errors import ConfigError
from guestwire.gateway.identity import SKEW_S, IdentityCheck, IdentityRefused
from guestwire.model.secret import Secret
from guestwire.protocols.guest_session.session import GuestDetails
from guestwire.settings import GatewaySettings

SECRET = "canary-1dentity-secret-of-32-bytes"
NOW = 1_777_970_000
CLAIMED = GuestDetails(name="Mallory", email="m@example.com", external_contact_id="m-1")


def check(**settings: Any) -> IdentityCheck:
    settings = {"identity_secret": Secret(SECRET)} | settings
    return IdentityCheck(GatewaySettings(**settings), now_s=lambda: NOW)


def token(claims: dict[str, Any], *, key: Any = None, alg: str = "HS256", **header: Any) -> Secret:
    claims = {"exp": NOW + 60, "name": "Ada", "email": "ada@example.com", "externalContactId": "c-1"} | claims
    signed = jwt.encode({"alg": alg} | header, claims, key or OctKey.import_key(SECRET), algorithms=[alg])
    return Secret(signed)


def test_a_good_token_wins() -> None:
    """What it does not claim stays as it was; without a token everything does."""
    assert check().applied(CLAIMED, token({})) == GuestDetails("Ada", "ada@example.com", "c-1")
    assert check().applied(CLAIMED, token({"email": None})) == GuestDetails("Ada", "m@example.com", "c-1")
    assert check().applied(CLAIMED, None) == CLAIMED


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_shared_secrets(alg: str) -> None:
    """All three of them."""
    key = Secret(SECRET * 2)
    signed = token({}, key=OctKey.import_key(SECRET * 2), alg=alg)
    assert check(identity_secret=key).applied(CLAIMED, signed).name == "Ada"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - SKEW_S - 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": NOW + SKEW_S + 1},
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"name": 7},
        {"name": {"a": 1}},
        {"email": "x" * 257},
    ],
)
def test_a_bad_claim_refuses_the_token(claims: dict[str, Any]) -> None:
    """Expired, for somebody else, or nonsense."""
    with pytest.raises(IdentityRefused) as refused:
        check(identity_issuer="https://www.example.com", identity_audience="chat").applied(
            CLAIMED, token({"iss": "https://www.example.com", "aud": ["chat", "shop"]} | claims)
        )
    assert refused.value.code == "identity-refused"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_the_clocks_may_differ_a_little() -> None:
    """By a minute."""
    identity = check(identity_issuer="i", identity_audience="chat")
    good = {"iss": "i", "aud": "chat", "exp": NOW - SKEW_S + 5, "nbf": NOW + SKEW_S - 5}
    assert identity.applied(CLAIMED, token(good)).name == "Ada"


def unsigned() -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, {"exp": NOW + 60, "name": "Ada"})]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize(
    "text",
    ["", "x", "a.b.c", "a.b.c.d.e", unsigned(), "\ud83d", token({}).reveal()[:-2], token({}).reveal() + "."],
)
def test_what_is_no_token_of_the_site_is_refused(text: str) -> None:
    """Unsigned ones too; nothing of it is quoted."""
    with pytest.raises(IdentityRefused) as refused:
        check().applied(CLAIMED, Secret(text))
    assert "Ada" not in str(refused.value)


def test_another_key_is_refused() -> None:
    """Whoever signed with it is not the site."""
    with pytest.raises(IdentityRefused):
        check().applied(CLAIMED, token({}, key=OctKey.import_key("x" * 32)))


def test_nobody_has_set_keys() -> None:
    """A token that nobody can check is not ignored: the site believes that it counts."""
    with pytest.raises(IdentityRefused, match="identity_secret"):
        check(identity_secret=None).applied(CLAIMED, token({}))


def keys_file(tmp_path: Path, *keys: Any) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(KeySet(list(keys)).as_dict(private=False)), encoding="utf-8")
    return path


@pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256"])
def test_public_keys(tmp_path: Path, alg: str) -> None:
    """Several may be in the file; the header's `kid` chooses."""
    rsa = RSAKey.generate_key(2048, {"kid": "r"})
    curve = ECKey.generate_key("P-256", {"kid": "e"})
    identity = check(identity_secret=None, identity_jwks_file=keys_file(tmp_path, rsa, curve))
    key = curve if alg == "ES256" else rsa
    assert identity.applied(CLAIMED, token({}, key=key, alg=alg, kid=key.kid)).name == "Ada"
    other = RSAKey.generate_key(2048, {"kid": "r"})
    with pytest.raises(IdentityRefused):
        identity.applied(CLAIMED, token({}, key=other, alg="RS256", kid="r"))


def test_a_public_key_is_no_secret(tmp_path: Path) -> None:
    """A token signed with the text of the public key, as HS256, is refused: everybody knows that text."""
    rsa = RSAKey.generate_key(2048, {"kid": "r"})
    path = keys_file(tmp_path, rsa)
    identity = check(identity_secret=None, identity_jwks_file=path)
    for forged in (path.read_bytes(), rsa.as_pem(private=False)):
        with pytest.raises(IdentityRefused):
            identity.applied(CLAIMED, token({}, key=OctKey.import_key(base64.b64encode(forged)), kid="r"))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        "[]",
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"}]}',
        "x",
    ],
)
def test_a_file_without_public_keys(tmp_path: Path, text: str | None) -> None:
    """Found at start, not at the first guest."""
    path = tmp_path / "jwks.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="identity_jwks_file"):
        check(identity_secret=None, identity_jwks_file=path)


def test_settings_that_do_not_fit(tmp_path: Path) -> None:
    """One kind of key, and no secret that can be guessed."""
    with pytest.raises(ConfigError, match="not both"):
        check(identity_jwks_file=tmp_path / "x")
    with pytest.raises(ConfigError, match="32 bytes"):
        check(identity_secret=Secret("short"))
