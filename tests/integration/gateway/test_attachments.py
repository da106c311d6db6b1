"""Guests' files over real sockets: up, down, and what somebody might try with them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guestwire.errors import ChatError
from guestwire.gateway.relay import attachment_routes, file_downloads
from guestwire.gateway.relay.interface import Offer, ProviderFile, Upload
from guestwire.model.content import Attachment, attachment
from guestwire.model.events import Message
from guestwire.model.http import HttpAnswer
from guestwire.net.server import Server
from guestwire.protocols.web_messaging.uploads import UploadRules
from guestwire.settings import ProviderSettings
from guestwire.testing import eventually

from .relay_world import SESSIONS, FakeUpstream, Guest, World, relay_world

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
RULES = UploadRules(("image/*", "application/pdf"), 500_000, {}, frozenset({".exe"}))
OFFER = Offer(features=frozenset({"attachments", "clear", "stay"}), uploads=RULES)


@dataclass
class Shelf:
    """The provider's files."""

    url: str = ""
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    given: list[Upload] = field(default_factory=list)
    old: set[str] = field(default_factory=set)
    """Addresses that are good no longer."""
    asked: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    refuses: ChatError | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    holds: asyncio.Event | None = None
    """What everything waits for."""
    length: str | None = None
    """What it promises to send."""

    def put(self, body: bytes, mime: str) -> tuple[str, str]:
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = body, mime
        return file_id, f"{self.url}/files/{file_id}?v=1"

    async def show(self, request: Request) -> Response:
        file_id, version = request.path_params["id"], request.url.query
        self.asked.append(f"{file_id}?{version}")
        if f"{file_id}?{version}" in self.old or file_id not in self.files:
            return Response(status_code=403)
        if self.holds is not None:
            await self.holds.wait()
        body, mime = self.files[file_id]
        if self.length is not None:
            return _Promising(self.length)
        if mime == "redirect":
            return Response(status_code=302, headers={"location": f"{self.url}/files/file-0?v=1"})
        if "range" in request.headers:
            return Response(body[:10], 206, {"content-range": f"bytes 0-9/{len(body)}"}, media_type=mime)
        return Response(body, media_type=mime, headers={"set-cookie": "a=b", "x-provider": "y"})


class _Promising(Response):
    """Says one length and sends ten bytes."""

    def __init__(self, length: str) -> None:
        super().__init__(b"")
        self.raw_headers = [(b"content-length", length.encode())]

    async def __call__(self, _scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"0123456789", "more_body": True})


class RichUpstream(FakeUpstream):
    """One that takes files, too."""

    shelf: Shelf
    offered: Offer | None = OFFER

    @property
    def offer(self) -> Offer | None:
        return self.offered

    async def attach(self, upload: Upload) -> ProviderFile:
        self.shelf.started.set()
        if self.shelf.refuses is not None:
            raise self.shelf.refuses
        if self.shelf.holds is not None:
            await self.shelf.holds.wait()
        body = b"".join([chunk async for chunk in upload.data])
        self.shelf.given.append(upload)
        return ProviderFile(*self.shelf.put(body, upload.file_type))

    async def delete_attachment(self, attachment_id: str) -> None:
        self.shelf.deleted.append(attachment_id)

    async def attachment_url(self, attachment_id: str) -> str:
        self.shelf.refreshed.append(attachment_id)
        if attachment_id not in self.shelf.files:
            raise ChatError(code="attachment-unknown")
        return f"{self.shelf.url}/files/{attachment_id}?v={1 + len(self.shelf.refreshed)}"


@asynccontextmanager
async def rich_world(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[World, Shelf]]:
    """A gateway whose provider takes files, and the files that it has."""
    shelf = Shelf()
    async with (
        relay_world(tmp_path, **options) as world,
        Server(Starlette(routes=[Route("/files/{id}", shelf.show)])) as cdn,
    ):
        shelf.url = cdn.url

        class Upstream(RichUpstream):
            pass

        Upstream.shelf = shelf
        world.upstream_class = Upstream
        yield world, shelf


