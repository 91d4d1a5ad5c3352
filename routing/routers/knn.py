"""k nearest neighbours: the share of like queries that needed the expensive model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from routing import embedders
from routing.routers import arrays, vectors
from routing.routers.kinds import Examples, Kind, chosen
from routing.routers.near import Stored
from routing.routers.vector_router import VectorRouter
from routing.types import Score

NAME = "knn"
#: Labelled queries kept at most: with 384 dimensions a query costs a fifth of a millisecond.
MOST = 3_000
#: What k is chosen from, unless it is said.
_TRIED = (5, 10, 20, 40, 80, 160)
#: Nearer than this is the same question again, which tells nothing about others.
_SAME = 1 - 1e-5


@dataclass(frozen=True, eq=False)
class KnnRouter(VectorRouter):
    """The mean label of the k nearest, nearer ones counting more.

    Attributes:
        vectors: float32, shape (m, dimensions), unit length.
        needs: shape (m,), in [0, 1].
        weight: shape (m,), above 0.
    """

    vectors: np.ndarray
    needs: np.ndarray
    weight: np.ndarray
    k: int

    def _judge(self, vector: np.ndarray) -> Score:
        cosines = self._stored.cosines(vector)
        near = np.argpartition(cosines, -self.k)[-self.k :]
        votes = _votes(cosines[near], self.weight[near])
        return Score(float(votes @ self.needs[near] / votes.sum()))

    @cached_property
    def _stored(self) -> Stored:
        return Stored(self.vectors)


def _votes(cosines: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return how much each neighbour counts; one at a right angle counts next to nothing."""
    votes: np.ndarray = weight * np.maximum(cosines, 1e-3)
    return votes


def fit(examples: Examples, embedder: str, seed: int, options: Mapping[str, Any]) -> bytes:
    """Return the artifact: a seeded subsample of the labels, and the k that suits them best.

    Raises:
        ValueError: when there are fewer than ten, or k is no whole number from 1.
    """
    k = chosen(KNN, options)["k"]
    made = np.asarray(vectors.of(examples, embedder), np.float32)
    if len(made) < 10:
        raise ValueError(f"Neighbours take ten labels or more; there are {len(made)}.")
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST):
        raise ValueError(f"k is a whole number from 1 to {MOST:,}.")
    kept = np.arange(len(made))
    if len(made) > MOST:
        kept = np.sort(np.random.default_rng(seed).choice(kept, MOST, replace=False))
    made, needs = made[kept], examples.needs_expensive[kept]
    weight = examples.weight[kept] / examples.weight[kept].mean()
    k = min(k, len(made)) if k else best_k(made, needs, weight)
    return dumps(made, needs, weight, k)


def best_k(made: np.ndarray, needs: np.ndarray, weight: np.ndarray) -> int:
    """Return the k with the smallest squared error when each query is asked without its own label.

    Args:
        made: shape (n, dimensions), unit length.
        needs: shape (n,).
        weight: shape (n,).
    """
    cosines = made @ made.T
    cosines[cosines > _SAME] = -1.0  # itself, and every repetition of it
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : _TRIED[-1]]
    votes = _votes(np.take_along_axis(cosines, order, axis=1), weight[order])
    told = np.cumsum(votes * needs[order], axis=1) / np.cumsum(votes, axis=1)
    tried = [k for k in _TRIED if k <= max(5, len(made) // 4)]
    errors = [float(weight @ (told[:, k - 1] - needs) ** 2) for k in tried]
    return tried[int(np.argmin(errors))]


def dumps(made: np.ndarray, needs: np.ndarray, weight: np.ndarray, k: int) -> bytes:
    """Return the artifact."""
    return arrays.dumps({"vectors": made, "needs": needs, "weight": weight, "k": np.int64(k)})


def loads(artifact: bytes, embedder: str) -> KnnRouter:
    """Return the router of an artifact, on the embedder with this id.

    Raises:
        KeyError: when there is no such embedder.
        ModelsMissing: when its files are not there and cannot be built.
        ValueError: when the arrays do not fit together or the embedder.
    """
    held = arrays.loads(artifact)
    if not {"vectors", "needs", "weight", "k"} <= held.keys():
        raise ValueError("The artifact holds no neighbours.")
    used, k = embedders.get(embedder), int(held["k"])
    made, needs, weight = held["vectors"], held["needs"], held["weight"]
    fits = made.ndim == 2 and made.shape[1] == used.dimensions and 1 <= k <= len(made)
    if not fits or not needs.shape == weight.shape == made.shape[:1]:
        raise ValueError(f"The artifact does not fit {embedder}: vectors have {made.shape}.")
    is_finite = np.isfinite(made).all() and np.isfinite(weight).all()
    is_sound = is_finite and ((needs >= 0) & (needs <= 1) & (weight > 0)).all()
    if not is_sound:
        raise ValueError("The artifact's labels lie outside [0, 1].")
    return KnnRouter(used, made.astype(np.float32), needs, weight, k)


KNN = Kind(
    NAME,
    "k nearest neighbours",
    "Looks up the labelled queries that are most like the new one, and takes their mean label.",
    "Where traffic has clear clusters, and to see at once which labels a score comes from.",
    "One embedding and a look at 3,000 vectors at most; no call to a model.",
    loads,
    fit=fit,
    has_embedder=True,
    defaults={"k": None},
)
KINDS = (KNN,)
