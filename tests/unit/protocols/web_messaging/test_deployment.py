"""`config.json` and `domains.json`: read, obeyed, and written as every client wants them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestwire.errors import ChatError, ConfigError, ConnectFailed, RateLimited, RemoteProtocolError
from guestwire.model.http import HttpAnswer
from guestwire.protocols.web_messaging.deployment import (
    Deployment,
    DeploymentConfig,
    Domains,
    config_request,
    domains_request,
    hostname_of,
    parse_config_answer,
    parse_domains_answer,
)

# web-messaging §1.3.2, the smallest file that every client accepts, with the flags of a custom UI.
CONFIG: dict[str, Any] = {
    "id": "5f0c2a9e",
    "version": "7",
    "languages": ["en-us"],
    "defaultLanguage": "en-us",
    "apiEndpoint": "https://api.example.test",
    "status": "Active",
    "headlessMode": {"enabled": True},
    "messenger": {
        "enabled": True,
        "apps": {
            "conversations": {
                "enabled": True,
                "messagingEndpoint": "wss://webmessaging.example.test",
                "showAgentTypingIndicator": True,
                "showUserTypingIndicator": True,
                "autoStart": {"enabled": False},
                "markdown": {"enabled": True},
                "conversationDisconnect": {"enabled": True, "type": "ReadOnly"},
                "conversationClear": {"enabled": True},
                "humanize": {"enabled": True, "bot": {"name": "Otto", "avatarUrl": "https://cdn.example.test/o.png"}},
                "notifications": {"enabled": False, "notificationContentType": "ExcludeMessagesContent"},
                "sessionDurationSeconds": 259200,
            }
        },
        "styles": {"primaryColor": "#22577A"},
        "launcherButton": {"visibility": "On", "displayType": "Icon"},
        "homeScreen": {"enabled": False},
        "fileUpload": {"enableAttachments": True, "modes": []},
    },
    "position": {"alignment": "Auto", "sideSpace": 20, "bottomSpace": 12},
    "journeyEvents": {"enabled": False},
    "auth": {"enabled": False, "allowSessionUpgrade": False},
}
# web-messaging §1.3.2, column K: without these the mobile SDK refuses to connect.
REQUIRED = [
    "id", "version", "languages", "defaultLanguage", "apiEndpoint", "status", "messenger.enabled",
    "messenger.apps.conversations.messagingEndpoint", "messenger.fileUpload", "messenger.styles.primaryColor",
    "messenger.launcherButton.visibility", "journeyEvents.enabled", "auth.enabled",
]  # fmt: skip


def answer(body: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, {"retry-after": "7"}, msgspec.json.encode(body))


def test_the_requests() -> None:
    """Public, by the deployment's id, escaped (§1.1)."""
    base = "https://api-cdn.mypurecloud.com"
    assert config_request(base, "d/1").url == f"{base}/webdeployments/v1/deployments/d%2F1/config.json"
    assert domains_request(base, "d1").url == f"{base}/webdeployments/v1/deployments/d1/domains.json"


def test_what_is_obeyed() -> None:
    """Everything that changes what a client does."""
    assert parse_config_answer(answer(CONFIG), "d1") == Deployment(
        "d1",
        socket_base="wss://webmessaging.example.test",
        api_base="https://api.example.test",
        shows_agent_typing=True,
        takes_guest_typing=True,
        tells_disconnect=True,
        read_only_after_end=True,
        allows_clear=True,
        markdown=True,
        humanize=True,
        bot_name="Otto",
        bot_avatar="https://cdn.example.test/o.png",
        offers_uploads=True,
        primary_color="#22577A",
        languages=("en-us",),
        default_language="en-us",
        headless=True,
    )


def test_a_file_with_gaps_has_the_defaults() -> None:
    """Nothing is on that was not said to be on; rules of uploads are then the file's own (§1.3.2)."""
    config = parse_config_answer(answer({"id": "x", "status": "Active"}), "d1")
    assert config == Deployment(
        "d1", uploads_by_session=False, primary_color="#0165A7", languages=("en-us",), default_language="en-us"
    )


def test_names_only_where_they_are_shown() -> None:
    """`humanize` off: no name, no picture."""
    config = json.loads(json.dumps(CONFIG))
    config["messenger"]["apps"]["conversations"]["humanize"]["enabled"] = False
    assert parse_config_answer(answer(config), "d1").bot_name is None


def test_whether_files_may_be_sent_is_known_before_a_session() -> None:
    """By the switch, or where that is absent by whether there are rules."""
    config = json.loads(json.dumps(CONFIG))
    modes = [{"fileTypes": ["image/png"], "maxFileSizeKB": 10}]
    for uploads, expected in (
        ({"enableAttachments": True}, True),
        ({"enableAttachments": False, "modes": modes}, False),
        ({"modes": modes}, True),
        ({}, False),
    ):
        config["messenger"]["fileUpload"] = uploads
        assert parse_config_answer(answer(config), "d1").offers_uploads is expected


