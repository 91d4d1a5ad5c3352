"""How many ratings a study needs, and how many more are expected to decide a threshold.

Planning rests on a guess, half the floor, until ratings say more. Which pairs come next is fixed by
the draw: choosing them by what was said would bend the result.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from reviews import calibration, inputs, looks, planning
from reviews.certificate import Certificate
from reviews.models import Slot, Study
from reviews.stats import planner

POWER = 0.8
_GUESS = 0.5
_SIZES = (100, 200, 400, 800, 1600)
#: True degradations of a power curve, as parts of the floor.
_PARTS = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9)
_NEXT = 40


class TaskNeeds(NamedTuple):
    """What one task type needs for a threshold of its own; None where nothing is enough."""

    task: str
    n_rated: int
    ratings: int | None
    threshold: float | None


@dataclass(frozen=True)
class Needs:
    """How many ratings a study needs.

    Attributes:
        ratings: pairs to rate for its floor with a chance of POWER, if true degradation is half
            the floor.
        fewest: fewer cannot certify, even without a single loss.
        n_rated: pairs rated so far that count.
        by_task: the same for each task type alone.
        more: ratings expected to decide `decides`, if they go on as so far; None when unknown.
        decides: the threshold that is decided next.
        sentence: for people.
        power: chance of a certificate by ratings and by true degradation.
    """

    ratings: int | None
    fewest: int
    n_rated: int
    by_task: list[TaskNeeds]
    more: int | None
    decides: float | None
    sentence: str
    power: list[dict[str, Any]]


def of(study: Study) -> Needs:
    """Return what the study needs; of a closed one, what it would have needed."""
    found = calibration.certificate(study)
    needed = _planned(study, found, found.delta)
    by_task = _by_task(study, found)
    following = _more(study, found)
    ratings = needed.ratings if needed else None
    return Needs(
        ratings=ratings,
        fewest=planner.zero_harm_n(study.floor, found.delta),
        n_rated=found.n_rated,
        by_task=by_task,
        more=following.more if following else None,
        decides=following.decides if following else None,
        sentence=_sentence(study, found, following, by_task, ratings),
        power=_power(study, found, needed),
    )


def _planned(study: Study, found: Certificate, delta: float) -> planner.Needs | None:
    return planner.ratings(
        study.floor,
        _GUESS * study.floor,
        power=POWER,
        delta=delta,
        share=_share(study),
        deff_weights=max(found.deff_w or 1.0, 1.0),
    )


def _share(study: Study) -> float:
    """Return the share of the traffic below the largest threshold in question."""
    columns = calibration.arrays(study).columns
    total = columns.traffic.sum()
    below = columns.traffic[columns.score < study.largest_threshold].sum()
    return float(below / total) if total else 1.0


def _by_task(study: Study, found: Certificate) -> list[TaskNeeds]:
    """Return what each task type needs alone, at its part of the error."""
    part = found.delta / max(len(found.by_task), 1)
    needed = _planned(study, found, part)
    return [
        TaskNeeds(task, one["n_rated"], needed.ratings if needed else None, one["threshold"])
        for task, one in found.by_task.items()
    ]


class _Next(NamedTuple):
    """How many more ratings decide which threshold, and whether the study has or awaits as many."""

    more: int
    decides: float
    is_near: bool


def _more(study: Study, found: Certificate) -> _Next | None:
    """Return how many more ratings decide which threshold next; None where none can be named.

    A threshold is certified with all below it. Those that hold without a rating, since no more
    than the floor allows lie below them, and those that hold already decide nothing. Of the rest
    it is the largest that the pairs still waiting are expected to decide, else the one that needs
    fewest.
    """
    plan, read = planning.as_json(study), calibration.arrays(study)
    rows = inputs.taken(read, plan, "hash", is_final=found.is_final)
    if found.is_final or found.is_by_task or rows.n_due == rows.n_waiting:
        return None
    grid = looks.thresholds(plan)
    alone = planner.more(rows.rows, grid, floor=study.floor, delta=found.delta, n_plan=rows.n_plan)
    is_open = np.array([not (one["certified"] or one["trivially_safe"]) for one in found.grid])
    needed = np.maximum.accumulate(np.where(is_open, alone, 0.0))
    undecided = np.isfinite(needed) & (needed > 0)
    if not undecided.any():
        return None
    waiting = int(read.columns.selected.sum()) - rows.n_due
    near = np.flatnonzero(undecided & (needed <= waiting))
    at = int(near[-1]) if near.size else int(np.flatnonzero(undecided)[0])
    is_near = bool(needed[at] <= found.n_rated + waiting)
    return _Next(int(needed[at]), float(grid[at]), is_near)


def _sentence(
    study: Study,
    found: Certificate,
    following: _Next | None,
    by_task: list[TaskNeeds],
    ratings: int | None,
) -> str:
    if found.is_final:
        return "The study is closed: more ratings change nothing."
    if found.is_by_task and found.n_rated:
        return _lacking(by_task)
    if following is not None:
        return _following(following)
    if found.n_rated and found.threshold is not None and found.threshold >= _top(study):
        return "The largest threshold in question is certified already."
    if found.n_rated:
        return "As ratings are so far, more of them are not expected to certify a threshold."
    if ratings is None:
        return "Nothing is rated yet."
    return (
        f"Nothing is rated yet. Some {ratings} ratings certify the floor with a chance of "
        f"{100 * POWER:.0f} %, if half of what the floor allows is true."
    )


def _following(following: _Next) -> str:
    """Return which threshold is decided next, or that none is near."""
    more, decides, is_near = following
    if not is_near:
        return f"No further threshold is near: {decides:.2f} would take some {more:,} more ratings."
    return (
        f"{more:,} more rating{'s are' if more != 1 else ' is'} expected to decide {decides:.2f}."
    )


def _lacking(by_task: list[TaskNeeds]) -> str:
    """Return which task types without a threshold lack ratings for one of their own."""
    short = [
        f"{one.task} {one.ratings - one.n_rated:,}"
        for one in by_task
        if one.threshold is None and one.ratings is not None and one.n_rated < one.ratings
    ]
    if short:
        return f"More ratings for a threshold of their own: {', '.join(short)}."
    return "Every task type has as many ratings as a threshold of its own takes."


def _top(study: Study) -> float:
    return float(looks.thresholds(planning.as_json(study))[-1])


def _power(study: Study, found: Certificate, needed: planner.Needs | None) -> list[dict[str, Any]]:
    """Return the chance of a certificate for some numbers of ratings and true degradations."""
    each = needed.ratings / needed.exact if needed else 1.0
    points = [(n, part * study.floor) for n in _SIZES for part in _PARTS]
    sizes = np.array([max(round(n / each), 1) for n, _ in points])
    chance = planner.power(
        sizes, np.array([d for _, d in points]), floor=study.floor, delta=found.delta
    )
    return [
        {"n": n, "degradation": d, "power": float(p)}
        for (n, d), p in zip(points, chance, strict=True)
    ]


def next_up(study: Study, n: int = _NEXT) -> list[tuple[str, int]]:
    """Return of which strata the next pairs of the queue are, and how many of each."""
    waiting = study.slots.filter(kind=Slot.Kind.SAMPLE, state=Slot.State.OPEN)
    strata = waiting.order_by("order").values_list("sampled_pair__stratum", flat=True)[:n]
    return sorted(Counter(strata).items())
