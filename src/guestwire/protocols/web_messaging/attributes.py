"""Custom attributes: what the site tells the agent about its guest, carried by messages.

They add up over a conversation, so a frame carries only what is new or changed. A provider takes them from two places;
ours go into `message.channel`, where the vendor's newer SDKs put them.

Source: web-messaging §3.4, §4.7 (4013, 4029).
"""

from __future__ import annotations

from collections.abc import Mapping

from guestwire.errors import ChatError
from guestwire.protocols.web_messaging.limits import MAX_ATTRIBUTE_BYTES
from guestwire.protocols.web_messaging.wire import Channel

__all__ = ["Attributes", "AttributesTooLarge", "attribute_bytes", "attributes_of"]


class AttributesTooLarge(ChatError):
    """The custom attributes have more bytes than one message may carry."""

    default_code = "attributes-too-large"


def attribute_bytes(attributes: Mapping[str, str]) -> int:
    """Count as the provider does: UTF-8 bytes of all keys and values."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())


def attributes_of(*channels: Channel | None) -> dict[str, str]:
    """Return the attributes of a frame, from all their places; the later place wins."""
    merged: dict[str, str] = {}
    for channel in channels:
        if channel is not None and channel.metadata is not None:
            merged |= channel.metadata.custom_attributes or {}
    return merged


class Attributes:
    """The client's store: what is to be told, and what is on its way."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.max_bytes = MAX_ATTRIBUTE_BYTES
        self._known: dict[str, str] = {}
        self._pending: dict[str, str] = {}
        self._sent: dict[str, dict[str, str]] = {}

    def put(self, attributes: Mapping[str, str]) -> None:
        """Add and change some; they go with the next message, or with the next ones where one can't hold them all.

        Raises:
            AttributesTooLarge: One of them, or all together, is more than one message may carry; nothing was changed.
        """
        size = attribute_bytes(attributes)
        if size > self.max_bytes:
            raise AttributesTooLarge(f"The custom attributes have {size} bytes, at most {self.max_bytes} are allowed.")
        for key, value in attributes.items():
            if self._known.get(key) != value:
                self._known[key] = self._pending[key] = value

    def take(self, tracing_id: str) -> dict[str, str]:
        """Return what waits, as far as one message can carry it; empty when nothing does."""
        taken: dict[str, str] = {}
        left = self.max_bytes
        for key, value in list(self._pending.items()):
            left -= attribute_bytes({key: value})
            if left < 0:
                break
            taken[key] = self._pending.pop(key)
        if taken:
            self._sent[tracing_id] = taken
        return taken

    def confirm(self, tracing_id: str) -> None:
        """Take note that the message arrived."""
        self._sent.pop(tracing_id, None)

    def give_back(self, tracing_id: str) -> None:
        """Take note that the message did not arrive: its attributes wait again, below what was changed since."""
        self._pending = self._sent.pop(tracing_id, {}) | self._pending

    def give_back_all(self) -> None:
        """Take note that nobody knows which arrived: all on their way wait again, which changes nothing if they did."""
        for tracing_id in list(self._sent):
            self.give_back(tracing_id)

    def drop(self, tracing_id: str) -> None:
        """Forget what the provider called too large (4013), so that the next message is not refused for it again."""
        for key in self._sent.pop(tracing_id, {}):
            self._known.pop(key, None)

    def say_all_again(self) -> None:
        """A new session knows none of them: all wait again."""
        self._sent.clear()
        self._pending = dict(self._known)
