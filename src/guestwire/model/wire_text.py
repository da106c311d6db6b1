r"""JSON text as careless peers write it: half emoji, which UTF-8 can't write, become U+FFFD."""

from __future__ import annotations

import json
import re

__all__ = ["repaired_json", "well_formed"]

_SURROGATE = re.compile(r"\\ud[89a-f]", re.IGNORECASE)


def well_formed(text: str) -> str:
    """Return the text with half emoji (lone surrogates), which UTF-8 can't write, as U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def repaired_json(text: str) -> str:
    r"""Return a frame with its lone surrogates replaced: some providers cut texts in the middle of an emoji.

    JSON may write them (`"\ud83d"`), browsers take them, and msgspec refuses the whole frame. Only frames with such an
    escape, which are few, pay for the second decoder. What is no JSON is returned as it came.
    """
    if "\\" not in text or not _SURROGATE.search(text):
        return text
    try:
        return well_formed(json.dumps(json.loads(text), ensure_ascii=False))
    except (ValueError, RecursionError):
        return text
