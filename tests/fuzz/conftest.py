"""Sizes of the fuzz runs: `pytest tests/fuzz --fuzz-frames 1000000` is the long form."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-frames", type=int, default=100_000, help="how many frames the raw-byte fuzzer sends")
    parser.addoption("--fuzz-seed", type=int, default=1, help="seed of the fuzzers' random source")
