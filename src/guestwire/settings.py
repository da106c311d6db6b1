"""Settings: the one place that reads files and the environment.

Each part has one frozen dataclass; a field is at once command-line option, environment variable, TOML key and row of
the docs. Precedence: defaults < `guestwire.toml` < environment `GUESTWIRE_*` < command line. Settings are read once, at
start, and passed down.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from cyclopts import App, CycloptsError, Parameter, Token
from cyclopts.config import Env, Toml

from guestwire.errors import ConfigError
from guestwire.model.regions import region_domain, socket_host
from guestwire.model.secret import Secret

if TYPE_CHECKING:
    from cyclopts import ArgumentCollection

__all__ = [
    "DEFAULT_API",
    "EMULATED_DEPLOYMENT",
    "Api",
    "EmulatorSettings",
    "GatewaySettings",
    "ProviderSettings",
    "Secret",
    "Sources",
    "has_desktop",
    "read_settings",
    "settings_sources",
]

SETTINGS_FILE = "guestwire.toml"
_FILE_VARIABLE = "GUESTWIRE_SETTINGS"

HOUR_S = 3600.0
TEN_YEARS_S = 315_360_000.0

IDENTITY_SECRET_BYTES = 32
"""What HS256 asks for (RFC 7518 §3.2); a shorter one can be guessed."""

EMULATED_DEPLOYMENT = "c0ffee00-0000-4000-8000-000000000001"
"""The deployment that an emulator has from the start, unless told otherwise."""

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
Api = Literal["web-messaging", "guest-session"]
"""What a provider speaks."""

DEFAULT_API: Api = "web-messaging"
"""What demo and gateway speak with an emulator unless told otherwise."""


def _secret(_type: object, tokens: Sequence[Token]) -> Secret:
    # A command line is seen by everybody on the machine and stays in the shell's history.
    if tokens[0].source == "cli":
        raise ValueError("a secret is not an option; set it in the environment or in the settings file.")
    if len(tokens) > 1:
        raise ValueError(f"{tokens[0].keyword}: a secret is one text, not a list.")
    try:
        tokens[0].value.encode()
    except UnicodeEncodeError:  # bytes of the environment that are not UTF-8; the error would quote all of them
        raise ValueError("a secret must be UTF-8 text.") from None
    return Secret(tokens[0].value)


SecretSetting = Annotated[Secret | None, Parameter(converter=_secret, accepts_keys=False, n_tokens=1, show=False)]


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """Where the provider is and who we are to it.

    Attributes:
        api: What the provider speaks: web-messaging, as orgs of today do, or guest-session, the tutorial's API; follows
            from deployment_id.
        deployment_id: Id of the Messenger deployment, from the org's Messenger Deployments page (web-messaging).
        region: Region of the org, by name (us-east-1, eu-central-1 …) or domain (mypurecloud.de).
        base_url: REST base, e.g. https://api.mypurecloud.com; follows from the region.
        messaging_url: Host of the WebSocket, e.g. wss://webmessaging.mypurecloud.com; follows from the region
            (web-messaging).
        cdn_url: Where the deployment's public configuration is; follows from the region (web-messaging).
        origin: Web site that we say we are, where the deployment's domains are restricted, like https://www.example.com
            (web-messaging).
        oauth_url: Token endpoint; follows from base_url.
        socket_url: WebSocket address without a query; follows from the region (guest-session).
        client_id: Id of the OAuth client.
        client_secret: Its secret; environment or file only, never an option.
        client_secret_file: File that holds the secret, instead of client_secret.
        organization_id: Id of the org; for the operator's information, never sent.
        credentials_in: Where the token request carries id and secret; real orgs want basic.
        ca_file: PEM file of a private certificate authority.
        use_system_proxy: Use HTTP_PROXY and its kin from the environment.
        connect_timeout_s: Seconds to open a connection.
        answer_timeout_s: Seconds to wait for an answer.
    """

    api: Api | None = None
    deployment_id: str | None = None
    region: str = "us-east-1"
    base_url: str | None = None
    messaging_url: str | None = None
    cdn_url: str | None = None
    origin: str | None = None
    oauth_url: str | None = None
    socket_url: str | None = None
    client_id: str | None = None
    client_secret: SecretSetting = None
    client_secret_file: Path | None = None
    organization_id: str | None = None
    credentials_in: Literal["form", "basic"] = "form"
    ca_file: Path | None = None
    use_system_proxy: bool = False
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Check what can be checked before any I/O.

        Raises:
            ConfigError: An unknown region, an address or id of the wrong kind, or no time to connect or answer.
        """
        region_domain(self.region)
        if self.deployment_id is not None:
            _check_deployment(self.deployment_id)
        if self.origin is not None:
            _check_origin("origin", self.origin)
        for name, schemes in (
            ("base_url", ("https", "http")),
            ("messaging_url", ("wss", "ws")),
            ("cdn_url", ("https", "http")),
            ("oauth_url", ("https", "http")),
            ("socket_url", ("wss", "ws")),
        ):
            url = getattr(self, name)
            if url is not None:
                _check_url(name, url, schemes)
        for name in ("connect_timeout_s", "answer_timeout_s"):
            _check_seconds(name, getattr(self, name), most=HOUR_S)

    @property
    def is_unset(self) -> bool:
        """Whether nothing says which provider to use; which API it would speak is no such thing."""
        return replace(self, api=None) == ProviderSettings()

    @property
    def resolved_api(self) -> Api:
        """What the provider speaks: as set, else web-messaging where a deployment is named."""
        return self.api or ("guest-session" if self.deployment_id is None else "web-messaging")

    @property
    def resolved_base_url(self) -> str:
        """REST base without a trailing slash."""
        return (self.base_url or f"https://api.{region_domain(self.region)}").rstrip("/")

    @property
    def resolved_messaging_url(self) -> str:
        """Host of Web Messaging's WebSocket, without a path; with base_url set alone, it is base_url's host."""
        if self.messaging_url:
            return self.messaging_url.rstrip("/")
        if self.base_url:
            return f"ws{self.resolved_base_url.removeprefix('http')}"
        return f"wss://webmessaging.{region_domain(self.region)}"

    @property
    def resolved_cdn_url(self) -> str:
        """Base of the deployment's public configuration; with base_url set alone, it is base_url."""
        if self.cdn_url:
            return self.cdn_url.rstrip("/")
        return self.resolved_base_url if self.base_url else f"https://api-cdn.{region_domain(self.region)}"

    def deployment(self) -> str:
        """Return the deployment's id.

        Raises:
            ConfigError: None is set.
        """
        if self.deployment_id is None:
            raise ConfigError(
                "deployment_id is not set. Set GUESTWIRE_DEPLOYMENT_ID in the environment, deployment_id in "
                f"{SETTINGS_FILE} or --deployment-id; to try it without an org, run `guestwire demo`."
            )
        return self.deployment_id

    @property
    def resolved_oauth_url(self) -> str:
        """Address of the token endpoint: the tutorial's path [T] unless set."""
        return self.oauth_url or f"{self.resolved_base_url}/api/v2/oauth/token"

    @property
    def resolved_socket_url(self) -> str:
        """WebSocket address without a query; with base_url set and socket_url not, it is base_url's host and /ws."""
        if self.socket_url:
            return self.socket_url
        if self.base_url:
            return f"ws{self.resolved_base_url.removeprefix('http')}/ws"
        return f"wss://{socket_host(region_domain(self.region))}/ws"

    def check_identity(self) -> None:
        """Check that it is set who we are to the provider: a deployment, or an OAuth client.

        Raises:
            ConfigError: It is not.
        """
        if self.resolved_api == "web-messaging":
            self.deployment()
        else:
            self.credentials()

    def credentials(self) -> tuple[str, Secret]:
        """Return client id and secret, reading the secret's file if one is named.

        Raises:
            ConfigError: One of them is missing, or the file can't be read.
        """
        secret = self.client_secret
        if self.client_secret_file is not None:
            try:
                secret = Secret(self.client_secret_file.read_text(encoding="utf-8").strip())
            except (OSError, UnicodeError) as error:
                raise ConfigError(f"Could not read client_secret_file: {_plain(error)}.") from None
        if not self.client_id or not secret:
            missing = "client_id" if not self.client_id else "client_secret"
            raise ConfigError(
                f"{missing} is not set. Set GUESTWIRE_{missing.upper()} in the environment or {missing} in "
                f"{SETTINGS_FILE}; to try it without an org, run `guestwire demo`."
            )
        return self.client_id, secret


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """How the gateway listens and whom it serves.

    Attributes:
        provider: Where the provider is.
        mode: With relay the gateway keeps every chat in a log, so that nothing is lost; with direct the browser talks
            to the provider itself.
        log_file: File of the session log, on a local disk (relay).
        upstream_start: When the provider first hears of a guest: with the first message, or as soon as the chat is
            open, for bots that greet (relay).
        session_ttl_s: Seconds a session token lives; prolonged while a browser is connected (relay).
        retention_h: Hours a chat is kept after its end (relay).
        mask: What of a guest's words nobody gets to see, the agent included: card, iban, email (relay).
        mask_patterns: More of that: regular expressions in RE2's syntax, as a rule with a word boundary at
            both ends; best in the file, since a variable is split at its spaces (relay).
        max_records: Records of one chat that are kept, at most 5 MiB of them; the oldest go first, but not while a tab
            lacks them (relay).
        max_tabs: Connections one session may have; with more the one that idles longest is closed (relay).
        max_connections: WebSockets open at once (relay).
        max_connections_per_address: WebSockets that one address may have open; of IPv6 a /64 is one address (relay).
        public_url: Address that guests use, like https://chat.example.com, where it differs from the one they ask.
        host: Address to listen on; the default is this machine only.
        port: Port to listen on; 0 takes a free one.
        identity_secret: Secret with which the site signs the identity of its guests (HS256, HS384, HS512), 32 bytes at
            least; environment or file only.
        identity_jwks_file: File with the site's public keys (JWKS), where it signs with a private key instead.
        identity_issuer: What iss must be in an identity.
        identity_audience: What aud must be, or have among it, in an identity.
        allowed_origins: Web sites that may use the chat, like https://www.example.com; the gateway's own always may,
            "*" means every site.
        sessions_per_minute: Sessions one address may create a minute in the long run.
        sessions_burst: Sessions one address may create at once.
        sessions_per_minute_total: Sessions all addresses together may create a minute.
        sessions_per_day: Sessions one address may create a day.
        sessions_per_day_total: Sessions all addresses together may create a day.
        trusted_proxies: Addresses of proxies whose X-Forwarded-For is believed.
        log_format: Lines for people (text) or for machines (json).
        log_level: Least level that is logged.
        dev: Serve the browser files as written, and tell browsers not to keep them.
    """

    provider: Annotated[ProviderSettings, Parameter(name="*")] = field(default_factory=ProviderSettings)
    mode: Literal["relay", "direct"] = "relay"
    log_file: Path = Path(".guestwire/sessions.sqlite3")
    upstream_start: Literal["first-message", "open"] = "first-message"
    session_ttl_s: float = 86_400.0
    retention_h: float = 24.0
    mask: Annotated[tuple[Literal["card", "iban", "email"], ...], Parameter(negative="")] = ()
    mask_patterns: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    max_records: int = 5000
    max_tabs: int = 5
    max_connections: int = 20_000
    max_connections_per_address: int = 100
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    identity_secret: SecretSetting = None
    identity_jwks_file: Path | None = None
    identity_issuer: str | None = None
    identity_audience: str | None = None
    allowed_origins: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    sessions_per_minute: float = 10.0
    sessions_burst: int = 5
    sessions_per_minute_total: float = 300.0
    sessions_per_day: float = 500.0
    sessions_per_day_total: float = 50_000.0
    trusted_proxies: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"
    dev: Annotated[bool, Parameter(negative="")] = False

    def __post_init__(self) -> None:
        """Check what can be checked before any I/O.

        Raises:
            ConfigError: A port out of range, an origin that is none, or a limit that lets nobody in.
        """
        _check_port(self.port)
        for origin in self.allowed_origins:
            if origin != "*":
                _check_origin("allowed_origins", origin, several="; several are separated by spaces")
        for proxy in self.trusted_proxies:
            _check_network(proxy)
        for name in (
            "sessions_per_minute",
            "sessions_burst",
            "sessions_per_minute_total",
            "sessions_per_day",
            "sessions_per_day_total",
            "session_ttl_s",
            "max_records",
            "max_tabs",
            "max_connections",
            "max_connections_per_address",
        ):
            if not getattr(self, name) > 0:  # so that NaN is caught too
                raise ConfigError(f"{name} must be greater than 0; nobody could start a chat.")
        if self.identity_secret is not None:
            if self.identity_jwks_file is not None:
                raise ConfigError("identity_secret and identity_jwks_file: set one of them, not both.")
            if len(self.identity_secret.reveal().encode()) < IDENTITY_SECRET_BYTES:
                raise ConfigError(f"identity_secret must have {IDENTITY_SECRET_BYTES} bytes or more.")
        if self.mode == "direct" and (self.mask or self.mask_patterns):
            raise ConfigError("mask needs the relay: with mode=direct the gateway never sees what guests write.")
        if not self.retention_h >= 0:
            raise ConfigError("retention_h must not be negative.")
        if self.public_url is not None:
            _check_url("public_url", self.public_url, ("https", "http"))


