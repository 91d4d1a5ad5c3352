"""Which strategy a query gets when it may choose: by rules, or as trained on judgements.

Trained is a ridge regression of what each choice is worth on the numbers of `features`, shrunk so
much that a query leaves the choice that is best for all only when much speaks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from routing.retrieval import features
from routing.routers import arrays

#: From here a term is rare: fewer than one in thirty of 1,000 texts hold it.
RARE = 0.5
#: BM25's part of a blend where nothing was trained; docs/benchmarks/retrieval.md.
SHARE = 0.4
#: Ridge penalty on standardised numbers.
PENALTY = 1000.0
#: Numbers farther from their mean, in standard deviations, count as this far.
FAR = 3.0


class Choice(NamedTuple):
    """What is done for a query.

    Attributes:
        strategy: one of `STRATEGIES`.
        share: of BM25 where hybrid blends scores; None where it fuses ranks.
    """

    strategy: str
    share: float | None = None


#: What can be chosen, in the order of an artifact's columns.
CHOICES = (
    Choice("hybrid"),
    Choice("dense"),
    *(Choice("hybrid", tenth / 10) for tenth in range(1, 10)),
    Choice("bm25"),
)


class Chooser(Protocol):
    """Picks a strategy.

    Attributes:
        name: "rules" or "trained"; the ledger says so.
    """

    name: str

    def choose(self, signals: Mapping[str, float]) -> Choice:
        """Return what to do, by the numbers of `features`."""
        ...


class Rules:
    """A bare code or quotation goes by words, what no text has a word of by meaning, else both."""

    name = "rules"

    def choose(self, signals: Mapping[str, float]) -> Choice:
        """Return a choice; whether it pays is in docs/benchmarks/retrieval.md."""
        if not signals["bm25_found"] or signals["unknown"] > 0.5:
            return Choice("dense")
        is_code = signals["identifiers"] or signals["quoted"]
        if is_code and signals["keywords"] and signals["rarity_max"] >= RARE:
            return Choice("bm25")
        return Choice("hybrid", SHARE)


RULES = Rules()


class Trained:
    """What each choice is worth, linear in the query's numbers."""

    name = "trained"

    def __init__(self, parts: Mapping[str, np.ndarray]) -> None:
        self._names: list[str] = arrays.to_json(parts["names"])
        self._choices = [Choice(*pair) for pair in arrays.to_json(parts["choices"])]
        self._mean, self._scale = parts["mean"], parts["scale"]
        self._weights, self._worth = parts["weights"], parts["worth"]

    def choose(self, signals: Mapping[str, float]) -> Choice:
        """Return the choice that is worth most; dense where no text has a word of the query."""
        if not signals["bm25_found"]:
            return Choice("dense")
        return self._choices[int(np.argmax(self.worth(signals)))]

    def worth(self, signals: Mapping[str, float]) -> np.ndarray:
        """Return what each of `CHOICES` is expected to be worth, shape (choices,)."""
        numbers = np.array([signals[name] for name in self._names])
        far = np.clip((numbers - self._mean) / self._scale, -FAR, FAR)
        worth: np.ndarray = self._worth + far @ self._weights
        return worth


def fit(signals: Sequence[Mapping[str, float]], worth: np.ndarray) -> bytes:
    """Return the artifact of a trained chooser; the same rows give the same bytes.

    Args:
        signals: of n judged queries, with both lists searched.
        worth: shape (n, choices): what each of `CHOICES` was worth for them, as nDCG.

    Raises:
        ValueError: when there is nothing to learn from, or the shapes differ.
    """
    if len(signals) < 2 or worth.shape != (len(signals), len(CHOICES)):
        raise ValueError(f"{len(signals)} queries and worth of shape {worth.shape} do not fit.")
    names = list(features.NAMES)
    numbers = np.array([[row[name] for name in names] for row in signals])
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0)
    scale[scale < 1e-9] = 1.0
    far = np.clip((numbers - mean) / scale, -FAR, FAR)
    far_mean, worth_mean = far.mean(axis=0), worth.mean(axis=0)
    centred = far - far_mean
    inside = centred.T @ centred + PENALTY * np.eye(len(names))
    weights = np.linalg.solve(inside, centred.T @ (worth - worth_mean))
    parts = {
        "names": arrays.of_json(names), "choices": arrays.of_json(CHOICES), "mean": mean,
        "scale": scale, "weights": weights, "worth": worth_mean - far_mean @ weights,
    }  # fmt: skip
    return arrays.dumps(parts)


def loads(artifact: bytes) -> Trained:
    """Return the chooser that `fit` made.

    Raises:
        ValueError: when it is none, or speaks of numbers or choices that are not known here.
    """
    parts = arrays.loads(artifact)
    missing = {"names", "choices", "mean", "scale", "weights", "worth"} - set(parts)
    if missing:
        raise ValueError(f"This is no trained strategy: {', '.join(sorted(missing))} missing.")
    names, choices = (arrays.to_json(parts[part]) for part in ("names", "choices"))
    _check(names, choices)
    n, m = len(names), len(choices)
    shapes: dict[str, tuple[int, ...]]
    shapes = {"mean": (n,), "scale": (n,), "worth": (m,), "weights": (n, m)}
    for part, shape in shapes.items():
        if parts[part].shape != shape or not np.isfinite(parts[part]).all():
            raise ValueError(f"This is no trained strategy: {part} is not of shape {shape}.")
    return Trained(parts)


def _check(names: object, choices: object) -> None:
    if not isinstance(names, list) or not set(names) <= set(features.NAMES):
        raise ValueError("A trained strategy speaks of features that are not known here.")
    known = {tuple(choice) for choice in CHOICES}
    if not isinstance(choices, list) or not {tuple(pair) for pair in choices} <= known:
        raise ValueError("A trained strategy speaks of choices that are not known here.")
