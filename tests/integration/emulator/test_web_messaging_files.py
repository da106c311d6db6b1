"""Files of guests of Web Messaging: asked for, put, checked, sent, looked at, given up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.emulator.messenger import (
    PNG,
    Messenger,
    change,
    configured,
    conversation,
    file,
    joined,
    put,
)
from tests.integration.emulator.world import World

pytestmark = pytest.mark.anyio


async def asked(guest: Messenger, **members: Any) -> dict[str, Any]:
    """Ask for an upload and return the answer's body."""
    wanted = {"fileName": "door.png", "fileType": "image/png", "fileSize": len(PNG), **members}
    frame = await guest.ask("onAttachment", **wanted)
    assert frame["class"] == "PresignedUrlResponse", frame
    body: dict[str, Any] = frame["body"]
    return body


async def test_what_comes_back_is_what_was_put(world: World) -> None:
    """The bytes, under the guest's own id on the wire and the org's at the desk; both download addresses run out."""
    guest = await joined(world)
    body = await asked(guest, attachmentId="a1")
    assert body["attachmentId"] == "a1"
    assert body["headers"]["x-amz-tagging"]
    assert (await put(world, body, PNG, "image/png")).status == 200
    done = await guest.until("UploadSuccessEvent", attachmentId="a1")
    async with world.http.get(done["body"]["downloadUrl"]) as answer:
        assert (await answer.read(), answer.headers["content-type"]) == (PNG, "image/png")
        assert answer.headers["content-disposition"].startswith("inline;")
    await guest.say("My door", content=file("a1"))
    entry = next(one for one in (await conversation(world, guest))["entries"] if one["text"] == "My door")
    (item,) = entry["content"]
    assert item["attachment"]["id"] != "a1"
    stored = world.emulator.org.find_file(item["attachment"]["id"])
    assert stored is not None
    assert (stored.data, stored.name) == (PNG, "door.png")
    await world.call("POST", "/emulator/clock", {"advanceS": 601})
    late = await world.call("GET", done["body"]["downloadUrl"])
    assert (late.status, late.code) == (403, "forbidden")
    fresh = (await guest.ask("getAttachment", attachmentId="a1"))["body"]
    assert (fresh["headers"], fresh["fileSize"]) == ({}, len(PNG))
    async with world.http.get(fresh["url"]) as answer:
        assert await answer.read() == PNG


async def test_files_are_gone_after_their_time(world: World) -> None:
    """Downloads answer 404, `getAttachment` 4008, and they can't be sent (§4.7, §5)."""
    guest = await configured(world)
    attachment_id = await guest.upload()
    address = (await guest.ask("getAttachment", attachmentId=attachment_id))["body"]["url"]
    await world.fire("expire-files")
    assert (await world.call("GET", address)).code == "not.found"
    assert (await guest.ask("getAttachment", attachmentId=attachment_id))["body"]["errorCode"] == 4008
    assert (await guest.say("See", content=file(attachment_id)))["code"] == 4008


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"fileName": "tool.exe"}, 4001),
        ({"fileType": "application/zip", "fileName": "a.zip"}, 4001),
        ({"fileSize": 20_001}, 4002),
        ({"fileName": "door"}, 4004),
        ({"fileName": "a" * 1024 + ".png"}, 4005),
        ({"fileSize": 0}, 4102),
    ],
)
async def test_refused_before_the_upload(world: World, members: dict[str, Any], code: int) -> None:
    """With the platform's number (§4.7)."""
    await change(world, fileTypes=["image/*"], maxFileKb=20)
    guest = await configured(world)
    wanted = {"fileName": "door.png", "fileType": "image/png", "fileSize": 10, **members}
    frame = await guest.ask("onAttachment", **wanted)
    assert (frame["class"], frame["type"], frame["code"]) == ("GenerateUrlError", "response", 400)
    assert frame["body"]["errorCode"] == code


