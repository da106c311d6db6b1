"""How many files and sockets this process may have open."""

from __future__ import annotations

import sys

__all__ = ["raise_open_files"]


def raise_open_files(wanted: int) -> int | None:
    """Raise the soft limit to `wanted`, or as far as the hard one lets us; it is never lowered.

    Returns:
        The limit now; None where there is none.
    """
    if sys.platform == "win32":
        return None
    import resource  # POSIX only

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    if soft >= wanted:
        return soft
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # some systems have a third limit, which only an attempt tells
        return soft
    return most
