"""What a tester may do to the org: set faults and fire them, advance the clock, reset, seed, revoke."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guestwire.emulator.changes import (
    ConnectionLimitReached,
    GarbageSent,
    LoggedOut,
    SignedInElsewhere,
    SocketsDropped,
)
from guestwire.emulator.faults import CATALOGUE, FaultKind, FaultName, FaultRefused, Faults
from guestwire.emulator.guest_side import GuestSide
from guestwire.emulator.org import Org

__all__ = ["Control"]

# A client that caches its token, as it should, would not notice these for an hour.
_ENDS_ACCESS_TOKENS = frozenset({FaultName.BAD_CREDENTIALS, FaultName.MISSING_SCOPE})


class Control:
    """Commands of testers, behind the control API and for tests in the same process."""

    def __init__(self, org: Org, guests: GuestSide) -> None:
        """Take the org to play with."""
        self._org = org
        self._guests = guests

    def switch(self, name: FaultName, *, on: bool, params: Mapping[str, object] | None = None) -> None:
        """Turn a fault on or off.

        Raises:
            FaultRefused: It is an action, or a parameter is wrong; nothing was changed.
        """
        self._change(lambda faults: faults.switch(name, on=on, params=params or {}))
        if on and name in _ENDS_ACCESS_TOKENS:
            self._org.expire_access_tokens()

    def clear_faults(self) -> None:
        """Turn every fault off; what the emulator was started with stays on."""
        self._change(Faults.clear)

    def fire(self, name: FaultName) -> None:
        """Let an action happen, once.

        Raises:
            FaultRefused: It is a switch.
        """
        if CATALOGUE[name].kind is not FaultKind.ACTION:
            raise FaultRefused(f"{name} is a switch: set it with PUT and a member on.")
        match name:
            case FaultName.EXPIRE_OAUTH_TOKEN:
                self._org.expire_access_tokens()
            case FaultName.EXPIRE_SESSION_TOKEN:
                self._org.expire_sessions()
            case FaultName.DROP_SOCKETS:
                self._org.publish(SocketsDropped())
            case FaultName.CONNECTION_LIMIT:
                self._org.publish(ConnectionLimitReached())
            case FaultName.SIGN_IN_ELSEWHERE:
                self._org.publish(SignedInElsewhere(frozenset(self._org.sessions)))
            case FaultName.LOG_OUT_GUESTS:
                for user_id in self._org.users:
                    self._org.publish(LoggedOut(user_id))
            case FaultName.EXPIRE_FILES:
                self._org.files.clear()
            case _:
                self._org.publish(GarbageSent())

    def reset(self) -> None:
        """Forget everything and start again, with the seed there was."""
        self._org.reset(self._org.seed)

    def seed(self, seed: int) -> None:
        """Forget everything and start again with another seed."""
        self._org.reset(seed)

    def _change(self, change: Callable[[Faults], None]) -> None:
        was_published = self._org.is_flow_published
        self._org.change_faults(change)
        if self._org.is_flow_published and not was_published:
            self._guests.route_waiting()
