"""How good a router's scores are: do they rank what needs the expensive model, and by how much.

Scores are compared with losses of rated pairs, weighted as they were drawn. None of this touches a
certificate: a router that ranks badly is certified for less traffic, never wrongly. What a
threshold costs and saves is in `curve`; trading quality for cost against one number lives in
`tradeoff`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reviews.stats import logistic, resampling
from reviews.stats.agreement import Estimate
from reviews.stats.logistic import Effect

FloatArray = NDArray[np.float64]
Calibrator = Callable[[ArrayLike], FloatArray]

_BINS = 10
#: An error of calibration by bins is mostly noise where they hold fewer losses than this.
_FEWEST_IN_BIN = 20
#: From so many ratings and losses on, calibration may have any rising shape.
_FEWEST_FREE, _FEWEST_FREE_EVENTS = 1000, 50
#: Scores of 0 and 1 have no log-odds.
_INSIDE = 1e-6


class Quality(NamedTuple):
    """Hold how the scores of a router go with the losses; nan where there is only one class.

    Attributes:
        auroc: P(a lost pair is scored above one that is not), ties counting half; .5 is chance.
        auprc: mean share of losses among the pairs scored highest; chance is the prevalence.
        brier: mean squared difference of score and loss.
        skill: 1 - brier / that of the prevalence for everybody; below 0 is worse than no router.
        error: mean distance of loss and score over ten equal parts of the scores.
        is_noisy: whether the parts hold so few losses that `error` is biased upwards.
        slope: of the loss on the log-odds of the score; 1 is calibrated, below 1 overconfident.
        intercept: of the same fit; 0 is calibrated.
        prevalence: weighted mean loss.
        n: pairs.
        events: pairs with a loss.
    """

    auroc: Estimate
    auprc: Estimate
    brier: Estimate
    skill: Estimate
    error: Estimate
    is_noisy: bool
    slope: Effect
    intercept: Effect
    prevalence: float
    n: int
    events: int


class Bin(NamedTuple):
    """Hold one tenth of the weight, by score: its mean score and loss, and its pairs."""

    score: float
    loss: float
    n: int


class _Sorted(NamedTuple):
    """Hold pairs by rising score; `begins` is where each group of equal scores starts."""

    score: FloatArray
    loss: FloatArray
    weight: FloatArray
    stratum: NDArray[np.int64]
    begins: NDArray[np.intp]


def quality(
    score: ArrayLike,
    loss: ArrayLike,
    weight: ArrayLike,
    rng: np.random.Generator,
    stratum: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = resampling.RESAMPLES,
    cluster: ArrayLike | None = None,
) -> Quality:
    """Measure scores against losses; intervals by drawing pairs within strata.

    Args:
        score: (n,) in [0, 1].
        loss: (n,) in [0, 1]: what shows that the expensive model was needed.
        weight: (n,) 1 / P(the pair was drawn).
        rng: seeded by the caller.
        stratum: (n,) whole numbers from 0; one for all when None.
        level: two-sided confidence.
        resamples: B.
        cluster: (n,) whole numbers from 0; pairs of one are drawn together, such as equal
            questions. None draws each by itself, within strata.

    Raises:
        ValueError: lengths differ, a score or loss outside [0, 1], or a weight not above 0.

    Source:
        Hanley and McNeil 1982; Brier 1950; Guo et al. 2017 for the error by bins; Cox 1958 for
        slope and intercept. Intervals: Rao and Wu 1988.
    """
    rows = _checked(score, loss, weight, stratum)
    if not rows.loss.size:
        return _nothing()
    sample = _measures(rows, rows.weight)
    alike = None if cluster is None else np.asarray(cluster)[np.argsort(score, kind="stable")]
    drawn = np.array(
        [
            _measures(rows, rows.weight * part)
            for part in resampling.drawn_together(rows.stratum, alike, rng, resamples)
        ]
    )
    area, precision, brier, skill, error = (
        Estimate(float(value), resampling.percentile_interval(column, level))
        for value, column in zip(sample, drawn.T, strict=True)
    )
    slope, intercept = _calibration_line(rows, level)
    events = int((rows.loss > 0).sum())
    return Quality(
        auroc=area,
        auprc=precision,
        brier=brier,
        skill=skill,
        error=error,
        is_noisy=events < _FEWEST_IN_BIN * _BINS,
        slope=slope,
        intercept=intercept,
        prevalence=float(rows.weight @ rows.loss / rows.weight.sum()),
        n=rows.loss.size,
        events=events,
    )


def auroc(score: ArrayLike, loss: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return the weighted area under the curve; nan where only one class is there.

    A loss of .5 is half a pair lost and half a pair that is not.

    Source:
        Hanley and McNeil 1982, Radiology 143.

    Example:
        >>> auroc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        0.75
    """
    weights = np.ones(np.size(score)) if weight is None else weight
    rows = _checked(score, loss, weights, None)
    return _area(rows, rows.weight) if rows.loss.size else np.nan


