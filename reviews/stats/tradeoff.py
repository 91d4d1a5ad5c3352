"""How much of the quality between two models a router keeps for how much of the cost.

Figures as RouteLLM names them, to compare with what is published. They rest on means alone and
promise nothing; what can be promised is in the certificate.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

#: Quality of both models must differ by more than so many standard errors.
_APART = 2.0


class Tradeoff(NamedTuple):
    """Hold what a router keeps; all nan where the two models cannot be told apart.

    Attributes:
        kept: (K,) share of the quality gap closed at each share of expensive calls.
        mean_kept: its mean over all shares of calls; .5 is a coin, 1 an oracle.
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


def tradeoff(
    calls: ArrayLike,
    quality: ArrayLike,
    gap_error: float = 0.0,
    goals: tuple[float, ...] = (0.2, 0.5, 0.8),
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
