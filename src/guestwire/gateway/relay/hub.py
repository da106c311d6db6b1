"""All sessions and connections of one gateway: who is let in, what is in memory, start, upkeep and drain."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import secrets
import uuid
from collections import Counter
from collections.abc import Collection, Coroutine
from functools import partial
from typing import Any

import msgspec

from guestwire.errors import ERRORS, ChatError, LogUnavailable, SessionGone
from guestwire.gateway.errors import ErrorBody
from guestwire.gateway.limits import ArrivalLimits, CreationLimits, address_key
from guestwire.gateway.log import SessionLog, SessionRow, SessionState
from guestwire.gateway.masking import Masker
from guestwire.gateway.metrics import Metrics
from guestwire.gateway.origins import is_loopback_host, may_use
from guestwire.gateway.relay.downstream import Downstream
from guestwire.gateway.relay.envelope import Envelope
from guestwire.gateway.relay.farewell import SayFarewell
from guestwire.gateway.relay.interface import FailPoint, UpstreamFactory, no_fail_point
from guestwire.gateway.relay.sealed import KEY_BYTES
from guestwire.gateway.relay.session import TAB_KEPT_S, RelaySession
from guestwire.gateway.relay.tokens import Pair, SessionTokens, now_ms, token_hash
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock
from guestwire.net.logs import get_logger
from guestwire.net.websocket import Refusal, SocketHandler, UpgradeRequest
from guestwire.settings import GatewaySettings

__all__ = ["Hub"]

UPKEEP_S = 60.0
"""How often tokens are prolonged and old sessions erased."""

MAX_LOG_BYTES = 5 * 1024 * 1024
"""A chat keeps at most so many bytes of bodies, and `max_records` records (reliability 2.7); what a tab lacks is kept
beyond that, but never more than twice as much: a tab that acknowledges nothing must not fill the disk."""

TRIMMED_AT_ONCE = 200
"""Sessions that are looked at before others may write again."""

TAKE_UP_PER_S = 20.0
"""After a restart so many sessions a second go back to the provider (reliability 3.3)."""

MOST_HALF_ERASED = 1000
"""Erasures that are remembered until they are complete; an older one can't be asked about again, and goes on."""

DRAIN_S = 2.0
"""What the guests have said gets this long to be kept, and browsers to answer the close."""

ARRIVALS_PER_TAB = 12.0
"""So often a minute each tab of a session may say hello: four times as often as back-off does, and a few reloads."""

MOVE_WITHIN_S = 5.0
"""Browsers that are asked to move come back spread over this time."""

_log = get_logger("guestwire.gateway")


