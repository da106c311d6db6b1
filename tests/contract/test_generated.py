"""What is generated is fresh."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def tool(name: str) -> ModuleType:
    """Import a script of tools/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"tools/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_browsers_tables_are_pythons() -> None:
    """After a change of states, close codes or error codes: `make generate`."""
    generate_tables = tool("generate_tables")
    assert generate_tables.TARGET == ROOT / "src/guestwire/web/widget/core/tables.js"
    assert generate_tables.TARGET.read_text("utf-8") == generate_tables.tables_module()
