"""Confidence intervals for a single proportion.

Wilson for plain counts, Clopper-Pearson for exact ones, Korn-Graubard for weighted samples. Bands
over many thresholds at once do not live here: every interval below is pointwise.
"""

from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

Number = TypeVar("Number", float, NDArray[Any])
End = TypeVar("End")
Side = Literal["both", "lower", "upper"]

# Below this design effect the variance is rounding left over from equal values, not a measurement.
_ROUNDING_DEFF = 1e-9


class Interval(NamedTuple, Generic[End]):
    """Hold both ends of an interval: two floats, or two arrays of the inputs' shape."""

    low: End
    high: End


def wilson(successes: Number, n: Number, level: float = 0.95) -> Interval[Number]:
    """Bound a proportion from unweighted counts with the score interval.

    For counts where each row weighs the same (rater statistics, consistency rates). A weighted
    sample needs `korn_graubard`.

    Args:
        successes: count in [0, n], scalar or array.
        n: number of trials, same shape; 0 trials give [0, 1].
        level: two-sided confidence in (0, 1).

    Returns:
        The interval; its low end is exactly 0 without successes, its high end exactly 1 without
        failures.

    Raises:
        ValueError: a count outside [0, n], or a level outside (0, 1).

    Source:
        Wilson 1927; figures in Newcombe 1998, Statistics in Medicine 17, table I.

    Example:
        >>> [round(float(end), 4) for end in wilson(81, 263)]
        [0.2553, 0.3662]
    """
    x, trials = _counts(successes, n)
    z = special.ndtri(1 - _tail(level, "both"))
    spread = _ratio(x * (trials - x), trials, otherwise=0.0)
    half = z * np.sqrt(spread + z * z / 4)
    low = (x + z * z / 2 - half) / (trials + z * z)
    high = (x + z * z / 2 + half) / (trials + z * z)
    # Rounding can step past either end, and just short of 1 when every trial succeeded.
    high = np.where(x == trials, 1.0, np.minimum(high, 1.0))
    return _interval(np.maximum(low, 0.0), high)


def clopper_pearson(
    x: Number, n: Number, level: float = 0.95, side: Side = "both"
) -> Interval[Number]:
    """Bound a proportion by inverting the binomial tails, which never covers less than the level.

    Args:
        x: successes in [0, n], scalar or array; need not be whole.
        n: trials, same shape; need not be whole; 0 trials give [0, 1].
        level: confidence in (0, 1) of the whole interval.
        side: "lower" or "upper" spends all the error on that end and leaves the other at 1 or 0.

    Returns:
        The interval; its low end is exactly 0 when x is 0, its high end exactly 1 when x is n.

    Raises:
        ValueError: x outside [0, n], a level outside (0, 1), or an unknown side.

    Source:
        Clopper and Pearson 1934, as quantiles of the beta distribution.

    Example:
        >>> [round(float(end), 4) for end in clopper_pearson(7, 50)]
        [0.0582, 0.2674]
        >>> round(float(clopper_pearson(0, 59, side="upper").high), 6)
        0.049508
    """
    successes, trials = _counts(x, n)
    tail = _tail(level, side)
    failures = trials - successes
    # A beta distribution needs positive shapes; at the ends the known bound replaces the result.
    inner_low = special.betaincinv(np.where(successes > 0, successes, 1.0), failures + 1, tail)
    inner_high = special.betainccinv(successes + 1, np.where(failures > 0, failures, 1.0), tail)
    low = np.where((successes > 0) & (side != "upper"), inner_low, 0.0)
    high = np.where((failures > 0) & (side != "lower"), inner_high, 1.0)
    return _interval(low, high)


