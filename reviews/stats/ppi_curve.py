"""Degradation at every threshold from people and a judge together: `ppi` for R(t) times the loss.

Of people alone the same lives in `curve`: with lam 0 mean and variance are its own. Running sums
over the rows between neighbouring thresholds serve every threshold, as there.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_ROUNDING = 1e-12


class CorrectedCurve(NamedTuple):
    """Hold the estimates at T thresholds; each array has shape (T,).

    Attributes:
        degradation: share of all traffic made worse; nan without rated rows.
        variance: linearised; nan for fewer than two rated rows.
        lam: how far the judge is heard.
        rho: correlation of R times loss with R times judge over rated rows, as they were drawn;
            nan where one of them never varies.
        events: rated rows with a loss, routed cheap.
        n: rated rows, the same at every threshold.
    """

    degradation: FloatArray
    variance: FloatArray
    lam: FloatArray
    rho: FloatArray
    events: IntArray
    n: int


class _Sums(NamedTuple):
    """Hold sums of a weight times 1 over all rows, times y, f and products over those below t."""

    total: float
    y: FloatArray
    f: FloatArray
    yy: FloatArray
    yf: FloatArray
    ff: FloatArray

    def spread(self, pair: str, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return sum weight (R a - first) (R b - second) for a pair of letters such as `yf`."""
        a, b = (getattr(self, letter) for letter in pair)
        product = getattr(self, pair)
        return np.asarray(product - second * a - first * b + first * second * self.total)


def corrected(
    score: ArrayLike,
    loss: ArrayLike,
    judge: ArrayLike,
    rated: ArrayLike,
    pi: ArrayLike,
    traffic: ArrayLike,
    thresholds: ArrayLike,
    lam: float | None = None,
) -> CorrectedCurve:
    """Estimate degradation at each threshold as lam F + sum w (R y - lam R f) / sum w.

    F is the judge's mean of R f over all rows, which are all traffic; the mean of people's part is
    a ratio, so that only proportions of pi count: a queue that was rated up to some place gives the
    same estimate. lam has the smallest variance of the centred parts. Rows that could not be drawn
    are routed cheap at no threshold asked for; they dilute.

    Args:
        score: (N,) in [0, 1], nan where the router gave none.
        loss: (N,) in [0, 1]; read on rated rows only.
        judge: (N,) in [0, 1]; 0 where the judge did not speak.
        rated: (N,) boolean.
        pi: (N,) proportional to P(rated), in [0, 1]; 0 where a row could not be drawn.
        traffic: (N,) requests a row stands for, 1 / shadow rate.
        thresholds: (T,) strictly increasing.
        lam: tuned at each threshold and cut to [0, 1] when None.

    Raises:
        ValueError: shapes differ, a rated row could not be drawn, or a loss or a prediction lies
            outside [0, 1].

    Source:
        The difference estimator of Sarndal, Swensson and Wretman 1992, section 6.3, with the tuned
        lam of Angelopoulos, Duchi and Zrnic 2023; ratios linearised as in `weighting.hajek`.

    Example:
        >>> found = corrected(
        ...     score=[0.1, 0.2, 0.3, 0.4], loss=[1, 0, 0, 0], judge=[1, 0, 1, 0],
        ...     rated=[True, True, False, False], pi=[0.5] * 4, traffic=[1] * 4,
        ...     thresholds=[0.0, 1.0], lam=1,
        ... )
        >>> found.degradation.tolist(), found.events.tolist()
        ([0.0, 0.5], [0, 1])
    """
    rows, grid = _checked(score, loss, judge, rated, pi, traffic, thresholds)
    if not (rows.rated & (rows.pi > 0)).any():
        return _nothing(grid.size)
    covered = float(rows.traffic[rows.pi > 0].sum() / rows.traffic.sum())
    parts = _parts(rows.where(rows.pi > 0), grid)
    means = _means(parts)
    heard = _tuned(parts, means) if lam is None else np.full(grid.size, float(lam))
    return CorrectedCurve(
        degradation=covered * (means.loss + heard * (means.judge - means.judge_rated)),
        variance=covered**2 * _variance(parts, means, heard),
        lam=heard,
        rho=_correlation(parts.people, means),
        events=parts.events,
        n=parts.n,
    )


class _Rows(NamedTuple):
    """Hold the checked inputs, each of shape (N,); y is 0 on rows that are not rated."""

    score: FloatArray
    y: FloatArray
    f: FloatArray
    rated: NDArray[np.bool_]
    pi: FloatArray
    traffic: FloatArray

    def where(self, mask: NDArray[np.bool_]) -> "_Rows":
        """Return some of the rows."""
        s, y, f, rated, pi, traffic = self
        return _Rows(s[mask], y[mask], f[mask], rated[mask], pi[mask], traffic[mask])


class _Parts(NamedTuple):
    """Hold sums over rated rows and over all rows, g being a row's traffic.

    Weights of rated rows: g/pi, its square, g^2/pi. Of all rows: g, g^2, g^2 (1/pi - 1).
    """

    people: _Sums
    twice: _Sums
    once: _Sums
    everybody: _Sums
    squared: _Sums
    spare: _Sums
    events: IntArray
    n: int


class _Means(NamedTuple):
    """Hold the means of R y and R f over rated rows, and of R f over all: (T,) each."""

    loss: FloatArray
    judge_rated: FloatArray
    judge: FloatArray


