"""The bootstrap over items: how often each is drawn, and the interval its draws give.

An item (a pair, with everything that was said about it) is the unit that varies; ratings of one
item are never drawn apart. What is computed from the drawn items lives with its statistic.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats.intervals import Interval

FloatArray = NDArray[np.float64]

RESAMPLES = 999
# Sums of the same weights in another order differ by less than this.
_ROUNDING = 1e-12


def multiplicities(
    n: int, rng: np.random.Generator, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Draw n of n items with replacement, again and again, and count each item's part.

    Args:
        n: items.
        rng: seeded by the caller, so that a figure can be computed again.
        resamples: B.

    Returns:
        (B, n) whole numbers as floats, each row summing to n.

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 6.

    Example:
        >>> multiplicities(4, np.random.default_rng(0), resamples=2).sum(axis=1).tolist()
        [4.0, 4.0]
    """
    if n == 0:
        return np.zeros((resamples, 0))
    drawn = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(resamples))
    return np.fromiter(drawn, dtype=np.dtype((np.float64, n)), count=resamples)


def within_strata(
    stratum: ArrayLike, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Iterator[FloatArray]:
    """Draw n_h - 1 of the n_h items of each stratum, again and again; yield each item's factor.

    Factors n_h / (n_h - 1) times the count make the spread between draws that of the estimate, also
    in small strata, which drawing n_h of n_h would understate. Strata of one item are taken
    together with the next: alone they would never vary.

    Args:
        stratum: (n,) whole numbers.
        rng: seeded by the caller.
        resamples: B.

    Yields:
        (n,) factors for the items' weights, with a mean of 1 in each stratum.

    Source:
        Rao and Wu 1988, JASA 83; Rao, Wu and Yue 1992, Survey Methodology 18.

    Example:
        >>> part = next(within_strata([0, 0, 0, 1, 1], np.random.default_rng(0)))
        >>> part[:3].sum().round(6), part[3:].sum().round(6)
        (np.float64(3.0), np.float64(2.0))
    """
    groups = _groups(np.asarray(stratum))
    n = sum(group.size for group in groups)
    for _ in range(resamples):
        part = np.ones(n)
        for group in groups:
            drawn = rng.integers(group.size, size=group.size - 1)
            counts = np.bincount(drawn, minlength=group.size)
            part[group] = counts * group.size / (group.size - 1) if group.size > 1 else 1.0
        yield part


def drawn_together(
    stratum: NDArray[np.int64],
    cluster: NDArray[np.int64] | None,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Iterator[FloatArray]:
    """Draw items as `within_strata` does, or whole clusters of them: items alike vary as one.

    Args:
        stratum: (n,) whole numbers; with clusters it is not looked at.
        cluster: (n,) whole numbers from 0, or None where each item varies by itself.
        rng: seeded by the caller.
        resamples: B.

    Yields:
        (n,) factors for the items' weights.

    Source:
        Rao and Wu 1988, with clusters as the units that are drawn.

    Example:
        >>> cluster = np.array([0, 1, 0, 1])
        >>> part = next(drawn_together(np.zeros(4, int), cluster, np.random.default_rng(0)))
        >>> part[0] == part[2], part[1] == part[3]
        (np.True_, np.True_)
    """
    if cluster is None:
        yield from within_strata(stratum, rng, resamples)
        return
    units = np.zeros(int(cluster.max(initial=-1)) + 1, np.int64)
    for part in within_strata(units, rng, resamples):
        yield part[cluster]


def percentile_interval(draws: ArrayLike, level: float = 0.95) -> Interval[float]:
    """Cut the tails off resampled values; say nothing where the resamples cannot.

    Both ends are nan when more resamples are undefined than one tail holds, for then the sample is
    too small to say where the tail ends; and when all resamples are alike, for an interval of no
    width would claim what no sample can know.

    Args:
        draws: (B,) resampled values, nan where a resample was undefined.
        level: two-sided confidence in (0, 1).

    Raises:
        ValueError: level outside (0, 1).

    Source:
        Efron and Tibshirani 1993, chapter 13.

    Example:
        >>> percentile_interval(np.arange(1001), level=0.9)
        Interval(low=50.0, high=950.0)
        >>> percentile_interval([1.0, 1.0, 1.0])
        Interval(low=nan, high=nan)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    values = np.asarray(draws, dtype=np.float64)
    tail = (1 - level) / 2
    defined = values[~np.isnan(values)]
    if defined.size == 0 or defined.size < (1 - tail) * values.size or _alike(defined):
        return Interval(np.nan, np.nan)
    # Counted from the ends and not interpolated: a draw may be infinite.
    low, high = np.quantile(defined, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(low), float(high))


def _groups(stratum: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Return the items of each stratum; one of a single item goes with the one after, or before."""
    groups: list[NDArray[np.intp]] = []
    for name in np.unique(stratum):
        items = np.flatnonzero(stratum == name)
        if groups and groups[-1].size == 1:
            items = np.append(groups.pop(), items)
        groups.append(items)
    if len(groups) > 1 and groups[-1].size == 1:
        groups[-2:] = [np.append(groups[-2], groups[-1])]
    return groups


def _alike(draws: FloatArray) -> bool:
    """Say whether draws differ by rounding only; infinite ones are alike."""
    low, high = float(draws.min()), float(draws.max())
    return low == high or high - low <= _ROUNDING * max(min(abs(low), abs(high)), 1.0)
