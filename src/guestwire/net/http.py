"""The real transport: aiohttp for HTTP and for WebSockets.

Theory of operation. Every error of the library is translated here and raised *unchained*: aiohttp puts whole URLs into
the text of its errors, and the URL of a guest's WebSocket holds the session token, which a printed traceback would
show. So errors are translated inside `except` and raised after it. Our texts name method, scheme, host and path only.

aiohttp's `ws_connect` follows redirects and can't be told not to; a middleware refuses them for every request.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from guestwire.errors import (
    ChatError,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    LocalProtocolError,
    NotWritten,
    RateLimited,
    RemoteProtocolError,
    SessionRefused,
    TimedOut,
)
from guestwire.model.http import HttpAnswer, HttpRequest, retry_after_s
from guestwire.net.streamed_body import StreamedBody
from guestwire.net.transport import Download

__all__ = ["HttpClient", "HttpSocket"]

MAX_ANSWER_BYTES = 1024 * 1024
"""The answers we expect have a few hundred bytes."""

MAX_FRAME_BYTES = 1024 * 1024
"""A provider's rich message may be larger than what we ourselves would send; memory stays bounded all the same."""

HEARTBEAT_S = 15.0
"""RFC 6455 pings find a half-open connection; proxies close what is silent for 60 s, and 15 s is what the vendor's
mobile clients do (web-messaging §2.8)."""

CLOSE_WAIT_S = 2.0
"""How long a peer may take to answer our close frame."""

LOST = 1006

# Looked up once: every frame asks.
_TEXT, _BINARY = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
_PING, _PONG, _CLOSE = aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG, aiohttp.WSMsgType.CLOSE

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_CLOSING = "Cannot write to closing transport"
"""What aiohttp says when it has written nothing. Should a later version use other words, a frame that was not written
counts as one that may have been: a message in doubt too many, never one sent twice."""


