"""How many ratings a study needs, and how many more are expected to decide a threshold.

Planning rests on a guess, half the floor, until ratings say more. Which pairs come next is fixed by
the draw: choosing them by what was said would bend the result.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from reviews import calibration, certificate, inputs, planning
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
    more, decides = _more(study, found)
    ratings = needed.ratings if needed else None
    return Needs(
        ratings=ratings,
        fewest=planner.zero_harm_n(study.floor, found.delta),
        n_rated=found.n_rated,
        by_task=_by_task(study, found),
        more=more,
        decides=decides,
        sentence=_sentence(study, found, more, decides, ratings),
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


def _more(study: Study, found: Certificate) -> tuple[int | None, float | None]:
    """Return how many more ratings decide which threshold next.

    A threshold is certified with all below it. Of those that the pairs still waiting are expected
    to decide it is the largest, else the one that needs fewest.
    """
    plan, read = planning.as_json(study), calibration.arrays(study)
    rows = inputs.taken(read, plan, "hash", is_final=found.is_final)
    if found.is_final or rows.n_due == rows.n_waiting:
        return None, None
    grid = certificate.thresholds(plan)
    alone = planner.more(rows.rows, grid, floor=study.floor, delta=found.delta, n_plan=rows.n_plan)
    needed = np.maximum.accumulate(alone)
    undecided = np.isfinite(needed) & (needed > 0)
    if not undecided.any():
        return None, None
    waiting = int(read.columns.selected.sum()) - rows.n_due
    near = np.flatnonzero(undecided & (needed <= waiting))
    at = int(near[-1]) if near.size else int(np.flatnonzero(undecided)[0])
    return int(needed[at]), float(grid[at])


def _sentence(
    study: Study,
    found: Certificate,
    more: int | None,
    decides: float | None,
    ratings: int | None,
) -> str:
    if more is not None and decides is not None:
        ending = "s are" if more != 1 else " is"
        return f"{more} more rating{ending} expected to decide {decides:g}."
    if found.is_final:
        return "The study is closed: more ratings change nothing."
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


def _top(study: Study) -> float:
    return float(certificate.thresholds(planning.as_json(study))[-1])


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