class Compared(NamedTuple):
    """Hold how two routers rank the same pairs; nan where only one class is there.

    Attributes:
        one: area under the curve of the first.
        other: that of the second.
        difference: one less other, with the interval of the pairs in common.
        n: pairs.
        events: pairs with a loss.
    """

    one: Estimate
    other: Estimate
    difference: Estimate
    n: int
    events: int


def compared(
    one: ArrayLike,
    other: ArrayLike,
    loss: ArrayLike,
    weight: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = resampling.RESAMPLES,
) -> Compared:
    """Compare how two routers rank the same pairs; both are measured on each draw of pairs.

    Args:
        one: (n,) scores in [0, 1].
        other: (n,) scores of the other router.
        loss: (n,) in [0, 1]: what shows that the expensive model was needed.
        weight: (n,) 1 / P(the pair was drawn).
        rng: seeded by the caller.
        level: two-sided confidence.
        resamples: B.

    Raises:
        ValueError: as `quality` does.

    Example:
        >>> found = compared([0.1, 0.9], [0.9, 0.1], [0, 1], [1, 1], np.random.default_rng(0))
        >>> found.one.value, found.other.value, found.difference.value
        (1.0, 0.0, 1.0)
    """
    both = [_checked(score, loss, weight, None) for score in (one, other)]
    orders = [
        np.argsort(np.asarray(score, dtype=np.float64), kind="stable") for score in (one, other)
    ]
    n = both[0].loss.size
    if not n:
        nothing = _nothing().auroc
        return Compared(nothing, nothing, nothing, 0, 0)
    parts = [np.ones(n), *resampling.within_strata(np.zeros(n, np.int64), rng, resamples)]
    areas = np.array(
        [
            [_area(rows, rows.weight * part[o]) for rows, o in zip(both, orders, strict=True)]
            for part in parts
        ]
    )
    columns = np.column_stack([areas, areas[:, 0] - areas[:, 1]])
    first, second, difference = (
        Estimate(float(column[0]), resampling.percentile_interval(column[1:], level))
        for column in columns.T
    )
    return Compared(first, second, difference, n, int((both[0].loss > 0).sum()))


def reliability(
    score: ArrayLike, loss: ArrayLike, weight: ArrayLike, bins: int = _BINS
) -> list[Bin]:
    """Return mean score and mean loss of equal parts of the weight, by score."""
    rows = _checked(score, loss, weight, None)
    place = _place(rows.weight, bins)
    out = []
    for one in range(bins):
        inside = place == one
        w = rows.weight[inside]
        if w.size:
            out.append(
                Bin(
                    float(w @ rows.score[inside] / w.sum()),
                    float(w @ rows.loss[inside] / w.sum()),
                    int(w.size),
                )
            )
    return out


def kind_of_calibration(n: int, events: int) -> Literal["line", "steps"]:
    """Return which calibration so many ratings can carry: a line in log-odds, or rising steps.

    Example:
        >>> kind_of_calibration(999, 60), kind_of_calibration(1000, 50)
        ('line', 'steps')
    """
    return "steps" if n >= _FEWEST_FREE and events >= _FEWEST_FREE_EVENTS else "line"


def calibrated(score: ArrayLike, loss: ArrayLike, weight: ArrayLike) -> Calibrator:
    """Fit what turns scores into probabilities of a loss, for display only.

    It never falls as the score rises, so thresholds choose the same pairs before and after.

    Args:
        score: (n,) in [0, 1].
        loss: (n,) in [0, 1].
        weight: (n,) above 0.

    Raises:
        ValueError: as `quality`, or no rating at all.

    Source:
        Platt 1999 with few ratings; isotonic regression, Zadrozny and Elkan 2002, with many.
    """
    rows = _checked(score, loss, weight, None)
    if not rows.loss.size:
        raise ValueError("a calibration needs a rating or more")
    if kind_of_calibration(rows.loss.size, int((rows.loss > 0).sum())) == "steps":
        return _steps(rows)
    fitted = logistic.fit(_log_odds(rows.score)[:, None], rows.loss, rows.weight).coefficients
    mean = float(rows.weight @ rows.loss / rows.weight.sum())
    # A line that is undefined, or falls, says that scores tell nothing: the mean is all there is.
    a, b = fitted if fitted[1] > 0 else (_log_odds(np.array(mean)), 0.0)
    return lambda new: special.expit(a + b * _log_odds(np.asarray(new, dtype=np.float64)))


