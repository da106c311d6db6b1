"""What a guest says, as the message of a frame."""

from __future__ import annotations

import pytest

from guestwire.errors import MessageRejected
from guestwire.model.content import ButtonResponse, button_response
from guestwire.protocols.web_messaging.outgoing import event_message, guest_message, presence, with_attributes
from guestwire.protocols.web_messaging.replies import with_files


def test_text_carries_its_client_id() -> None:
    """In the metadata, by which the history tells of it [D]."""
    message = guest_message("Hi \ud83d", (), "c1", "m9")
    assert (message.type, message.text) == ("Text", "Hi \ufffd")
    assert message.metadata == {"id": "c1", "parentMessageId": "m9"}
    assert message.content is None


def test_an_answer_is_structured_and_files_are_text() -> None:
    """As the vendor's browser SDK has it (§3.5, §3.7)."""
    item = button_response(ButtonResponse(type="QuickReply", text="A", payload="a"))
    assert guest_message("A", (item,), "c1").type == "Structured"
    files = guest_message("", with_files("", ["a1"]).content, "c1")
    assert (files.type, files.content) == ("Text", [{"contentType": "Attachment", "attachment": {"id": "a1"}}])


@pytest.mark.parametrize(
    "text, code", [(" \n", "message-blank"), ("é" * 2049, "message-too-long"), ("x" * 4097, "message-too-long")]
)
def test_what_no_provider_takes(text: str, code: str) -> None:
    """Blank, or over 4,096 bytes (§5)."""
    with pytest.raises(MessageRejected) as caught:
        guest_message(text, (), "c1")
    assert (caught.value.code, caught.value.client_id) == (code, "c1")
    assert guest_message("é" * 2048, (), "c1").text == "é" * 2048


def test_attributes_go_into_the_message() -> None:
    """Without any there is no channel."""
    message = event_message(presence("Join"))
    assert with_attributes(message, {}) is message
    channel = with_attributes(message, {"page": "/"}).channel
    assert channel is not None
    assert channel.metadata is not None
    assert channel.metadata.custom_attributes == {"page": "/"}
