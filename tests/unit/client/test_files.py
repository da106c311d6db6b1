"""The guest's files, over a network in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from guestwire.errors import ConnectionLost, LocalProtocolError, NotWritten, TimedOut
from guestwire.model.content import Attachment, attachment
from guestwire.model.events import AttachmentStatus, AttachmentUpdated, Fate, Message
from guestwire.model.http import HttpAnswer
from guestwire.protocols.web_messaging.uploads import AttachmentRejected
from guestwire.testing import eventually
from tests.unit.client.web_world import App, WebProvider, served

_A = AttachmentStatus


def updates(app: App) -> list[AttachmentStatus]:
    return [event.status for event in app.events if isinstance(event, AttachmentUpdated)]


def last(app: App) -> AttachmentUpdated:
    return [event for event in app.events if isinstance(event, AttachmentUpdated)][-1]


async def test_a_file_is_uploaded_and_sent() -> None:
    provider = WebProvider()
    data = bytes(range(256)) * 1000
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        file_id = await chat.attach("door.png", "image/png", data)
        url = await chat.uploaded(file_id)
        assert url == await chat.uploaded(file_id)
        assert url.startswith("https://files.example.test/")
        sent = await chat.send("", content=(attachment(Attachment(id=file_id)),))
        await eventually(lambda: Fate.DELIVERED in app.fates(sent))
        echo = [event for event in app.events if isinstance(event, Message)][-1]
        [item] = echo.content
        assert isinstance(item.value, Attachment)
        assert (item.value.filename, item.value.file_size) == ("door.png", len(data))
    [request] = provider.uploads
    assert request.body == data
    assert dict(request.headers) == {"x-amz-tagging": "demo", "content-type": "image/png"}
    progress = [e.sent_bytes for e in app.events if isinstance(e, AttachmentUpdated) and e.sent_bytes]
    assert progress == [65536, 131072, 196608, 256000]
    assert updates(app)[-2:] == [_A.UPLOADED, _A.SENT]


async def test_a_file_may_come_in_pieces() -> None:
    provider = WebProvider()

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(100):
            yield bytes([number]) * 10

    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        with pytest.raises(LocalProtocolError, match="size"):
            await chat.attach("a.png", "image/png", pieces())
        await chat.uploaded(await chat.attach("a.png", "image/png", pieces(), size=1000))
        assert len(provider.uploads[0].body) == 1000
        assert len([status for status in updates(app) if status is _A.UPLOADING]) == 21
        short = await chat.attach("b.png", "image/png", pieces(), size=1001)
        with pytest.raises(AttachmentRejected):
            await chat.uploaded(short)


async def test_a_file_that_cannot_be_read_fails_alone() -> None:
    provider = WebProvider()

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise OSError("disk")

    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        file_id = await chat.attach("a.png", "image/png", broken(), size=10)
        with pytest.raises(AttachmentRejected) as caught:
            await chat.uploaded(file_id)
        assert caught.value.code == "attachment-failed"
        assert "OSError" in caught.value.message
        assert chat.is_open


@pytest.mark.parametrize(
    "name, file_type, data, code",
    [
        ("a.exe", "image/png", b"x", "attachment-type"),
        ("a.png", "text/html", b"x", "attachment-type"),
        ("a", "image/png", b"x", "attachment-name"),
        ("a.png", "image/png", b"", "attachment-empty"),
        ("a.png", "image/png", b"x" * 1001, "attachment-too-large"),
    ],
)
async def test_what_the_deployment_forbids_is_not_asked_for(name: str, file_type: str, data: bytes, code: str) -> None:
    provider = WebProvider(served(file_types=("image/*",), max_file_size_kb=1))
    async with provider.connect() as chat:
        with pytest.raises(NotWritten):
            await chat.attach("a.png", "image/png", b"x")
        await App(chat).connected()
        with pytest.raises(AttachmentRejected) as caught:
            await chat.attach(name, file_type, data)
        assert caught.value.code == code
    assert "onAttachment" not in provider.actions()


async def test_the_providers_refusals_have_our_codes() -> None:
    provider = WebProvider()
    provider.stores_uploads = False
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        file_id = await chat.attach("a.png", "image/png", b"x")
        await eventually(lambda: provider.uploads)
        provider.do(lambda token, now: provider.core.uploaded(token, file_id, now, refusal=4003))
        with pytest.raises(AttachmentRejected) as caught:
            await chat.uploaded(file_id)
        assert caught.value.code == "attachment-invalid"
        with pytest.raises(AttachmentRejected) as unknown:
            await chat.uploaded("never")
        assert unknown.value.code == "attachment-unknown"


async def test_an_upload_that_is_refused_fails() -> None:
    provider = WebProvider()

    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()

        async def refuse(_request: object) -> HttpAnswer:
            return HttpAnswer(403)

        provider.network._answer = refuse
        file_id = await chat.attach("a.png", "image/png", b"x")
        with pytest.raises(AttachmentRejected):
            await chat.uploaded(file_id)
        assert last(app).code == "attachment-failed"


@pytest.mark.parametrize(
    "url", ["http://files.example.test/", "https://a:b@files.example.test/", "ftp://x/", "http://["]
)
async def test_only_safe_addresses_are_uploaded_to(url: str) -> None:
    provider = WebProvider()
    provider.upload_to = url
    async with provider.connect() as chat:
        await App(chat).connected()
        file_id = await chat.attach("a.png", "image/png", b"x")
        with pytest.raises(AttachmentRejected):
            await chat.uploaded(file_id)
    assert provider.uploads == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/f/", "http://localhost/f/"])
async def test_this_machine_and_the_operators_host_need_no_encryption(url: str) -> None:
    provider = WebProvider()
    provider.upload_to = url
    async with provider.connect() as chat:
        await App(chat).connected()
        await chat.uploaded(await chat.attach("a.png", "image/png", b"x"))


async def test_an_upload_is_cancelled() -> None:
    provider = WebProvider()
    pulled: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                pulled.append("x")
                yield b"x"
                await asyncio.sleep(0)
        finally:
            pulled.append("closed")

    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        file_id = await chat.attach("a.png", "image/png", endless(), size=9_000_000)
        waiting = asyncio.create_task(chat.uploaded(file_id))
        await eventually(lambda: len(pulled) > 3)
        await chat.delete_attachment(file_id)
        with pytest.raises(AttachmentRejected):
            await waiting
        await eventually(lambda: pulled[-1] == "closed")
        assert last(app).status is _A.DELETED
    assert provider.uploads == []


async def test_links_are_refreshed_and_files_deleted() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        file_id = await chat.attach("a.png", "image/png", b"x")
        first = await chat.uploaded(file_id)
        second = await chat.refresh_attachment(file_id)
        assert second != first
        await chat.delete_attachment(file_id)
        await eventually(lambda: last(app).status is _A.DELETED)
        with pytest.raises(AttachmentRejected) as caught:
            await chat.refresh_attachment(file_id)
        assert caught.value.code == "attachment-unknown"


async def test_nobody_waits_for_ever() -> None:
    provider = WebProvider()
    async with provider.connect() as chat:
        app = App(chat)
        await app.connected()
        provider.deaf = True
        late = asyncio.create_task(chat.refresh_attachment("a"))
        await eventually(lambda: "getAttachment" in provider.actions())
        provider.clock.advance(10.0)
        with pytest.raises(TimedOut):
            await late
        lost = asyncio.create_task(chat.refresh_attachment("b"))
        uploading = await chat.attach("a.png", "image/png", b"x")
        await eventually(
            lambda: provider.actions().count("getAttachment") == 2 and "onAttachment" in provider.actions()
        )
        provider.network.drop()
        with pytest.raises(ConnectionLost):
            await lost
        with pytest.raises(AttachmentRejected) as caught:
            await chat.uploaded(uploading)
        assert caught.value.code == "connection-lost"
        provider.deaf = False
        await app.connected(2)
        never = asyncio.create_task(chat.uploaded(await chat.attach("a.png", "image/png", b"x")))
        provider.deaf = True
        await asyncio.sleep(0)
    with pytest.raises((AttachmentRejected, ConnectionLost)):
        await never