def calibrated_apart(
    score: ArrayLike, loss: ArrayLike, weight: ArrayLike, rng: np.random.Generator, folds: int = 5
) -> FloatArray:
    """Return each pair's probability of a loss from a calibration that did not see it: (n,).

    Raises:
        ValueError: as `calibrated`, or fewer pairs than folds.
    """
    s, y, w = (np.asarray(v, dtype=np.float64) for v in (score, loss, weight))
    if not 2 <= folds <= y.size:
        raise ValueError("there must be two folds, and a pair or more in each")
    fold, out = rng.permutation(np.arange(y.size) % folds), np.empty(y.size)
    for one in range(folds):
        own = fold == one
        out[own] = calibrated(s[~own], y[~own], w[~own])(s[own])
    return out


def _steps(rows: _Sorted) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    model.fit(rows.score, rows.loss, sample_weight=rows.weight)
    return lambda new: np.asarray(model.predict(np.asarray(new, dtype=np.float64)))


def _measures(rows: _Sorted, w: FloatArray) -> tuple[float, float, float, float, float]:
    """Return area, precision, Brier, skill and error by bins under a set of weights."""
    total = w.sum()
    mean = float(w @ rows.loss / total)
    brier = float(w @ (rows.score - rows.loss) ** 2 / total)
    constant = float(w @ (mean - rows.loss) ** 2 / total)
    skill = 1 - brier / constant if constant > 0 else np.nan
    return _area(rows, w), _precision(rows, w), brier, skill, _error(rows, w)


def _area(rows: _Sorted, w: FloatArray) -> float:
    lost, kept = (np.add.reduceat(w * part, rows.begins) for part in (rows.loss, 1 - rows.loss))
    both = lost.sum() * kept.sum()
    below = np.cumsum(kept) - kept / 2
    return float(lost @ below / both) if both > 0 else np.nan


def _precision(rows: _Sorted, w: FloatArray) -> float:
    """Return the mean over losses of the share of losses among pairs scored as high."""
    lost, everything = (np.add.reduceat(part, rows.begins)[::-1] for part in (w * rows.loss, w))
    if not 0 < lost.sum() < everything.sum():
        return np.nan
    above = np.cumsum(everything)
    share = np.divide(np.cumsum(lost), above, out=np.zeros(above.size), where=above > 0)
    return float(lost @ share / lost.sum())


def _error(rows: _Sorted, w: FloatArray) -> float:
    away = np.bincount(_place(w, _BINS), weights=w * (rows.loss - rows.score), minlength=_BINS)
    return float(np.abs(away).sum() / w.sum())


def _place(w: FloatArray, bins: int) -> NDArray[np.intp]:
    """Return which equal part of the weight each row, sorted by score, falls into."""
    middle = np.cumsum(w) - w / 2
    return np.minimum((middle / w.sum() * bins).astype(np.intp), bins - 1)


def _calibration_line(rows: _Sorted, level: float) -> tuple[Effect, Effect]:
    fitted = logistic.fit(_log_odds(rows.score)[:, None], rows.loss, rows.weight)
    return (
        logistic.effect(fitted, 1, rows.loss.size, level),
        logistic.effect(fitted, 0, rows.loss.size, level),
    )


def _log_odds(score: FloatArray) -> FloatArray:
    return np.asarray(special.logit(np.clip(score, _INSIDE, 1 - _INSIDE)))


def _nothing() -> Quality:
    none = Estimate(np.nan, resampling.percentile_interval([np.nan]))
    effect = Effect(np.nan, np.nan, np.nan, np.nan, 0)
    return Quality(none, none, none, none, none, True, effect, effect, np.nan, 0, 0)


def _checked(
    score: ArrayLike, loss: ArrayLike, weight: ArrayLike, stratum: ArrayLike | None
) -> _Sorted:
    s, y, w = (np.asarray(v, dtype=np.float64) for v in (score, loss, weight))
    h = np.zeros(s.size, np.int64) if stratum is None else np.asarray(stratum)
    if not s.shape == y.shape == w.shape == h.shape or s.ndim != 1:
        raise ValueError("score, loss, weight and stratum must have the same shape (n,)")
    if not (((s >= 0) & (s <= 1)).all() and ((y >= 0) & (y <= 1)).all()):
        raise ValueError("score and loss must lie in [0, 1]")
    if not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("weight must be finite and above 0")
    order = np.argsort(s, kind="stable")
    s = s[order]
    begins = np.flatnonzero(np.append(True, s[1:] != s[:-1])) if s.size else np.zeros(0, np.intp)
    return _Sorted(s, y[order], w[order], h[order].astype(np.int64), begins)
