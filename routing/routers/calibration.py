"""Scores told as probabilities: never in another order, and two different ones never as one.

Certificates rest on the order of scores alone, so calibration changes what people read and the
numbers that thresholds are called by, and not which requests a curve sends where.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Fewer labels or fewer of either kind than this: two numbers are fitted instead of a staircase.
FEW_LABELS, FEW_EVENTS = 1_000, 50
#: The least slope of the map: what keeps different scores apart where labels say they are equal.
SLOPE = 1e-3
_LOGITS = np.linspace(-16.0, 16.0, 257)


@dataclass(frozen=True, eq=False)
class Calibration:
    """A piecewise linear map of [0, 1] to itself that rises everywhere.

    Attributes:
        x: knots from 0 to 1, rising.
        y: what each becomes, rising.
    """

    x: FloatArray
    y: FloatArray

    def __post_init__(self) -> None:
        """Refuse a map that would change the order of scores.

        Raises:
            ValueError: when it does not rise, or leaves [0, 1].
        """
        x, y = np.asarray(self.x, np.float64), np.asarray(self.y, np.float64)
        is_map = x.ndim == 1 and x.shape == y.shape and len(x) > 1 and np.isfinite([x, y]).all()
        if not is_map or x[0] != 0 or x[-1] != 1 or y[0] < 0 or y[-1] > 1:
            raise ValueError("A calibration maps 0 to 1 into 0 to 1.")
        if (np.diff(x) <= 0).any() or (np.diff(y) <= 0).any():
            raise ValueError("A calibration must rise everywhere.")

    def of(self, value: float) -> float:
        """Return the probability that a score stands for."""
        return float(np.interp(value, self.x, self.y))


def method(needs_expensive: FloatArray) -> str:
    """Return which fit these labels allow: "platt" or "isotonic"."""
    y = np.asarray(needs_expensive, np.float64)
    events = min(float(y.sum()), float((1 - y).sum()))
    return "platt" if len(y) < FEW_LABELS or events < FEW_EVENTS else "isotonic"


def fit(scores: FloatArray, needs_expensive: FloatArray, weight: FloatArray) -> Calibration:
    """Fit the map on scores of queries that the router was not trained on.

    Args:
        scores: shape (n,), in [0, 1].
        needs_expensive: shape (n,), in [0, 1].
        weight: shape (n,), above 0.

    Raises:
        ValueError: when there is nothing to fit on.

    Source:
        Platt 1999 with his targets for few labels; isotonic regression centred as in Oron and
        Flournoy 2017 (Statistics in Biopharmaceutical Research 9), linear between its centres.
    """
    s, y, w = (np.asarray(one, np.float64) for one in (scores, needs_expensive, weight))
    if not len(s) or not (len(s) == len(y) == len(w)):
        raise ValueError("A calibration needs as many labels and weights as scores, and some.")
    if (
        not np.isfinite([s, y, w]).all()
        or (w <= 0).any()
        or (np.abs([s - 0.5, y - 0.5]) > 0.5).any()
    ):
        raise ValueError("A calibration needs scores and labels in [0, 1], and weights above 0.")
    x, raised = _platt(s, y, w) if method(y) == "platt" else _isotonic(s, y, w)
    return Calibration(x, SLOPE * x + (1 - SLOPE) * raised)


def _platt(s: FloatArray, y: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    from scipy.optimize import minimize

    w = w / w.mean()
    yes, no = float(w @ y), float(w @ (1 - y))
    target = y * (yes + 1) / (yes + 2) + (1 - y) / (no + 2)
    logit = np.clip(_logit(s), _LOGITS[0], _LOGITS[-1])
    scale = max(float(logit.std()), 1e-6)

    def loss(ab: FloatArray) -> tuple[float, FloatArray]:
        z = ab[0] * logit / scale + ab[1]
        off = w * (_sigmoid(z) - target)
        value = float(w @ (np.logaddexp(0, z) - target * z))
        return value, np.array([off @ logit / scale, off.sum()])

    # A slope below zero would turn the order round: labels that say so are not believed.
    found = minimize(
        loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]
    )
    a, b = found.x[0] / scale, found.x[1]
    x = _sigmoid(_LOGITS)
    x[0], x[-1] = 0.0, 1.0
    return x, _sigmoid(a * _LOGITS + b)


def _isotonic(s: FloatArray, y: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    from sklearn.isotonic import IsotonicRegression

    level = IsotonicRegression(y_min=0, y_max=1).fit(s, y, sample_weight=w).predict(s)
    values, block = np.unique(level, return_inverse=True)
    mass = np.bincount(block, w)
    centre = np.bincount(block, w * s) / mass
    inside = (centre > 0) & (centre < 1) & np.append(True, np.diff(centre) > 0)
    x, raised = centre[inside], values[inside]
    return (
        np.concatenate([[0.0], x, [1.0]]),
        np.concatenate([values[:1], raised, values[-1:]]),
    )


def _logit(p: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p) - np.log1p(-p), np.float64)


def _sigmoid(z: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), np.float64)  # overflows nowhere
