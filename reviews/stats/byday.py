"""A ratio over a period with days as the sample: requests of one day resemble each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reviews.stats.daily import FEWEST_DAYS


class Ratio(NamedTuple):
    """A ratio with its ends; these are nan with fewer than three days, all without any."""

    value: float
    low: float
    high: float


def ratio(numerator: ArrayLike, denominator: ArrayLike, level: float = 0.95) -> Ratio:
    """Return the sum of the first over that of the second, with days as clusters.

    Args:
        numerator: (D,) a sum of each day.
        denominator: (D,) what it is a share of, not below 0.
        level: two-sided confidence.

    Raises:
        ValueError: lengths differ, or a denominator below 0.

    Source:
        Linearised ratio of cluster totals; Cochran 1977, Sampling Techniques, section 9A.

    Example:
        >>> [round(x, 4) for x in ratio([4, 6, 5, 5], [10, 10, 10, 10])]
        [0.5, 0.3701, 0.6299]
    """
    y, x = (np.asarray(v, np.float64) for v in (numerator, denominator))
    if y.shape != x.shape or y.ndim != 1 or (x < 0).any():
        raise ValueError("both must be of the same days, and nothing is a share of less than 0")
    total, n = x.sum(), x.size
    if not total > 0:
        return Ratio(np.nan, np.nan, np.nan)
    value = float(y.sum() / total)
    if n < FEWEST_DAYS:
        return Ratio(value, np.nan, np.nan)
    away = y - value * x
    error = float(np.sqrt(n / (n - 1) * (away @ away)) / total)
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    return Ratio(value, value - half, value + half)
