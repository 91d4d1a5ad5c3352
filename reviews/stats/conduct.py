"""How raters work: whether they say the same thing twice, and whether they take the time to read.

Nothing here says that a rater is wrong; it says where to look.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats.intervals import Interval, wilson

FloatArray = NDArray[np.float64]

# Four times the mean speed of silent reading: 238 words a minute, six characters with the space.
FASTEST_READING = 4 * 238 * 6 / 60
# Modified z-score beyond which a value is an outlier, and what makes a MAD a standard deviation.
_OUTLYING = 3.5
_NORMAL_MAD = 0.6744897501960817
# A rater whose median is below this part of the pool's median is worth a look.
HASTY = 0.25


class Consistency(NamedTuple):
    """Hold the share of repeats answered alike, its Wilson interval and the number of repeats."""

    share: float
    interval: Interval[float]
    n: int


class RaterSpeed(NamedTuple):
    """Hold one rater's speed; `hasty` is a median below a quarter of the pool's."""

    rater: Hashable
    n: int
    median_seconds: float
    hasty: bool


class Speed(NamedTuple):
    """Hold how unusual each rating's time is.

    Attributes:
        z: (n,) modified z-score of the log seconds; nan where half the pool took the same time.
        too_fast: (n,) unusually fast in this pool.
        too_slow: (n,) unusually slow in this pool: an interruption, most likely.
        unread: (n,) faster than anybody reads that much.
        raters: one entry per rater, in order of first appearance.
    """

    z: FloatArray
    too_fast: NDArray[np.bool_]
    too_slow: NDArray[np.bool_]
    unread: NDArray[np.bool_]
    raters: tuple[RaterSpeed, ...]


def repeat_consistency(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Consistency:
    """Count hidden repeats on which a rater said the same again.

    Args:
        first: (n,) verdicts when a pair was first shown, as tiers and not as sides.
        second: (n,) verdicts of the same raters on the same pairs later.
        level: two-sided confidence of the interval.

    Raises:
        ValueError: lengths differ, or level outside (0, 1).

    Source:
        Wilson 1927.

    Example:
        >>> repeat_consistency(["cheap", "tie"], ["cheap", "expensive"]).share
        0.5
    """
    before, after = np.asarray(first), np.asarray(second)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError("first and second must have the same shape (n,)")
    n, same = before.size, int((before == after).sum())
    interval = Interval(*map(float, wilson(same, n, level)))
    return Consistency(same / n if n else np.nan, interval, n)


def speed(seconds: ArrayLike, characters: ArrayLike, rater: Sequence[Hashable]) -> Speed:
    """Mark ratings that were unusually fast or slow in one pool, or faster than reading.

    Args:
        seconds: (n,) from showing to answering, above 0.
        characters: (n,) that were there to read: prompt and both answers.
        rater: (n,) who rated.

    Raises:
        ValueError: lengths differ, seconds not finite or not above 0, or characters negative.

    Source:
        Modified z-score: Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers. Reading:
        Brysbaert 2019, Journal of Memory and Language 109.

    Example:
        >>> found = speed([20, 30, 40, 25, 35, 1], [400] * 6, ["a"] * 5 + ["b"])
        >>> found.too_fast.tolist()[-1], found.unread.tolist()[-1], found.raters[1].hasty
        (True, True, True)
    """
    taken, length = np.asarray(seconds, dtype=np.float64), np.asarray(characters, dtype=np.float64)
    if not taken.shape == length.shape == (len(rater),):
        raise ValueError("seconds, characters and rater must have the same length")
    if not (np.isfinite(taken) & (taken > 0)).all() or not (length >= 0).all():
        raise ValueError("seconds must be finite and above 0, characters not negative")
    z = _modified_z(np.log(taken))
    raters = _per_rater(taken, rater)
    return Speed(z, z < -_OUTLYING, z > _OUTLYING, taken < length / FASTEST_READING, raters)


def _modified_z(values: FloatArray) -> FloatArray:
    """Return distances from the median in robust standard deviations; nan without any spread."""
    if values.size == 0:
        return values
    distance = values - np.median(values)
    spread = np.median(np.abs(distance))
    return _NORMAL_MAD * distance / spread if spread > 0 else np.full(values.size, np.nan)


def _per_rater(seconds: FloatArray, rater: Sequence[Hashable]) -> tuple[RaterSpeed, ...]:
    """Compare each rater's median with that of all ratings."""
    taken: dict[Hashable, list[float]] = {}
    for name, value in zip(rater, seconds.tolist(), strict=True):
        taken.setdefault(name, []).append(value)
    pool = float(np.median(seconds)) if seconds.size else np.nan
    medians = {name: float(np.median(values)) for name, values in taken.items()}
    return tuple(
        RaterSpeed(name, len(taken[name]), median, median < HASTY * pool)
        for name, median in medians.items()
    )
