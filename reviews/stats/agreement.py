"""How far raters agree, beyond what chance would give.

Each coefficient has its own idea of chance; `panel` puts the ones worth reading beside each other,
with the prevalence without which none can be read. Nan means "undefined": nothing was rated twice,
or nobody ever chose a second category. It never means zero.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats import resampling, tallies
from reviews.stats.intervals import Interval, korn_graubard
from reviews.stats.tallies import Tally, Totals
from reviews.stats.weighting import hajek

FloatArray = NDArray[np.float64]
Metric = Literal["nominal", "ordinal", "interval", "ratio"]
Coefficient = Callable[[Totals], FloatArray]

_PANEL_METRICS: tuple[Metric, Metric] = ("nominal", "ordinal")
# Weighted shares that sum to 1 miss it by rounding; a real second category is far above this.
_ROUNDING = 1e-12


class Estimate(NamedTuple):
    """Hold a value with its interval; nan in either means that it is undefined."""

    value: float
    interval: Interval[float]


class Panel(NamedTuple):
    """Hold what is said about agreement, never one number alone.

    Attributes:
        percent: share of pairs of raters who said the same, Korn-Graubard interval.
        alpha_nominal: Krippendorff, any two categories being equally far apart.
        alpha_ordinal: Krippendorff, by rank; for categories that were given in their order.
        ac1: Gwet.
        prevalence: (q,) mean share of each category in the order given; nan without ratings.
        n_items: items with two ratings or more.
        n_ratings: ratings of those items.
    """

    percent: Estimate
    alpha_nominal: Estimate
    alpha_ordinal: Estimate
    ac1: Estimate
    prevalence: tuple[float, ...]
    n_items: int
    n_ratings: int


def percent(ratings: ArrayLike, categories: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Average over items the share of pairs of raters who said the same.

    Args:
        ratings: (n, R), nan where a rater did not rate the item.
        categories: (q,) every value the form offers.
        weight: (n,) 1 / P(the item was drawn); equal when None.

    Example:
        >>> percent([[0, 0], [0, 1], [1, np.nan]], categories=[0, 1])
        0.5
    """
    return _value(tallies.tally(ratings, categories, weight), _percent)


