"""What routers have in common whose score follows from the query's vector alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from routing.embedders.memory import Remembering
from routing.types import Score


@dataclass(frozen=True, eq=False)
class VectorRouter:
    """Embeds, and has its subclass judge the vector: float32, shape (dimensions,), unit length."""

    embedder: Remembering

    @property
    def is_instant(self) -> bool:
        """Whether the embedder is."""
        return self.embedder.is_instant

    def score(self, query: str) -> Score:
        """Return the score of a query."""
        return self._judge(self.embedder.embed(query))

    def recall(self, query: str) -> Score | None:
        """Return the same for a remembered vector, without embedding."""
        vector = self.embedder.recall(query)
        return None if vector is None else self._judge(vector)

    def _judge(self, vector: np.ndarray) -> Score:
        raise NotImplementedError
