"""What a provider's session offers, as browsers are told: the frame, and when it is worth another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec

from guestwire.gateway.relay.interface import Offer
from guestwire.model.times import format_time
from guestwire.protocols.guest_session.wire import AttachmentLimits, Bot, SessionFrame, SessionLimits, encode

__all__ = ["MAX_UPLOAD_BYTES", "is_news", "session_frame"]

MAX_UPLOAD_BYTES = 25_000_000
"""Of one file, whatever a provider would take. Genesys Cloud takes 10 MB; proxies must let as much through."""

_SOON = timedelta(seconds=60)
_SAME = timedelta(seconds=1)


def session_frame(offer: Offer, *, has_ended: bool) -> str:
    """Return the `session` frame.

    Args:
        offer: The provider's.
        has_ended: Whether the conversation is over: then it takes no message here, whatever the provider would.
    """
    uploads = offer.uploads
    limits: AttachmentLimits | msgspec.UnsetType = msgspec.UNSET
    if "attachments" in offer.features and uploads.is_on:
        limits = AttachmentLimits(
            max_bytes=min(uploads.max_bytes, MAX_UPLOAD_BYTES),
            types=uploads.file_types,
            blocked_extensions=tuple(sorted(uploads.blocked_extensions)),
        )
    bot = Bot(name=offer.bot_name, avatar=offer.bot_avatar)
    return encode(
        SessionFrame(
            features=tuple(sorted(offer.features | {"start-new"})),
            limits=SessionLimits(max_text_bytes=offer.max_text_bytes, attachments=limits),
            expires_at=None if offer.expires_at is None else format_time(offer.expires_at),
            read_only=has_ended or offer.read_only,
            bot=None if bot == Bot() else bot,
            colour=offer.colour,
        )
    )


def is_news(offer: Offer, told: Offer | None) -> bool:
    """Return whether browsers that were told `told` need to know.

    The time at which a session ends moves with every message, so it alone is news only when it moved by more than a
    minute, or became earlier.
    """
    if offer is told:
        return False
    if told is None or replace(offer, expires_at=None) != replace(told, expires_at=None):
        return True
    if offer.expires_at is None or told.expires_at is None:
        return offer.expires_at is not told.expires_at
    return not -_SAME <= offer.expires_at - told.expires_at <= _SOON
