"""Embedding + logistic regression: fit with scikit-learn, served as one dot product.

`predict_proba` costs 170 us a row, the same numbers by hand 3 us; and the artifact is two arrays
in an .npz, which loads without running code.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from routing import embedders
from routing.embedders.memory import Remembering
from routing.routers.rules import Rules
from routing.types import Score

KIND = "rules+embedding-logistic"


@dataclass(frozen=True)
class EmbeddingRouter:
    """Rules first, then sigmoid(coef . embedding + intercept).

    Attributes:
        coef: shape (dimensions,), on unit-length embeddings.
    """

    embedder: Remembering
    coef: np.ndarray
    intercept: float
    rules: Rules = field(default_factory=Rules)

    @property
    def is_instant(self) -> bool:
        """Whether the embedder is."""
        return self.embedder.is_instant

    def score(self, query: str) -> Score:
        """Return P(the expensive tier is needed), with the rule's name when a rule said it."""
        return self.rules.score(query) or self._judge(self.embedder.embed(query))

    def recall(self, query: str) -> Score | None:
        """Return what a rule says or a remembered vector gives, without embedding."""
        ruled = self.rules.score(query)
        if ruled is not None:
            return ruled
        vector = self.embedder.recall(query)
        return None if vector is None else self._judge(vector)

    def _judge(self, vector: np.ndarray) -> Score:
        logit = float(self.coef @ vector) + self.intercept
        return Score(float(1.0 / (1.0 + np.exp(-logit))))


def fit(vectors: np.ndarray, needs_expensive: Sequence[int], seed: int) -> tuple[np.ndarray, float]:
    """Fit the head.

    Args:
        vectors: shape (n, dimensions), unit length.
        needs_expensive: n labels, 0 or 1, both present.
        seed: of the solver.

    Returns:
        Coefficients of shape (dimensions,) and the intercept.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=2000, random_state=seed)
    model.fit(vectors, np.asarray(needs_expensive))
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def dumps(coef: np.ndarray, intercept: float) -> bytes:
    """Return the artifact: an .npz of two arrays, no objects."""
    buffer = io.BytesIO()
    np.savez(buffer, coef=coef, intercept=np.float64(intercept))
    return buffer.getvalue()


def loads(artifact: bytes, embedder: str) -> EmbeddingRouter:
    """Return the router of an artifact, on the embedder with this id.

    Raises:
        KeyError: when there is no such embedder.
        ModelsMissing: when its files are not there and cannot be built.
        ValueError: when the arrays are not numbers of the embedder's dimensions.
    """
    with np.load(io.BytesIO(artifact), allow_pickle=False) as arrays:
        coef, intercept = arrays["coef"], float(arrays["intercept"])
    used = embedders.get(embedder)
    if coef.shape != (used.dimensions,) or not np.isfinite([*coef, intercept]).all():
        raise ValueError(f"The artifact does not fit {embedder}: coef has shape {coef.shape}.")
    return EmbeddingRouter(used, coef, intercept)
