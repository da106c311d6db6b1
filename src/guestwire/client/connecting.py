"""`connect`: from settings to a chat, whichever API the provider speaks."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import TypeAlias, cast

from guestwire.client.chat import AnySession, Chat, MakeAdapter
from guestwire.client.event_queue import ROOM, TakeEvents
from guestwire.client.guest_session import GuestSessionAdapter, KeepGuestSession
from guestwire.client.sessions import check_details
from guestwire.client.sign_in import KeepGuest, SignIn
from guestwire.client.tokens import CallerTokens, TokenBroker, TokenProvider, TokenSource
from guestwire.client.web_messaging import FindDeployment, KeepWebSession, WebMessagingAdapter
from guestwire.errors import ConfigError
from guestwire.net.backoff import full_jitter
from guestwire.net.clock import Clock, SystemClock
from guestwire.net.transport import Transport
from guestwire.protocols.guest_session.session import GuestDetails, GuestSession
from guestwire.protocols.web_messaging.attributes import Attributes
from guestwire.protocols.web_messaging.deployment import Deployment
from guestwire.protocols.web_messaging.session import WebSession
from guestwire.settings import ProviderSettings

__all__ = ["KeepSession", "connect"]

KeepSession: TypeAlias = KeepGuestSession | KeepWebSession
"""Called with every session before it is used; with web-messaging also with None, when one is to be forgotten."""


def connect(
    settings: ProviderSettings,
    *,
    name: str | None = None,
    email: str | None = None,
    external_contact_id: str | None = None,
    attributes: Mapping[str, str] | None = None,
    token_provider: TokenProvider | None = None,
    tokens: TokenSource | None = None,
    sign_in: SignIn | None = None,
    keep_guest: KeepGuest | None = None,
    session: AnySession | None = None,
    keep_session: KeepSession | None = None,
    deployment: Deployment | FindDeployment | None = None,
    reads_history: bool = True,
    most_unread: int = ROOM,
    take_events: TakeEvents | None = None,
    keeps_transcript: bool = True,
    transport: Transport | None = None,
    clock: Clock | None = None,
    rng: Random | None = None,
) -> Chat:
    """Prepare a chat; `async with` it to begin.

    Which API it speaks is `settings.resolved_api`. With web-messaging there is no OAuth client: a deployment's id is
    enough, and the guest's name, e-mail address and contact id are told as custom attributes.

    Args:
        settings: The provider, and the deployment's id or the OAuth client's id and secret.
        name: The guest's display name; like the next two at most 256 characters, and shown to the agent.
        email: The guest's e-mail address.
        external_contact_id: Links the guest to a CRM record.
        attributes: Custom attributes, told with the guest's first message (web-messaging).
        token_provider: Gets access tokens in place of the client id and secret (guest-session).
        tokens: The same for many chats that share their tokens; goes before `token_provider` (guest-session).
        sign_in: What the site's identity provider gave, so that a new session is that of a guest who signed in; or what
            `keep_guest` got in an earlier chat (web-messaging).
        keep_guest: Called with the guest's JWT and refresh token whenever they change (web-messaging).
        session: Use this session instead of creating one. When it turns out to be refused, guest-session creates one
            after all, once; web-messaging fails with `session-expired`, so that the guest decides.
        keep_session: Called with every session that is created, before it is used; a `ChatError` that it raises is
            tried again later.
        deployment: Its public configuration, or a function that returns it; else it is read (web-messaging).
        reads_history: Whether to read what was said before when coming back to a session (web-messaging).
        most_unread: With so many events unread nothing more is read from the socket. One: the app is done with a frame,
            because it has asked for the next event, before the next frame is read.
        take_events: Called, while the iteration waits, with what a frame says, in place of the iteration: a shorter way
            for an app with thousands of chats. What it raises ends the iteration; it may wait, but not for `confirm`.
        keeps_transcript: Whether `transcript` is filled.
        transport: The network; ours by default, opened and closed with the chat.
        clock: The time; the computer's by default.
        rng: Randomness of the back-off.

    Raises:
        ConfigError: No deployment's id; or neither a client id and secret nor a `token_provider` or `session`. Or the
            session is one of the other API.
        BadSessionRequest: A detail of the guest that no provider would take.
        AttributesTooLarge: More attributes than one message can carry.
    """
    details = GuestDetails(name=name, email=email, external_contact_id=external_contact_id)
    check_details(details)
    clock = clock or SystemClock()
    delay_s = full_jitter(rng or Random())  # noqa: S311 - jitter needs no cryptography

    def web_messaging(transport: Transport) -> WebMessagingAdapter:
        return WebMessagingAdapter(
            settings,
            transport=transport,
            clock=clock,
            delay_s=delay_s,
            # Which API it is was chosen by the settings, and the session and its function with it: no type can tell.
            session=cast("WebSession | None", session),
            keep_session=cast("KeepWebSession | None", keep_session),
            deployment=deployment,
            attributes=_as_attributes(details) | dict(attributes or {}),
            sign_in=sign_in,
            keep_guest=keep_guest,
            reads_history=reads_history,
        )

    def guest_session(transport: Transport) -> GuestSessionAdapter:
        given = tokens or (None if token_provider is None else CallerTokens(token_provider))
        return GuestSessionAdapter(
            settings,
            details,
            transport=transport,
            tokens=given or TokenBroker(transport, settings, clock=clock),
            delay_s=delay_s,
            session=cast("GuestSession | None", session),
            keep_session=cast("KeepGuestSession | None", keep_session),
        )

    make: MakeAdapter
    kind: type[AnySession]
    # What can be found now is better found here than told as a `failed` status a moment later.
    if settings.resolved_api == "web-messaging":
        make, kind = web_messaging, WebSession
        settings.deployment()
        Attributes().put(_as_attributes(details) | dict(attributes or {}))
    else:
        make, kind = guest_session, GuestSession
        if token_provider is None and tokens is None and session is None and settings.client_secret_file is None:
            settings.credentials()
    if session is not None and not isinstance(session, kind):
        raise ConfigError(f"Expected a session of {settings.resolved_api}, got a {type(session).__name__}.")
    return Chat(
        settings,
        make,
        session=session,
        most_unread=most_unread,
        take_events=take_events,
        keeps_transcript=keeps_transcript,
        transport=transport,
        clock=clock,
    )


def _as_attributes(details: GuestDetails) -> dict[str, str]:
    """Return who the guest is in the only words that Web Messaging has for it [D]."""
    told = {"name": details.name, "email": details.email, "externalContactId": details.external_contact_id}
    return {key: value for key, value in told.items() if value}
