"""Whether counts are what the design says: sampling, sides, known totals, pairs, ties.

Each of these is known to hold when everything works: a p-value below .001 is a fault to be found
and no finding. What may be looked at every day without alarming by chance alone is `daily`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

FloatArray = NDArray[np.float64]

#: Values that differ by less, beside the largest, are alike.
_ROUNDING = 1e-12

#: Strata that vary less than so many draws are taken together: a normal law needs a few.
_FEWEST_DRAWS = 5.0
#: Of `daily`: how sure it is of the shares beforehand. Small values see small faults badly.
_PRIOR = 1000.0


class Sampling(NamedTuple):
    """Hold how many rows were drawn beside how many the probabilities promise.

    Attributes:
        drawn: (H,) per stratum.
        expected: (H,) sum of pi.
        z: (H,) the difference in standard errors; nan where nothing was left to chance and as
            expected, infinite where the impossible was drawn or the certain was not.
        p_value: of all strata together; 1 where nothing was left to chance.
    """

    drawn: NDArray[np.int64]
    expected: FloatArray
    z: FloatArray
    p_value: float


class Counts(NamedTuple):
    """Hold a chi-square of counts against their shares."""

    chi_square: float
    p_value: float


class Tie(NamedTuple):
    """Hold the score that most of the traffic shares, and its share; nan for no score at all."""

    score: float
    share: float


def sampling(drawn: ArrayLike, pi: ArrayLike, stratum: ArrayLike) -> Sampling:
    """Compare draws with their probabilities, by stratum and together.

    z = (drawn - sum pi) / sqrt(sum pi (1 - pi)), draws being independent.

    Args:
        drawn: (N,) boolean.
        pi: (N,) in [0, 1], fixed before the draw.
        stratum: (N,) whole numbers from 0.

    Raises:
        ValueError: lengths differ, drawn not boolean, or a pi outside [0, 1].

    Source:
        Poisson sampling: Sarndal, Swensson and Wretman 1992, section 3.5. Chi-square over strata,
        those of a variance below 5 taken together.

    Example:
        >>> found = sampling([True] * 60 + [False] * 40, [0.5] * 100, [0] * 100)
        >>> found.z.tolist(), round(found.p_value, 6)
        ([2.0], 0.0455)
    """
    mask, p, group = np.asarray(drawn), np.asarray(pi, dtype=np.float64), np.asarray(stratum)
    if mask.size and mask.dtype != np.bool_:
        raise ValueError("drawn must be boolean")
    if not mask.shape == p.shape == group.shape or mask.ndim != 1:
        raise ValueError("drawn, pi and stratum must have the same shape (N,)")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("pi must lie in [0, 1]")
    if not mask.size:
        return Sampling(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), 1.0)
    counted, expected, variance = (
        np.bincount(group, weights=part).astype(np.float64) for part in (mask, p, p * (1 - p))
    )
    impossible = np.bincount(group, weights=(mask & (p == 0)) | (~mask & (p == 1))) > 0
    z = np.where(impossible, np.inf, _over(counted - expected, np.sqrt(variance)))
    return Sampling(
        counted.astype(np.int64),
        expected,
        z,
        0.0 if impossible.any() else _together(counted - expected, variance),
    )


def shares(counts: ArrayLike, expected: ArrayLike) -> Counts:
    """Compare counts with the shares that they should have.

    Args:
        counts: (C,) whole numbers.
        expected: (C,) shares above 0, summing to 1.

    Raises:
        ValueError: shapes differ, a count is negative, shares are not above 0 or do not sum to 1.

    Source:
        Pearson's chi-square, C - 1 degrees of freedom.

    Example:
        >>> found = shares([44_000, 45_000], [0.5, 0.5])
        >>> round(found.chi_square, 6), round(found.p_value, 9)
        (11.235955, 0.000802278)
    """
    n, share = _categories(counts, expected)
    if not n.sum():
        return Counts(0.0, 1.0)
    wanted = n.sum() * share
    chi_square = float(((n - wanted) ** 2 / wanted).sum())
    return Counts(chi_square, float(stats.chi2.sf(chi_square, n.size - 1)))


def daily(counts: ArrayLike, expected: ArrayLike) -> FloatArray:
    """Return after each day ln of the odds against the shares, which may be looked at every day.

    Below ln 1000 = 6.9 all is well; counts that have their shares pass it once in 1000 studies,
    however often somebody looks.

    Args:
        counts: (D, C) of each day.
        expected: (C,) shares above 0, summing to 1.

    Returns:
        (D,) over all days so far.

    Raises:
        ValueError: as `shares`.

    Source:
        Lindon and Malek 2022, Anytime-Valid Inference For Multinomial Count Data; Dirichlet prior
        of 1000 observations around the shares.

    Example:
        >>> daily([[44_000, 45_000]], [0.5, 0.5]).round(8).tolist()
        [3.30557955]
    """
    rows = np.asarray(counts)
    if rows.ndim != 2:
        raise ValueError("counts must have shape (D, C)")
    _, share = _categories(rows.sum(axis=0), expected)
    n = np.cumsum(rows, axis=0).astype(np.float64)
    prior = _PRIOR * share
    of_each = special.gammaln(prior + n) - special.gammaln(prior) - n * np.log(share)
    total = n.sum(axis=1)
    whole = special.gammaln(_PRIOR) - special.gammaln(_PRIOR + total)
    return np.asarray(whole + of_each.sum(axis=1))


def fair(hits: int, n: int) -> float:
    """Return the exact p-value of so many heads of a fair coin: sides, or discordant pairs.

    Of b pairs where only one answer is missing and c where only the other is, `fair(b, b + c)` is
    McNemar's exact test.

    Raises:
        ValueError: hits outside [0, n].

    Example:
        >>> round(fair(62, 100), 10), round(fair(15, 20), 10), fair(0, 0)
        (0.0209787357, 0.0413894653, 1.0)
    """
    if not 0 <= hits <= n:
        raise ValueError("hits must lie in [0, n]")
    return float(stats.binomtest(hits, n).pvalue) if n else 1.0


def balance(x: ArrayLike, drawn: ArrayLike, pi: ArrayLike) -> float:
    """Return how far the drawn rows' mean of something known of all rows is off, in errors.

    sum w (x - xbar) over the root of sum (1/pi - 1) (x - xbar)^2; beyond 3.3 either way the
    probabilities are not those of the draw. Nothing is estimated: x, pi and xbar are known.

    Args:
        x: (N,) known of each row before the draw.
        drawn: (N,) boolean.
        pi: (N,) in (0, 1].

    Returns:
        z; 0 where nothing was left to chance or all x are alike.

    Raises:
        ValueError: lengths differ, an x is not finite, or a pi outside (0, 1].

    Source:
        Horvitz and Thompson 1952 for a total that is known; Sarndal, Swensson and Wretman 1992,
        section 3.5.

    Example:
        >>> balance([0, 0, 1, 1], [False, False, True, True], [0.5] * 4)
        2.0
    """
    values, mask, p = (np.asarray(v) for v in (x, drawn, pi))
    if not values.shape == mask.shape == p.shape or values.ndim != 1:
        raise ValueError("x, drawn and pi must have the same shape (N,)")
    if not np.isfinite(values).all() or not ((p > 0) & (p <= 1)).all():
        raise ValueError("x must be finite, and pi lie in (0, 1]")
    if not values.size or np.ptp(values) <= _ROUNDING * np.abs(values).max():
        return 0.0  # else the mean's rounding would be divided by itself
    away = values - values.mean()
    error = np.sqrt(((1 / p - 1) * away**2).sum())
    return float((away * mask / p).sum() / error) if error > 0 else 0.0


def tie(score: ArrayLike, traffic: ArrayLike) -> Tie:
    """Return the score that the largest share of the traffic has.

    Rows of one score move together: no threshold divides them.

    Args:
        score: (N,) nan where there is none; such rows are traffic, and no tie.
        traffic: (N,) requests a row stands for.

    Example:
        >>> tie([0.2, 0.2, 0.4, np.nan], [1, 1, 1, 1])
        Tie(score=0.2, share=0.5)
    """
    s, g = np.asarray(score, dtype=np.float64), np.asarray(traffic, dtype=np.float64)
    known = ~np.isnan(s)
    if not known.any():
        return Tie(np.nan, np.nan)
    order = np.argsort(s[known], kind="stable")
    sorted_scores = s[known][order]
    begins = np.flatnonzero(np.append(True, sorted_scores[1:] != sorted_scores[:-1]))
    sums = np.add.reduceat(g[known][order], begins)
    most = int(sums.argmax())
    return Tie(float(sorted_scores[begins[most]]), float(sums[most] / g.sum()))


def _together(away: FloatArray, variance: FloatArray) -> float:
    """Return the p-value of all strata; small ones are one stratum, nothing by chance is none."""
    small = variance < _FEWEST_DRAWS
    away = np.append(away[~small], away[small].sum())
    variance = np.append(variance[~small], variance[small].sum())
    by_chance = variance > 0
    if not by_chance.any():
        return 1.0
    chi_square = (away[by_chance] ** 2 / variance[by_chance]).sum()
    return float(stats.chi2.sf(chi_square, int(by_chance.sum())))


def _categories(counts: ArrayLike, expected: ArrayLike) -> tuple[FloatArray, FloatArray]:
    n, share = np.asarray(counts, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if n.shape != share.shape or n.ndim != 1 or n.size < 2:
        raise ValueError("there must be two counts or more, and a share for each")
    if (n < 0).any():
        raise ValueError("counts cannot be below 0")
    if not (share > 0).all() or not np.isclose(share.sum(), 1.0):
        raise ValueError("shares must be above 0 and sum to 1")
    return n, share


def _over(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
