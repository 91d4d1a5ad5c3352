"""Logistic regression with standard errors, for effects of a few columns.

Nothing is shrunk: where the data are perfectly separated, or a column says nothing, there is no
estimate, and the answer is nan. Routers are fitted elsewhere.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FloatArray = NDArray[np.float64]

_MOST_STEPS = 50
_STILL = 1e-9
# Log-odds beyond this are a probability of 1 to the last digit: the fit is running away.
_RUNAWAY = 30.0


class Logistic(NamedTuple):
    """Hold p coefficients, intercept first, and their covariance; all nan where undefined."""

    coefficients: FloatArray
    covariance: FloatArray


class Effect(NamedTuple):
    """Hold one coefficient with its normal interval and p-value; all nan where undefined.

    Attributes:
        coefficient: change of the log-odds per unit.
        low: lower end.
        high: upper end.
        p_value: two-sided, of "no effect".
        n: rows.
    """

    coefficient: float
    low: float
    high: float
    p_value: float
    n: int


def fit(
    columns: ArrayLike,
    outcome: ArrayLike,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> Logistic:
    """Maximise the weighted likelihood; the covariance is the sandwich over clusters.

    Args:
        columns: (n, p - 1) without the intercept.
        outcome: (n,) 0 or 1, or a share in between.
        weight: (n,) above 0, on any scale; equal when None.
        cluster: (n,) whole numbers, one per group of rows that belong together; each row alone
            when None.

    Raises:
        ValueError: lengths differ, a value is not finite, an outcome outside [0, 1], or a weight
            not above 0.

    Source:
        Binder 1983, International Statistical Review 51, with the factor G / (G - 1).

    Example:
        >>> x, y = [[0]] * 10 + [[1]] * 10, [1] * 2 + [0] * 8 + [1] * 5 + [0] * 5
        >>> fit(x, y).coefficients.round(6).tolist()
        [-1.386294, 1.386294]
    """
    x, y, w = _checked(columns, outcome, weight)
    undefined = Logistic(np.full(x.shape[1], np.nan), np.full((x.shape[1],) * 2, np.nan))
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return undefined
    beta = np.zeros(x.shape[1])
    for _ in range(_MOST_STEPS):
        mean = special.expit(x @ beta)
        step = np.linalg.solve(_information(x, w, mean), x.T @ (w * (y - mean)))
        beta = beta + step
        if np.abs(x @ beta).max() > _RUNAWAY:
            return undefined
        if np.abs(step).max() < _STILL:
            return Logistic(beta, _sandwich(x, y, w, beta, cluster))
    return undefined


def effect(fitted: Logistic, column: int, n: int, level: float = 0.95) -> Effect:
    """Read one coefficient off a fit of n rows; column 0 is the intercept."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    coefficient = float(fitted.coefficients[column])
    error = float(np.sqrt(fitted.covariance[column, column]))
    half = float(special.ndtri((1 + level) / 2)) * error
    # Without any spread between clusters there is no error to measure an effect by.
    if not error > 0:
        return Effect(coefficient, np.nan, np.nan, np.nan, n)
    p_value = float(2 * special.ndtr(-abs(coefficient) / error))
    return Effect(coefficient, coefficient - half, coefficient + half, p_value, n)


def _information(x: FloatArray, w: FloatArray, mean: FloatArray) -> FloatArray:
    """Return the weighted information matrix: (p, p)."""
    return np.asarray(x.T @ (x * (w * mean * (1 - mean))[:, None]))


def _sandwich(
    x: FloatArray, y: FloatArray, w: FloatArray, beta: FloatArray, cluster: ArrayLike | None
) -> FloatArray:
    """Return bread, meat, bread; nan for fewer than two clusters."""
    mean = special.expit(x @ beta)
    groups = np.arange(y.size) if cluster is None else np.asarray(cluster)
    names, place = np.unique(groups, return_inverse=True)
    if names.size < 2:
        return np.full((beta.size,) * 2, np.nan)
    scores = np.zeros((names.size, beta.size))
    np.add.at(scores, place, x * (w * (y - mean))[:, None])
    bread = np.linalg.inv(_information(x, w, mean))
    meat = names.size / (names.size - 1) * scores.T @ scores
    return np.asarray(bread @ meat @ bread)


def _checked(
    columns: ArrayLike, outcome: ArrayLike, weight: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return columns with an intercept, outcome and weight as arrays of n rows."""
    x, y = np.asarray(columns, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    w = np.ones(y.size) if weight is None else np.asarray(weight, dtype=np.float64)
    if x.ndim != 2 or not (x.shape[0],) == y.shape == w.shape:
        raise ValueError("columns must have shape (n, p - 1), outcome and weight shape (n,)")
    if not (np.isfinite(x).all() and np.isfinite(w).all() and (w > 0).all()):
        raise ValueError("columns and weight must be finite, weight above 0")
    if not ((y >= 0) & (y <= 1)).all():
        raise ValueError("outcome must lie in [0, 1]")
    return np.column_stack([np.ones(y.size), x]), y, w
