"""Means of a sample drawn with known, unequal probabilities, and what the weights cost.

Every function takes sampled rows only: `weight` is 1/pi of each, `z` the quantity of interest. The
same estimates at every threshold at once live in `curve`; intervals live in `intervals`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_EVEN_DEFF = 1.2
_WORST_DEFF = 3.0
_WORST_PEAK = 5.0
_FEWEST_EVENTS = 5


class HorvitzThompson(NamedTuple):
    """Hold a Horvitz-Thompson mean with its variance for either target.

    Attributes:
        mean: estimated mean over the frame; nan for an empty frame.
        window_variance: sampling error only, the frame's own traffic being the target.
        stream_variance: sampling error plus the noise of the traffic, a stationary stream being the
            target; nan for fewer than two rows in the frame.
    """

    mean: float
    window_variance: float
    stream_variance: float


class WeightedMean(NamedTuple):
    """Hold a weighted mean with what an interval around it needs.

    Attributes:
        mean: nan without rows.
        variance: nan for fewer than two rows, where it cannot be estimated.
        n: rows behind the mean.
        n_kish: equally weighted rows these weights are worth; 0.0 without rows.
    """

    mean: float
    variance: float
    n: int
    n_kish: float


def horvitz_thompson(z: ArrayLike, weight: ArrayLike, n_frame: int) -> HorvitzThompson:
    """Estimate the frame's mean as (1/N) sum w z, unbiased for any inclusion probabilities.

    Window variance (independent draws): (1/N^2) sum w (w - 1) z^2. Stream variance, with Z = w z
    and Z = 0 for each row of the frame that was not drawn: sum (Z - mean)^2 / (N (N - 1)).

    Args:
        z: (n,) values of the sampled rows.
        weight: (n,) their 1/pi, at least 1.
        n_frame: N, rows in the frame, sampled or not.

    Raises:
        ValueError: lengths differ, a z is not finite, a weight is below 1 or not finite, n > N.

    Source:
        Horvitz and Thompson 1952, JASA 47; Poisson sampling in Sarndal, Swensson and Wretman 1992,
        section 3.5.

    Example:
        >>> estimate = horvitz_thompson([1, 0, 1], [2, 2, 4], n_frame=10)
        >>> [round(value, 6) for value in estimate]
        [0.6, 0.14, 0.182222]
    """
    values, weights = _sample(z, weight)
    if (weights < 1).any():
        raise ValueError("weight must be at least 1: an inclusion probability cannot exceed 1")
    if values.size > n_frame:
        raise ValueError(f"{values.size} sampled rows cannot come from a frame of {n_frame}")
    if n_frame == 0:
        return HorvitzThompson(np.nan, np.nan, np.nan)
    expanded = weights * values
    mean = float(expanded.sum() / n_frame)
    window = float((weights * (weights - 1) * values**2).sum() / n_frame**2)
    return HorvitzThompson(mean, window, _stream_variance(expanded, mean, n_frame))


def hajek(z: ArrayLike, weight: ArrayLike) -> WeightedMean:
    """Estimate a mean as d = sum w z / sum w, with its linearised variance.

    V = n/(n - 1) sum u^2 with u = w (z - d) / sum w. The weights' scale cancels.

    Args:
        z: (n,) values of the sampled rows.
        weight: (n,) their 1/pi.

    Raises:
        ValueError: lengths differ, a z is not finite, a weight is not finite or not above 0.

    Source:
        Hajek 1971; Sarndal, Swensson and Wretman 1992, section 5.7.

    Example:
        >>> estimate = hajek([0, 0, 1, 0, 0, 1, 0, 0, 0, 0], [2, 2, 2, 2, 2, 5, 5, 5, 10, 10])
        >>> round(estimate.mean, 10), round(estimate.variance**0.5, 10), round(estimate.n_kish, 10)
        (0.1555555556, 0.121977419, 6.8644067797)
    """
    values, weights = _sample(z, weight)
    n, total = values.size, weights.sum()
    if n == 0:
        return WeightedMean(np.nan, np.nan, 0, 0.0)
    # Rounding can step just past equal values, and a share of 1 would be no share any more.
    mean = float(np.clip(weights @ values / total, values.min(), values.max()))
    u = weights * (values - mean) / total
    variance = float(n / (n - 1) * (u @ u)) if n > 1 else np.nan
    return WeightedMean(mean, variance, n, kish_n(weights))


def domain_mean(z: ArrayLike, weight: ArrayLike, domain: ArrayLike) -> WeightedMean:
    """Estimate the mean of the part of the frame that `domain` marks.

    a = sum w R z / sum w R, u = w R (z - a) / sum w R, n = sampled rows with R = 1: the size of the
    part is estimated too, which is why this is a Hajek mean of the part and not of R z over
    everything.

    Args:
        z: (n,) values of the sampled rows; those outside the domain are not looked at and may be
            nan.
        weight: (n,) their 1/pi.
        domain: (n,) boolean R, known for each row before any rating.

    Raises:
        ValueError: as `hajek`, or the domain is not boolean.

    Source:
        Sarndal, Swensson and Wretman 1992, section 5.8.

    Example:
        >>> estimate = domain_mean([1, 0, 1], [2, 2, 4], [True, True, False])
        >>> estimate.mean, estimate.variance, estimate.n
        (0.5, 0.25, 2)
    """
    marked = np.asarray(domain)
    if marked.size and marked.dtype != np.bool_:
        raise ValueError("domain must be boolean")
    values, weights = np.asarray(z, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    if not values.shape == weights.shape == marked.shape:
        raise ValueError("z, weight and domain must have the same length")
    inside = marked.astype(bool)
    return hajek(values[inside], weights[inside])


def kish_n(weight: ArrayLike) -> float:
    """Count the equally weighted rows these weights are worth: (sum w)^2 / sum w^2.

    Args:
        weight: (n,) finite and above 0; without rows the answer is 0.0.

    Raises:
        ValueError: a weight is not finite or not above 0.

    Source:
        Kish 1965, Survey Sampling, section 11.7.

    Example:
        >>> round(kish_n([2, 2, 2, 2, 2, 5, 5, 5, 10, 10]), 4)
        6.8644
    """
    weights = _weights(weight)
    return float(weights.sum() ** 2 / (weights @ weights)) if weights.size else 0.0


def deff_weights(weight: ArrayLike) -> float:
    """Measure the price of unequal weights, n / n_kish: 1 when equal, 2 when it halves n.

    Args:
        weight: (n,) finite and above 0; without rows the answer is nan.

    Raises:
        ValueError: a weight is not finite or not above 0.

    Source:
        Kish 1965, Survey Sampling, section 11.7.

    Example:
        >>> round(deff_weights([1, 1, 4]), 4)
        1.5
    """
    weights = _weights(weight)
    return weights.size / kish_n(weights) if weights.size else np.nan


def too_unequal(weight: ArrayLike, n_heavy_events: int) -> bool:
    """Say whether weights are too unequal for a linearised interval to be trusted.

    Simulations behind docs/statistics.md saw such intervals cover .83 instead of .95.

    Args:
        weight: (n,) finite and above 0 of the rated rows.
        n_heavy_events: rows with a loss among those of the largest weight.

    Example:
        >>> too_unequal([1, 1, 1], 0), too_unequal([1, 1, 4], 2), too_unequal([1, 1, 4], 5)
        (False, True, False)
    """
    return n_heavy_events < fewest_heavy_events(weight)


def fewest_heavy_events(weight: ArrayLike) -> float:
    """Say how many losses among the heaviest rows these weights need to be trusted: 0, 5 or inf.

    Args:
        weight: (n,) finite and above 0 of the rated rows.

    Example:
        >>> [fewest_heavy_events(w) for w in ([1, 1, 1], [1, 1, 4], [1] * 9 + [100])]
        [0, 5, inf]
    """
    weights = _weights(weight)
    if weights.size == 0 or (deff := deff_weights(weights)) <= _EVEN_DEFF:
        return 0
    peak = float(weights.max() / weights.mean())
    return np.inf if deff > _WORST_DEFF or peak > _WORST_PEAK else _FEWEST_EVENTS


def _stream_variance(expanded: FloatArray, mean: float, n_frame: int) -> float:
    """Spread of Z over the frame; rows not drawn have Z = 0 and lie `mean` away."""
    if n_frame < 2:
        return np.nan
    squares = ((expanded - mean) ** 2).sum() + (n_frame - expanded.size) * mean**2
    return float(squares / (n_frame * (n_frame - 1)))


def _sample(z: Any, weight: Any) -> tuple[FloatArray, FloatArray]:
    """Return values and weights as arrays of one length, refusing what no sample holds."""
    values, weights = np.asarray(z, dtype=np.float64), _weights(weight)
    if values.shape != weights.shape:
        raise ValueError("z and weight must have the same length")
    if not np.isfinite(values).all():
        raise ValueError("z must be finite on every sampled row")
    return values, weights


def _weights(weight: Any) -> FloatArray:
    """Return the weights as an array of shape (n,)."""
    weights = np.asarray(weight, dtype=np.float64)
    if weights.ndim != 1:
        raise ValueError("weight must have shape (n,)")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("weight must be finite and above 0")
    return weights
