"""What switching costs and breaks, at every threshold, from one frame of shadow pairs.

Intervals here are pointwise: each threshold alone, not the curve as a whole. Bands over all
thresholds and the certified threshold do not live here.

One pass bins the N rows between neighbouring thresholds; running sums over the bins then serve
every threshold, so no N x T array is ever built.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats.curveframe import (
    FloatArray,
    Frame,
    boolean,
    check_shapes,
    checked_frame,
    checked_thresholds,
)
from reviews.stats.intervals import Interval, korn_graubard
from reviews.stats.weighting import fewest_heavy_events

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Hold the estimates at T thresholds; each array has shape (T,).

    Nan stands for "cannot be estimated" and never for zero; the interval beside it is then [0, 1].

    Attributes:
        thresholds: t; a row is routed cheap when its score is strictly below t.
        cheap_count: rows of the frame routed cheap.
        cheap_share: share of the traffic routed cheap, exact when every request was shadowed;
            nan for an empty frame.
        adequacy: a(t), weighted share of adequate answers among rows routed cheap; nan without any
            rated row routed cheap.
        adequacy_interval: Korn-Graubard, pointwise.
        n_adequacy: rows behind adequacy, rated for it and routed cheap.
        degradation: D(t), weighted share of all traffic made worse, R * harm over rows rated for
            harm; nan without any.
        degradation_interval: Korn-Graubard, pointwise; [0, 0] where a rated frame routes nothing
            cheap, since D(t) is 0 there by definition.
        n_harm: rows behind degradation, the same at every threshold.
        events: rows rated for harm, routed cheap, with harm above 0.
        cost_usd: mean cost per request at t, with what the router pays to see cheap answers before
            it decides; nan when no row has both costs.
        baseline_cost_usd: mean cost per request with everything expensive and nothing asked first,
            over the same rows.
        saving_share: 1 - cost_usd / baseline_cost_usd, negative when switching costs more; nan when
            the baseline is unknown or zero. The router's own work is not in it.
        n_cost_unknown: rows left out of both costs because either is unknown.
        weights_too_unequal: whether the degradation interval rests on weights so unequal, with so
            few events among the heaviest rows, that it may be too short.
        n_frame: N.
        level: two-sided confidence of the intervals.
    """

    thresholds: FloatArray
    cheap_count: IntArray
    cheap_share: FloatArray
    adequacy: FloatArray
    adequacy_interval: Interval[FloatArray]
    n_adequacy: IntArray
    degradation: FloatArray
    degradation_interval: Interval[FloatArray]
    n_harm: IntArray
    events: IntArray
    cost_usd: FloatArray
    baseline_cost_usd: FloatArray
    saving_share: FloatArray
    n_cost_unknown: IntArray
    weights_too_unequal: NDArray[np.bool_]
    n_frame: int
    level: float


class _Sums(NamedTuple):
    """Hold sums over rows, one per threshold, from which a mean of z in [0, 1] follows."""

    n: FloatArray
    w: FloatArray
    ww: FloatArray
    wz: FloatArray
    wwz: FloatArray
    ww_partial: FloatArray  # sum w^2 z (1 - z), zero for z in {0, 1}


def default_thresholds() -> FloatArray:
    """Return 0, 0.01, ..., 1, each the float nearest its decimal: (101,).

    Example:
        >>> grid = default_thresholds()
        >>> grid.size, float(grid[7]), float(grid[-1])
        (101, 0.07, 1.0)
    """
    return np.arange(101) / 100


