"""How many ratings a certificate needs, before and while they come in.

Planning rests on a guess of the true degradation, so that a curve over guesses says more than one
number. Nothing here certifies anything.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reviews.stats import betting
from reviews.stats.capital import rows_left
from reviews.stats.rows import Arrays, Checked, FloatArray, Rows, checked

#: What batch-wise betting needs more than the exact test, in simulations.
_BETTING = 1.15
#: Of a judge's asymptotic saving, what is left while losses are few, in simulations.
_JUDGE = 0.5
#: Beyond so many losses at the floor the steps of the exact test no longer show.
_MOST_LOSSES = 500
#: Ratings that may come beyond what was planned.
_SPARE = 20
#: A capital is carried forward in steps of a hundredth of the plan, each a little longer.
_STEPS = 100
_STRIDE = 1.05
_MOST_PLANS = 20
_PARTS = 50
_RUIN = 1e-9


class Needs(NamedTuple):
    """Hold how many ratings a study needs.

    Attributes:
        ratings: pairs to draw, whatever becomes of them.
        exact: equally weighted ratings that the exact test needs.
        fewest: ratings below which not even a study without any loss certifies the floor.
    """

    ratings: int
    exact: int
    fewest: int


def ratings(
    floor: float,
    degradation: float,
    *,
    power: float = 0.8,
    delta: float = 0.05,
    share: float = 1.0,
    deff_weights: float = 1.0,
    judge_phi: float = 0.0,
    response: float = 1.0,
    second_share: float = 0.0,
) -> Needs | None:
    """Say how many ratings certify a floor with a given chance; None where none are enough.

    exact * 1.15 * deff * (1 - phi^2 / 2) * share * (1 + second) / response. The exact test's n
    counts ratings over all traffic; those above the largest threshold cannot hold a loss and are
    not drawn.

    Args:
        floor: in (0, 1).
        degradation: guess of the true one at the threshold wanted, from 0.
        power: chance of a certificate if the guess is right.
        delta: what the certificate may err, after parts for early looks and other tasks are gone.
        share: of the traffic, below the largest threshold.
        deff_weights: what unequal weights cost, 1 or more.
        judge_phi: correlation of a judge in the certificate with people; 0 for none.
        response: share of the drawn pairs that get rated.
        second_share: share of the pairs rated twice.

    Raises:
        ValueError: a value out of its range.

    Example:
        >>> ratings(0.05, 0.025)
        Needs(ratings=472, exact=410, fewest=59)
        >>> ratings(0.05, 0.05) is None
        True
    """
    _check_factors(share, deff_weights, judge_phi, response, second_share)
    exact = exact_n(floor, degradation, power=power, delta=delta)
    if exact is None:
        return None
    per_rating = _BETTING * deff_weights * (1 - _JUDGE * judge_phi**2) * (1 + second_share)
    needed = exact * per_rating * share / response
    return Needs(math.ceil(needed - 1e-9), exact, zero_harm_n(floor, delta))


def exact_n(
    floor: float, degradation: float, *, power: float = 0.8, delta: float = 0.05
) -> int | None:
    """Return the fewest equally weighted ratings at which the exact test has the power.

    Power rises in steps and falls a little between them, since one rating more may allow no further
    loss. How many ratings come is never exact, so the power must hold with up to 20 more too. None
    where degradation is not below the floor.

    Args:
        floor: in (0, 1).
        degradation: the true one, in [0, 1].
        power: in (0, 1).
        delta: in (0, 1).

    Example:
        >>> exact_n(0.05, 0.03), exact_n(0.05, 0.03, power=0.9), exact_n(0.02, 0.005)
        (671, 900, 386)
    """
    _check_test(floor, delta, power)
    if not 0 <= degradation <= 1:
        raise ValueError("degradation must lie in [0, 1]")
    if degradation >= floor:
        return None
    roughly = normal_n(floor, degradation, power=power, delta=delta)
    if roughly * floor > _MOST_LOSSES:
        return math.ceil(roughly)
    n = np.arange(1, math.ceil(1.5 * roughly + 60 / floor) + _SPARE)
    holds = np.lib.stride_tricks.sliding_window_view(
        _power(n, degradation, floor, delta) >= power, _SPARE + 1
    ).all(axis=1)
    if not holds.any():
        raise ArithmeticError("no sample size was found where the normal approximation has one")
    return int(n[holds.argmax()])


def normal_n(floor: float, degradation: float, *, power: float = 0.8, delta: float = 0.05) -> float:
    """Return the normal approximation of `exact_n`, a check on it.

    Example:
        >>> round(normal_n(0.05, 0.025))
        384
    """
    _check_test(floor, delta, power)
    if not 0 <= degradation < floor:
        raise ValueError("degradation must be at least 0 and below the floor")
    here = stats.norm.ppf(1 - delta) * math.sqrt(floor * (1 - floor))
    there = stats.norm.ppf(power) * math.sqrt(degradation * (1 - degradation))
    return float(((here + there) / (floor - degradation)) ** 2)


def zero_harm_n(floor: float, delta: float) -> int:
    """Return how many ratings without any loss the exact test needs.

    Example:
        >>> [zero_harm_n(floor, 0.05) for floor in (0.02, 0.05, 0.1)]
        [149, 59, 29]
    """
    _check_test(floor, delta, 0.5)
    return math.ceil(math.log(delta) / math.log1p(-floor))


def power(n: ArrayLike, degradation: ArrayLike, *, floor: float, delta: float = 0.05) -> FloatArray:
    """Return the chance that so many equally weighted ratings certify the floor.

    Args:
        n: ratings that the exact test sees, broadcast against degradation.
        degradation: the true one, in [0, 1].
        floor: in (0, 1).
        delta: in (0, 1).

    Example:
        >>> power([59, 100, 410], [0, 0.0125, 0.025], floor=0.05).round(2).tolist()
        [1.0, 0.64, 0.85]
    """
    _check_test(floor, delta, 0.5)
    return _power(np.asarray(n, dtype=np.int64), np.asarray(degradation), floor, delta)


def reachable_floor(
    n: int, degradation: float, *, power: float = 0.8, delta: float = 0.05
) -> float | None:
    """Return the smallest floor, in thousandths, that so many ratings certify; None for none.

    Args:
        n: equally weighted ratings that the exact test sees.
        degradation: the true one, in [0, 1].
        power: chance of a certificate.
        delta: in (0, 1).

    Example:
        >>> reachable_floor(410, 0.025), reachable_floor(100, 0.025)
        (0.05, 0.09)
    """
    tried = np.arange(1, 1000) / 1000
    reached = np.flatnonzero(_power(np.int64(n), degradation, tried, delta) >= power)
    return float(tried[reached[0]]) if reached.size else None


def more(
    rows: Rows | Arrays, thresholds: ArrayLike, *, floor: float, delta: float, n_plan: int
) -> FloatArray:
    """Say how many more ratings are expected to certify each threshold, if they go on as so far.

    The capital is carried forward: every row to come adds what the rows so far would have added on
    average at the bet of that moment, or at the one that adds most where that is less: a plan that
    has run out would be made anew. An expectation from a moving estimate, no promise.

    Args:
        rows: as `betting.star`; a judge is left out, which errs upwards.
        thresholds: (T,) strictly increasing.
        floor: in (0, 1).
        delta: in (0, 1).
        n_plan: rows planned.

    Returns:
        (T,) 0 where certified on its own; inf where twenty times the plan would not do, or nothing
        is rated.

    Example:
        >>> rated = np.arange(400) % 10 == 0
        >>> none = Rows(np.zeros(400), np.full(400, 0.1), rated, np.zeros(400))
        >>> more(none, [0.5], floor=0.05, delta=0.05, n_plan=2000).tolist()
        [74.0]
    """
    frame = checked(rows._replace(judge=None), thresholds)
    bets = betting.star(
        rows._replace(judge=None), thresholds, floor=floor, delta=delta, n_plan=n_plan
    )
    n_rows, n_rated = frame.bins.size, int(frame.spoken.sum())
    if n_rated == 0:
        return np.full(frame.thresholds.size, np.inf)
    lost = _losses(frame, floor)
    lacking = np.maximum(np.log(1 / delta) - bets.log_k, 0.0)
    rows_more = _carried(lacking, bets, lost, n_rows, floor, n_plan)
    return np.ceil(rows_more * n_rated / n_rows)


class _Lost(NamedTuple):
    """Rows with a loss by kind: what a bet of 1 loses on each (k, 1), how many below t (k, T)."""

    value: FloatArray
    n: FloatArray


def _losses(frame: Checked, floor: float) -> _Lost:
    """Count the rows with a loss by kind and threshold; equal weights make a handful of kinds."""
    seen = (frame.loss > 0) & (frame.bins < frame.thresholds.size)
    lost = frame.traffic[seen] * (frame.loss[seen] / frame.pi[seen] - floor)
    value, kind = np.unique(lost.round(9), return_inverse=True)
    size = frame.thresholds.size
    counts = np.bincount(kind * size + frame.bins[seen], minlength=value.size * size)
    n = counts.reshape(value.size, size).cumsum(axis=1).astype(np.float64)
    return _Lost(value[:, None], n)


def _carried(
    lacking: FloatArray,
    bets: betting.Bets,
    lost: _Lost,
    n_rows: int,
    floor: float,
    n_plan: int,
) -> FloatArray:
    """Return after how many rows each capital is expected to lack nothing: (T,)."""
    left_now, done = rows_left(n_plan, n_rows), 0.0
    most = _best(bets.cap, lost, n_rows, floor)
    reached = np.where(lacking > 0, np.inf, 0.0)
    now, step = lacking, n_plan / _STEPS
    while done < _MOST_PLANS * n_plan and np.isinf(reached).any():
        share = np.divide(now, lacking, out=np.zeros(now.size), where=lacking > 0)
        scale = np.sqrt(np.maximum(share, 0) * left_now / rows_left(n_plan, n_rows + done))
        grown = _growth(np.minimum(bets.aim * scale, most), lost, n_rows, floor)
        crossed = np.isinf(reached) & (now <= grown * step)
        within = np.divide(now, grown, out=np.zeros(now.size), where=crossed)
        reached = np.where(crossed, done + within, reached)
        now, done, step = now - grown * step, done + step, step * _STRIDE
    return reached


def _best(cap: FloatArray, lost: _Lost, n_rows: int, floor: float) -> FloatArray:
    """Return the bet up to the cap that adds most on average, by threshold: (T,)."""
    parts = np.arange(1, _PARTS + 1) / _PARTS
    grown = np.array([_growth(part * cap, lost, n_rows, floor) for part in parts])
    return np.asarray(parts[grown.argmax(axis=0)] * cap)


def _growth(bet: FloatArray, lost: _Lost, n_rows: int, floor: float) -> FloatArray:
    """Return what a row adds to ln K on average, by threshold, if rows go on as so far: (T,)."""
    plain = (n_rows - lost.n.sum(axis=0)) * np.log1p(bet * floor)
    # A kind that no row below t has may be worth more than this bet could bear.
    factor = np.maximum(1 - bet * lost.value, _RUIN)
    return np.asarray((plain + (lost.n * np.log(factor)).sum(axis=0)) / n_rows)


def _power(n: ArrayLike, degradation: ArrayLike, floor: ArrayLike, delta: float) -> FloatArray:
    """Return the chance that at most as many losses come as the exact test allows."""
    most = stats.binom.ppf(delta, n, floor)
    # ppf answers the first count at or above delta; only counts at or below it certify.
    most = most - (stats.binom.cdf(most, n, floor) > delta)
    return np.asarray(stats.binom.cdf(most, n, degradation))


def _check_test(floor: float, delta: float, power: float) -> None:
    if not (0 < floor < 1 and 0 < delta < 1 and 0 < power < 1):
        raise ValueError("floor, delta and power must lie in (0, 1)")


def _check_factors(
    share: float, deff_weights: float, judge_phi: float, response: float, second_share: float
) -> None:
    if not (0 <= share <= 1 and 0 < response <= 1 and 0 <= second_share <= 1):
        raise ValueError("share and second_share must lie in [0, 1], response in (0, 1]")
    if deff_weights < 1 or not -1 <= judge_phi <= 1:
        raise ValueError("deff_weights must be at least 1 and judge_phi lie in [-1, 1]")
