"""Bands that hold at all thresholds at once, to be looked at; certificates do not use them.

A curve's pointwise intervals hold for one threshold chosen beforehand. Here the error is shared
among a few thresholds, and because degradation never falls as the threshold grows, their bounds
hold for the thresholds between them too.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats import betting, estimates
from reviews.stats.intervals import Interval, korn_graubard
from reviews.stats.rows import Arrays, Checked, FloatArray, IntArray, Rows, cheap_share, checked
from reviews.stats.weighting import WeightedMean

_DEGRADATION_POINTS = 10
_ADEQUACY_POINTS = 50
_ROUNDING = 1e-9


class Band(NamedTuple):
    """Hold a band, every array of one shape.

    Attributes:
        thresholds: where it says something.
        low: its lower end.
        high: its upper end.
        method: what the ends rest on.
    """

    thresholds: FloatArray
    low: FloatArray
    high: FloatArray
    method: Literal["korn_graubard", "betting"]


def degradation(
    rows: Rows | Arrays, thresholds: ArrayLike, *, delta: float = 0.05, n_plan: int | None = None
) -> Band:
    """Bound degradation at every threshold at once, with probability 1 - delta.

    Ten thresholds at equal steps of traffic each have a tenth of the error. Between two of them the
    band is the lower end of the one below and the upper end of the one above. Where weights are so
    unequal that Korn-Graubard intervals are too short, the ends come from betting, both sides.

    Args:
        rows: in hash order (betting needs it); losses only, a judge takes no part.
        thresholds: (T,) strictly increasing; the last is the largest in question.
        delta: in (0, 1), for the band as a whole.
        n_plan: rows planned; as many as there are when None.

    Raises:
        ValueError: as `rows.checked`, or delta outside (0, 1).

    Source:
        Bonferroni 1936; Korn and Graubard 1998; the fill is isotonic, as degradation is a sum of
        losses of 0 or more.

    Example:
        >>> rated = np.arange(2000) % 10 == 0
        >>> none = Rows(np.arange(2000) / 2000, np.full(2000, 0.1), rated, np.zeros(2000))
        >>> band = degradation(none, [0.5, 1.01])
        >>> band.low.tolist(), band.high.round(4).tolist(), band.method
        ([0.0, 0.0], [0.0217, 0.0217], 'korn_graubard')
    """
    frame = checked(rows._replace(judge=None), thresholds)
    _check_delta(delta)
    anchors = _anchors(frame, _DEGRADATION_POINTS)
    if anchors.size == 0:
        return Band(frame.thresholds, frame.thresholds, frame.thresholds, "korn_graubard")
    part = delta / anchors.size
    if estimates.too_unequal(frame):
        ends = _bet(rows, frame, anchors, part / 2, n_plan or max(frame.bins.size, 1))
        return _filled(frame, anchors, ends, "betting")
    return _filled(frame, anchors, _korn_graubard(frame, anchors, 1 - part), "korn_graubard")


def adequacy(
    rows: Rows | Arrays, thresholds: ArrayLike, adequate: ArrayLike, *, delta: float = 0.05
) -> Band:
    """Bound adequacy among rows routed cheap at up to 50 thresholds at once.

    Adequacy may rise and fall with the threshold, so that nothing is said between them.

    Args:
        rows: in any order.
        thresholds: (T,) strictly increasing.
        adequate: (N,) in [0, 1], nan where nobody spoke.
        delta: in (0, 1), for the band as a whole.
    """
    frame = checked(rows._replace(judge=None), thresholds)
    _check_delta(delta)
    said = np.asarray(adequate, dtype=np.float64)
    if said.shape != frame.bins.shape:
        raise ValueError("adequate must have one value per row")
    anchors = _anchors(frame, _ADEQUACY_POINTS)
    level = 1 - delta / max(anchors.size, 1)
    ends = _intervals([estimates.adequacy(frame, said, int(i)) for i in anchors], level)
    return Band(frame.thresholds[anchors], *ends, "korn_graubard")


def _anchors(frame: Checked, n: int) -> IntArray:
    """Return the thresholds that share the error: at equal steps of traffic, the last one too."""
    share = cheap_share(frame)
    if share.size == 0:
        return np.array([], dtype=np.int64)
    wanted = np.arange(1, n + 1) / n * share[-1]
    at = np.searchsorted(share, wanted * (1 - _ROUNDING))
    at[-1] = share.size - 1
    return np.unique(at)


def _korn_graubard(frame: Checked, anchors: IntArray, level: float) -> Interval[FloatArray]:
    """Return intervals at some thresholds; rows that could not be drawn dilute the loss."""
    low, high = _intervals([estimates.degradation(frame, int(i)) for i in anchors], level)
    share = estimates.covered(frame)
    return Interval(share * low, share * high)


def _intervals(means: list[WeightedMean], level: float) -> Interval[FloatArray]:
    columns = np.array([[m.mean, m.variance, m.n, m.n_kish] for m in means]).reshape(-1, 4)
    mean, variance, n, n_kish = columns.T
    return korn_graubard(mean, variance, n, n_kish, level)


def _bet(
    rows: Rows | Arrays, frame: Checked, anchors: IntArray, delta: float, n_plan: int
) -> Interval[FloatArray]:
    """Return the bounds by betting at some thresholds, each side with its own error."""
    plain, at = rows._replace(judge=None), frame.thresholds[anchors]
    floors = betting.floors()
    return Interval(
        betting.lower(plain, at, floor_grid=floors, delta=delta, n_plan=n_plan),
        betting.upper(plain, at, floor_grid=floors, delta=delta, n_plan=n_plan),
    )


def _filled(
    frame: Checked,
    anchors: IntArray,
    ends: Interval[FloatArray],
    method: Literal["korn_graubard", "betting"],
) -> Band:
    """Carry lower ends up and upper ends down to all thresholds."""
    index = np.arange(frame.thresholds.size)
    lows = np.append(0.0, np.maximum.accumulate(ends.low))
    highs = np.minimum.accumulate(ends.high[::-1])[::-1]
    low = lows[np.searchsorted(anchors, index, side="right")]
    high = highs[np.searchsorted(anchors, index)]
    # Where nothing is routed cheap nothing can be worse.
    nothing = _routes_nothing(frame)
    return Band(frame.thresholds, np.where(nothing, 0.0, low), np.where(nothing, 0.0, high), method)


def _routes_nothing(frame: Checked) -> NDArray[np.bool_]:
    return cheap_share(frame) == 0 if frame.bins.size else np.zeros(frame.thresholds.size, bool)


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError("delta must lie in (0, 1)")