def curve(
    score: ArrayLike,
    cost_cheap: ArrayLike,
    cost_expensive: ArrayLike,
    weight: ArrayLike,
    rated: ArrayLike,
    adequate: ArrayLike,
    harm: ArrayLike,
    thresholds: ArrayLike,
    level: float = 0.95,
    traffic: ArrayLike | None = None,
    drawable: ArrayLike | None = None,
    cost_baseline: ArrayLike | None = None,
) -> Curve:
    """Estimate traffic, quality and cost at each threshold, with R = 1 where score < t, strictly.

    A threshold equal to a score routes that row to the expensive tier; only t > 1 is sure to route
    everything cheap. A rated row on which no rater spoke about adequacy still counts for harm, and
    the other way round. Values on rows that are not rated are checked and then ignored.

    Args:
        score: (N,) in [0, 1]; nan where the router gave none, which is never routed cheap.
        cost_cheap: (N,) USD of a request that is routed cheap, nan where unknown.
        cost_expensive: (N,) the same of one that is not: a cascade has paid for the cheap answer,
            too.
        weight: (N,) 1 / P(the request became a pair and was drawn); read on rated rows only.
        rated: (N,) boolean, sampled and rated at least once.
        adequate: (N,) in [0, 1], mean over the raters of the pair; nan where none said.
        harm: (N,) in [0, 1], mean over the raters of the pair; nan where none said.
        thresholds: (T,) finite, strictly increasing.
        level: two-sided confidence of each interval.
        traffic: (N,) requests each row stands for, 1 / shadow rate; 1 each when None.
        drawable: (N,) boolean, could be drawn at all (pi > 0); all when None. Rows that could not
            are routed cheap at no threshold asked for, so that they dilute D(t) and harm nobody.
        cost_baseline: (N,) USD of the expensive answer alone, nan where unknown; `cost_expensive`
            when None. At a threshold of 0 nothing is asked first, and this is what is paid.

    Returns:
        The curve; an empty frame gives nan estimates, [0, 1] intervals and counts of 0.

    Raises:
        ValueError: lengths differ, a score is outside [0, 1], a rated row's weight or
            any row's traffic is not finite or not above 0, adequate or harm outside [0, 1], a cost
            negative or infinite, rated not boolean, thresholds not increasing, or level outside
            (0, 1).

    Source:
        a(t), D(t): Hajek means with linearised variance, Sarndal, Swensson and Wretman 1992,
        sections 5.7 and 5.8. Intervals: Korn and Graubard 1998.

    Example:
        >>> result = curve(
        ...     score=[0.1, 0.4, 0.9], cost_cheap=[1, 1, 1], cost_expensive=[4, 4, 4],
        ...     weight=[2, 2, 2], rated=[True, True, True], adequate=[1, 0, 1], harm=[0, 1, 0],
        ...     thresholds=[0.0, 0.5, 1.01],
        ... )
        >>> result.cheap_count.tolist(), result.adequacy.tolist()[1], result.events.tolist()
        ([0, 2, 3], 0.5, [0, 1, 1])
        >>> result.cost_usd.tolist(), result.saving_share.tolist()
        ([4.0, 2.0, 1.0], [0.0, 0.5, 0.75])
        >>> asking = curve(  # the same, where the cheap model is always asked first
        ...     score=[0.1, 0.4, 0.9], cost_cheap=[1, 1, 1], cost_expensive=[5, 5, 5],
        ...     weight=[2, 2, 2], rated=[True, True, True], adequate=[1, 0, 1], harm=[0, 1, 0],
        ...     thresholds=[0.0, 0.5, 1.01], cost_baseline=[4, 4, 4],
        ... )
        >>> asking.cost_usd.round(2).tolist(), asking.baseline_cost_usd.tolist()[1]
        ([4.0, 2.33, 1.0], 4.0)
    """
    grid = checked_thresholds(thresholds)
    traffic = np.ones(np.size(score)) if traffic is None else traffic
    frame = checked_frame(
        score, traffic, cost_cheap, cost_expensive, weight, rated, adequate, harm, grid,
        cost_expensive if cost_baseline is None else cost_baseline,
    )  # fmt: skip
    adequacy, adequacy_interval, n_adequacy = _estimate(_adequacy_sums(frame), level)
    degradation, degradation_interval, n_harm = _estimate(_degradation_sums(frame), level)
    covered = _covered(frame, drawable)
    degradation = covered * degradation
    degradation_interval = Interval(*(covered * end for end in degradation_interval))
    n_frame, cheap_count = frame.bins.size, _below(frame, np.ones(frame.bins.size))[:-1]
    degradation_interval = _exact_where_nothing_is_cheap(degradation_interval, cheap_count, n_harm)
    cost, baseline, saving, unknown = _costs(frame, grid)
    return Curve(
        thresholds=grid,
        cheap_count=_whole(cheap_count),
        cheap_share=_ratio(
            _below(frame, frame.traffic)[:-1], np.full(grid.size, frame.traffic.sum())
        ),
        adequacy=adequacy,
        adequacy_interval=adequacy_interval,
        n_adequacy=n_adequacy,
        degradation=degradation,
        degradation_interval=degradation_interval,
        n_harm=n_harm,
        events=_whole(_below(frame, frame.has_harm & (frame.harm > 0))[:-1]),
        cost_usd=cost,
        baseline_cost_usd=baseline,
        saving_share=saving,
        n_cost_unknown=unknown,
        weights_too_unequal=_weights_too_unequal(frame),
        n_frame=n_frame,
        level=level,
    )


def as_points(result: Curve) -> list[dict[str, Any]]:
    """Return the curve as one dict per threshold, with None for what cannot be estimated."""
    columns = {
        "threshold": result.thresholds,
        "cheap_share": result.cheap_share,
        "cheap_count": result.cheap_count,
        "adequacy": result.adequacy,
        "adequacy_low": result.adequacy_interval.low,
        "adequacy_high": result.adequacy_interval.high,
        "n_adequacy": result.n_adequacy,
        "degradation": result.degradation,
        "degradation_low": result.degradation_interval.low,
        "degradation_high": result.degradation_interval.high,
        "n_harm": result.n_harm,
        "events": result.events,
        "cost_usd": result.cost_usd,
        "baseline_cost_usd": result.baseline_cost_usd,
        "saving_share": result.saving_share,
        "weights_too_unequal": result.weights_too_unequal,
    }
    lists = {name: np.asarray(values).tolist() for name, values in columns.items()}
    return [
        {name: _known(values[i]) for name, values in lists.items()}
        for i in range(len(result.thresholds))
    ]


