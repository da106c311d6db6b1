"""The gateway: serves the tutorial's REST calls and the chat page to browsers, and keeps the secrets."""

from guestwire.gateway.app import create_gateway
from guestwire.gateway.run import serve

__all__ = ["create_gateway", "serve"]
