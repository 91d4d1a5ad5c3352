"""Whether newer traffic is still the traffic that was studied.

Each alarm asks for an effect and for more than chance: of many rows every difference is beyond
chance, of few rows every difference is large. An alarm says nothing about quality.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.spatial import distance

from reviews.stats.intervals import Interval

FloatArray = NDArray[np.float64]

_BINS = 10
_PSI_WARNS, _PSI_ALARMS = 0.1, 0.25
_KS_P, _KS_D = 0.001, 0.05
_SLACK, _BARRIER = 0.5, 5.0
_MIX_P = 0.001
_MMD_P = 0.005
_AUC, _AUC_LEVEL = 0.55, 0.98
_MOST_EMBEDDED = 1000
_FOLDS = 5


class Psi(NamedTuple):
    """Hold a population stability index.

    Attributes:
        value: 0 for equal shares; nan where either sample is empty.
        limit: warn above it: .1, or what samples of these sizes pass once in 1000 by chance.
        warns: above the limit.
        alarms: at .25 or more, and above the limit.
    """

    value: float
    limit: float
    warns: bool
    alarms: bool


class Ks(NamedTuple):
    """Hold the largest distance of two distribution functions; nan where either is empty.

    `alarms` asks for a distance above .05 and a p-value below .001.
    """

    distance: float
    p_value: float
    alarms: bool


class Cusum(NamedTuple):
    """Hold the sums of a control chart after each batch, and whether either passed 5."""

    up: FloatArray
    down: FloatArray
    alarms: bool


class Mmd(NamedTuple):
    """Hold an unbiased squared discrepancy, which may be below 0, with its permutation p-value."""

    value: float
    p_value: float
    alarms: bool


class Told(NamedTuple):
    """Hold how well a classifier tells old rows from new: .5 is not at all."""

    auc: float
    interval: Interval[float]
    alarms: bool


class Mix(NamedTuple):
    """Hold a chi-square of two mixes of categories; nan where either is empty."""

    chi_square: float
    p_value: float
    alarms: bool


def stability(reference: ArrayLike, current: ArrayLike) -> float:
    """Return sum (q - p) ln(q / p) of two lists of shares.

    Args:
        reference: (B,) p, above 0.
        current: (B,) q, above 0.

    Raises:
        ValueError: shapes differ, or a share is not above 0.

    Source:
        Siddiqi 2006, Credit Risk Scorecards; the symmetric divergence of Jeffreys 1946.

    Example:
        >>> round(stability([0.1] * 10, [0.15, 0.05] + [0.1] * 8), 10)
        0.0549306144
    """
    p, q = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if p.shape != q.shape or p.ndim != 1 or not ((p > 0).all() and (q > 0).all()):
        raise ValueError("shares must have the same shape (B,) and be above 0")
    return float(((q - p) * np.log(q / p)).sum())


def psi(reference: ArrayLike, current: ArrayLike, bins: int = _BINS) -> Psi:
    """Compare two samples over bins that hold equal parts of the reference.

    Half a row is added to each bin, so that an empty one is not infinitely far. Without drift the
    index is about (1/n + 1/m) times a chi-square: of 100 rows it passes .1 more often than not,
    which is why the limit knows the sizes.

    Args:
        reference: (n,) finite.
        current: (m,) finite.
        bins: at most; values that many rows share make fewer.

    Source:
        Yurdakul and Naranjo 2020, Statistical properties of the population stability index.
    """
    p, q = _finite(reference), _finite(current)
    if not p.size or not q.size:
        return Psi(np.nan, np.nan, False, False)
    edges = np.unique(np.quantile(p, np.arange(1, bins) / bins))
    found = stability(_smoothed(p, edges), _smoothed(q, edges))
    chance = (1 / p.size + 1 / q.size) * float(stats.chi2.ppf(0.999, max(edges.size, 1)))
    limit = max(_PSI_WARNS, chance)
    return Psi(found, limit, found > limit, found >= max(_PSI_ALARMS, limit))


def ks(reference: ArrayLike, current: ArrayLike) -> Ks:
    """Compare the distribution functions of two samples.

    Args:
        reference: (n,) finite.
        current: (m,) finite.

    Source:
        Smirnov 1939; exact for small samples.

    Example:
        >>> found = ks([0.1, 0.2, 0.3, 0.4, 0.5], [0.3, 0.4, 0.5, 0.6, 0.7])
        >>> round(found.distance, 10), round(found.p_value, 10)
        (0.4, 0.873015873)
    """
    p, q = _finite(reference), _finite(current)
    if not p.size or not q.size:
        return Ks(np.nan, np.nan, False)
    found = stats.ks_2samp(p, q)
    d, p_value = float(found.statistic), float(found.pvalue)
    return Ks(d, p_value, p_value < _KS_P and d > _KS_D)


def cusum(hits: ArrayLike, totals: ArrayLike, share: float) -> Cusum:
    """Follow a share batch by batch; slow moves add up until they pass 5 standard errors.

    Args:
        hits: (K,) of each batch, in order.
        totals: (K,) rows of each batch; an empty one changes nothing.
        share: what it was, strictly between 0 and 1.

    Raises:
        ValueError: shapes differ, hits outside [0, total], or share outside (0, 1).

    Source:
        Page 1954, Biometrika 41; slack 0.5 and barrier 5 as in Montgomery, Introduction to
        Statistical Quality Control, chapter 9: a false alarm every 465 batches.

    Example:
        >>> found = cusum([10, 20, 20, 20], [100] * 4, share=0.1)
        >>> found.up.round(2).tolist(), found.alarms
        ([0.0, 2.83, 5.67, 8.5], True)
    """
    x, m = np.asarray(hits, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    if x.shape != m.shape or x.ndim != 1 or (x < 0).any() or (x > m).any():
        raise ValueError("hits and totals must have the same shape (K,), hits within totals")
    if not 0 < share < 1:
        raise ValueError("share must lie strictly between 0 and 1")
    z = (x / np.maximum(m, 1) - share) * np.sqrt(m / (share * (1 - share)))
    some = np.where(m > 0, _SLACK, 0.0)
    up, down = _climb(z - some), _climb(-z - some)
    return Cusum(up, down, bool((up > _BARRIER).any() or (down > _BARRIER).any()))


def mix(reference: ArrayLike, current: ArrayLike) -> Mix:
    """Compare the counts of categories in two samples.

    Args:
        reference: (C,) counts.
        current: (C,) counts of the same categories.

    Raises:
        ValueError: shapes differ, or a count is below 0.

    Source:
        Pearson's chi-square of a 2 x C table; categories that never came are left out.

    Example:
        >>> found = mix([30, 70], [50, 50])
        >>> round(found.chi_square, 6), round(found.p_value, 6)
        (8.333333, 0.003892)
    """
    table = np.array([reference, current], dtype=np.float64)
    if table.ndim != 2 or (table < 0).any():
        raise ValueError("counts must have the same shape (C,), and none be below 0")
    table = table[:, table.sum(axis=0) > 0]
    if not table.sum(axis=1).all():
        return Mix(np.nan, np.nan, False)
    if table.shape[1] < 2:
        return Mix(0.0, 1.0, False)
    found = stats.chi2_contingency(table, correction=False)
    return Mix(float(found.statistic), float(found.pvalue), bool(found.pvalue < _MIX_P))


def mmd(
    reference: ArrayLike,
    current: ArrayLike,
    rng: np.random.Generator,
    bandwidth: float | None = None,
    permutations: int = 200,
) -> Mmd:
    """Compare two sets of vectors by a Gaussian kernel; at most 1000 rows of each are looked at.

    Args:
        reference: (n, p), n at least 2.
        current: (m, p), m at least 2.
        rng: seeded by the caller; it picks rows and permutes.
        bandwidth: sigma; the median distance of all rows when None.
        permutations: of the rows between the sets, for the p-value.

    Raises:
        ValueError: fewer than two rows, or widths differ.

    Source:
        Gretton et al. 2012, Journal of Machine Learning Research 13, lemma 6; Phipson and Smyth
        2010 for the p-value.
    """
    x, y = _picked(reference, rng), _picked(current, rng)
    if min(len(x), len(y)) < 2 or x.shape[1] != y.shape[1]:
        raise ValueError("both must have shape (n, p) with two rows or more of one width")
    squared = distance.cdist(rows := np.vstack([x, y]), rows, "sqeuclidean")
    sigma2 = (
        bandwidth**2 if bandwidth else float(np.median(squared[np.triu_indices_from(squared, 1)]))
    )
    kernel = np.exp(-squared / (2 * (sigma2 or 1.0)))
    is_first = np.arange(len(rows)) < len(x)
    shuffled = [rng.permutation(is_first) for _ in range(permutations)]
    found, *others = _discrepancies(kernel, np.array([is_first, *shuffled])).tolist()
    p_value = (sum(other >= found for other in others) + 1) / (permutations + 1)
    return Mmd(found, p_value, p_value < _MMD_P)


def told_apart(reference: ArrayLike, current: ArrayLike, rng: np.random.Generator) -> Told:
    """Train a classifier to tell old vectors from new ones; each row is told by a fit without it.

    Args:
        reference: (n, p), n at least 5.
        current: (m, p), m at least 5.
        rng: seeded by the caller; it deals the folds.

    Returns:
        The area under the curve with its 98 % interval, whose low end is a 99 % bound.

    Raises:
        ValueError: fewer than five rows, or widths differ.

    Source:
        Lopez-Paz and Oquab 2017, Revisiting Classifier Two-Sample Tests; interval of Hanley and
        McNeil 1982.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    x, y = _picked(reference, rng), _picked(current, rng)
    if min(len(x), len(y)) < _FOLDS or x.shape[1] != y.shape[1]:
        raise ValueError("both must have shape (n, p) with five rows or more of one width")
    is_new = np.repeat([0, 1], [len(x), len(y)])
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    said = cross_val_predict(
        LogisticRegression(max_iter=1000), np.vstack([x, y]), is_new, cv=folds,
        method="predict_proba",
    )[:, 1]  # fmt: skip
    ranks = stats.rankdata(said)
    auc = float((ranks[is_new == 1].mean() - (len(y) + 1) / 2) / len(x))
    interval = _hanley(auc, len(x), len(y))
    return Told(auc, interval, auc > _AUC and interval.low > 0.5)