def _known(value: float) -> float | None:
    return None if isinstance(value, float) and math.isnan(value) else value


def _covered(frame: Frame, drawable: ArrayLike | None) -> float:
    """Return the share of the traffic that could be drawn, exact for this frame."""
    if drawable is None or frame.bins.size == 0:
        return 1.0
    marked = boolean(drawable)
    check_shapes(frame.traffic, marked)
    return float(frame.traffic[marked].sum() / frame.traffic.sum())


def _exact_where_nothing_is_cheap(
    interval: Interval[FloatArray], cheap_count: FloatArray, n: IntArray
) -> Interval[FloatArray]:
    """Close the interval at 0 where no row of the frame is routed cheap: nothing can be worse."""
    return Interval(interval.low, np.where((cheap_count == 0) & (n > 0), 0.0, interval.high))


def _adequacy_sums(frame: Frame) -> _Sums:
    """Sum over the rated rows routed cheap: a domain mean, whose size moves with t."""
    running = _running(frame, frame.has_adequate, frame.adequate)
    return _Sums(*(total[:-1] for total in running))


def _degradation_sums(frame: Frame) -> _Sums:
    """Sum over all rated rows, where z = R * harm is 0 above the threshold."""
    running = _running(frame, frame.has_harm, frame.harm)
    # Totals come from the same running sums, so that z = 1 everywhere gives exactly d = 1, V = 0.
    n, w, ww = (np.full(frame.n_thresholds, total[-1]) for total in running[:3])
    return _Sums(n, w, ww, *(total[:-1] for total in running[3:]))


def _running(frame: Frame, rows: NDArray[np.bool_], values: FloatArray) -> _Sums:
    """Sum over the given rows below each threshold, then over all of them: shape (T + 1,)."""
    w = np.where(rows, frame.weight, 0.0)
    z = np.where(rows, values, 0.0)
    terms = (rows, w, w * w, w * z, w * w * z, w * w * z * (1 - z))
    return _Sums(*(_below(frame, term) for term in terms))


def _estimate(sums: _Sums, level: float) -> tuple[FloatArray, Interval[FloatArray], IntArray]:
    """Turn sums into Hajek means with intervals and row counts, each of shape (T,).

    Uses (z - d)^2 = z (1 - d)^2 + (1 - z) d^2 - z (1 - z): for z in {0, 1} the last term is zero
    and nothing cancels, so a sample without any spread has a variance of exactly 0.
    """
    n, w, ww, wz, wwz, ww_partial = sums
    mean = _ratio(wz, w)
    squares = (1 - mean) ** 2 * wwz + mean**2 * (ww - wwz) - ww_partial
    variance = _ratio(n, n - 1) * np.maximum(_ratio(squares, w * w), 0.0)
    interval = korn_graubard(mean, variance, n, _ratio(w * w, ww), level)
    return mean, interval, _whole(n)


def _costs(frame: Frame, grid: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Return cost, baseline cost, saving share and rows left out, each of shape (T,)."""
    costs = (frame.cost_cheap, frame.cost_expensive, frame.cost_baseline)
    known = ~np.isnan(costs).any(axis=0)
    cheap, expensive, alone = (np.where(known, frame.traffic * cost, 0.0) for cost in costs)
    asked_first = np.where(grid > 0, (expensive - alone).sum(), 0.0)
    saved = _below(frame, expensive - cheap)[:-1] - asked_first
    n_known = np.full(frame.n_thresholds, float(frame.traffic[known].sum()))
    total = np.full(frame.n_thresholds, alone.sum())
    baseline = _ratio(total, n_known)
    unknown = np.full(frame.n_thresholds, known.size - known.sum())
    return baseline - _ratio(saved, n_known), baseline, _ratio(saved, total), _whole(unknown)


def _weights_too_unequal(frame: Frame) -> NDArray[np.bool_]:
    """Say at each threshold whether the weights are too unequal for a short interval: (T,)."""
    weights = frame.weight[frame.has_harm]
    if weights.size == 0:
        return np.zeros(frame.n_thresholds, dtype=bool)
    heaviest = frame.has_harm & (frame.weight >= weights.max() * (1 - 1e-9))
    events = _below(frame, heaviest & (frame.harm > 0))[:-1]
    too_few: NDArray[np.bool_] = events < fewest_heavy_events(weights)
    return too_few


def _below(frame: Frame, term: NDArray[Any]) -> FloatArray:
    """Sum a term over the rows below each threshold; the last entry is the sum over all rows."""
    per_bin = np.bincount(frame.bins, weights=term, minlength=frame.n_thresholds + 1)
    return np.cumsum(per_bin)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide, with nan where the denominator is not above zero."""
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def _whole(counts: NDArray[Any]) -> IntArray:
    """Return float counts as integers."""
    return counts.astype(np.int64)
