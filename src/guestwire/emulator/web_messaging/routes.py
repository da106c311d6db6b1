"""Everything that guests of Web Messaging find at the emulator, on the same server as the guest sessions."""

from __future__ import annotations

from starlette.routing import BaseRoute

from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.org import Org
from guestwire.emulator.web_messaging.auth_routes import auth_routes
from guestwire.emulator.web_messaging.config_routes import config_routes
from guestwire.emulator.web_messaging.file_routes import file_routes
from guestwire.emulator.web_messaging.history_routes import history_routes
from guestwire.emulator.web_messaging.identity_routes import identity_routes
from guestwire.emulator.web_messaging.push_routes import push_routes
from guestwire.emulator.web_messaging.service import WebMessaging
from guestwire.emulator.web_messaging.sockets import MESSAGING_PATH, MessagingSockets
from guestwire.net.starlette_socket import websocket_route

__all__ = ["messaging_routes"]


def messaging_routes(org: Org, guests: GuestSide, *, public_url: str | None) -> list[BaseRoute]:
    """Return the routes; `public_url` is where guests find the emulator, None means where they asked."""
    service = WebMessaging(org, guests)
    sockets = MessagingSockets(org, service, public_url=public_url)
    return [
        websocket_route(MESSAGING_PATH, sockets.authorise),
        *config_routes(org, public_url=public_url),
        *history_routes(org, service),
        *file_routes(org, service),
        *auth_routes(org, service.identity),
        *identity_routes(org, service.identity),
        *push_routes(org),
    ]
