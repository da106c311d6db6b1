"""What can be broken in a gateway on purpose, to see that the checker notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ABLATIONS", "Ablation"]


@dataclass(frozen=True)
class Ablation:
    """A guarantee taken away.

    Attributes:
        patch: Breaks the production code of this process.
    """

    patch: Callable[[], None]


ABLATIONS: dict[str, Ablation] = {}
