"""Whether a query is like any of those a router was trained on; if not, its score is a guess."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from routing.routers.near import Stored

#: Vectors kept at most: with 384 dimensions a query costs a tenth of a millisecond.
MOST = 2_000
#: A smaller limit comes from near copies of one question, and would call the next copy unfamiliar.
LEAST = 0.05


@dataclass(frozen=True, eq=False)
class Familiar:
    """The training queries' vectors, and how far from them a query may be.

    Distance is 1 - cosine, its mean over the k nearest.

    Attributes:
        vectors: float32, shape (m, dimensions), unit length.
        limit: the distance that only a few training queries have from the others.
        k: neighbours.
    """

    vectors: np.ndarray
    limit: float
    k: int = 5

    @classmethod
    def fit(
        cls, vectors: np.ndarray, k: int = 5, quantile: float = 0.995, seed: int = 0
    ) -> Familiar:
        """Keep a seeded subsample, and set the limit by leaving each of it out once.

        Equal vectors count once: a question asked daily makes no other less familiar.

        Args:
            vectors: shape (n, dimensions), unit length.
            k: neighbours.
            quantile: of the distances within the training queries.
            seed: of the subsample.

        Raises:
            ValueError: when fewer than k + 1 different vectors are left.
        """
        kept = np.unique(np.asarray(vectors, np.float32), axis=0)
        if len(kept) > MOST:
            drawn = np.random.default_rng(seed).choice(len(kept), MOST, replace=False)
            kept = kept[np.sort(drawn)]
        if len(kept) <= k:
            raise ValueError(f"What is familiar takes more than {k} different queries to say.")
        near = kept @ kept.T
        np.fill_diagonal(near, -np.inf)
        left_out = 1 - np.partition(near, -k, axis=1)[:, -k:].mean(axis=1)
        return cls(kept, max(float(np.quantile(left_out, quantile)), LEAST), k)

    def distance(self, vector: np.ndarray) -> float:
        """Return the mean distance to the k nearest."""
        near = self._stored.cosines(vector)
        return float(1 - np.partition(near, -self.k)[-self.k :].mean())

    def is_far(self, vector: np.ndarray) -> bool:
        """Return whether a query is farther away than nearly all training queries are."""
        return not self.distance(vector) <= self.limit

    @cached_property
    def _stored(self) -> Stored:
        return Stored(self.vectors)
