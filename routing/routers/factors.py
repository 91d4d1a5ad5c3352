"""The factorisation itself: model vectors and a projection of embeddings, fit to outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.routers.kinds import Outcomes

FloatArray = NDArray[np.float64]

#: Fewer outcomes than this, of a fit or of a model that joins, teach nothing.
LEAST = 10


@dataclass(frozen=True, eq=False)
class Factors:
    """success(m, q) = sigmoid(vectors[m] . (projection q, 1)).

    Attributes:
        projection: shape (rank, dimensions).
        models: M names.
        vectors: shape (M, rank + 1); the last number is how good the model is anyway.
    """

    projection: FloatArray
    models: tuple[str, ...]
    vectors: FloatArray

    def success(self, vector: np.ndarray, models: Sequence[str]) -> FloatArray:
        """Return P(each model answers well), shape (len(models),)."""
        rows = self.vectors[[self.models.index(model) for model in models]]
        return _sigmoid(rows @ np.append(self.projection @ vector, 1.0))


def fit(
    embedded: np.ndarray,
    outcomes: Outcomes,
    weight: FloatArray,
    rank: int,
    ridge: float,
    seed: int,
) -> Factors:
    """Fit by penalised likelihood.

    Args:
        embedded: shape (n, dimensions), unit length.
        outcomes: of M models; what is nan is not used.
        weight: shape (n,), above 0.
        rank: length of a projected query.
        ridge: penalty on projection and model vectors; the models' own levels are free.
        seed: of where the search begins.

    Raises:
        ValueError: when a model has too few outcomes.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    quality = np.asarray(outcomes.quality, np.float64)
    known = np.isfinite(quality)
    for model, n in zip(outcomes.models, known.sum(axis=0), strict=True):
        if n < LEAST:
            raise ValueError(f"{model} has {n} outcomes; it takes {LEAST}.")
    mass = known * (weight / weight.mean())[:, None]
    target = np.where(known, quality, 0.0)
    x = np.asarray(embedded, np.float64)
    with threadpool_limits(1):  # the same sums on any machine, and no waiting for busy cores
        found = minimize(
            _loss,
            _start(x.shape[1], mass, target, rank, seed),
            args=(x, mass, target, rank, ridge),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 200},
        )
    projection, vectors = _split(found.x, x.shape[1], len(outcomes.models), rank)
    return Factors(projection, outcomes.models, vectors)


def _start(d: int, mass: FloatArray, target: FloatArray, rank: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    share = ((mass * target).sum(axis=0) + 1) / (mass.sum(axis=0) + 2)
    vectors = rng.normal(0, 0.3, (mass.shape[1], rank + 1))
    # All begin by agreeing on one direction, difficulty: it is most of what there is to learn.
    vectors[:, 0] = 1.0
    vectors[:, -1] = np.log(share / (1 - share))
    return np.concatenate([rng.normal(0, 0.3, rank * d), vectors.ravel()])


def _split(flat: FloatArray, d: int, models: int, rank: int) -> tuple[FloatArray, FloatArray]:
    return flat[: rank * d].reshape(rank, d), flat[rank * d :].reshape(models, rank + 1)


def _loss(
    flat: FloatArray, x: FloatArray, mass: FloatArray, target: FloatArray, rank: int, ridge: float
) -> tuple[float, FloatArray]:
    projection, vectors = _split(flat, x.shape[1], mass.shape[1], rank)
    own, level = vectors[:, :-1], vectors[:, -1]
    projected = x @ projection.T
    z = projected @ own.T + level
    off = mass * (_sigmoid(z) - target)
    value = (mass * (np.logaddexp(0, z) - target * z)).sum()
    value += 0.5 * ridge * ((projection**2).sum() + (own**2).sum())
    to_projection = (off @ own).T @ x + ridge * projection
    to_vectors = np.column_stack([off.T @ projected + ridge * own, off.sum(axis=0)])
    return float(value), np.concatenate([to_projection.ravel(), to_vectors.ravel()])


def join(
    known: Factors, embedded: np.ndarray, model: str, quality: FloatArray, weight: FloatArray
) -> Factors:
    """Return the factors with one more model; the projection and all others stay as they are.

    The new vector is drawn towards the known ones, by as much as they differ from each other: with
    fifty prompts its level is learnt and the rest is mostly what such models are like.

    Raises:
        ValueError: when the name is known, or there are too few outcomes.
    """
    q = np.asarray(quality, np.float64)
    if model in known.models:
        raise ValueError(f"{model} is among the models already.")
    if len(q) < LEAST or not ((q >= 0) & (q <= 1)).all():
        raise ValueError(f"A model joins with {LEAST} outcomes in [0, 1] or more.")
    x = np.column_stack([np.asarray(embedded, np.float64) @ known.projection.T, np.ones(len(q))])
    found = _towards(x, q, weight / weight.mean(), known.vectors)
    return Factors(
        known.projection, (*known.models, model), np.vstack([known.vectors, found[None, :]])
    )


def _towards(x: FloatArray, q: FloatArray, w: FloatArray, others: FloatArray) -> FloatArray:
    """Return the most likely vector where others like it were drawn from a normal distribution."""
    from scipy.optimize import minimize

    centre = others.mean(axis=0)
    spread = np.cov(others.T, bias=True) if len(others) > 2 else np.zeros((x.shape[1],) * 2)
    # Few models tell little of how models differ: each direction may differ by a bit more.
    floor = 0.05 * np.trace(spread) / len(spread) + 0.05
    precision = np.linalg.inv(spread + floor * np.eye(len(spread)))

    def loss(v: FloatArray) -> tuple[float, FloatArray]:
        z, away = x @ v, v - centre
        value = float(w @ (np.logaddexp(0, z) - q * z) + 0.5 * away @ precision @ away)
        return value, x.T @ (w * (_sigmoid(z) - q)) + precision @ away

    found: FloatArray = minimize(loss, centre, jac=True, method="L-BFGS-B").x
    return found


def _sigmoid(z: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), np.float64)
