"""What stands beside a certified threshold: task types, other tests of its ratings, warnings."""

from __future__ import annotations

from typing import Any

import numpy as np

from reviews import looks
from reviews.inputs import DAY_S, THERE, Inputs, Taken
from reviews.looks import Look
from reviews.stats import selection

#: Kinds of rater, as `About` names them.
PEOPLE, JUDGE = "human", "llm_judge"
_WEEK = 7
#: Parts of a plan that make another test: whoever chooses by what was rated errs more often.
_CHOSEN = {"adequacy_floor", "by_task", "confidence", "floor", "judge_role", "loss"}


def by_task(inputs: Inputs, asked: dict[str, Any], rows: Taken) -> dict[str, dict[str, Any]]:
    """Return a certificate in short for each task type, right for all of them at once."""
    tasks = inputs.columns.task[rows.places]
    found = selection.certify_tasks(tasks=tasks, **asked)
    return {
        inputs.about.tasks[code]: {
            "threshold": one.threshold,
            "n_rated": one.n_rated,
            "n_events": one.n_events,
            "delta": one.delta,
            "cheap_share": one.found.cheap_share if one.found else None,
        }
        for code, one in sorted(found.items())
    }


def sensitivity(
    inputs: Inputs,
    plan: dict[str, Any],
    look: Look,
    asked: dict[str, Any],
    tasks: dict[str, dict[str, Any]],
) -> dict[str, float | None]:
    """Return what other tests of the same ratings certify; a certificate far from them is odd.

    Args:
        inputs: all columns.
        plan: of the study.
        look: the one that the certificate rests on.
        asked: what its tests were asked.
        tasks: as `by_task` returns them.
    """
    before_end, at_end = looks.deltas(plan)
    other = (
        Look("hash", at_end, look.is_final, look.judge)
        if look.order == "arrival"
        else Look("arrival", before_end, look.is_final, look.judge)
    )
    lines = {f"{other.order}_order": looks.threshold(inputs, plan, other)}
    if look.judge:
        lines["without_judge"] = selection.certify(
            **asked | {"rows": asked["rows"]._replace(judge=None)}
        ).threshold
    lines |= selection.sensitivity(
        asked["rows"], asked["thresholds"], floor=plan["floor"], delta=look.delta
    )
    own = [task["threshold"] for task in tasks.values()]
    lines["least_of_tasks"] = None if None in own else min(own, default=None)
    return lines


def warnings(inputs: Inputs, plan: dict[str, Any], look: Look, rows: Taken) -> list[str]:
    """Return what a reader of the certificate has to know beside what the test itself warns of."""
    about, said = inputs.about, []
    if about.kind == JUDGE:
        said.append("Only a judge has spoken; people have to rate.")
    elif about.kind != PEOPLE:
        said.append("The verdicts are those of an answer key, not of people.")
    if rows.n_due == rows.n_waiting:
        said.append("No pair that counts is rated.")
    if plan["judge_role"] == "certificate" and about.judge_problem:
        said.append(about.judge_problem)
    if n_lost := int((inputs.columns.lost[rows.places] != THERE).sum()):
        said.append(f"{n_lost} requests lost one answer for good: {_counted_as(plan)}.")
    if look.order == "arrival" and look.is_final:
        if too_early := looks.too_early(inputs, plan):
            said.append(too_early)
        if _days(inputs) < _WEEK:
            said.append("It rests on less than a week of traffic; weekends may differ.")
    if about.n_others:
        said.append(_others(about.n_others))
    changed = sorted({one["field"] for one in plan["deviations"]})
    if changed:
        said.append(f"Changed after the first rating: {', '.join(changed).replace('_', ' ')}.")
    if chosen := sorted({*changed} & _CHOSEN):
        said.append(
            f"Who chose {', '.join(chosen).replace('_', ' ')} could see ratings: the chance of a "
            "wrong certificate may be larger than stated."
        )
    return said


def _counted_as(plan: dict[str, Any]) -> str:
    """Return what a request without a pair counts as."""
    if plan["loss"] == "inadequate":
        return "each counts as not good enough"
    second = "" if plan["adequacy_floor"] is None else "; none counts as good enough"
    return (
        "they count as worse, but as not where the expensive model was asked and gave no answer"
        + second
    )


def _others(n: int) -> str:
    """Return what follows from other studies of the same requests."""
    if n == 1:
        return "Another study rated this traffic: the chance that one of them errs adds up."
    return f"{n} other studies rated this traffic: the chance that one of them errs adds up."


def _days(inputs: Inputs) -> float:
    """Return how many days the requests span."""
    at = inputs.columns.received_at
    return float(np.ptp(at) / DAY_S) if at.size else 0.0
