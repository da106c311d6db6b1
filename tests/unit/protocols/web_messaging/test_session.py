"""Sessions and addresses."""

from __future__ import annotations

from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.session import WebHosts, WebSession, hosts_of, socket_url


def test_the_addresses_of_a_region() -> None:
    """Web-messaging §1.1."""
    assert hosts_of("mypurecloud.de") == WebHosts(
        socket="wss://webmessaging.mypurecloud.de",
        api="https://api.mypurecloud.de",
        cdn="https://api-cdn.mypurecloud.de",
    )


def test_the_socket_is_asked_for_by_deployment_and_never_by_token() -> None:
    """Escaped, with the client's name where there is one (§1.2)."""
    assert socket_url("ws://127.0.0.1:8000/", "d 1") == "ws://127.0.0.1:8000/v1?deploymentId=d%201"
    named = socket_url("wss://webmessaging.mypurecloud.com", "d1", application="guestwire-1.0")
    assert named == "wss://webmessaging.mypurecloud.com/v1?deploymentId=d1&application=guestwire-1.0"


def test_no_token_in_a_repr() -> None:
    """It is the whole session."""
    assert "s3cr3t" not in repr(WebSession(Secret("s3cr3t"), "d1"))
