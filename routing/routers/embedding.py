"""Embedding + logistic regression: fit with scikit-learn, served as one dot product.

`predict_proba` costs 170 us a row, the same numbers by hand 3 us; and the artifact is two arrays
in an .npz, which loads without running code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from routing import embedders
from routing.routers import arrays, vectors
from routing.routers.kinds import Examples, Kind, chosen
from routing.routers.vector_router import VectorRouter
from routing.types import Score

KIND = "rules+embedding-logistic"


@dataclass(frozen=True)
class EmbeddingRouter(VectorRouter):
    """sigmoid(coef . embedding + intercept).

    Attributes:
        coef: shape (dimensions,), on unit-length embeddings.
    """

    coef: np.ndarray
    intercept: float

    def _judge(self, vector: np.ndarray) -> Score:
        logit = float(self.coef @ vector) + self.intercept
        return Score(float(1.0 / (1.0 + np.exp(-logit))))


def fit(
    made: np.ndarray,
    needs_expensive: Sequence[int] | np.ndarray,
    seed: int,
    weight: np.ndarray | None = None,
    c: float = 1.0,
) -> tuple[np.ndarray, float]:
    """Fit the head.

    Args:
        made: vectors of shape (n, dimensions), unit length.
        needs_expensive: n labels, 0 or 1, both present.
        seed: of the solver.
        weight: of each label; all alike when None.
        c: how freely it follows the labels.

    Returns:
        Coefficients of shape (dimensions,) and the intercept.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    model = LogisticRegression(C=c, max_iter=2000, random_state=seed)
    with threadpool_limits(limits=1):  # the number of threads would change the last digits
        model.fit(made, np.asarray(needs_expensive), sample_weight=weight)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def fit_examples(examples: Examples, embedder: str, seed: int, options: Mapping[str, Any]) -> bytes:
    """Return the artifact of a head fit to labelled queries; a label of .3 is .3 of a one.

    Raises:
        ValueError: when all labels say the same.
    """
    c = chosen(LOGISTIC, options)["c"]
    made, needs = vectors.of(examples, embedder), examples.needs_expensive
    weight = examples.weight / examples.weight.mean() if len(made) else examples.weight
    both = np.concatenate([weight * (1 - needs), weight * needs])
    kept = both > 0
    labels = np.repeat([0, 1], len(made))[kept]
    if len(set(labels.tolist())) < 2:
        raise ValueError("All labels say the same; there is nothing to tell apart.")
    coef, intercept = fit(np.concatenate([made, made])[kept], labels, seed, both[kept], float(c))
    return dumps(coef, intercept)


def dumps(coef: np.ndarray, intercept: float) -> bytes:
    """Return the artifact: an .npz of two arrays, no objects."""
    return arrays.dumps({"coef": coef, "intercept": np.float64(intercept)})


def loads(artifact: bytes, embedder: str) -> EmbeddingRouter:
    """Return the router of an artifact, on the embedder with this id.

    Raises:
        KeyError: when there is no such embedder.
        ModelsMissing: when its files are not there and cannot be built.
        ValueError: when the arrays are not numbers of the embedder's dimensions.
    """
    held = arrays.loads(artifact)
    if not {"coef", "intercept"} <= held.keys():
        raise ValueError("The artifact holds no head.")
    coef, intercept = held["coef"], float(held["intercept"])
    used = embedders.get(embedder)
    if coef.shape != (used.dimensions,) or not np.isfinite([*coef, intercept]).all():
        raise ValueError(f"The artifact does not fit {embedder}: coef has shape {coef.shape}.")
    return EmbeddingRouter(used, coef, intercept)


LOGISTIC = Kind(
    KIND,
    "Embedding + logistic regression",
    "The query's embedding, weighed by one number a dimension: P(the expensive model is needed).",
    "With a hundred labels or more; simple, and hard to overfit.",
    "One embedding: well under a millisecond (static) or some ten (MiniLM). No call to a model.",
    loads,
    fit=fit_examples,
    has_embedder=True,
    defaults={"c": 1.0},
)
KINDS = (LOGISTIC,)
