"""Settings: defaults < file < environment < options, and errors that name the place and leak nothing."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from cyclopts import App, Parameter

from guestwire.errors import ConfigError
from guestwire.settings import (
    EmulatorSettings,
    GatewaySettings,
    ProviderSettings,
    Secret,
    Sources,
    has_desktop,
    read_settings,
    settings_sources,
)

SECRET = "hunter2-hunter2"
WriteFile = Callable[[str], Path]


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine: an empty folder, no variable."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GUESTWIRE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    def write(text: str) -> Path:
        path = tmp_path / "guestwire.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def texts_of(error: BaseException) -> str:
    """Return all that a log could show of an error and of what it came from."""
    texts = traceback.format_exception(error)
    cause: BaseException | None = error
    while cause is not None:
        texts += [str(cause), repr(cause)]
        cause = cause.__context__
    return "\n".join(texts)


def refused(kind: type[ProviderSettings | GatewaySettings | EmulatorSettings], *options: str) -> ConfigError:
    """Read settings that are wrong; whatever is wrong, the secret stays secret."""
    with pytest.raises(ConfigError) as caught:
        read_settings(kind, *options)  # type: ignore[type-var]
    assert SECRET not in texts_of(caught.value)
    assert caught.value.message.endswith((".", "?"))
    return caught.value


# --- where values come from --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ProviderSettings, GatewaySettings, EmulatorSettings])
def test_without_anything_there_are_defaults(kind: type[GatewaySettings]) -> None:
    """All of them work on this machine."""
    assert read_settings(kind) == kind()


def test_precedence(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source overrides the one before, value by value."""
    assert read_settings(GatewaySettings).port == 8000
    write_file('[gateway]\nport = 1\nhost = "0.0.0.0"\nregion = "eu-central-1"')
    assert read_settings(GatewaySettings).port == 1
    monkeypatch.setenv("GUESTWIRE_PORT", "2")
    monkeypatch.setenv("GUESTWIRE_REGION", "eu-west-1")
    assert read_settings(GatewaySettings).port == 2
    settings = read_settings(GatewaySettings, "--port", "3")
    assert (settings.port, settings.host, settings.provider.region) == (3, "0.0.0.0", "eu-west-1")


def test_another_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By GUESTWIRE_SETTINGS."""
    path = tmp_path / "other.toml"
    path.write_text("[gateway]\nport = 5")
    monkeypatch.setenv("GUESTWIRE_SETTINGS", str(path))
    assert read_settings(GatewaySettings).port == 5


def test_the_emulator_has_its_own_table_and_prefix(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both may stand in one file and one environment."""
    write_file("[gateway]\nport = 1\n[emulator]\nseed = 4\ndemo_agent = false")
    monkeypatch.setenv("GUESTWIRE_PORT", "2")
    monkeypatch.setenv("GUESTWIRE_EMULATOR_PORT", "3")
    settings = read_settings(EmulatorSettings)
    assert (settings.port, settings.seed, settings.demo_agent) == (3, 4, False)


def test_a_client_reads_the_providers_part(write_file: WriteFile) -> None:
    """And leaves the rest of the gateway's table."""
    write_file('[gateway]\nport = 1\nregion = "eu-central-1"')
    assert read_settings(ProviderSettings) == ProviderSettings(region="eu-central-1")


