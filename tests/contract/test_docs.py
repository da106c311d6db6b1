"""The docs say what the code does: generated pages are fresh, links lead somewhere, examples are Python."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_client import generate_latest

from guestwire.gateway.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "bench")
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
    if "node_modules" not in path.parts
)


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name, text", tool("generate_docs").pages().items())
def test_generated_pages_are_fresh(name: str, text: str) -> None:
    """`make generate` was run after the code changed."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page exists."""
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_metrics_of_the_docs_exist() -> None:
    """An alarm on a metric that is never there would never ring."""
    shown = generate_latest(Metrics()._registry).decode()
    existing = set(re.findall(r"^# HELP (\w+)", shown, flags=re.MULTILINE))
    pages = {page: page.read_text(encoding="utf-8") for page in PAGES if "docs" in page.parts}
    named = {(page.name, name) for page, text in pages.items() for name in re.findall(r"`(guestwire_\w+)", text)}
    assert len(named) > 5
    assert {(page, name) for page, name in named if name not in existing} == set()
    states = re.findall(r'\{state="(\w+)"\}', pages[ROOT / "docs" / "howto" / "operations.md"])
    assert all(f'guestwire_messages_settled_total{{state="{state}"}}' in shown for state in states)


def test_python_in_the_readme_compiles() -> None:
    """The examples are Python."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