class HttpClient:
    """HTTP and WebSockets over one pool of connections (`transport.Transport`)."""

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        use_system_proxy: bool = False,
        connect_timeout_s: float = 10.0,
        answer_timeout_s: float = 10.0,
        heartbeat_s: float | None = HEARTBEAT_S,
    ) -> None:
        """Prepare; the pool is made by `async with`.

        Args:
            ca_file: PEM file of a private certificate authority, trusted besides the system's.
            use_system_proxy: Take proxies (and ~/.netrc) from the environment.
            connect_timeout_s: Limit for name, connection and TLS together.
            answer_timeout_s: Limit for silence once connected; both limits together bound the whole request.
            heartbeat_s: Seconds between pings on an open WebSocket; None for none.

        Raises:
            ConfigError: `ca_file` can't be read or holds no certificate.
        """
        self._tls = _tls_context(ca_file)
        self._use_system_proxy = use_system_proxy
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._heartbeat_s = heartbeat_s
        self._limits = aiohttp.ClientTimeout(
            total=connect_timeout_s + answer_timeout_s,  # so that an answer can't drip for ever
            sock_connect=connect_timeout_s,
            sock_read=answer_timeout_s,
        )
        self._limits_of_upload = aiohttp.ClientTimeout(sock_connect=connect_timeout_s, sock_read=answer_timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Make the pool."""
        self._session = aiohttp.ClientSession(
            # No limit: aiohttp would count every open WebSocket as a connection in use, and stop at 100 chats.
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
            timeout=self._limits,
            trust_env=self._use_system_proxy,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": "guestwire"},
            middlewares=(_refuse_redirects,),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; does nothing the second time."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def __del__(self) -> None:
        """Complain when it was never closed."""
        session = getattr(self, "_session", None)
        if session is not None and not session.closed:
            warnings.warn("HttpClient was never closed; use `async with`.", ResourceWarning, source=self, stacklevel=2)

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Send one request; see `transport.Transport.send`."""
        where = _where(request.method, request.url)
        url = _parse(request.url, frozenset({"http", "https"}))
        failure: ChatError
        streamed = None if request.stream is None else StreamedBody(request.stream, silence_s=self._answer_timeout_s)
        try:
            if streamed is None:
                return await self._send(request, url, request.body or None, self._limits)
            request = replace(request, headers={**request.headers, **streamed.headers})
            async with streamed.limit:
                return await self._send(request, url, streamed.chunks(), self._limits_of_upload)
        except _Redirected as answer:
            return HttpAnswer(answer.status)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._translate(error, where)
        if streamed is not None and streamed.failure is not None:
            raise streamed.failure
        raise failure

    @contextlib.asynccontextmanager
    async def download(self, request: HttpRequest) -> AsyncIterator[Download]:
        """Read an answer piece by piece; see `transport.Downloads.download`."""
        where = _where(request.method, request.url)
        url = _parse(request.url, frozenset({"http", "https"}))
        failure: ChatError | None = None
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._pool().request(
                request.method,
                url,
                headers=dict(request.headers),
                allow_redirects=False,
                timeout=self._limits_of_upload,
            )
        except _Redirected as redirect:
            failure = RemoteProtocolError(
                f"{where} answered with a redirect ({redirect.status}), which is never followed.", code="redirected"
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._translate(error, where)
        if response is None:
            raise failure or ConnectFailed(f"{where}: no answer.")
        try:
            answer = HttpAnswer(response.status, _lower(response.headers.items()))
            yield Download(answer, self._chunks(response, where))
        finally:
            response.close()  # the rest of it, if any, is not worth a connection

    async def _chunks(self, response: aiohttp.ClientResponse, where: str) -> AsyncIterator[bytes]:
        failure: ChatError
        try:
            async for chunk in response.content.iter_any():
                yield chunk
            return
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._translate(error, where)
        raise failure

    async def open_socket(self, url: str, *, origin: str | None = None) -> HttpSocket:
        """Open a WebSocket; see `transport.Transport.open_socket`."""
        where = _where("GET", url)
        failure: ChatError
        try:
            socket = await self._pool().ws_connect(
                _parse(url, frozenset({"ws", "wss"})),
                max_msg_size=MAX_FRAME_BYTES,
                origin=origin,
                compress=0,
                autoping=False,  # or pongs would not be shown to us
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WAIT_S),
            )
        except _Redirected as answer:
            failure = RemoteProtocolError(
                f"{where} answered with a redirect ({answer.status}), which is never followed.", code="redirected"
            )
        except aiohttp.WSServerHandshakeError as error:
            failure = _translate_refusal(error, where)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._translate(error, where)
        else:
            return HttpSocket(socket, where, heartbeat_s=self._heartbeat_s)
        raise failure

    async def _send(
        self,
        request: HttpRequest,
        url: URL,
        data: bytes | AsyncIterator[bytes] | None,
        limits: aiohttp.ClientTimeout,
    ) -> HttpAnswer:
        async with self._pool().request(
            request.method, url, headers=dict(request.headers), data=data, allow_redirects=False, timeout=limits
        ) as response:
            body = await _read_limited(response, _where(request.method, request.url))
            return HttpAnswer(response.status, _lower(response.headers.items()), body)

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise LocalProtocolError("Expected an open HttpClient; use it inside `async with`.")
        return self._session

    def _translate(self, error: Exception, where: str) -> ChatError:
        match error:
            case aiohttp.ConnectionTimeoutError():
                return TimedOut(f"Connecting for {where}", self._connect_timeout_s)
            case TimeoutError():
                return TimedOut(f"The answer to {where}", self._answer_timeout_s)
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
                return ConnectFailed(f"{where}: TLS failed: {_tls_reason(error)}.", code="tls-failed")
            case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
                return ConnectFailed(f"{where}: the proxy did not let it through.")
            case aiohttp.ClientConnectorError():
                return ConnectFailed(f"{where}: no connection: {error.os_error.strerror or 'unknown host'}.")
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
                return ConnectionLost(f"{where}: the connection was lost before the answer.")
            case aiohttp.ClientResponseError():
                return RemoteProtocolError(f"{where}: expected HTTP, got something else.")
            case OSError():
                return ConnectFailed(f"{where}: no connection: {error.strerror or type(error).__name__}.")
            case _:
                return RemoteProtocolError(f"{where}: could not be sent or understood ({type(error).__name__}).")


class HttpSocket:
    """A WebSocket of aiohttp (`transport.ClientSocket`).

    The heartbeat is ours: aiohttp's costs a callback and a new deadline for whatever arrives, and takes a connection
    for dead whose reader is merely busy.
    """

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse[bool], where: str, *, heartbeat_s: float | None = None
    ) -> None:
        self._socket = socket
        self._where = where
        self._close_code: int | None = None
        self._close_reason = ""
        self._pings: dict[bytes, asyncio.Future[None]] = {}  # in the order of sending
        self._last_ping = 0
        self._is_over = False
        self._loop = asyncio.get_running_loop()
        self._heartbeat_s = heartbeat_s
        self._heard_at = self._loop.time()
        self._is_reading = False
        self._beat: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None
        if heartbeat_s is not None:
            self._beat = self._loop.call_later(heartbeat_s, self._beat_due)

    @property
    def close_code(self) -> int | None:
        """Code of the close; None while it is open."""
        return self._close_code

    @property
    def close_reason(self) -> str:
        """The peer's words."""
        return self._close_reason

    async def send_text(self, text: str) -> None:
        """Write one text frame."""
        failure: ConnectionLost | None = self._closed_before() if self._socket.closed else None
        if failure is None:
            try:
                await self._socket.send_str(text)
            except (aiohttp.ClientError, OSError, RuntimeError) as error:
                failure = self._translate(error)
        if failure is not None:
            raise failure

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""
        if self._is_over or self._socket.closed:
            raise self._closed_before()
        self._last_ping += 1
        payload = self._last_ping.to_bytes(8, "big")  # those of the heartbeat are empty
        pong = self._pings[payload] = self._loop.create_future()
        failure: ConnectionLost | None = None
        try:
            await self._socket.ping(payload)
            await pong
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            failure = self._translate(error)
        finally:
            self._pings.pop(payload, None)
        if failure is not None:
            raise failure

    async def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over text frames until the socket is closed."""
        while True:
            self._is_reading = True
            message = await self._socket.receive()
            self._is_reading = False
            self._heard_at = self._loop.time()
            kind = message.type
            if kind is _TEXT:
                yield message.data
            elif kind is _PONG:
                self._answered(bytes(message.data))
            elif kind is _PING:
                await self._pong(message.data)
            elif kind is _CLOSE:
                self._close_code = message.data if isinstance(message.data, int) and message.data else 1005
                self._close_reason = message.extra or ""
                break
            elif kind is not _BINARY:
                # CLOSED, CLOSING: closed by us or broken. ERROR: the peer broke RFC 6455; aiohttp has answered it.
                if self._close_code is None:
                    self._close_code = self._socket.close_code or LOST
                break
        await self.aclose()

    async def aclose(self, code: int = 1000) -> None:
        """Close; waits at most 2 s for the peer's answer."""
        self._is_over = True
        if self._beat is not None:
            self._beat.cancel()
        for pong in self._pings.values():
            if not pong.done():
                pong.set_exception(ConnectionLost(f"{self._where}: the connection was closed before the pong."))
        try:
            await self._socket.close(code=code)
        except (aiohttp.ClientError, OSError, RuntimeError):
            pass
        finally:
            if self._close_code is None:
                self._close_code = code

    async def _pong(self, payload: bytes) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError, RuntimeError):  # the iteration sees it, too
            await self._socket.pong(payload)

    def _answered(self, payload: bytes) -> None:
        if payload not in self._pings:
            return
        # A peer may answer several pings with one pong, to the newest (RFC 6455 §5.5.3).
        for earlier, pong in self._pings.items():
            if not pong.done():
                pong.set_result(None)
            if earlier == payload:
                return

    def _beat_due(self) -> None:
        """Ping a peer that has been silent; give it up when it stays silent."""
        assert self._heartbeat_s is not None  # noqa: S101 - there is a timer
        now = self._loop.time()
        if not self._is_reading:
            self._heard_at = now  # what it says is not read: nobody knows how silent it is
        left_s = self._heard_at + self._heartbeat_s - now
        if left_s > 0:
            self._beating = None
        elif self._beating is None:
            self._beating = self._loop.create_task(self._ask_for_life())
            left_s = self._heartbeat_s / 2
        else:
            self._close_code = LOST
            self._beating = self._loop.create_task(self.aclose())
            return
        self._beat = self._loop.call_later(left_s, self._beat_due)

    async def _ask_for_life(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError, RuntimeError):  # the iteration sees it, too
            await self._socket.ping()

    def _closed_before(self) -> NotWritten:
        return NotWritten(f"{self._where}: the connection was closed before the frame was written.")

    def _translate(self, error: Exception) -> ConnectionLost:
        if isinstance(error, aiohttp.ClientConnectionResetError) and str(error) == _CLOSING:
            return self._closed_before()
        return ConnectionLost(f"{self._where}: the connection was lost while writing.")


