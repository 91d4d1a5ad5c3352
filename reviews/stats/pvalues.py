"""p-values of "the mean loss is above the floor" from an equally weighted sample, read once.

They know no unequal probabilities, no judge and no looks in between: `betting` does. Where they
apply they are the yardstick that it is compared with.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

FloatArray = NDArray[np.float64]

#: A sum of fractions that should be whole may come out just above it.
_ROUNDING = 1e-9


def exact_binomial(losses: ArrayLike, n: ArrayLike, floor: float) -> FloatArray:
    """Return P(at most so many losses | the floor is the mean), for losses of 0 or 1.

    Args:
        losses: sum of the losses, whole.
        n: rows, of a shape that fits.
        floor: in (0, 1).

    Raises:
        ValueError: losses not whole or outside [0, n], or floor outside (0, 1).

    Source:
        The binomial distribution; losses without replacement are less spread, so it stays valid.

    Example:
        >>> round(float(exact_binomial(10, 500, 0.05)), 12)
        0.000460007154
    """
    total, size = _counts(losses, n, floor)
    if (np.abs(total - np.round(total)) > _ROUNDING).any():
        raise ValueError("losses must be whole: fractions have no binomial distribution")
    return np.asarray(stats.binom.cdf(np.round(total), size, floor))


def hoeffding_bentkus(losses: ArrayLike, n: ArrayLike, floor: float) -> FloatArray:
    """Return a p-value for losses anywhere in [0, 1]: the smaller of two bounds.

    It starts from the sum, not from the mean: n times a mean may round to just above a whole
    number, and its ceiling would be one too high.

    Args:
        losses: sum of the losses.
        n: rows, of a shape that fits.
        floor: in (0, 1).

    Raises:
        ValueError: losses outside [0, n], or floor outside (0, 1).

    Source:
        Bates et al. 2021, JACM 68, section 3.1; Hoeffding 1963, Bentkus 2004.

    Example:
        >>> round(float(hoeffding_bentkus(10, 500, 0.05)), 12)
        0.001250429088
    """
    total, size = _counts(losses, n, floor)
    mean = np.minimum(np.divide(total, size, out=np.ones(total.shape), where=size > 0), floor)
    # rel_entr(0, x) is 0, as the limit is.
    divergence = special.rel_entr(mean, floor) + special.rel_entr(1 - mean, 1 - floor)
    bentkus = np.e * stats.binom.cdf(np.ceil(total - _ROUNDING), size, floor)
    return np.minimum(np.minimum(np.exp(-size * divergence), bentkus), 1.0)


def _counts(losses: Any, n: Any, floor: float) -> tuple[FloatArray, FloatArray]:
    total, size = np.broadcast_arrays(np.asarray(losses, np.float64), np.asarray(n, np.float64))
    if not ((total >= 0) & (total <= size * (1 + _ROUNDING))).all():
        raise ValueError("losses must lie between 0 and n")
    if not 0 < floor < 1:
        raise ValueError("floor must lie in (0, 1)")
    return total, size