def test_lists(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TOML array, words in the environment, an option repeated."""
    expected = ("https://a.example", "https://b.example")
    write_file('[gateway]\nallowed_origins = ["https://a.example", "https://b.example"]')
    assert read_settings(GatewaySettings).allowed_origins == expected
    write_file("")
    monkeypatch.setenv("GUESTWIRE_ALLOWED_ORIGINS", "https://a.example https://b.example")
    assert read_settings(GatewaySettings).allowed_origins == expected
    monkeypatch.delenv("GUESTWIRE_ALLOWED_ORIGINS")
    options = ["--allowed-origins", "https://a.example", "--allowed-origins", "https://b.example"]
    assert read_settings(GatewaySettings, *options).allowed_origins == expected


def test_what_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUESTWIRE_MASK", "card iban")
    monkeypatch.setenv("GUESTWIRE_MASK_PATTERNS", r"ORD-\d+")
    settings = read_settings(GatewaySettings)
    assert (settings.mask, settings.mask_patterns) == (("card", "iban"), (r"ORD-\d+",))
    monkeypatch.setenv("GUESTWIRE_MODE", "direct")
    with pytest.raises(ConfigError, match="mask needs the relay"):
        read_settings(GatewaySettings)
    monkeypatch.setenv("GUESTWIRE_MASK", "cards")
    with pytest.raises(ConfigError, match="MASK"):
        read_settings(GatewaySettings)


def test_a_command_knows_where_each_value_came_from(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """For `--print-config`; a default has no source."""
    path = write_file('[gateway]\nhost = "0.0.0.0"')
    monkeypatch.setenv("GUESTWIRE_REGION", "eu-west-1")
    sources = Sources()
    app = App(config=settings_sources(GatewaySettings, sources), result_action="return_value")

    taken: list[GatewaySettings] = []

    @app.default
    def command(*, settings: Annotated[GatewaySettings, Parameter(name="*")] = GatewaySettings()) -> None:  # noqa: B008
        taken.append(settings)

    app(["--port", "3"], exit_on_error=False, print_error=False)
    assert taken[0].port == 3
    assert sources.by_option == {"port": "option", "region": "env GUESTWIRE_REGION", "host": str(path)}


# --- what is wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, words",
    [
        ("[gateway]\nprot = 1", ["prot", "guestwire.toml"]),
        ("[gateway.provider]\nregion = 1", ["provider", "guestwire.toml"]),
        ('[gateway]\nport = "many"', ["port", "guestwire.toml", "many", "int"]),
        ('[gateway]\nlog_format = "xml"', ["log_format", "guestwire.toml", "text", "json"]),
        ("[gateway\nport = 1", ["guestwire.toml", "line 1"]),
        ("gateway = 3", ["gateway", "guestwire.toml"]),
        ("[gateway]\nport = 70000", ["port", "65535"]),
    ],
)
def test_a_wrong_file(text: str, words: list[str], write_file: WriteFile) -> None:
    """The message names file and key."""
    write_file(text)
    message = refused(GatewaySettings).message
    assert all(word in message for word in words), message


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """Not UTF-8."""
    (tmp_path / "guestwire.toml").write_bytes(b'[gateway]\nregion = "\xff"')
    assert "guestwire.toml" in refused(GatewaySettings).message


def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    """It can't be read."""
    (tmp_path / "guestwire.toml").mkdir()
    assert "guestwire.toml" in refused(GatewaySettings).message


def test_a_file_that_is_named_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the name is wrong."""
    monkeypatch.setenv("GUESTWIRE_SETTINGS", "nowhere.toml")
    message = refused(GatewaySettings).message
    assert "GUESTWIRE_SETTINGS" in message
    assert "nowhere.toml" in message


def test_a_wrong_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names it and says what was expected."""
    monkeypatch.setenv("GUESTWIRE_PORT", "many")
    message = refused(GatewaySettings).message
    assert all(word in message for word in ("GUESTWIRE_PORT", "many", "int"))


@pytest.mark.parametrize("options", [["--prot", "3"], ["--port", "many"], ["stray"], ["--log-level", "loud"]])
def test_a_wrong_option(options: list[str]) -> None:
    """The message names it."""
    assert options[0] in refused(GatewaySettings, *options).message


def test_every_error_has_a_next_step() -> None:
    """Where to see all settings and their sources."""
    assert "--print-config" in refused(GatewaySettings, "--port", "-1").hint


@pytest.mark.parametrize("port", [-1, 65_536])
def test_ports(port: int) -> None:
    """0 to 65,535; 0 takes a free one."""
    for kind in (GatewaySettings, EmulatorSettings):
        with pytest.raises(ConfigError, match="port"):
            kind(port=port)
        assert kind(port=0).port == 0


@pytest.mark.parametrize(
    "name",
    [
        "max_connections",
        "max_connections_per_address",
        "max_records",
        "max_tabs",
        "session_ttl_s",
        "sessions_burst",
        "sessions_per_day",
        "sessions_per_day_total",
        "sessions_per_minute",
        "sessions_per_minute_total",
    ],
)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_let_somebody_in(name: str, value: float) -> None:
    """Zero would be a chat for nobody."""
    with pytest.raises(ConfigError, match=name):
        GatewaySettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["connect_timeout_s", "answer_timeout_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_timeouts_give_some_time(name: str, value: float) -> None:
    """Zero would always be too late."""
    with pytest.raises(ConfigError, match=name):
        ProviderSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "origin", ["*", "https://www.example.com", "http://localhost:8080", "https://xn--bcher-kva.example"]
)
def test_origins(origin: str) -> None:
    """Scheme and host, or every site."""
    assert GatewaySettings(allowed_origins=(origin,)).allowed_origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "www.example.com",
        "https://",
        "https://example.com/",
        "https://example.com/chat",
        "ftp://example.com",
        "https://[bad",
        "https://example.com:many",
        "https://a.example,https://b.example",
    ],
)
def test_what_is_no_origin(origin: str) -> None:
    """The message shows it and an example."""
    with pytest.raises(ConfigError, match="allowed_origins") as caught:
        GatewaySettings(allowed_origins=("https://good.example", origin))
    assert repr(origin) in caught.value.message


