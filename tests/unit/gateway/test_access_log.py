"""Paths become patterns of a closed set."""

from __future__ import annotations

import pytest

from guestwire.gateway.access_log import route_of


@pytest.mark.parametrize(
    "path, route",
    [
        ("/", "/"),
        ("/health", "/health"),
        ("/guest-chat.js", "/guest-chat.js"),
        ("/widget/define.js", "/widget/…"),
        ("/page/page.css", "/page/…"),
        ("/api/v2/chat/guestsessions", "/api/v2/chat/guestsessions"),
        ("/api/v2/chat/guestsessions/secret-id", "/api/v2/chat/guestsessions/{sessionId}"),
        (
            "/api/v2/chat/guestsessions/secret-id/attachments",
            "/api/v2/chat/guestsessions/{sessionId}/attachments",
        ),
        (
            "/api/v2/chat/guestsessions/secret-id/attachments/secret-file",
            "/api/v2/chat/guestsessions/{sessionId}/attachments/{id}",
        ),
        ("/api/v2/chat/guestsessions/secret-id/other/attachments", "/api/v2/chat/guestsessions/{sessionId}"),
        ("/attachments/secret.sealed.part", "/attachments/{sealed}"),
        ("/attachments", "(unknown)"),
        ("/token=canary", "(unknown)"),
        ("/widgetcanary", "(unknown)"),
    ],
)
def test_route_of(path: str, route: str) -> None:
    assert route_of(path) == route