def test_legacy_rules_of_uploads() -> None:
    """Types with their size, when the switch is absent, not when it is off."""
    config = json.loads(json.dumps(CONFIG))
    modes = [{"fileTypes": ["image/png", " image/gif"], "maxFileSizeKB": 10}]
    config["messenger"]["fileUpload"] = {"modes": modes}
    deployment = parse_config_answer(answer(config), "d1")
    assert (deployment.uploads_by_session, deployment.upload_modes) == (
        False,
        {"image/png": 10_000, "image/gif": 10_000},
    )
    config["messenger"]["fileUpload"] = {"modes": modes, "enableAttachments": False}
    assert parse_config_answer(answer(config), "d1").uploads_by_session


@pytest.mark.parametrize(
    "url, base",
    [
        ("wss://x.example/", "wss://x.example"),
        ("ws://127.0.0.1:80", "ws://127.0.0.1:80"),
        ("ws://x.example", None),
        ("wss://user@x.example", None),
        ("wss://x.example?y=1", None),
        ("wss://[bad", None),
        ("", None),
    ],
)
def test_where_a_token_may_go(url: str, base: str | None) -> None:
    """Encrypted, or on this machine; else the region's own address is used."""
    config = json.loads(json.dumps(CONFIG))
    config["messenger"]["apps"]["conversations"]["messagingEndpoint"] = url
    assert parse_config_answer(answer(config), "d1").socket_base == base


def test_ours_has_all_that_the_mobile_sdk_needs() -> None:
    """Column K of §1.3.2, written though it is the default."""
    written = json.loads(msgspec.json.encode(DeploymentConfig(id="x", status="Active")))
    for path in REQUIRED:
        value = written
        for name in path.split("."):
            value = value[name]
        assert value is not None
    assert isinstance(written["version"], str)
    assert msgspec.json.decode(msgspec.json.encode(CONFIG), type=DeploymentConfig) is not None
    roundtrip = msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(CONFIG), type=DeploymentConfig))
    assert json.loads(roundtrip)["messenger"]["apps"] == CONFIG["messenger"]["apps"]


@pytest.mark.parametrize(
    "reply, kind, code",
    [
        (answer({}, 403), ConfigError, "deployment-unknown"),
        (answer({}, 404), ConfigError, "deployment-unknown"),
        (answer({"id": "x", "status": "Inactive"}), ConfigError, "deployment-inactive"),
        (answer({"id": "x", "status": "Sleeping"}), ConfigError, "deployment-inactive"),
        (answer({}, 429), RateLimited, "rate-limited"),
        (answer({}, 503), ConnectFailed, "unreachable"),
        (answer({}, 302), RemoteProtocolError, "bad-answer"),
        (answer({"id": 5}), RemoteProtocolError, "bad-answer"),
        (HttpAnswer(200, {}, b"<html>"), RemoteProtocolError, "bad-answer"),
    ],
)
def test_what_else_the_configuration_may_answer(reply: HttpAnswer, kind: type[ChatError], code: str) -> None:
    """The CDN answers an unknown id with 403 (§1.3.2)."""
    with pytest.raises(kind) as caught:
        parse_config_answer(reply, "d1")
    assert caught.value.code == code


def test_the_list_of_domains() -> None:
    """Read, or refused like the configuration."""
    domains = parse_domains_answer(answer({"allowAllDomains": False, "allowedDomains": ["example.com"], "x": 1}))
    assert domains == Domains(allowed_domains=("example.com",))
    with pytest.raises(ConfigError):
        parse_domains_answer(answer({}, 403))
    with pytest.raises(RemoteProtocolError):
        parse_domains_answer(answer([]))


@pytest.mark.parametrize(
    "origin, is_allowed",
    [
        ("https://example.com", True),
        ("https://EXAMPLE.com:8443", True),
        ("https://shop.example.com", True),
        ("example.com", True),
        ("webmessaging.example.com", True),
        ("https://badexample.com", False),
        ("https://example.com.evil.test", False),
        ("null", False),
        ("https://[bad", False),
        ("", False),
        (None, False),
    ],
)
def test_which_sites_may(origin: str | None, is_allowed: bool) -> None:
    """By host, with sub-domains, whatever the case, scheme or port (§1.3.1)."""
    assert Domains(allowed_domains=("Example.com", "")).allows(origin) is is_allowed
    assert Domains(allow_all_domains=True).allows(origin)
    assert not Domains().allows(origin)


@settings(max_examples=40)
@given(st.text())
def test_any_origin_has_a_host_or_none(origin: str) -> None:
    """Never an exception."""
    assert hostname_of(origin) is None or isinstance(hostname_of(origin), str)


@settings(max_examples=40)
@given(st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Never another exception."""
    for parse in (lambda reply: parse_config_answer(reply, "d"), parse_domains_answer):
        with contextlib.suppress(RemoteProtocolError):
            parse(HttpAnswer(200, {}, body))
