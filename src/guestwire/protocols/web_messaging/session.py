"""A guest session as its guest knows it, and the addresses that follow from a region and a deployment.

Source: web-messaging §1.1, §1.2, §2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from guestwire.model.secret import Secret

__all__ = ["WebHosts", "WebSession", "hosts_of", "socket_url"]


@dataclass(frozen=True, slots=True)
class WebSession:
    """A session: whoever holds the token holds it.

    Attributes:
        token: Made by the guest, once: a random UUID.
        deployment_id: The deployment it belongs to.
        is_authenticated: Whether the guest signed in with it; there is no way back (§2.10).
    """

    token: Secret
    deployment_id: str
    is_authenticated: bool = False


@dataclass(frozen=True, slots=True)
class WebHosts:
    """Where a region is: base URLs without a path."""

    socket: str
    api: str
    cdn: str


def hosts_of(domain: str) -> WebHosts:
    """Return the addresses of a region, by its domain; see `model.regions`."""
    return WebHosts(socket=f"wss://webmessaging.{domain}", api=f"https://api.{domain}", cdn=f"https://api-cdn.{domain}")


def socket_url(socket_base: str, deployment_id: str, *, application: str | None = None) -> str:
    """Return the URL to open; the token is no part of it.

    Args:
        socket_base: `wss://host`, from `hosts_of` or the deployment's `messagingEndpoint`.
        deployment_id: The deployment.
        application: Names the client to the provider.
    """
    query = {"deploymentId": deployment_id} | ({"application": application} if application else {})
    return f"{socket_base.rstrip('/')}/v1?{urlencode(query, quote_via=quote)}"
