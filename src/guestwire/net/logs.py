"""Logs: structured lines through the standard library's logging, for people or for machines.

Everything of ours, and whatever uvicorn or aiohttp have to say, goes through one handler of the root logger. Tracebacks
come without the values of local variables, which may be secrets; texts of our errors hold none.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import Processor

__all__ = ["configure_logging", "get_logger"]

_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def get_logger(name: str) -> BoundLogger:
    """Return a structured logger of the standard library's logger `name`.

    Until `configure_logging` was called, or an app set up logging of its own, only warnings and errors are seen.
    """
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=BoundLogger,
        processors=[structlog.stdlib.filter_by_level, *_SHARED, ProcessorFormatter.wrap_for_formatter],
    )
    return cast("BoundLogger", logger)  # structlog's own return type is Any


def configure_logging(log_format: Literal["text", "json"], level: str, *, stream: TextIO | None = None) -> None:
    """Send all logs of this process to one place; called once, by the program, never by a library.

    Args:
        log_format: Lines for people, or one JSON object a line.
        level: Least level of ours that is logged; of others warnings and errors only.
        stream: Where to; standard error by default.
    """
    target = stream or sys.stderr
    renderer: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=target.isatty(),
                # The default shows the values of local variables when `rich` is installed.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        ProcessorFormatter(foreign_pre_chain=_SHARED, processors=[ProcessorFormatter.remove_processors_meta, *renderer])
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("guestwire").setLevel(level.upper())
