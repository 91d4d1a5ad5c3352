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
    """Hold requests that CHEAP served: the shadowed ones, and of the others their sums by day.

    Attributes:
        repriced: (n,) served tokens of the shadowed at the expensive tier's price.
        rate: (n,) probability in (0, 1] with which each was to be shadowed.
        expensive: (n,) what the expensive tier's answer cost.
        day: (n,) whole numbers from 0.
        others: (D,) how many more were served on each day.
        others_repriced: (D,) their served tokens at the expensive tier's price.
    """

    repriced: FloatArray
    rate: FloatArray
    expensive: FloatArray
    day: NDArray[np.int64]
    others: FloatArray
    others_repriced: FloatArray

    @property
    def n(self) -> int:
        """Return how many rows there are, shadowed or not."""
        return self.rate.size + int(self.others.sum())


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
    """Hold a linear working model.

    Attributes:
        columns: (n, P) of the shadowed.
        sums: (D, P) of all rows, by day.
        slopes: (P,).
        weight: (n,) one over the rate.
        residual: (n,).
    """

    columns: FloatArray
    sums: FloatArray
    slopes: FloatArray
    weight: FloatArray
    residual: FloatArray


def rows(
    repriced: ArrayLike, rate: ArrayLike, is_known: ArrayLike, expensive: ArrayLike, day: ArrayLike
) -> Rows:
    """Return rows that are given one by one.

    Args:
        repriced: (N,) as of `Rows`, and so are the others.
        rate: (N,).
        is_known: (N,) whether the expensive tier answered too, at a known cost.
        expensive: (N,); read only where it is known.
        day: (N,).

    Raises:
        ValueError: lengths differ, a rate outside (0, 1], or a cost that is no number.
    """
    known = np.asarray(is_known, dtype=np.bool_)
    x, pi, y = (np.asarray(one, dtype=np.float64) for one in (repriced, rate, expensive))
    place = np.asarray(day, dtype=np.int64)
    if len({column.shape for column in (known, x, pi, y, place)}) != 1 or pi.ndim != 1:
        raise ValueError("all columns must have the same shape (N,)")
    n_days = int(place.max(initial=-1)) + 1
    others = _daily(place[~known], np.ones(int((~known).sum())), n_days)
    others_repriced = _daily(place[~known], x[~known], n_days)
    return checked(Rows(x[known], pi[known], y[known], place[known], others, others_repriced))


def checked(of: Rows) -> Rows:
    """Return the same rows.

    Raises:
        ValueError: a rate outside (0, 1], or a cost that is no number.
    """
    if not ((of.rate > 0) & (of.rate <= 1)).all():
        raise ValueError("rate must lie in (0, 1]")
    amounts = (of.repriced, of.expensive, of.others_repriced)
    if not all(np.isfinite(one).all() for one in amounts):
        raise ValueError("repriced, and expensive where it is known, must be finite")
    return of


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
    n = of.rate.size
    if n < FEWEST:
        raise TooFew(f"{n} of them were shadowed; from {FEWEST} on their cost can be estimated.")
    chosen = method or _method(of, n)
    fit = _fit(of, chosen)
    value = float((fit.sums @ fit.slopes).sum() + (fit.weight * fit.residual).sum())
    half = float(stats.t.ppf((1 + level) / 2, n - fit.slopes.size or 1)) * _error(fit)
    naive = float(of.repriced.sum() + of.others_repriced.sum())
    return Estimate(
        value=value,
        interval=Interval(value - half, value + half),
        by_day=_by_day(of, fit),
        repriced=naive,
        bias=naive - value,
        bias_interval=Interval(naive - value - half, naive - value + half),
        n=n,
        n_rows=of.n,
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
    if not of.repriced.sum() > 0:
        return "total"
    return "regression" if n >= _FEWEST_TO_FIT and np.ptp(of.repriced) > 0 else "ratio"


def _fit(of: Rows, method: str) -> _Fit:
    """Return the working model of a method; that of a total says nothing of any row.

    A ratio weighs rows by one over the naive figure, as its variance grows with it.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}")
    weight, n_days = 1 / of.rate, of.others.size
    if method == "total":
        return _Fit(np.zeros((weight.size, 0)), np.zeros((n_days, 0)), np.zeros(0), weight,
                    of.expensive)  # fmt: skip
    naive = of.others_repriced + _daily(of.day, of.repriced, n_days)
    if method == "ratio":
        columns, sums = of.repriced[:, None], naive[:, None]
        slopes = np.array([(weight @ of.expensive) / (weight @ of.repriced)])
    else:
        columns = np.column_stack([np.ones(weight.size), of.repriced])
        sums = np.column_stack([of.others + _daily(of.day, columns[:, 0], n_days), naive])
        root = np.sqrt(weight)
        slopes = np.linalg.lstsq(columns * root[:, None], of.expensive * root, rcond=None)[0]
    return _Fit(columns, sums, slopes, weight, of.expensive - columns @ slopes)


def _error(fit: _Fit) -> float:
    """Return the standard error: sum of g w (g w - 1) e^2, with g the calibration of a weight."""
    n, p = fit.residual.size, fit.slopes.size
    full = fit.weight * _calibration(fit)
    spread = np.maximum(full * (full - 1), 0) * fit.residual**2
    return float(np.sqrt(spread.sum() * n / max(n - p, 1)))


def _calibration(fit: _Fit) -> FloatArray:
    """Return by what each weight is multiplied so that the rows' naive figures add up: (n,)."""
    known, total = fit.columns, fit.sums.sum(axis=0)
    if not total.size:
        return np.ones(fit.weight.size)
    if total.size == 1:
        return np.full(fit.weight.size, total[0] / (fit.weight @ known[:, 0]))
    inner = (known * fit.weight[:, None]).T @ known
    missing = total - fit.weight @ known
    found: FloatArray = 1 + known @ np.linalg.lstsq(inner, missing, rcond=None)[0]
    return found


def _by_day(of: Rows, fit: _Fit) -> FloatArray:
    """Return the estimate of each day: (D,)."""
    seen: FloatArray = fit.sums @ fit.slopes
    return seen + _daily(of.day, fit.weight * fit.residual, of.others.size)


def _daily(day: NDArray[np.int64], amounts: FloatArray, n_days: int) -> FloatArray:
    return np.bincount(day, weights=amounts, minlength=n_days).astype(np.float64)
