"""Genesys Cloud's regions: a name or a domain, and the hosts that follow from it.

Source: web-messaging §1.1 (the vendor's SDKs) for the domains; guest-session §1 for the hosts.
"""

from __future__ import annotations

from guestwire.errors import ConfigError

__all__ = ["REGIONS", "region_domain", "socket_host"]

REGIONS: dict[str, str] = {
    "us-east-1": "mypurecloud.com",
    "us-east-2": "use2.us-gov-pure.cloud",
    "us-west-2": "usw2.pure.cloud",
    "ca-central-1": "cac1.pure.cloud",
    "mx-central-1": "mxc1.pure.cloud",
    "sa-east-1": "sae1.pure.cloud",
    "eu-west-1": "mypurecloud.ie",
    "eu-west-2": "euw2.pure.cloud",
    "eu-central-1": "mypurecloud.de",
    "eu-central-2": "euc2.pure.cloud",
    "me-central-1": "mec1.pure.cloud",
    "ap-south-1": "aps1.pure.cloud",
    "ap-northeast-1": "mypurecloud.jp",
    "ap-northeast-2": "apne2.pure.cloud",
    "ap-northeast-3": "apne3.pure.cloud",
    "ap-southeast-1": "apse1.pure.cloud",
    "ap-southeast-2": "mypurecloud.com.au",
    "eusc-de-east-1": "edee1.eusc-pure.cloud",
}


def region_domain(region: str) -> str:
    """Return the domain of a region given by name or by domain.

    Raises:
        ConfigError: It is neither; the message lists the names.
    """
    wanted = region.strip().lower()
    if wanted in REGIONS:
        return REGIONS[wanted]
    if wanted in REGIONS.values():
        return wanted
    raise ConfigError(
        f"Unknown region {region!r}. Expected a domain like mypurecloud.com or one of {', '.join(REGIONS)}."
    )


def socket_host(domain: str) -> str:
    """Return the host of the guest WebSocket in a region.

    The tutorial names chat.mypurecloud.com for US and EU and chat.ap.mypurecloud.com for Asia Pacific [T]; that the
    others are `chat.{domain}` is our reading [D], UNVERIFIED. A setting overrides each.
    """
    if domain in _US_AND_EU:
        return "chat.mypurecloud.com"
    if domain in _ASIA_PACIFIC:
        return "chat.ap.mypurecloud.com"
    return f"chat.{domain}"


_US_AND_EU = {"mypurecloud.com", "mypurecloud.ie", "mypurecloud.de"}
_ASIA_PACIFIC = {"mypurecloud.jp", "mypurecloud.com.au"}
