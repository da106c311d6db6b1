"""One session's way to a provider that speaks guest-session.

The provider makes the session, for an access token of ours, and says in its answer what it can do. The client library
makes a new one by itself, once, when the old one is refused: it begins by asking for an access token, and gets it when
a new session is of use to anybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from guestwire.client.chat import Chat
from guestwire.client.connecting import connect
from guestwire.client.sessions import HistoryPage, read_history
from guestwire.client.tokens import TokenBroker, TokenSource
from guestwire.errors import ChatError, SessionExpired
from guestwire.gateway.relay import bodies
from guestwire.gateway.relay.interface import SessionLink, Upstream
from guestwire.gateway.relay.provider_line import Capabilities, Way
from guestwire.gateway.relay.sealed import Kept
from guestwire.gateway.relay.tokens import now_ms
from guestwire.gateway.relay.upstream import ProviderUpstream, Upstreams
from guestwire.model.events import ConnectionStatus, ConversationUpdated, StatusChanged
from guestwire.model.ids import SessionId
from guestwire.model.secret import Secret
from guestwire.net.clock import Clock
from guestwire.protocols.guest_session.session import GuestSession

__all__ = ["GuestSessionUpstream", "GuestSessionUpstreams", "pack_session", "unpack_session"]

KIND = "guest-session"

LAST_READ_S = 2.0
"""At an end the history is read once more, for what was said meanwhile; the end waits for it no longer than this."""


@dataclass(kw_only=True, eq=False)
class GuestSessionUpstreams(Upstreams):
    """See `Upstreams`; these share their access tokens, too, for new sessions."""

    tokens: TokenSource = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the tokens."""
        super().__post_init__()
        self.tokens = TokenBroker(self.transport, self.provider, clock=self.clock)

    def __call__(self, session: SessionLink) -> Upstream:
        """See `Upstreams`."""
        return GuestSessionUpstream(session, self)

    async def say_farewell(self, sid: SessionId, kept: Kept) -> None:  # noqa: ARG002
        """End the conversation, where the provider has a word for it."""
        session = unpack_session(kept.session, self.clock) if kept.kind == KIND and kept.session else None
        if session is None or "end" not in session.extensions:
            return
        chat = connect(
            self.provider,
            session=session,
            tokens=_NoTokens(),
            keeps_transcript=False,
            transport=self.transport,
            clock=self.clock,
        )
        async with chat:
            async for event in chat:
                if isinstance(event, StatusChanged) and event.status is ConnectionStatus.CONNECTED:
                    await chat.end()


class GuestSessionUpstream(ProviderUpstream[GuestSession]):
    """See `interface.Upstream`."""

    kind = KIND

    def __init__(self, session: SessionLink, shared: GuestSessionUpstreams) -> None:
        """Prepare; nothing happens before `start`."""
        super().__init__(session, shared)
        self._tokens = _TokensInTime(shared.tokens, self._await_need)

    def _prepare_chat(self) -> Chat:
        shared, details = self._shared, self._session.details
        return connect(
            shared.provider,
            name=details.name,
            email=details.email,
            external_contact_id=details.external_contact_id,
            tokens=self._tokens,
            session=self._provider_session,
            keep_session=self._keep,
            most_unread=1,
            take_events=self._take_all,
            keeps_transcript=False,
            transport=shared.transport,
            clock=self._clock,
            rng=shared.rng,
        )

    def _pack(self, provider_session: GuestSession) -> bytes:
        return pack_session(provider_session, self._clock)

    def _unpack(self, packed: bytes) -> GuestSession | None:
        return unpack_session(packed, self._clock)

    def _way_of(self, provider_session: GuestSession) -> Way:
        return Way(bodies.provider_mark(provider_session.session_id), Capabilities.of(provider_session.extensions))

    async def _read_page(self, after: str | None, limit: int) -> HistoryPage:
        session = self._provider_session
        if session is None:
            raise SessionExpired
        return await read_history(self._shared.transport, self._shared.provider, session, after=after, limit=limit)

    async def _take_end(self, event: ConversationUpdated) -> None:
        if self._way.can.history:
            await self._within(LAST_READ_S, self._history.read())
        await self._say(event)

    def _code_of(self, error: ChatError) -> str:
        # Our guest's session is well; it is the provider's that is not.
        return "upstream-auth-failed" if isinstance(error, SessionExpired) else super()._code_of(error)


class _TokensInTime:
    """Access tokens (a `TokenSource`), given out when their time has come; a new session begins with one."""

    def __init__(self, tokens: TokenSource, its_time: Callable[[], Awaitable[None]]) -> None:
        self._tokens = tokens
        self._its_time = its_time

    async def access_token(self) -> Secret:
        await self._its_time()
        return await self._tokens.access_token()

    def invalidate(self, token: Secret) -> None:
        self._tokens.invalidate(token)


class _NoTokens:
    """A `TokenSource` that has none: a session that the provider does not know any more must not be made anew."""

    async def access_token(self) -> Secret:
        raise SessionExpired

    def invalidate(self, token: Secret) -> None:
        pass


# --- a session at rest ------------------------------------------------------------------------------------------------


class _Packed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session, and until when its token is good (epoch ms)."""

    session_id: str
    token: str
    socket_base: str | None = None
    external_contact_id: str | None = None
    expires_ms: int | None = None
    extensions: tuple[str, ...] = ()


def pack_session(session: GuestSession, clock: Clock) -> bytes:
    """Return what `unpack_session` reads; to be sealed."""
    lives_ms = None if session.expires_in_s is None else int(session.expires_in_s * 1000)
    packed = _Packed(
        session_id=session.session_id,
        token=session.token.reveal(),
        socket_base=session.socket_base,
        external_contact_id=session.external_contact_id,
        expires_ms=None if lives_ms is None else now_ms(clock) + lives_ms,
        extensions=tuple(sorted(session.extensions)),
    )
    return msgspec.msgpack.encode(packed)


def unpack_session(packed: bytes, clock: Clock) -> GuestSession | None:
    """Return a session with the time that it has left; None when it has none, or for something else."""
    try:
        inside = msgspec.msgpack.decode(packed, type=_Packed)
    except (msgspec.DecodeError, UnicodeError):
        return None
    left_s = None if inside.expires_ms is None else (inside.expires_ms - now_ms(clock)) / 1000
    if left_s is not None and left_s <= 0:
        return None
    return GuestSession(
        session_id=SessionId(inside.session_id),
        token=Secret(inside.token),
        external_contact_id=inside.external_contact_id,
        socket_base=inside.socket_base,
        expires_in_s=left_s,
        extensions=frozenset(inside.extensions),
    )