@dataclass(frozen=True, kw_only=True)
class EmulatorSettings:
    """How the emulated org is set up.

    Attributes:
        host: Address to listen on; the default is this machine only.
        port: Port to listen on; 0 takes a free one.
        client_id: Id of its OAuth client.
        client_secret: Secret of its OAuth client; environment or file only.
        deployment_id: Id of its Messenger deployment.
        seed: Makes ids and clock the same in every run.
        access_token_ttl_s: Seconds an access token lives.
        session_ttl_s: Seconds a session token lives.
        demo_agent: Whether an automatic agent answers when no person is on queue.
        demo_agent_delay_s: Seconds it takes before it answers.
        echo: Whether sessions say a guest's messages back, with their ids.
        history: Whether a session's earlier messages can be read over REST.
        public_url: Address that guests use, where it differs from the one listened on.
        log_format: Lines for people (text) or for machines (json).
        log_level: Least level that is logged.
    """

    host: str = "127.0.0.1"
    port: int = 8001
    client_id: str = "demo-client"
    client_secret: Annotated[Secret, Parameter(converter=_secret, accepts_keys=False, n_tokens=1, show=False)] = field(
        default_factory=lambda: Secret("demo-secret")
    )
    deployment_id: str = EMULATED_DEPLOYMENT
    seed: int | None = None
    access_token_ttl_s: float = 3600.0
    session_ttl_s: float = 86_400.0
    demo_agent: bool = True
    demo_agent_delay_s: float = 1.0
    echo: bool = False
    history: bool = False
    public_url: str | None = None
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"

    def __post_init__(self) -> None:
        """Check what can be checked before any I/O.

        Raises:
            ConfigError: A port out of range, an address that is none, or an id that is none.
        """
        _check_port(self.port)
        _check_deployment(self.deployment_id)
        for name in ("access_token_ttl_s", "session_ttl_s"):
            _check_seconds(name, getattr(self, name), most=TEN_YEARS_S)
        if not 0 <= self.demo_agent_delay_s <= HOUR_S:
            raise ConfigError(f"demo_agent_delay_s must be from 0 to {HOUR_S:g}.")
        if self.public_url is not None:
            _check_url("public_url", self.public_url, ("https", "http"))


