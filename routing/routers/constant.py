"""Rules, and one score for everything else: a router without embedder and training."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np

from routing.routers.rules import Rules
from routing.types import Score

KIND = "rules"


@dataclass(frozen=True)
class ConstantRouter:
    """Rules first, then always the same.

    Attributes:
        value: the score in [0, 1] of what no rule catches.
    """

    value: float
    rules: Rules = field(default_factory=Rules)
    is_instant: bool = True

    def score(self, query: str) -> Score:
        """Return the rule's score, or the constant."""
        return self.rules.score(query) or Score(self.value)

    def recall(self, query: str) -> Score | None:
        """Return the score: none takes work."""
        return self.score(query)


def dumps(value: float) -> bytes:
    """Return the artifact: an .npz of one number, no objects."""
    buffer = io.BytesIO()
    np.savez(buffer, value=np.float64(value))
    return buffer.getvalue()


def loads(artifact: bytes, embedder: str = "") -> ConstantRouter:
    """Return the router of an artifact; `embedder` must be empty.

    Raises:
        ValueError: when an embedder is named, or the value lies outside [0, 1].
    """
    if embedder:
        raise ValueError(f"A router of rules has no embedder, but this one names {embedder}.")
    with np.load(io.BytesIO(artifact), allow_pickle=False) as arrays:
        value = float(arrays["value"])
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"The artifact's score is {value}, outside [0, 1].")
    return ConstantRouter(value)
