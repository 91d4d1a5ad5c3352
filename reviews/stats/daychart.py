"""A figure day by day on a two-sided chart that knows how little the reference says.

Slow moves add up until they pass 5 standard errors of a day. Days are compared with the whole
reference, whose spread over days holds the rhythm of its weeks: a weekend is no drift.

Source:
    Page 1954, Biometrika 41; slack and barrier as in Montgomery, Introduction to Statistical
    Quality Control, chapter 9.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reviews.stats.rows import FloatArray

#: Fewer days or rows in a reference say nothing.
FEWEST_DAYS, FEWEST_ROWS = 5, 100
#: A chart warns at 5 standard errors (Montgomery) and rings at 8; no sum climbs past 12, so that
#: it comes down within days when the change is over.
CHART_WARNS, CHART_ALARMS, CHART_TOP = 5.0, 8.0, 12.0
_SLACK = 0.5
#: The reference's own mean is off by this many of its standard errors at most.
_REFERENCE_ERRORS = 1.0
#: Its days count as no chance where chance differs so in one of ten references; their spread is
#: then taken from above, at this confidence: two weeks tell little of it.
_CHANCE_LEVEL, _SPREAD_LEVEL = 0.9, 0.75
_TINY = 1e-9
#: Smaller changes are no drift: 2 points of a share, 3 % of a cost.
SHARE_EFFECT, COST_EFFECT = 0.02, 0.03


@dataclass(frozen=True)
class Days:
    """Hold one figure by day.

    Attributes:
        total: (K,) the day's sum: hits of a share, USD of a cost.
        count: (K,) rows of the day; 0 is a day without any.
    """

    total: ArrayLike
    count: ArrayLike


def share_chart(reference: Days, current: Days, effect: float = SHARE_EFFECT) -> FloatArray:
    """Return the larger sum of the chart of `share` after each day: (K,), nan without one.

    Raises:
        ValueError: as `share`.
    """
    (hits, n), (now, m) = _days(reference), _days(current)
    if (hits > n).any() or (now > m).any():
        raise ValueError("hits must lie within [0, count]")
    if not _is_known(n):
        return np.full(m.size, np.nan)
    mean = hits.sum() / n.sum()
    chance = float(np.sqrt(max(mean * (1 - mean), 1 / n.sum())))
    figures = _Figures(_means(hits, n), n, _means(now, m), m)
    return _chart(figures, mean, chance, effect)


def cost_chart(reference: Days, current: Days, effect: float = COST_EFFECT) -> FloatArray:
    """Return the larger sum of the chart of `cost` after each day, as `share_chart` does."""
    (spent, n), (now, m) = _days(reference), _days(current)
    n, m = np.where(spent > 0, n, 0), np.where(now > 0, m, 0)
    if not _is_known(n):
        return np.full(m.size, np.nan)
    logs = _Figures(np.log(_means(spent, n)), n, np.log(_means(now, m)), m)
    mean = float(np.average(logs.reference[n > 0], weights=n[n > 0]))
    return _chart(logs, mean, 0.0, float(np.log1p(effect)))


class _Figures(NamedTuple):
    """A figure by day with the rows of each: (K,) of the reference, (D,) of what is current."""

    reference: FloatArray
    n: FloatArray
    current: FloatArray
    m: FloatArray


def _chart(figures: _Figures, mean: float, chance: float, effect: float) -> FloatArray:
    """Return the larger of the sums of a two-sided chart after each day: (D,).

    A day's standard error is that of chance, or what the reference's days show, weekday rhythm and
    all, where they differ by more; what its mean may be off by is no drift, nor is a change below
    `effect`. `chance` is the standard deviation of one row, 0 where only the days tell it.
    """
    seen = figures.n > 0
    days, n = figures.reference[seen], figures.n[seen]
    df = days.size - 1
    spread = float((n * (days - mean) ** 2).sum() / df)
    beyond = chance == 0 or df * spread / chance**2 > stats.chi2.ppf(_CHANCE_LEVEL, df)
    of_one = np.sqrt(spread * df / stats.chi2.ppf(1 - _SPREAD_LEVEL, df)) if beyond else chance
    error = np.maximum(of_one / np.sqrt(np.clip(figures.m, 1, n.mean())), _TINY)
    off = effect + _REFERENCE_ERRORS * float(np.median(error)) / np.sqrt(days.size)
    moved = np.where(figures.m > 0, figures.current - mean, 0.0) / error
    dead = np.where(figures.m > 0, _SLACK + off / error, 0.0)
    return np.maximum(_climb(moved - dead), _climb(-moved - dead))


def _climb(steps: FloatArray) -> FloatArray:
    """Add steps up between 0 and `CHART_TOP`."""
    sums, total = np.empty(steps.size), 0.0
    for at, step in enumerate(steps):
        sums[at] = total = min(max(total + step, 0.0), CHART_TOP)
    return sums


def _days(days: Days) -> tuple[FloatArray, FloatArray]:
    total, count = (np.asarray(one, dtype=np.float64) for one in (days.total, days.count))
    if total.shape != count.shape or total.ndim != 1 or (total < 0).any() or (count < 0).any():
        raise ValueError("total and count must have the same shape (K,), none below 0")
    return total, count


def _means(total: FloatArray, count: FloatArray) -> FloatArray:
    """Return the mean of each day, 1 where there is none: it is never looked at."""
    return np.divide(total, count, out=np.ones(total.size), where=count > 0)


def _is_known(count: FloatArray) -> bool:
    return int((count > 0).sum()) >= FEWEST_DAYS and count.sum() >= FEWEST_ROWS
