"""Means of outcomes, and the difference between two arms compared within strata.

Who is in which arm depends on the score and the task type, so that a plain difference of two means
compares easy questions with hard ones. Among questions of one task with nearly one score it does
not.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reviews.stats.intervals import Interval, wilson

#: Bands of equal width over [0, 1].
N_BANDS = 10
#: Fewer values of either arm in a stratum compare nothing.
LEAST = 20


class Mean(NamedTuple):
    """A mean with its interval; all nan but `n` where there is no value."""

    value: float
    low: float
    high: float
    n: int


class Contrast(NamedTuple):
    """The mean of the first arm less that of the second, over the strata that have both.

    Attributes:
        difference: nan where no stratum has both; the ends of its interval likewise.
        n: values in these strata.
        n_all: values below the threshold, in strata with one arm only, too.
    """

    difference: float
    low: float
    high: float
    n: int
    n_all: int

    @property
    def coverage(self) -> float:
        """Return the share of the values that is compared; 0 where there are none."""
        return self.n / self.n_all if self.n_all else 0.0


def mean(values: NDArray[Any], *, is_share: bool, level: float = 0.95) -> Mean:
    """Return the mean of values in [0, 1].

    Args:
        values: shape (n,).
        is_share: whether they are 0 or 1: Wilson's interval, else Student's. Values that are all
            alike have no spread to tell the error by; of them, too, Wilson's is taken, which is
            wider than that of any other values in [0, 1] with this mean.
        level: two-sided confidence in (0, 1).

    Raises:
        ValueError: when a value lies outside [0, 1].

    Example:
        >>> [round(x, 4) for x in mean(np.array([0.2, 0.4, 0.9]), is_share=False)]
        [0.5, 0.0, 1.0, 3]
        >>> [round(x, 4) for x in mean(np.array([1.0, 1.0, 1.0, 0.0]), is_share=True)]
        [0.75, 0.3006, 0.9544, 4]
    """
    x = np.asarray(values, dtype=np.float64)
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("values must lie in [0, 1]")
    if not x.size:
        return Mean(np.nan, np.nan, np.nan, 0)
    low, high = _interval(x, is_share, level)
    return Mean(float(x.mean()), low, high, x.size)


def _interval(x: NDArray[np.float64], is_share: bool, level: float) -> Interval[float]:
    if is_share or np.ptp(x) == 0:
        ends = wilson(min(float(x.sum()), float(x.size)), float(x.size), level)
        return Interval(float(ends.low), float(ends.high))
    half = stats.t.ppf((1 + level) / 2, x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    return Interval(max(float(x.mean() - half), 0.0), min(float(x.mean() + half), 1.0))


def contrast(
    score: NDArray[Any],
    group: NDArray[Any],
    in_first: NDArray[Any],
    values: NDArray[Any],
    threshold: float | NDArray[Any],
    *,
    is_share: bool,
    level: float = 0.95,
) -> Contrast:
    """Compare two arms below a threshold, stratum by stratum, weighted by the values of each.

    A stratum is a group crossed with a score band. One in which either arm has fewer than `LEAST`
    values is left out, not filled in: the result says nothing of it. The interval adds up those of
    the means, each way apart (MOVER), so that strata in which all values are alike count with the
    error they have.

    Args:
        score: in [0, 1], shape (n,).
        group: numbers of groups that are never compared with each other, shape (n,).
        in_first: whether a row is in the first arm, shape (n,).
        values: in [0, 1], shape (n,).
        threshold: rows scored at or above it are left out; one for all or, of shape (n,), of each.
        is_share: see `mean`.
        level: two-sided confidence in (0, 1).

    Source:
        Zou and Donner 2008, Statistics in Medicine 27, 1693-1702; for two Wilson intervals it is
        method 10 of Newcombe 1998, Statistics in Medicine 17, 873-890.

    Example:
        Newcombe's table II, row (a): 56/70 less 48/80.

        >>> arms = np.repeat([True, False], [70, 80])
        >>> said = np.repeat([1.0, 0.0, 1.0, 0.0], [56, 14, 48, 32])
        >>> score, group = np.full(150, 0.31), np.zeros(150, int)
        >>> found = contrast(score, group, arms, said, 0.4, is_share=True)
        >>> [round(x, 4) for x in found[:3]]
        [0.2, 0.0524, 0.3339]
    """
    below = score < threshold
    band = np.searchsorted(np.arange(1, N_BANDS) / N_BANDS, score, side="right")
    stratum = np.asarray(group) * N_BANDS + band
    both = _both(stratum[below], in_first[below], values[below])
    n, n_all = sum(one.size + other.size for one, other in both), int(below.sum())
    if not both:
        return Contrast(np.nan, np.nan, np.nan, 0, n_all)
    first, second = (
        np.array([mean(pair[arm], is_share=is_share, level=level) for pair in both])
        for arm in (0, 1)
    )
    weight = np.array([one.size + other.size for one, other in both]) / n
    return Contrast(*_sum(weight, first, second), n, n_all)


def _both(
    stratum: NDArray[Any], in_first: NDArray[Any], values: NDArray[Any]
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return the values of both arms of each stratum that has enough of them, by one sort."""
    cell = 2 * stratum + ~in_first
    names, counts = np.unique(cell, return_counts=True)
    parts = np.split(values[np.argsort(cell, kind="stable")], np.cumsum(counts)[:-1])
    # Of nothing there is one part, and no name for it.
    cells = zip(names.tolist(), parts, strict=False)
    enough = {name: part for name, part in cells if part.size >= LEAST}
    firsts = [name for name in enough if name % 2 == 0 and name + 1 in enough]
    return [(enough[name], enough[name + 1]) for name in firsts]


def _sum(
    weight: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return the weighted difference of means and its interval.

    Args:
        weight: of each stratum, adding up to 1, shape (strata,).
        first: means with their intervals, as in `Mean`, shape (strata, 4).
        second: likewise.
    """
    (a, a_low, a_high, _), (b, b_low, b_high, _) = first.T, second.T
    difference = float(weight @ (a - b))
    down = np.sqrt(weight**2 @ ((a - a_low) ** 2 + (b_high - b) ** 2))
    up = np.sqrt(weight**2 @ ((a_high - a) ** 2 + (b - b_low) ** 2))
    return difference, difference - float(down), difference + float(up)
