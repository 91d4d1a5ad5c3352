"""What cheap-served traffic would have cost at EXPENSIVE, from the part that was shadowed.

The expensive model writes other answers than the cheap one, so its cost is measured where its
shadow answer is known and extrapolated from there. Beside it stands the naive figure: the served
tokens at the other tier's price. Money is in USD, of calls whose cost is known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reviews.stats.daily import DAYS_A_MONTH, FEWEST_DAYS
from reviews.stats.intervals import Interval

FloatArray = NDArray[np.float64]

METHODS = ("total", "ratio", "regression")
#: Fewer shadowed requests than this make no interval.
FEWEST = 10
#: From so many on a slope with an intercept is fitted; a ratio before that.
_FEWEST_TO_FIT = 30


class TooFew(ValueError):
    """There is too little to say anything from; the message says how little."""


class Rows(NamedTuple):
    """Hold requests that CHEAP served.

    Attributes:
        repriced: (N,) served tokens at the expensive tier's price.
        rate: (N,) probability in (0, 1] with which each was to be shadowed.
        is_known: (N,) whether the expensive tier answered too, at a known cost.
        expensive: (N,) what that cost; read only where it is known.
        day: (N,) whole numbers from 0.
    """

    repriced: FloatArray
    rate: FloatArray
    is_known: NDArray[np.bool_]
    expensive: FloatArray
    day: NDArray[np.int64]


class Estimate(NamedTuple):
    """Hold what all rows would have cost at EXPENSIVE.

    Attributes:
        value: in USD.
        interval: of `value`, two-sided.
        by_day: (D,) its parts.
        repriced: the naive figure for the same rows.
        bias: `repriced` less `value`; `bias_interval` is of that.
        n: rows whose expensive cost is known, of `n_rows`.
        method: one of METHODS.
    """

    value: float
    interval: Interval[float]
    by_day: FloatArray
    repriced: float
    bias: float
    bias_interval: Interval[float]
    n: int
    n_rows: int
    method: str


class Month(NamedTuple):
    """Hold what 30 days like those seen come to; `n_days` is how many were seen."""

    value: float
    interval: Interval[float]
    n_days: int


class _Fit(NamedTuple):
    """Hold a linear working model: (N, P) columns, (P,) slopes, (n,) weights and residuals."""

    columns: FloatArray
    slopes: FloatArray
    weight: FloatArray
    residual: FloatArray


def rows(
    repriced: ArrayLike, rate: ArrayLike, is_known: ArrayLike, expensive: ArrayLike, day: ArrayLike
) -> Rows:
    """Return checked rows.

    Raises:
        ValueError: lengths differ, a rate outside (0, 1], or a cost that is no number.
    """
    found = Rows(
        np.asarray(repriced, dtype=np.float64),
        np.asarray(rate, dtype=np.float64),
        np.asarray(is_known, dtype=np.bool_),
        np.asarray(expensive, dtype=np.float64),
        np.asarray(day, dtype=np.int64),
    )
    if len({column.shape for column in found}) != 1 or found.rate.ndim != 1:
        raise ValueError("all columns must have the same shape (N,)")
    if not ((found.rate > 0) & (found.rate <= 1)).all():
        raise ValueError("rate must lie in (0, 1]")
    if not (
        np.isfinite(found.repriced).all() and np.isfinite(found.expensive[found.is_known]).all()
    ):
        raise ValueError("repriced, and expensive where it is known, must be finite")
    return found


def estimate(of: Rows, level: float = 0.95, method: str = "") -> Estimate:
    """Extrapolate the expensive cost of all rows from that of the shadowed ones.

    "total" is Horvitz and Thompson's, "ratio" scales the naive figure, "regression" fits a slope
    and an intercept to it. The latter two also stand for rows whose shadow call was lost, as long
    as what was lost costs as much as what was not at the same naive figure.

    Args:
        of: rows of one period.
        level: two-sided confidence.
        method: one of METHODS; by the number of shadowed rows when empty.

    Raises:
        TooFew: fewer than ten shadowed rows.
        ValueError: no such method.

    Source:
        Sarndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, sections 6.4 to 6.6:
        the general regression estimator under Poisson sampling with its g-weighted variance;
        Student's t as the number of shadowed rows is small.

    Example:
        >>> x = [1.0, 2.0, 3.0, 4.0] * 10
        >>> of = rows(x, [0.5] * 40, [True, False] * 20, [2 * v for v in x], [0] * 40)
        >>> round(estimate(of, method="ratio").value, 6)
        200.0
    """
    n = int(of.is_known.sum())
    if n < FEWEST:
        raise TooFew(f"{n} of them were shadowed; from {FEWEST} on their cost can be estimated.")
    chosen = method or _method(of, n)
    fit = _fit(of, chosen)
    value = float((fit.columns @ fit.slopes).sum() + (fit.weight * fit.residual).sum())
    half = float(stats.t.ppf((1 + level) / 2, n - fit.slopes.size or 1)) * _error(of, fit)
    naive = float(of.repriced.sum())
    return Estimate(
        value=value,
        interval=Interval(value - half, value + half),
        by_day=_by_day(of, fit),
        repriced=naive,
        bias=naive - value,
        bias_interval=Interval(naive - value - half, naive - value + half),
        n=n,
        n_rows=of.rate.size,
        method=chosen,
    )


def month(daily: ArrayLike, level: float = 0.95) -> Month:
    """Scale full days to a month of 30; the days are the sample of the interval.

    Raises:
        TooFew: fewer than three days.

    Source:
        Student's t on totals of days as clusters; Cochran 1977, Sampling Techniques, section 9A.

    Example:
        >>> month([1.0, 2.0, 3.0]).value
        60.0
    """
    totals = np.asarray(daily, dtype=np.float64)
    n = totals.size
    if n < FEWEST_DAYS:
        raise TooFew(f"{n} full days; from {FEWEST_DAYS} on a month can be forecast.")
    error = float(totals.std(ddof=1) / np.sqrt(n))
    half = DAYS_A_MONTH * float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    value = DAYS_A_MONTH * float(totals.mean())
    return Month(value, Interval(value - half, value + half), n)


def _method(of: Rows, n: int) -> str:
    known = of.repriced[of.is_known]
    if not known.sum() > 0:
        return "total"
    return "regression" if n >= _FEWEST_TO_FIT and np.ptp(known) > 0 else "ratio"


def _fit(of: Rows, method: str) -> _Fit:
    """Return the working model of a method; that of a total says nothing of any row.

    A ratio weighs rows by one over the naive figure, as its variance grows with it.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}")
    known, weight = of.is_known, 1 / of.rate[of.is_known]
    if method == "total":
        return _Fit(np.zeros((of.rate.size, 0)), np.zeros(0), weight, of.expensive[known])
    if method == "ratio":
        columns = of.repriced[:, None]
        slopes = np.array([(weight * of.expensive[known]).sum() / (weight @ of.repriced[known])])
    else:
        columns = np.column_stack([np.ones(of.rate.size), of.repriced])
        root = np.sqrt(weight)
        slopes = np.linalg.lstsq(
            columns[known] * root[:, None], of.expensive[known] * root, rcond=None
        )[0]
    return _Fit(columns, slopes, weight, of.expensive[known] - columns[known] @ slopes)