def korn_graubard(
    estimate: Number, variance: Number, n: Number, n_kish: Number, level: float = 0.95
) -> Interval[Number]:
    """Bound a weighted proportion: Clopper-Pearson at the effective sample size.

    Fewer than two rated rows, or less than one effective row, say nothing: the interval is [0, 1],
    and there the estimate and the variance may be nan.

    Args:
        estimate: weighted proportion d in [0, 1], scalar or array.
        variance: its estimated variance V, same shape.
        n: rated rows behind it, same shape.
        n_kish: (sum w)^2 / sum w^2 over those rows, same shape.
        level: two-sided confidence in (0, 1).

    Returns:
        The Clopper-Pearson interval of x = n_eff * d successes in n_eff trials (see `effective_n`).

    Raises:
        ValueError: with two or more rows, an estimate outside [0, 1], a negative or unknown
            variance, or a Kish size outside (0, n].

    Source:
        Korn and Graubard 1998, Survey Methodology 24, 193-201.

    Example:
        >>> interval = korn_graubard(0.1555555556, 0.0148784908, 10, 6.8644067797)
        >>> [round(float(end), 5) for end in interval]
        [0.0094, 0.53634]
    """
    d, v, rows, kish = _broadcast(estimate, variance, n, n_kish)
    _check_weighted(d, v, rows, kish)
    n_eff = np.asarray(effective_n(d, v, rows, kish))
    informative = (rows >= 2) & (n_eff >= 1)
    trials = np.where(informative, n_eff, 0.0)
    return _interval(*clopper_pearson(trials * np.where(informative, d, 0.0), trials, level))


def effective_n(estimate: Number, variance: Number, n: Number, n_kish: Number) -> Number:
    """Count the equally weighted rows that would be as informative: min(n, d (1 - d) / V).

    Without spread (d is 0 or 1, or all values are equal) the variance says nothing about the
    design, so the Kish size stands in for it.

    Args:
        estimate: weighted proportion d in [0, 1], scalar or array.
        variance: its estimated variance V, same shape.
        n: rated rows, same shape.
        n_kish: Kish size of those rows, same shape.

    Returns:
        The effective size, same shape; nan where the estimate or the variance is nan.

    Source:
        Korn and Graubard 1998, Survey Methodology 24, 193-201.

    Example:
        >>> round(float(effective_n(0.1555555556, 0.0148784908, 10, 6.8644067797)), 4)
        8.8287
        >>> float(effective_n(0.0, 0.0, 10, 6.5))
        6.5
    """
    d, v, rows, kish = _broadcast(estimate, variance, n, n_kish)
    spread = d * (1 - d)
    flat = (spread == 0) | (v * rows <= _ROUNDING_DEFF * spread)
    capped = np.minimum(rows, _ratio(spread, np.where(flat, 1.0, v), otherwise=np.nan))
    size: Number = _plain(np.where(flat, kish, capped))
    return size


def _tail(level: float, side: str) -> float:
    """Return the error probability spent on one end."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    if side not in ("both", "lower", "upper"):
        raise ValueError(f"side must be both, lower or upper, got {side!r}")
    return (1 - level) / 2 if side == "both" else 1 - level


def _counts(successes: Number, n: Number) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both counts as float arrays of one shape, refusing impossible ones."""
    x, trials = _broadcast(successes, n)
    if not (np.isfinite(trials).all() and (x >= 0).all() and (x <= trials).all()):
        raise ValueError("successes must lie in [0, n] and n must be finite")
    return x, trials


def _check_weighted(
    d: NDArray[np.float64],
    v: NDArray[np.float64],
    rows: NDArray[np.float64],
    kish: NDArray[np.float64],
) -> None:
    """Refuse inputs no sample of two or more rows can produce."""
    if not (np.isfinite(rows).all() and (rows >= 0).all()):
        raise ValueError("n must be finite and not negative")
    used = rows >= 2
    if not ((d[used] >= 0) & (d[used] <= 1)).all():
        raise ValueError("estimate must lie in [0, 1] where n is 2 or more")
    if not ((v[used] >= 0) & np.isfinite(v[used])).all():
        raise ValueError("variance must be finite and not negative where n is 2 or more")
    # Equal weights make the two sizes equal up to rounding.
    if not ((kish[used] > 0) & (kish[used] <= rows[used] * (1 + 1e-9))).all():
        raise ValueError("n_kish must lie in (0, n] where n is 2 or more")


def _broadcast(*values: Any) -> list[NDArray[np.float64]]:
    """Return the values as float arrays of one shape."""
    return list(np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values)))


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], otherwise: float
) -> NDArray[np.float64]:
    """Divide where the denominator is not zero."""
    out = np.full(numerator.shape, otherwise)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def _interval(low: Any, high: Any) -> Interval[Any]:
    """Pair two ends, as floats when the inputs were scalars."""
    return Interval(_plain(low), _plain(high))


def _plain(values: Any) -> Any:
    """Unwrap a zero-dimensional array into its float."""
    return np.asarray(values)[()]
