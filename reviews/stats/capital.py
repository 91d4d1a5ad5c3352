"""The capital of many bets at once, batch by batch: the engine under `betting`.

Every hypothesis has a floor, a threshold and a side. Rows that may have Z != 0 are taken one by
one; the others only count, since each of them multiplies the capital by the same factor.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats.rows import Checked, Constants, FloatArray, IntArray, constants

#: A bet is at most this part of what would ruin it.
_CAP = 0.95
#: Past its plan a test keeps betting as if a tenth of the plan were left.
_LEFT = 0.1
#: So many losses make a judge count half of what its correlation says.
_JUDGE_EVENTS = 5.0
_TINY = 1e-12


class Bets(NamedTuple):
    """Hold how the bets of T thresholds ended; each array has shape (T,).

    Attributes:
        batch: the batch, from 1, after which the capital had reached 1 / delta; number of batches
            + 1 where it never did.
        log_k: ln of the capital, there or at the end.
        peak: its largest value after any batch up to there; 0 or more.
        aim: the next bet, were it not capped; 0 where the target is reached.
        cap: the largest bet.
    """

    batch: IntArray
    log_k: FloatArray
    peak: FloatArray
    aim: FloatArray
    cap: FloatArray


@dataclass(frozen=True)
class Nulls:
    """C hypotheses at once: the threshold of each, its floor, and which side it bets on.

    `direction` is 1 against "above the floor" and -1 against "below". `routed_only` makes the rows
    routed cheap the whole population.
    """

    index: IntArray
    floor: FloatArray
    direction: int = 1
    routed_only: bool = False


class _Batches(NamedTuple):
    """The rows by batch: those that may have Z != 0 one by one, the others counted.

    `plain` is (batches, groups, T + 1): other rows by distinct traffic and by threshold, running.
    """

    edges: IntArray
    loud: IntArray
    loud_edges: IntArray
    traffic: FloatArray
    plain: FloatArray


class _Turn(NamedTuple):
    """One batch as C hypotheses see it.

    The k loud rows: traffic (k, 1), and for each of them routed (k, C) and z (k, C). The others, by
    G distinct traffics: plain_traffic (G, 1) and their number for each, plain (G, C). `terms`
    are three (k,) columns from which the judge's weight is learned.
    """

    n: int
    traffic: FloatArray
    routed: NDArray[np.bool_]
    z: FloatArray
    plain_traffic: FloatArray
    plain: FloatArray
    terms: FloatArray


@dataclass
class _State:
    """What is known after the batches so far: each array is (C,), `rows` counts all rows.

    `seen` counts the rows of each population, `total` and `squares` sum the row's part in the
    bet, moved to a mean of the floor, and its square. `learned` is (3, C): how far the judge goes
    with the losses, how much it says by itself, and how many losses there were.
    """

    log_k: FloatArray
    peak: FloatArray
    batch: IntArray
    seen: FloatArray
    total: FloatArray
    squares: FloatArray
    learned: FloatArray
    rows: int = 0


def play(frame: Checked, nulls: Nulls, delta: float, n_plan: int, batches: int | ArrayLike) -> Bets:
    """Bet batch by batch on every hypothesis."""
    check_levels(nulls.floor, delta, n_plan)
    batched = cut(frame, _edges(batches, frame.bins.size))
    plan, target = constants(frame), np.log(1 / delta)
    cap = _CAP / ruin(plan, nulls, frame.judge is not None)
    state = _start(nulls, batched.edges.size - 1)
    for i in range(batched.edges.size - 1):
        bet = np.minimum(_aim(state, plan, nulls, target, n_plan), cap)
        turn = turn_of(frame, batched, i, nulls, _lam(state))
        _settle(state, growth(turn, nulls, bet), target, i + 1)
        _remember(state, turn, nulls)
    if not np.isfinite(state.log_k).all():
        raise ArithmeticError("a capital is not finite: a bet or a weight passed its bound")
    aim = _aim(state, plan, nulls, target, n_plan)
    return Bets(state.batch, state.log_k, state.peak, aim, cap)


def _start(nulls: Nulls, n_batches: int) -> _State:
    zero = np.zeros(nulls.index.size)
    never = np.full(zero.size, n_batches + 1)
    return _State(zero, zero, never, zero, zero, zero, np.zeros((3, zero.size)))


def ruin(plan: Constants, nulls: Nulls, judged: bool) -> FloatArray:
    """Return the bet that the worst possible row would turn into ruin, inverted: (C,)."""
    if nulls.direction < 0:
        return plan.most_traffic * nulls.floor + judged * plan.slack[nulls.index]
    return plan.heaviest[nulls.index] - plan.least_traffic * nulls.floor


def rows_left(n_plan: int, n_rows: float) -> float:
    """Return how many rows a bet reckons with after so many of a plan."""
    return max(n_plan - n_rows, _LEFT * n_plan)


def _aim(state: _State, plan: Constants, nulls: Nulls, target: float, n_plan: int) -> FloatArray:
    """Return the bet that would reach the target in the rows left, had they the spread so far."""
    prior = plan.prior_rows(nulls.floor)
    square = plan.spread(nulls.floor, nulls.index) + nulls.floor**2
    mean = (prior * nulls.floor + state.total) / (prior + state.seen)
    variance = (prior * square + state.squares) / (prior + state.seen) - mean**2
    left = np.full(state.seen.size, rows_left(n_plan, state.rows))
    if nulls.routed_only:  # only the part of them that will be routed, as far as was seen
        left = left * (1 + state.seen) / (1 + state.rows)
    return np.sqrt(2 * np.maximum(target - state.log_k, 0) / (left * np.maximum(variance, _TINY)))


def _lam(state: _State) -> FloatArray:
    """Return the judge's weight that would have served best so far, shrunk while losses are few."""
    together, alone, events = state.learned
    return np.clip(together / (alone + _TINY), 0, 1) * events / (events + _JUDGE_EVENTS)


