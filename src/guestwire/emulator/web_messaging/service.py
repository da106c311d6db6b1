"""Web Messaging in the org: what guests do there becomes conversations, what agents and the bot say reaches the guests.

Theory of operation. The provider half of the protocol (`protocols.web_messaging.provider`) keeps everything under a
guest's token and decides what the protocol decides. For the desk, the flow and the demo agent a token is a session of
the org like any other (`GuestSessionRecord`), and what is said in it a conversation. This is the joint between both:
happenings of the provider become commands on `GuestSide`, changes of the org become words of the provider. Neither
knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol, assert_never

import msgspec

from guestwire.emulator.changes import (
    Change,
    ConnectionLimitReached,
    ConversationChanged,
    DeploymentChanged,
    EntryAdded,
    LoggedOut,
    SessionsExpired,
    SignedInElsewhere,
    Typed,
    WasReset,
)
from guestwire.emulator.faults import FaultName
from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.org import Org
from guestwire.emulator.records import Conversation, DeploymentRecord, Entry, GuestSessionRecord, Stage
from guestwire.emulator.tokens import SessionTokens
from guestwire.emulator.web_messaging.deployments import avatar_url, served
from guestwire.emulator.web_messaging.identity import Identity
from guestwire.emulator.web_messaging.roster import Roster
from guestwire.emulator.web_messaging.uploads import Upload, Uploads
from guestwire.model.content import Attachment, ButtonResponse, ContentItem, Form, attachment, parse_content
from guestwire.model.ids import ConversationId, SessionId
from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.provider import (
    Cleared,
    CloseConnection,
    Ended,
    EndReason,
    FileState,
    GuestSaid,
    GuestTyped,
    Happening,
    Host,
    Joined,
    Offered,
    ServedDeployment,
    ServedFile,
    ServedSession,
    SignedIn,
    StartedNew,
    WebMessagingProvider,
    WriteFrame,
)
from guestwire.protocols.web_messaging.wire import MessageBody, metadata_text

__all__ = ["Line", "WebMessaging"]

HISTORY_KEY_S = 60
"""A history's key lives about a minute (web-messaging §5)."""

_HISTORY = "history"

_FAREWELLS = {
    EndReason.EXPIRED: "The guest's session expired.",
    EndReason.LOGGED_OUT: "The guest signed out.",
    EndReason.SIGNED_IN_ELSEWHERE: "The guest signed in on another device.",
}

# Ids that look like UUIDs on the platform; messages have 32 digits without hyphens (web-messaging §4.4).
_UUIDS = frozenset({"attachment", "correlation", "echo-channel", "echo-correlation"})


class Line(Protocol):
    """One open connection of a guest, as the service writes to it."""

    def write(self, text: str) -> None:
        """Write a frame."""

    def close_soon(self, code: int) -> None:
        """Close a moment later, so that the client can do it first."""


