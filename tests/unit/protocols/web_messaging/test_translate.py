"""From messages to events, where the vectors of frames.json leave something out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from guestwire.model.events import Message
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.translate import from_unix, message_keys, to_events
from guestwire.protocols.web_messaging.wire import Channel, MessageBody, Participant

NAMED = Deployment("d", bot_name="Otto", bot_avatar="https://cdn.example.test/otto.png")


def one(body: MessageBody, deployment: Deployment | None = None) -> Message:
    (event,) = to_events(body, deployment=deployment)
    assert isinstance(event, Message)
    return event


def test_the_bots_name_is_the_deployments() -> None:
    """Unless the message has one; an agent gets none of it (§1.3.2)."""
    bot = MessageBody(direction="Outbound", text="x", originating_entity="Bot")
    assert (one(bot).name, one(bot).avatar) == (None, None)
    assert (one(bot, NAMED).name, one(bot, NAMED).avatar) == ("Otto", "https://cdn.example.test/otto.png")
    named = MessageBody(
        direction="Outbound",
        text="x",
        originating_entity="Bot",
        channel=Channel(sender=Participant(nickname="Ada", image="")),
    )
    assert (one(named, NAMED).name, one(named, NAMED).avatar) == ("Ada", "https://cdn.example.test/otto.png")
    assert one(MessageBody(direction="Outbound", text="x", originating_entity="Human"), NAMED).name is None


def test_the_guest_has_no_name_of_ours() -> None:
    """Only a client id."""
    body = MessageBody(direction="Inbound", text="x", channel=Channel(sender=Participant(nickname="Ada")))
    assert one(body, NAMED) == Message(sender="guest", text="x")


def test_all_ids_of_a_message() -> None:
    """Of which some are missing (§8 row 23)."""
    assert message_keys(MessageBody(id="a", channel=Channel(message_id="b"))) == {"a", "b"}
    assert message_keys(MessageBody(id="a")) == {"a"}
    assert message_keys(MessageBody()) == frozenset()


@pytest.mark.parametrize(
    "seconds, moment",
    [(None, None), (-1, None), (1e12, None), (0, datetime(1970, 1, 1, tzinfo=UTC))],
)
def test_unix_seconds(seconds: float | None, moment: datetime | None) -> None:
    """What no calendar has is none."""
    assert from_unix(seconds) == moment