def turn_of(frame: Checked, batched: _Batches, i: int, nulls: Nulls, lam: FloatArray) -> _Turn:
    """Return batch i with each row's Z under each hypothesis."""
    rows = batched.loud[batched.loud_edges[i] : batched.loud_edges[i + 1]]
    routed = frame.bins[rows, None] <= nulls.index
    w, loss = frame.rated[rows] / frame.pi[rows], frame.loss[rows]
    z = np.where(routed, (w * loss)[:, None], 0.0)
    terms = np.zeros((3, rows.size))
    if frame.judge is not None:
        f = frame.judge[rows]
        z += routed * lam * ((1 - w) * f)[:, None]
        terms = np.array([w * (w - 1) * loss * f, (1 / frame.pi[rows] - 1) * f**2, loss > 0])
    counts = batched.plain[i]
    plain = counts[:, nulls.index] if nulls.routed_only else counts[:, -1:]
    n = int(batched.edges[i + 1] - batched.edges[i])
    traffic = frame.traffic[rows, None]
    return _Turn(n, traffic, routed, z, batched.traffic[:, None], plain, terms)


def growth(turn: _Turn, nulls: Nulls, bet: FloatArray) -> FloatArray:
    """Return what one batch adds to ln of the capital at these bets: (C,)."""
    signed = nulls.direction * bet
    loud = np.log1p(signed * turn.traffic * (nulls.floor - turn.z))
    if nulls.routed_only:
        loud = loud * turn.routed
    plain = turn.plain * np.log1p(signed * turn.plain_traffic * nulls.floor)
    return np.asarray(loud.sum(axis=0) + plain.sum(axis=0))


def _settle(state: _State, grown: FloatArray, target: float, number: int) -> None:
    """Add the batch to the capitals still in play, and note which have reached the target."""
    live = state.log_k < target
    state.log_k = np.where(live, state.log_k + grown, state.log_k)
    state.peak = np.maximum(state.peak, state.log_k)
    state.batch = np.where(live & (state.log_k >= target), number, state.batch)


def _remember(state: _State, turn: _Turn, nulls: Nulls) -> None:
    """Add the batch to the moments, from which the next bets follow."""
    part = turn.traffic * (turn.z - nulls.floor) + nulls.floor
    counts = turn.routed if nulls.routed_only else np.ones(turn.routed.shape)
    part = part * counts
    plain = nulls.floor * (1 - turn.plain_traffic)
    state.seen = state.seen + counts.sum(axis=0) + turn.plain.sum(axis=0)
    state.total = state.total + part.sum(axis=0) + (turn.plain * plain).sum(axis=0)
    state.squares = state.squares + (part**2).sum(axis=0) + (turn.plain * plain**2).sum(axis=0)
    state.learned = state.learned + turn.terms @ turn.routed
    state.rows += turn.n


def cut(frame: Checked, edges: IntArray) -> _Batches:
    """Cut the rows into batches; only rows that may have Z != 0 are kept one by one."""
    may = frame.loss > 0 if frame.judge is None else (frame.loss > 0) | (frame.judge > 0)
    loud = np.flatnonzero(may & (frame.bins < frame.thresholds.size))
    traffic, group = _groups(frame.traffic)
    n_bins, n_batches = frame.thresholds.size + 1, edges.size - 1
    batch = np.repeat(np.arange(n_batches), np.diff(edges))
    cell = (batch * traffic.size + group) * n_bins + frame.bins
    size = n_batches * traffic.size * n_bins
    counts = np.bincount(cell, minlength=size) - np.bincount(cell[loud], minlength=size)
    plain = counts.reshape(n_batches, traffic.size, n_bins).cumsum(axis=2).astype(np.float64)
    return _Batches(edges, loud, np.searchsorted(loud, edges), traffic, plain)


def _groups(traffic: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the distinct traffics and which each row has; all alike is the common case."""
    if traffic.size == 0 or (traffic == traffic[0]).all():
        return traffic[:1], np.zeros(traffic.size, dtype=np.int64)
    distinct, group = np.unique(traffic, return_inverse=True)
    return distinct, group.astype(np.int64)


def _edges(batches: int | ArrayLike, n_rows: int) -> IntArray:
    """Return the batches' edges, from 0 to the number of rows."""
    edges = np.asarray(batches)
    if edges.ndim == 0:
        if edges < 1:
            raise ValueError("there must be at least one batch")
        return np.linspace(0, n_rows, int(edges) + 1).astype(np.int64)
    ends = edges.size > 1 and edges[0] == 0 and edges[-1] == n_rows
    if not ends or edges.dtype.kind not in "iu" or (np.diff(edges) < 0).any():
        raise ValueError(f"edges of batches must be whole, rise from 0 and end at {n_rows}")
    return edges.astype(np.int64)


def check_levels(floor: FloatArray, delta: float, n_plan: int) -> None:
    """Refuse floors and deltas outside (0, 1), and a plan without rows."""
    if not ((floor > 0) & (floor < 1)).all():
        raise ValueError("floor must lie in (0, 1)")
    if not 0 < delta < 1:
        raise ValueError("delta must lie in (0, 1)")
    if n_plan < 1:
        raise ValueError("n_plan must be at least 1")
