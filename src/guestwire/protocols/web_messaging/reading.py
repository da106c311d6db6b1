"""The client's reading of the history: which pages are wanted, with which key, when.

Source: web-messaging §1.4, §3.8, §5 (10 a minute).
"""

from __future__ import annotations

from guestwire.model.secret import Secret
from guestwire.protocols.web_messaging.limits import HISTORY_READS_PER_MIN, Window
from guestwire.protocols.web_messaging.rest import HistoryQuery

__all__ = ["HISTORY_PAGE_SIZE", "Reading"]

HISTORY_PAGE_SIZE = 100
"""What the vendor's Java SDK asks for: fewer calls of the 10 a minute."""

TRIES = 3
"""A page that could not be read so often is given up, until somebody asks again; a caller that waits for it is told at
once."""

FRESH_S = 5.0
"""A key with less time than this left is not used any more, as in the vendor's mobile SDK."""


class Reading:
    """One page at a time.

    Attributes:
        is_busy: Whether a page or its key is being waited for.
        at: When to go on; None for at once.
    """

    def __init__(self, *, tries: int = TRIES) -> None:
        """Want nothing; `tries` is how often a page is tried."""
        self._most_tries = tries
        self.is_busy = False
        self.at: float | None = None
        self._pages: list[int] = []
        self._tries = 0
        self._window = Window(HISTORY_READS_PER_MIN, 60.0)
        self._jwt: Secret | None = None
        self._jwt_until = 0.0

    @property
    def deadline(self) -> float | None:
        """When to ask `wants_now` again; None while there is nothing to wait for."""
        return self.at if self._pages and not self.is_busy else None

    def want(self, page: int, *, first: bool = False) -> None:
        """Put a page on the list, unless it is there."""
        if page in self._pages:
            return
        if first:
            self._pages.insert(0, page)
        else:
            self._pages.append(page)

    def wants(self, page: int) -> bool:
        """Return whether a page is still to be read."""
        return page in self._pages

    def wait_s(self, now: float) -> float:
        """Return the seconds until another page may be read; 0.0 for now."""
        return self._window.wait_s(now)

    def wants_now(self, now: float) -> HistoryQuery | None:
        """Return the page to read now; None when nothing is wanted, or it must wait, until `at`."""
        if self.is_busy or not self._pages or (self.at is not None and now < self.at):
            return None
        wait_s = self._window.wait_s(now)
        self.at = now + wait_s if wait_s > 0 else None
        return None if wait_s > 0 else HistoryQuery(self._pages[0], HISTORY_PAGE_SIZE)

    def key(self, now: float) -> Secret | None:
        """Return the key in hand, while it is good."""
        return self._jwt if now < self._jwt_until - FRESH_S else None

    def took_key(self, jwt: Secret, until: float) -> None:
        """Take a key that is good until then, in monotonic seconds; used at once, also when that is soon."""
        self._jwt, self._jwt_until = jwt, until
        self.is_busy = False

    def begin(self, now: float) -> None:
        """Take note that the page is being read."""
        self.is_busy = True
        self._window.take(now)

    def done(self, page: int) -> None:
        """Take note that a page was read."""
        self.is_busy = False
        self._tries = 0
        if page in self._pages:
            self._pages.remove(page)

    def failed(self, now: float, wait_s: float) -> int | None:
        """Take note that it was not; return the page if it is given up, None if it is tried again after `wait_s`."""
        self.is_busy = False
        self._jwt = None
        self._jwt_until = 0.0
        self._tries += 1
        if self._tries < self._most_tries:
            self.at = now + wait_s
            return None
        self._tries = 0
        return self._pages.pop(0)

    def disconnected(self) -> None:
        """Forget the key, and what was asked for; what is wanted stays wanted."""
        self.is_busy = False
        self.at = None
        self._jwt = None
        self._jwt_until = 0.0

    def forget(self) -> None:
        """Another session: nothing of this one is wanted."""
        self.disconnected()
        self._pages.clear()
        self._tries = 0
