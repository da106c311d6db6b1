"""The guestwire command as a user runs it: a process of its own, its output, its exit code."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from guestwire.settings import EmulatorSettings

COMMAND = (sys.executable, "-c", "from guestwire.cli import main; main()")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GUESTWIRE_")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "100", **more}


@asynccontextmanager
async def running(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        cwd=cwd,
        env=env or environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def finished(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    async with running(*arguments, cwd=cwd, env=env) as process:
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


async def output_until(process: asyncio.subprocess.Process, pattern: str) -> str:
    """Read stdout until `pattern` is in it; what was read is shown when the process dies before."""
    assert process.stdout is not None
    seen = ""
    while not re.search(pattern, seen):
        line = await process.stdout.readline()
        if not line:
            assert process.stderr is not None
            raise AssertionError(f"ended before {pattern!r}: {seen}{(await process.stderr.read()).decode()}")
        seen += line.decode()
    return seen


@pytest.mark.parametrize("api, spoken", [((), "Web Messaging"), (("--api", "guest-session"), "the tutorial's")])
async def test_demo_runs_everything_and_ctrl_c_ends_it_cleanly(
    tmp_path: Path, api: tuple[str, ...], spoken: str
) -> None:
    """`guestwire demo` prints where chat and desk are, serves both, and ends with 0 and no traceback."""
    async with running("demo", *api, "--port", "0", "--emulator-port", "0", "--no-browser", cwd=tmp_path) as process:
        welcome = await output_until(process, r"3\. ")
        assert f"Between them:              {spoken}" in welcome
        urls = re.findall(r"http://127\.0\.0\.1:\d+/\S*", welcome)
        assert len(urls) == 2
        async with aiohttp.ClientSession() as http:
            for url in urls:
                async with http.get(url) as answer:
                    assert answer.status == 200
                    assert "text/html" in answer.headers["content-type"]
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert (process.returncode, out.decode().strip(), err.decode()) == (0, "Stopped.", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "arguments, ready", [(("serve", "--port", "0"), r"guestwire emulate"), (("emulate", "--port", "0"), r"Control:")]
)
async def test_serve_and_emulate_end_cleanly(
    tmp_path: Path, arguments: tuple[str, ...], ready: str, number: signal.Signals
) -> None:
    """Both say where they are, and SIGINT and SIGTERM end them with 0 and no traceback."""
    async with running(*arguments, cwd=tmp_path) as process:
        await output_until(process, ready)
        process.send_signal(number)
        _, err = await process.communicate()
        assert process.returncode == 0
        assert "Traceback" not in err.decode()


async def test_the_emulator_says_its_deployment_and_credentials(tmp_path: Path) -> None:
    """The defaults are printed; a secret of the user's own is not."""
    async with running("emulate", "--port", "0", cwd=tmp_path) as process:
        assert "demo-client" in (said := await output_until(process, r"Control:"))
        assert "demo-secret" in said
        assert f"deploymentId={EmulatorSettings().deployment_id}" in said
    own = environment(GUESTWIRE_EMULATOR_CLIENT_SECRET="canary-5417")
    async with running("emulate", "--port", "0", cwd=tmp_path, env=own) as process:
        assert "canary-5417" not in await output_until(process, r"Control:")


@pytest.mark.parametrize(
    "arguments, fix",
    [
        (("demo", "--emulator-port", "0", "--port", "{taken}", "--no-browser"), "--port"),
        (("demo", "--emulator-port", "{taken}", "--port", "0", "--no-browser"), "--emulator-port"),
        (("serve", "--port", "{taken}"), "--port"),
        (("emulate", "--port", "{taken}"), "--port"),
    ],
)
async def test_a_taken_port_is_one_sentence_and_the_fix(tmp_path: Path, arguments: tuple[str, ...], fix: str) -> None:
    """Exit code 2, the port's number, which option to use, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = await finished(*(part.format(taken=port) for part in arguments), cwd=tmp_path)
    assert code == 2
    assert port in err
    assert fix in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "text, named",
    [
        ("[gateway\n", "guestwire.toml"),
        ("[gateway]\nprot = 1\n", "prot"),
        ('[gateway]\nport = "many"\n', "port"),
        ('[gateway]\nregion = "mars"\n', "mars"),
    ],
)
async def test_a_broken_settings_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    """Exit code 2 and what is wrong, no traceback."""
    (tmp_path / "guestwire.toml").write_text(text)
    code, _, err = await finished("serve", cwd=tmp_path)
    assert code == 2
    assert named in err
    assert "Traceback" not in err


async def test_print_config_shows_sources_and_masks_secrets(tmp_path: Path) -> None:
    """Each setting with its value and where it came from."""
    (tmp_path / "guestwire.toml").write_text('[gateway]\nregion = "eu-west-1"\nclient_secret = "canary-90210"\n')
    code, out, _ = await finished(
        "serve", "--print-config", "--port", "9", cwd=tmp_path, env=environment(GUESTWIRE_LOG_LEVEL="debug")
    )
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()}
    assert code == 0
    assert rows["port"].split() == ["9", "option"]
    assert rows["log_level"].endswith("env GUESTWIRE_LOG_LEVEL")
    assert rows["region"].endswith("guestwire.toml")
    assert rows["client_secret"].startswith("***")
    assert "canary" not in out


async def test_a_secret_is_not_an_option(tmp_path: Path) -> None:
    """It would stay in the shell's history; the error says where it goes, without repeating it."""
    code, _, err = await finished("serve", "--client-secret", "canary-1", cwd=tmp_path)
    assert code == 2
    assert "environment" in err
    assert "canary-1" not in err


async def test_an_org_without_credentials_says_what_is_missing(tmp_path: Path) -> None:
    """A region alone is not enough."""
    code, _, err = await finished("serve", "--region", "eu-west-1", "--port", "0", cwd=tmp_path)
    assert code == 2
    assert "GUESTWIRE_CLIENT_ID" in err


async def test_version_and_unknown_commands(tmp_path: Path) -> None:
    """`--version` is one line; a typing mistake names the nearest command."""
    code, out, _ = await finished("--version", cwd=tmp_path)
    assert (code, out) == (0, "0.1.0\n")
    code, _, err = await finished("sevre", cwd=tmp_path)
    assert code == 2
    assert "serve" in err
