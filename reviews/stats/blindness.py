"""Whether blind raters were blind: what they say when asked which answer was the expensive one."""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from reviews.stats.intervals import Interval


class BlindingIndex(NamedTuple):
    """Hold Bang's index: 0 is blind, 1 all know, -1 all are wrong; nan without answers.

    Attributes:
        value: share who named the right side, less the share who named the wrong one.
        interval: score interval; [-1, 1] without answers.
        n: answers, "don't know" among them.
    """

    value: float
    interval: Interval[float]
    n: int


def blinding_index(right: int, wrong: int, unknown: int, level: float = 0.95) -> BlindingIndex:
    """Estimate how many raters know beyond guessing, "don't know" being the blind answer.

    A guesser is right as often as wrong and adds nothing. Answers are taken as independent: where
    one rater gave most of them, look at each rater too.

    Args:
        right: answers that named the expensive side.
        wrong: answers that named the other one.
        unknown: answers "don't know".
        level: two-sided confidence in (0, 1).

    Raises:
        ValueError: a negative count, or level outside (0, 1).

    Source:
        Bang, Ni and Davis 2004, Controlled Clinical Trials 25, 143-156. Interval: Tango 1998,
        Statistics in Medicine 17, 891-908; Bang's own has no width where all answer alike.

    Example:
        >>> index = blinding_index(right=1, wrong=7, unknown=13)
        >>> round(index.value, 4), [round(end, 3) for end in index.interval]
        (-0.2857, [-0.517, -0.026])
    """
    if min(right, wrong, unknown) < 0:
        raise ValueError("answers cannot be counted below 0")
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    n = right + wrong + unknown
    if n == 0:
        return BlindingIndex(np.nan, Interval(-1.0, 1.0), 0)
    value = (right - wrong) / n
    z = float(special.ndtri((1 + level) / 2))
    low = _end(-1.0, value, right, wrong, n, z)
    high = _end(1.0, value, right, wrong, n, -z)
    return BlindingIndex(value, Interval(low, high), n)


def _end(limit: float, value: float, right: int, wrong: int, n: int, z: float) -> float:
    """Find the index between the estimate and the limit that lies z standard errors away."""
    if value == limit:
        return limit
    inner = limit * (1 - 1e-12)
    return float(
        optimize.brentq(lambda index: _score(index, right, wrong, n) - z, *sorted((inner, value)))
    )


def _score(index: float, right: int, wrong: int, n: int) -> float:
    """Return the distance of the answers from an index, in standard errors under that index."""
    # The most likely share of wrong answers, were the index true: a root of 2n x^2 + b x + c.
    b = (2 * n - right + wrong) * index - right - wrong
    c = -wrong * index * (1 - index)
    share = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * share + index * (1 - index))
    return float((right - wrong - n * index) / np.sqrt(variance)) if variance > 0 else 0.0