def cohen(ratings: ArrayLike, categories: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Compare two raters, chance being each one's own habits.

    Args:
        ratings: (n, 2); items that only one of them rated are left out.
        categories: (q,) every value the form offers.
        weight: (n,) 1 / P(the item was drawn); equal when None.

    Raises:
        ValueError: as `tallies.tally`, or not two raters.

    Source:
        Cohen 1960, Educational and Psychological Measurement 20.

    Example:
        >>> cohen([[0, 0], [0, 0], [1, 1], [1, 0]], categories=[0, 1])
        0.5
    """
    both, weights = _both(ratings, weight)
    tallied = tallies.tally(both, categories, weights)
    if not both.size:
        return np.nan
    first, second = ((both[:, [k]] == tallied.categories) for k in (0, 1))
    chance = (_mean(first, tallied.weight) * _mean(second, tallied.weight)).sum()
    agreeing = _mean((both[:, 0] == both[:, 1])[:, None], tallied.weight)
    return float(_beyond(agreeing, np.array([chance]))[0])


def scott(ratings: ArrayLike, categories: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Compare two raters, chance being the habits they have together.

    Args:
        ratings: (n, 2); items that only one of them rated are left out.
        categories: (q,) every value the form offers.
        weight: (n,) 1 / P(the item was drawn); equal when None.

    Raises:
        ValueError: as `tallies.tally`, or not two raters.

    Source:
        Scott 1955, Public Opinion Quarterly 19.

    Example:
        >>> round(scott([[0, 0], [0, 0], [1, 1], [1, 0]], categories=[0, 1]), 4)
        0.4667
    """
    both, weights = _both(ratings, weight)
    return fleiss(both, categories, weights)


def fleiss(ratings: ArrayLike, categories: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Compare any raters, chance being the mean share of each category.

    Where every item has the same number of ratings this is Fleiss's kappa; else Gwet's extension,
    which takes agreement from items with two ratings and shares from all.

    Args:
        ratings: (n, R), nan where a rater did not rate the item.
        categories: (q,) every value the form offers.
        weight: (n,) 1 / P(the item was drawn); equal when None.

    Source:
        Fleiss 1971, Psychological Bulletin 76; Gwet 2014, Handbook of Inter-Rater Reliability.
    """
    return _value(tallies.tally(ratings, categories, weight), _fleiss)


def gwet(ratings: ArrayLike, categories: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return AC1, whose chance is small where one category is common.

    The number of categories matters: one that nobody chose still belongs in the list. Where all
    chose the same one, AC1 is defined and 1.

    Args:
        ratings: (n, R), nan where a rater did not rate the item.
        categories: (q,) every value the form offers.
        weight: (n,) 1 / P(the item was drawn); equal when None.

    Source:
        Gwet 2008, British Journal of Mathematical and Statistical Psychology 61.

    Example:
        >>> table = [[0, 0]] * 118 + [[0, 1]] * 5 + [[1, 0]] * 2
        >>> round(gwet(table, categories=[0, 1]), 6), round(cohen(table, categories=[0, 1]), 6)
        (0.940776, -0.023392)
    """
    return _value(tallies.tally(ratings, categories, weight), _gwet)


def krippendorff(
    ratings: ArrayLike,
    categories: ArrayLike,
    metric: Metric = "nominal",
    weight: ArrayLike | None = None,
) -> float:
    """Return alpha = 1 - observed / expected disagreement, over items with two ratings or more.

    Args:
        ratings: (n, R), nan where a rater did not rate the item.
        categories: (q,) every value the form offers; in order for "ordinal", numbers that can be
            subtracted for "interval", with a true zero for "ratio".
        metric: how far apart two categories are.
        weight: (n,) 1 / P(the item was drawn); equal when None.

    Raises:
        ValueError: as `tallies.tally`, an unknown metric, or a negative category for "ratio".

    Source:
        Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.

    Example:
        >>> a, b = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
        >>> round(krippendorff(np.transpose([a, b]), categories=[0, 1]), 6)
        0.095238
    """
    tallied = tallies.tally(ratings, categories, weight)
    return _value(tallied, _alpha(tallied.categories, metric))


def panel(
    ratings: ArrayLike,
    categories: ArrayLike,
    rng: np.random.Generator,
    weight: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = resampling.RESAMPLES,
) -> Panel:
    """Estimate agreement four ways on one set of resamples.

    Intervals are a bootstrap over items, save that of `percent`. They are nan where the resamples
    cannot tell (`resampling.percentile_interval`): nobody ever disagreed, or hardly anybody did.

    Args:
        ratings: (n, R), nan where a rater did not rate the item.
        categories: (q,) every value the form offers, in order.
        rng: seeded by the caller.
        weight: (n,) 1 / P(the item was drawn); equal when None.
        level: two-sided confidence of each interval.
        resamples: B.

    Raises:
        ValueError: as `tallies.tally`, or level outside (0, 1).
    """
    tallied = tallies.tally(ratings, categories, weight)
    drawn = resampling.multiplicities(tallied.weight.size, rng, resamples) * tallied.weight
    sample, resampled = (tallies.totals(tallied, w) for w in (tallied.weight[None], drawn))
    alphas = (_alpha(tallied.categories, metric) for metric in _PANEL_METRICS)
    nominal, ordinal, ac1 = (
        Estimate(float(f(sample)[0]), resampling.percentile_interval(f(resampled), level))
        for f in (*alphas, _gwet)
    )
    n_ratings = tallied.counts.sum(axis=1)
    return Panel(
        percent=_percent_estimate(tallied, level),
        alpha_nominal=nominal,
        alpha_ordinal=ordinal,
        ac1=ac1,
        prevalence=tuple(_prevalence(sample)[0].tolist()),
        n_items=int((n_ratings >= 2).sum()),
        n_ratings=int(n_ratings[n_ratings >= 2].sum()),
    )


def _percent_estimate(tallied: Tally, level: float) -> Estimate:
    """Bound percent agreement as any weighted share; a bootstrap of "all agree" has no width."""
    used = tallied.counts.sum(axis=1) >= 2
    mean = hajek(tallies.agreeing(tallied.counts)[used], tallied.weight[used])
    return Estimate(mean.mean, Interval(*map(float, korn_graubard(*mean, level=level))))


def _value(tallied: Tally, coefficient: Coefficient) -> float:
    """Return a coefficient of the sample as it is."""
    return float(coefficient(tallies.totals(tallied, tallied.weight[None]))[0])


def _percent(sums: Totals) -> FloatArray:
    """Return the mean share of agreeing pairs: (B,)."""
    return _ratio(sums.agreeing, sums.pairable)


def _fleiss(sums: Totals) -> FloatArray:
    """Return (pa - pe) / (1 - pe) with pe = sum pi_c^2: (B,)."""
    return _beyond(_percent(sums), (_prevalence(sums) ** 2).sum(axis=1))


def _gwet(sums: Totals) -> FloatArray:
    """Return (pa - pe) / (1 - pe) with pe = sum pi_c (1 - pi_c) / (q - 1): (B,)."""
    pi = _prevalence(sums)
    return _beyond(_percent(sums), (pi * (1 - pi)).sum(axis=1) / (pi.shape[1] - 1))


def _alpha(categories: FloatArray, metric: Metric) -> Coefficient:
    """Return the function that turns coincidences into alpha under a metric."""
    if metric == "ratio" and (categories < 0).any():
        raise ValueError("a ratio needs categories of 0 or more")
    if metric not in ("nominal", "ordinal", "interval", "ratio"):
        raise ValueError(f"metric must be nominal, ordinal, interval or ratio, got {metric!r}")

    def alpha(sums: Totals) -> FloatArray:
        margins = sums.coincidences.sum(axis=2)
        distance = _distance(categories, metric, margins)
        observed = (sums.coincidences * distance).sum(axis=(1, 2))
        expected = (margins[:, :, None] * margins[:, None, :] * distance).sum(axis=(1, 2))
        return 1 - _ratio((margins.sum(axis=1) - 1) * observed, expected)

    return alpha


def _distance(categories: FloatArray, metric: Metric, margins: FloatArray) -> FloatArray:
    """Return delta^2 between any two categories: (q, q), or (B, q, q) for ranks."""
    if metric == "nominal":
        return 1 - np.eye(categories.size)
    if metric == "ordinal":
        # A category's mean rank; n_c + ... + n_d less half of both ends is the ranks' difference.
        ranks = np.cumsum(margins, axis=1) - margins / 2
        return np.asarray((ranks[:, :, None] - ranks[:, None, :]) ** 2)
    difference, total = categories[:, None] - categories, categories[:, None] + categories
    if metric == "interval":
        return np.asarray(difference**2)
    # Only zero and itself have a total of zero, and their difference is zero too.
    return np.asarray((difference / np.where(total == 0, 1, total)) ** 2)


def _prevalence(sums: Totals) -> FloatArray:
    """Return the mean share of each category: (B, q)."""
    return _ratio(sums.shares, sums.rated[:, None])


def _both(ratings: ArrayLike, weight: ArrayLike | None) -> tuple[FloatArray, FloatArray | None]:
    """Keep the items that both of two raters rated."""
    said = np.asarray(ratings, dtype=np.float64)
    if said.ndim != 2 or said.shape[1] != 2:
        raise ValueError(f"ratings of two raters must have shape (n, 2), got {said.shape}")
    kept = ~np.isnan(said).any(axis=1)
    if weight is None:
        return said[kept], None
    weights = np.asarray(weight, dtype=np.float64)
    if weights.shape != kept.shape:
        raise ValueError("weight must have one value per item")
    return said[kept], weights[kept]


def _mean(values: NDArray[np.bool_], weight: FloatArray) -> FloatArray:
    """Return the weighted mean of each column."""
    return np.asarray(weight @ values / weight.sum())


def _beyond(agreeing: FloatArray, chance: FloatArray) -> FloatArray:
    """Return (pa - pe) / (1 - pe); nan where chance alone explains everything."""
    room = np.where(1 - chance > _ROUNDING, 1 - chance, 0.0)
    return _ratio(agreeing - chance, room)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; nan where the denominator is zero."""
    top, bottom = np.broadcast_arrays(numerator, denominator)
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out
