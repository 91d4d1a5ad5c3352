"""How sure one may be that the sources hold the answer, before anybody answered.

Logistic regressions on the numbers of `features`, one for each set of numbers that can be known,
and of those with cosines one for each embedder. Their constants are in
`routing/data/retrieval_confidence.json`, written by `benchmarks/retrieval_confidence.py`, which
says how far they can be trusted.

Below LOW the sources should not be relied on; from HIGH on they can be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from routing.retrieval import terms
from routing.types import Source

CONSTANTS = Path(__file__).parent.parent / "data" / "retrieval_confidence.json"
LOW, HIGH = 0.5, 0.8
#: Sources of a client that are looked at, and characters of each.
MOST, LONGEST = 20, 4000


def of(signals: Mapping[str, float], embedder: str = "") -> float:
    """Return P(the sources hold the answer), in [0, 1].

    Args:
        signals: of a search; those of one list are enough.
        embedder: id of whose the cosines among them are. Those of one that nothing was fitted for
            count for nothing.

    Raises:
        ValueError: when there is no fit for these numbers.
    """
    for fit in _fits():
        is_known = not fit["embedders"] or embedder in fit["embedders"]
        if is_known and all(name in signals for name in fit["features"]):
            return _logistic(fit, signals)
    raise ValueError(f"No confidence from {', '.join(sorted(signals)) or 'nothing'}.")


def of_context(
    query: str, sources: Sequence[Source], embed: Callable[[str], np.ndarray]
) -> tuple[float, dict[str, float]]:
    """Return confidence and signals of passages that a client brought.

    Its scores count by their shape only, since nobody knows their scale.

    Args:
        query: self-contained.
        sources: in the client's order.
        embed: text to unit vector; called for the query and the first `MOST` sources.
    """
    if not sources or not query.strip():
        return 0.0, {}
    signals = of_texts(query, [source.text for source in sources], embed)
    scores = [source.score for source in sources if source.score is not None]
    if len(scores) == len(sources) > 1:
        signals |= of_shape(scores)
    return of(signals), signals


def of_texts(
    query: str, texts: Sequence[str], embed: Callable[[str], np.ndarray]
) -> dict[str, float]:
    """Return what query and texts have in common.

    Returns:
        context_max, context_mean: cosines with the query. context_cover, context_union: share of
        the query's terms in the best text, and in all of them together.
    """
    texts = [text[:LONGEST] for text in texts[:MOST]]
    vector = embed(query)
    cosines = np.array([float(vector @ embed(text)) for text in texts])
    asked = set(terms.of(query))
    held = [asked & set(terms.of(text)) for text in texts]
    most = max(len(asked), 1)
    return {
        "context_max": float(cosines.max()),
        "context_mean": float(cosines.mean()),
        "context_cover": max(map(len, held)) / most,
        "context_union": len(set().union(*held)) / most,
    }


def of_shape(scores: Sequence[float]) -> dict[str, float]:
    """Return how far the best of two or more scores stands out, whatever their scale.

    Returns:
        context_gap: best less second, by best less worst; 0 where all are equal.
    """
    ordered = np.sort(np.asarray(scores, np.float64))[::-1]
    width = ordered[0] - ordered[-1]
    return {"context_gap": float((ordered[0] - ordered[1]) / width) if width > 0 else 0.0}


def band(confidence: float) -> str:
    """Return low, middle or high."""
    return "low" if confidence < LOW else "middle" if confidence < HIGH else "high"


def _logistic(fit: Mapping[str, Any], signals: Mapping[str, float]) -> float:
    z = fit["intercept"] + sum(
        weight * (signals[name] - mean) / scale
        for name, weight, mean, scale in zip(
            fit["features"], fit["weights"], fit["means"], fit["scales"], strict=True
        )
    )
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))


@cache
def _fits() -> list[dict[str, Any]]:
    """Return the regressions, those that need the most numbers first."""
    fits: list[dict[str, Any]] = json.loads(CONSTANTS.read_text())["fits"]
    return sorted(fits, key=lambda fit: -len(fit["features"]))