async def test_without_attachments_nothing_is_allowed(world: World) -> None:
    """The deployment forbids them; the session says so, and the configuration (§1.3.2)."""
    await change(world, attachments=False)
    guest = await configured(world)
    assert guest.seen[-1]["body"]["allowedMedia"]["inbound"]["fileTypes"] == []
    frame = await guest.ask("onAttachment", fileName="a.png", fileType="image/png", fileSize=1)
    assert frame["body"]["errorCode"] == 4000


@pytest.mark.parametrize(
    ("data", "file_type", "code"),
    [
        (b"", "image/png", 4102),
        (b"x" * 20_001, "image/png", 4002),
        (PNG, "text/html", 4001),
        (PNG + b"more", "image/png", 4003),
    ],
)
async def test_refused_after_the_upload(world: World, data: bytes, file_type: str, code: int) -> None:
    """The PUT is taken, the file is not: the event says why, and the attachment is unknown from then on (§3.10)."""
    await change(world, fileTypes=["image/*"], maxFileKb=20)
    guest = await configured(world)
    body = await asked(guest)
    assert (await put(world, body, data, file_type)).status == 200
    failed = await guest.until("UploadFailureEvent", attachmentId=body["attachmentId"])
    assert failed["body"]["errorCode"] == code
    assert (await guest.say("x", content=file(body["attachmentId"])))["code"] == 4009


async def test_a_size_and_a_type_need_not_be_told(world: World) -> None:
    """Official clients leave the size out, and the Content-Type to HTTP (§7.2 rule 11)."""
    guest = await configured(world)
    frame = await guest.ask("onAttachment", fileName="voice.opus", fileType="audio/opus")
    assert (await put(world, frame["body"], b"sound", "audio/ogg")).status == 200
    await guest.until("UploadSuccessEvent")


async def test_an_upload_wants_its_signature_and_its_headers(world: World) -> None:
    """Every given header as it was given; once; within ten minutes (§3.10)."""
    guest = await configured(world)
    body = await asked(guest)
    assert (await put(world, {**body, "headers": {}}, PNG, "image/png")).status == 403
    assert (await put(world, {**body, "headers": {"x-amz-tagging": "other"}}, PNG, "image/png")).status == 403
    assert (await put(world, {**body, "url": body["url"] + "0"}, PNG, "image/png")).status == 403
    assert (await put(world, {**body, "url": body["url"].replace("expires=", "expires=9")}, PNG, None)).status == 403
    assert (await put(world, {**body, "url": body["url"].split("?")[0]}, PNG, "image/png")).code == "forbidden"
    assert (await put(world, body, PNG, "image/png")).status == 200
    assert (await put(world, body, PNG, "image/png")).status == 403
    late = await asked(guest)
    await world.call("POST", "/emulator/clock", {"advanceS": 601})
    assert (await put(world, late, PNG, "image/png")).status == 403


async def test_deleting_before_and_after_sending(world: World) -> None:
    """Before it is sent only (§3.10)."""
    guest = await configured(world)
    attachment_id = await guest.upload()
    deleted = await guest.ask("deleteAttachment", attachmentId=attachment_id)
    assert (deleted["class"], deleted["type"]) == ("AttachmentDeletedResponse", "message")
    assert (await guest.ask("getAttachment", attachmentId=attachment_id))["body"]["errorCode"] == 4009
    asked_for = await asked(guest)
    assert (await guest.ask("getAttachment", attachmentId=asked_for["attachmentId"]))["body"]["errorCode"] == 4010
    sent = await guest.upload()
    await guest.say(None, content=file(sent))
    assert (await guest.ask("deleteAttachment", attachmentId=sent))["code"] == 4009


async def test_a_page_of_another_origin_may_upload(world: World) -> None:
    """Its browser asks first, for the method and the header (§1.7)."""
    guest = await configured(world)
    body = await asked(guest)
    preflight = {
        "origin": "https://shop.example.test",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "x-amz-tagging,content-type",
    }
    answer = await world.call("OPTIONS", body["url"], headers=preflight)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "x-amz-tagging" in answer.headers["access-control-allow-headers"]
    put_headers = {**body["headers"], "origin": "https://shop.example.test"}
    assert (await put(world, {**body, "headers": put_headers}, PNG, "image/png")).headers[
        "access-control-allow-origin"
    ] == "*"
