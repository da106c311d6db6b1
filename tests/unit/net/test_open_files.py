"""The limit on open files, in a process of its own: a limit once lowered stays low."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="There is no such limit.")

_CODE = """
import resource
from guestwire.net.open_files import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(raise_open_files({wanted}), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "allowed"),
    [
        pytest.param(100, 500, 300, 300, id="as-far-as-wanted"),
        pytest.param(100, 500, 5000, 500, id="as-far-as-allowed"),
        pytest.param(400, 500, 300, 400, id="never-lowered"),
    ],
)
def test_the_soft_limit_follows_what_is_needed(soft: int, hard: int, wanted: int, allowed: int) -> None:
    code = _CODE.format(soft=soft, hard=hard, wanted=wanted)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(number) for number in done.stdout.split()] == [allowed, allowed, hard]
