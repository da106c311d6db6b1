"""A value that must not be seen."""

from __future__ import annotations

import hmac

__all__ = ["Secret"]


class Secret:
    """A secret whose `repr` and `str` are masked; reading it is an explicit call.

    It can't be pickled or encoded by accident, and compares in constant time.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap `value`."""
        self._value = value

    def reveal(self) -> str:
        """Return the value itself; the caller must not log it, put it in a URL of ours or in an exception's text."""
        return self._value

    def __repr__(self) -> str:
        """Return a mask of fixed length, so that not even the length leaks."""
        return "Secret('***')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        """Return whether there is a value."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        """Hash the value, so that equal secrets are one key."""
        return hash(self._value)

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied into something that is stored."""
        raise TypeError("A Secret is not pickled.")