@dataclass(slots=True)
class Sources:
    """Where each setting that is not a default came from: option name → "option", "env NAME" or the file's path."""

    by_option: dict[str, str] = field(default_factory=dict)

    def __call__(self, _app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Take note; runs as the last of a command's configurations."""
        for argument in arguments:
            for token in argument.tokens:
                source = {"env": f"env {token.keyword}", "cli": "option"}.get(token.source, token.source)
                self.by_option[argument.name.removeprefix("--").replace("-", "_")] = source


# Table in the settings file, and prefix in the environment.
_HOMES: dict[type, tuple[str, str]] = {
    ProviderSettings: ("gateway", "GUESTWIRE_"),
    GatewaySettings: ("gateway", "GUESTWIRE_"),
    EmulatorSettings: ("emulator", "GUESTWIRE_EMULATOR_"),
}

_Config = Callable[[App, tuple[str, ...], "ArgumentCollection"], object]


def settings_sources(kind: type, sources: Sources | None = None) -> list[_Config]:
    """Return what a cyclopts command that takes `kind` reads besides its command line: environment, then file."""
    table, prefix = _HOMES[kind]
    named = os.environ.get(_FILE_VARIABLE)
    configs: list[_Config] = [
        _check_file,
        Env(prefix, command=False),
        Toml(
            named or SETTINGS_FILE,
            root_keys=[table],
            use_commands_as_keys=False,
            # A client reads the provider's part of the gateway's table and leaves the rest.
            allow_unknown=kind is ProviderSettings,
        ),
    ]
    return [*configs, sources] if sources is not None else configs


def _check_file(_app: App, _commands: tuple[str, ...], _arguments: ArgumentCollection) -> None:
    """Say which file is broken: the library's own error names only the line."""
    named = os.environ.get(_FILE_VARIABLE)
    path = Path(named or SETTINGS_FILE)
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{_FILE_VARIABLE} names {path}, but there is no such file.") from None
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {_plain(error)}.") from None
    except OSError as error:
        raise ConfigError(f"Could not read {path}: {error.strerror}.") from None


_T = TypeVar("_T", ProviderSettings, GatewaySettings, EmulatorSettings)


def read_settings(kind: type[_T], *options: str) -> _T:
    """Read the settings of `kind` from file, environment and `options`, for a program of one's own.

    Args:
        kind: `ProviderSettings`, `GatewaySettings` or `EmulatorSettings`.
        options: As on the command line, e.g. "--region", "eu-central-1".

    Raises:
        ConfigError: The file is broken, or a value does not fit; the message names file, key and what was expected.
    """
    app = App(config=settings_sources(kind), version_flags=[], help_flags=[], result_action="return_value")

    taken: list[_T] = []

    def take(*, settings: _T) -> None:
        taken.append(settings)

    take.__annotations__ = {"settings": Annotated[kind, Parameter(name="*")]}
    take.__kwdefaults__ = {"settings": kind()}
    app.default(take)
    try:
        app(list(options), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        problem = _plain(error)
    else:
        return taken[0]
    # Raised out here because the other error holds every value, secrets too, and would be this one's context.
    raise ConfigError(problem if problem.endswith("?") else f"{problem}.")


def has_desktop() -> bool:
    """Return whether this machine can show a browser window; without one, opening it would take over the terminal."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _plain(error: Exception) -> str:
    """Return an error's words in one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".")


def _check_port(port: int) -> None:
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port must be between 0 and 65535, not {port}.")


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    parts = _split_url(url)
    # The scheme is compared as written: other settings are made from the text of this one.
    is_known = parts is not None and parts.scheme in schemes and url.startswith(f"{parts.scheme}://")
    if parts is None or not is_known or not parts.hostname:
        raise ConfigError(f"{name} must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{name} must have no user, query or fragment.")
    if parts.scheme in {"http", "ws"} and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ConfigError(f"{name} must begin with {schemes[0]}:// unless it is on this machine.")


def _split_url(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read, because a bad port is found no earlier
    except ValueError:
        return None
    return parts


def _check_origin(name: str, origin: str, *, several: str = "") -> None:
    parts = _split_url(origin)
    is_web = parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname)
    if parts is None or not is_web or f"{parts.scheme}://{parts.netloc}" != origin:
        raise ConfigError(
            f"{name}: {origin!r} is no origin; expected scheme and host like https://example.com, "
            f"without a slash at the end{several}."
        )
    has_default_port = (parts.scheme, parts.port) in {("https", 443), ("http", 80)}
    if origin != origin.lower() or not origin.isascii() or parts.username is not None or has_default_port:
        raise ConfigError(
            f"{name}: no browser writes {origin!r}; expected lower case, a host in ASCII (xn--… for others), "
            "and no user or default port."
        )


def _check_deployment(deployment_id: str) -> None:
    try:
        is_uuid = str(UUID(deployment_id)) == deployment_id.lower()
    except ValueError:
        is_uuid = False
    if not is_uuid:
        raise ConfigError(
            f"deployment_id: {deployment_id!r} is no deployment's id; expected one like "
            "5f0c2a9e-6d1b-4f0e-9a77-0c1f2f3a4b5c, as it stands in the Messenger deployment's snippet."
        )


def _check_network(proxy: str) -> None:
    try:
        ip_network(proxy, strict=False)
    except ValueError:
        raise ConfigError(
            f"trusted_proxies: {proxy!r} is no address or network; expected one like 10.0.0.5 or 10.0.0.0/8."
        ) from None


def _check_seconds(name: str, seconds: float, *, most: float) -> None:
    if not 0 < seconds <= most:  # false for NaN, too
        raise ConfigError(f"{name} must be more than 0 and at most {most:g} seconds, not {seconds:g}.")
