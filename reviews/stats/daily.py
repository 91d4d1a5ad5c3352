"""Money a month at every threshold, with an interval that knows that days differ.

Costs are heavy-tailed and requests of one day resemble each other, so the unit that varies is the
day, not the request. Shares and harm do not live here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reviews.stats.intervals import Interval

FloatArray = NDArray[np.float64]

DAY_S = 86_400
DAYS_A_MONTH = 30
#: With two days the t quantile is 12.7: an interval from them says nothing.
FEWEST_DAYS = 3


class Month(NamedTuple):
    """Hold what 30 days save at T thresholds, in USD.

    Attributes:
        saved: (T,); nan with fewer than three full days.
        interval: of `saved`; likewise.
        n_days: full days it rests on.
    """

    saved: FloatArray
    interval: Interval[FloatArray]
    n_days: int


def per_month(
    at_s: ArrayLike,
    score: ArrayLike,
    saved: ArrayLike,
    thresholds: ArrayLike,
    level: float = 0.95,
    asking: ArrayLike | None = None,
) -> Month:
    """Scale what full days save to a month; the days are the sample of the interval.

    Days are 24 hours each from the first row on, and the last one, which is not over, is left out.

    Args:
        at_s: (N,) when each row came, seconds since any fixed moment.
        score: (N,) in [0, 1]; nan is never routed cheap.
        saved: (N,) USD that all requests the row stands for save when it is routed cheap; nan,
            where a cost is unknown, counts as nothing saved. Of a router that asks the cheap model
            first: against the expensive answer with that.
        thresholds: (T,) strictly increasing; score < t is cheap.
        level: two-sided confidence.
        asking: (N,) USD that a router pays to see cheap answers first, at every threshold above
            0; nan likewise; nothing when None.

    Raises:
        ValueError: lengths differ.

    Source:
        Student's t on totals of days as clusters; Cochran 1977, Sampling Techniques, section 9A.

    Example:
        >>> day = 86_400
        >>> found = per_month([0, day, 2 * day, 3 * day], [0.1] * 4, [1.0, 2.0, 3.0, 9.0], [0, 0.5])
        >>> found.saved.tolist(), found.n_days
        ([0.0, 60.0], 3)
        >>> [round(float(end[1]), 2) for end in found.interval]
        [-14.52, 134.52]
    """
    first = np.zeros(np.shape(saved)) if asking is None else asking
    times, scores, amounts, paid = (
        np.asarray(a, dtype=np.float64) for a in (at_s, score, saved, first)
    )
    if not times.shape == scores.shape == amounts.shape == paid.shape:
        raise ValueError("at_s, score, saved and asking must have the same length")
    grid = np.asarray(thresholds, dtype=np.float64)
    day = np.floor((times - times.min(initial=np.inf)) / DAY_S).astype(np.int64)
    n_days = int(day.max(initial=0))
    if n_days < FEWEST_DAYS:
        unknown = np.full(grid.size, np.nan)
        return Month(unknown, Interval(unknown, unknown), n_days)
    totals = (_totals(day, scores, amounts, grid) - _paid(day, paid, grid))[:n_days]
    mean = totals.mean(axis=0)
    error = totals.std(axis=0, ddof=1) / np.sqrt(n_days)
    half = stats.t.ppf((1 + level) / 2, n_days - 1) * error
    saved_a_month = DAYS_A_MONTH * mean
    ends = Interval(saved_a_month - DAYS_A_MONTH * half, saved_a_month + DAYS_A_MONTH * half)
    return Month(saved_a_month, ends, n_days)


def _totals(
    day: NDArray[np.int64], score: FloatArray, saved: FloatArray, grid: FloatArray
) -> FloatArray:
    """Return what each day saves at each threshold: (D, T)."""
    bins = np.searchsorted(grid, score, side="right")
    n_bins, n_days = grid.size + 1, int(day.max()) + 1
    place = day * n_bins + bins
    known = np.where(np.isnan(saved), 0.0, saved)
    sums = np.bincount(place, weights=known, minlength=n_days * n_bins).astype(np.float64)
    below: FloatArray = np.cumsum(sums.reshape(n_days, n_bins), axis=1)[:, :-1]
    return below


def _paid(day: NDArray[np.int64], paid: FloatArray, grid: FloatArray) -> FloatArray:
    """Return what asking first costs each day at each threshold: (D, T)."""
    known = np.where(np.isnan(paid), 0.0, paid)
    of_day = np.bincount(day, weights=known, minlength=int(day.max()) + 1)
    each: FloatArray = np.where(grid > 0, of_day[:, None], 0.0)
    return each
