"""Tests of "degradation is above the floor" at every threshold, by betting on the ratings.

Each threshold has a capital that starts at 1 and is multiplied, row by row, by
1 + bet * traffic * (floor - Z), where Z = lam f + w (y - lam f) for rows routed cheap and 0 for the
others; w = rated / pi, y the loss, f the judge's guess. Z has the row's loss as its mean, so while
degradation is above the floor the capital cannot grow on average, whatever the judge says, and
reaches 1 / delta with probability delta at most, at any time (Ville). The bet of a batch is fixed
before the batch. Which thresholds are then certified is decided in `selection`.

Validity holds for degradation over these very rows when their order is random (hash order), and for
a stationary stream in the order of arrival. Looks at a growing frame stay looks at one capital
while the edges of batches stay the same.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats.capital import Bets, Nulls, check_levels, cut, growth, play, ruin, turn_of
from reviews.stats.rows import Arrays, Checked, FloatArray, Rows, checked, constants

_MIXTURE = 20


def star(
    rows: Rows | Arrays,
    thresholds: ArrayLike,
    *,
    floor: float,
    delta: float,
    n_plan: int,
    batches: int | ArrayLike = 50,
    routed_only: bool = False,
) -> Bets:
    """Bet against "degradation is above the floor" at each threshold, aiming at 1 / delta.

    The bet of a batch is what would reach 1 / delta in the rows left, had they the spread seen so
    far: min(sqrt(2 (ln(1 / delta) - ln K) / (left * variance)), 0.95 / (B - floor)).

    Args:
        rows: N rows in the order in which they are taken; see the module for which order.
        thresholds: (T,) strictly increasing, fixed without these ratings.
        floor: largest degradation allowed, in (0, 1).
        delta: largest probability of a false certificate, in (0, 1).
        n_plan: rows planned; more or fewer are allowed and cost power only.
        batches: how many equal ones, or their edges from 0 to N.
        routed_only: test the mean loss among rows routed cheap instead of over all rows.

    Raises:
        ValueError: as `rows.checked`, or floor, delta, n_plan or batches out of range.
        ArithmeticError: the capital is not finite, which no valid input can cause.

    Source:
        Waudby-Smith and Ramdas 2024, JRSS B 86; Voracek and Orabona 2025, STaR-Bets; the judge's
        terms as in Zrnic and Candes 2024, PNAS 121.

    Example:
        >>> rated = np.arange(2000) % 10 == 0
        >>> none = Rows(np.zeros(2000), np.full(2000, 0.1), rated, np.zeros(2000))
        >>> bets = star(none, [0.5], floor=0.05, delta=0.05, n_plan=2000)
        >>> int(bets.batch[0]), round(float(bets.log_k[0]), 10)
        (28, 2.999007941)
    """
    frame = checked(rows, thresholds)
    nulls = _same_floor(frame, floor, routed_only=routed_only)
    return play(frame, nulls, delta, n_plan, batches)


def futile(
    rows: Rows | Arrays,
    thresholds: ArrayLike,
    *,
    floor: float,
    delta: float,
    n_plan: int,
    batches: int | ArrayLike = 50,
) -> Bets:
    """Bet the other way, against "degradation is at most the floor".

    Where it wins, more ratings will not certify the threshold: the router is not good enough.
    Arguments, errors and source as `star`.

    Example:
        >>> rated = np.arange(2000) % 10 == 0
        >>> all_harm = Rows(np.zeros(2000), np.full(2000, 0.1), rated, np.ones(2000))
        >>> int(futile(all_harm, [0.5], floor=0.05, delta=0.05, n_plan=2000).batch[0])
        2
    """
    frame = checked(rows, thresholds)
    return play(frame, _same_floor(frame, floor, direction=-1), delta, n_plan, batches)


def upper(
    rows: Rows | Arrays,
    thresholds: ArrayLike,
    *,
    floor_grid: ArrayLike,
    delta: float,
    n_plan: int,
    batches: int | ArrayLike = 50,
) -> FloatArray:
    """Bound degradation from above at each threshold, each with confidence 1 - delta: (T,).

    The bound is the smallest floor of the grid from which on `star` refutes all; 1 where it refutes
    none at the end of the grid. It is valid where linearised intervals are too short.

    Args:
        rows: as `star`.
        thresholds: (T,) strictly increasing.
        floor_grid: (J,) candidates in (0, 1), strictly increasing.
        delta: in (0, 1).
        n_plan: rows planned.
        batches: as `star`.

    Example:
        >>> rated = np.arange(2000) % 10 == 0
        >>> none = Rows(np.zeros(2000), np.full(2000, 0.1), rated, np.zeros(2000))
        >>> grid = np.arange(1, 20) / 100
        >>> upper(none, [0.5], floor_grid=grid, delta=0.05, n_plan=2000).tolist()
        [0.02]
    """
    refuted, grid = _refuted(rows, thresholds, floor_grid, delta, n_plan, batches, direction=1)
    n_high = np.cumprod(refuted[:, ::-1], axis=1).sum(axis=1)
    return np.append(grid, 1.0)[grid.size - n_high]


def lower(
    rows: Rows | Arrays,
    thresholds: ArrayLike,
    *,
    floor_grid: ArrayLike,
    delta: float,
    n_plan: int,
    batches: int | ArrayLike = 50,
) -> FloatArray:
    """Bound degradation from below, as `upper` does from above; 0 where nothing is refuted: (T,).

    Example:
        >>> rated = np.arange(2000) % 10 == 0
        >>> none = Rows(np.zeros(2000), np.full(2000, 0.1), rated, np.zeros(2000))
        >>> lower(none, [0.5], floor_grid=[0.01, 0.02], delta=0.05, n_plan=2000).tolist()
        [0.0]
    """
    refuted, grid = _refuted(rows, thresholds, floor_grid, delta, n_plan, batches, direction=-1)
    return np.append(0.0, grid)[np.cumprod(refuted, axis=1).sum(axis=1)]


def floors(*also: float) -> FloatArray:
    """Return candidates for a bound, from .002 to .8, each a tenth above the last: (J,).

    Args:
        also: floors that must be among them.

    Example:
        >>> floors(0.05).size, 0.05 in floors(0.05)
        (61, True)
    """
    return np.unique(np.append(np.geomspace(0.002, 0.8, 60), also))


def log_mixture(rows: Rows | Arrays, thresholds: ArrayLike, floor: float) -> FloatArray:
    """Return ln of the mean capital of 20 constant bets: needs no order, no plan and no time.

    At the end of a fixed window it is valid even where traffic changed all along; it needs more
    than twice the ratings of `star`. The judge takes no part.

    Args:
        rows: in any order.
        thresholds: (T,) strictly increasing.
        floor: in (0, 1).

    Returns:
        (T,) values; one of ln(1 / delta) or more refutes "degradation is above the floor".

    Source:
        Zecchin, Park and Simeone 2024, e-processes for Learn-then-Test; the product is largest when
        all rows have the same mean (inequality of arithmetic and geometric means).

    Example:
        >>> all_rated = Rows(np.zeros(100), np.ones(100), np.ones(100, bool), np.zeros(100))
        >>> round(float(log_mixture(all_rated, [0.5], floor=0.05)[0]), 10)
        3.8150548168
    """
    frame = checked(rows._replace(judge=None), thresholds)
    nulls = _same_floor(frame, floor)
    check_levels(nulls.floor, 0.5, 1)
    share = np.sin(np.pi * (np.arange(_MIXTURE) + 0.5) / (2 * _MIXTURE)) ** 2
    rooms = ruin(constants(frame), nulls, False)
    batched = cut(frame, np.array([0, frame.bins.size]))
    turn = turn_of(frame, batched, 0, nulls, np.zeros(1))
    grown = [growth(turn, nulls, part / rooms) for part in share]
    return np.logaddexp.reduce(grown, axis=0) - np.log(_MIXTURE)


def _same_floor(
    frame: Checked, floor: float, direction: int = 1, routed_only: bool = False
) -> Nulls:
    n = frame.thresholds.size
    return Nulls(np.arange(n), np.full(n, float(floor)), direction, routed_only)


def _refuted(
    rows: Rows | Arrays,
    thresholds: ArrayLike,
    floor_grid: ArrayLike,
    delta: float,
    n_plan: int,
    batches: int | ArrayLike,
    direction: int,
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Test every floor of a grid at every threshold: (T, J), and the grid."""
    grid = np.asarray(floor_grid, dtype=np.float64)
    if grid.ndim != 1 or not (np.diff(grid) > 0).all():
        raise ValueError("floor_grid must be strictly increasing and of shape (J,)")
    frame = checked(rows, thresholds)
    n = frame.thresholds.size
    nulls = Nulls(np.repeat(np.arange(n), grid.size), np.tile(grid, n), direction)
    bets = play(frame, nulls, delta, n_plan, batches)
    return (bets.peak >= np.log(1 / delta)).reshape(n, grid.size), grid