def _error(of: Rows, fit: _Fit) -> float:
    """Return the standard error: sum of g w (g w - 1) e^2, with g the calibration of a weight."""
    n, p = fit.residual.size, fit.slopes.size
    full = fit.weight * _calibration(of, fit)
    spread = np.maximum(full * (full - 1), 0) * fit.residual**2
    return float(np.sqrt(spread.sum() * n / max(n - p, 1)))


def _calibration(of: Rows, fit: _Fit) -> FloatArray:
    """Return by what each weight is multiplied so that the rows' naive figures add up: (n,)."""
    known = fit.columns[of.is_known]
    if not known.shape[1]:
        return np.ones(fit.weight.size)
    if known.shape[1] == 1:
        return np.full(fit.weight.size, fit.columns.sum() / (fit.weight @ known[:, 0]))
    missing = fit.columns.sum(axis=0) - fit.weight @ known
    inner = (known * fit.weight[:, None]).T @ known
    found: FloatArray = 1 + known @ np.linalg.lstsq(inner, missing, rcond=None)[0]
    return found


def _by_day(of: Rows, fit: _Fit) -> FloatArray:
    """Return the estimate of each day: (D,)."""
    n_days = int(of.day.max(initial=-1)) + 1
    modelled = np.bincount(of.day, weights=fit.columns @ fit.slopes, minlength=n_days)
    seen = np.bincount(of.day[of.is_known], weights=fit.weight * fit.residual, minlength=n_days)
    return np.asarray(modelled + seen, dtype=np.float64)
