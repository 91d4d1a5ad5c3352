"""What a retrieval's confidence does to a router's score.

The score becomes the log odds of two lines, one for a confidence of 0 and one for 1, and between
them for what lies between. Both rise, so that for one confidence a higher score stays the higher.
Scores of rules, and those that only an answer decides, are no estimates from the query: they stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from routing.errors import RouterError
from routing.types import Score

FloatArray = NDArray[np.float64]

#: Fewer labels with a confidence, or fewer of either kind: the default is used.
FEW_LABELS, FEW_EVENTS = 200, 20
#: What the fit holds on to the default by, in labels' worth of evidence.
_HOLD = 4.0
_LEAST_SLOPE = 0.1
#: Keeps different scores apart where the odds say that they are equal.
_SLOPE = 1e-3
_MOST_LOGIT, _MOST_EXP = 30.0, 700.0


@runtime_checkable
class Weighs(Protocol):
    """A router that says what a retrieval's confidence does to its scores."""

    def weigh(self, score: Score, confidence: float | None) -> Score:
        """Return the score beside this confidence; None leaves it as it is."""
        ...


@dataclass(frozen=True)
class Weighing:
    """Two lines over the log odds of a score.

    The default moves a score of .5 to .62 where nothing useful was found and to .38 where surely
    something was, and leaves it at a confidence of .5.

    Attributes:
        low: offset at a confidence of 0.
        high: offset at a confidence of 1.
        low_slope: slope at a confidence of 0.
        high_slope: slope at a confidence of 1.
    """

    low: float = 0.5
    high: float = -0.5
    low_slope: float = 1.0
    high_slope: float = 1.0

    def __post_init__(self) -> None:
        """Refuse lines that would change the order of scores.

        Raises:
            ValueError: when one does not rise, or is none.
        """
        if not all(map(math.isfinite, self.lines)) or min(self.low_slope, self.high_slope) <= 0:
            raise ValueError("A weighing must rise at every confidence.")

    @property
    def lines(self) -> tuple[float, float, float, float]:
        """Offsets at 0 and 1, slopes at 0 and 1."""
        return self.low, self.high, self.low_slope, self.high_slope

    def of(self, value: float, confidence: float | None) -> float:
        """Return the score beside this confidence; without one, or at 0 and 1, it stays.

        Args:
            value: in [0, 1].
            confidence: P(the sources hold the answer), or None.
        """
        if confidence is None or not 0.0 < value < 1.0:
            return value
        sure = min(max(confidence, 0.0), 1.0)
        offset = (1 - sure) * self.low + sure * self.high
        slope = (1 - sure) * self.low_slope + sure * self.high_slope
        logit = offset + slope * (math.log(value) - math.log1p(-value))
        odds = 1 / (1 + math.exp(-max(-_MOST_EXP, min(_MOST_EXP, logit))))
        return _SLOPE * value + (1 - _SLOPE) * odds


def applied(weighing: Weighing, score: Score, confidence: float | None) -> Score:
    """Return a score beside a confidence; a rule's, or a lowest possible one, stays as it is."""
    if confidence is None or score.rule or score.needs_answer or not 0.0 <= score.value <= 1.0:
        return score
    return replace(score, value=weighing.of(score.value, confidence))


def fit(
    scores: FloatArray, confidences: FloatArray, needs_expensive: FloatArray, weight: FloatArray
) -> Weighing:
    """Fit the lines on scores of queries that the router was not trained on.

    A logistic regression on the log odds, held to the default; slopes stay above 0.1.

    Args:
        scores: shape (n,), in [0, 1].
        confidences: shape (n,), in [0, 1]; nan where nothing was looked up: left out.
        needs_expensive: shape (n,), in [0, 1].
        weight: shape (n,), above 0.

    Returns:
        The default where too few labels have a confidence.
    """
    known = np.isfinite(confidences)
    s, c, y, w = (np.asarray(x, np.float64)[known]
                  for x in (scores, confidences, needs_expensive, weight))  # fmt: skip
    events = min(float(y.sum()), float((1 - y).sum()))
    if len(s) < FEW_LABELS or events < FEW_EVENTS:
        return Weighing()
    return Weighing(*(float(one) for one in _fitted(_logit(s), c, y, w / w.mean())))


def _fitted(z: FloatArray, c: FloatArray, y: FloatArray, w: FloatArray) -> FloatArray:
    from scipy.optimize import minimize

    design = np.stack([1 - c, c, (1 - c) * z, c * z], axis=1)
    usual = np.array(Weighing().lines)

    def loss(lines: FloatArray) -> tuple[float, FloatArray]:
        odds, off = design @ lines, lines - usual
        told = 0.5 * (1 + np.tanh(0.5 * odds))
        value = float(w @ (np.logaddexp(0, odds) - y * odds)) + 0.5 * _HOLD * float(off @ off)
        return value, design.T @ (w * (told - y)) + _HOLD * off

    free, rising = (None, None), (_LEAST_SLOPE, None)
    found = minimize(loss, usual, jac=True, method="L-BFGS-B", bounds=[free, free, rising, rising])
    return np.asarray(found.x, np.float64)


def _logit(p: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(np.log(p) - np.log1p(-p), -_MOST_LOGIT, _MOST_LOGIT), np.float64)


def weighed(router: object, score: Score, confidence: float | None) -> Score:
    """Return what a router says beside a retrieval's confidence; None leaves its score.

    Raises:
        RouterError: whatever a plug-in raises: not even SystemExit ends the service.
    """
    if confidence is None or not isinstance(router, Weighs):
        return score
    try:
        return router.weigh(score, confidence)
    except BaseException as exc:
        raise RouterError(type(exc).__name__) from exc