async def put(
    guest: Guest, name: str = "door.png", body: bytes = PNG, mime: str = "image/png", **headers: str
) -> HttpAnswer:
    return await guest.world.ask(
        "POST",
        f"{SESSIONS}/{guest.sid}/attachments",
        body,
        **{
            "authorization": f"Bearer {guest.token}",
            "content_type": mime,
            "filename": quote(name, safe="", errors="surrogatepass"),
            **headers,
        },
    )


def code(answer: HttpAnswer) -> str:
    problem = json.loads(answer.body)
    assert set(problem) == {"message", "code", "status", "contextId"}
    assert problem["status"] == answer.status
    return str(problem["code"])


async def test_a_file_goes_up_into_a_message_and_down_again(tmp_path: Path) -> None:
    """The provider gets the bytes; every tab, and one that comes later, gets the message with an address of ours."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        assert guest.answer["extensions"][-1] == "content"
        answer = await put(guest, "Tür 1.png")
        assert answer.status == 201, answer.body
        made = json.loads(answer.body)
        url = made.pop("url")
        assert made == {
            "id": "file-0",
            "filename": "Tür 1.png",
            "mime": "image/png",
            "mediaType": "Image",
            "fileSize": len(PNG),
        }
        assert shelf.files["file-0"] == (PNG, "image/png")
        assert shelf.given[0].name == "Tür 1.png"
        tab = await guest.open()
        item = {"contentType": "Attachment", "attachment": made | {"url": "https://evil.example/x"}}
        await tab.say(type="message", text="look", clientId="c1", content=[item], inReplyTo="p-1")
        frame = await tab.until("message")
        shown = frame["content"][0]["attachment"]
        assert frame["inReplyTo"] == "p-1"
        assert {name: shown[name] for name in made} == made
        assert shown["url"].startswith("/attachments/")
        later = await guest.open(tab="u")
        assert later.records[0]["content"] == frame["content"]
        for address in (url, shown["url"]):
            answer = await world.ask("GET", address)
            assert (answer.status, answer.body) == (200, PNG)
            assert answer.headers["content-type"] == "image/png"
            assert answer.headers["content-disposition"].startswith('inline; filename="T_r 1.png"; filename*=UTF-8')
            assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in answer.headers
            assert "x-provider" not in answer.headers


async def test_files_of_agents_come_through_us(tmp_path: Path) -> None:
    """With an id they get an address of ours, sealed; media of a bot without one keep https, and lose anything else."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        tab = await guest.open()
        await tab.say(type="message", text="hi", clientId="c1")
        await tab.until("receipt", status="delivered")
        file_id, url = shelf.put(b"%PDF-1.7", "application/pdf")
        files = [
            Attachment(id=file_id, url=url, filename="offer.pdf", mime="application/pdf", media_type="File"),
            Attachment(url="https://cdn.example.com/bot.png", media_type="Image"),
            Attachment(url="javascript:alert(1)", media_type="Image"),
            Attachment(url="http://10.0.0.1/x.png", media_type="Image"),
        ]
        content = tuple(attachment(file) for file in files)
        await guest.upstream.says(
            Message(sender="agent", text="", content=content, provider_id="p-9", avatar="https://a/b")
        )
        frame = await tab.until("message", **{"from": "agent"})
        urls = [item["attachment"].get("url") for item in frame["content"]]
        assert urls[1:] == ["https://cdn.example.com/bot.png", None, None]
        assert urls[0].startswith("/attachments/")
        assert url not in json.dumps(frame)
        assert (frame["providerId"], frame["avatar"]) == ("p-9", "https://a/b")
        answer = await world.ask("GET", urls[0])
        assert (answer.status, answer.body) == (200, b"%PDF-1.7")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith('attachment; filename="offer.pdf"')