class _Redirected(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def _refuse_redirects(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    response = await handler(request)
    if response.status in _REDIRECTS:
        status = response.status
        response.close()
        raise _Redirected(status)
    return response


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"ca_file: {ca_file} holds no certificate in PEM form.") from error
    except OSError as error:
        raise ConfigError(f"ca_file: {ca_file} can't be read: {error.strerror}.") from error
    return context


async def _read_limited(response: aiohttp.ClientResponse, where: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise RemoteProtocolError(f"{where}: the answer is larger than {MAX_ANSWER_BYTES} bytes.")
    return bytes(body)


def _translate_refusal(error: aiohttp.WSServerHandshakeError, where: str) -> ChatError:
    answer = HttpAnswer(error.status, _lower((error.headers or {}).items()))
    if error.status in {401, 403}:
        return SessionRefused(
            f"{where}: the chat server refused the connection ({error.status}).", code="socket-refused"
        )
    if error.status == 429:
        return RateLimited(retry_after_s=retry_after_s(answer))
    if error.status >= 500:
        return ConnectFailed(f"{where} answered {error.status}.", retry_after_s=retry_after_s(answer))
    return RemoteProtocolError(f"{where}: expected a WebSocket, got status {error.status}.")


def _parse(url: str, schemes: frozenset[str]) -> URL:
    problem = "is no URL"
    try:
        parsed = URL(url, encoded=True)  # as written: what must be escaped is escaped already
        if parsed.scheme in schemes and parsed.host:
            return parsed
        problem = f"expected {' or '.join(sorted(schemes))} and a host"
    except ValueError:
        pass
    raise RemoteProtocolError(f"The address to open can't be used: {problem}.")


def _where(method: str, url: str) -> str:
    """Name a request without its query, user or fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    except ValueError:
        return method
    return f"{method} {parts.scheme}://{host}{port}{parts.path}"


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or type(cause).__name__
    return str(reason).rstrip(".")


def _lower(items: object) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in items}  # type: ignore[attr-defined]
