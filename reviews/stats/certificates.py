"""What a certificate says: the threshold, what was seen there, and what to beware of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reviews.stats import betting, estimates
from reviews.stats.intervals import korn_graubard
from reviews.stats.questions import Capitals, Order, Question, batches, certified
from reviews.stats.rows import Checked, cheap_share, checked, constants
from reviews.stats.weighting import deff_weights

_FEW = 30
_STEEPEST = 4.0
_ROUNDING = 1e-9

_HOPELESS = "Even without a single loss these ratings could not certify a threshold."
_SAFE_ONLY = (
    "The threshold is safe only because no more traffic than the floor lies below it; ratings "
    "certify none."
)
_UNTESTED = "Too few ratings are planned below any threshold to test adequacy."
_UNRATED = "drawn pairs were never rated; each counts as worse."
_UNEQUAL = "Weights are too unequal for the usual interval: trust the bound from betting."
_STEEP = "Some pairs were more than four times as likely to be drawn as others: that costs much."
_ALL_DRAWN = "Every pair was drawn: what is uncertain is traffic like this, not this window."


@dataclass(frozen=True)
class Point:
    """What the test says of one threshold.

    Attributes:
        threshold: a row is routed cheap when its score is strictly below.
        cheap_share: share of the traffic below.
        log_k: ln of the capital bet against "degradation is above the floor".
        adequacy_log_k: the same for the second floor; None without one.
        trivially_safe: the traffic below is at most the floor, so degradation is too.
        certified: both floors hold here and on the way here.
    """

    threshold: float
    cheap_share: float
    log_k: float
    adequacy_log_k: float | None
    trivially_safe: bool
    certified: bool


@dataclass(frozen=True)
class Found:
    """What was seen at the certified threshold.

    Attributes:
        threshold: the certified one.
        cheap_share: share of the traffic below.
        degradation: weighted estimate.
        degradation_high: one-sided bound by betting, never above the floor.
        adequacy: among rows routed cheap; None where nobody spoke.
        adequacy_low: two-sided Korn-Graubard, pointwise.
        adequacy_high: its other end.
    """

    threshold: float
    cheap_share: float
    degradation: float
    degradation_high: float
    adequacy: float | None
    adequacy_low: float | None
    adequacy_high: float | None


@dataclass(frozen=True)
class Certificate:
    """The outcome of a test of thresholds; None stands for "cannot be said".

    Attributes:
        threshold: the largest certified one that routes anything; None when there is none.
        floor: largest degradation allowed.
        delta: largest probability that the floor does not hold at the threshold.
        adequacy_floor: smallest share of adequate answers among rows routed cheap.
        order: "hash" is about these rows; "arrival" about a stationary stream, at any time.
        loss: its name.
        judge: whether a judge's guesses helped.
        n_frame: rows.
        n_rated: rows that somebody rated.
        n_unrated: rows drawn and due without one; each counts as loss 1.
        n_events: rated rows with a loss.
        deff_weights: what unequal weights cost; nan without ratings.
        most_weight: the heaviest row that any threshold routes cheap.
        found: estimates at the threshold; None without one.
        grid: every threshold.
        warnings: sentences for whoever reads the certificate.
    """

    threshold: float | None
    floor: float
    delta: float
    adequacy_floor: float | None
    order: Order
    loss: str
    judge: bool
    n_frame: int
    n_rated: int
    n_unrated: int
    n_events: int
    deff_weights: float
    most_weight: float
    found: Found | None
    grid: tuple[Point, ...]
    warnings: tuple[str, ...]

    @property
    def certified(self) -> bool:
        """Return whether any threshold is certified."""
        return self.threshold is not None


def answer(question: Question, capitals: Capitals, delta: float) -> Certificate:
    """Turn capitals into a certificate at a level."""
    passed = certified(capitals, delta) & question.rows.rated.any()
    useful = np.flatnonzero(passed & (capitals.share > 0))
    index = int(useful[-1]) if useful.size else None
    found = None if index is None else _found(question, capitals, index, delta)
    warnings = _warnings(question, capitals, index, delta)
    return _certificate(question, capitals, delta, passed, found, tuple(warnings))


def too_few(question: Question, fewest: int) -> Certificate:
    """Return the certificate of a task with too few ratings to be tested on its own."""
    frame = checked(question.rows, question.thresholds)
    zero = np.zeros(frame.thresholds.size)
    untested = betting.Bets(zero.astype(np.int64), *[zero] * 4)
    capitals = Capitals(frame, cheap_share(frame), zero > 0, untested, None, 0)
    warning = f"Fewer than {fewest} ratings: no threshold of its own."
    return _certificate(question, capitals, question.delta, zero > 0, None, (warning,))


def _certificate(
    question: Question,
    capitals: Capitals,
    delta: float,
    passed: NDArray[np.bool_],
    found: Found | None,
    warnings: tuple[str, ...],
) -> Certificate:
    frame = capitals.frame
    return Certificate(
        threshold=None if found is None else found.threshold,
        floor=question.floor,
        delta=delta,
        adequacy_floor=question.adequacy_floor,
        order=question.order,
        loss=question.loss_name,
        judge=question.rows.judge is not None,
        n_frame=frame.bins.size,
        n_rated=int(frame.spoken.sum()),
        n_unrated=int(_unrated(question).sum()),
        n_events=int((frame.spoken & (frame.loss > 0)).sum()),
        deff_weights=deff_weights(estimates.weights(frame)),
        most_weight=float(constants(frame).heaviest[-1]) if frame.thresholds.size else 1.0,
        found=found,
        grid=_points(capitals, passed),
        warnings=warnings,
    )


def _points(capitals: Capitals, passed: NDArray[np.bool_]) -> tuple[Point, ...]:
    second = capitals.adequacy
    return tuple(
        Point(
            threshold=float(capitals.frame.thresholds[i]),
            cheap_share=float(capitals.share[i]),
            log_k=float(capitals.degradation.log_k[i]),
            adequacy_log_k=None if second is None else float(second.log_k[i]),
            trivially_safe=bool(capitals.safe[i]),
            certified=bool(passed[i]),
        )
        for i in range(passed.size)
    )


def _found(question: Question, capitals: Capitals, index: int, delta: float) -> Found:
    """Estimate what holds at one threshold."""
    frame = capitals.frame
    adequacy, low, high = _adequacy(question, frame, index, 1 - delta)
    return Found(
        threshold=float(frame.thresholds[index]),
        cheap_share=float(capitals.share[index]),
        degradation=estimates.covered(frame) * estimates.degradation(frame, index).mean,
        degradation_high=_degradation_high(question, capitals, index, delta),
        adequacy=adequacy,
        adequacy_low=low,
        adequacy_high=high,
    )


def _degradation_high(question: Question, capitals: Capitals, index: int, delta: float) -> float:
    """Bound degradation by betting; never above the floor, for which the threshold is certified."""
    high = betting.upper(
        question.rows,
        capitals.frame.thresholds[[index]],
        floor_grid=betting.floors(question.floor),
        delta=delta,
        n_plan=question.n_plan,
        batches=batches(question, capitals.frame.bins.size),
    )
    return min(float(high[0]), question.floor)


def _adequacy(
    question: Question, frame: Checked, index: int, level: float
) -> tuple[float | None, float | None, float | None]:
    """Estimate adequacy among rows routed cheap, with its interval; None where nobody spoke."""
    if question.adequate is None:
        return None, None, None
    mean = estimates.adequacy(frame, question.adequate, index)
    if mean.n == 0:
        return None, None, None
    low, high = korn_graubard(mean.mean, mean.variance, mean.n, mean.n_kish, level)
    return mean.mean, float(low), float(high)


def _warnings(question: Question, capitals: Capitals, index: int | None, delta: float) -> list[str]:
    """Return what a reader must know, most important first."""
    frame = capitals.frame
    if not frame.rated.any():
        return ["No pair is rated: nothing can be certified."]
    found = [
        (index is None, "No threshold is certified: everything stays expensive."),
        (index is None and _hopeless(question, capitals, delta), _HOPELESS),
        (index is not None and bool(capitals.safe[index]), _SAFE_ONLY),
        (capitals.untested == frame.thresholds.size > 0, _UNTESTED),
        (int(frame.spoken.sum()) < _FEW, f"Fewer than {_FEW} ratings: read the bound only."),
        (_unrated(question).any(), f"{_unrated(question).sum()} {_UNRATED}"),
        (estimates.too_unequal(frame), _UNEQUAL),
        (_steep(frame), _STEEP),
        (bool((frame.pi[frame.drawable] == 1).all()), _ALL_DRAWN),
    ]
    return [text for holds, text in found if holds]


def _hopeless(question: Question, capitals: Capitals, delta: float) -> bool:
    """Say whether not even ratings without a single loss could have certified anything."""
    rows = question.rows._replace(loss=np.zeros(capitals.frame.bins.size), judge=None)
    best = betting.star(
        rows,
        question.thresholds,
        floor=question.floor,
        delta=delta,
        n_plan=question.n_plan,
        batches=batches(question, capitals.frame.bins.size),
    )
    return not (best.peak[~capitals.safe] >= np.log(1 / delta)).any()


def _steep(frame: Checked) -> bool:
    """Say whether pairs were drawn with probabilities further apart than helps."""
    pi = frame.pi[frame.drawable & ~frame.known]
    return bool(pi.size and pi.max() > _STEEPEST * (1 + _ROUNDING) * pi.min())


def _unrated(question: Question) -> NDArray[np.bool_]:
    """Return which rows were due and never rated."""
    unrated: NDArray[np.bool_] = question.rows.rated & np.isnan(question.rows.loss)
    return unrated