# --- the provider ------------------------------------------------------------------------------------------------


def test_addresses_follow_from_the_region() -> None:
    """By name or domain (guest-session §1)."""
    for region in ("eu-central-1", "mypurecloud.de", "EU-Central-1"):
        settings = ProviderSettings(region=region)
        assert settings.resolved_base_url == "https://api.mypurecloud.de"
        assert settings.resolved_oauth_url == "https://api.mypurecloud.de/api/v2/oauth/token"
        assert settings.resolved_socket_url == "wss://chat.mypurecloud.com/ws"
    assert ProviderSettings().resolved_base_url == "https://api.mypurecloud.com"


def test_an_unknown_region(write_file: WriteFile) -> None:
    """The message lists those there are."""
    write_file('[gateway]\nregion = "mars"')
    message = refused(GatewaySettings).message
    assert "'mars'" in message
    assert "us-east-1" in message


def test_addresses_follow_from_the_base_url() -> None:
    """With or without a slash at the end."""
    for base_url in ("http://127.0.0.1:8001", "http://127.0.0.1:8001/"):
        settings = ProviderSettings(base_url=base_url)
        assert settings.resolved_base_url == "http://127.0.0.1:8001"
        assert settings.resolved_oauth_url == "http://127.0.0.1:8001/api/v2/oauth/token"
        assert settings.resolved_socket_url == "ws://127.0.0.1:8001/ws"
    assert ProviderSettings(base_url="https://x.example").resolved_socket_url == "wss://x.example/ws"


DEPLOYMENT = "5f0c2a9e-6d1b-4f0e-9a77-0c1f2f3a4b5c"


def test_web_messaging_follows_from_the_region() -> None:
    """A deployment and a region are all it needs (web-messaging §1.1)."""
    settings = ProviderSettings(deployment_id=DEPLOYMENT, region="eu-central-1")
    assert settings.resolved_api == "web-messaging"
    assert settings.deployment() == DEPLOYMENT
    assert settings.resolved_base_url == "https://api.mypurecloud.de"
    assert settings.resolved_messaging_url == "wss://webmessaging.mypurecloud.de"
    assert settings.resolved_cdn_url == "https://api-cdn.mypurecloud.de"
    sovereign = ProviderSettings(region="eusc-de-east-1")
    assert sovereign.resolved_messaging_url == "wss://webmessaging.edee1.eusc-pure.cloud"


def test_web_messaging_follows_from_the_base_url() -> None:
    """As the emulator needs it; each may be set."""
    settings = ProviderSettings(base_url="http://127.0.0.1:8001/")
    assert settings.resolved_messaging_url == "ws://127.0.0.1:8001"
    assert settings.resolved_cdn_url == "http://127.0.0.1:8001"
    settings = ProviderSettings(
        base_url="https://a.example", messaging_url="wss://b.example/", cdn_url="https://c.example/"
    )
    assert settings.resolved_messaging_url == "wss://b.example"
    assert settings.resolved_cdn_url == "https://c.example"


def test_which_api() -> None:
    """What is set; else what the other settings speak of."""
    assert ProviderSettings().resolved_api == "guest-session"
    assert ProviderSettings(client_id="x").resolved_api == "guest-session"
    assert ProviderSettings(deployment_id=DEPLOYMENT, api="guest-session").resolved_api == "guest-session"
    assert ProviderSettings(api="web-messaging").resolved_api == "web-messaging"