def _finite(values: ArrayLike) -> FloatArray:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError("a sample must have shape (n,) and be finite")
    return found


def _smoothed(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the share of each bin with half a row more in it: (B,)."""
    counts = np.bincount(np.searchsorted(edges, values, "left"), minlength=edges.size + 1) + 0.5
    return np.asarray(counts / counts.sum())


def _climb(steps: FloatArray) -> FloatArray:
    """Add steps up, starting again at 0 whenever the sum falls below: a running excess."""
    total = np.cumsum(steps)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total), 0.0))


def _picked(vectors: ArrayLike, rng: np.random.Generator) -> FloatArray:
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError("vectors must have shape (n, p)")
    if len(rows) <= _MOST_EMBEDDED:
        return rows
    return rows[rng.choice(len(rows), _MOST_EMBEDDED, replace=False)]


def _discrepancies(kernel: FloatArray, is_first: NDArray[np.bool_]) -> FloatArray:
    """Return the mean kernel within both sets less twice that between, no row with itself.

    One for each of P divisions of the rows: is_first is (P, N), and so many come back.
    """
    apart = kernel.copy()
    np.fill_diagonal(apart, 0.0)
    one = is_first.astype(np.float64)
    n, to_all = one.sum(axis=1), one @ apart
    m, within = one.shape[1] - n, (to_all * one).sum(axis=1)
    between = to_all.sum(axis=1) - within
    others = apart.sum() - within - 2 * between
    found = within / (n * (n - 1)) + others / (m * (m - 1)) - 2 * between / (n * m)
    return np.asarray(found)


def _hanley(auc: float, n: int, m: int) -> Interval[float]:
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (m - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)
    half = float(special.ndtri((1 + _AUC_LEVEL) / 2)) * float(np.sqrt(max(spread, 0.0) / (n * m)))
    return Interval(max(auc - half, 0.0), min(auc + half, 1.0))
