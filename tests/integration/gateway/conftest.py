"""What the gateway's tests share."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from guestwire.net.logs import configure_logging


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, down to debug."""
    root, ours = logging.getLogger(), logging.getLogger("guestwire")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    configure_logging("json", "debug", stream=stream)
    yield stream
    root.handlers[:], root.level, ours.level = before[0], before[1], before[2]
    ours.setLevel(before[2])
