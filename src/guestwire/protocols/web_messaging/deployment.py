"""The deployment's public configuration and its list of domains: wire types, and what a client obeys of them.

Every member has a default, so that a file with gaps is read and one of ours is complete: the vendor's mobile SDK
refuses a file in which one of its required members is missing.

Source: web-messaging §1.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import msgspec

from guestwire.errors import ConfigError, ConnectFailed, RateLimited, RemoteProtocolError
from guestwire.model.http import HttpAnswer, HttpRequest, retry_after_s
from guestwire.protocols.web_messaging.wire import Number

__all__ = [
    "Auth",
    "AutoStart",
    "Conversations",
    "ConversationsApp",
    "Deployment",
    "DeploymentConfig",
    "Disconnect",
    "Domains",
    "FileUpload",
    "Humanize",
    "HumanizeBot",
    "LauncherButton",
    "Messenger",
    "Notifications",
    "Styles",
    "Switch",
    "UploadMode",
    "config_path",
    "config_request",
    "domains_path",
    "domains_request",
    "hostname_of",
    "parse_config_answer",
    "parse_domains_answer",
]


class _Config(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the configuration's objects; written in full, because some readers know no defaults."""


class Switch(_Config, frozen=True, kw_only=True):
    """Something that is on or off."""

    enabled: bool = False


class AutoStart(Switch, frozen=True, kw_only=True):
    """Whether a client sends `Join` into a new session."""


class Disconnect(_Config, frozen=True, kw_only=True):
    """Whether guests are told of the end, and whether they may write after it (`Send`) or not (`ReadOnly`)."""

    enabled: bool = False
    type: str = "Send"


class HumanizeBot(_Config, frozen=True, kw_only=True, omit_defaults=True):
    """The bot's name and picture."""

    name: str | None = None
    avatar_url: str | None = None


class Humanize(_Config, frozen=True, kw_only=True):
    """Whether names and pictures are shown."""

    enabled: bool = False
    bot: HumanizeBot = HumanizeBot()


class Notifications(_Config, frozen=True, kw_only=True):
    """Mobile push; not ours."""

    enabled: bool = False
    notification_content_type: str = "ExcludeMessagesContent"


class Conversations(_Config, frozen=True, kw_only=True):
    """The messaging application."""

    enabled: bool = True
    messaging_endpoint: str = ""
    show_agent_typing_indicator: bool = False
    show_user_typing_indicator: bool = False
    auto_start: AutoStart = AutoStart()
    markdown: Switch = Switch()
    conversation_disconnect: Disconnect = Disconnect()
    conversation_clear: Switch = Switch()
    humanize: Humanize = Humanize()
    notifications: Notifications = Notifications()
    session_duration_seconds: Number | None = None


class ConversationsApp(_Config, frozen=True, kw_only=True):
    """`messenger.apps`."""

    conversations: Conversations = Conversations()


class Styles(_Config, frozen=True, kw_only=True):
    """Colours."""

    primary_color: str = "#0165A7"


class LauncherButton(_Config, frozen=True, kw_only=True):
    """The button that opens the chat."""

    visibility: str = "On"
    display_type: str = "Icon"


class HomeScreen(_Config, frozen=True, kw_only=True, omit_defaults=True):
    """What is shown before a chat."""

    enabled: bool = False
    logo_url: str | None = None


class UploadMode(_Config, frozen=True, kw_only=True):
    """A legacy rule of uploads: plain media types."""

    file_types: tuple[str, ...] = ()
    max_file_size_kb: Number = msgspec.field(name="maxFileSizeKB", default=0)


class FileUpload(_Config, frozen=True, kw_only=True, omit_defaults=True):
    """Rules of uploads; that `enable_attachments` is there at all means that the session has them."""

    enable_attachments: bool | None = None
    modes: tuple[UploadMode, ...] = ()


class Messenger(_Config, frozen=True, kw_only=True):
    """`messenger`."""

    enabled: bool = True
    apps: ConversationsApp = ConversationsApp()
    styles: Styles = Styles()
    launcher_button: LauncherButton = LauncherButton()
    home_screen: HomeScreen = HomeScreen()
    file_upload: FileUpload = FileUpload()