def test_a_missing_deployment() -> None:
    """Says where to set it."""
    with pytest.raises(ConfigError, match="GUESTWIRE_DEPLOYMENT_ID"):
        ProviderSettings(api="web-messaging").deployment()


@pytest.mark.parametrize("wrong", ["", "x", DEPLOYMENT + " ", "{" + DEPLOYMENT + "}", DEPLOYMENT.replace("-", "")])
def test_a_deployment_is_a_uuid(wrong: str) -> None:
    """As the vendor shows it."""
    with pytest.raises(ConfigError, match="snippet"):
        ProviderSettings(deployment_id=wrong)
    with pytest.raises(ConfigError, match="snippet"):
        EmulatorSettings(deployment_id=wrong)


def test_an_origin_to_say() -> None:
    """One, as browsers write it."""
    assert ProviderSettings(origin="https://www.example.com").origin == "https://www.example.com"
    with pytest.raises(ConfigError, match=r"origin: 'www\.example\.com' is no origin"):
        ProviderSettings(origin="www.example.com")


def test_each_address_may_be_set() -> None:
    """One by one."""
    settings = ProviderSettings(
        base_url="https://a.example", oauth_url="https://b.example/oauth/token", socket_url="wss://c.example/ws"
    )
    assert settings.resolved_oauth_url == "https://b.example/oauth/token"
    assert settings.resolved_socket_url == "wss://c.example/ws"


