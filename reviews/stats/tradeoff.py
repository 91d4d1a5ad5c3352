"""How much of the quality between two models a router keeps for how much of the cost.

Figures as RouteLLM names them, to compare with what is published. They rest on means alone and
promise nothing; what can be promised is in the certificate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats import resampling
from reviews.stats.agreement import Estimate

FloatArray = NDArray[np.float64]

#: Quality of both models must differ by more than so many standard errors.
_APART = 2.0
#: Shares of the gap that routers are compared at.
GOALS = (0.2, 0.5, 0.8)


class Tradeoff(NamedTuple):
    """Hold what a router keeps; all nan where the two models cannot be told apart.

    Attributes:
        kept: (K,) share of the quality gap closed at each share of expensive calls.
        mean_kept: its mean over all shares of calls; .5 is a coin, and an oracle may pass 1.
        calls: by share of the gap to be closed, the fewest calls that close it; nan where no
            share does.
    """

    kept: FloatArray
    mean_kept: float
    calls: dict[float, float]


class Lines(NamedTuple):
    """Hold what to draw a router beside, quality by share of expensive calls: (K,) each."""

    weak: FloatArray
    random: FloatArray
    oracle: FloatArray


class Curve(NamedTuple):
    """Hold a router's curve at every cut between two of its scores: (K,) each, from 0 to 1.

    Attributes:
        calls: share of the requests that goes to the expensive model.
        kept: share of the quality gap that is closed; nan where there is no gap.
    """

    calls: FloatArray
    kept: FloatArray


class Figures(NamedTuple):
    """Hold APGR and, by share of the gap to be closed, CPT, each with its interval."""

    apgr: Estimate
    cpt: dict[float, Estimate]


class Measured(NamedTuple):
    """Hold what a router's scores are worth on labelled pairs; nan where the gap is not sure.

    Attributes:
        apgr: mean share of the gap closed over all shares of calls.
        cpt: by share of the gap to be closed, the smallest share of calls that closes it.
        oracle_apgr: of whoever knows both answers, and stops calling where calls only harm.
        random: of routers that toss a coin on the same pairs: the interval is what luck gives.
        curve: of the sample.
        n: pairs.
    """

    apgr: Estimate
    cpt: dict[float, Estimate]
    oracle_apgr: float
    random: Figures
    curve: Curve
    n: int


class _Pairs(NamedTuple):
    """Hold pairs by falling score; `ends` is where each group of equal scores ends."""

    gain: FloatArray
    weight: FloatArray
    stratum: NDArray[np.int64]
    ends: NDArray[np.intp]


def tradeoff(
    calls: ArrayLike,
    quality: ArrayLike,
    gap_error: float = 0.0,
    goals: tuple[float, ...] = GOALS,
) -> Tradeoff:
    """Say how much of the gap between cheap and expensive is closed by how many expensive calls.

    Where quality falls as calls rise, what was reached before is kept: whoever closes the gap with
    fewer calls needs not make more of them.

    Args:
        calls: (K,) shares of requests sent to the expensive model, from 0 rising to 1.
        quality: (K,) mean quality at each; the first is all cheap, the last all expensive.
        gap_error: standard error of the last quality less the first.
        goals: shares of the gap in question.

    Raises:
        ValueError: shapes differ, calls not rising from 0 to 1, or a value not finite.

    Source:
        Ong et al. 2024, RouteLLM, section 3: PGR, APGR (by trapezoids) and CPT.

    Example:
        >>> found = tradeoff([0, 0.25, 0.5, 0.75, 1], [0.60, 0.72, 0.78, 0.80, 0.80])
        >>> round(found.mean_kept, 6), {goal: round(c, 6) for goal, c in found.calls.items()}
        (0.75, {0.2: 0.083333, 0.5: 0.208333, 0.8: 0.416667})
    """
    c, r = _checked(calls, quality)
    gap = r[-1] - r[0]
    if gap <= _APART * gap_error or gap <= 0:
        return Tradeoff(np.full(c.size, np.nan), np.nan, dict.fromkeys(goals, np.nan))
    kept = (r - r[0]) / gap
    best = np.maximum.accumulate(kept)
    return Tradeoff(
        kept, float(np.trapezoid(kept, c)), {goal: _calls(c, best, goal) for goal in goals}
    )


def measured(
    score: ArrayLike,
    cheap: ArrayLike,
    expensive: ArrayLike,
    weight: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = resampling.RESAMPLES,
    stratum: ArrayLike | None = None,
    goals: tuple[float, ...] = GOALS,
    cluster: ArrayLike | None = None,
) -> Measured:
    """Measure a router's scores against what both models answered, at every cut.

    Pairs of equal score are sent in proportion: which of them goes first is nobody's merit.
    Intervals come from drawing pairs; the router stays as it was fit.

    Args:
        score: (n,) finite; the highest is the first to go to the expensive model.
        cheap: (n,) quality of the cheap answer.
        expensive: (n,) of the expensive one.
        weight: (n,) 1 / P(the pair was drawn).
        rng: seeded by the caller.
        level: two-sided confidence.
        resamples: B.
        stratum: (n,) whole numbers from 0; one for all when None.
        goals: shares of the gap in question.
        cluster: (n,) whole numbers from 0; pairs of one are drawn together. None draws each by
            itself, within strata.

    Returns:
        nan in every figure where expensive is not better than cheap by two standard errors.

    Raises:
        ValueError: lengths differ, no pair, a value not finite, or a weight not above 0.

    Source:
        Ong et al. 2024, RouteLLM, section 3, at all cuts instead of ten and with a running maximum
        before CPT. Intervals: Rao and Wu 1988.

    Example:
        >>> score, weight, rng = [0.9, 0.8, 0.2] * 9, [1] * 27, np.random.default_rng(0)
        >>> found = measured(score, [0, 1, 0] * 9, [1] * 27, weight, rng, resamples=9)
        >>> round(found.apgr.value, 6), round(found.oracle_apgr, 6)
        (0.5, 0.666667)
    """
    rows = _sorted(score, cheap, expensive, weight, stratum)
    curve = _curve(rows, rows.weight)
    order = np.argsort(-np.asarray(score, np.float64), kind="stable")
    alike = None if cluster is None else np.asarray(cluster)[order]
    if not _is_sure(rows, alike):
        return _unsure(curve, goals, rows.gain.size)
    drawn = [
        _figures(_curve(rows, rows.weight * part), goals)
        for part in resampling.drawn_together(rows.stratum, alike, rng, resamples)
    ]
    luck = (_in_order(rows, rng.permutation(rows.gain.size)) for _ in range(resamples))
    tossed = [_figures(_curve(one, one.weight), goals) for one in luck]
    own = _estimates(_figures(curve, goals), drawn, goals, level)
    coin = _estimates(np.append(0.5, goals), tossed, goals, level)
    return Measured(own.apgr, own.cpt, _oracle(rows), coin, curve, rows.gain.size)


def lines(calls: ArrayLike, cheap: ArrayLike, expensive: ArrayLike, weight: ArrayLike) -> Lines:
    """Return what no router, a coin and a router that knows the answers reach.

    Args:
        calls: (K,) shares in [0, 1].
        cheap: (n,) quality of the cheap answer of each pair.
        expensive: (n,) of the expensive one.
        weight: (n,) 1 / P(the pair was drawn).

    Raises:
        ValueError: lengths differ, no pair, or a weight not above 0.
    """
    c, low, high, w = (np.asarray(v, dtype=np.float64) for v in (calls, cheap, expensive, weight))
    if not low.shape == high.shape == w.shape or low.ndim != 1 or not low.size:
        raise ValueError("cheap, expensive and weight must have the same shape (n,), n above 0")
    if not (w > 0).all():
        raise ValueError("weight must be above 0")
    share = w / w.sum()
    weak, strong = float(share @ low), float(share @ high)
    order = np.argsort(-(high - low), kind="stable")
    reached = np.append(0.0, np.cumsum(share[order]))
    gained = np.append(0.0, np.cumsum((share * (high - low))[order]))
    oracle = weak + np.interp(c, reached, gained)
    return Lines(np.full(c.size, weak), weak + c * (strong - weak), oracle)


def _sorted(
    score: ArrayLike,
    cheap: ArrayLike,
    expensive: ArrayLike,
    weight: ArrayLike,
    stratum: ArrayLike | None,
) -> _Pairs:
    s, low, high, w = (np.asarray(v, dtype=np.float64) for v in (score, cheap, expensive, weight))
    h = np.zeros(s.size, np.int64) if stratum is None else np.asarray(stratum)
    if not s.shape == low.shape == high.shape == w.shape == h.shape or s.ndim != 1 or not s.size:
        raise ValueError("score, answers, weight and stratum must have the same shape (n,), n > 0")
    if not all(np.isfinite(v).all() for v in (s, low, high, w)) or not (w > 0).all():
        raise ValueError("scores and qualities must be finite, and weight above 0")
    order = np.argsort(-s, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(s[order])), s.size - 1)
    return _Pairs((high - low)[order], w[order], h[order].astype(np.int64), ends)


def _is_sure(rows: _Pairs, cluster: NDArray[np.int64] | None) -> bool:
    share = rows.weight / rows.weight.sum()
    gap = float(share @ rows.gain)
    away = share * (rows.gain - gap)
    if cluster is not None:
        away = np.bincount(cluster, weights=away)
    return gap > _APART * float(np.sqrt(away @ away)) and gap > 0


def _curve(rows: _Pairs, w: FloatArray) -> Curve:
    """Return the curve of these pairs under a set of weights."""
    calls, won = np.cumsum(w)[rows.ends], np.cumsum(w * rows.gain)[rows.ends]
    gap = won[-1] if won[-1] > 0 else np.nan
    return Curve(np.append(0.0, calls / calls[-1]), np.append(0.0, won / gap))


def _figures(curve: Curve, goals: tuple[float, ...]) -> FloatArray:
    """Return APGR, then CPT at each goal: (1 + goals,)."""
    if np.isnan(curve.kept[-1]):
        return np.full(1 + len(goals), np.nan)
    best = np.maximum.accumulate(curve.kept)
    area = np.trapezoid(curve.kept, curve.calls)
    return np.array([area, *(_calls(curve.calls, best, goal) for goal in goals)])


def _in_order(rows: _Pairs, order: NDArray[np.intp]) -> _Pairs:
    """Return these pairs in another order, none level with the next."""
    return rows._replace(
        gain=rows.gain[order], weight=rows.weight[order], ends=np.arange(order.size)
    )


def _oracle(rows: _Pairs) -> float:
    """Return the area of calls made where they gain most, and of none where they harm."""
    best = _in_order(rows, np.argsort(-rows.gain, kind="stable"))
    curve = _curve(best, best.weight)
    return float(np.trapezoid(np.maximum.accumulate(curve.kept), curve.calls))


def _estimates(
    values: FloatArray, drawn: list[FloatArray], goals: tuple[float, ...], level: float
) -> Figures:
    found = [
        Estimate(float(value), resampling.percentile_interval(column, level))
        for value, column in zip(values, np.array(drawn).T, strict=True)
    ]
    return Figures(found[0], dict(zip(goals, found[1:], strict=True)))


def _unsure(curve: Curve, goals: tuple[float, ...], n: int) -> Measured:
    none = Estimate(np.nan, resampling.percentile_interval([np.nan]))
    each = dict.fromkeys(goals, none)
    nothing = Curve(curve.calls, np.full(curve.calls.size, np.nan))
    return Measured(none, each, np.nan, Figures(none, each), nothing, n)


def _calls(c: FloatArray, best: FloatArray, goal: float) -> float:
    """Return where the best so far first reaches a goal, between two points on the line."""
    if best[-1] < goal:
        return float("nan")
    after = int(np.argmax(best >= goal))
    if after == 0:
        return float(c[0])
    part = (goal - best[after - 1]) / (best[after] - best[after - 1])
    return float(c[after - 1] + part * (c[after] - c[after - 1]))


def _checked(calls: ArrayLike, quality: ArrayLike) -> tuple[FloatArray, FloatArray]:
    c, r = np.asarray(calls, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    if c.shape != r.shape or c.ndim != 1 or c.size < 2:
        raise ValueError("calls and quality must have the same shape (K,), K at least 2")
    if not (np.isfinite(r).all() and (np.diff(c) > 0).all() and c[0] == 0 and c[-1] == 1):
        raise ValueError("calls must rise from 0 to 1, and quality be finite")
    return c, r
