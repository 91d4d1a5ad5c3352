"""Whether the side an answer was shown on decided votes."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from reviews.stats.intervals import Interval

FloatArray = NDArray[np.float64]


class RaterPosition(NamedTuple):
    """Hold one rater's decisive votes; `p_holm` allows for all the raters who were looked at."""

    rater: Hashable
    left: int
    decisive: int
    p_value: float
    p_holm: float


class PositionEffect(NamedTuple):
    """Hold how often the left answer won; .5 is no effect.

    Attributes:
        share_left: nan without decisive votes.
        interval: allows for raters having habits; [0, 1] for fewer than two raters.
        p_value: of "no effect among raters like these"; nan for fewer than two raters.
        n_decisive: votes that were no tie.
        raters: one entry per rater, in order of first appearance.
    """

    share_left: float
    interval: Interval[float]
    p_value: float
    n_decisive: int
    raters: tuple[RaterPosition, ...]


def position_effect(
    left_won: ArrayLike, rater: Sequence[Hashable], level: float = 0.95
) -> PositionEffect:
    """Test decisive votes for a preference of the left side, pooled and rater by rater.

    Sides must have been drawn at random. The pooled test is about raters like these: votes of one
    rater count for less the more alike they are, and few raters say little however much they vote.

    Args:
        left_won: (n,) boolean, decisive votes only; leave ties out.
        rater: (n,) who voted.
        level: two-sided confidence of the pooled interval.

    Raises:
        ValueError: lengths differ, or left_won not boolean.

    Source:
        Per rater: exact binomial test; Holm 1979. Pooled: t test on the variance between raters,
        linearised as in Sarndal, Swensson and Wretman 1992, section 5.6.

    Example:
        >>> effect = position_effect(np.arange(100) < 62, ["a"] * 100)
        >>> effect.share_left, round(effect.raters[0].p_value, 6)
        (0.62, 0.020979)
    """
    won = np.asarray(left_won)
    if won.size and won.dtype != np.bool_:
        raise ValueError("left_won must be boolean")
    if won.shape != (len(rater),):
        raise ValueError("left_won and rater must have the same length")
    names = list(dict.fromkeys(rater))
    place = np.array([names.index(name) for name in rater], dtype=np.intp)
    left = np.bincount(place, weights=won).astype(np.float64)
    decisive = np.bincount(place).astype(np.float64)
    share = float(won.mean()) if won.size else np.nan
    interval, p_value = _pooled(left, decisive, level)
    raters = tuple(_per_rater(names, left, decisive))
    return PositionEffect(share, interval, p_value, won.size, raters)


def holm(p_values: ArrayLike) -> FloatArray:
    """Adjust p-values for having looked at all of them.

    Args:
        p_values: (m,) in [0, 1].

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(p.size)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    return np.minimum(adjusted, 1.0)


def _pooled(left: FloatArray, decisive: FloatArray, level: float) -> tuple[Interval[float], float]:
    """Return interval and p-value of the share of left votes, raters being the units."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    n, raters = decisive.sum(), decisive.size
    if raters < 2:
        return Interval(0.0, 1.0), np.nan
    share = left.sum() / n
    between = raters / (raters - 1) * (((left - share * decisive) / n) ** 2).sum()
    # Raters who happen to be alike do not make votes surer than coins are.
    error = np.sqrt(max(between, 0.25 / n))
    half = stats.t.ppf((1 + level) / 2, raters - 1) * error
    p_value = 2 * stats.t.sf(abs(share - 0.5) / error, raters - 1)
    return Interval(float(max(share - half, 0)), float(min(share + half, 1))), float(p_value)


def _per_rater(
    names: list[Hashable], left: FloatArray, decisive: FloatArray
) -> Iterator[RaterPosition]:
    """Test each rater alone, exactly: both tails of a fair coin are alike."""
    fewer = np.minimum(left, decisive - left)
    p = np.minimum(2 * special.bdtr(fewer, decisive.astype(np.int64), 0.5), 1.0)
    rows = zip(names, left.tolist(), decisive.tolist(), p.tolist(), holm(p).tolist(), strict=True)
    for name, x, n, alone, adjusted in rows:
        yield RaterPosition(name, int(x), int(n), alone, adjusted)
