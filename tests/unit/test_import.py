"""The package itself: quick to import, and complete."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import guestwire

HEAVY = ("aiohttp", "uvicorn", "starlette", "cyclopts", "websockets", "msgspec")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_imports_no_heavy_library() -> None:
    """Whoever only asks for the version does not wait for a network library."""
    loaded = run("import sys, guestwire; guestwire.__version__; print(*{name.split('.')[0] for name in sys.modules})")
    assert not set(HEAVY) & set(loaded.split())


def test_the_pure_layers_import_no_network_library() -> None:
    """Protocols can be used with any I/O."""
    loaded = run(
        "import sys, guestwire.protocols.guest_session.client, guestwire.protocols.guest_session.server,"
        " guestwire.protocols.guest_session.rest, guestwire.protocols.oauth.client, guestwire.protocols.oauth.server,"
        " guestwire.model.transcript; print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert set(HEAVY) & set(loaded.split()) == {"msgspec"}
    assert "asyncio" not in loaded.split()


@pytest.mark.parametrize("name", guestwire.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Imported on first use, and then kept."""
    value = getattr(guestwire, name)
    assert value is not None
    assert vars(guestwire)[name] is value
    assert name in dir(guestwire)


def test_all_is_sorted_and_complete() -> None:
    """What is lazily there is listed, and what is listed is there."""
    assert set(guestwire.__all__) == {*guestwire._HOMES, "__version__"}
    assert sorted(guestwire.__all__) == sorted(set(guestwire.__all__))


def test_every_home_lists_what_it_gives() -> None:
    """A public name is public where it lives, too."""
    for name, home in guestwire._HOMES.items():
        assert name in importlib.import_module(home).__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = guestwire.nonsense