async def test_an_old_address_is_made_new_once(tmp_path: Path) -> None:
    """After a restart, too; the new one is remembered. A file that is gone is gone."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        url = json.loads((await put(guest)).body)["url"]
        shelf.old.add("file-0?v=1")
        await world.restart()
        for _ in range(3):
            assert (await world.ask("GET", url)).body == PNG
        assert shelf.refreshed == ["file-0"]
        assert shelf.asked == ["file-0?v=1", "file-0?v=2", "file-0?v=2", "file-0?v=2"]
        shelf.files.clear()
        gone = await world.ask("GET", url)
        assert (gone.status, code(gone)) == (404, "attachment-unknown")


async def test_ranges_are_passed_on(tmp_path: Path) -> None:
    """Players ask for them; what is no plain range is not passed on."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        url = json.loads((await put(guest)).body)["url"]
        answer = await world.ask("GET", url, range="bytes=0-9")
        assert (answer.status, answer.body) == (206, PNG[:10])
        assert answer.headers["content-range"] == f"bytes 0-9/{len(PNG)}"
        assert (await world.ask("GET", url, range="bytes=0-9,20-29")).status == 200
        assert shelf.asked == ["file-0?v=1"] * 2


@pytest.mark.parametrize(
    "mime, name",
    [
        ("text/html", "x.html"),
        ("image/svg+xml", "x.svg"),
        ("application/xhtml+xml", "x.xhtml"),
        ("text/xml", "x.xml"),
        ("application/javascript", "x.js"),
        ("text/plain", "x.txt"),
        ("application/pdf", "x.pdf"),
        ("image/png, text/html", "x.png"),
    ],
)
async def test_what_could_hold_a_script_is_only_ever_saved(tmp_path: Path, mime: str, name: str) -> None:
    """Whoever sent it, and whatever the provider calls it."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        tab = await guest.open()
        file_id, url = shelf.put(b"<script>alert(1)</script>", mime)
        for claimed in (mime, None):
            content = (attachment(Attachment(id=file_id, url=url, filename=name, mime=claimed)),)
            await guest.upstream.says(Message(sender="agent", text="x", content=content))
            shown = (await tab.until("message"))["content"][0]["attachment"]["url"]
            answer = await world.ask("GET", shown)
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_addresses_that_are_not_ours(tmp_path: Path) -> None:
    """Changed, cut, made up, and paths around it: the provider is not asked."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        url = json.loads((await put(guest)).body)["url"]
        head, _, tag = url.rpartition(".")
        bad = [
            url[:-1],
            f"{head}.{tag[::-1]}",
            "/attachments/x",
            f"/attachments/{'a' * 7000}",
            url + "%00",
        ]
        for address in bad:
            answer = await world.ask("GET", address)
            assert (answer.status, code(answer)) == (404, "attachment-unknown"), address
        for address in ("/attachments/", f"{url}/x", "/attachments/..%2f..%2fetc%2fpasswd"):
            assert (await world.ask("GET", address)).status == 404
        assert (await world.ask("POST", url, b"{}")).status == 405
        assert shelf.asked == []