class Hub:
    """The relay's state in memory; all of it can be lost."""

    def __init__(
        self,
        settings: GatewaySettings,
        log: SessionLog,
        *,
        clock: Clock,
        metrics: Metrics,
        rng: random.Random | None = None,
        fail_point: FailPoint = no_fail_point,
    ) -> None:
        """Take what it stands on; `start` begins.

        Raises:
            ConfigError: `mask_patterns` has one that can't be used.
        """
        self.clock = clock
        self.metrics = metrics
        self.tokens = SessionTokens(log, clock, ttl_s=settings.session_ttl_s)
        self.max_tabs = settings.max_tabs
        self.creations = CreationLimits(settings)
        self.arrivals = ArrivalLimits(per_minute=ARRIVALS_PER_TAB * settings.max_tabs)
        self._settings = settings
        self._mask = Masker(mask=settings.mask, mask_patterns=settings.mask_patterns).apply
        self._log = log
        self.envelope = Envelope([secrets.token_bytes(KEY_BYTES)])
        """Seals what only we may read; with keys that outlive the process once it has `start`ed with them."""
        self._upstreams: UpstreamFactory | None = None
        self._farewell: SayFarewell | None = None
        self._closing: asyncio.Task[None] | None = None
        self._rng = rng or random.SystemRandom()
        self._fail_point = fail_point
        self._sessions: dict[SessionId, RelaySession] = {}
        self._loading: dict[SessionId, asyncio.Future[RelaySession]] = {}
        self._connections: set[Downstream] = set()
        self._per_address: Counter[str] = Counter()
        self._checking = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._half_erased: dict[SessionId, Pair] = {}
        """Who has asked for an erasure of which words may be in a file still."""
        self._untrimmed: dict[SessionId, float] = {}
        """Sessions that are not in memory and may be too long, and when their tabs are given up."""
        self._is_draining = False
        self._is_empty = asyncio.Event()
        metrics.connections.set_function(lambda: len(self._connections))
        metrics.sessions_in_use.set_function(lambda: len(self._sessions))
        metrics.look = self._look

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(
        self,
        upstreams: UpstreamFactory,
        farewell: SayFarewell | None = None,
        *,
        envelope: Envelope | None = None,
    ) -> None:
        """Take up the sessions that an earlier gateway left open, a few a second, and begin the upkeep.

        Args:
            upstreams: Makes each session's way to the provider.
            farewell: Ends the provider's conversation of a session that was erased.
            envelope: Seals what only we may read; without it, until we stop.

        Raises:
            LogUnavailable: The log can't be read.
        """
        self._upstreams = upstreams
        self._farewell = farewell
        self.envelope = envelope or self.envelope
        rows = await self._log.open_sessions()
        self._rng.shuffle(rows)
        self._untrimmed = dict.fromkeys((row.sid for row in rows), self.clock.now() + TAB_KEPT_S)
        self._keepers = [self.spawn(self._take_up(rows)), self.spawn(self._keep_up())]

    async def drain(self) -> None:
        """Let nobody in any more, keep what was said, and ask every browser to come back; within `DRAIN_S`."""
        self._is_draining = True
        for number, connection in enumerate(tuple(self._connections)):
            connection.move(round(self._rng.uniform(0.5, MOVE_WITHIN_S), 1))
            if number % 100 == 99:
                await asyncio.sleep(0)
        # What is in flight upstream gets its few seconds while the browsers leave.
        self._closing = asyncio.create_task(self._close_sessions())
        if self._connections:
            give_up = asyncio.create_task(self.clock.sleep(DRAIN_S))
            empty = asyncio.create_task(self._is_empty.wait())
            await asyncio.wait({give_up, empty}, return_when=asyncio.FIRST_COMPLETED)
            for task in (give_up, empty):
                task.cancel()

    async def aclose(self) -> None:
        """Stop everything and end nothing; the log stays open."""
        self._is_draining = True
        for keeper in self._keepers:
            keeper.cancel()
        # First what the guests have said: it is on its way into the log.
        busy = self._tasks - set(self._keepers)
        if busy:
            await asyncio.wait(busy, timeout=DRAIN_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._closing is not None:
            await self._closing
        await self._close_sessions()  # those that came in meanwhile

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the rest; what it raises is logged once and reaches nobody else."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)

        def let_go(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            work.close()  # cancelled before its first step, it was never begun

        task.add_done_callback(let_go)
        return task

    # --- connections --------------------------------------------------------------------------------------------------

    async def authorise(self, request: UpgradeRequest) -> SocketHandler | Refusal:
        """Let a connection in: by its pair in the query as the tutorial has it [T], or to say hello [D]."""
        if not may_use(
            request.headers.get("origin"),
            host=request.headers.get("host", ""),
            scheme="http",
            allowed=frozenset(self._settings.allowed_origins),
            is_loopback=is_loopback_host(self._settings.host),
        ):
            return self._refuse("origin-not-allowed")
        address = address_key(request.client_host)
        if self._is_draining or len(self._connections) + self._checking >= self._settings.max_connections:
            return self._refuse("busy")
        if self._per_address[address] >= self._settings.max_connections_per_address:
            return self._refuse("rate-limited")
        if "sessionId" not in request.query and "token" not in request.query:
            return Downstream(self, None, client_host=request.client_host)
        # Counted while it is looked at: many may ask at once.
        self._checking += 1
        self._count(address, 1)
        try:
            pair = await self.tokens.check(request.query.get("sessionId", ""), Secret(request.query.get("token", "")))
        except LogUnavailable as error:
            return self._refuse(error.code)
        finally:
            self._checking -= 1
            self._count(address, -1)
        if pair is None:
            return self._refuse("socket-refused")
        return Downstream(self, pair, client_host=request.client_host)

    def add(self, connection: Downstream) -> None:
        """Count a connection that is open; one too many is closed: others may have come since it was authorised."""
        address = address_key(connection.client_host)
        self._connections.add(connection)
        self._count(address, 1)
        if self._is_draining:
            connection.move(round(self._rng.uniform(0.5, MOVE_WITHIN_S), 1))
        elif (
            len(self._connections) > self._settings.max_connections
            or self._per_address[address] > self._settings.max_connections_per_address
        ):
            connection.close_for("rate-limited")

    def discard(self, connection: Downstream) -> None:
        """Count it no more."""
        self._connections.discard(connection)
        if self._is_draining and not self._connections:
            self._is_empty.set()
        self._count(address_key(connection.client_host), -1)
        code = connection.close_code or 1006
        self.metrics.connections_closed.labels(str(code) if code in _CLOSE_CODES else "other").inc()

    def _count(self, address: str, more: int) -> None:
        self._per_address[address] += more
        if self._per_address[address] <= 0:
            del self._per_address[address]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def create(self, sid: SessionId, details: bytes, *, epoch: str) -> None:
        """Add a session; `details` are those of `guest_details.pack_details`.

        Raises:
            SessionExists: There is one of this `sid`.
            LogUnavailable: It was not kept.
        """
        now = now_ms(self.clock)
        row = SessionRow(
            sid=sid,
            epoch=epoch,
            details=details,
            created_ms=now,
            expires_ms=now + self.tokens.ttl_ms + self._retention_ms,
        )
        await self._log.create(row)

    async def open(self, sid: SessionId) -> RelaySession:
        """Return the session in use, taken from the log when it is not yet.

        Raises:
            SessionGone: There is none.
            LogUnavailable: The log can't be read.
        """
        # Again and again: what was loaded may be dropped before we are awake, and there must never be two of it.
        while (known := self._sessions.get(sid)) is None:
            loading = self._loading.get(sid)
            if loading is None:
                loading = self._loading[sid] = asyncio.ensure_future(self._load(sid))
                loading.add_done_callback(partial(self._loaded, sid))
            await asyncio.shield(loading)
        return known

    def drop_if_idle(self, session: RelaySession) -> None:
        """Forget a session that nobody uses; the log has it."""
        if session.can_be_dropped and self._sessions.get(session.sid) is session:
            del self._sessions[session.sid]
            self._untrimmed[session.sid] = self.clock.now() + TAB_KEPT_S
            if session.has_ended:
                self.spawn(session.aclose())

    def gone(self, session: RelaySession) -> None:
        """Forget a session that the log has no more."""
        if self._sessions.get(session.sid) is session:
            del self._sessions[session.sid]
            self.spawn(session.aclose())

    async def may_erase(self, session_id: str, token: Secret) -> Pair | None:
        """Return the pair, also of a session whose erasure is not complete; None when it is not one.

        Raises:
            LogUnavailable: Nobody can say.
        """
        pair = await self.tokens.check(session_id, token)
        if pair is not None:
            return pair
        erased = self._half_erased.get(SessionId(session_id))
        return erased if erased is not None and token_hash(token.reveal()) == erased.token_hash else None

    async def erase(self, pair: Pair) -> bool:
        """Erase a session: its transcript, its tokens, its connections; then end its conversation at the provider.

        The provider is told meanwhile (`farewell`).

        Returns:
            Whether nothing of it is left here. If not, words of it are in a file that another program reads: they go
            by themselves as soon as they can, and the same pair may ask again.

        Raises:
            LogUnavailable: Nothing was erased.
        """
        sid = pair.sid
        row = await self._log.get(sid)
        is_clean = await self._log.erase(sid)  # its readers are woken and find nothing
        await self._forget(sid)
        was_known = self._half_erased.pop(sid, None)
        if not is_clean:
            if was_known is None:
                _log.warning("erased words wait for another program that reads the log; they are removed later")
            self._half_erased[sid] = pair
            if len(self._half_erased) > MOST_HALF_ERASED:
                del self._half_erased[next(iter(self._half_erased))]
        if row is not None:
            self.spawn(self._say_farewells([row]))
        return is_clean

    async def prolong(self, pair: Pair, *, has_ended: bool) -> Pair:
        """Let a token live on, and its session with it while the conversation goes on.

        Raises:
            SessionGone: The session was erased.
            LogUnavailable: It was not kept; the old times stand.
        """
        prolonged = await self.tokens.prolong(pair)
        if not has_ended:
            await self._log.touch(pair.sid, expires_ms=prolonged.expires_ms + self._retention_ms)
        return prolonged

    # --- within -------------------------------------------------------------------------------------------------------

    @property
    def _retention_ms(self) -> int:
        return int(self._settings.retention_h * 3_600_000)

    async def _close_sessions(self) -> None:
        sessions, self._sessions = tuple(self._sessions.values()), {}
        for answer in await asyncio.gather(*(session.aclose() for session in sessions), return_exceptions=True):
            if isinstance(answer, Exception):
                _log.error("an upstream did not stop", error=type(answer).__name__)

    async def _load(self, sid: SessionId) -> RelaySession:
        assert self._upstreams is not None  # noqa: S101 - nobody is let in before `start`
        row = await self._log.get(sid)
        if row is None:
            raise SessionGone
        session = RelaySession(
            row,
            self._log,
            self._upstreams,
            clock=self.clock,
            envelope=self.envelope,
            retention_s=self._retention_ms / 1000,
            lives_s=(self.tokens.ttl_ms + self._retention_ms) / 1000,
            starts_at_open=self._settings.upstream_start == "open",
            is_new=row.head == 0,
            fail_point=self._fail_point,
            mask=self._mask,
            on_end=self.drop_if_idle,
            on_settled=self.metrics.message_settled,
        )
        await session.find_state()
        self._sessions[sid] = session
        return session

    def _loaded(self, sid: SessionId, loading: asyncio.Future[RelaySession]) -> None:
        self._loading.pop(sid, None)
        if not loading.cancelled():
            loading.exception()  # whoever waits gets it; when nobody does any more, nobody need be told

    async def _trim(self) -> None:
        """Forget the oldest records of very long chats, but none that a browser lacks."""
        now = self.clock.now()
        due = [sid for sid, at in self._untrimmed.items() if at <= now][: TRIMMED_AT_ONCE * 10]
        sids = [*self._sessions, *(sid for sid in due if sid not in self._sessions)]
        for start in range(0, len(sids), TRIMMED_AT_ONCE):
            await asyncio.gather(*map(self._trim_one, sids[start : start + TRIMMED_AT_ONCE]))
        for sid in due:
            self._untrimmed.pop(sid, None)

    async def _trim_one(self, sid: SessionId) -> None:
        session = self._sessions.get(sid)
        if session is None:
            await self._trim_to(sid, None)
        else:
            await self._trim_session(session)

    async def _trim_session(self, session: RelaySession) -> None:
        with contextlib.suppress(SessionGone):
            head = (await self._log.head(session.sid)).head
            if head != session.trimmed_head:
                needed_after = session.needed_after()
                await self._trim_to(session.sid, needed_after)
                if needed_after is None or needed_after >= head:
                    session.trimmed_head = head

    async def _trim_to(self, sid: SessionId, needed_after: int | None) -> None:
        most = self._settings.max_records
        with contextlib.suppress(SessionGone):
            if needed_after is not None:
                await self._log.trim_to(sid, max_records=most, max_bytes=MAX_LOG_BYTES, up_to=needed_after)
                most *= 2
            most_bytes = MAX_LOG_BYTES * (1 if needed_after is None else 2)
            await self._log.trim_to(sid, max_records=most, max_bytes=most_bytes, up_to=_ANY_SEQ)

    async def _forget(self, sid: SessionId) -> None:
        session = self._sessions.pop(sid, None)
        if session is not None:
            await session.aclose()

    async def _say_farewells(self, rows: Collection[SessionRow]) -> None:
        """End the conversations of sessions that are gone, one after the other."""
        for row in rows:
            if self._farewell is not None and row.provider_ref and row.state is not SessionState.ENDED:
                await self._farewell(row.sid, row.provider_ref)

    async def _take_up(self, rows: Collection[SessionRow]) -> None:
        delay_s = full_jitter(self._rng)
        for attempt in itertools.count():
            missed = []
            for row in rows:
                try:
                    await self._take_up_one(row)
                except LogUnavailable:
                    missed.append(row)
                except ChatError as error:
                    _log.warning("a session was not taken up", code=error.code)
                except Exception:  # noqa: BLE001 - one that is damaged must not keep back the others
                    _log.exception("a session was not taken up")
            if not missed:
                return
            _log.warning("sessions are taken up later", code="log-unavailable", sessions=len(missed))
            await self.clock.sleep(delay_s(attempt))
            rows = missed

    async def _take_up_one(self, row: SessionRow) -> None:
        # A session that never went to the provider and has nothing to send waits for its guest.
        is_ending = row.state is SessionState.ENDING
        if is_ending or row.provider_ref or await self._log.next_outgoing(row.sid) is not None:
            await self.clock.sleep(self._rng.uniform(0.5, 1.5) / TAKE_UP_PER_S)
            session = await self.open(row.sid)
            session.take_up()
            self.metrics.sessions_taken_up.inc()
            self.drop_if_idle(session)  # it may have ended while it waited to be tried again

    async def _keep_up(self) -> None:
        while True:
            await self.clock.sleep(UPKEEP_S)
            try:
                for connection in tuple(self._connections):
                    if connection.pair is not None and self.tokens.is_due(connection.pair):
                        with contextlib.suppress(SessionGone):
                            await connection.prolong()
                await self._trim()
                while expired := await self._log.expire(now_ms(self.clock)):
                    for row in expired:
                        await self._forget(row.sid)
                    self.metrics.sessions_expired.inc(len(expired))
                    self.spawn(self._say_farewells(expired))
            except LogUnavailable:
                _log.warning("upkeep failed", code="log-unavailable")

    async def _look(self) -> None:
        with contextlib.suppress(LogUnavailable):
            self.metrics.outbox_waiting.set(await self._log.count_open())

    def _refuse(self, code: str) -> Refusal:
        self.metrics.upgrades_refused.labels(code).inc()
        info = ERRORS[code]
        status = info.http_status or 500
        body = ErrorBody(message=info.summary, code=code, status=status, context_id=uuid.uuid4().hex)
        return Refusal(status, msgspec.json.encode(body))


_ANY_SEQ = 2**62

_CLOSE_CODES = frozenset(
    {1000, 1001, 1003, 1005, 1006, 1009, 1011, 1012, 1013, 4400, 4401, 4408, 4409, 4410, 4411, 4412, 4429}
)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 - the root of a task
        _log.exception("a task of the relay failed")
