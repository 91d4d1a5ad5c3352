"""Fit the classifier of task types; `python -m routing.tasktypes_fit` writes it anew.

Its queries were written for this project. Recorded queries of others measure it, never fit it.
"""

from __future__ import annotations

import hashlib
import io
import json
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from routing import embedders, tasktypes

_DATA = Path(__file__).parent / "data"
SOURCES = (_DATA / "starter_queries.jsonl", _DATA / "task_queries.jsonl")
_SEED, _FOLDS = 7, 5
#: The best of 3, 10 and 30 by cross-validated log loss.
_C = 10.0


class Fitted(NamedTuple):
    """The classifier and its card, as they are stored."""

    artifact: bytes
    card: dict[str, Any]


def rows() -> list[dict[str, Any]]:
    """Return the queries with their task types."""
    texts = (source.read_text(encoding="utf-8") for source in SOURCES)
    return [json.loads(line) for text in texts for line in text.splitlines()]


def fit() -> Fitted:
    """Fit the classifier; the same queries give the same arrays, to the last digits of a CPU.

    The artifact is an .npz of two arrays, `coef` and `intercept`, without objects.
    """
    found = rows()
    embedder = embedders.get(tasktypes.EMBEDDER)
    read = [tasktypes.features(row["query"], embedder.embed(row["query"])) for row in found]
    x, y = np.stack(read), np.array([row["task"] for row in found])
    model = _model().fit(x, y)
    assert tuple(model.classes_) == tasktypes.NAMES, "rows of coef are in the order of the names"
    buffer = io.BytesIO()
    np.savez(buffer, coef=model.coef_, intercept=model.intercept_)
    artifact = buffer.getvalue()
    return Fitted(artifact, _card(artifact, len(found)) | _measured(x, y))


def _model() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=_C, max_iter=5000, tol=1e-6, random_state=_SEED)


def _card(artifact: bytes, n: int) -> dict[str, Any]:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES))
    return {
        "sha256": hashlib.sha256(artifact).hexdigest(),
        "training_sha256": digest.hexdigest(),
        "embedder": tasktypes.EMBEDDER,
        "names": list(tasktypes.NAMES),
        "n": n,
        "seed": _SEED,
        "versions": {name: metadata.version(name) for name in ("numpy", "scikit-learn")},
    }


def _measured(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return what it is worth on its own queries, each named by a fit without it."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    chances = cross_val_predict(_model(), x, y, cv=folds, method="predict_proba")
    is_right = np.array(tasktypes.NAMES)[chances.argmax(axis=1)] == y
    is_named = chances.max(axis=1) >= tasktypes.LEAST_CHANCE
    return {
        "accuracy": round(float(is_right.mean()), 3),
        "named": round(float(is_named.mean()), 3),
        "accuracy_of_named": round(float(is_right[is_named].mean()), 3),
    }


def write() -> Fitted:
    """Fit and store the classifier with its card."""
    made = fit()
    tasktypes.ARTIFACT.write_bytes(made.artifact)
    tasktypes.CARD.write_text(json.dumps(made.card, indent=1) + "\n", encoding="utf-8")
    return made


if __name__ == "__main__":
    print(json.dumps(write().card, indent=1))
