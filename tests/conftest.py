"""For all tests: nothing in our package may block the event loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio; one loop for the session, so that a browser can be shared."""
    return "asyncio"


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Raise when our code makes a blocking call inside a running event loop."""
    with blockbuster_ctx("guestwire") as guard:
        yield guard


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests wrote down (`record_property("figures", …)`)."""
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when")]
    properties = [each for report in reports if report.when == "call" for each in report.user_properties]
    lines = sorted(line for name, line in properties if name == "figures")
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))