async def test_an_erased_session_gives_out_nothing(tmp_path: Path) -> None:
    """Its addresses are as dead as it is."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        url = json.loads((await put(guest)).body)["url"]
        await world.ask("DELETE", f"{SESSIONS}/{guest.sid}", authorization=f"Bearer {guest.token}")
        assert code(await world.ask("GET", url)) == "attachment-unknown"
        assert shelf.asked == []


async def test_redirects_and_strange_places_are_not_followed(tmp_path: Path) -> None:
    """A provider that sends us elsewhere, or into our own network, gets no request of ours there."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        tab = await guest.open()
        redirecting, url = shelf.put(b"", "redirect")
        for address in (url, "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "https://u:p@x.example/"):
            content = (attachment(Attachment(id=redirecting, url=address, filename="x.png")),)
            await guest.upstream.says(Message(sender="agent", text="x", content=content))
            shown = (await tab.until("message"))["content"][0]["attachment"]["url"]
            answer = await world.ask("GET", shown)
            assert (answer.status, code(answer)) == (502, "upstream-invalid"), address
        assert {asked.partition("?")[0] for asked in shelf.asked} == {redirecting}


def test_what_we_fetch() -> None:
    """Encrypted and public; on this machine only what a provider on this machine names."""
    real, here = ProviderSettings(), ProviderSettings(base_url="http://127.0.0.1:8001")
    may = file_downloads.may_fetch
    assert may("https://api.mypurecloud.com/api/v2/downloads/x", real)
    assert may("http://127.0.0.1:8001/x", here)
    for url in (
        "http://api.mypurecloud.com/x",
        "http://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://[fd00::1]/x",
        "https://169.254.169.254/",
        "https://user@api.mypurecloud.com/",
        "https://",
        "ftp://x.example/y",
        "https://x.example:port/",
    ):
        assert not may(url, real), url


@pytest.mark.parametrize(
    "sent, status, refusal",
    [
        (("virus.exe", "image/png", PNG), 415, "attachment-type"),
        (("virus.EXE. ", "image/png", PNG), 415, "attachment-type"),
        (("gnp\u202e.exe", "image/png", PNG), 415, "attachment-type"),
        (("x.html", "text/html", PNG), 415, "attachment-type"),
        (("x.png", "nonsense", PNG), 415, "attachment-type"),
        (("noextension", "image/png", PNG), 400, "attachment-name"),
        (("", "image/png", PNG), 400, "attachment-name"),
        (("../..", "image/png", PNG), 400, "attachment-name"),
        (("x" * 300 + ".png", "image/png", PNG), 400, "attachment-name"),
        (("\ud83d" + ".png", "image/png", PNG), 400, "attachment-name"),
        (("x.png", "image/png", b""), 400, "attachment-empty"),
        (("x.png", "image/png", bytes(500_001)), 413, "attachment-too-large"),
    ],
)
async def test_what_is_refused(tmp_path: Path, sent: tuple[str, str, bytes], status: int, refusal: str) -> None:
    """By the provider's rules and our own, before the provider hears of it."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        name, mime, body = sent
        answer = await put(guest, name, body, mime, **({} if body else {"content_length": "0"}))
        assert (answer.status, code(answer)) == (status, refusal)
        assert not shelf.started.is_set()
        metrics = (await world.ask("GET", "/metrics")).body.decode()
        assert f'guestwire_uploads_total{{outcome="{refusal}"}} 1.0' in metrics


@pytest.mark.parametrize(
    "name, cleaned",
    [
        ("../../etc/x.png", "x.png"),
        ("C:\\x\\y.png", "y.png"),
        ("a\r\nSet-Cookie: b=c\r\n.png", "aSet-Cookie: b=c.png"),
        ('"; filename="evil.exe".png', '"; filename="evil.exe".png'),
        ("in\u202egnp.png", "ingnp.png"),
        ("図面.png", "図面.png"),
    ],
)
async def test_names_have_no_tricks(tmp_path: Path, name: str, cleaned: str) -> None:
    """Neither for the provider nor in a header."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        made = json.loads((await put(guest, name)).body)
        assert made["filename"] == cleaned == shelf.given[0].name
        disposition = (await world.ask("GET", made["url"])).headers["content-disposition"]
        plain, _, encoded = disposition.partition("; filename*=UTF-8''")
        assert encoded == quote(cleaned, safe="")
        assert plain.count('"') == 2
        assert plain.startswith('inline; filename="')


async def test_who_may_upload(tmp_path: Path) -> None:
    """Who has the session's token, while the conversation goes on, where files are taken."""
    async with rich_world(tmp_path) as (world, shelf):
        guest, other = await world.create(), await world.create()
        for token in ("", "x", other.token):
            refused = await put(guest, authorization=f"Bearer {token}")
            assert (refused.status, code(refused)) == (401, "session-expired")
        tab = await guest.open()
        await tab.say(type="end")
        await tab.until("conversation-update", status="ended")
        assert code(await put(guest)) == "conversation-ended"
        for offered, refusal in (
            (None, "attachments-off"),
            (Offer(), "attachments-off"),
            (replace(OFFER, read_only=True), "read-only"),
        ):
            third = await world.create()
            await third.open()
            world.upstreams[third.sid].offered = offered  # type: ignore[attr-defined]
            assert code(await put(third)) == refusal
        assert not shelf.started.is_set()


async def test_what_the_provider_refuses(tmp_path: Path) -> None:
    """Its reasons are the guest's, its troubles are not: never a 401 of ours."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        for error, status, told in (
            (ChatError(code="attachment-invalid"), 400, "attachment-invalid"),
            (ChatError(code="rate-limited", retry_after_s=7.2), 429, "rate-limited"),
            (ChatError(code="session-expired"), 502, "upstream-invalid"),
            (ChatError(code="upstream-unreachable"), 503, "upstream-unreachable"),
            (ChatError(code="attachment-failed"), 502, "attachment-failed"),
        ):
            shelf.refuses = error
            answer = await put(guest)
            assert (answer.status, code(answer)) == (status, told)
            if told == "rate-limited":
                assert answer.headers["retry-after"] == "8"


async def test_deleting(tmp_path: Path) -> None:
    """Before it is sent; only with the session's token."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        await put(guest)
        path = f"{SESSIONS}/{guest.sid}/attachments/file-0"
        assert code(await world.ask("DELETE", path, authorization="Bearer x")) == "session-expired"
        assert (await world.ask("DELETE", path, authorization=f"Bearer {guest.token}")).status == 204
        assert shelf.deleted == ["file-0"]
        assert (await world.ask("GET", path)).status == 405


class Raw:
    """An upload by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def is_closed(self) -> bool:
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass
        return True


@asynccontextmanager
async def uploading(guest: Guest, size: int | None, body: bytes = b"") -> AsyncIterator[Raw]:
    parts = urlsplit(guest.world.url)
    raw = Raw(*await asyncio.open_connection(parts.hostname, parts.port))
    length = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    raw.writer.write(
        f"POST {SESSIONS}/{guest.sid}/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {guest.token}\r\n"
        f"Content-Type: image/png\r\nFilename: x.png\r\n{length}\r\n\r\n".encode()
        + body
    )
    try:
        yield raw
    finally:
        raw.writer.close()
        with contextlib.suppress(ConnectionError):
            await raw.writer.wait_closed()


async def test_huge_and_endless_uploads_are_cut_off_early(tmp_path: Path) -> None:
    """They are refused by their head, and nothing of the body is read."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        for size, status in ((10**12, b"413"), (30_000_000, b"413"), (None, b"400")):
            async with uploading(guest, size) as raw:
                answer = await raw.answer()
                assert status in answer.split(b"\r\n")[0]
                assert await raw.is_closed()
        assert not shelf.started.is_set()


async def test_slow_uploads_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that stops is ended; one whose guest has gone leaves no slot taken."""
    monkeypatch.setattr(attachment_routes, "CHUNK_S", 0.05)
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        async with uploading(guest, 1000, b"x" * 10) as raw:
            assert b" 400 " in (await raw.answer()).split(b"\r\n")[0]
        monkeypatch.setattr(attachment_routes, "CHUNK_S", 20.0)
        for _ in range(3):
            shelf.started.clear()
            async with uploading(guest, 1000, b"x" * 10):
                async with asyncio.timeout(5):
                    await shelf.started.wait()
        answer = None
        async with asyncio.timeout(5):
            while answer is None or answer.status != 201:
                answer = await put(guest)


async def test_what_the_provider_does_not_take_is_not_read(tmp_path: Path) -> None:
    """A file waits in the guest's computer, not in our memory."""
    async with rich_world(tmp_path) as (world, shelf):
        guest, release = await world.create(), asyncio.Event()
        shelf.holds = release
        size = 24_000_000
        await guest.open()
        world.upstreams[guest.sid].offered = replace(OFFER, uploads=UploadRules())  # type: ignore[attr-defined]
        async with uploading(guest, size) as raw:
            raw.writer.write(bytes(size))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await raw.writer.drain()
            assert shelf.started.is_set()
            release.set()
            assert b" 201 " in (await raw.answer()).split(b"\r\n")[0]
        assert len(shelf.files["file-0"][0]) == size


@pytest.mark.parametrize("length", ["5000", "200000000"])
async def test_a_provider_that_promises_what_it_does_not_send(tmp_path: Path, length: str, log: io.StringIO) -> None:
    """Too much is not begun; what breaks off ends short, which a browser notices, and leaves no traceback."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        url = json.loads((await put(guest)).body)["url"]
        shelf.length = length
        if length == "5000":
            with pytest.raises(ChatError):
                await world.ask("GET", url)
        else:
            answer = await world.ask("GET", url)
            assert answer.status == 502
        shelf.length = None
        assert (await world.ask("GET", url)).body == PNG
    assert "request failed" not in log.getvalue()


async def test_downloads_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at once of one address, and what has ended counts no more."""
    monkeypatch.setattr(attachment_routes, "MOST_DOWNLOADS_OF_ADDRESS", 1)
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        url = json.loads((await put(guest)).body)["url"]
        shelf.holds = asyncio.Event()
        first = asyncio.create_task(world.ask("GET", url))
        await eventually(lambda: len(shelf.asked) == 1)
        assert code(await world.ask("GET", url)) == "rate-limited"
        shelf.holds.set()
        assert (await first).status == 200
        assert (await world.ask("GET", url)).status == 200


async def test_at_most_two_at_once(tmp_path: Path) -> None:
    """Of one session; another guest is not kept from it."""
    async with rich_world(tmp_path) as (world, _):
        guest, other = await world.create(), await world.create()
        async with uploading(guest, 1000, b"x") as one, uploading(guest, 1000, b"x") as two:
            await eventually(lambda: sum("start" in up.calls for up in world.upstreams.values()) == 1)
            refused = None
            async with asyncio.timeout(5):
                while refused is None or refused.status == 201:
                    refused = await put(guest)
            assert (refused.status, code(refused)) == (429, "rate-limited")
            assert (await put(other)).status == 201
            for raw in (one, two):
                raw.writer.write(b"x" * 999)
                assert b" 201 " in (await raw.answer()).split(b"\r\n")[0]


async def test_too_many_a_minute(tmp_path: Path) -> None:
    """From one address."""
    async with rich_world(tmp_path) as (world, _):
        guest = await world.create()
        for _ in range(attachment_routes.UPLOADS_BURST):
            await put(guest, "x")
        assert code(await put(guest)) == "rate-limited"


async def test_other_sites_may_where_they_are_allowed(tmp_path: Path) -> None:
    """The preflight names the header with the file's name, and the method that deletes."""
    async with rich_world(tmp_path, allowed_origins=("https://shop.example",)) as (world, _):
        guest = await world.create()
        path = f"{SESSIONS}/{guest.sid}/attachments"
        answer = await world.ask("OPTIONS", path, origin="https://shop.example", access_control_request_method="POST")
        assert "Filename" in answer.headers["access-control-allow-headers"]
        assert "DELETE" in answer.headers["access-control-allow-methods"]
        assert (await put(guest, origin="https://shop.example")).headers["access-control-allow-origin"]
        assert code(await put(guest, origin="https://evil.example")) == "origin-not-allowed"


async def test_nothing_of_it_is_logged(tmp_path: Path, log: io.StringIO) -> None:
    """No name, no bytes, no address, also where it fails."""
    async with rich_world(tmp_path) as (world, shelf):
        guest = await world.create()
        url = json.loads((await put(guest, "canary-n4me.png", b"canary-byt3s")).body)["url"]
        await world.ask("GET", url)
        await world.ask("GET", url[:-1])
        shelf.files.clear()
        await world.ask("GET", url)
        shelf.refuses = ChatError(code="attachment-invalid")
        await put(guest, "canary-n4me.png")
    out = log.getvalue()
    assert "/attachments/{sealed}" in out
    assert "canary" not in out
    assert url[-30:] not in out
    assert guest.token not in out