def _parts(rows: _Rows, grid: FloatArray) -> _Parts:
    bins, g = np.searchsorted(grid, rows.score, side="right"), rows.traffic
    few = rows.where(rows.rated)
    # Raters may have come up to some part of the queue only: its weights then sum to the frame's.
    pi = rows.pi * (few.traffic / few.pi).sum() / g.sum()
    w = few.traffic / pi[rows.rated]

    def of_rated(weight: FloatArray) -> _Sums:
        return _sums(weight, bins[rows.rated], few, grid.size)

    def of_all(weight: FloatArray) -> _Sums:
        return _sums(weight, bins, rows, grid.size)

    return _Parts(
        people=of_rated(w),
        twice=of_rated(w**2),
        once=of_rated(w * few.traffic),
        everybody=of_all(g),
        squared=of_all(g**2),
        spare=of_all(g**2 * np.maximum(1 / pi - 1, 0.0)),
        events=_below(bins[rows.rated], few.y > 0, grid.size).astype(np.int64),
        n=few.y.size,
    )


def _means(parts: _Parts) -> _Means:
    people, everybody = parts.people, parts.everybody
    return _Means(people.y / people.total, people.f / people.total, everybody.f / everybody.total)


def _tuned(parts: _Parts, means: _Means) -> FloatArray:
    """Return sum w (w - 1) (y - ybar) (f - F) over sum (1/pi - 1) (f - F)^2, cut to [0, 1]."""
    at = (means.loss, means.judge)
    shared = parts.twice.spread("yf", *at) - parts.once.spread("yf", *at)
    spare = parts.spare.spread("ff", means.judge, means.judge)
    return np.clip(_over(shared, spare), 0.0, 1.0)


def _variance(parts: _Parts, means: _Means, lam: FloatArray) -> FloatArray:
    """Sum the squares of lam (R f - F) + w (R e - E), with e = y - lam f: (T,)."""
    y, f, all_f = means
    alone = lam**2 * parts.squared.spread("ff", all_f, all_f)
    mixed = parts.once.spread("yf", y, all_f) - lam * parts.once.spread("ff", f, all_f)
    beyond = (
        parts.twice.spread("yy", y, y)
        - 2 * lam * parts.twice.spread("yf", y, f)
        + lam**2 * parts.twice.spread("ff", f, f)
    )
    squares = np.maximum(alone + 2 * lam * mixed + beyond, 0.0)
    correction = parts.n / (parts.n - 1) if parts.n > 1 else np.nan
    return np.asarray(correction * squares / parts.everybody.total**2)


def _correlation(people: _Sums, means: _Means) -> FloatArray:
    y, f = means.loss, means.judge_rated
    spread = people.spread("yy", y, y) * people.spread("ff", f, f)
    # Below this, what is left of a product is rounding.
    wide = spread > _ROUNDING * people.total**2
    root = np.sqrt(np.where(wide, spread, 1.0))
    return np.where(wide, people.spread("yf", y, f) / root, np.nan)


def _sums(weight: FloatArray, bins: NDArray[np.intp], rows: _Rows, size: int) -> _Sums:
    y, f = rows.y, rows.f
    terms = (y, f, y * y, y * f, f * f)
    return _Sums(float(weight.sum()), *(_below(bins, weight * term, size) for term in terms))


def _below(bins: NDArray[np.intp], term: NDArray[Any], size: int) -> FloatArray:
    """Sum a term over the rows below each threshold."""
    per_bin = np.bincount(bins, weights=term, minlength=size + 1).astype(np.float64)
    return np.cumsum(per_bin)[:size]


def _over(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide, with 0 where there is nothing to divide by."""
    out = np.zeros(numerator.shape)
    np.divide(numerator, denominator, out=out, where=denominator > _ROUNDING)
    return out


def _nothing(size: int) -> CorrectedCurve:
    undefined = np.full(size, np.nan)
    return CorrectedCurve(
        undefined, undefined, np.zeros(size), undefined, np.zeros(size, np.int64), 0
    )


def _checked(
    score: ArrayLike,
    loss: ArrayLike,
    judge: ArrayLike,
    rated: ArrayLike,
    pi: ArrayLike,
    traffic: ArrayLike,
    thresholds: ArrayLike,
) -> tuple[_Rows, FloatArray]:
    """Return rows and thresholds as arrays, refusing what no frame holds."""
    s, y, f, p, g = (
        np.asarray(values, dtype=np.float64) for values in (score, loss, judge, pi, traffic)
    )
    mask, grid = np.asarray(rated), np.asarray(thresholds, dtype=np.float64)
    if mask.size and mask.dtype != np.bool_:
        raise ValueError("rated must be boolean")
    mask = mask.astype(np.bool_)
    if not s.shape == y.shape == f.shape == p.shape == g.shape == mask.shape or s.ndim != 1:
        raise ValueError("every input must have the same shape (N,)")
    if grid.ndim != 1 or not (np.diff(grid) > 0).all():
        raise ValueError("thresholds must be strictly increasing and of shape (T,)")
    y = np.where(mask, y, 0.0)
    if not all(((values >= 0) & (values <= 1)).all() for values in (y, f, p)):
        raise ValueError("loss, judge and pi must lie in [0, 1]")
    if (mask & (p == 0)).any() or not (g > 0).all():
        raise ValueError("a rated row needs pi above 0, and every row traffic above 0")
    return _Rows(s, y, f, mask, p, g), grid
