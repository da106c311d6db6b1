"""The REST side of Web Messaging, one call at a time: the deployment, the history, the sign-in, an upload.

Tokens go where the operator's settings say, else where the deployment's public configuration says, else to the region.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import SplitResult, urlsplit

from guestwire.errors import ConfigError, RemoteProtocolError
from guestwire.model.http import HttpRequest, Stream
from guestwire.model.secret import Secret
from guestwire.net.transport import Transport
from guestwire.protocols.web_messaging.deployment import (
    Deployment,
    Domains,
    config_request,
    domains_request,
    parse_config_answer,
    parse_domains_answer,
)
from guestwire.protocols.web_messaging.rest import (
    AuthorizedGuest,
    CodeGrant,
    HistoryPage,
    HistoryQuery,
    ImplicitGrant,
    exchange_request,
    history_request,
    parse_exchange_answer,
    parse_history_answer,
    parse_refresh_answer,
    parse_revoke_answer,
    parse_upload_answer,
    refresh_request,
    revoke_request,
    upload_request,
)
from guestwire.settings import ProviderSettings

__all__ = [
    "exchange_code",
    "find_deployment",
    "messaging_base",
    "read_deployment",
    "read_domains",
    "read_history_page",
    "refresh_guest",
    "rest_base",
    "revoke_guest",
    "upload_file",
]

_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Headers that only the one who sends can know."""

_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


async def read_deployment(transport: Transport, settings: ProviderSettings) -> Deployment:
    """Read the deployment's public configuration.

    Raises:
        ConfigError: None is set; `deployment-unknown`, `deployment-inactive`.
        ChatError: What `Transport.send` raises; `RateLimited`, `ConnectFailed` for 5xx.

    Source: web-messaging §1.3.2.
    """
    deployment_id = settings.deployment()
    request = _from_origin(config_request(settings.resolved_cdn_url, deployment_id), settings)
    return parse_config_answer(await transport.send(request), deployment_id)


async def read_domains(transport: Transport, settings: ProviderSettings) -> Domains:
    """Read which web sites may use the deployment; raises what `read_deployment` does.

    Source: web-messaging §1.3.1.
    """
    request = _from_origin(domains_request(settings.resolved_cdn_url, settings.deployment()), settings)
    return parse_domains_answer(await transport.send(request))


async def find_deployment(transport: Transport, settings: ProviderSettings) -> Deployment:
    """Read the deployment's public configuration, and whether our site may use it, where `settings.origin` says one.

    Raises:
        ConfigError: As `read_deployment`; `domain-not-allowed`.
        ChatError: What `read_deployment` raises.
    """
    deployment = await read_deployment(transport, settings)
    if settings.origin is not None and not (await read_domains(transport, settings)).allows(settings.origin):
        raise ConfigError(code="domain-not-allowed")
    return deployment


def rest_base(settings: ProviderSettings, deployment: Deployment | None = None) -> str:
    """Return the base of REST: the operator's word before the deployment's, that before the region's."""
    told = None if settings.base_url or deployment is None else deployment.api_base
    return told or settings.resolved_base_url


def messaging_base(settings: ProviderSettings, deployment: Deployment | None = None) -> str:
    """Return the host of the WebSocket, chosen as `rest_base` does."""
    told = None if settings.messaging_url or settings.base_url or deployment is None else deployment.socket_base
    return told or settings.resolved_messaging_url


async def read_history_page(
    transport: Transport,
    settings: ProviderSettings,
    jwt: Secret,
    query: HistoryQuery,
    *,
    deployment: Deployment | None = None,
) -> HistoryPage:
    """Read a page of a session's history with the JWT that its socket gave; ten a minute are allowed.

    Raises:
        SessionExpired: The JWT is over, which lives about a minute.
        ChatError: What `Transport.send` raises; `RateLimited`, `ConnectFailed` for 5xx.

    Source: web-messaging §1.4.
    """
    request = history_request(rest_base(settings, deployment), jwt, query, origin=settings.origin)
    return parse_history_answer(await transport.send(request), query)


async def exchange_code(
    transport: Transport,
    settings: ProviderSettings,
    grant: CodeGrant | ImplicitGrant,
    *,
    deployment: Deployment | None = None,
) -> AuthorizedGuest:
    """Exchange what the site's identity provider gave for the guest's JWT; a code is good once.

    Raises:
        AuthError: Refused; the guest must sign in again.
        ChatError: What `Transport.send` raises; `RateLimited`, `ConnectFailed` for 5xx.

    Source: web-messaging §1.5.
    """
    request = exchange_request(rest_base(settings, deployment), settings.deployment(), grant)
    return parse_exchange_answer(await transport.send(_from_origin(request, settings)))


async def refresh_guest(
    transport: Transport, settings: ProviderSettings, refresh_token: Secret, *, deployment: Deployment | None = None
) -> AuthorizedGuest:
    """Get another JWT for a guest who signed in; raises what `exchange_code` does."""
    request = refresh_request(rest_base(settings, deployment), refresh_token)
    return parse_refresh_answer(await transport.send(_from_origin(request, settings)), refresh_token)


async def revoke_guest(
    transport: Transport, settings: ProviderSettings, jwt: Secret, *, deployment: Deployment | None = None
) -> None:
    """Sign the guest out on every connection; raises what `exchange_code` does, `AuthError` also for an old JWT."""
    request = revoke_request(rest_base(settings, deployment), jwt)
    parse_revoke_answer(await transport.send(_from_origin(request, settings)))


async def upload_file(
    transport: Transport,
    settings: ProviderSettings,
    url: str,
    headers: Mapping[str, str],
    *,
    file_type: str,
    content: Stream,
) -> None:
    """Put a file where the provider said, with the headers that it gave and nothing of ours but type and length.

    The address may be on another host. It must be encrypted, on this machine, or where the operator says that the
    provider's REST is [D].

    Raises:
        RemoteProtocolError: The address is none of these.
        ChatError: `attachment-failed`: refused; what `Transport.send` raises.

    Source: web-messaging §1.7, §3.10.
    """
    if not _may_upload_to(url, settings):
        raise RemoteProtocolError("Expected an encrypted address to upload to, got another one.")
    given = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    request = replace(upload_request(url, given, file_type=file_type), stream=content)
    parse_upload_answer(await transport.send(request))


def _from_origin(request: HttpRequest, settings: ProviderSettings) -> HttpRequest:
    if settings.origin is None:
        return request
    return replace(request, headers={**request.headers, "origin": settings.origin})


def _may_upload_to(url: str, settings: ProviderSettings) -> bool:
    parts = _split(url)
    if parts is None or parts.hostname is None or parts.username is not None:
        return False
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
        return True
    base = _split(settings.resolved_base_url)
    return base is not None and (parts.scheme, parts.netloc) == (base.scheme, base.netloc)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return None
    return parts