class Position(_Config, frozen=True, kw_only=True):
    """Where the launcher stands, in pixels."""

    alignment: str = "Auto"
    side_space: Number = 20
    bottom_space: Number = 12


class Auth(_Config, frozen=True, kw_only=True):
    """Signed-in guests."""

    enabled: bool = False
    allow_session_upgrade: bool = False


class DeploymentConfig(_Config, frozen=True, kw_only=True):
    """`config.json`; `version` is a number in a string."""

    id: str
    status: str
    version: str | Number = "1"
    languages: tuple[str, ...] = ("en-us",)
    default_language: str = "en-us"
    api_endpoint: str = ""
    headless_mode: Switch = Switch()
    messenger: Messenger = Messenger()
    position: Position = Position()
    journey_events: Switch = Switch()
    auth: Auth = Auth()


class Domains(_Config, frozen=True, kw_only=True):
    """`domains.json`: which sites may use the deployment."""

    allow_all_domains: bool = False
    allowed_domains: tuple[str, ...] = ()

    def allows(self, origin: str | None) -> bool:
        """Return whether a page's origin may; only the host counts, and sub-domains of an entry are meant.

        Args:
            origin: With or without a scheme: some clients send a bare host. None, from no browser, needs all allowed.
        """
        if self.allow_all_domains:
            return True
        host = hostname_of(origin)
        return host is not None and any(
            host == domain or host.endswith(f".{domain}") for domain in map(str.lower, self.allowed_domains) if domain
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a client obeys.

    Attributes:
        deployment_id: Its id.
        socket_base: Where the socket is (`wss://host`); None, also where that is not encrypted, for the region's.
        api_base: Where REST is; None for the region's.
        shows_agent_typing: Whether guests see that agents type.
        takes_guest_typing: Whether agents see that guests type; no typing is sent otherwise.
        auto_start: Whether a new session begins with `Join`.
        tells_disconnect: Whether guests are told of the end.
        read_only_after_end: Whether they may not write after it.
        allows_clear: Whether guests may clear the conversation.
        markdown: Whether texts are formatted.
        humanize: Whether names and pictures are shown.
        bot_name: The bot's, with `humanize`.
        bot_avatar: URL of the bot's picture, with `humanize`.
        uploads_by_session: Whether the session has the rules of uploads, and `upload_modes` say nothing.
        upload_modes: Media types → most bytes.
        offers_uploads: Whether files may be sent at all, as far as it is known without a session.
        needs_sign_in: Whether guests sign in.
        allows_step_up: Whether a guest may sign in later.
        primary_color: A CSS colour.
        launcher_visibility: `On`, `Off` or `OnDemand`.
        languages: BCP 47 tags.
        default_language: One of them.
        headless: Whether the vendor's own UI is off.
    """

    deployment_id: str
    socket_base: str | None = None
    api_base: str | None = None
    shows_agent_typing: bool = False
    takes_guest_typing: bool = False
    auto_start: bool = False
    tells_disconnect: bool = False
    read_only_after_end: bool = False
    allows_clear: bool = False
    markdown: bool = False
    humanize: bool = False
    bot_name: str | None = None
    bot_avatar: str | None = None
    uploads_by_session: bool = True
    upload_modes: Mapping[str, int] = field(default_factory=dict)
    offers_uploads: bool = False
    needs_sign_in: bool = False
    allows_step_up: bool = False
    primary_color: str | None = None
    launcher_visibility: str = "On"
    languages: tuple[str, ...] = ()
    default_language: str | None = None
    headless: bool = False

    @classmethod
    def of(cls, config: DeploymentConfig, *, deployment_id: str) -> Deployment:
        """Read what matters of `config.json`."""
        messenger, chat = config.messenger, config.messenger.apps.conversations
        is_human, switch = chat.humanize.enabled, messenger.file_upload.enable_attachments
        return cls(
            deployment_id=deployment_id,
            socket_base=_base(chat.messaging_endpoint, secure="wss", plain="ws"),
            api_base=_base(config.api_endpoint, secure="https", plain="http"),
            shows_agent_typing=chat.show_agent_typing_indicator,
            takes_guest_typing=chat.show_user_typing_indicator,
            auto_start=chat.auto_start.enabled,
            tells_disconnect=chat.conversation_disconnect.enabled,
            read_only_after_end=chat.conversation_disconnect.type == "ReadOnly",
            allows_clear=chat.conversation_clear.enabled,
            markdown=chat.markdown.enabled,
            humanize=is_human,
            bot_name=chat.humanize.bot.name if is_human else None,
            bot_avatar=chat.humanize.bot.avatar_url if is_human else None,
            uploads_by_session=switch is not None,
            upload_modes={
                name.strip(): int(mode.max_file_size_kb * 1000)
                for mode in messenger.file_upload.modes
                for name in mode.file_types
            },
            offers_uploads=bool(messenger.file_upload.modes) if switch is None else switch,
            needs_sign_in=config.auth.enabled,
            allows_step_up=config.auth.allow_session_upgrade,
            primary_color=messenger.styles.primary_color,
            launcher_visibility=messenger.launcher_button.visibility,
            languages=config.languages,
            default_language=config.default_language,
            headless=config.headless_mode.enabled,
        )


def config_path(deployment_id: str) -> str:
    """Return the path of `config.json`."""
    return f"/webdeployments/v1/deployments/{quote(deployment_id, safe='')}/config.json"


def domains_path(deployment_id: str) -> str:
    """Return the path of `domains.json`."""
    return f"/webdeployments/v1/deployments/{quote(deployment_id, safe='')}/domains.json"


def config_request(cdn_base: str, deployment_id: str) -> HttpRequest:
    """Build the request for the configuration."""
    return HttpRequest("GET", f"{cdn_base}{config_path(deployment_id)}", {"accept": "application/json"})


def domains_request(cdn_base: str, deployment_id: str) -> HttpRequest:
    """Build the request for the list of domains."""
    return HttpRequest("GET", f"{cdn_base}{domains_path(deployment_id)}", {"accept": "application/json"})


def parse_config_answer(answer: HttpAnswer, deployment_id: str) -> Deployment:
    """Read the answer to `config_request`.

    Raises:
        ConfigError: `deployment-unknown` (403 or 404: wrong id or region), `deployment-inactive`.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else.
    """
    _raise_for_trouble(answer)
    try:
        config = msgspec.json.decode(answer.body, type=DeploymentConfig)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(f"Expected the deployment's configuration, got another body: {error}.") from None
    if config.status != "Active":
        raise ConfigError(code="deployment-inactive")
    return Deployment.of(config, deployment_id=deployment_id)


def parse_domains_answer(answer: HttpAnswer) -> Domains:
    """Read the answer to `domains_request`.

    Raises:
        ConfigError: `deployment-unknown`.
        RateLimited: 429.
        ConnectFailed: 5xx.
        RemoteProtocolError: Anything else.
    """
    _raise_for_trouble(answer)
    try:
        return msgspec.json.decode(answer.body, type=Domains)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise RemoteProtocolError("Expected the deployment's domains, got another body.") from None


def hostname_of(origin: str | None) -> str | None:
    """Return the host of an Origin, lower case, without a port; also of one that is a bare host (§1.2)."""
    if not origin:
        return None
    try:
        return urlsplit(origin if "//" in origin else f"//{origin}").hostname
    except ValueError:
        return None


def _base(url: str, *, secure: str, plain: str) -> str | None:
    """Return the address when a guest's token may go there: encrypted, or on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    is_safe = parts.scheme == secure or (parts.scheme == plain and parts.hostname in {"127.0.0.1", "localhost", "::1"})
    is_base = bool(parts.hostname) and parts.username is None and not parts.query and not parts.fragment
    return url.rstrip("/") if is_safe and is_base else None


def _raise_for_trouble(answer: HttpAnswer) -> None:
    if answer.status in {403, 404}:
        raise ConfigError(code="deployment-unknown")
    if answer.status == 429:
        raise RateLimited(retry_after_s=retry_after_s(answer))
    if answer.status >= 500:
        raise ConnectFailed(f"The deployment's configuration answered {answer.status}.")
    if not answer.is_success:
        raise RemoteProtocolError(f"Expected the deployment's configuration, got status {answer.status}.")
