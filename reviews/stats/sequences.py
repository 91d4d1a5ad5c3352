"""Intervals for a mean that stay valid while rows come in: one may look after every row.

`asymptotic` takes values of any size and is what charts over time show. The others take values in
[0, 1] and hold for any number of rows; weighted values must be divided by their bound first.
Certificates do not use these: see `betting`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_FEWEST_ROWS = 100
_FEWEST_EVENTS = 20
#: A bet takes at most this part of what would ruin it.
_PART = 0.5


class Sequence(NamedTuple):
    """Hold an interval after each of n rows, ends of shape (n,); nan before it may be shown."""

    low: FloatArray
    high: FloatArray


def asymptotic(z: ArrayLike, *, delta: float, n_star: int) -> Sequence:
    """Bound a running mean at all times at once, in the limit of many rows.

    With sd the spread so far, the mean is bounded by
    sd sqrt(2 (n r + 1) / (n^2 r) ln(sqrt(n r + 1) / delta)), r tuned so that it is shortest at
    n_star. Before 100 rows and 20 values that are not 0 the limit is far, and nothing is said.

    Args:
        z: (n,) values in the order in which they came, 0 for rows without any.
        delta: the error of both ends together, at all times.
        n_star: rows at which to be shortest, as planned.

    Source:
        Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Annals of Statistics 52, theorem 2.2.

    Example:
        >>> round(float(radius(100, 0.4, delta=0.05, n_star=100)), 10)
        0.1214083596
    """
    values = np.asarray(z, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("z must be finite and of shape (n,)")
    n = np.arange(1, values.size + 1)
    mean = np.cumsum(values) / n
    spread = np.sqrt(np.maximum(np.cumsum(values**2) / n - mean**2, 0.0))
    shown = (n >= _FEWEST_ROWS) & (np.cumsum(values != 0) >= _FEWEST_EVENTS)
    around = np.where(shown, radius(n, spread, delta=delta, n_star=n_star), np.nan)
    return Sequence(mean - around, mean + around)


def radius(n: ArrayLike, spread: ArrayLike, *, delta: float, n_star: int) -> FloatArray:
    """Return half the width of `asymptotic` after n rows of that standard deviation.

    Raises:
        ValueError: delta outside (0, 1), or n or n_star below 1.
    """
    rows = np.asarray(n, dtype=np.float64)
    _check_delta(delta)
    if n_star < 1 or not (rows >= 1).all():
        raise ValueError("n and n_star must be at least 1")
    log = -2 * np.log(delta)
    rho = (log + np.log(log + 1)) / n_star
    grown = rows * rho + 1
    scale = np.sqrt(2 * grown / (rows**2 * rho) * np.log(np.sqrt(grown) / delta))
    return np.asarray(np.asarray(spread) * scale)


def empirical_bernstein(x: ArrayLike, *, delta: float) -> Sequence:
    """Bound the mean of values in [0, 1] at all times at once, by a predictable mixture.

    Args:
        x: (n,) in [0, 1], in the order in which they came.
        delta: the error of both ends together, at all times.

    Source:
        Waudby-Smith and Ramdas 2024, JRSS B 86, theorem 2.

    Example:
        >>> bound = empirical_bernstein([0, 1, 0, 0, 1, 0, 0, 0, 1, 0] * 10, delta=0.05)
        >>> round(float(bound.low[-1]), 10), round(float(bound.high[-1]), 10)
        (0.1399037232, 0.4669240095)
    """
    values = _unit(x, delta)
    low, from_above = _bernstein_low(values, delta / 2), _bernstein_low(1 - values, delta / 2)
    return Sequence(np.maximum(low, 0.0), np.minimum(1 - from_above, 1.0))


def betting_sequence(x: ArrayLike, *, delta: float, breaks: int = 1000) -> Sequence:
    """Bound the mean of values in [0, 1] at all times at once, by betting for and against it.

    Args:
        x: (n,) in [0, 1], in the order in which they came.
        delta: the error of both ends together, at all times.
        breaks: means tried; ends are rounded outward to their grid.

    Source:
        Waudby-Smith and Ramdas 2024, JRSS B 86, theorem 3 (hedged capital).

    Example:
        >>> bound = betting_sequence([0, 1, 0, 0, 1, 0, 0, 0, 1, 0] * 10, delta=0.05)
        >>> round(float(bound.low[-1]), 3), round(float(bound.high[-1]), 3)
        (0.166, 0.449)
    """
    values = _unit(x, delta)
    bets = _bets(values, delta / 2)
    kept = np.array([_log_capital(values, bets, m) <= -np.log(delta) for m in _means(breaks)])
    # An empty set contradicts [0, 1]; it says nothing then.
    kept |= ~kept.any(axis=0)
    low = kept.argmax(axis=0) / breaks
    high = 1 - kept[::-1].argmax(axis=0) / breaks
    return Sequence(np.maximum(low - 1 / breaks, 0.0), np.minimum(high + 1 / breaks, 1.0))


def betting_interval(x: ArrayLike, *, delta: float, breaks: int = 1000) -> tuple[float, float]:
    """Bound the mean of n values in [0, 1], read once, by bets aimed at n.

    Args:
        x: (n,) in [0, 1], in an order that says nothing.
        delta: the error of both ends together.
        breaks: means tried; ends are rounded outward to their grid.

    Source:
        Waudby-Smith and Ramdas 2024, JRSS B 86, section 4.3.

    Example:
        >>> low, high = betting_interval([0, 1, 0, 0, 1, 0, 0, 0, 1, 0] * 10, delta=0.05)
        >>> round(low, 3), round(high, 3)
        (0.191, 0.436)
    """
    values = _unit(x, delta)
    bets = _bets(values, delta / 2, n_fixed=values.size)
    target = -np.log(delta)
    means = _means(breaks)
    kept = means[[bool((_log_capital(values, bets, m) <= target).all()) for m in means]]
    if kept.size == 0:
        return 0.0, 1.0
    return max(float(kept[0]) - 1 / breaks, 0.0), min(float(kept[-1]) + 1 / breaks, 1.0)


def _bets(x: FloatArray, delta: float, n_fixed: int | None = None) -> FloatArray:
    """Return each row's bet, from the rows before it: (n,)."""
    t = np.arange(1, x.size + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    horizon = t * np.log1p(t) if n_fixed is None else np.full(x.size, n_fixed)
    return np.sqrt(2 * np.log(1 / delta) / (horizon * np.append(0.25, variance[:-1])))


def _bernstein_low(x: FloatArray, delta: float) -> FloatArray:
    """Return the lower end after each row: (n,)."""
    bet = np.minimum(_bets(x, delta), _PART)
    before = np.append(0.0, (np.cumsum(x) / np.arange(1, x.size + 1))[:-1])
    price = np.cumsum((x - before) ** 2 * (-np.log1p(-bet) - bet))
    return (np.cumsum(bet * x) - np.log(1 / delta) - price) / np.cumsum(bet)


def _log_capital(x: FloatArray, bets: FloatArray, mean: float) -> FloatArray:
    """Return ln of the larger of half the capitals bet above and below a mean: (n,)."""
    up = bets if mean == 0 else np.minimum(bets, _PART / mean)
    down = bets if mean == 1 else np.minimum(bets, _PART / (1 - mean))
    above, below = np.log1p(up * (x - mean)), np.log1p(-down * (x - mean))
    return np.asarray(np.maximum(np.cumsum(above), np.cumsum(below)) + np.log(0.5))


def _means(breaks: int) -> FloatArray:
    return np.arange(breaks + 1) / breaks


def _unit(x: ArrayLike, delta: float) -> FloatArray:
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("x must lie in [0, 1], with one value or more, of shape (n,)")
    _check_delta(delta)
    return values


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError("delta must lie in (0, 1)")
