"""Whether an LLM judge may take part: order, agreement with people, what its verdicts are worth.

A judge never replaces people: its verdicts are worth what they add to ratings by people, and only
while they are the same whichever answer comes first.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reviews.stats import resampling
from reviews.stats.agreement import Estimate
from reviews.stats.intervals import Interval, korn_graubard, wilson
from reviews.stats.weighting import hajek

FloatArray = NDArray[np.float64]
Use = Literal["disabled", "both orders", "one order"]

# Below this a variance, or what a correlation leaves, is rounding.
_ROUNDING = 1e-12


class Flips(NamedTuple):
    """Hold how often a judge's verdict moves with the order of the answers.

    Attributes:
        rate: share of pairs with another verdict in the other order; nan without pairs.
        interval: Wilson.
        to_first: flips toward the answer that came first.
        to_second: flips toward the one that came second.
        p_value: of "flips go either way alike"; nan without flips.
        n: pairs asked in both orders.
    """

    rate: float
    interval: Interval[float]
    to_first: int
    to_second: int
    p_value: float
    n: int


class Quality(NamedTuple):
    """Hold how a judge's verdicts go with people's, on pairs that both rated.

    Attributes:
        table: weighted shares [[both harm, people only], [judge only, neither]], summing to 1.
        sensitivity: of the harm people saw, the share the judge saw.
        specificity: of the pairs without harm, the share the judge left alone.
        phi: correlation; nan where either side never varies.
        worth: 1 / (1 - phi^2), ratings by people that one rating is worth with the judge beside
            it; infinite for a judge who never errs.
        n: pairs.
        events: pairs on which people saw any harm.
    """

    table: FloatArray
    sensitivity: Estimate
    specificity: Estimate
    phi: Estimate
    worth: Estimate
    n: int
    events: int


class Overlap(NamedTuple):
    """Hold what decides whether a judge can help people on the pairs that both rated.

    Attributes:
        n: pairs.
        events: pairs on which people saw any harm.
        phi: correlation of both; nan where either never varies.
    """

    n: int
    events: int
    phi: float


class Limits(NamedTuple):
    """Hold what a judge must meet.

    Attributes:
        most_flips: above this rate a judge is disabled.
        single_order_flips: above this rate every pair is asked in both orders.
        direction_p: below this p-value too.
        fewest_shared: pairs rated by people as well.
        fewest_events: among them, pairs with harm.
        smallest_phi: below this, a judge widens or hardly narrows an interval.
    """

    most_flips: float = 0.4
    single_order_flips: float = 0.2
    direction_p: float = 0.01
    fewest_shared: int = 200
    fewest_events: int = 15
    smallest_phi: float = 0.3


class Admission(NamedTuple):
    """Hold what a judge is admitted to, and why not to more."""

    use: Use
    reasons: tuple[str, ...]


def flips(cheap_first: ArrayLike, expensive_first: ArrayLike, level: float = 0.95) -> Flips:
    """Compare a judge's verdicts on the same pairs in both orders.

    Args:
        cheap_first: (n,) -1 cheap is better, 0 tie, 1 expensive is better; cheap shown first.
        expensive_first: (n,) the same pairs, expensive shown first.
        level: two-sided confidence of the interval.

    Raises:
        ValueError: shapes differ, a verdict that is none of the three, or level outside (0, 1).

    Source:
        McNemar 1947, exact; Wilson 1927.

    Example:
        >>> found = flips([-1] * 15 + [1] * 5, [1] * 15 + [-1] * 5)
        >>> found.to_first, found.to_second, round(found.p_value, 6)
        (15, 5, 0.041389)
    """
    before, after = np.asarray(cheap_first), np.asarray(expensive_first)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError("both orders must have the same shape (n,)")
    if not (np.isin(before, (-1, 0, 1)).all() and np.isin(after, (-1, 0, 1)).all()):
        raise ValueError("a verdict must be -1, 0 or 1")
    n, to_first, to_second = before.size, int((before < after).sum()), int((before > after).sum())
    flipped = to_first + to_second
    return Flips(
        rate=flipped / n if n else np.nan,
        interval=Interval(*map(float, wilson(flipped, n, level))),
        to_first=to_first,
        to_second=to_second,
        p_value=float(stats.binomtest(to_first, flipped).pvalue) if flipped else np.nan,
        n=n,
    )


def quality(
    judge_harm: ArrayLike,
    people_harm: ArrayLike,
    weight: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = resampling.RESAMPLES,
) -> Quality:
    """Compare a judge with people on the pairs that both rated.

    A pair on which one order alone sees harm counts as 0.5, one on which people differ as their
    mean.

    Args:
        judge_harm: (n,) in [0, 1], orders in which the judge preferred the expensive answer.
        people_harm: (n,) in [0, 1], people did.
        weight: (n,) 1 / P(the pair was drawn).
        rng: seeded by the caller, for the intervals of phi and worth.
        level: two-sided confidence of the intervals.
        resamples: B.

    Raises:
        ValueError: lengths differ, a value outside [0, 1], or a weight not finite or not above 0.

    Source:
        Worth: the variance that a regression on the judge leaves, Angelopoulos, Duchi and Zrnic
        2023, PPI++.
    """
    f, y, w = _checked(judge_harm, people_harm, weight)
    phi = float(_phi(f, y, w[None])[0])
    drawn = _phi(f, y, resampling.multiplicities(f.size, rng, resamples) * w)
    return Quality(
        table=_table(f, y, w),
        sensitivity=_share(f, w * y, level),
        specificity=_share(1 - f, w * (1 - y), level),
        phi=Estimate(phi, resampling.percentile_interval(drawn, level)),
        worth=Estimate(
            float(_worth(np.array(phi))), resampling.percentile_interval(_worth(drawn), level)
        ),
        n=f.size,
        events=int((y > 0).sum()),
    )


def admission(flipped: Flips, compared: Overlap | Quality, limits: Limits = Limits()) -> Admission:
    """Decide what a judge may do, with every reason against more.

    Args:
        flipped: from pairs asked in both orders.
        compared: from pairs rated by people.
        limits: what it must meet.

    Returns:
        "disabled" if its verdicts may enter no estimate, "both orders" if only verdicts from both
        orders of every pair may, else "one order".
    """
    phi = compared.phi if isinstance(compared, Overlap) else compared.phi.value
    little = too_little(Overlap(compared.n, compared.events, phi), limits)
    fatal = [*_fatal_flips(flipped, limits), *little]
    doubts = _doubts(flipped, limits)
    use: Use = "disabled" if fatal else "both orders" if doubts else "one order"
    return Admission(use, (*fatal, *doubts))


def _fatal_flips(flipped: Flips, limits: Limits) -> list[str]:
    """Say what about the order disables a judge."""
    if flipped.n == 0:
        return ["no pair was asked in both orders"]
    if flipped.rate > limits.most_flips:
        return [
            f"{flipped.rate:.1%} of verdicts flip with the order, above {limits.most_flips:.0%}"
        ]
    return []


def overlap(judge_harm: ArrayLike, people_harm: ArrayLike, weight: ArrayLike) -> Overlap:
    """Count and correlate the pairs that a judge and people rated, without intervals.

    Args:
        judge_harm: (n,) as in `quality`, like the others.
        people_harm: (n,).
        weight: (n,).

    Raises:
        ValueError: as `quality`.

    Example:
        >>> overlap([1, 0, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1])._replace(phi=None)
        Overlap(n=4, events=1, phi=None)
    """
    f, y, w = _checked(judge_harm, people_harm, weight)
    return Overlap(f.size, int((y > 0).sum()), float(_phi(f, y, w[None])[0]))


def too_little(compared: Overlap, limits: Limits = Limits()) -> list[str]:
    """Say what is missing in the comparison with people; empty where a judge can help.

    Tuned on the same ratings, a judge gains nothing while its correlation is below 1 / sqrt(n - 2).

    Source:
        Mani et al. 2025, No Free Lunch: Non-Asymptotic Analysis of Prediction-Powered Inference.
    """
    reasons = []
    if compared.n < limits.fewest_shared:
        reasons.append(f"{compared.n} pairs rated by people too, of {limits.fewest_shared} needed")
    if compared.events < limits.fewest_events:
        reasons.append(f"{compared.events} of them with harm, of {limits.fewest_events} needed")
    smallest = max(limits.smallest_phi, max(compared.n - 2, 1) ** -0.5)
    if np.isnan(compared.phi):
        reasons.append("correlation with people is not known: one of them never varies")
    elif compared.phi < smallest:
        reasons.append(f"correlation with people is {compared.phi:.2f}, below {smallest:.2f}")
    return reasons


def _doubts(flipped: Flips, limits: Limits) -> list[str]:
    """Say what about the order asks for both orders of every pair."""
    reasons = []
    if limits.single_order_flips < flipped.rate <= limits.most_flips:
        reasons.append(
            f"{flipped.rate:.1%} of verdicts flip with the order, "
            f"above {limits.single_order_flips:.0%}"
        )
    if flipped.p_value < limits.direction_p:
        side = "first" if flipped.to_first > flipped.to_second else "second"
        reasons.append(f"flips favour the {side} answer (p = {flipped.p_value:.2g})")
    return reasons


def _table(f: FloatArray, y: FloatArray, w: FloatArray) -> FloatArray:
    """Return the weighted shares of people (rows) by judge (columns), harm first: (2, 2)."""
    if not w.size:
        return np.full((2, 2), np.nan)
    cells = [[w @ (y * f), w @ (y * (1 - f))], [w @ ((1 - y) * f), w @ ((1 - y) * (1 - f))]]
    return np.array(cells) / w.sum()


def _share(z: FloatArray, w: FloatArray, level: float) -> Estimate:
    """Return a weighted share over the rows with weight, with its Korn-Graubard interval."""
    mean = hajek(z[w > 0], w[w > 0])
    return Estimate(mean.mean, Interval(*map(float, korn_graubard(*mean, level=level))))


def _phi(f: FloatArray, y: FloatArray, w: FloatArray) -> FloatArray:
    """Return the weighted correlation under each of B sets of weights: (B,)."""
    sums = w @ np.column_stack([np.ones(f.size), f, y, f * f, y * y, f * y])
    with np.errstate(invalid="ignore"):
        mean_f, mean_y, ff, yy, fy = (sums[:, 1:] / sums[:, [0]]).T
    spread = np.maximum(ff - mean_f**2, 0) * np.maximum(yy - mean_y**2, 0)
    out = np.full(spread.shape, np.nan)
    np.divide(fy - mean_f * mean_y, np.sqrt(spread), out=out, where=spread > _ROUNDING)
    return np.clip(out, -1, 1)


def _worth(phi: FloatArray) -> FloatArray:
    """Return 1 / (1 - phi^2), infinite at 1 up to rounding."""
    left = 1 - phi**2
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.where(left > _ROUNDING, left, np.where(np.isnan(phi), np.nan, 0)))


def _checked(
    judge_harm: ArrayLike, people_harm: ArrayLike, weight: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the three as arrays of one length, refusing what is no share."""
    f, y, w = (np.asarray(v, dtype=np.float64) for v in (judge_harm, people_harm, weight))
    if not f.shape == y.shape == w.shape or f.ndim != 1:
        raise ValueError("judge_harm, people_harm and weight must have the same shape (n,)")
    if not ((f >= 0) & (f <= 1)).all() or not ((y >= 0) & (y <= 1)).all():
        raise ValueError("harm must lie in [0, 1]")
    if not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("weight must be finite and above 0")
    return f, y, w