class WebMessaging:
    """All guests of Web Messaging."""

    def __init__(self, org: Org, guests: GuestSide) -> None:
        """Listen to the org."""
        self._org = org
        self._guests = guests
        self._lines: dict[str, Line] = {}
        self.identity = Identity(org)
        self._start()
        org.subscribe(self._changed)

    def _start(self) -> None:
        self.uploads = Uploads(self._org)
        self._history_keys = SessionTokens(self._org.ids.signing_key(_HISTORY))
        self._provider = WebMessagingProvider(
            Host(
                deployment=self._deployment,
                new_id=self._new_id,
                history_key=self._history_key,
                user_of=self._user_of,
                upload_url=self._upload_url,
                download_url=self._download_url,
            )
        )
        self._roster = Roster(self._org)
        self._live: set[ConversationId] = set()

    # --- connections ---------------------------------------------------------------------------------------------

    def opened(self, connection: str, line: Line) -> None:
        """Take a new connection, whose origin was checked."""
        self._lines[connection] = line
        self._provider.opened(connection)

    def frame_received(self, connection: str, text: str, base_url: str) -> None:
        """Take a frame; `base_url` is where this guest finds the emulator, for the URLs that they get."""
        before = self._provider.token_of(connection)
        if before is not None:
            self._roster.take_base(before, base_url)
        self._provider.frame_received(connection, text, self._now)
        token = self._provider.token_of(connection)
        if token is not None and self._provider.session(token) is not None:
            self._record(token)
            self._roster.take_base(token, base_url)
        self._drain()
        for one in {before, token}:
            self._count_connections(one)

    def closed(self, connection: str) -> None:
        """Let go of a connection; the session stays."""
        token = self._provider.token_of(connection)
        self._lines.pop(connection, None)
        self._provider.closed(connection)
        self._count_connections(token)

    def name_of(self, connection: str) -> str:
        """Return the session that a connection belongs to, by an id that is no secret; the empty text for none."""
        token = self._provider.token_of(connection)
        return (self._roster.session_id(token) or "") if token is not None else ""

    # --- what REST asks ------------------------------------------------------------------------------------------

    def session_of_history_key(self, key: Secret) -> ServedSession | None:
        """Return whose history a key opens; None when it is not genuine or over."""
        claims = self._history_keys.verify(key.reveal())
        if claims is None or claims.token_id != _HISTORY or claims.expires_at_s <= self._now:
            return None
        token = self._roster.token(SessionId(claims.session_id))
        return None if token is None else self._provider.session(token)

    def rules_of(self, upload: Upload) -> ServedDeployment | None:
        """Return what an upload must obey; None when its session is gone."""
        session = self._provider.session(upload.token)
        return None if session is None else session.deployment

    def uploaded(self, upload: Upload, file_type: str, data: bytes) -> None:
        """Keep a file that came, and tell the guest."""
        upload.file.file_type, upload.file.size = file_type, len(data)
        stored = self._org.add_file(upload.file.name, file_type, data)
        self._provider.uploaded(upload.token, upload.file.attachment_id, self._now, stored_as=stored.id)
        self._drain()

    def upload_refused(self, upload: Upload, number: int) -> None:
        """Tell the guest that a file was refused."""
        self._provider.uploaded(upload.token, upload.file.attachment_id, self._now, refusal=number)
        self._drain()

    # --- what the provider asks ----------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._org.clock.utc().timestamp()

    def _deployment(self, deployment_id: str) -> ServedDeployment | None:
        record = self._org.deployments.get(deployment_id)
        if record is None:
            return None
        return served(record, is_active=record.is_active and not self._org.faults.is_on(FaultName.INACTIVE_DEPLOYMENTS))

    def _new_id(self, kind: str) -> str:
        new_id = self._org.ids.new_id(f"web-messaging {kind}")
        return new_id if kind in _UUIDS else new_id.replace("-", "")

    def _history_key(self, token: Secret, now: float) -> tuple[str, int]:
        expires = int(now) + HISTORY_KEY_S
        key = self._history_keys.sign(
            self._record(token).id,
            _HISTORY,
            issued_at=datetime.fromtimestamp(now, UTC),
            expires_at=datetime.fromtimestamp(expires, UTC),
        )
        return key, expires

    def _user_of(self, jwt: Secret) -> tuple[str, str, str] | None:
        user = self.identity.user_of(jwt)
        return None if user is None else (user.id, user.first_name, user.last_name)

    def _upload_url(self, token: Secret, file: ServedFile) -> tuple[str, dict[str, str]]:
        path, headers = self.uploads.ask(token, file)
        return f"{self._roster.base(token)}{path}", headers

    def _download_url(self, token: Secret, file: ServedFile) -> str | None:
        if file.stored_as is None or self._org.find_file(file.stored_as) is None:
            return None
        return f"{self._roster.base(token)}{self._org.download_path(file.stored_as)}"

    # --- from the guests -----------------------------------------------------------------------------------------

    def _drain(self) -> None:
        self._write()
        for happening in self._provider.happenings():
            self._take(happening)

    def _write(self) -> None:
        for effect in self._provider.effects():
            line = self._lines.get(effect.connection)
            match effect:
                case WriteFrame(_, text):
                    if line is not None:
                        line.write(text)
                case CloseConnection(_, code):
                    if line is not None:
                        line.close_soon(code)
                case _:
                    assert_never(effect)

    def _take(self, happening: Happening) -> None:
        match happening:
            case Joined(token):
                conversation = self._converse(token)
                self._org.add_entry(conversation, "system", "The guest opened the chat.")
                self._guests.joined(conversation)
            case GuestSaid(token, body, _, tracing_id):
                self._said(self._converse(token), token, body, tracing_id)
            case GuestTyped(token):
                typing_in = self._roster.conversation(token)
                if typing_in is not None:
                    self._guests.typed(typing_in, origin=self)
            case SignedIn(token, user_id):
                signed_in = self._roster.conversation(token)
                user = self._org.users.get(user_id)
                if signed_in is not None and user is not None:
                    self._org.describe_guest(signed_in, attributes=signed_in.attributes, user=user)
                    self._org.add_entry(signed_in, "system", f"The guest signed in as {user.name}.")
            case Cleared(token):
                self._over(token, "The guest cleared the conversation.", by_guest=True)
            case Ended(token, reason):
                self._over(token, _FAREWELLS[reason], by_guest=reason is EndReason.LOGGED_OUT)
            case StartedNew() | Offered():
                pass  # what follows is told by the next message
            case _:
                assert_never(happening)

    def _said(self, conversation: Conversation, token: Secret, body: MessageBody, tracing_id: str | None) -> None:
        session = self._provider.session(token)
        files = session.files if session is not None else {}
        content = tuple(_as_kept(item, files) for item in parse_content(body.content))
        self._guests.said(
            conversation,
            body.text or "",
            content,
            client_id=tracing_id,
            entry_id=body.id,
            in_reply_to=_in_reply_to(body, content),
            is_authenticated=metadata_text(body.metadata, "authenticated") == "true",
            origin=self,
        )

    def _record(self, token: Secret) -> GuestSessionRecord:
        session = self._provider.session(token)
        record = self._roster.enlist(token, session.deployment.deployment_id if session is not None else "")
        for stray in self._roster.strays():
            self._provider.forget(stray)
        return record

    def _converse(self, token: Secret) -> Conversation:
        """Return the session's conversation as it is now, or a new one."""
        conversation = self._org.open_conversation(self._record(token))
        self._live.add(conversation.id)
        session = self._provider.session(token)
        if session is not None:
            user = self._org.users.get(session.user) if session.user else None
            self._org.describe_guest(conversation, attributes=session.attributes, user=user)
        self._count_connections(token)
        return conversation

    def _over(self, token: Secret, words: str, *, by_guest: bool) -> None:
        """The token is worth nothing any more; a conversation that goes on there has ended."""
        conversation = self._roster.conversation(token)
        self._roster.strike(token)
        if conversation is None:
            return
        self._live.discard(conversation.id)
        while conversation.connections > 0:
            self._org.count_connection(conversation, -1)
        self._org.add_entry(conversation, "system", words)
        self._org.move(conversation, Stage.ENDED, ended_by="guest" if by_guest else None)

    def _count_connections(self, token: Secret | None) -> None:
        record = self._roster.record(token) if token is not None else None
        session = self._provider.session(token) if token is not None else None
        if record is None or session is None:
            return
        self._org.extend_session(record, datetime.fromtimestamp(session.expires_at, UTC))
        conversation = self._org.conversation_of(record.id)
        while conversation is not None and conversation.connections != len(session.connections):
            self._org.count_connection(conversation, 1 if conversation.connections < len(session.connections) else -1)

    # --- from the org --------------------------------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        match change:
            case EntryAdded(conversation, entry, origin):
                if origin is not self and entry.sender in {"agent", "bot"}:
                    self._say(conversation, entry)
            case Typed(conversation, sender):
                self._show_typing(conversation, is_bot=sender == "bot", is_shown=sender != "guest")
            case ConversationChanged(conversation):
                self._tell_end(conversation)
            case SessionsExpired(session_ids):
                self._for_each(self._roster.tokens(session_ids), self._provider.expire)
            case SignedInElsewhere(session_ids):
                self._for_each(self._roster.tokens(session_ids), self._provider.sign_in_elsewhere)
            case ConnectionLimitReached():
                self._for_each(self._roster.tokens(), self._provider.let_oldest_go)
            case LoggedOut(user_id):
                self.identity.sign_out(user_id)
                self._provider.log_out(user_id)
                self._drain()
            case DeploymentChanged(deployment_id):
                now = self._deployment(deployment_id)
                if now is not None:
                    self._provider.change_deployment(now)
            case WasReset():
                self.identity.reset()
                self._start()
            case _:
                pass  # sockets and guest sessions see to the others

    def _for_each(self, tokens: list[Secret], do: Callable[[Secret], None]) -> None:
        for token in tokens:
            do(token)
        self._drain()
        for token in tokens:
            self._count_connections(token)

    def _deployment_of(self, conversation: Conversation) -> DeploymentRecord | None:
        return self._org.deployments.get(conversation.deployment_id or "")

    def _say(self, conversation: Conversation, entry: Entry) -> None:
        token = self._roster.token(conversation.session_id)
        if token is None:
            return
        deployment = self._deployment_of(conversation)
        for item in entry.content:
            self._share(token, item)
        is_bot = entry.sender == "bot"
        name = deployment.bot_name if is_bot and deployment is not None else entry.name
        own = entry.avatar or (deployment.bot_avatar if is_bot and deployment is not None else None)
        self._provider.say(
            token,
            self._now,
            text=entry.text,
            content=entry.content,
            is_bot=is_bot,
            name=name,
            image=own or (avatar_url(self._roster.base(token), name) if name else None),
            message_id=entry.id,
        )
        self._write()
        self._count_connections(token)

    def _share(self, token: Secret, item: ContentItem) -> None:
        value = item.value
        record = self._org.find_file(value.id) if isinstance(value, Attachment) and value.id else None
        if record is not None:
            file = ServedFile(record.id, record.name, record.mime, record.size, FileState.SENT, record.id)
            self._provider.share_file(token, file)

    def _show_typing(self, conversation: Conversation, *, is_bot: bool, is_shown: bool) -> None:
        token = self._roster.token(conversation.session_id)
        deployment = self._deployment_of(conversation)
        if token is not None and is_shown and deployment is not None and deployment.agent_typing:
            self._provider.show_typing(token, self._now, is_bot=is_bot)
            self._write()

    def _tell_end(self, conversation: Conversation) -> None:
        if conversation.stage is not Stage.ENDED or conversation.id not in self._live:
            return
        self._live.discard(conversation.id)
        token = self._roster.token(conversation.session_id)
        if token is not None:
            self._provider.disconnect(token, self._now)
            self._write()


def _as_kept(item: ContentItem, files: Mapping[str, ServedFile]) -> ContentItem:
    """Return a guest's item as the org keeps it: a file by the org's id."""
    value = item.value
    file = files.get(value.id) if isinstance(value, Attachment) and value.id else None
    if not isinstance(value, Attachment) or file is None:
        return item
    return attachment(msgspec.structs.replace(value, id=file.stored_as, url=None))


def _in_reply_to(body: MessageBody, content: tuple[ContentItem, ...]) -> str | None:
    parent = metadata_text(body.metadata, "parentMessageId")
    values = (item.value for item in content)
    named = (value.originating_message_id for value in values if isinstance(value, ButtonResponse | Form))
    return parent or next((one for one in named if one), None)