@pytest.mark.parametrize(
    "name, url",
    [
        ("base_url", "http://api.example.com"),
        ("oauth_url", "http://login.example.com/oauth/token"),
        ("socket_url", "ws://chat.example.com/ws"),
        ("socket_url", "https://chat.example.com/ws"),
        ("base_url", "wss://api.example.com"),
        ("base_url", "api.example.com"),
        ("base_url", ""),
        ("base_url", "https://"),
        ("base_url", "https://[bad"),
        ("base_url", "https://api.example.com:many"),
        ("base_url", "https://api.example.com:99999"),
        ("base_url", f"https://user:{SECRET}@api.example.com"),
        ("socket_url", "wss://chat.example.com/ws?token=x"),
        ("oauth_url", "https://login.example.com/#x"),
        ("base_url", "http://localhost.example.com"),
    ],
)
def test_addresses_that_will_not_do(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unencrypted only on this machine; no credentials, no query, no fragment; the message names the setting."""
    monkeypatch.setenv(f"GUESTWIRE_{name.upper()}", url)
    assert name in refused(ProviderSettings).message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_unencrypted_on_this_machine(host: str) -> None:
    """That is where the emulator runs."""
    settings = ProviderSettings(base_url=f"http://{host}:8001", socket_url=f"ws://{host}:8001/ws")
    assert settings.resolved_base_url == f"http://{host}:8001"


def test_the_emulators_public_address() -> None:
    """The same rules."""
    assert EmulatorSettings(public_url="https://x.example").public_url == "https://x.example"
    with pytest.raises(ConfigError, match="public_url"):
        EmulatorSettings(public_url="x.example")


def test_whether_a_provider_is_named() -> None:
    """Nothing set means none."""
    assert ProviderSettings().is_unset
    assert ProviderSettings(api="guest-session").is_unset
    assert not ProviderSettings(client_id="x").is_unset


# --- secrets -----------------------------------------------------------------------------------------------------


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masked wherever settings are shown."""
    monkeypatch.setenv("GUESTWIRE_CLIENT_ID", "id")
    monkeypatch.setenv("GUESTWIRE_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("GUESTWIRE_EMULATOR_CLIENT_SECRET", SECRET)
    settings = read_settings(GatewaySettings)
    assert settings.provider.credentials() == ("id", Secret(SECRET))
    assert read_settings(EmulatorSettings).client_secret == Secret(SECRET)
    assert SECRET not in f"{settings} {settings!r} {read_settings(EmulatorSettings)!r}"


@pytest.mark.parametrize("value", ['{"a": 1}', '["a"]', "--port=4", " a b ", "1", "true", "", "é"])
def test_a_secret_is_never_interpreted(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it looks like."""
    monkeypatch.setenv("GUESTWIRE_CLIENT_SECRET", value)
    assert read_settings(ProviderSettings).client_secret == Secret(value)


def test_a_secret_from_the_settings_file(write_file: WriteFile) -> None:
    """The file is as private as the environment."""
    write_file(f'[gateway]\nclient_secret = "{SECRET}"')
    assert read_settings(ProviderSettings).client_secret == Secret(SECRET)


def test_a_secret_from_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As orchestrators mount them; white space around is not part of it, and it wins."""
    (tmp_path / "secret").write_text(f" {SECRET}\n")
    monkeypatch.setenv("GUESTWIRE_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("GUESTWIRE_CLIENT_ID", "id")
    monkeypatch.setenv("GUESTWIRE_CLIENT_SECRET", "another")
    assert read_settings(ProviderSettings).credentials() == ("id", Secret(SECRET))


def test_a_secrets_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The message names the setting and the file, not what is in it."""
    with pytest.raises(ConfigError, match=r"client_secret_file.*nowhere"):
        ProviderSettings(client_id="id", client_secret_file=tmp_path / "nowhere").credentials()
    (tmp_path / "binary").write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(ConfigError, match="client_secret_file") as caught:
        ProviderSettings(client_id="id", client_secret_file=tmp_path / "binary").credentials()
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("kind", [ProviderSettings, GatewaySettings, EmulatorSettings])
@pytest.mark.parametrize("options", [["--client-secret", SECRET], [f"--client-secret={SECRET}"]])
def test_a_secret_is_no_option(kind: type[GatewaySettings], options: list[str]) -> None:
    """A command line is seen by everybody; the message says where it belongs and does not repeat it."""
    message = refused(kind, *options).message
    assert "--client-secret" in message
    assert "environment" in message


@pytest.mark.parametrize("value", [f'["{SECRET}", "{SECRET}"]', f'{{ a = "{SECRET}" }}'])
def test_a_secret_that_is_no_text(value: str, write_file: WriteFile) -> None:
    """The message names the key."""
    write_file(f"[gateway]\nclient_secret = {value}")
    assert "client_secret" in refused(GatewaySettings).message


def test_a_secret_that_is_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python keeps such bytes as lone surrogates, which no request could carry."""
    monkeypatch.setenv("GUESTWIRE_CLIENT_SECRET", SECRET + "\udcff")
    assert "GUESTWIRE_CLIENT_SECRET" in refused(GatewaySettings).message


@pytest.mark.parametrize(
    "name, value", [("PORT", "many"), ("PORT", "70000"), ("REGION", "mars"), ("LOG_LEVEL", "loud"), ("DEV", "perhaps")]
)
def test_no_secret_in_the_error_about_another_value(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in its text, nor in anything it came from."""
    monkeypatch.setenv("GUESTWIRE_CLIENT_SECRET", SECRET)
    monkeypatch.setenv(f"GUESTWIRE_{name}", value)
    refused(GatewaySettings)


@pytest.mark.parametrize("rest", ["port = 'many'", "prot = 1", "port =", "[gateway]"])
def test_no_secret_in_the_error_about_its_file(rest: str, write_file: WriteFile) -> None:
    """Though it stands in that file."""
    write_file(f'[gateway]\nclient_secret = "{SECRET}"\n{rest}\n')
    refused(GatewaySettings)
    write_file(f"[gateway]\nclient_secret = {SECRET}\n")
    refused(GatewaySettings)


@pytest.mark.parametrize(
    "settings, missing",
    [
        (ProviderSettings(), "client_id"),
        (ProviderSettings(client_secret=Secret(SECRET)), "client_id"),
        (ProviderSettings(client_id="id"), "client_secret"),
        (ProviderSettings(client_id="id", client_secret=Secret("")), "client_secret"),
    ],
)
def test_missing_credentials(settings: ProviderSettings, missing: str) -> None:
    """The message says where to set what is missing, and how to do without."""
    with pytest.raises(ConfigError) as caught:
        settings.credentials()
    for word in (f"{missing} is not set", f"GUESTWIRE_{missing.upper()}", "guestwire.toml", "guestwire demo"):
        assert word in caught.value.message
    assert SECRET not in texts_of(caught.value)


# --- the desktop -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "platform, variables, expected",
    [
        ("darwin", {}, True),
        ("win32", {}, True),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"DISPLAY": ""}, False),
    ],
)
def test_has_desktop(platform: str, variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux without a display has none."""
    monkeypatch.setattr("sys.platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert has_desktop() is expected
