"""Two routers on the same pairs at the same cost: which breaks fewer, and how sure that is.

A router is followed from everything expensive to everything cheap, by rising score. Where it first
costs no more than a sum, part of the requests at one score may have to go to CHEAP and part not:
only so do two routers cost exactly the same. Which requests go where is known of the whole frame;
what is estimated from ratings is a weighted mean over the same rows for both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats import weighting
from reviews.stats.intervals import Interval, korn_graubard

FloatArray = NDArray[np.float64]
#: Sums of the same costs in another order differ by less than this.
_ROUNDING = 1e-9


class Router(NamedTuple):
    """What one router says and pays: (N,) each.

    Attributes:
        score: in [0, 1]; nan where it gave none, which never goes to CHEAP.
        cost_cheap: USD of a request that goes to CHEAP; nan where unknown.
        cost_expensive: USD of one that does not; nan where unknown.
    """

    score: FloatArray
    cost_cheap: FloatArray
    cost_expensive: FloatArray


class Pairs(NamedTuple):
    """The frame that both routers scored: (N,) each.

    Attributes:
        traffic: requests that each row stands for, above 0.
        pi: P(the row was drawn); 0 where it could not be.
        rated: whether it was drawn and rated.
        loss: in [0, 1]; nan where nobody spoke.
    """

    traffic: FloatArray
    pi: FloatArray
    rated: NDArray[np.bool_]
    loss: FloatArray

    @property
    def said(self) -> NDArray[np.bool_]:
        """Return which rows were rated so that their loss is known: (N,)."""
        return self.rated & ~np.isnan(self.loss)

    @property
    def n_said(self) -> int:
        """Return how many these are."""
        return int(self.said.sum())


class Gap(NamedTuple):
    """Two ways of routing compared; nan where rows go to CHEAP that could not be drawn.

    Attributes:
        one: share of the traffic that the first makes worse.
        other: that of the second.
        gain: other less one: above 0 the first makes fewer requests worse.
        interval: of `gain`.
        n: rated rows.
        n_apart: of them those that the two send to different tiers.
    """

    one: float
    other: float
    gain: float
    interval: Interval[float]
    n: int
    n_apart: int


def costs(router: Router, traffic: ArrayLike) -> tuple[float, float]:
    """Return the least and the most that a router costs per request, in USD; nan if all unknown."""
    path = _path(router, np.asarray(traffic, np.float64))
    return float(np.min(path.cost)), float(path.cost[0])


def cost_of(router: Router, traffic: ArrayLike, routed: ArrayLike) -> float:
    """Return the mean cost per request, in USD, when `routed` (N,) in [0, 1] goes to CHEAP."""
    w, share = (np.asarray(v, np.float64) for v in (traffic, routed))
    known = ~np.isnan(router.cost_cheap) & ~np.isnan(router.cost_expensive)
    each = share * router.cost_cheap + (1 - share) * router.cost_expensive
    total = w[known].sum()
    return float(w[known] @ each[known] / total) if total > 0 else np.nan


def routed_at(router: Router, traffic: ArrayLike, cost: float) -> FloatArray | None:
    """Return which part of each row goes to CHEAP when a router costs this much: (N,) in [0, 1].

    Args:
        router: what it says and pays.
        traffic: (N,) requests that each row stands for.
        cost: mean USD per request.

    Returns:
        None where the router cannot cost this much.

    Example:
        >>> router = Router(np.array([0.1, 0.4, 0.4]), np.ones(3), np.full(3, 4.0))
        >>> routed_at(router, np.ones(3), 2.0).tolist()
        [1.0, 0.5, 0.5]
    """
    path = _path(router, np.asarray(traffic, np.float64))
    if not path.cost.min() - _ROUNDING <= cost <= path.cost[0] + _ROUNDING:
        return None
    at = int(np.argmax(path.cost <= cost + _ROUNDING))
    routed = np.where(path.place < at - 1, 1.0, 0.0)
    if at:
        before, after = path.cost[at - 1], path.cost[at]
        part = (before - cost) / (before - after) if before > after else 1.0
        routed[path.place == at - 1] = np.clip(part, 0.0, 1.0)
    return routed


def gap(pairs: Pairs, one: ArrayLike, other: ArrayLike, level: float = 0.95) -> Gap:
    """Compare two ways of routing the same pairs.

    Rows that both send to the same tier cancel out, with all their noise. The interval adds up
    those of the two shares that are left, losses of the second alone and of the first alone, as
    correlated as the sample has them (MOVER), so that a sample without any such loss is not sure.

    Args:
        pairs: the frame.
        one: (N,) part of each row that the first sends to CHEAP.
        other: (N,) that of the second.
        level: two-sided confidence.

    Raises:
        ValueError: lengths differ, or a rated row has no weight.

    Source:
        Zou and Donner 2008, Statistics in Medicine 27, 1693-1702, with correlation; Korn and
        Graubard 1998 for each share.

    Example:
        >>> ones, loss = np.ones(4), np.array([1.0, 0.0, 1.0, 0.0])
        >>> pairs = Pairs(ones, ones, ones.astype(bool), loss)
        >>> gap(pairs, [0, 0, 1, 1], [1, 1, 1, 0])[:3]
        (0.25, 0.5, 0.25)
    """
    first, second = (np.asarray(v, np.float64) for v in (one, other))
    if not first.shape == second.shape == pairs.traffic.shape == pairs.loss.shape:
        raise ValueError("both ways of routing must be of the rows of the frame")
    said = pairs.said
    if (pairs.pi[said] <= 0).any():
        raise ValueError("a rated row must have been drawable")
    drawable = pairs.pi > 0
    is_unasked = (~drawable & ((first > 0) | (second > 0))).any()
    n, n_apart = pairs.n_said, int((first[said] != second[said]).sum())
    if is_unasked or n < 2:
        return Gap(np.nan, np.nan, np.nan, Interval(-1.0, 1.0), n, n_apart)
    covered = float(pairs.traffic[drawable].sum() / pairs.traffic.sum())
    weight, loss = (pairs.traffic[said] / pairs.pi[said]), pairs.loss[said]
    mean_one, mean_other = (weighting.hajek(v[said] * loss, weight).mean for v in (first, second))
    apart = (second - first)[said] * loss
    ends = _interval(np.maximum(apart, 0.0), np.maximum(-apart, 0.0), weight, level)
    return Gap(
        covered * mean_one, covered * mean_other, covered * (mean_other - mean_one),
        Interval(*(covered * end for end in ends)), n, n_apart,
    )  # fmt: skip


def _interval(
    for_one: FloatArray, for_other: FloatArray, weight: FloatArray, level: float
) -> Interval[float]:
    """Bound the mean of the first less that of the second, of the same rows."""
    both = [weighting.hajek(values, weight) for values in (for_one, for_other)]
    (a_low, a_high), (b_low, b_high) = (korn_graubard(*mean, level) for mean in both)
    a, b = (mean.mean for mean in both)
    r = _correlation(for_one - a, for_other - b, weight)
    down, up = (
        np.sqrt(max(own**2 + its**2 - 2 * r * own * its, 0.0))
        for own, its in ((a - a_low, b_high - b), (a_high - a, b - b_low))
    )
    return Interval(float(a - b - down), float(a - b + up))


def _correlation(a: FloatArray, b: FloatArray, weight: FloatArray) -> float:
    u, v = weight * a, weight * b
    size = float(np.sqrt((u @ u) * (v @ v)))
    return float(u @ v) / size if size > 0 else 0.0


class _Path(NamedTuple):
    """A router from everything expensive on: `cost` (K + 1,) after each of K scores, rising.

    `place` (N,) is which of the scores a row has; K where it has none.
    """

    cost: FloatArray
    place: NDArray[np.intp]


def _path(router: Router, traffic: FloatArray) -> _Path:
    known = ~np.isnan(router.cost_cheap) & ~np.isnan(router.cost_expensive)
    scored = ~np.isnan(router.score)
    levels, inverse = np.unique(router.score[scored], return_inverse=True)
    place = np.full(router.score.size, levels.size, np.intp)
    place[scored] = inverse
    w = np.where(known, traffic, 0.0)
    saved = np.where(known, router.cost_expensive - router.cost_cheap, 0.0)
    steps = np.bincount(place, weights=w * saved, minlength=levels.size + 1)[: levels.size]
    total = w.sum()
    if not total > 0:
        return _Path(np.full(1, np.nan), place)
    begin = w @ np.where(known, router.cost_expensive, 0.0)
    return _Path((begin - np.append(0.0, np.cumsum(steps))) / total, place)
